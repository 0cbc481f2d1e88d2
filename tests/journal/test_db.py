"""Guards the writer: groups are natural and shared, one bad item fails alone, nobody waits for ever."""

import threading
from functools import partial
from pathlib import Path

import anyio
import pytest

from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Arrival, Journal, Step
from mediad.journal.db import GROUP_ITEMS, Readers, Writer, connect
from mediad.journal.rows import Committed
from mediad.model import Evidence, SiteKey
from mediad.state import State
from tests.journal.world import World, arrived, lawful, moved, step

S = State


class BlankTape:
    def begin(self) -> None: ...
    def end(self) -> None: ...
    def mark(self) -> None: ...
    def turn_back(self, mark: None) -> None: ...
    def take(self) -> list[Committed]:
        return []


def blank(path: Path) -> Writer:
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY) STRICT")
    return Writer(connection, BlankTape(), lambda _: None)


async def test_what_queues_during_a_commit_shares_the_next_one(world: World) -> None:
    journal = world.open()
    assets = [await arrived(journal, f"{n}.jpg") for n in range(128)]
    before = journal.groups
    async with anyio.create_task_group() as tasks:
        for asset in assets:
            tasks.start_soon(moved, journal, asset, S.SEEN, S.SETTLED)
    groups = journal.groups - before
    assert groups <= 12, f"{groups} commits for 128 transitions of 128 callers"
    await journal.close()


async def test_a_lone_item_waits_for_nobody(tmp_path: Path) -> None:
    writer = blank(tmp_path / "a.db")
    for _ in range(3):
        before = writer.groups
        await writer.do([lambda: None])
        assert writer.groups == before + 1
    await writer.close()


async def test_a_group_has_an_end(tmp_path: Path) -> None:
    writer = blank(tmp_path / "a.db")
    holds = threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.do, [holds.wait])
        await anyio.sleep(0.05)
        before = writer.groups
        for _ in range(4):
            tasks.start_soon(writer.do, [int] * (GROUP_ITEMS // 2))
        await anyio.sleep(0.05)
        holds.set()
    assert writer.groups - before == 1 + 2
    await writer.close()


async def test_more_items_than_a_group_holds_are_all_written(tmp_path: Path) -> None:
    writer = blank(tmp_path / "a.db")
    items = [partial(int, n) for n in range(2_500)]
    assert await writer.do(items) == list(range(2_500))
    await writer.close()


async def test_one_bad_item_fails_alone(journal: Journal) -> None:
    assets = [await arrived(journal, f"{n}.jpg") for n in range(3)]
    steps = [Step(a, lawful(S.SEEN, S.SETTLED), Evidence("stat", 1)) for a in assets]
    steps.insert(1, Step(assets[0], lawful(S.SETTLED, S.HASHED), Evidence("x", 1)))  # fmt: skip
    steps.insert(3, Step(assets[1], lawful(S.CLEANABLE, S.CLEANED), Evidence("x", 1)))
    answers = await journal.record(steps)
    assert [isinstance(a, MediadError) for a in answers] == [False, False, False, True, False]
    audit = await journal.audit()
    assert (audit.rows, audit.broken_at) == (3 + 4, None)


async def test_what_a_bad_item_wrote_before_it_failed_is_undone(tmp_path: Path) -> None:
    writer = blank(tmp_path / "a.db")
    put = writer._connection.execute

    def half() -> None:
        put("INSERT INTO t VALUES (2)")
        raise Refused("no")

    answers = await writer.do([
        lambda: put("INSERT INTO t VALUES (1)"), half,
        lambda: put("INSERT INTO t VALUES (1)"), lambda: put("INSERT INTO t VALUES (3)"),
    ])  # fmt: skip
    assert [type(a).__name__ for a in answers] == ["Cursor", "Refused", "Bug", "Cursor"]
    rows = await Readers(tmp_path / "a.db").ask(lambda db: db.execute("SELECT x FROM t").fetchall())
    assert rows == [(1,), (3,)]
    await writer.close()


async def test_a_single_caller_pays_for_no_savepoint_unless_an_item_fails(tmp_path: Path) -> None:
    writer = blank(tmp_path / "a.db")
    put, said = writer._connection.execute, list[str]()
    writer._connection.set_trace_callback(said.append)

    def no() -> None:
        raise Refused("no")

    await writer.do([lambda: put("INSERT INTO t VALUES (1)"), lambda: put("SELECT 1")])
    assert said == ["BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "SELECT 1", "COMMIT"]
    said.clear()
    [_, wrong] = await writer.do([lambda: put("INSERT INTO t VALUES (2)"), no])
    assert isinstance(wrong, Refused)
    assert said.count("SAVEPOINT item") == said.count("RELEASE item") == 2
    rows = await Readers(tmp_path / "a.db").ask(lambda db: db.execute("SELECT x FROM t").fetchall())
    assert rows == [(1,), (2,)]
    await writer.close()


async def test_a_mistake_reaches_the_one_who_made_it_and_the_writer_lives(tmp_path: Path) -> None:
    writer = blank(tmp_path / "a.db")
    with pytest.raises(ZeroDivisionError):
        await writer.do([lambda: 1 // 0])
    assert await writer.do([lambda: 5]) == [5]
    await writer.close()


async def test_a_group_that_cannot_be_committed_is_answered_with_the_reason(
    tmp_path: Path,
) -> None:
    writer = blank(tmp_path / "a.db")
    put = writer._connection.execute
    put("PRAGMA max_page_count = 3")
    [answer] = await writer.do(
        [lambda: put("INSERT INTO t SELECT value FROM generate_series(1, 9)")]
    )
    assert isinstance(answer, Bug)  # no such table function here: a mistake, not the disk
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO t SELECT i FROM n"
    [answer] = await writer.do([lambda: put(sql)])
    assert isinstance(answer, NeedsOperator)
    assert (answer.code, answer.site) == ("space.full", "journal")
    put("PRAGMA max_page_count = 1000000")
    assert await writer.do([lambda: put("INSERT INTO t VALUES (1)").rowcount]) == [1]
    await writer.close()


@pytest.mark.loss("DL14")
async def test_a_journal_that_another_program_holds_is_tried_again_later(world: World) -> None:
    journal = world.open()
    journal._connection.execute("PRAGMA busy_timeout = 0")
    asset = await arrived(journal, "a.jpg")
    with world.sqlite() as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await step(journal, asset, S.SEEN, S.SETTLED)
        assert isinstance(answer, Retryable)
        assert answer.code == "journal.locked"
        other.execute("ROLLBACK")
    await moved(journal, asset, S.SEEN, S.SETTLED)
    assert (await journal.audit()).rows == 2
    await journal.close()


async def test_a_law_that_cannot_be_read_stops_the_group_and_not_the_writer(world: World) -> None:
    journal = world.open()
    asset = await arrived(journal, "a.jpg")
    world.off = None  # type: ignore[assignment]  # a mistake somewhere else
    with pytest.raises(TypeError):
        await step(journal, asset, S.SEEN, S.SETTLED)
    world.off = {}
    await moved(journal, asset, S.SEEN, S.SETTLED)
    await journal.close()


async def test_a_caller_that_gave_up_disturbs_nobody(journal: Journal) -> None:
    asset = await arrived(journal, "a.jpg")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await step(journal, asset, S.SEEN, S.SETTLED)
    assert await journal.arrive([Arrival(SiteKey("b.jpg"), "b.jpg", 1, 1)]) == [2]


async def test_closing_writes_what_is_queued(world: World) -> None:
    journal = world.open()
    async with anyio.create_task_group() as tasks:
        for n in range(50):
            tasks.start_soon(arrived, journal, f"{n}.jpg")
        await anyio.lowlevel.checkpoint()
        await journal.close()
    again = world.open()
    assert len(await again.known_sources()) == 50
    await again.close()


async def test_a_closed_journal_says_so(world: World) -> None:
    journal = world.open()
    await journal.close()
    with pytest.raises(Bug):
        await arrived(journal, "a.jpg")


async def test_readers_cannot_write(journal: Journal) -> None:
    with pytest.raises(MediadError):
        await journal._readers.ask(lambda db: db.execute("DELETE FROM paused"))
    assert await journal.paused() == frozenset()


async def test_the_file_has_the_settings_that_keep_it(journal: Journal, world: World) -> None:
    pragmas = {
        name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in (
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "trusted_schema",
            "busy_timeout",
        )
    }
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0,
        "busy_timeout": 5000,
    }  # fmt: skip
    with world.sqlite() as other:
        tables = other.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
        assert {name for name, strict in tables if not strict} == {"sqlite_schema"}
