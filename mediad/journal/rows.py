"""
The journal's own nouns, and the way between them and SQLite's rows.

Promises that a name comes back byte for byte as it went in: text that is no UTF-8 (surrogates) is kept as a BLOB.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from mediad.errors import MediadError
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Copy,
    Digest,
    Evidence,
    Kind,
    Original,
    OriginalId,
    Place,
    Placement,
    Remote,
    Rendition,
    Rung,
    Site,
    SiteKey,
    Witness,
)
from mediad.ports import Delta, Zone
from mediad.state import Lane, Position, State, Transition

Value: TypeAlias = str | bytes | int | float | None

OFF: Final = "off by configuration"  # the kinds of evidence that count as skipped, not as done
BY_HAND: Final = "skipped by hand"
SKIPPED: Final = frozenset({OFF, BY_HAND})


class Mark(StrEnum):
    """How a lane stands in its state."""

    READY = "ready"
    WAITING = "waiting"  # the stage said: not before a time
    RETRY = "retry"  # it went wrong; backing off
    FAILED = "failed"  # it went wrong too often
    HELD = "held"  # a person is asked
    GATED = "gated"  # the workflow wants other lanes to come first
    FINAL = "final"

    @property
    def runs(self) -> bool:
        return self in _RUNS


_RUNS: Final = frozenset({Mark.READY, Mark.WAITING, Mark.RETRY})


class Condition(StrEnum):
    """An asset in one word."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    HELD = "held"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    ABSORBED = "absorbed"  # it was a part of another asset, which has its originals now


@dataclass(frozen=True, slots=True)
class Arrival:
    source_key: SiteKey
    name: str
    size: int
    mtime_ns: int
    source: str = "folder"


@dataclass(frozen=True, slots=True)
class Step:
    asset_id: AssetId
    transition: Transition
    evidence: Evidence
    originals: int | None = None  # of how many it was seen; a half may have joined since


@dataclass(frozen=True, slots=True)
class Park:
    """A lane that did not move: why, and when to look again. `due` counts only for marks that run."""

    asset_id: AssetId
    lane: Lane
    mark: str
    due: int | None = None
    why: str = ""
    code: str = ""
    remedy: str = ""
    failed_attempt: bool = False
    state: State | None = None  # only if the lane still stands there; None: wherever it stands
    originals: int | None = None  # as in a step


@dataclass(frozen=True, slots=True)
class Work:
    asset: Asset
    position: Position
    state: State
    attempts: int


class Committed(NamedTuple):
    """One row of the history that is on the disk now: a transition, or (`is_witness`) only something seen."""

    seq: int
    asset: AssetId
    at: int
    stage: str
    from_state: State | None  # None: it has just arrived, or did not move
    to_state: State | None  # None: its originals went to another asset, or it did not move
    evidence: Evidence
    opened: Sequence[State] = ()  # states with work in them that were entered, gates that opened

    @property
    def is_witness(self) -> bool:
        return self.from_state is None and self.to_state is None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """As `Committed`, read back."""

    seq: int
    asset: AssetId
    at: int
    stage: str
    from_state: State | None
    to_state: State | None
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Standing:
    asset: AssetId
    lane: Lane
    state: State
    mark: Mark
    due: int | None = None
    attempts: int = 0
    why: str = ""
    code: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    asset: Asset
    condition: Condition
    absorbed_by: AssetId | None
    standing: tuple[Standing, ...]

    @property
    def position(self) -> Position:
        return frozenset(s.state for s in self.standing)


@dataclass(frozen=True, slots=True)
class Counts:
    """Kept by triggers: as cheap at a million assets as at ten."""

    standing: Mapping[tuple[State, Mark], int]
    done: Mapping[str, int]  # by stage: transitions that somebody earned
    skipped: Mapping[str, int]  # by stage: passed by configuration or by hand
    conditions: Mapping[Condition, int]
    original_bytes: int
    rendition_bytes: int
    saved_bytes: int

    @property
    def assets(self) -> int:
        return sum(n for c, n in self.conditions.items() if c is not Condition.ABSORBED)


@dataclass(frozen=True, slots=True)
class BatchMember:
    """One asset in a batch, and how its phone lane stands (its intake's, while a late half joins it)."""

    asset: AssetId
    name: str
    placements: tuple[Placement, ...]
    state: State
    mark: Mark
    why: str
    code: str
    remedy: str
    witnesses: tuple[Witness, ...]


@dataclass(frozen=True, slots=True)
class BatchRow:
    id: BatchId
    made_at: int
    members: tuple[BatchMember, ...]  # by asset


@dataclass(frozen=True, slots=True)
class Placed:
    asset: AssetId
    placement: Placement
    rungs: frozenset[Rung]  # witnessed since it was placed so (Google: ever)


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of a whole zone that is on its way."""

    at: int  # when it began
    token: str  # of its first page
    rank: int = 0  # where its next page begins
    hidden: bool = False  # in its second part: what is in the Hidden album


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """How far a library of iCloud has been read."""

    zone: Zone
    token: str | None  # None: to be listed anew
    listing: Listing | None
    listed_at: int | None


@dataclass(frozen=True, slots=True)
class CloudPage:
    """What one answer of iCloud brings, and how far it has been read with it: one transaction."""

    zone: Zone
    taken: tuple[tuple[Remote, str], ...]  # each with why it is not fetched; "": it is
    delta: Delta
    token: str | None = None  # None: as it was
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many assets of iCloud stand alike, in one month, of one kind."""

    month: str  # "2024-07", "" where nobody knows when it was taken
    kind: Kind
    is_archived: bool  # all its files as they are in iCloud now have a verified copy
    reason: "Reason"
    count: int


class CloudCounts(NamedTuple):
    """How many assets of iCloud there are, by what is to become of them; `wanted` to `gone` make up `listed`."""

    listed: int
    wanted: int  # let through by the filters: here, or on their way
    filtered: int
    unsupported: int  # nothing there that can be fetched and proved
    gone: int  # iCloud says that it is deleted there
    marked: int
    deleted: int  # by mediad
    recoverable: int  # of these, still in Recently Deleted


class Reason(NamedTuple):
    """What the journal knows of why an asset is not archived: policy/completeness.py has the words."""

    why: str = ""
    flaw: str = ""
    is_gone: bool = False
    state: str = ""  # of the lane that is furthest behind
    mark: str = ""
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    id: int
    started: int
    finished: int | None
    what: str
    counts: Mapping[str, object]
    config: str


@dataclass(frozen=True, slots=True)
class Intent:
    asset: AssetId
    stage: str
    at: int


@dataclass(frozen=True, slots=True)
class Audit:
    """`broken_at` is the first history row that is not as it was written; None: all of them are."""

    rows: int
    broken_at: int | None = None
    what: str = ""
    seal: bytes = bytes(32)  # of the last row that was followed
    is_end: bool = True


Outcome: TypeAlias = Position | MediadError


def _lists() -> defaultdict[int, list[Any]]:
    return defaultdict(list)


@dataclass(slots=True)
class Bundle:
    """The rows of several assets, before they are assets."""

    originals: dict[int, list[Original]] = field(default_factory=_lists)
    copies: dict[int, list[Copy]] = field(default_factory=_lists)
    renditions: dict[int, list[Rendition]] = field(default_factory=_lists)
    placements: dict[int, list[Placement]] = field(default_factory=_lists)
    witnesses: dict[int, list[Witness]] = field(default_factory=_lists)
    remotes: dict[int, Remote] = field(default_factory=dict)


def to_sql(text: str) -> str | bytes:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


def from_sql(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def blob(digest: Digest | None) -> bytes | None:
    return None if digest is None else bytes.fromhex(digest)


def digest(value: bytes | None) -> Digest | None:
    return None if value is None else Digest(value.hex())


def state(value: str) -> State | None:
    return State(value) if value else None


def copy_from(row: Sequence[object]) -> Copy:
    original, site, key, seen, verified_at, method = row
    return Copy(
        OriginalId(_int(original)),
        Place(Site(str(site)), SiteKey(from_sql(_text(key)))),
        Digest(_bytes(seen).hex()),
        _int(verified_at),
        str(method),
    )


_RUNGS: Final = {r.value: r for r in Rung}


def placement_from(row: Sequence[Any]) -> Placement:
    original, batch, key, seen, size, mtime_ns, version, blocks, film = row
    return Placement(
        OriginalId(original), BatchId(batch), SiteKey(from_sql(key)), Digest(seen.hex()), size,
        mtime_ns, version, blocks, film,
    )  # fmt: skip


def witness_from(row: Sequence[Any]) -> Witness:
    original, rung, at, how, detail = row
    return Witness(OriginalId(original), _RUNGS[rung], at, how, json.loads(detail))


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _text(value: object) -> str | bytes:
    if not isinstance(value, str | bytes):
        raise TypeError(value)
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(value)
    return value
