"""
SQLite's exceptions, each sorted by who can put it right, and what the journal itself says no to.

`ours` is the only way out for an exception of SQLite.
"""

import sqlite3
from typing import Final

from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.model import AssetId
from mediad.state import Transition

_SAFE = "nothing is lost: what was not recorded is looked at again"

# primary result code → (kind, code, what happened, what to do)
FAULTS: Final[dict[int, tuple[type[MediadError], str, str, str]]] = {
    sqlite3.SQLITE_FULL: (
        NeedsOperator, "space.full", f"the journal's disk is full; {_SAFE}",
        "free space on the disk that holds the state folder; work goes on by itself",
    ),
    sqlite3.SQLITE_BUSY: (
        Retryable, "journal.locked", f"another process holds the journal; {_SAFE}",
        "close any program that has journal.db open",
    ),
    sqlite3.SQLITE_LOCKED: (
        Retryable, "journal.locked", f"the journal is locked; {_SAFE}",
        "close any program that has journal.db open",
    ),
    sqlite3.SQLITE_IOERR: (
        Retryable, "journal.io", f"the disk did not take the journal's write or read; {_SAFE}",
        "look at the system log for disk errors; copy the newest backup to another disk",
    ),
    sqlite3.SQLITE_NOMEM: (
        Retryable, "journal.memory", f"no memory for the journal; {_SAFE}",
        "give the machine or the service more memory",
    ),
    sqlite3.SQLITE_CORRUPT: (
        NeedsOperator, "journal.corrupt",
        "the journal is damaged; your files are untouched, and nothing more is done to them",
        "restore the newest backup: mediactl restore state/backups/…",
    ),
    sqlite3.SQLITE_NOTADB: (
        NeedsOperator, "journal.corrupt",
        "journal.db is no SQLite database; your files are untouched, and it is left as it is",
        "restore the newest backup: mediactl restore state/backups/…",
    ),
    sqlite3.SQLITE_READONLY: (
        NeedsOperator, "journal.read_only", f"the journal cannot be written; {_SAFE}",
        "check the owner and the mode of the state folder, and that its disk is mounted read-write",
    ),
    sqlite3.SQLITE_PERM: (
        NeedsOperator, "journal.read_only", f"the journal cannot be written; {_SAFE}",
        "check the owner and the mode of the state folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        NeedsOperator, "journal.unreachable", "the journal cannot be opened; your files are untouched",
        "check that the state folder exists, and its owner and mode",
    ),
}  # fmt: skip

_PRIMARY = 0xFF  # the low byte of SQLite's extended codes


def ours(fault: sqlite3.Error) -> MediadError:
    """Everything that no table row explains is a mistake of the code: a Bug."""
    name = getattr(fault, "sqlite_errorname", "")
    if name == "SQLITE_CONSTRAINT_UNIQUE" and "asset_identity" in str(fault):
        return conflict()
    if name == "SQLITE_CONSTRAINT_UNIQUE" and "asset.identity" in str(fault):
        return conflict()
    if name == "SQLITE_CONSTRAINT_TRIGGER" and "a name is given once" in str(fault):
        return name_given()
    row = FAULTS.get(getattr(fault, "sqlite_errorcode", -1) & _PRIMARY)
    if row is None:
        return Bug(f"{name or type(fault).__name__}: {fault}", code="journal.bug")
    kind, code, what, remedy = row
    return kind(what, code=code, remedy=remedy, site="journal")


def conflict() -> Retryable:
    return Retryable(
        "another asset with the same bytes was recorded a moment before",
        code="journal.conflict",
        remedy="none needed: it is looked at again at once",
        after_s=0.0,
    )


def name_given() -> Retryable:
    return Retryable(
        "another file was given this name on the phone a moment before; nothing was placed",
        code="journal.name_given",
        remedy="none needed: it is looked at again at once, and gets a name of its own",
        after_s=0.0,
    )


def moved_on(asset: AssetId, step: Transition | None) -> Retryable:
    what = f"it no longer stands at {step.at.value}" if step else "it has left the intake"
    return _went_on(asset, what)


def joined(asset: AssetId) -> Retryable:
    """It may well stand where it stood: taken in once more, and on its way anew."""
    return _went_on(asset, "another half has joined it")


def _went_on(asset: AssetId, what: str) -> Retryable:
    return Retryable(
        f"asset {asset} went another way meanwhile: {what}; nothing was changed",
        code="journal.moved_on",
        remedy="none needed: it is looked at again",
        after_s=0.0,
    )


def too_late(asset: AssetId) -> Refused:
    return Refused(
        f"a late half belongs to asset {asset}, which has already been handed on or cleaned;"
        " both are kept as they are",
        code="journal.too_late",
        remedy="nothing is lost; treat the late half as an asset of its own: mediactl retry",
    )
