"""Guards how long a failed file waits: longer each time, never for ever, never all at once."""

import pytest

from mediad.policy.backoff import BASE_S, CAP_S, LIMIT, gives_up, retry_after


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 5), (1, 5), (2, 10), (3, 20), (8, 640), (10, 2560), (11, 3600), (10_000, 3600)],
)
def test_the_wait_doubles_up_to_an_hour(attempts: int, seconds: float) -> None:
    assert retry_after(attempts, 0.5) == seconds


@pytest.mark.parametrize("attempts", [1, 5, 50])
def test_chance_moves_it_by_a_quarter_at_most(attempts: int) -> None:
    middle = retry_after(attempts, 0.5)
    assert retry_after(attempts, 0.0) == middle * 0.75
    assert middle < retry_after(attempts, 0.999) < middle * 1.25


def test_base_and_cap_can_be_chosen() -> None:
    assert retry_after(3, 0.5, base_s=1, cap_s=3) == 3
    assert (BASE_S, CAP_S) == (5, 3600)


@pytest.mark.parametrize(
    ("attempts", "enough"), [(0, False), (LIMIT - 1, False), (LIMIT, True), (99, True)]
)
def test_after_enough_failures_a_person_is_asked(attempts: int, enough: bool) -> None:  # noqa: FBT001 - a table
    assert gives_up(attempts) is enough
    assert not gives_up(attempts, limit=100)
