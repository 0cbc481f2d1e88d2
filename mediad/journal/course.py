"""
Where a step leads: what an asset that stands so passes on the way, which lanes open, how it stands then.

Pure, and the same for every asset that stands alike: the writer charts a course once for the thousand files of a drop.
"""

from typing import Final, NamedTuple

from mediad.journal.rows import Condition, Mark
from mediad.state import (
    HELD_AFTER,
    Lane,
    Position,
    State,
    Transition,
    Workflow,
    advance,
    is_open,
    passing,
    stage_of,
)

Lanes = dict[Lane, tuple[State, Mark]]

REMADE: Final = {State.DUPLICATE: Condition.DUPLICATE, State.QUARANTINED: Condition.QUARANTINED}


class Course(NamedTuple):
    """All that follows from one step for an asset that stands so: charted once for the many that stand alike."""

    passed: tuple[Transition, ...]  # by switched-off stages
    via: tuple[Transition, ...]  # of these and the step, what is written on the way
    writes: tuple[tuple[State, Mark], ...]  # the lanes that stand otherwise now
    ended: tuple[Lane, ...]
    position: Position
    opened: tuple[State, ...]  # with work in them, new or newly open
    stands: Lanes
    turns: bool  # its condition may be another now
    starts: tuple[State, ...] = ()  # the lanes that the step itself opened, worked in or passed
    passed_starts: tuple[tuple[State, ...], ...] = ()  # likewise, of each that was passed


def chart(lanes: Lanes, step: Transition | None, off: frozenset[str], law: Workflow) -> Course:
    """From where the asset stands, by this step and past what is switched off, to where it comes to rest."""
    position = position_of(lanes)
    trail, starts = [], []
    if step:
        trail.append(step)
        before, position = position, advance(position, step, law)
        starts.append(_started(before, step, position))
    for passing_by in passing(position, off, law):
        trail.append(passing_by)
        before, position = position, advance(position, passing_by, law)
        starts.append(_started(before, passing_by, position))
    stands = {s.lane: (s, _mark(s, position, lanes.get(s.lane), law)) for s in position}
    if step and step.stage in HELD_AFTER and step.then in position:
        stands[step.then.lane] = step.then, Mark.HELD
    # The schema wants each step of a standing row to be lawful; a lane that opens now starts at its end.
    via = tuple(t for t in trail if t.at.lane in lanes and stands[t.at.lane][0] is not t.then)
    round_trips = {t.at.lane for t in via}  # one that was sent back may come to rest where it stood
    new = [at for lane, at in stands.items() if lanes.get(lane) != at or lane in round_trips]
    return Course(
        passed=tuple(trail[1:] if step else trail),
        via=via,
        writes=tuple(new),
        ended=tuple(lanes.keys() - stands.keys()),
        position=position,
        opened=tuple(s for s, mark in new if mark is Mark.READY),
        stands=stands,
        turns=not lanes or condition(lanes) is not condition(stands),
        starts=starts[0] if step else (),
        passed_starts=tuple(starts[1:] if step else starts),
    )


def _started(before: Position, step: Transition, after: Position) -> tuple[State, ...]:
    return tuple(sorted(after - before - {step.then}))


def _mark(state: State, position: Position, was: tuple[State, Mark] | None, law: Workflow) -> Mark:
    stage = stage_of(state)
    if stage is None:
        return Mark.FINAL
    mark = was[1] if was and was[0] is state else Mark.READY
    is_free = is_open(position, stage, law)
    if mark is Mark.GATED and is_free:
        return Mark.READY
    return Mark.GATED if mark.runs and not is_free else mark


def condition(lanes: Lanes) -> Condition:
    """The one word for an asset, from where its lanes stand."""
    intake = lanes.get(Lane.INTAKE)
    if intake and intake[0] in REMADE:
        return REMADE[intake[0]]
    marks = {mark for _, mark in lanes.values()}
    if Mark.FAILED in marks:
        return Condition.FAILED
    if Mark.HELD in marks:
        return Condition.HELD
    ended = not [s for s, m in lanes.values() if m is not Mark.FINAL and s is not State.CLEANABLE]
    return Condition.COMPLETED if ended and lanes.keys() != {Lane.INTAKE} else Condition.ACTIVE


def position_of(lanes: Lanes) -> Position:
    return frozenset([state for state, _ in lanes.values()])


ARRIVED: Final = Course(
    passed=(),
    via=(),
    writes=((State.SEEN, Mark.READY),),
    ended=(),
    position=frozenset({State.SEEN}),
    opened=(State.SEEN,),
    stands={Lane.INTAKE: (State.SEEN, Mark.READY)},
    turns=False,
)
LISTED: Final = ARRIVED._replace(
    writes=((State.LISTED, Mark.READY),),
    position=frozenset({State.LISTED}),
    opened=(State.LISTED,),
    stands={Lane.INTAKE: (State.LISTED, Mark.READY)},
)
