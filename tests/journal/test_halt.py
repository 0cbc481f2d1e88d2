"""Guards that long work on the journal ends when it is cancelled: in the middle of it, and leaving nothing behind."""

import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mediad.errors import MediadError
from mediad.journal import Journal, backup, db
from mediad.journal.halt import Halt
from tests.journal.world import arrived

PATIENCE_S = 60.0


class Caught(Halt):
    """Holds SQLite in the middle of its work until the test has cancelled it."""

    caught = threading.Event()
    cancelled = threading.Event()
    in_the: str  # the word of the statement that is to be caught

    def __init__(self) -> None:
        super().__init__()
        self._statement = ""

    def is_asked(self) -> bool:
        if self._statement.startswith(self.in_the):
            self.caught.set()
            assert self.cancelled.wait(PATIENCE_S)
        return super().is_asked()

    @contextmanager
    def heeded_by(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        connection.set_trace_callback(self._hear)
        with super().heeded_by(connection) as heeding:
            yield heeding

    def _hear(self, statement: str) -> None:
        if not statement.startswith("--"):  # of what a statement does within
            self._statement = statement


@pytest.fixture
async def filled(journal: Journal) -> Journal:
    for n in range(300):
        await arrived(journal, f"{n}.jpg")
    return journal


async def cancelled_in(
    word: str, work: Callable[[], Coroutine[None, None, None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancels the work while SQLite is within that statement, and returns when it has ended."""
    monkeypatch.setattr(db, "Halt", Caught)
    monkeypatch.setattr(Caught, "in_the", word, raising=False)
    monkeypatch.setattr(Caught, "caught", threading.Event())
    monkeypatch.setattr(Caught, "cancelled", threading.Event())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        assert await anyio.to_thread.run_sync(Caught.caught.wait, PATIENCE_S)
        tasks.cancel_scope.cancel()
        Caught.cancelled.set()


@pytest.mark.parametrize("word", ["VACUUM", "PRAGMA integrity_check", "PRAGMA foreign_key_check"])
async def test_a_backup_that_is_cancelled_in_the_middle_leaves_nothing_behind(
    filled: Journal, tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "backups" / backup.name_at(0)
    went_well: list[bool] = []

    async def work() -> None:
        await filled.backup(saved)
        went_well.append(True)

    await cancelled_in(word, work, monkeypatch)
    assert went_well == []
    assert list(saved.parent.iterdir()) == []
    monkeypatch.undo()
    await filled.backup(saved)
    backup.validate(saved)


async def test_a_check_that_is_cancelled_finds_no_damage(
    filled: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[MediadError | None] = []

    async def work() -> None:
        try:
            await filled.check()
            said.append(None)
        except MediadError as fault:
            said.append(fault)

    await cancelled_in("PRAGMA quick_check", work, monkeypatch)
    assert said == []
    monkeypatch.undo()
    await filled.check()


def test_who_was_asked_to_halt_before_it_began_does_not_begin(tmp_path: Path) -> None:
    halt = Halt()
    halt.ask()
    with sqlite3.connect(tmp_path / "a.db") as known:
        known.execute("CREATE TABLE t (x)")
        known.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(5000)))
    with (
        halt.heeded_by(sqlite3.connect(tmp_path / "a.db")) as late,
        pytest.raises(sqlite3.OperationalError, match="interrupted"),
    ):
        late.execute("SELECT sum(x) FROM t").fetchone()


async def test_neither_a_backup_nor_a_check_is_made_for_who_was_asked_to_halt(
    filled: Journal, tmp_path: Path
) -> None:
    """It is the interruption that ends them: nobody is cancelled here."""
    halt = Halt()
    halt.ask()
    for deed in (
        partial(backup.save, filled.path, tmp_path / "b" / "saved.db"),
        partial(backup.quick_check, filled.path),
    ):
        with pytest.raises(MediadError, match="INTERRUPT"):
            deed(halt)
    assert list((tmp_path / "b").iterdir()) == []
    backup.save(filled.path, tmp_path / "b" / "saved.db", Halt())
    assert backup.quick_check(filled.path, Halt()) == "ok"


async def test_what_goes_wrong_aside_is_told_as_it_is(journal: Journal) -> None:
    def wrong(_: Halt) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await journal._readers.aside(wrong)
    assert await journal._readers.aside(lambda _: 7) == 7
