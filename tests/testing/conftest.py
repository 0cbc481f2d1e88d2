"""An iCloud on loopback, for the tests that sign in to it."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pyicloud import PyiCloudService
from pyicloud.common.cloudkit.client import CloudKitContainerClient

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import FakeICloud, Person
from tests.testing.pyicloud_here import database, signed_in


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def icloud(clock: StoppedClock) -> AsyncIterator[FakeICloud]:
    fake = FakeICloud(clock)
    async with fake.serving():
        yield fake


@pytest.fixture
def person(icloud: FakeICloud) -> Person:
    return Person(icloud.library)


@pytest.fixture
async def api(icloud: FakeICloud, tmp_path: Path) -> PyiCloudService:
    """Signed in and trusted."""
    return await to_thread(signed_in, icloud.address, tmp_path)


@pytest.fixture
def client(api: PyiCloudService) -> CloudKitContainerClient:
    return database(api)
