"""Guards the turns of the scrub: within its budget, resumed after a kill, not while others work or a site is away."""

import tracemalloc
from pathlib import Path

import anyio

from mediad.errors import NeedsOperator
from mediad.model import AssetId, Site
from mediad.watchers.scrub import IDLE_S
from tests.watchers.scrub_world import World, a_world

MONTH_S = 31 * 86400.0


async def photos(w: World, count: int, size: int = 100) -> None:
    for n in range(count):
        await w.photo(f"{n}.jpg", b"%06d" % n + b"x" * (size - 6))
    await w.engine.until_idle()


async def test_every_copy_is_read_within_a_cycle_and_none_twice(tmp_path: Path) -> None:
    """M34: named within the configured cycle."""
    async with a_world(tmp_path) as w:
        await photos(w, 5)
        await w.scrubbed()
        assert w.files.reread_bytes == 0  # all of them were verified a moment ago
        w.clock.advance(MONTH_S)
        await w.scrubbed()
        assert w.files.reread_bytes == 15 * 100  # working copy, archive, library
        await w.scrubbed()
        assert w.files.reread_bytes == 15 * 100


async def test_the_bytes_of_a_day_are_kept_and_the_next_day_goes_on(tmp_path: Path) -> None:
    """N17: a size budget, counted by bytes; the whole is read all the same."""
    async with a_world(tmp_path, {"MEDIAD_SCRUB__BYTES_PER_DAY": "250"}) as w:
        await photos(w, 2)
        w.clock.advance(MONTH_S)
        read = []
        for _ in range(4):
            before = w.files.reread_bytes
            await w.scrubbed()
            read.append(w.files.reread_bytes - before)
            w.clock.advance(86400)
        assert read == [200, 200, 200, 0]


async def test_a_restart_gives_no_fresh_budget_and_reads_nothing_twice(tmp_path: Path) -> None:
    """N17: killed in the midst, it goes on where it was."""
    w = World(tmp_path, {"MEDIAD_SCRUB__BYTES_PER_DAY": "350"})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(w.engine.run)
        await photos(w, 2)
        w.engine.stop()
        tasks.cancel_scope.cancel()
    w.clock.advance(MONTH_S)
    await w.scrub.turn(w.clock)
    read = w.files.reread_bytes
    assert read == 300
    await w.journal.close()
    w.open()
    await w.scrubbed()
    assert w.files.reread_bytes == read  # what a day allows was spent before
    w.clock.advance(86400)
    await w.scrubbed()
    assert w.files.reread_bytes == 600
    await w.journal.close()


async def test_while_the_archive_is_away_nothing_there_is_judged_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    """DL5: an absent mount never means absent files."""
    async with a_world(tmp_path) as w:
        await photos(w, 3)
        away = NeedsOperator("away", code="archive.unmounted", site=Site.ARCHIVE)
        w.files.faults[Site.ARCHIVE] = away
        w.clock.advance(MONTH_S)
        await w.scrubbed()  # before anybody has told
        w.engine.link_is_down(Site.ARCHIVE, away)
        await w.scrubbed()
        assert await w.journal.latest_damage() == []
        assert w.files.reread_bytes == 6 * 100
        w.files.faults.clear()
        w.engine.link_is_up(Site.ARCHIVE)
        await w.scrubbed()
        assert w.files.reread_bytes == 9 * 100
        assert await w.journal.latest_damage() == []


async def test_while_the_pipeline_works_it_waits(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photos(w, 1)
        w.clock.advance(MONTH_S)
        w.engine._desks["archive"].busy.add(AssetId(99))
        assert await w.scrub.turn(w.clock) > 0
        assert (w.files.reread_bytes, w.scrub.stands.why) == (0, "the pipeline is at work")
        w.engine._desks["archive"].busy.clear()
        await w.scrubbed()
        assert w.files.reread_bytes == 300


async def test_while_everything_is_paused_it_reads_nothing_and_one_paused_stage_is_nothing_to_it(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as w:
        await photos(w, 1)
        w.clock.advance(MONTH_S)
        await w.journal.pause(None)
        await w.engine.refresh()
        assert await w.scrub.turn(w.clock) == IDLE_S
        assert (w.files.reread_bytes, w.scrub.stands.why) == (0, "everything is paused")
        await w.journal.resume(None)
        await w.journal.pause("clean")
        await w.engine.refresh()
        await w.scrubbed()
        assert w.files.reread_bytes == 300


async def test_switched_off_it_reads_nothing_and_says_so(tmp_path: Path) -> None:
    async with a_world(tmp_path, {"MEDIAD_SCRUB__ENABLED": "false"}) as w:
        await photos(w, 1)
        w.clock.advance(MONTH_S)
        await w.scrubbed()
        assert w.files.reread_bytes == 0
        assert "scrub.enabled" in w.scrub.stands.why


async def test_a_journal_that_cannot_be_written_is_told_of_and_ends_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photos(w, 1)
        w.clock.advance(MONTH_S)
        w.journal._connection.execute("PRAGMA query_only = ON")
        assert await w.scrub.turn(w.clock) == IDLE_S
        assert w.problems.about("journal") is not None
        w.journal._connection.execute("PRAGMA query_only = OFF")
        await w.scrubbed()
        assert (await w.journal.scrub_day(w.scrub.stands.day)).copies == 3


async def test_who_has_too_little_time_says_so(tmp_path: Path) -> None:
    async with a_world(tmp_path, {"MEDIAD_SCRUB__BYTES_PER_DAY": "1"}) as w:
        await photos(w, 9)
        w.clock.advance(45 * 86400.0)
        await w.scrubbed()
        assert "scrub.behind" in w.codes()


async def test_a_thousand_copies_are_read_in_flat_memory(tmp_path: Path) -> None:
    """DL13: the size of the archive is no size in memory."""
    async with a_world(tmp_path, {"MEDIAD_SORT__ENABLED": "false"}) as w:
        await photos(w, 500, size=64)
        w.clock.advance(MONTH_S)
        for _ in range(10):
            await w.scrub.turn(w.clock)
        tracemalloc.start()
        await w.scrub.turn(w.clock)
        early = tracemalloc.get_traced_memory()[0]
        await w.scrubbed()
        late, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert w.files.reread_bytes == 1000 * 64
        assert late - early < 1 << 20
