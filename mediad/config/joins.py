"""A person's own table of joins, read against the law. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from mediad.state import (
    BACKWARD,
    DUPLICATE,
    TRANSITIONS,
    Join,
    Lane,
    State,
    Workflow,
    advance,
    is_final,
    is_open,
    stage_of,
)

OPENINGS: Final = (
    State.PHONE_DUE,
    State.ARCHIVE_DUE,
    State.LIBRARY_DUE,
    State.CLOUD_DUE,
    State.CLEANABLE,
)


def own_workflow(preset: Workflow, table: Mapping[str, Sequence[str]]) -> Workflow:
    """The preset with other joins; ValueError names everything in the table that the law does not allow."""
    faults = [*_unknown(table)] or [*_unsafe(table)]
    if faults:
        raise ValueError("; ".join(faults))
    joins = [Join(tuple(_reached(w) for w in when), (State(lane),)) for lane, when in table.items()]
    opens = tuple(s for s in DUPLICATE.opens if s is not State.CLOUD_DUE or s in table)
    duplicate = Join(DUPLICATE.when, opens)
    law = Workflow(f"{preset.name}, own joins", (*joins, duplicate), preset.gates, preset.off)
    stuck = _stuck(law, {State(s).lane for s in table})
    if stuck:
        raise ValueError(
            f"{', '.join(sorted(stuck))} would never come to an end: their conditions (or the gates of "
            f"{preset.name}) wait for each other or for a lane that nothing opens"
        )
    return law


def _unknown(table: Mapping[str, Sequence[str]]) -> list[str]:
    faults = [
        f"{lane!r} opens no lane, write one of {', '.join(OPENINGS)}"
        for lane in table
        if lane not in set(OPENINGS)
    ]
    for lane, when in table.items():
        words = [alternative for w in when for alternative in _alternatives(w)]
        faults += [f"{w!r} is no state{_nearest(w)}" for w in words if w not in set(State)]
        if not when:
            faults.append(f"{lane} needs at least one state")
        faults += [
            f"{lane} cannot wait for its own lane ({w})"
            for w in words
            if w.partition(".")[0] == lane.partition(".")[0]
        ]
    return faults


def _unsafe(table: Mapping[str, Sequence[str]]) -> list[str]:
    """Nothing becomes deletable before the archive has it: not by a table either."""
    return [
        f'{lane} must wait for "archive.verified": originals are given away after it'
        for lane in (State.CLOUD_DUE, State.CLEANABLE)
        if lane in table and State.ARCHIVED.value not in [w.strip() for w in table[lane]]
    ]


def _alternatives(words: str) -> list[str]:
    return [w.strip() for w in words.split("|")]


def _reached(words: str) -> frozenset[State]:
    """These states and all that come after them in their lanes."""
    reached = {State(w) for w in _alternatives(words)}
    while True:
        after = {t.then for t in TRANSITIONS if t.at in reached and t.stage not in BACKWARD}
        if after <= reached:
            return frozenset(reached)
        reached |= after


def _stuck(law: Workflow, wanted: set[Lane]) -> set[Lane]:
    """Walk one sound asset as far as the law lets it; the lanes that did not open or did not end."""
    position = frozenset({State.HASHED})
    position = _opened(position, law)
    moved = True
    while moved:
        moved = False
        for at in sorted(position):
            stage = stage_of(at)
            if stage is not None and is_open(position, stage, law):
                step = next(t for t in TRANSITIONS if t.at is at and t.stage == stage)
                position, moved = advance(position, step, law), True
                break
    ended = {s.lane for s in position if is_final(s) or s is State.HASHED}
    return (wanted | {s.lane for s in position}) - ended


def _opened(position: frozenset[State], law: Workflow) -> frozenset[State]:
    """HASHED is where the walk begins, so its own joins are opened by the step that leads to it."""
    step = next(t for t in TRANSITIONS if t.at is State.SETTLED and t.then is State.HASHED)
    return advance(position - {State.HASHED} | {State.SETTLED}, step, law)


def _nearest(word: str) -> str:
    near = difflib.get_close_matches(word, list(State), 1, 0.5)
    return f", did you mean {near[0]!r}?" if near else ""
