"""Guards the speed that people are told, and the time left that is reckoned from it."""

import pytest

from mediad.policy.rates import WINDOW_S, Rate


def rate(*lots: tuple[float, int, float]) -> Rate:
    made = Rate()
    for lot in lots:
        made.add(*lot)
    return made


def test_nothing_done_is_no_speed() -> None:
    assert Rate().per_minute(1000) == 0.0


def test_steady_work_is_told_as_it_is() -> None:
    lots = [(100.0 + n, 5, 1.0) for n in range(60)]
    assert rate(*lots).per_minute(160) == pytest.approx(300, rel=0.03)


def test_the_first_lot_counts_from_its_beginning() -> None:
    assert rate((110, 10, 10)).per_minute(110) == pytest.approx(60)


def test_lots_beside_each_other_are_not_reckoned_one_after_the_other() -> None:
    assert rate((110, 10, 10), (110, 10, 10)).per_minute(110) == pytest.approx(120)


def test_it_sinks_while_nothing_more_is_done_and_then_ends() -> None:
    made = rate((100, 10, 10))
    assert made.per_minute(100) > made.per_minute(130) > 0
    assert made.per_minute(100 + WINDOW_S + 1) == 0.0


def test_a_film_that_takes_longer_than_the_window_is_not_told_as_quicker_than_it_was() -> None:
    assert rate((1000, 1, 300)).per_minute(1000) == pytest.approx(0.2)


def test_between_two_long_films_the_speed_of_the_last_one_stands() -> None:
    made = rate((1000, 1, 300))
    assert made.per_minute(1200) == pytest.approx(60 / 500)
    assert made.per_minute(1301) == 0.0


def test_old_lots_behind_a_long_one_are_forgotten() -> None:
    made = rate((1000, 1, 300), (1001, 50, 1))
    assert made.per_minute(1100) == pytest.approx(60 / 400)


def test_a_lot_that_took_no_time_divides_by_nothing() -> None:
    assert rate((5, 1, 0)).per_minute(5) > 0
