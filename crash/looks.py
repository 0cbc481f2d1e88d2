"""What a root holds, read from the disk and from a copy of its journal; and whether that is as promised."""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from blake3 import blake3

from mediad.journal import chain

JOURNAL: Final = "state/journal.db"
FOLDER_OF: Final = {
    "incoming": "incoming",
    "spool": "processing",
    "phone": "pixel_sync",
    "archive": "nas_archive",
    "library": "library",
    "duplicates": "duplicates",
    "quarantine": "quarantine",
}
# Where an original is safe. What lies in the shared folder alone is not: the phone's owner may empty it.
LAWFUL: Final = ("incoming", "processing", "nas_archive", "duplicates", "quarantine")
# Where only whole files have names. What was dropped is the person's, and what is made is made under other names.
WHOLE: Final = ("nas_archive", "library", "pixel_sync", "duplicates", "quarantine", "processing")
# What was made and is not judged yet: nobody relies on it before the journal does.
CANDIDATES: Final = "processing/renditions/"
OWN: Final = frozenset({".mediad-site"})
# A copy at these is removed before the journal says so: until then it may be gone, and never be another.
REMOVED_FIRST: Final = frozenset({"duplicates", "phone", "spool"})


class Lies(NamedTuple):
    """One file."""

    digest: str  # SHA-256
    blake3: str
    mtime_ns: int


@dataclass(frozen=True)
class Seen:
    """A root at one moment. `files`: by path below it, hidden ones too; `folders` without the state."""

    files: Mapping[str, Lies]
    folders: frozenset[str]

    def below(self, folder: str) -> Iterator[tuple[str, Lies]]:
        """The files with a name of their own."""
        for path, lies in self.files.items():
            if path.startswith(folder + "/") and not _is_hidden(path):
                yield path, lies


def look(root: Path) -> Seen:
    files: dict[str, Lies] = {}
    folders: set[str] = set()
    for above, below, names in os.walk(root):
        here = os.path.relpath(above, root)
        if here == "state":
            below.clear()
            continue
        folders.update(os.path.normpath(f"{here}/{n}") for n in below)
        for name in names:
            path = Path(above, name)
            content = path.read_bytes()
            files[os.path.normpath(f"{here}/{name}")] = Lies(
                hashlib.sha256(content).hexdigest(),
                blake3(content).hexdigest(),
                path.stat().st_mtime_ns,
            )
    return Seen(files, frozenset(folders))


# -- right after the fault ----------------------------------------------------------------------


def lost(seen: Seen, originals: Collection[str], outside: Collection[str]) -> list[str]:
    """The originals that lie whole in no lawful place. `outside`: those that iCloud still shows."""
    safe = {lies.digest for folder in LAWFUL for path, lies in seen.below(folder)
            if not path.startswith(CANDIDATES)}  # fmt: skip
    return sorted(set(originals) - safe - set(outside))


def torn(seen: Seen, known: Collection[str]) -> list[str]:
    """The files under a name of their own whose bytes are nobody's."""
    return sorted(
        path
        for folder in WHOLE
        for path, lies in seen.below(folder)
        if lies.digest not in known and not path.startswith(CANDIDATES)
    )


def untrue(root: Path, seen: Seen) -> list[str]:
    """What is wrong with the journal, or claimed by it and not so on the disk."""
    with _journal(root) as db:
        if db is None:
            return []
        try:
            return [*_unsound(db), *_false_claims(db, seen)]
        except sqlite3.DatabaseError as error:
            return [f"journal: {error}"]


def _unsound(db: sqlite3.Connection) -> Iterator[str]:
    said = [row[0] for row in db.execute("PRAGMA integrity_check")]
    if said != ["ok"]:
        yield f"journal: {said[0]}"
    if not _has_tables(db):
        return
    if db.execute("PRAGMA foreign_key_check").fetchone():
        yield "journal: a row points to none"
    audit, _, _ = chain.page(db, 0, chain.GENESIS, {})
    if audit.broken_at is not None:
        yield f"journal: {audit.what}"


def _false_claims(db: sqlite3.Connection, seen: Seen) -> Iterator[str]:
    if not _has_tables(db):
        return
    for site, key, digest in db.execute(
        "SELECT site, key, digest FROM copy UNION ALL SELECT site, key, digest FROM rendition"
    ):
        if site not in FOLDER_OF:
            continue
        path = f"{FOLDER_OF[site]}/{os.fsdecode(key) if isinstance(key, bytes) else key}"
        lies = seen.files.get(path)
        if lies is None and site not in REMOVED_FIRST:
            yield f"the journal has {path}, the disk has not"
        elif lies is not None and lies.blake3 != digest.hex():
            yield f"the journal has other bytes of {path} than the disk"


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'copy'").fetchone() is not None


# -- at the end ---------------------------------------------------------------------------------


def litter(seen: Seen) -> list[str]:
    """What only exists while something is being done."""
    return sorted(p for p in seen.files if _is_hidden(p) and Path(p).name not in OWN) + sorted(
        p for p in seen.folders if ".mediad-scratch/" in p
    )


def end_of(root: Path, seen: Seen) -> dict[str, Any]:
    """
    The end of a run, in words that are the same for every lawful order of work.

    Which of two equal files is the keeper, and which of two namesakes gets the suffix, is decided by who was hashed
    first; a fault may change that, and nothing else.
    """
    places = {
        folder: sorted(
            (str(Path(path).parent), lies.digest, lies.mtime_ns if folder in _DATED else 0)
            for path, lies in seen.below(folder)
        )
        for folder in (*WHOLE, "incoming", "icloud_delete", "bridge")
    }
    places["processing"] = sorted((a, d, m) for a, d, m in places["processing"])
    with _journal(root) as db:
        journal = {} if db is None else _journal_end(db)
    return {**places, **journal}


_DATED: Final = frozenset({"nas_archive", "library"})


def _journal_end(db: sqlite3.Connection) -> dict[str, Any]:
    assets: dict[int, list[str]] = {}
    for asset, digest in db.execute("SELECT asset, digest FROM original ORDER BY digest"):
        assets.setdefault(asset, []).append(digest.hex() if digest else "?")
    standing = Counter(
        (tuple(assets.get(asset, [])), state, mark)
        for asset, state, mark in db.execute("SELECT asset, state, mark FROM standing")
    )
    conditions = Counter(
        (tuple(assets.get(asset, [])), condition)
        for asset, condition in db.execute("SELECT id, condition FROM asset")
    )
    copies = Counter(
        (site, digest.hex()) for site, digest in db.execute("SELECT site, digest FROM copy")
    )
    return {
        "standing": sorted((*k, n) for k, n in standing.items()),
        "conditions": sorted((*k, n) for k, n in conditions.items()),
        "copies": sorted((*k, n) for k, n in copies.items()),
    }


def unsettled(root: Path) -> list[tuple[str, str, str]]:
    """(state, mark, code) of all that needs time or a person."""
    with _journal(root) as db:
        if db is None or not _has_tables(db):
            return []
        rows = db.execute(
            "SELECT state, mark, code FROM standing WHERE mark IN ('retry', 'failed', 'held')"
        )
        return sorted(rows)


def difference(end: Mapping[str, Any], calm: Mapping[str, Any]) -> list[str]:
    found = []
    for what in calm:
        if end.get(what) != calm[what]:
            mine, theirs = _listed(end.get(what)), _listed(calm[what])
            more = [x for x in mine if x not in theirs]
            less = [x for x in theirs if x not in mine]
            found.append(f"{what}: too much {more[:4]}, missing {less[:4]}")
    return found


def _listed(what: Any) -> Sequence[Any]:
    if isinstance(what, Mapping):
        return list(what.items())
    return what if isinstance(what, list) else [what]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


class _journal:  # noqa: N801 - a context, not a thing
    """A copy, so that opening it changes nothing of what the daemon will find. None: there is none yet."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> sqlite3.Connection | None:
        self._scratch = tempfile.mkdtemp(dir=self._root.parent)
        self._db: sqlite3.Connection | None = None
        for end in ("", "-wal"):
            source = self._root / (JOURNAL + end)
            if source.exists():
                shutil.copyfile(source, Path(self._scratch, "journal.db" + end))
        if (self._root / JOURNAL).exists():
            self._db = sqlite3.connect(Path(self._scratch, "journal.db"))
        return self._db

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._db.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
