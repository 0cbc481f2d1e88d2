"""Guards that every way in which SQLite can fail is sorted by who can put it right, and no library error gets out."""

import sqlite3
from pathlib import Path

import pytest

from mediad.errors import Bug, MediadError, NeedsOperator, Retryable
from mediad.journal import faults
from tests.journal.world import World

ENVIRONMENT = (
    "FULL", "BUSY", "LOCKED", "IOERR", "NOMEM", "CORRUPT", "NOTADB", "READONLY", "PERM", "CANTOPEN",
)  # fmt: skip


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_the_world_does_to_sqlite_is_in_the_table(name: str) -> None:
    kind, code, what, remedy = faults.FAULTS[getattr(sqlite3, f"SQLITE_{name}")]
    assert issubclass(kind, MediadError)
    assert "." in code
    assert what
    assert remedy


def test_a_full_disk_needs_a_person_and_names_the_site() -> None:
    with sqlite3.connect(":memory:") as db:
        db.execute("PRAGMA max_page_count = 2")
        db.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as full:
            db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    fault = faults.ours(full.value)
    assert isinstance(fault, NeedsOperator)
    assert (fault.code, fault.site) == ("space.full", "journal")


def test_a_locked_journal_is_tried_again(tmp_path: Path) -> None:
    one = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    two = sqlite3.connect(tmp_path / "a.db", isolation_level=None, timeout=0)
    one.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as locked:
        two.execute("BEGIN IMMEDIATE")
    fault = faults.ours(locked.value)
    assert isinstance(fault, Retryable)
    assert fault.code == "journal.locked"
    one.close()
    two.close()


def test_a_mistake_in_our_sql_is_a_bug() -> None:
    with sqlite3.connect(":memory:") as db, pytest.raises(sqlite3.OperationalError) as mistake:
        db.execute("SELEKT 1")
    assert isinstance(faults.ours(mistake.value), Bug)
    assert isinstance(faults.ours(sqlite3.ProgrammingError("closed")), Bug)


def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(world: World) -> None:
    world.path.parent.mkdir()
    world.path.write_text("my diary\n" * 500)
    with pytest.raises(NeedsOperator) as refused:
        world.open()
    assert refused.value.code == "journal.corrupt"
    assert world.path.read_text() == "my diary\n" * 500


def test_a_folder_in_the_place_of_the_journal_is_named(world: World) -> None:
    world.path.mkdir(parents=True)
    with pytest.raises(NeedsOperator) as refused:
        world.open()
    assert refused.value.code == "journal.unreachable"
