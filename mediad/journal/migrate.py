"""
The journal's editions: numbered files, each applied together with its number in one transaction.

A journal newer than this program is refused, and so is a network file system; before an edition is changed, a
backup of the old one is made.
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from mediad.errors import NeedsOperator
from mediad.state import FIRST, TRANSITIONS, State

APPLICATION_ID: Final = 0x6D656469

# The journal's own: coming into being, going into another asset, something seen that moves nothing, and another
# date from a person for what is not in the library yet.
ARRIVE: Final = "arrive"
MERGE: Final = "merge"
WITNESS: Final = "witness"
REARRANGE: Final = "rearrange"
LEGAL: Final = frozenset(
    {(t.stage, t.at.value, t.then.value) for t in TRANSITIONS}
    | {(ARRIVE, "", s.value) for s in FIRST}
    | {(MERGE, s.value, "") for s in (State.SEEN, State.SETTLED, State.HASHED)}
    | {(WITNESS, "", ""), (REARRANGE, "", "")}
)


@dataclass(frozen=True, slots=True)
class Edition:
    number: int
    name: str
    sql: str


def editions() -> list[Edition]:
    folder = resources.files("mediad.journal") / "sql"
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    return [Edition(int(n[:4]), n, (folder / n).read_text("utf-8")) for n in names]


def version(connection: sqlite3.Connection) -> int:
    [number] = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def pending(connection: sqlite3.Connection, known: Sequence[Edition]) -> list[Edition]:
    """The editions still to apply; refuses a journal from the future."""
    now, newest = version(connection), known[-1].number
    if now > newest:
        raise NeedsOperator(
            f"the journal is of edition {now}, this mediad knows up to {newest}; it is left as it is",
            code="journal.newer",
            remedy="start the newer mediad again, or restore a backup made before the upgrade",
        )
    return [e for e in known if e.number > now]


def migrate(connection: sqlite3.Connection, todo: Sequence[Edition]) -> None:
    for edition in todo:
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{edition.sql}\nPRAGMA user_version = {edition.number};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def enact(connection: sqlite3.Connection) -> None:
    """Bring the table of the lawful to this program's law. What history leans on stays."""
    there = set(connection.execute("SELECT stage, at, next FROM legal"))
    if there == LEGAL:
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO legal VALUES (?, ?, ?)", sorted(LEGAL - there))
    connection.executemany(
        "DELETE FROM legal WHERE stage = ?1 AND at = ?2 AND next = ?3 AND NOT EXISTS (SELECT 1"
        " FROM history WHERE stage = ?1 AND from_state = ?2 AND to_state = ?3)",
        sorted(there - LEGAL),
    )
    connection.execute("COMMIT")


_NETWORK: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fuse", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs",
        "smb3", "smbfs",
    }
)  # fmt: skip
_LOCAL_FUSE: Final = frozenset({"fuse.fuse-overlayfs"})


_OCTAL: Final = re.compile(r"\\(\d{3})")  # how mountinfo writes a blank


def refuse_network(folder: Path, mounts: str) -> None:
    """SQLite's locks and shared memory cannot be trusted over a network. `mounts`: a mountinfo text."""
    kind = filesystem(folder, mounts)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE):
        raise NeedsOperator(
            f"the state folder {folder} is on a network file system ({kind}), where a journal breaks;"
            " nothing was written",
            code="journal.network_filesystem",
            remedy="set folders.state to a folder on a local disk",
        )


def filesystem(folder: Path, mounts: str) -> str:
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(_OCTAL.sub(lambda m: chr(int(m[1], 8)), before.split()[4]))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind
