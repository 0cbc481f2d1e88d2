"""An iCloud on loopback, for the tests that sign in to it."""

from collections.abc import AsyncIterator

import pytest

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import FakeICloud


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def icloud(clock: StoppedClock) -> AsyncIterator[FakeICloud]:
    fake = FakeICloud(clock)
    async with fake.serving():
        yield fake
