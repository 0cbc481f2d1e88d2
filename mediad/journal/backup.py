"""Backups of the journal: made while it works, checked before they get their name, put back without losing anything."""

import os
import re
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mediad.errors import NeedsOperator
from mediad.journal import faults
from mediad.journal.db import connect
from mediad.journal.halt import Halt
from mediad.journal.migrate import APPLICATION_ID, editions, pending
from mediad.ports import Clock

_OURS: Final = re.compile(r"journal-\d{8}T\d{6}Z\.db")
_PART: Final = re.compile(r"\.journal-\d{8}T\d{6}Z\.db\.part")


def name_at(at: int) -> str:
    return f"journal-{_stamp(at)}.db"


def _stamp(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


def save(journal: Path, target: Path, halt: Halt | None = None) -> None:
    """A whole, checked copy of the journal under `target`, or nothing at all; `halt` ends it early."""
    halt = halt or Halt()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with halt.heeded_by(connect(journal, read_only=True)) as source:
            source.execute("VACUUM INTO ?", (str(part),))
        _sync(part)
        validate(part, halt)
        part.replace(target)
        _sync(target.parent)
    except sqlite3.Error as fault:
        raise faults.ours(fault) from fault
    finally:
        part.unlink(missing_ok=True)


def quick_check(journal: Path, halt: Halt) -> str:
    """What SQLite's own quick look at the whole file finds first; "ok": nothing."""
    try:
        with halt.heeded_by(connect(journal, read_only=True)) as db:
            return str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as fault:
        raise faults.ours(fault) from fault


def validate(file: Path, halt: Halt | None = None) -> None:
    """A sound journal of an edition that we know, or an error that says what it is."""
    if not file.is_file():
        raise NeedsOperator(
            f"there is no backup {file}; nothing was changed",
            code="backup.missing",
            remedy="name one of the files in state/backups",
        )
    try:
        whole = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        with (halt or Halt()).heeded_by(whole) as connection:
            [is_ours] = connection.execute("PRAGMA application_id").fetchone()
            pending(connection, editions())
            verdict = [r[0] for r in connection.execute("PRAGMA integrity_check")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as fault:
        raise _unsound(file, str(fault)) from fault
    if is_ours != APPLICATION_ID:
        raise _unsound(file, "it is no journal of mediad")
    if verdict != ["ok"] or broken:
        raise _unsound(file, str(verdict[0] if verdict != ["ok"] else broken))


def _unsound(file: Path, why: str) -> NeedsOperator:
    return NeedsOperator(
        f"{file.name} is no sound journal ({why}); the one in use is as it was",
        code="backup.unsound",
        remedy="take another of the files in state/backups",
    )


def restore(file: Path, target: Path, clock: Clock) -> Path | None:
    """
    Put a backup in the place of a journal that nobody has open. Returns where the replaced one is kept.

    What was true then and may not be so by now is forgotten. The new file is whole and on the disk before the old name
    changes hands; the write-ahead log of the old one goes with it, for beside the new one it would be read as its own.
    """
    validate(file)
    part = target.with_name(f".{target.name}.restore")
    part.unlink(missing_ok=True)
    kept = _free(target.with_name(f"{target.name}.replaced-{_stamp(clock.now())}"))
    try:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            source.execute("VACUUM INTO ?", (str(part),))
        finally:
            source.close()
        _forget_what_is_stale(part)
        _sync(part)
        replaced = _set_aside(target, kept)
        part.replace(target)
        _sync(target.parent)
    except sqlite3.Error as fault:
        raise faults.ours(fault) from fault
    finally:
        part.unlink(missing_ok=True)
    return kept if replaced else None


def _forget_what_is_stale(part: Path) -> None:
    """
    A backup knows nothing of what a person has done in iCloud since: brought back, say, what was deleted there.

    So nothing is deleted before they have run the self-test once more, and a photo's days in the album begin anew.
    """
    journal = sqlite3.connect(part, isolation_level=None)
    try:
        known = {name for (name,) in journal.execute("SELECT name FROM sqlite_schema")}
        if "meta" in known:
            journal.execute("DELETE FROM meta WHERE key = 'selftest'")
        if "cloud_asset" in known:
            journal.execute("UPDATE cloud_asset SET marked_at = NULL WHERE marked_at IS NOT NULL")
    finally:
        journal.close()


def _set_aside(target: Path, kept: Path) -> bool:
    if not target.exists():
        return False
    os.link(target, kept)  # a second name first: at no moment is there no journal
    for tail in ("-wal", "-shm"):
        beside = target.with_name(target.name + tail)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + tail))
    return True


def _free(path: Path) -> Path:
    names = (path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 1000)))
    return next(p for p in names if not p.exists())


def heads(folder: Path, journal: Path) -> dict[str, tuple[int, bytes]]:
    """
    The last row and seal of each backup of ours, by its name: whatever was once written must be there still.

    Only of those made since a person last put a backup in the journal's place: that history is a shorter one by
    order. What cannot be read proves nothing here.
    """
    replaced = max((p.name for p in journal.parent.glob(f"{journal.name}.replaced-*")), default="")
    stamp = replaced.partition(".replaced-")[2][:16]
    found: dict[str, tuple[int, bytes]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _OURS.fullmatch(file.name) and (not stamp or file.name > f"journal-{stamp}.db"):
            with suppress(sqlite3.Error):
                found[file.name] = _head(file)
    return found


def _head(file: Path) -> tuple[int, bytes]:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        row = connection.execute(
            "SELECT seq, chain FROM history ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return (row[0], row[1]) if row else (0, bytes(32))
    finally:
        connection.close()


def rotate(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep` of the backups that carry our dated names. Returns the removed.

    What a kill left half made goes too; one that is being made now is newer than every whole one.
    """
    ours = sorted(p for p in folder.iterdir() if _OURS.fullmatch(p.name))
    old = ours[: max(0, len(ours) - max(1, keep))]
    newest = f".{ours[-1].name}.part" if ours else ""
    old += sorted(p for p in folder.iterdir() if _PART.fullmatch(p.name) and p.name < newest)
    for path in old:
        path.unlink()
    return old


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
