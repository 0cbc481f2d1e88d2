"""
What can be taken back, told from the history: pure.

A deed is a row of the history that did something to files or lanes here at home: the working copies (or a duplicate)
removed, another date or place in the library, a stage skipped by hand. A row that takes one back names it, is a deed
itself, and can be taken back in its turn. What was taken back counts as not done, and again as done when the taking
back was.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from mediad.model import AssetId
from mediad.state import State

UNDOABLE: Final = frozenset({"clean", "rearrange", "undo", "witness"})
BY_HAND: Final = "skipped by hand"
OFF: Final = "off by configuration"


class What(StrEnum):
    CLEANED = "cleaned"  # working copies, or a duplicate, removed
    REARRANGED = "rearranged"  # another date, or another place in the library
    SKIPPED = "skipped"  # a stage passed by hand
    RETURNED = "returned"  # a cleaning that was taken back
    RESUMED = "resumed"  # a skip that was taken back
    RELEASED = "released"  # a cleaning that was taken back, and let go on


# What the other rows did, and why no undo of ours takes it back.
_ADDED: Final = "a copy was added, and nothing was taken away; an undo removes no copies"
NOT_COVERED: Final[Mapping[str, str]] = {
    "arrive": "it was seen for the first time",
    "download": "it was fetched from iCloud, where it still is",
    "settle": "it was only looked at",
    "hash": "it was taken in",
    "merge": "it was joined with its other half, and halves stay together",
    "join": "a late half has joined it, and halves stay together",
    "witness": "it was only noted",
    "archive": _ADDED,
    "compress": _ADDED,
    "sort": f"{_ADDED}; `mediactl dates apply` gives it another place in the library",
    "batch": "it was only planned",
    "place": "what is on its way to the phone cannot be called back",
    "verify": "it was only seen that the phone has it",
    "release": "it left the shared folder because the phone had it: put there again, it would be sent a second time",
    "upload": "what was uploaded can only be deleted by hand, in iCloud",
    "mark": "whoever takes it out of the album, in iCloud, keeps it there",
    "delete": "`mediactl icloud undelete` brings it back",
    "reopen": "deleting was switched on; switching it off takes that back",
    "scrub": "a copy was found not to be what it was, and is made anew",
    "restore": "it came back by an undo: take back that row instead",
    "clean": "nothing was removed by it",
}


class Row(Protocol):
    """A row of the history."""

    @property
    def seq(self) -> int: ...
    @property
    def asset(self) -> AssetId: ...
    @property
    def at(self) -> int: ...
    @property
    def stage(self) -> str: ...
    @property
    def from_state(self) -> State | None: ...
    @property
    def to_state(self) -> State | None: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...


class Deed(NamedTuple):
    row: Row
    what: What
    undoes: int | None  # the row that this one takes back
    run: int | None  # the order that it was a part of


def deeds(rows: Iterable[Row]) -> list[Deed]:
    """Every deed among the rows, in their order."""
    return [
        Deed(r, what, _figure(r, "undoes"), _figure(r, "run")) for r in rows if (what := _what(r))
    ]


def standing(done: Iterable[Deed]) -> list[Deed]:
    """Those that were not taken back, the newest first. `done`: the deeds of the asset, in order."""
    taken_back: set[int] = set()
    left = []
    for deed in sorted(done, key=lambda d: d.row.seq, reverse=True):
        if deed.row.seq in taken_back:
            continue
        if deed.undoes is not None:
            taken_back.add(deed.undoes)
        left.append(deed)
    return left


def to_undo(done: Iterable[Deed]) -> list[Deed]:
    """What `undo` would take back, the newest first: deeds that stand and take nothing back themselves."""
    return [d for d in standing(done) if d.undoes is None]


def why_not(row: Row) -> str:
    """For a person: why a row that is no deed has nothing that could be taken back."""
    if row.evidence.get("kind") == OFF:
        return f"{row.stage} is switched off, so nothing was done"
    return NOT_COVERED.get(row.stage, f"{row.stage} is not covered by undo")


def _what(row: Row) -> What | None:
    kind = row.evidence.get("kind")
    if row.stage == "rearrange":
        return What.REARRANGED
    if row.stage == "undo":
        return What.RETURNED if row.to_state is State.RETURNING else What.RESUMED
    if kind == BY_HAND:
        return What.SKIPPED
    if row.stage == "clean" and kind != OFF and row.evidence.get("gone"):
        return What.CLEANED
    if row.stage == "witness" and _figure(row, "undoes") is not None:
        return What.RELEASED
    return None


def _figure(row: Row, name: str) -> int | None:
    value = row.evidence.get("figures", {}).get(name)
    return value if isinstance(value, int) else None
