"""Guards that whatever keeps us from iCloud is one problem, that nobody is pestered, and that all goes on by itself."""

from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from mediad.daemon.liveness import LIMIT_S
from mediad.errors import NeedsOperator, Retryable
from mediad.ports import Delta, SignInState, Zone
from mediad.testing.cloud import MemoryCloud
from mediad.watchers.icloud import LONGEST_S, RECHECK_S, SESSION, TICK_S
from tests.watchers.cloud_world import World, world

DAY_MS = 86_400_000
STATES = [s for s in SignInState if s not in {SignInState.READY, SignInState.BUSY}]


def throttled(after_s: float | None = None) -> Retryable:
    return Retryable(
        "patience", code="icloud.throttled", remedy="none", site="icloud", after_s=after_s
    )


async def running(w: World, until_calls: int) -> None:
    """The watcher runs until it has asked so often; time passes as it sleeps."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(w.watch.run)
        await w.until(lambda: w.cloud.calls["changed"] >= until_calls)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("state", STATES)
async def test_each_state_of_the_sign_in_is_one_problem_with_its_remedy(
    tmp_path: Path, state: SignInState
) -> None:
    async with world(tmp_path) as w:
        w.sign(state=state)
        await w.watch.ask()
        [problem] = w.problems.now()
        assert (problem.subject, problem.code.partition(".")[0]) == ("icloud", "icloud")
        assert problem.remedy
        assert w.cloud.calls.total() == 0
        other = SignInState.LOCKED if state is not SignInState.LOCKED else SignInState.TERMS
        w.sign(state=other)
        await w.watch.ask()
        assert len(w.problems.now()) == 1
        w.sign(state=SignInState.READY)
        await w.watch.ask()
        assert w.problems.now() == ()


async def test_nobody_is_told_while_apple_is_being_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.sign(state=SignInState.BUSY)
        await w.watch.ask()
        assert w.problems.now() == ()
        assert w.cloud.calls.total() == 0


async def test_apple_is_asked_once_whether_the_session_holds_and_not_while_signed_out(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        w.sign(state=SignInState.SIGNED_OUT)
        for _ in range(1000):
            await w.watch.ask()
            w.clock.advance(TICK_S)
        assert w.refreshed == 1
        assert w.cloud.calls.total() == 0


async def test_terms_that_were_accepted_elsewhere_are_noticed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.sign(state=SignInState.TERMS)
        for _ in range(round(2.5 * RECHECK_S / TICK_S)):
            await w.watch.ask()
            w.clock.advance(TICK_S)
        assert w.refreshed == 3


async def test_a_pause_that_apple_asked_for_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.photo(0)
        w.cloud.fail("changed", throttled(after_s=1234))
        start = w.clock.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.watch.run)
            await w.until(lambda: w.watch.looked_at is not None)
            tasks.cancel_scope.cancel()
        assert w.codes() == []
        assert 1234 <= w.clock.monotonic() - start < 1234 + 2 * TICK_S
        assert await w.names() == ["IMG_0000.JPG"]


async def test_failures_are_met_with_longer_pauses_up_to_an_end(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.cloud.fail("changed", *[throttled() for _ in range(12)])
        start = w.clock.monotonic()
        await running(w, 12)
        took = w.clock.monotonic() - start
        assert 3 * LONGEST_S < took < 12 * 1.3 * LONGEST_S
        assert w.codes() == ["icloud.throttled"]


async def test_the_poll_comes_in_time_and_never_on_the_dot(tmp_path: Path) -> None:
    async with world(tmp_path, poll_minutes=10) as w:
        pauses = []
        for w.clock.chance in (0.0, 0.5, 0.999):
            w.watch = w.new_watch()
            start, calls = w.clock.monotonic(), w.cloud.calls["changed"]
            await running(w, calls + 2)
            pauses.append(w.clock.monotonic() - start)
        assert pauses == sorted(pauses)
        assert pauses[0] < 600 < pauses[2]
        assert all(500 < p < 700 for p in pauses)


async def test_a_fault_that_a_stage_has_met_is_looked_into_soon(tmp_path: Path) -> None:
    async with world(tmp_path, poll_minutes=600) as w:
        await w.watch.ask()
        w.engine.link_is_down("icloud", throttled())
        start, calls = w.clock.monotonic(), w.cloud.calls["changed"]
        while w.codes():
            await w.watch._turn()
            w.clock.advance(TICK_S)
        assert w.cloud.calls["changed"] == calls + 1
        assert w.clock.monotonic() - start < 120


async def test_a_sign_out_in_the_middle_of_a_look_is_told_once_and_over_after_the_sign_in(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        w.photo(0)
        out = NeedsOperator("out", code="icloud.signed_out", remedy="log in", site="icloud")
        w.cloud.fail("listing", out)
        await w.watch.ask()
        w.sign(state=SignInState.SIGNED_OUT)
        await w.watch.ask()
        assert w.codes() == ["icloud.signed_out"]
        w.sign(state=SignInState.READY)
        await w.watch.ask()
        assert w.codes() == []
        assert await w.names() == ["IMG_0000.JPG"]


async def test_the_day_on_which_apple_wants_a_code_again_is_told_ahead(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        told = []
        for days in (20, 13, 6, 2, 0.5):
            w.sign(trust_expires_at=w.clock.now() + round(days * DAY_MS))
            await w.watch.ask()
            told.append([p.message for p in w.problems.now() if p.subject == SESSION])
        assert [len(t) for t in told] == [0, 1, 1, 1, 1]
        assert len({t[0] for t in told[1:]}) == 4
        w.sign(trust_expires_at=w.clock.now() + 60 * DAY_MS)
        await w.watch.ask()
        assert w.codes(SESSION) == []


async def test_each_step_to_that_day_is_one_line_in_the_log_and_names_the_remedy(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        w.sign(trust_expires_at=w.clock.now() + 15 * DAY_MS)
        with capture_logs() as lines:
            for _ in range(17 * 4):  # four times a day, till after it
                await w.watch.ask()
                w.clock.advance(6 * 3600)
        told = [x["days"] for x in lines if x["event"] == "icloud.trust_expires"]
        assert [round(days) for days in told] == [14, 7, 3, 1, 0]
        [problem] = [p for p in w.problems.now() if p.subject == SESSION]
        assert "mediactl icloud login" in problem.remedy


async def test_switched_off_it_asks_nobody_and_nothing_is_a_problem(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.cloud.fail("changed", throttled())
        await w.watch.ask()
        assert w.codes()
        calls = w.cloud.calls.total()
        w.configure(enabled=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.watch.run)
            await w.until(lambda: not w.codes())
            assert w.cloud.calls.total() == calls
            w.configure(enabled=True)
            w.watch.wake()
            await w.until(lambda: w.cloud.calls["changed"] > 1)
            tasks.cancel_scope.cancel()


async def test_pauses_of_hours_are_no_stalled_loop(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.cloud.fail("changed", *[throttled() for _ in range(6)])
        late: list[str] = []

        def is_over() -> bool:
            late.extend(w.liveness.late())
            return w.watch.looked_at is not None

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.watch.run)
            await w.until(is_over)
            tasks.cancel_scope.cancel()
        assert late == []


async def test_a_large_library_is_no_stalled_loop_and_a_question_that_never_ends_is_named(
    tmp_path: Path,
) -> None:
    class Slow(MemoryCloud):
        """Each page takes its time, and after so many no answer comes any more."""

        page_s, pages, is_stuck = LIMIT_S - 1, 8, False

        async def listing(self, zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
            w.clock.advance(self.page_s)
            late.extend(w.liveness.late())
            self.pages -= 1
            if not self.pages:
                self.is_stuck = True
                await anyio.sleep_forever()
            return await super().listing(zone, rank, hidden=hidden)

    async with world(tmp_path) as w:
        w.cloud = stuck = Slow(w.files, w.clock, page=2)
        late: list[str] = []
        for n in range(40):
            w.photo(n)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.watch.run)
            await w.until(lambda: stuck.is_stuck)
            assert late == []
            w.clock.advance(2)
            assert w.liveness.late() == ["watch of iCloud"]
            tasks.cancel_scope.cancel()


async def test_nobody_expects_the_watch_while_icloud_is_off(tmp_path: Path) -> None:
    async with world(tmp_path) as w, anyio.create_task_group() as tasks:
        tasks.start_soon(w.watch.run)
        await w.until(lambda: w.watch.looked_at is not None)
        w.configure(enabled=False)
        w.watch.wake()
        await anyio.wait_all_tasks_blocked()
        w.clock.advance(86_400)
        assert w.liveness.late() == []
        tasks.cancel_scope.cancel()
