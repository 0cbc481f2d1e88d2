"""Guards that no row of the history can be changed, removed or slipped in without the audit naming it."""

import sqlite3

import pytest

from mediad.journal import Journal, chain
from tests.journal.world import World, arrived, hashed

SWAPPED = """UPDATE history SET seq = CASE seq WHEN 5 THEN -6 ELSE -5 END WHERE seq IN (5, 6);
UPDATE history SET seq = -seq WHERE seq < 0"""
FORGED = """INSERT INTO history
SELECT 13, asset, at, stage, from_state, to_state, skipped, evidence, chain FROM history WHERE seq = 12"""


@pytest.fixture
async def told(journal: Journal) -> Journal:
    for n in range(4):
        await hashed(journal, await arrived(journal, f"{n}.jpg"))
    return journal


async def test_an_untouched_history_is_sound(
    told: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await told.audit()).rows == 12
    monkeypatch.setattr(chain, "PAGE", 5)
    audit = await told.audit()
    assert (audit.rows, audit.broken_at) == (12, None)


async def test_an_empty_history_is_sound(journal: Journal) -> None:
    audit = await journal.audit()
    assert (audit.rows, audit.broken_at) == (0, None)


@pytest.mark.parametrize(
    ("sql", "broken_at"),
    [
        ("UPDATE history SET evidence = replace(evidence, 'stat', 'scan') WHERE seq = 5", 5),
        ("UPDATE history SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE history SET asset = 1 WHERE seq = 7", 7),
        ("UPDATE history SET skipped = 1 WHERE seq = 3", 3),
        ("UPDATE history SET chain = zeroblob(32) WHERE seq = 6", 6),
        ("DELETE FROM history WHERE seq = 1", 1),
        ("DELETE FROM history WHERE seq = 8", 8),
        ("DELETE FROM history WHERE seq = 12", 12),
        ("DELETE FROM history WHERE seq > 4", 5),
        ("DELETE FROM history", 1),
        (FORGED, 13),
    ],
)
async def test_the_first_row_that_is_not_as_it_was_written_is_named(
    told: Journal, world: World, sql: str, broken_at: int
) -> None:
    with world.sqlite() as db:
        db.execute("DROP TRIGGER history_stays")
        db.execute("DROP TRIGGER history_is_kept")
        db.execute(sql)
    audit = await told.audit()
    assert audit.broken_at == broken_at
    assert audit.what


@pytest.mark.parametrize(
    ("sql", "broken_at"),
    [
        (
            "UPDATE history SET seq = -seq WHERE seq IN (5, 6)",
            5,
        ),  # missing, and found before the first
        (
            SWAPPED,
            5,
        ),
    ],
    ids=["moved away", "in another order"],
)
async def test_rows_in_another_order_are_named(
    told: Journal, world: World, sql: str, broken_at: int
) -> None:
    with world.sqlite() as db:
        db.executescript(f"DROP TRIGGER history_stays; {sql}")
    assert (await told.audit()).broken_at == broken_at


async def test_a_tail_that_was_cut_off_with_its_counts_is_noticed_by_a_seal_that_was_kept(
    told: Journal, world: World
) -> None:
    head = await told.head()
    assert head[0] == 12
    cut(world, 9)
    assert (await told.audit()).broken_at is None, "the file alone cannot know"
    audit = await told.audit(heads=[head])
    assert (audit.broken_at, audit.rows) == (10, 9)
    assert "row 12" in audit.what


async def test_a_history_that_was_written_anew_is_noticed_by_a_seal_that_was_kept(
    told: Journal, world: World
) -> None:
    head = await told.head()
    with world.sqlite() as db:
        db.execute("DROP TRIGGER history_stays")
        db.execute("UPDATE history SET at = at + 1 WHERE seq = 3")
        seal_anew(db)
    assert (await told.audit()).broken_at is None, "every seal fits the one before it"
    assert (await told.audit(heads=[head])).broken_at == 12


async def test_the_seals_can_be_followed_a_part_at_a_time(
    told: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "PAGE", 5)
    first = await told.audit(most=5)
    assert (first.rows, first.is_end) == (5, False)
    rest = await told.audit((first.rows, first.seal))
    assert (rest.rows, rest.is_end, rest.seal) == (12, True, (await told.head())[1])


def cut(world: World, last: int) -> None:
    """As somebody who knows the journal would do it."""
    with world.sqlite() as db:
        db.execute("DROP TRIGGER history_is_kept")
        db.execute("DELETE FROM history WHERE seq > ?", (last,))
        db.execute("DELETE FROM tally_outcome")
        db.execute(
            "INSERT INTO tally_outcome SELECT stage, sum(1 - skipped), sum(skipped) FROM history GROUP BY stage"
        )


def seal_anew(db: sqlite3.Connection) -> None:
    sealed = chain.GENESIS
    for row in db.execute("SELECT * FROM history ORDER BY seq").fetchall():
        sealed = chain.seal(sealed, row[:-1])
        db.execute("UPDATE history SET chain = ? WHERE seq = ?", (sealed, row[0]))


async def test_the_seal_goes_on_after_a_restart(world: World) -> None:
    for n in range(3):
        journal = world.open()
        await arrived(journal, f"{n}.jpg")
        await journal.close()
    journal = world.open()
    assert (await journal.audit()).rows == 3
    await journal.close()
