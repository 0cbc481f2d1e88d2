"""Guards the backup that a person orders: checked, and never in the place of another file."""

import sqlite3
from pathlib import Path

import pytest

from mediad.errors import Refused
from tests.service.world import a_world


async def test_a_backup_is_a_whole_journal_and_replaces_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await w.bring("a.jpg")
        target = tmp_path / "mine.db"
        assert await w.service.keeping.backup(target) == target
        with pytest.raises(Refused) as refused:
            await w.service.keeping.backup(target)
    assert refused.value.code == "backup.exists"
    with sqlite3.connect(target) as db:
        assert db.execute("SELECT count(*) FROM asset").fetchone() == (1,)
