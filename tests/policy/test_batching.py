"""Guards who goes to the phone together: whole shots, nobody passed over, and no batch that waits for ever."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.model import AssetId
from mediad.policy.batching import (
    LONG_STEP_MS,
    LONGEST_S,
    STEP_MS,
    Around,
    Plan,
    Queued,
    Rule,
    plan,
)

NOW = 4_102_444_800_123
MB = 1 << 20
BY_FIVE = Rule("files", 5, 0, wait_s=5.0)
ALL_AT_ONCE = replace(BY_FIVE, is_parallel=True)
QUIET = Around(NOW, arriving=0)


def queue(*files: int, size: int = MB, age_s: float = 60.0) -> list[Queued]:
    return [Queued(AssetId(n), f, size, NOW - round(age_s * 1000)) for n, f in enumerate(files, 1)]


def of_sizes(*megabytes: int) -> list[Queued]:
    return [Queued(AssetId(n), 1, m * MB, NOW - 60_000) for n, m in enumerate(megabytes, 1)]


def sizes(planned: Plan) -> list[int]:
    return [len(b) for b in planned.batches]


def test_twenty_three_by_five_are_four_full_ones_and_three() -> None:
    assert sizes(plan(queue(*[1] * 23), ALL_AT_ONCE, QUIET)) == [5, 5, 5, 5, 3]


def test_without_leave_for_more_there_is_one_batch_and_the_rest_stays() -> None:
    planned = plan(queue(*[1] * 23), BY_FIVE, Around(NOW, arriving=4))
    assert planned.batches == ((1, 2, 3, 4, 5),)
    assert planned.waiting == frozenset()
    assert (planned.nth(AssetId(5)), planned.nth(AssetId(6))) == (0, None)


def test_an_empty_queue_makes_no_batch() -> None:
    for rule in (BY_FIVE, ALL_AT_ONCE):
        assert plan([], rule, QUIET).batches == ()


@pytest.mark.parametrize(
    ("age_s", "arriving", "goes"),
    [
        (4.9, 0, False),
        (5.0, 0, True),
        (300.0, 1, False),  # what arrives may still join it
        (LONGEST_S, 1, True),
        (-1.0, 0, True),  # its time was written by a clock that was wrong
    ],
)
def test_a_batch_that_is_not_full_waits_for_what_arrives_but_not_for_ever(
    age_s: float, arriving: int, *, goes: bool
) -> None:
    planned = plan(queue(1, 1, age_s=age_s), BY_FIVE, Around(NOW, arriving))
    assert (planned.batches == ((1, 2),)) is goes
    assert (planned.waiting == {1, 2}) is not goes
    assert bool(planned.why) is not goes


def test_the_newest_decides_whether_more_may_come_and_the_oldest_how_long_that_counts() -> None:
    old, new = Queued(AssetId(1), 1, MB, NOW - 60_000), Queued(AssetId(2), 1, MB, NOW - 1_000)
    assert plan([old, new], BY_FIVE, QUIET).waiting == {1, 2}
    older = old._replace(at=NOW - 600_000)
    assert plan([older, new], BY_FIVE, QUIET).batches == ((1, 2),)


def test_a_full_batch_waits_for_nobody() -> None:
    planned = plan(queue(*[1] * 7, age_s=0), ALL_AT_ONCE, Around(NOW, arriving=9))
    assert planned.batches == ((1, 2, 3, 4, 5),)
    assert planned.waiting == {6, 7}
    assert "9 more are being taken in" in planned.why


def test_a_queue_that_goes_on_behind_the_page_fills_any_batch() -> None:
    assert sizes(plan(queue(1, 1, age_s=0), BY_FIVE, Around(NOW, 0, is_cut=True))) == [2]


def test_a_pair_is_never_torn_apart() -> None:
    planned = plan(queue(2, 2, 2, 1, 2), ALL_AT_ONCE, QUIET)
    assert planned.batches == ((1, 2, 4), (3, 5))


def test_a_shot_larger_than_a_batch_has_one_to_itself() -> None:
    rule = replace(ALL_AT_ONCE, files=1)
    assert plan(queue(2, 1, 2), rule, QUIET).batches == ((1,), (2,), (3,))


def test_bytes_are_packed_first_fit_in_the_order_of_the_queue() -> None:
    rule = Rule("bytes", 0, 10 * MB, 5.0, is_parallel=True)
    planned = plan(of_sizes(6, 7, 4, 25, 3, 2), rule, QUIET)
    assert planned.batches == ((1, 3), (2, 5), (4,), (6,))


def test_who_stands_first_is_in_the_first_batch_however_large() -> None:
    rule = Rule("bytes", 0, 10 * MB, 5.0)
    assert plan(of_sizes(25, 1, 1), rule, Around(NOW, arriving=3)).batches == ((1,),)


def test_all_who_wait_are_looked_at_in_the_same_moments() -> None:
    few = plan(queue(1, age_s=0), BY_FIVE, QUIET)
    many = plan(queue(*[1] * 60, age_s=0), replace(BY_FIVE, files=500), QUIET)
    assert NOW < few.until <= NOW + STEP_MS
    assert NOW < many.until <= NOW + LONG_STEP_MS
    assert few.until % STEP_MS == many.until % LONG_STEP_MS == 0
    assert LONG_STEP_MS % STEP_MS == 0


QUEUES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 30), st.integers(-5, 700)), max_size=40
)


def queued(rows: Sequence[tuple[int, int, int]]) -> list[Queued]:
    return [Queued(AssetId(n), f, m * MB, NOW - a * 1000) for n, (f, m, a) in enumerate(rows, 1)]


@given(
    rows=QUEUES,
    by=st.sampled_from(["files", "bytes"]),
    limit=st.integers(1, 7),
    arriving=st.integers(0, 2),
    is_parallel=st.booleans(),
)
def test_nobody_is_in_two_batches_and_no_batch_is_too_large(
    rows: list[tuple[int, int, int]], by: str, limit: int, arriving: int, *, is_parallel: bool
) -> None:
    line = queued(rows)
    rule = Rule(by, limit, limit * MB, 5.0, is_parallel)
    planned = plan(line, rule, Around(NOW, arriving))
    chosen = [a for b in planned.batches for a in b] + sorted(planned.waiting)
    assert len(chosen) == len(set(chosen))
    for batch in planned.batches:
        members = [q for q in line if q.asset in batch]
        files, size = sum(m.files for m in members), sum(m.size for m in members)
        assert len(batch) == 1 or (files <= limit if by == "files" else size <= limit * MB)
    if line:
        first = planned.batches[0] if planned.batches else planned.waiting
        assert line[0].asset in first
    if is_parallel:
        assert len(chosen) == len(line)
    else:
        assert len(planned.batches) <= 1
