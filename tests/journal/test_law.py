"""Guards the law where nobody gets round it: SQLite refuses what state.py does not know, and keeps history."""

import sqlite3

import pytest

from mediad.journal import Journal
from mediad.journal.migrate import LEGAL
from mediad.state import TRANSITIONS
from tests.journal.world import World, arrived, hashed

FORGED = "INSERT INTO history VALUES (99, 1, 1, ?, ?, ?, 0, '{}', zeroblob(32))"


@pytest.fixture
async def asset(journal: Journal) -> int:
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    return asset


def test_every_transition_of_the_law_is_legal_in_sql(journal: Journal, world: World) -> None:
    assert journal.groups == 0
    with world.sqlite() as db:
        there = set(db.execute("SELECT stage, at, next FROM legal"))
    assert there == LEGAL
    assert {(t.stage, t.at, t.then) for t in TRANSITIONS} <= there


@pytest.mark.parametrize(
    "step",
    [
        ("clean", "intake.seen", "spool.cleaned"),
        ("hash", "intake.hashed", "intake.settled"),
        ("archive", "archive.due", "library.sorted"),
        ("arrive", "", "intake.hashed"),
        ("merge", "cloud.deleted", ""),
        ("witness", "phone.placed", "phone.verified"),
        ("verify", "", ""),
        ("", "", ""),
    ],
)
async def test_history_takes_no_unlawful_transition(
    asset: int, world: World, step: tuple[str, str, str]
) -> None:
    assert asset == 1
    with world.sqlite() as db, pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        db.execute(FORGED, step)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE standing SET state = 'archive.verified' WHERE lane = 'phone'",
        "UPDATE standing SET state = 'phone.released' WHERE lane = 'phone'",
        "UPDATE standing SET state = 'phone.deleted' WHERE lane = 'phone'",
        "UPDATE standing SET mark = 'happy'",
        "UPDATE standing SET due = NULL WHERE mark = 'ready'",
        "UPDATE asset SET condition = 'fine'",
        "UPDATE asset SET identity = x'00'",
        "INSERT INTO standing VALUES (1, 'intake', 'intake.seen', 'ready', 1, 0, '', '', '')",
        "INSERT INTO standing VALUES (9, 'cloud', 'cloud.due', 'ready', 1, 0, '', '', '')",
        "INSERT INTO copy VALUES (9, 'archive', 'k', zeroblob(32), 1, '', NULL, NULL)",
    ],
)
async def test_a_standing_that_cannot_be_is_refused(asset: int, world: World, sql: str) -> None:
    assert asset == 1
    with world.sqlite() as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE history SET evidence = '{}'",
        "UPDATE history SET asset = 1",
        "DELETE FROM history",
        "DELETE FROM history WHERE seq = 1",
        "INSERT OR REPLACE INTO history SELECT * FROM history WHERE seq = 2",
        "DELETE FROM asset",
        "DELETE FROM original",
    ],
)
async def test_what_was_once_seen_stays(asset: int, world: World, sql: str) -> None:
    assert asset == 1
    with world.sqlite() as db:
        db.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(sql)


async def test_a_law_that_lost_a_transition_keeps_what_history_leans_on(world: World) -> None:
    journal = world.open()
    await arrived(journal, "a.jpg")
    await journal.close()
    with world.sqlite() as db:
        db.execute("INSERT INTO legal VALUES ('dream', 'intake.seen', 'intake.hashed')")
        db.execute("INSERT INTO legal VALUES ('nap', 'intake.seen', 'intake.hashed')")
        db.execute(FORGED, ("dream", "intake.seen", "intake.hashed"))
    journal = world.open()
    with world.sqlite() as db:
        there = {s for (s,) in db.execute("SELECT stage FROM legal")}
    assert "dream" in there
    assert "nap" not in there
    await journal.close()
