"""The law, read as tables: every reachable position of every workflow."""

from itertools import chain

import pytest

from mediad.errors import Bug
from mediad.state import (
    BACKWARD,
    FIRST,
    STAGE_ORDER,
    TRANSITIONS,
    WHEN_OFF,
    WORKFLOWS,
    Lane,
    Position,
    State,
    Transition,
    Workflow,
    advance,
    is_final,
    is_open,
    may_be_marked,
    may_rejoin,
    passing,
    stage_of,
)

S = State
OFF_ABLE = frozenset(stage for _, stage in WHEN_OFF)
FLOWS = list(WORKFLOWS.values())


def named(workflow: Workflow) -> str:
    return workflow.name


def steps_from(position: Position, workflow: Workflow) -> list[Transition]:
    return [
        t
        for t in TRANSITIONS
        if t.at in position
        and is_open(position, t.stage, workflow)
        and (t.stage != "join" or may_rejoin(position))
    ]


def walks(workflow: Workflow, *, backward: bool = False) -> set[Position]:
    """Every position that any order of lawful transitions can reach."""
    seen: set[Position] = set()
    todo: list[Position] = [frozenset({s}) for s in FIRST]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += [
                advance(here, t, workflow)
                for t in steps_from(here, workflow)
                if backward or t.stage not in BACKWARD
            ]
    return seen


@pytest.mark.parametrize("step", TRANSITIONS, ids=lambda t: f"{t.at}-{t.stage}-{t.then}")
def test_a_transition_stays_in_its_lane(step: Transition) -> None:
    assert step.at.lane is step.then.lane


def test_every_stage_has_its_place_in_the_order() -> None:
    assert {t.stage for t in TRANSITIONS} - BACKWARD == set(STAGE_ORDER)


def test_a_switched_off_stage_makes_a_lawful_transition() -> None:
    for (at, stage), then in WHEN_OFF.items():
        assert Transition(at, stage, then) in TRANSITIONS


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_every_state_can_be_reached(workflow: Workflow) -> None:
    there = set(chain.from_iterable(walks(workflow)))
    assert there == set(State) - {S.RETURNING}, "only a person's undo leads there"
    assert S.RETURNING in set(chain.from_iterable(walks(workflow, backward=True)))


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_one_state_a_lane_whatever_the_order(workflow: Workflow) -> None:
    for position in walks(workflow, backward=True):
        assert len({s.lane for s in position}) == len(position)


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_every_walk_can_end(workflow: Workflow) -> None:
    for position in walks(workflow):
        forward = [t for t in steps_from(position, workflow) if t.stage not in BACKWARD]
        assert forward or all(is_final(s) for s in position)


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_nothing_is_marked_or_cleaned_that_is_not_archived_and_on_the_phone(
    workflow: Workflow,
) -> None:
    """Where the archive or the phone is off, their lanes say so by evidence; the law still wants the states."""
    on_phone = {S.ON_PHONE, S.RELEASED}
    for position in walks(workflow):
        if position & {S.MARKED, S.DELETED, S.CLEANABLE, S.CLEANED} and S.DUPLICATE not in position:
            assert S.ARCHIVED in position
            assert position & on_phone
            assert S.SORTED in position


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_a_duplicate_opens_nothing_but_its_place_in_icloud_and_its_own_cleaning(
    workflow: Workflow,
) -> None:
    ends = [p for p in walks(workflow) if S.DUPLICATE in p]
    for position in ends:
        assert {s.lane for s in position} == {Lane.INTAKE, Lane.CLOUD, Lane.SPOOL}
    assert frozenset({S.DUPLICATE, S.DELETED, S.CLEANED}) in ends, "no gate keeps it for ever"


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_an_asset_may_be_marked_only_once_it_is_safe_at_home(workflow: Workflow) -> None:
    seen = set()
    for position in walks(workflow):
        may = may_be_marked(position, workflow)
        seen.add(may)
        if may and S.DUPLICATE not in position:
            assert S.ARCHIVED in position
            assert position & {S.ON_PHONE, S.RELEASED}
            assert S.SORTED in position
    assert seen == {True, False}


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
def test_switching_everything_off_leads_to_a_lawful_end(workflow: Workflow) -> None:
    position = advance(frozenset({S.SETTLED}), Transition(S.SETTLED, "hash", S.HASHED), workflow)
    for step in passing(position, OFF_ABLE, workflow):
        position = advance(position, step, workflow)
    assert all(is_final(s) for s in position)
    assert {s.lane for s in position} == set(Lane)


@pytest.mark.parametrize("workflow", FLOWS, ids=named)
@pytest.mark.parametrize("seed", range(64))
def test_any_set_of_switches_ends_lawfully_and_says_what_it_skipped(
    workflow: Workflow, seed: int
) -> None:
    switches = sorted(OFF_ABLE)
    off = frozenset(s for i, s in enumerate(switches) if (seed * 2654435761) >> i & 1)
    position = frozenset({S.SEEN})
    skipped: list[str] = []
    while True:
        for passed in passing(position, off, workflow):
            skipped.append(passed.stage)
            position = advance(position, passed, workflow)
        forward = [
            t
            for t in steps_from(position, workflow)
            if t.stage not in BACKWARD and t.then not in {S.QUARANTINED, S.DUPLICATE, S.SEEN}
        ]
        if not forward:
            break
        position = advance(position, forward[seed % len(forward)], workflow)
    assert all(is_final(s) for s in position)
    assert set(skipped) == off


def test_a_late_half_takes_the_asset_back_to_the_start() -> None:
    vault = WORKFLOWS["vault"]
    here = frozenset({S.HASHED, S.PHONE_DUE, S.ARCHIVED, S.SORTED})
    assert advance(here, Transition(S.HASHED, "join", S.SEEN), vault) == {S.SEEN}


def test_nothing_joins_an_asset_that_was_already_cleaned() -> None:
    here = frozenset({S.HASHED, S.RELEASED, S.ARCHIVED, S.SORTED, S.DELETED, S.CLEANED})
    with pytest.raises(Bug):
        advance(here, Transition(S.HASHED, "join", S.SEEN), WORKFLOWS["vault"])


def test_nothing_joins_an_asset_whose_working_copy_is_only_on_its_way_back() -> None:
    assert not may_rejoin(frozenset({S.HASHED, S.ARCHIVED, S.RETURNING}))
    assert may_rejoin(frozenset({S.HASHED, S.ARCHIVED, S.CLEANABLE}))


def test_every_skip_can_be_taken_back() -> None:
    for (at, _), then in WHEN_OFF.items():
        assert Transition(then, "undo", at) in TRANSITIONS


def test_an_unlawful_step_is_a_bug_and_not_a_result() -> None:
    with pytest.raises(Bug, match="unlawful"):
        advance(frozenset({S.SEEN}), Transition(S.SEEN, "delete", S.DELETED), WORKFLOWS["vault"])


def test_the_next_stage_of_a_state_is_its_forward_one() -> None:
    assert stage_of(S.SETTLED) == "hash"
    assert stage_of(S.HASHED) is None
    assert stage_of(S.ARCHIVED) is None
    assert stage_of(S.KEPT) == "sort"
