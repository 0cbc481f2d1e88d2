"""Guards that a file is taken only when it is complete, whatever its times and the clock say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.policy.settle import PATIENCE, PATIENCE_BOUND_S, NotYet, Settled, is_settled
from mediad.ports import Sighting

NOW = 1_700_000_000_000
S = 1_000


def seen(changed_ago: float, *, size: int = 9, since: int = 0) -> Sighting:
    at_ns = int((NOW - changed_ago * S) * 1_000_000)
    return Sighting(size, at_ns, at_ns, inode=1, unchanged_since=since)


@pytest.mark.parametrize(("ago", "settled"), [(0, False), (4.9, False), (5, True), (1e6, True)])
def test_what_has_not_changed_for_long_enough_is_settled(ago: float, settled: bool) -> None:  # noqa: FBT001 - a table
    assert isinstance(is_settled(seen(ago), NOW, 5), Settled if settled else NotYet)


def test_the_later_of_both_times_counts() -> None:
    """`cp -p` and rsync give a new file an old mtime; only the ctime tells."""
    copied = replace(seen(1), mtime_ns=1)
    assert is_settled(copied, NOW, 5) == NotYet(NOW + 4 * S, "it changed a moment ago")


def test_a_file_that_is_open_for_writing_waits_however_old_it_looks() -> None:
    busy = replace(seen(1e6, since=1), is_open_for_writing=True)
    assert is_settled(busy, NOW, 5) == NotYet(NOW + 5 * S, "it is still being written")


@pytest.mark.parametrize("since", [0, NOW + 1])
def test_times_in_the_future_are_not_believed(since: int) -> None:
    verdict = is_settled(seen(-1e6, since=since), NOW, 5)
    assert isinstance(verdict, NotYet)
    assert verdict.until == NOW + 5 * S


def test_with_times_in_the_future_what_we_saw_ourselves_counts() -> None:
    assert isinstance(is_settled(seen(-1e6, since=NOW - 5 * S), NOW, 5), Settled)
    waits = is_settled(seen(-1e6, since=NOW - 2 * S), NOW, 5)
    assert isinstance(waits, NotYet)
    assert waits.until == NOW + 3 * S


def test_an_empty_file_waits_longer_but_not_for_ever() -> None:
    assert is_settled(seen(5, size=0), NOW, 5) == NotYet(NOW + 20 * S, "it changed a moment ago")
    assert isinstance(is_settled(seen(5 * PATIENCE, size=0), NOW, 5), Settled)
    assert isinstance(is_settled(seen(PATIENCE_BOUND_S, size=0), NOW, 30), Settled)
    assert isinstance(is_settled(seen(PATIENCE_BOUND_S, size=0), NOW, 90), NotYet)


def test_a_file_cut_short_waits_longer_too() -> None:
    assert isinstance(is_settled(seen(5), NOW, 5, looks_unfinished=True), NotYet)
    assert isinstance(is_settled(seen(25), NOW, 5, looks_unfinished=True), Settled)


@given(
    st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(0, 10**6),
    st.floats(0, 3600), st.integers(0, 2 * NOW),
)  # fmt: skip
def test_whatever_waits_waits_for_a_moment_to_come(
    mtime: int, ctime: int, size: int, seconds: float, since: int
) -> None:
    sighting = Sighting(size, mtime * 10**6, ctime * 10**6, inode=1, unchanged_since=since)
    verdict = is_settled(sighting, NOW, seconds)
    assert isinstance(verdict, Settled) or verdict.until > NOW or seconds < 0.001
