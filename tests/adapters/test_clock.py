"""Guards that the real clock tells UTC in milliseconds, and that time goes on."""

import time

from mediad.adapters.clock import SystemClock


async def test_the_clock_tells_milliseconds_and_sleeps() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time() * 1000) < 1000
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01
    assert 0 <= clock.jitter() < 1
