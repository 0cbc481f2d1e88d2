"""Guards the editions of the journal: every old one opens, a newer one and a network file system are refused."""

import sqlite3
from pathlib import Path

import pytest

from mediad.errors import NeedsOperator
from mediad.journal import WITNESS, backup, journal, migrate
from mediad.journal.migrate import Edition, editions
from mediad.model import (
    AssetId,
    BatchId,
    Evidence,
    OriginalId,
    Placement,
    Rung,
    Site,
    SiteKey,
    Witness,
)
from mediad.state import State
from tests.journal.world import (
    World,
    arrived,
    copy_of,
    digest_of,
    moved,
    walked,
    whole_asset,
)

S = State

NEXT = Edition(len(editions()) + 1, "0099_next.sql", "CREATE TABLE next (x INTEGER) STRICT;")
MOUNTS = """\
21 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
30 21 0:40 / /home/me/photos rw - nfs4 nas:/photos rw
31 30 0:41 / /home/me/photos/state rw - btrfs /dev/sda rw
32 21 0:42 / /mnt/with\\040space rw - cifs //nas/x rw
33 21 0:43 / /mnt/ssh rw - fuse.sshfs me@nas: rw
34 21 0:44 / /run/container rw - fuse.fuse-overlayfs fuse-overlayfs rw
"""


def schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as db:
        return db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def test_the_editions_are_numbered_without_a_gap() -> None:
    assert [e.number for e in editions()] == list(range(1, len(editions()) + 1))


async def test_the_first_edition_opens_and_becomes_what_a_new_openedis(
    tmp_path: Path,
) -> None:
    """The schema is the sum of the migrations: whichever edition a journal began with."""
    old = World(tmp_path / "old" / "journal.db")
    old.path.parent.mkdir()
    with sqlite3.connect(old.path, isolation_level=None) as db:
        migrate.migrate(db, editions()[:1])
    opened = old.open()
    assert await arrived(opened, "a.jpg") == 1
    await opened.close()
    new = World(tmp_path / "new" / "journal.db")
    await new.open().close()
    assert schema(old.path) == schema(new.path)


async def test_a_journal_of_the_first_edition_keeps_all_it_knew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await _first_edition(world, monkeypatch)
    opened = world.open()
    assert (await opened.audit()).broken_at is None
    with world.sqlite() as db:
        now = [db.execute(f"SELECT * FROM {t}").fetchall() for t in OLD_TABLES]  # noqa: S608 - names from below
        kept = [
            [n[: len(o)] for n, o in zip(*t, strict=True)] for t in zip(now, before, strict=True)
        ]
        assert kept == before
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    asset = await whole_asset(opened, AssetId(1))
    assert (asset.placements, asset.witnesses) == ((), ())
    assert await opened.open_batches(0) == []
    at = Placement(asset.originals[0].id, BatchId(1), SiteKey("a.jpg"), digest_of("a"), 1, 1, "A:1")
    has = Witness(at.original, Rung.PHONE_HAS, 1, "availability")
    await opened.witness([(asset.id, Evidence("x", 1, placements=(at,), witnesses=(has,)))])
    asset = await whole_asset(opened, AssetId(1))
    assert (asset.placements, asset.witnesses) == ((at,), (has,))
    assert (await opened.audit()).broken_at is None
    await opened.close()
    [saved] = (world.path.parent / "backups").iterdir()
    with sqlite3.connect(saved) as db:
        assert migrate.version(db) == 1
        assert [db.execute(f"SELECT * FROM {t}").fetchall() for t in OLD_TABLES] == before  # noqa: S608 - names from below


OLD_TABLES = ("asset", "original", "copy", "history", "tally_outcome", "run", "enrolment")


async def _first_edition(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> list[list[tuple[object, ...]]]:
    """A journal as the first mediad left it, with one asset in the archive."""
    first = migrate.LEGAL - {(WITNESS, "", "")}
    with monkeypatch.context() as then:
        then.setattr(journal, "editions", lambda: editions()[:1])
        then.setattr(migrate, "LEGAL", first)
        old = world.open()
        asset = await arrived(old, "a.jpg")
        await walked(old, asset, (S.SEEN, S.SETTLED, S.HASHED))
        copies = (copy_of(OriginalId(1), Site.ARCHIVE, "2024/a.jpg"),)
        await moved(old, asset, S.ARCHIVE_DUE, S.ARCHIVED, Evidence("read-back", 1, copies=copies))
        await old.enrol(Site.ARCHIVE, {"uuid": "a"})
        await old.start_run("archive", "c0ffee")
        await old.close()
    with world.sqlite() as db:
        assert migrate.version(db) == 1
        return [db.execute(f"SELECT * FROM {t}").fetchall() for t in OLD_TABLES]  # noqa: S608 - names from above


async def test_a_backup_is_made_before_an_edition_is_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.open()
    await arrived(first, "a.jpg")
    await first.close()
    monkeypatch.setattr(journal, "editions", lambda: [*editions(), NEXT])
    second = world.open()
    assert len(await second.known_sources()) == 1
    await second.close()
    [saved] = (world.path.parent / "backups").iterdir()
    backup.validate(saved)
    with sqlite3.connect(saved) as db:
        assert migrate.version(db) == len(editions())
        assert db.execute("SELECT count(*) FROM asset").fetchone() == (1,)


async def test_a_migration_that_fails_leaves_the_old_edition_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open().close()
    before = schema(world.path)
    broken = Edition(
        NEXT.number,
        "0099_broken.sql",
        "CREATE TABLE next (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);",
    )
    monkeypatch.setattr(journal, "editions", lambda: [*editions(), broken])
    with pytest.raises(Exception, match="nowhere"):
        world.open()
    assert schema(world.path) == before
    monkeypatch.undo()
    await world.open().close()


async def test_a_openednewer_than_this_program_is_refused_untouched(world: World) -> None:
    await world.open().close()
    with world.sqlite() as db:
        db.execute("PRAGMA user_version = 99")
    before = world.path.read_bytes()
    with pytest.raises(NeedsOperator) as refused:
        world.open()
    assert refused.value.code == "journal.newer"
    assert world.path.read_bytes() == before


@pytest.mark.loss("DL14")
@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/home/me/photos/x", "nfs4"), ("/mnt/with space/state", "cifs"), ("/mnt/ssh", "fuse.sshfs")],
)
def test_a_network_file_system_is_refused(folder: str, kind: str) -> None:
    with pytest.raises(NeedsOperator, match=kind) as refused:
        migrate.refuse_network(Path(folder), MOUNTS)
    assert refused.value.code == "journal.network_filesystem"


@pytest.mark.parametrize(
    "folder", ["/", "/home/me/photos/state/sub", "/run/container", "/mnt/sshx"]
)
def test_a_local_file_system_is_fine(folder: str) -> None:
    migrate.refuse_network(Path(folder), MOUNTS)


async def test_an_unclean_stop_is_noticed_at_the_next_start(world: World) -> None:
    for _ in range(2):
        opened = world.open()
        assert not opened.was_unclean
        with world.sqlite() as db:
            assert db.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone() == (0,)
        await opened.close()
    with world.sqlite() as db:
        db.execute("UPDATE meta SET value = 0 WHERE key = 'clean'")
    opened = world.open()
    assert opened.was_unclean
    await opened.close()
