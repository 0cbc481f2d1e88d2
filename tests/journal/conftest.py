"""A journal for each test, closed after it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediad.journal import Journal
from tests.journal.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "state" / "journal.db")


@pytest.fixture
async def journal(world: World) -> AsyncIterator[Journal]:
    journal = world.open()
    yield journal
    await journal.close()
