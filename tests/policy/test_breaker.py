"""Guards that a flood of lost copies trips the breaker, that a few never do, and that only a person resets it."""

import pytest

from mediad.model import AssetId
from mediad.policy.breaker import FEW, WINDOW_S, Breaker, Toll


def ids(number: int, first: int = 0) -> list[AssetId]:
    return [AssetId(n) for n in range(first, first + number)]


@pytest.mark.parametrize(
    ("lost", "sound", "trips"),
    [
        (0, 0, False), (FEW - 1, 0, False), (FEW, 0, True), (FEW, 89, True), (FEW, 90, False), (FEW, 10_000, False),
        (1_000, 8_999, True), (1_000, 9_000, False), (1_001, 9_000, True),
    ],
)  # fmt: skip
def test_it_takes_many_and_more_than_a_tenth(lost: int, sound: int, *, trips: bool) -> None:
    breaker = Breaker()
    assert breaker.count(0.0, sound, ids(lost)) == (Toll(lost, lost + sound) if trips else None)
    assert breaker.is_tripped is trips


@pytest.mark.parametrize(("later", "trips"), [(0.0, True), (WINDOW_S, True), (WINDOW_S + 1, False)])
def test_only_the_last_hour_counts(later: float, *, trips: bool) -> None:
    breaker = Breaker()
    breaker.count(100.0, 0, ids(FEW - 1))
    breaker.count(100.0 + later, 0, ids(1, first=FEW))
    assert breaker.is_tripped is trips


def test_sound_ones_of_long_ago_hide_no_loss_of_today() -> None:
    breaker = Breaker()
    breaker.count(0.0, 10_000, [])
    assert breaker.count(WINDOW_S + 1, 0, ids(FEW)) == Toll(FEW, FEW)


def test_one_that_is_asked_about_again_and_again_is_one() -> None:
    breaker = Breaker()
    for n in range(50):
        assert breaker.count(float(n), 0, ids(FEW - 1)) is None


def test_it_is_told_once_and_stays_until_somebody_has_looked() -> None:
    breaker = Breaker()
    assert not breaker.reset()
    assert breaker.count(0.0, 0, ids(FEW)) is not None
    assert breaker.count(1.0, 0, ids(FEW, first=100)) is None
    breaker.count(WINDOW_S * 9, 10_000, [])
    assert breaker.is_tripped
    assert breaker.reset()
    assert breaker.count(WINDOW_S * 9, 0, ids(FEW - 1)) is None, "it counts anew"


def test_after_a_reset_neither_the_lost_nor_the_sound_of_before_count() -> None:
    breaker = Breaker()
    breaker.count(0.0, 5, ids(FEW))
    assert breaker.reset()
    assert breaker.count(1.0, 0, ids(FEW - 1, first=100)) is None
    assert breaker.count(2.0, 0, ids(1, first=200)) == Toll(FEW, FEW)


def test_sound_ones_of_one_minute_add_up() -> None:
    breaker = Breaker()
    breaker.count(0.0, 50, [])
    breaker.count(30.0, 40, [])
    assert breaker.count(31.0, 0, ids(FEW)) is None


@pytest.mark.parametrize(
    ("later", "now", "trips"),
    [
        (30.0, WINDOW_S, False),  # to the second it is within the hour
        (30.0, WINDOW_S + 10, True),  # a minute is forgotten as one
        (60.0, WINDOW_S + 1, False),  # the next minute is another one
    ],
)
def test_sound_ones_are_forgotten_by_the_minute(later: float, now: float, *, trips: bool) -> None:
    breaker = Breaker()
    breaker.count(0.0, 1, [])
    breaker.count(later, 1000, [])
    assert (breaker.count(now, 0, ids(FEW)) is not None) is trips


def test_each_lost_one_is_forgotten_an_hour_after_it_was_seen() -> None:
    breaker = Breaker()
    breaker.count(0.0, 0, ids(FEW - 3))
    breaker.count(100.0, 0, ids(1, first=50))
    found = breaker.count(WINDOW_S + 100, 0, ids(FEW - 1, first=100))
    assert found == Toll(FEW, FEW), "the one of exactly an hour ago, and no older one"
