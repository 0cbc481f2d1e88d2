"""
The journal's own nouns, and the way between them and SQLite's rows.

Promises that a name comes back byte for byte as it went in: text that is no UTF-8 (surrogates) is kept as a BLOB.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from mediad.errors import MediadError
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Copy,
    Digest,
    Evidence,
    Inspection,
    Media,
    Original,
    OriginalId,
    Place,
    Rendition,
    Site,
    SiteKey,
)
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


@dataclass(frozen=True, slots=True)
class Work:
    asset: Asset
    position: Position
    state: State
    attempts: int


class Committed(NamedTuple):
    """One transition that is on the disk now."""

    seq: int
    asset: AssetId
    at: int
    stage: str
    from_state: State | None  # None: it has just arrived
    to_state: State | None  # None: its originals went to another asset
    evidence: Evidence
    opened: Sequence[State] = ()  # states with work in them that were entered, gates that opened


@dataclass(frozen=True, slots=True)
class HistoryRow:
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


Outcome: TypeAlias = Position | MediadError


@dataclass(slots=True)
class Bundle:
    """The rows of several assets, before they are assets."""

    originals: dict[int, list[Original]] = field(default_factory=dict)
    copies: dict[int, list[Copy]] = field(default_factory=dict)
    renditions: dict[int, list[Rendition]] = field(default_factory=dict)


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


_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=str, check_circular=False
).encode


def shown(value: object) -> str:
    """JSON for people and programs: compact, and any foreign byte of a name as U+FFFD."""
    text = _ENCODE(value)
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _place(place: Place) -> dict[str, object]:
    return {"site": place.site, "key": place.key}


def _original(original: Original) -> dict[str, object]:
    said: dict[str, object] = {"id": original.id, "role": original.role, "name": original.name}
    if original.digest:
        said["blake3"] = original.digest
    if original.inspection:
        said["media"] = original.inspection.media
        if original.inspection.flaw:
            said["flaw"] = original.inspection.flaw
            said["flaw_detail"] = original.inspection.flaw_detail
    return said


def _copy(copy: Copy) -> dict[str, object]:
    return {
        "original": copy.original,
        **_place(copy.place),
        "blake3": copy.digest,
        "verified_at": copy.verified_at,
        "method": copy.method,
    }


def _rendition(rendition: Rendition) -> dict[str, object]:
    return {
        "original": rendition.original,
        "recipe": rendition.recipe,
        **_place(rendition.place),
        "blake3": rendition.digest,
        "size": rendition.size,
        "figures": dict(rendition.figures),
    }


def _captured(captured: Captured) -> dict[str, object]:
    return {
        "local": captured.local,
        "offset": captured.offset,
        "source": captured.source,
        "at": captured.at,
    }


def _same(fact: Any) -> Any:
    return fact


# what a piece of evidence may say beside its kind and time, and how it reads in JSON
_SAID: Final[tuple[tuple[str, Callable[[Any], object]], ...]] = (
    ("note", _same),
    ("code", _same),
    ("remedy", _same),
    ("copies", lambda rows: [_copy(c) for c in rows]),
    ("gone", lambda rows: [_place(p) for p in rows]),
    ("originals", lambda rows: [_original(o) for o in rows]),
    ("renditions", lambda rows: [_rendition(r) for r in rows]),
    ("figures", dict),
    ("kind_now", _same),
    ("captured", _captured),
    ("identity", _same),
)


def evidence_json(evidence: Evidence) -> str:
    """What was seen, without what was not: as it is kept in the history."""
    said: dict[str, object] = {"kind": evidence.kind, "at": evidence.at}
    for name, read in _SAID:
        if fact := getattr(evidence, name):
            said[name] = read(fact)
    if evidence.keeper is not None:
        said["keeper"] = evidence.keeper
    return shown(said)


_INSPECTED: Final = tuple(f.name for f in fields(Inspection))


def inspection_json(inspection: Inspection | None) -> str | None:
    if inspection is None:
        return None
    said = {n: v for n in _INSPECTED if (v := getattr(inspection, n)) or n == "media"}
    if inspection.captured:
        said["captured"] = _captured(inspection.captured)
    return json.dumps(said)


def inspection_from(text: str | None) -> Inspection | None:
    if text is None:
        return None
    said = json.loads(text)
    said["media"] = Media(said["media"]) if said["media"] else None
    if "captured" in said:
        said["captured"] = Captured(**said["captured"])
    return Inspection(**said)


def copy_from(row: Sequence[object]) -> Copy:
    original, site, key, seen, verified_at, method = row
    return Copy(
        OriginalId(_int(original)),
        Place(Site(str(site)), SiteKey(from_sql(_text(key)))),
        Digest(_bytes(seen).hex()),
        _int(verified_at),
        str(method),
    )


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
