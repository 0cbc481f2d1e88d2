"""Guards the search for a setting: it ends, in few tries, at the coarsest that is good enough."""

import pytest

from mediad.adapters.searching import Found, coarsest


@pytest.mark.parametrize("last_good", range(10, 24))
def test_the_coarsest_that_is_good_enough_is_found_in_few_tries(last_good: int) -> None:
    tried: list[int] = []

    def is_enough(setting: int) -> bool:
        tried.append(setting)
        return setting <= last_good

    assert coarsest(is_enough, 10, 23) == Found(last_good, is_done=True)
    assert len(tried) <= 4
    assert len(set(tried)) == len(tried)


def test_there_may_be_none() -> None:
    assert coarsest(lambda _: False, 1, 9) == Found(None, is_done=True)
    assert coarsest(lambda _: True, 9, 1) == Found(None, is_done=True)


def test_when_time_is_up_the_best_so_far_is_told() -> None:
    answers = iter([True, False, None])
    assert coarsest(lambda _: next(answers), 0, 100) == Found(50, is_done=False)
    assert coarsest(lambda _: None, 0, 100) == Found(None, is_done=False)
