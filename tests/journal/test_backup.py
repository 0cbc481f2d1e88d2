"""Guards the backups: whole or not there at all, checked, put back without losing what they replace."""

import sqlite3
from pathlib import Path

import anyio
import pytest

from mediad.errors import NeedsOperator
from mediad.journal import Journal, backup
from mediad.state import State
from mediad.testing.clock import StoppedClock
from tests.journal.world import World, arrived, moved

S = State


@pytest.mark.loss("DL14")
async def test_a_backup_made_under_load_is_a_sound_journal(
    journal: Journal, tmp_path: Path
) -> None:
    async def work() -> None:
        for n in range(100):
            await moved(journal, await arrived(journal, f"{n}.jpg"), S.SEEN, S.SETTLED)

    saved = tmp_path / "b" / backup.name_at(0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        tasks.start_soon(journal.backup, saved)
    backup.validate(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["journal-19700101T000000Z.db"]
    await journal.backup(saved)
    with sqlite3.connect(saved) as db:
        assert db.execute("SELECT count(*) FROM history").fetchone() == (200,)


async def test_a_backup_that_fails_leaves_the_old_one_and_no_rest(
    journal: Journal, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    await journal.backup(saved)
    before = saved.read_bytes()
    (tmp_path / ".saved.db.part").mkdir()
    with pytest.raises(OSError, match="part"):
        await journal.backup(saved)
    assert saved.read_bytes() == before


def test_the_newest_backups_are_kept_and_foreign_files_left_alone(tmp_path: Path) -> None:
    names = [backup.name_at(day * 86_400_000) for day in range(5)]
    others = ["journal-mine.db", "before-0002_x.sql-journal-19700101T000000Z.db", "photo.jpg"]
    for name in (*names, *others):
        (tmp_path / name).write_text("x")
    removed = backup.rotate(tmp_path, 2)
    assert [p.name for p in removed] == names[:3]
    assert {p.name for p in tmp_path.iterdir()} == {*names[3:], *others}
    assert backup.rotate(tmp_path, 2) == []
    assert len(backup.rotate(tmp_path, 0)) == 1, "the newest always stays"


async def test_a_restored_journal_is_the_backup_and_the_replaced_one_is_kept(
    world: World, tmp_path: Path
) -> None:
    journal = world.open()
    await arrived(journal, "a.jpg")
    await journal.backup(tmp_path / "saved.db")
    await arrived(journal, "b.jpg")
    await journal.close()
    kept = backup.restore(tmp_path / "saved.db", world.path, world.clock)
    assert kept
    assert kept.name == "journal.db.replaced-21000101T000000Z"
    journal = world.open()
    assert await journal.known_sources() == {"a.jpg"}
    assert await arrived(journal, "c.jpg") == 2
    assert (await journal.audit()).broken_at is None
    await journal.close()
    again = backup.restore(kept, world.path, world.clock)
    assert again
    assert again != kept
    journal = world.open()
    assert await journal.known_sources() == {"a.jpg", "b.jpg"}
    await journal.close()


async def test_the_log_of_a_killed_journal_goes_with_it(world: World, tmp_path: Path) -> None:
    """Beside the new file it would be read as its own."""
    journal = world.open()
    await journal.backup(tmp_path / "saved.db")
    await arrived(journal, "a.jpg")
    for tail in ("", "-wal"):
        source = world.path.with_name(world.path.name + tail)
        (tmp_path / f"killed.db{tail}").write_bytes(source.read_bytes())
    await journal.close()
    kept = backup.restore(tmp_path / "saved.db", tmp_path / "killed.db", world.clock)
    assert kept
    assert not (tmp_path / "killed.db-wal").exists()
    with sqlite3.connect(tmp_path / "killed.db") as db:
        assert db.execute("SELECT count(*) FROM asset").fetchone() == (0,)
    with sqlite3.connect(kept) as db:
        assert db.execute("SELECT count(*) FROM asset").fetchone() == (1,)


async def test_a_restore_where_there_is_no_journal_makes_one(world: World, tmp_path: Path) -> None:
    journal = world.open()
    await journal.backup(tmp_path / "saved.db")
    await journal.close()
    target = tmp_path / "other" / "journal.db"
    target.parent.mkdir()
    assert backup.restore(tmp_path / "saved.db", target, world.clock) is None
    backup.validate(target)


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "foreign", "damaged", "newer"])
async def test_what_is_no_sound_backup_replaces_nothing(
    world: World, tmp_path: Path, kind: str
) -> None:
    journal = world.open()
    for n in range(100):
        await arrived(journal, f"{n}.jpg")
    await journal.backup(tmp_path / "good.db")
    await journal.close()
    before = world.path.read_bytes()
    bad = tmp_path / "bad.db"
    _make(kind, bad, (tmp_path / "good.db").read_bytes())
    with pytest.raises(NeedsOperator) as refused:
        backup.restore(bad, world.path, StoppedClock())
    assert refused.value.code in {"backup.missing", "backup.unsound", "journal.newer"}
    assert world.path.read_bytes() == before
    assert [p.name for p in world.path.parent.iterdir()] == ["journal.db"]


def _make(kind: str, bad: Path, good: bytes) -> None:
    match kind:
        case "text":
            bad.write_text("hello" * 1000)
        case "empty":
            bad.touch()
        case "foreign":
            with sqlite3.connect(bad) as db:
                db.execute("CREATE TABLE t (x)")
        case "damaged":
            middle = len(good) // 2 // 4096 * 4096
            bad.write_bytes(good[:middle] + b"\xff" * 4096 + good[middle + 4096 :])
        case "newer":
            bad.write_bytes(good)
            with sqlite3.connect(bad) as db:
                db.execute("PRAGMA user_version = 99")
        case _:
            assert kind == "missing"


def test_what_a_kill_left_half_made_goes_with_the_old_and_the_one_in_hand_stays(
    tmp_path: Path,
) -> None:
    left, whole, in_hand = (
        tmp_path / ".journal-20260101T000000Z.db.part",
        tmp_path / "journal-20260102T000000Z.db",
        tmp_path / ".journal-20260103T000000Z.db.part",
    )
    for file in (left, whole, in_hand):
        file.touch()
    assert backup.rotate(tmp_path, 2) == [left]
    assert sorted(tmp_path.iterdir()) == [in_hand, whole]
