"""Guards that no row of the history can be changed, removed or slipped in without the audit naming it."""

import pytest

from mediad.journal import Journal, chain
from tests.journal.world import World, arrived, hashed

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


async def test_the_seal_goes_on_after_a_restart(world: World) -> None:
    for n in range(3):
        journal = world.open()
        await arrived(journal, f"{n}.jpg")
        await journal.close()
    journal = world.open()
    assert (await journal.audit()).rows == 3
    await journal.close()
