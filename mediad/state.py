"""
The law: which lanes an asset has, and how it may pass along them.

Rule 1: whether a transition is lawful is decided here and nowhere else.
Rule 2: no clock, no disk, no network, no database. Tables and a little arithmetic.

Read TRANSITIONS for one lane at a time; read a workflow's JOINS for the places where lanes wait for each other.
docs/states.md and the journal's table of the lawful are both made from these tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from mediad.errors import Bug


class Lane(StrEnum):
    INTAKE = "intake"  # from first sight to settled, hashed, unique originals
    PHONE = "phone"  # through the Syncthing folder to the Pixel
    ARCHIVE = "archive"  # to the NAS, read back
    LIBRARY = "library"  # compressed, sorted under its date
    CLOUD = "cloud"  # giving iCloud its space back
    SPOOL = "spool"  # giving our own working disk its space back


class State(StrEnum):
    LISTED = "intake.listed"
    DOWNLOADED = "intake.downloaded"
    SEEN = "intake.seen"
    SETTLED = "intake.settled"
    HASHED = "intake.hashed"
    DUPLICATE = "intake.duplicate"
    QUARANTINED = "intake.quarantined"

    PHONE_DUE = "phone.due"
    BATCHED = "phone.batched"
    PLACED = "phone.placed"
    ON_PHONE = "phone.verified"
    RELEASED = "phone.released"

    ARCHIVE_DUE = "archive.due"
    ARCHIVED = "archive.verified"

    LIBRARY_DUE = "library.due"
    COMPRESSED = "library.compressed"
    KEPT = "library.kept"
    SORTED = "library.sorted"

    CLOUD_DUE = "cloud.due"
    UPLOADED = "cloud.uploaded"
    MARKED = "cloud.marked"
    DELETED = "cloud.deleted"

    CLEANABLE = "spool.cleanable"
    CLEANED = "spool.cleaned"
    RETURNING = "spool.returning"

    @property
    def lane(self) -> Lane:
        return _LANE[self]


S = State
_LANE: Final = {s: Lane(s.value.partition(".")[0]) for s in State}


class Transition(NamedTuple):
    at: State
    stage: str
    then: State


class Join(NamedTuple):
    """When the asset stands in one state of each set, these lanes open."""

    when: tuple[frozenset[State], ...]
    opens: tuple[State, ...]


class Gate(NamedTuple):
    """A stage that may not run before the asset stands in one state of each set."""

    stage: str
    when: tuple[frozenset[State], ...]


@dataclass(frozen=True, slots=True)
class Workflow:
    name: str
    joins: tuple[Join, ...]
    gates: tuple[Gate, ...] = ()
    off: frozenset[str] = frozenset()  # stages that this way of working leaves out


_ONWARD: Final = (
    Transition(S.LISTED, "download", S.DOWNLOADED),
    Transition(S.DOWNLOADED, "hash", S.HASHED),
    Transition(S.DOWNLOADED, "hash", S.DUPLICATE),
    Transition(S.DOWNLOADED, "hash", S.QUARANTINED),
    Transition(S.DOWNLOADED, "hash", S.LISTED),  # it vanished again before it was taken
    Transition(S.SEEN, "settle", S.SETTLED),
    Transition(S.SEEN, "settle", S.QUARANTINED),
    Transition(S.SETTLED, "hash", S.HASHED),
    Transition(S.SETTLED, "hash", S.DUPLICATE),
    Transition(S.SETTLED, "hash", S.QUARANTINED),
    Transition(S.SETTLED, "hash", S.SEEN),  # it changed again before it was taken
    Transition(S.SETTLED, "join", S.SEEN),
    Transition(S.HASHED, "join", S.SEEN),  # a late half arrived: the asset goes in again, whole
    Transition(S.PHONE_DUE, "batch", S.BATCHED),
    Transition(S.BATCHED, "place", S.PLACED),
    Transition(S.PLACED, "verify", S.ON_PHONE),
    Transition(S.ON_PHONE, "release", S.RELEASED),
    Transition(S.ARCHIVE_DUE, "archive", S.ARCHIVED),
    Transition(S.ARCHIVED, "scrub", S.ARCHIVE_DUE),  # a later look found other bytes, or none
    Transition(S.SORTED, "scrub", S.LIBRARY_DUE),  # likewise, of what people browse: it has rotted
    Transition(S.LIBRARY_DUE, "compress", S.COMPRESSED),
    Transition(S.LIBRARY_DUE, "compress", S.KEPT),
    Transition(S.COMPRESSED, "sort", S.SORTED),
    Transition(S.KEPT, "sort", S.SORTED),
    Transition(S.CLOUD_DUE, "upload", S.UPLOADED),
    Transition(S.UPLOADED, "mark", S.MARKED),
    Transition(S.MARKED, "delete", S.DELETED),
    Transition(
        S.DELETED, "reopen", S.CLOUD_DUE
    ),  # it had only passed: deleting was off then, and is on now
    Transition(S.CLEANABLE, "clean", S.CLEANED),
    # by order of a person: what lies in the library gets another date, or another place
    Transition(S.SORTED, "rearrange", S.COMPRESSED),
    Transition(S.SORTED, "rearrange", S.KEPT),
    Transition(S.CLEANED, "undo", S.RETURNING),
    Transition(S.RETURNING, "restore", S.CLEANABLE),
)

# The stages a person may switch off, and where the lane goes then: on, with the evidence "off by configuration".
WHEN_OFF: Final = {
    (S.PHONE_DUE, "batch"): S.BATCHED,
    (S.BATCHED, "place"): S.PLACED,
    (S.PLACED, "verify"): S.ON_PHONE,
    (S.ON_PHONE, "release"): S.RELEASED,
    (S.ARCHIVE_DUE, "archive"): S.ARCHIVED,
    (S.LIBRARY_DUE, "compress"): S.KEPT,
    (S.COMPRESSED, "sort"): S.SORTED,
    (S.KEPT, "sort"): S.SORTED,
    (S.CLOUD_DUE, "upload"): S.UPLOADED,
    (S.UPLOADED, "mark"): S.MARKED,
    (S.MARKED, "delete"): S.DELETED,
    (S.CLEANABLE, "clean"): S.CLEANED,
}

# A stage that a person has skipped may be put back, as long as the lane still stands where the skip has left it.
TRANSITIONS: Final = (
    *_ONWARD,
    *(Transition(then, "undo", at) for (at, _), then in WHEN_OFF.items()),
)

STAGE_ORDER: Final = (
    "download", "settle", "hash", "batch", "place", "verify", "release", "archive",
    "compress", "sort", "upload", "mark", "delete", "clean", "restore",
)  # fmt: skip

FIRST: Final = frozenset({S.LISTED, S.SEEN})

_HASHED = frozenset({S.HASHED})
_PHONE = frozenset({S.ON_PHONE, S.RELEASED})
_ARCHIVE = frozenset({S.ARCHIVED})
_SHRUNK = frozenset({S.COMPRESSED, S.KEPT, S.SORTED})
_SORTED = frozenset({S.SORTED})
_UPLOADED = frozenset({S.UPLOADED, S.MARKED, S.DELETED})
_DELETED = frozenset({S.DELETED})
_TWIN = frozenset({S.DUPLICATE})
# Its keeper goes through the other lanes for it; iCloud may have it as a photo of its own.
DUPLICATE: Final = Join((_TWIN,), (S.CLOUD_DUE, S.CLEANABLE))

WORKFLOWS: Final = {
    w.name: w
    for w in (
        Workflow(
            "vault",
            (
                Join((_HASHED,), (S.PHONE_DUE, S.ARCHIVE_DUE, S.LIBRARY_DUE)),
                Join((_PHONE, _ARCHIVE, _SORTED), (S.CLOUD_DUE, S.CLEANABLE)),
                DUPLICATE,
            ),
        ),
        Workflow(
            "relay",
            (
                Join((_HASHED,), (S.PHONE_DUE,)),
                Join((_PHONE,), (S.ARCHIVE_DUE,)),
                Join((_PHONE, _ARCHIVE), (S.LIBRARY_DUE,)),
                Join((_PHONE, _ARCHIVE, _SORTED), (S.CLOUD_DUE,)),
                Join((_PHONE, _ARCHIVE, _SORTED, _DELETED), (S.CLEANABLE,)),
                DUPLICATE,
            ),
        ),
        Workflow(
            "backup",
            (
                Join((_HASHED,), (S.PHONE_DUE, S.ARCHIVE_DUE)),
                Join((_PHONE, _ARCHIVE), (S.LIBRARY_DUE,)),
                Join((_PHONE, _ARCHIVE, _SORTED), (S.CLOUD_DUE,)),
                Join((_PHONE, _ARCHIVE, _SORTED, _DELETED), (S.CLEANABLE,)),
                DUPLICATE,
            ),
        ),
        Workflow(
            "bridge",
            (
                Join((_HASHED,), (S.LIBRARY_DUE, S.ARCHIVE_DUE)),
                Join((_SHRUNK, _ARCHIVE), (S.PHONE_DUE, S.CLOUD_DUE)),
                Join((_PHONE, _ARCHIVE, _SORTED, _UPLOADED), (S.CLEANABLE,)),
                DUPLICATE,
            ),
            gates=(
                Gate("sort", (_PHONE, _UPLOADED)),
                Gate("mark", (_PHONE | _TWIN, _ARCHIVE | _TWIN, _SORTED | _TWIN)),
            ),
        ),
        Workflow(
            "sorter",
            (
                Join((_HASHED,), (S.PHONE_DUE, S.ARCHIVE_DUE)),
                Join((_PHONE,), (S.LIBRARY_DUE,)),
                Join((_PHONE, _ARCHIVE, _SORTED), (S.CLOUD_DUE, S.CLEANABLE)),
                DUPLICATE,
            ),
            off=frozenset({"archive", "compress", "upload", "mark", "delete"}),
        ),
    )
}

Position: TypeAlias = frozenset[State]  # at most one state a lane

_LAWFUL: Final = frozenset(TRANSITIONS)
_NEXT: Final = {s: tuple(t for t in TRANSITIONS if t.at is s) for s in State}
# Sent back by a person or a re-check, not by the lane's own progress: does not keep a state from being final.
#   join       a late half arrived: the whole goes in again
#   scrub      a later look found other bytes, or none
#   reopen     it had only passed, because deleting was off
#   rearrange  a person gave it another date or another place: the library's file moves there
#   undo       a person takes back what was done; nothing is believed to be back before it was seen
BACKWARD: Final = frozenset({"join", "scrub", "reopen", "rearrange", "undo"})
# What was taken back stays so: the stage that would do it again waits until a person says so.
HELD_AFTER: Final = frozenset({"restore"})


def holds(when: tuple[frozenset[State], ...], position: Position) -> bool:
    return all(position & alternatives for alternatives in when)


def advance(position: Position, step: Transition, workflow: Workflow) -> Position:
    """Where an asset stands after a lawful transition, with every lane that it opened."""
    if step not in _LAWFUL or step.at not in position:
        raise Bug(f"unlawful transition {step} at {sorted(position)}")
    if step.stage == "join":
        if not may_rejoin(position):
            raise Bug(f"a half may not join at {sorted(position)}")
        return frozenset({step.then})
    moved = position - {step.at} | {step.then}
    while True:  # a lane that a join opens may itself complete another join
        lanes = {s.lane for s in moved}
        opened = {
            s
            for join in workflow.joins
            if holds(join.when, moved)
            for s in join.opens
            if s.lane not in lanes
        }
        if not opened:
            return moved
        moved = moved | opened


def passing(position: Position, off: frozenset[str], workflow: Workflow) -> Iterator[Transition]:
    """The transitions that switched-off stages make from here, in order, without anybody looking at anything."""
    while True:
        step = next(
            (
                Transition(s, stage, then)
                for (s, stage), then in WHEN_OFF.items()
                if s in position and stage in off and is_open(position, stage, workflow)
            ),
            None,
        )
        if step is None:
            return
        yield step
        position = advance(position, step, workflow)


def is_open(position: Position, stage: str, workflow: Workflow) -> bool:
    """May this stage run now, as far as the workflow's gates are concerned?"""
    return all(holds(g.when, position) for g in workflow.gates if g.stage == stage)


def may_be_marked(position: Position, workflow: Workflow) -> bool:
    """Has an asset that stands so come as far as it must before anything of it may leave iCloud?"""
    is_due = any(s.lane is Lane.CLOUD for s in position)
    return is_due and is_open(position, "mark", workflow)


def stage_of(state: State) -> str | None:
    """The stage that moves a lane on from here; None where the lane has ended."""
    return next((t.stage for t in _NEXT[state] if t.stage not in BACKWARD), None)


def is_final(state: State) -> bool:
    return stage_of(state) is None


def may_rejoin(position: Position) -> bool:
    """May a late half still join? Not once the working copy is cleaned away. What iCloud lost meanwhile is no bar."""
    return bool(position & {S.SEEN, S.SETTLED, S.HASHED}) and not position & {
        S.CLEANED,
        S.RETURNING,
    }
