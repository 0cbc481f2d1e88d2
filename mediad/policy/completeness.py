"""
How complete the archive is: what iCloud lists, what the journal has of it, what the archive proves, month by month.

Every asset that is missing has a reason in plain words; nothing is called complete because we meant to fetch it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mediad.model import Kind
from mediad.state import State

GONE: Final = "gone from iCloud before it was archived"


class Cause(Protocol):
    """What the journal knows of why an asset is not archived."""

    @property
    def why(self) -> str: ...
    @property
    def flaw(self) -> str: ...
    @property
    def is_gone(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def mark(self) -> str: ...
    @property
    def code(self) -> str: ...


class Told(Protocol):
    """How many assets stand alike: journal.Tally."""

    @property
    def month(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def is_archived(self) -> bool: ...
    @property
    def reason(self) -> Cause: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind in one month. `listed` = `archived` + all of `missing`."""

    month: str  # "2024-07"; "": nobody knows when it was taken
    kind: Kind
    listed: int
    journalled: int  # of these, fetched or to be fetched
    archived: int
    missing: Mapping[str, int]  # by reason, the most frequent first


def grid(tallies: Iterable[Told]) -> tuple[Cell, ...]:
    """By month, then kind. What left iCloud after it was archived is no part of what iCloud says."""
    told: dict[tuple[str, Kind], list[Told]] = {}
    for tally in tallies:
        if not (tally.is_archived and tally.reason.is_gone):
            told.setdefault((tally.month, tally.kind), []).append(tally)
    return tuple(_cell(month, kind, told[month, kind]) for month, kind in sorted(told))


def total(cells: Sequence[Cell]) -> Cell:
    """The last line of the table."""
    reasons: Counter[str] = Counter()
    for cell in cells:
        reasons.update(cell.missing)
    return Cell(
        "all",
        Kind.UNKNOWN,
        sum(c.listed for c in cells),
        sum(c.journalled for c in cells),
        sum(c.archived for c in cells),
        dict(reasons.most_common()),
    )


def reason(cause: Cause) -> str:
    """Why an asset is not archived: who left it out, what is wrong with it, or where it is on its way."""
    if cause.why:
        return cause.why
    if cause.is_gone and cause.state in {"", State.QUARANTINED}:
        return GONE
    if not cause.state:
        return cause.flaw or "not journalled yet"
    code = f" ({cause.code})" if cause.code else ""
    if cause.mark in {"failed", "held"}:
        return f"{cause.mark} at {cause.state}{code}"
    if cause.mark == "final":
        return cause.flaw or _ENDED.get(cause.state, "not to be found in the archive")
    return (_ON_ITS_WAY.get(cause.state) or f"on its way ({cause.state})") + code


_ENDED: Final[Mapping[str, str]] = {
    State.QUARANTINED: "in quarantine: no photo or film that mediad knows",
    State.DUPLICATE: "a duplicate of an asset that is not archived yet",
}
_ON_ITS_WAY: Final[Mapping[str, str]] = {State.LISTED: "waits to be fetched"}


def _cell(month: str, kind: Kind, told: Sequence[Told]) -> Cell:
    reasons: Counter[str] = Counter()
    for tally in told:
        if not tally.is_archived:
            reasons[reason(tally.reason)] += tally.count
    return Cell(
        month,
        kind,
        listed=sum(t.count for t in told),
        journalled=sum(t.count for t in told if not t.reason.why),
        archived=sum(t.count for t in told if t.is_archived),
        missing=dict(reasons.most_common()),
    )
