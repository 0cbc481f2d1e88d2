"""Guards that work starts when it may and only then, that no wake-up is lost, and that a quiet engine is quiet."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.journal import Counts, Mark, Park, Step
from mediad.model import Asset, Digest, Evidence
from mediad.policy.problems import Problem
from mediad.stages.verdict import Done, Verdict, Wait
from mediad.state import State, Transition
from tests.engine.world import SOON_S, Play, World, world

FULL = NeedsOperator("the disk is full", code="space.full", remedy="make room", site="spool")
SETTLED, SEEN = State.SETTLED.value, "ready"
HUNG = NeedsOperator("hung", code="archive.hung", site="archive")


def hashing(**more: Any) -> Play:
    play = Play("hash", State.SETTLED, State.HASHED, **more)

    def rule(asset: Asset, _: Any) -> Verdict:
        seen = Evidence("hashed", 1, identity=Digest(f"{asset.id:064x}"))
        return Done(seen, State.HASHED)

    play.rule = rule
    return play


class Brake:
    """Holds every lot of a stage until it is let go, and counts how many are held at once."""

    def __init__(self, play: Play) -> None:
        self.most = 0
        self.held = 0
        self._free = anyio.Event()
        self._changed = anyio.Event()
        play.lot = self._hold

    def release(self) -> None:
        self._free.set()

    async def until(self, held: int) -> None:
        with anyio.fail_after(SOON_S):
            while self.held < held:
                await self._changed.wait()

    async def _hold(self, _: Sequence[Asset]) -> None:
        self.held += 1
        self.most = max(self.most, self.held)
        self._changed.set()
        self._changed = anyio.Event()
        try:
            await self._free.wait()
        finally:
            self.held -= 1


async def quiet(seconds: float = 0.15) -> None:
    """Let everything happen that would happen by itself."""
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()


async def go(w: World, *names: str) -> list[Any]:
    ids = await w.drop(*names)
    w.engine.wake()
    await w.idle()
    return ids


# -- a part that is down -----------------------------------------------------------------------------


async def test_a_fault_of_a_part_pauses_only_who_needs_it_and_keeps_the_files_ready(
    tmp_path: Path,
) -> None:
    settle, hashes = Play(), hashing()
    hashes.look = lambda _: FULL
    async with world(tmp_path, settle, hashes) as w:
        ids = await go(w, "a.jpg", "b.jpg")
        standing = [await w.intake(a) for a in ids]
        assert [(s.state.value, s.mark, s.attempts) for s in standing] == [(SETTLED, SEEN, 0)] * 2
        [problem] = w.problems.now()
        assert (problem.code, problem.subject, problem.remedy) == (
            "space.full",
            "spool",
            "make room",
        )
        assert [w.engine.may_work(s) for s in ("settle", "hash")] == [True, False]
        looks = len(hashes.looks)
        await go(w, "c.jpg")
        assert len(settle.looks) == 3, "who does not need it works on"
        assert len(hashes.looks) == looks
        assert len([e for e in w.said if e["event"] == "link.down"]) == 1
        hashes.look = lambda _: 0
        w.engine.link_is_up("spool")
        await w.idle()
        assert await w.marks(ids) == [State.HASHED.value] * 2
        assert w.problems.now() == ()


async def test_a_stage_that_names_a_part_does_not_start_while_it_is_down(tmp_path: Path) -> None:
    play = Play(needs=frozenset({"archive"}))
    async with world(tmp_path, play) as w:
        w.engine.link_is_down("archive", NeedsOperator("unplugged", code="archive.unmounted"))
        ids = await go(w, "a.jpg")
        assert play.looked == []
        w.engine.link_is_up("archive")
        await w.idle()
        assert await w.marks(ids) == [SETTLED]


async def test_the_second_word_of_a_fault_is_no_second_line_in_the_log(tmp_path: Path) -> None:
    async with world(tmp_path, Play()) as w:
        w.engine.link_is_down("archive", FULL)
        since = w.problems.now()[0].since
        w.clock.advance(60)
        w.engine.link_is_down("archive", FULL)
        w.engine.link_is_up("archive")
        w.engine.link_is_up("archive")
        assert [e["event"] for e in w.said] == ["link.down", "link.up"]
        assert since == w.clock.now() - 60_000


async def test_a_fault_ends_the_page(tmp_path: Path) -> None:
    """What was read before the disk was full is not tried one after the other."""
    play = Play(lot_files=1)
    play.look = lambda _: FULL
    async with world(tmp_path, play) as w:
        await go(w, *(f"{n}.jpg" for n in range(20)))
        assert len(play.looked) <= 2, "no more than were running"


async def test_a_journal_that_does_not_answer_is_a_part_that_is_down(tmp_path: Path) -> None:
    play = Play()
    async with world(tmp_path, play) as w:
        w.watched.broken = Retryable("the disk coughed", code="journal.io", site="journal")
        ids = await w.drop("a.jpg")
        w.engine.wake()
        await quiet()
        assert [p.code for p in w.problems.now()] == ["journal.io"]
        assert w.watched.asked <= 2
        w.watched.broken = None
        w.engine.link_is_up("journal")
        await w.idle()
        assert await w.marks(ids) == [SETTLED]


async def test_a_journal_that_takes_no_park_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda _: Refused("no", code="test.no")
    async with world(tmp_path, play) as w:
        full = NeedsOperator("the journal's disk is full", code="space.full", site="journal")

        async def park(_: Any) -> None:
            raise full

        object.__setattr__(w.journal, "park", park)
        ids = await go(w, "a.jpg", "b.jpg")
        assert await w.marks(ids) == [SEEN, SEEN]
        assert [(p.code, p.subject) for p in w.problems.now()] == [("space.full", "journal")]
        del w.journal.park
        w.engine.link_is_up("journal")
        await w.idle()
        assert await w.marks(ids) == ["held", "held"]


# -- how many at once --------------------------------------------------------------------------------


async def test_a_pool_bounds_the_lots_at_once_and_changes_while_they_run(tmp_path: Path) -> None:
    play = Play(lot_files=1)
    brake = Brake(play)
    async with world(tmp_path, play, is_working=False) as w:
        w.engine.set_pools({"settle": 1})
        ids = await w.drop(*(f"{n}.jpg" for n in range(9)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.engine.run)
            await brake.until(1)
            await quiet(0.05)
            assert brake.most == 1
            w.engine.set_pools({"settle": 4})
            await brake.until(4)
            await quiet(0.05)
            assert brake.most == 4
            assert w.engine.running("settle") == 4
            w.engine.set_pools({"settle": 0})  # none at all would be a stop that nobody sees
            brake.release()
            await w.idle()
            w.engine.stop()
        assert await w.marks(ids) == [SETTLED] * 9


async def test_stages_of_one_pool_share_it(tmp_path: Path) -> None:
    settle, hashes = Play(pool="copy", lot_files=1), hashing(pool="copy", lot_files=1)
    brake = Brake(settle)
    hashes.lot = settle.lot
    async with world(tmp_path, settle, hashes) as w:
        w.engine.set_pools({"copy": 1})
        ids = await w.drop("a.jpg", "b.jpg")
        w.engine.wake()
        brake.release()
        await w.idle()
        assert await w.marks(ids) == [State.HASHED.value] * 2
    assert brake.most == 1


async def test_running_tells_who_is_in_hand(tmp_path: Path) -> None:
    play = Play()
    brake = Brake(play)
    async with world(tmp_path, play) as w:
        [asset] = await w.drop("a.jpg")
        w.engine.wake()
        await brake.until(1)
        assert w.engine.works_on(asset) == {"settle"}
        assert (w.engine.running("settle"), w.engine.running("nothing")) == (1, 0)
        w.clock.advance(30)
        brake.release()
        await w.idle()
        assert w.engine.works_on(asset) == frozenset()
        assert w.engine.rate("settle") == pytest.approx(2.0)
        assert w.engine.rate("nothing") == 0.0
        assert w.engine.stages() == {"settle"}
        assert not w.engine.may_work("nothing")


# -- stop, pause, resume -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["stop", "pause", "link"])
async def test_after_the_order_nothing_new_starts_and_what_runs_ends(
    tmp_path: Path, order: str
) -> None:
    play = Play(lot_files=1)
    brake = Brake(play)
    async with world(tmp_path, play) as w:
        w.engine.set_pools({"settle": 2})
        ids = await w.drop(*(f"{n}.jpg" for n in range(6)))
        w.engine.wake()
        await brake.until(2)
        if order == "stop":
            w.engine.stop()
        elif order == "pause":
            await w.journal.pause(None)
            await w.engine.refresh()
        else:
            w.engine.link_is_down("settle-link", FULL)
            w.engine._desks["settle"].hit.add("settle-link")
        brake.release()
        with anyio.fail_after(SOON_S):
            await w.engine.until_quiet()
        await quiet(0.05)
        assert sorted(await w.marks(ids)) == [SETTLED] * 2 + [SEEN] * 4


async def test_run_ends_when_the_last_lot_has_ended_and_listens_no_more(tmp_path: Path) -> None:
    play = Play()
    brake = Brake(play)
    async with world(tmp_path, play, is_working=False) as w, anyio.create_task_group() as tasks:
        await w.drop("a.jpg")
        listeners = len(w.journal.on_commit)
        tasks.start_soon(w.engine.run)
        await brake.until(1)
        w.engine.stop()
        brake.release()
        with anyio.fail_after(SOON_S):
            await w.engine.until_quiet()
            while len(w.journal.on_commit) > listeners:
                await anyio.lowlevel.checkpoint()


async def test_a_pause_is_not_undone_by_who_had_read_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, while the engine itself reads what is paused."""
    has_read, go_on = anyio.Event(), anyio.Event()
    async with world(tmp_path, Play(), is_working=False) as w:
        paused = w.journal.paused

        async def slow_to_tell() -> frozenset[str]:
            said = await paused()
            if not has_read.is_set():
                has_read.set()
                await go_on.wait()
            return said

        monkeypatch.setattr(w.journal, "paused", slow_to_tell)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.engine.refresh)
            await has_read.wait()
            await w.journal.pause(None)
            tasks.start_soon(w.engine.refresh)
            await anyio.wait_all_tasks_blocked()
            go_on.set()
        assert w.engine.is_paused


async def test_a_paused_stage_waits_and_a_run_order_lifts_it_for_a_while(tmp_path: Path) -> None:
    settle, hashes = Play(), hashing()
    async with world(tmp_path, settle, hashes) as w:
        await w.journal.pause("hash")
        await w.engine.refresh()
        ids = await go(w, "a.jpg")
        assert await w.marks(ids) == [SETTLED]
        with w.engine.lifted({"hash"}, run=7):
            await w.idle()
            assert await w.marks(ids) == [State.HASHED.value]
        more = await go(w, "b.jpg")
        assert await w.marks(more) == [SETTLED]
        await w.journal.resume(None)
        await w.engine.refresh()
        await w.idle()
        assert await w.marks(more) == [State.HASHED.value]
        moves = [s for s in w.said if s["event"] == "asset.moved" and s["stage"] == "hash"]
        assert [s.get("run") for s in moves] == [7, None], "the log tells what a run did"


async def test_a_pause_outlives_a_restart(tmp_path: Path) -> None:
    play = Play()
    async with world(tmp_path, play, is_working=False) as w:
        await w.journal.pause(None)
    async with world(tmp_path, play) as w:
        ids = await w.drop("a.jpg")
        await quiet()
        assert await w.marks(ids) == [SEEN]


async def test_halt_on_error_pauses_everything_and_says_so(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda a: Retryable("no", code="test.no") if a.name == "bad.jpg" else 0
    async with world(tmp_path, play, retries=1, halt_on_error=True) as w:
        ids = await go(w, "bad.jpg", "good.jpg")
        assert await w.marks(ids) == ["failed", SETTLED]
        more = await go(w, "later.jpg")
        assert await w.marks(more) == [SEEN]
        [problem] = w.problems.now()
        assert (problem.code, problem.subject) == ("workflow.halted", "workflow")
        assert "mediactl resume" in problem.remedy
        await w.journal.resume(None)
        await w.engine.refresh()
        await w.idle()
        assert await w.marks(more) == [SETTLED]


async def test_without_halt_on_error_the_rest_goes_on(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda a: Retryable("no", code="test.no") if a.name == "bad.jpg" else 0
    async with world(tmp_path, play, retries=1) as w:
        await go(w, "bad.jpg")
        assert await w.marks(await go(w, "good.jpg")) == [SETTLED]


# -- idle --------------------------------------------------------------------------------------------


async def test_what_is_ready_is_work_unless_it_is_paused(tmp_path: Path) -> None:
    async with world(tmp_path, Play(), is_working=False) as w:
        assert await w.engine.is_idle()
        await w.drop("a.jpg")
        assert not await w.engine.is_idle()
        await w.journal.pause("settle")
        await w.engine.refresh()
        assert await w.engine.is_idle(), "what is paused cannot be waited for"


async def test_a_retry_is_work_if_the_asker_says_so(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda _: Retryable("no", code="test.no")
    async with world(tmp_path, play) as w:
        await go(w, "a.jpg")
        assert not await w.engine.is_idle()
        assert await w.engine.is_idle(retries_count=False)


async def test_an_arrival_that_settles_soon_is_work_and_a_wait_for_a_later_hour_is_not(
    tmp_path: Path,
) -> None:
    settle, archive = Play(), Play("archive", State.ARCHIVE_DUE, State.ARCHIVED)
    settle.rule = archive.rule = lambda _, __: Wait(1 << 52, "later")
    async with world(tmp_path, settle, archive) as w:
        [asset] = await w.drop("a.jpg")
        await until_marked(w, Mark.WAITING)
        assert not await w.engine.is_idle()
        for step in (
            Transition(State.SEEN, "settle", State.SETTLED),
            Transition(State.SETTLED, "hash", State.HASHED),
        ):
            await w.journal.record([Step(asset, step, Evidence("by hand", 1))])
        await until_marked(w, Mark.WAITING)
        await w.idle()
        assert await w.engine.is_idle()
        assert archive.looks == ["a.jpg"]


async def test_a_wait_that_is_over_is_work(tmp_path: Path) -> None:
    """A nightly `--once` must not end before it has cleaned what may go since noon."""
    archive = Play("archive", State.ARCHIVE_DUE, State.ARCHIVED)
    async with world(tmp_path, archive, is_working=False) as w:
        [asset] = await w.drop("a.jpg")
        for step in (
            Transition(State.SEEN, "settle", State.SETTLED),
            Transition(State.SETTLED, "hash", State.HASHED),
        ):
            await w.journal.record([Step(asset, step, Evidence("by hand", 1))])
        until = w.clock.now() + 3_600_000
        await w.journal.park(
            [Park(asset, State.ARCHIVE_DUE.lane, Mark.WAITING, until, "for an hour")]
        )
        assert await w.engine.is_idle()
        w.clock.advance(3_600)
        assert not await w.engine.is_idle()
        assert await w.engine.is_idle(waits_count=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.engine.run)
            await archive.until_looked(1)
            await w.idle()
            w.engine.stop()


async def until_marked(w: World, mark: Mark) -> None:
    with anyio.fail_after(SOON_S):
        while mark not in {m for _, m in (await w.journal.counts()).standing}:
            await anyio.lowlevel.checkpoint()


async def test_until_idle_hears_the_end_of_the_last_lot(tmp_path: Path) -> None:
    play = Play()
    brake = Brake(play)
    async with world(tmp_path, play) as w:
        await w.drop("a.jpg")
        w.engine.wake()
        await brake.until(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.idle)
            await quiet(0.02)
            assert not await w.engine.is_idle()
            brake.release()


@pytest.mark.parametrize("case", ["nothing", "held", "retry", "failed", "paused", "down", "busy"])
async def test_nothing_spins(tmp_path: Path, case: str) -> None:
    play = Play()
    brake = None
    if case in {"held", "retry", "failed"}:
        kind = Refused if case == "held" else Retryable
        play.look = lambda _: kind("no", code="test.no")
    elif case == "down":
        play.look = lambda _: FULL
    elif case == "busy":
        brake = Brake(play)
    async with world(tmp_path, play, retries=1 if case == "failed" else 8) as w:
        if case == "paused":
            await w.journal.pause(None)
            await w.engine.refresh()
        if case != "nothing":
            await w.drop("a.jpg", "b.jpg")
            w.engine.wake()
        await quiet(0.1)
        asked, looked, groups = w.watched.asked, len(play.looks), w.journal.groups
        await quiet(0.25)
        assert (w.watched.asked, len(play.looks), w.journal.groups) == (asked, looked, groups)
        if brake:
            brake.release()


# -- wake-ups ----------------------------------------------------------------------------------------


async def test_what_arrives_between_the_question_and_the_nap_is_not_slept_through(
    tmp_path: Path,
) -> None:
    play = Play()
    async with world(tmp_path, play) as w:
        await quiet(0.05)  # the runner sleeps

        async def arrive() -> None:
            await w.drop("late.jpg")

        w.watched.between = arrive
        w.engine.wake()  # it asks, is told of nothing, and only then does the file arrive
        await play.until_looked(1)


async def test_each_stage_wakes_the_next(tmp_path: Path) -> None:
    settle, hashes = Play(), hashing()
    async with world(tmp_path, settle, hashes) as w:
        await quiet(0.05)
        await w.drop("a.jpg")
        await hashes.until_looked(1)


async def test_a_retry_that_falls_due_needs_nobody_to_ring(tmp_path: Path) -> None:
    play = Play()
    play.look = lambda _: Retryable("no", code="test.no", after_s=0.05) if not play.acted else 0
    async with world(tmp_path, play) as w:
        await w.drop("a.jpg")
        await play.until_looked(1)
        play.acted.append("now it works")
        w.clock.advance(1)
        await play.until_looked(2)


async def test_what_is_due_a_second_time_while_its_lot_runs_waits_for_the_end_of_the_lot(
    tmp_path: Path,
) -> None:
    """Two arrivals, one lot running: the second is taken at once, the first is not taken twice."""
    play = Play()
    brake = Brake(play)
    async with world(tmp_path, play) as w:
        first = await w.drop("a.jpg")
        await brake.until(1)
        second = await w.drop("b.jpg")
        await brake.until(2)
        brake.release()
        await w.idle()
        assert await w.marks(first + second) == [SETTLED] * 2
    assert play.looked == [["a.jpg"], ["b.jpg"]]


async def test_no_wake_up_is_lost_in_a_crowd(tmp_path: Path) -> None:
    """Arrivals at odd moments through two stages in small lots; nobody calls `wake`."""
    settle, hashes = Play(lot_files=3), hashing(lot_files=2, pool="settle")
    chance = random.Random(7)  # noqa: S311 - odd moments, the same in every run
    async with world(tmp_path, settle, hashes) as w:

        async def arrive(number: int) -> None:
            for n in range(12):
                await anyio.sleep(chance.random() / 200)
                await w.drop(f"{number}-{n}.jpg")

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(arrive, number)
        with anyio.fail_after(SOON_S):
            while (await w.journal.counts()).standing.get((State.HASHED, Mark.FINAL)) != 48:
                w.clock.advance(0.001)
                await anyio.sleep(0.002)
    assert sorted(settle.looks) == sorted(hashes.looks), "each was looked at once by each"
    assert len(set(settle.looks)) == len(settle.looks) == 48


# -- the log -----------------------------------------------------------------------------------------


async def test_one_line_a_transition_after_the_commit(tmp_path: Path) -> None:
    settle, hashes = Play(), hashing()
    async with world(tmp_path, settle, hashes) as w:
        [asset] = await go(w, "a.jpg")
        lines = [e for e in w.said if e["event"] == "asset.moved"]
        history = await w.journal.history(asset)
    assert [(e["asset"], e["stage"], e["was"], e["now"]) for e in lines] == [
        (h.asset, h.stage, h.from_state, h.to_state) for h in history
    ]
    assert {e["log_level"] for e in lines} == {"info"}


async def test_a_problem_of_another_subject_pauses_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, Play()) as w:
        w.problems.report(Problem("config.invalid", "line 3", 1, "mend it", "config"))
        assert await w.marks(await go(w, "a.jpg")) == [SETTLED]


async def test_what_has_started_while_the_journal_was_counted_is_work(tmp_path: Path) -> None:
    play, go = Play(), anyio.Event()
    async with world(tmp_path, play) as w:
        count = w.journal.counts

        async def counts() -> Counts:
            await w.drop("a.jpg")
            w.engine.wake()
            await play.until_looked(1)
            await w.journal.pause("settle")
            await w.engine.refresh()
            return await count()

        async def lot(_: Sequence[Asset]) -> None:
            await go.wait()

        play.lot = lot
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(w.journal, "counts", counts)
            assert not await w.engine.is_idle()
        go.set()
        await w.idle()


async def test_who_hangs_in_a_lost_part_keeps_no_place_from_those_who_do_not_need_it(
    tmp_path: Path,
) -> None:
    archive = Play(pool="copy", needs=frozenset({"archive"}))
    brake, other = Brake(archive), hashing(pool="copy")
    async with world(tmp_path, archive, other) as w:
        w.engine.set_pools({"copy": 1})
        await w.drop("a.jpg")
        await brake.until(1)
        [asset] = await w.drop("b.jpg")
        settled = Transition(State.SEEN, "settle", State.SETTLED)
        await w.journal.record([Step(asset, settled, Evidence("by hand", 1))])
        w.engine.wake()
        await quiet()
        assert other.looks == [], "the only place of the pool is taken"
        for _ in range(3):  # as the watch tells it, every second
            w.engine.link_is_down("archive", HUNG)
        await other.until_looked(1)
        brake.release()
        w.engine.link_is_up("archive")
        await w.idle()
        assert w.engine._limiter("copy").borrowed_tokens <= 1


async def test_a_server_that_answers_now_and_then_gathers_no_crowd_of_the_hung(
    tmp_path: Path,
) -> None:
    archive = Play(pool="copy", needs=frozenset({"archive"}), lot_files=1)
    brake = Brake(archive)
    async with world(tmp_path, archive, hashing(pool="copy")) as w:
        w.engine.set_pools({"copy": 2})
        await w.drop(*(f"{n}.jpg" for n in range(9)))
        w.engine.wake()
        for held in (2, 4):
            await brake.until(held)
            w.engine.link_is_down("archive", HUNG)
            w.engine.link_is_up("archive")
        await quiet()
        assert brake.most == 4, "as many outside as inside, and no more"
        brake.release()
        await w.idle()
        assert len(archive.looks) == 9


async def test_what_a_stage_is_busy_with_for_too_long_is_named_by_its_file(tmp_path: Path) -> None:
    play = Play()
    brake = Brake(play)
    async with world(tmp_path, play) as w:
        await w.drop("a.jpg", size=250_000_000)
        w.engine.wake()
        await brake.until(1)
        w.clock.advance(2_799)
        assert w.engine.overdue() == {}
        w.clock.advance(2)
        assert w.engine.overdue() == {"settle": ["a.jpg"]}
        brake.release()
        await w.idle()
        assert w.engine.overdue() == {}
