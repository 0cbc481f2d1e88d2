"""Guards Apple's patience, and ours: who is told to wait asks nothing meanwhile."""

import pytest

from mediad.adapters.icloud.breaker import HOUR, MINUTE, Breaker, Part, asked_for
from mediad.adapters.icloud.faults import THROTTLED, UNREACHABLE, Meaning, fault
from mediad.errors import Retryable
from mediad.testing.clock import StoppedClock


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def breaker(clock: StoppedClock) -> Breaker:
    return Breaker(clock.monotonic)


def failed(breaker: Breaker, part: Part, meaning: Meaning, after_s: float | None = None) -> float:
    error = fault(meaning, after_s=after_s)
    assert isinstance(error, Retryable)
    return breaker.failed(part, error).after_s or 0.0


def test_a_throttled_sign_in_waits_a_quarter_of_an_hour_and_doubles(
    breaker: Breaker, clock: StoppedClock
) -> None:
    waits = []
    for _ in range(9):
        waits.append(failed(breaker, Part.SIGN_IN, THROTTLED))
        clock.advance(waits[-1])
    assert waits[:3] == [15 * MINUTE, 30 * MINUTE, HOUR]
    assert waits[-1] == 24 * HOUR


def test_a_sign_in_never_waits_less_than_we_think_wise(breaker: Breaker) -> None:
    assert failed(breaker, Part.SIGN_IN, THROTTLED, after_s=5) == 15 * MINUTE
    assert failed(breaker, Part.SIGN_IN, THROTTLED, after_s=2 * HOUR) == 2 * HOUR


def test_photos_wait_as_long_as_apple_says(breaker: Breaker, clock: StoppedClock) -> None:
    assert failed(breaker, Part.PHOTOS, THROTTLED, after_s=7) == 7
    clock.advance(6)
    with pytest.raises(Retryable) as caught:
        breaker.check(Part.PHOTOS)
    assert caught.value.after_s == pytest.approx(1)
    clock.advance(1.1)
    breaker.check(Part.PHOTOS)


def test_an_outage_is_waited_out_only_when_it_is_one(breaker: Breaker) -> None:
    for _ in range(2):
        assert failed(breaker, Part.PHOTOS, UNREACHABLE) == 0
        breaker.check(Part.PHOTOS)
    assert failed(breaker, Part.PHOTOS, UNREACHABLE) == MINUTE / 2
    with pytest.raises(Retryable):
        breaker.check(Part.PHOTOS)


def test_each_part_waits_for_itself(breaker: Breaker) -> None:
    failed(breaker, Part.SIGN_IN, THROTTLED)
    breaker.check(Part.PHOTOS)
    assert breaker.left_s(Part.SIGN_IN) == 15 * MINUTE


def test_success_forgets_everything(breaker: Breaker) -> None:
    failed(breaker, Part.PHOTOS, THROTTLED)
    breaker.fine(Part.PHOTOS)
    breaker.check(Part.PHOTOS)
    assert failed(breaker, Part.PHOTOS, THROTTLED) == MINUTE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("999999999", 24 * HOUR),
        ("-5", None),
        ("0", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("x" * 10_000, None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(header: str | None, seconds: float | None) -> None:
    assert asked_for(header, 10_000) == seconds
