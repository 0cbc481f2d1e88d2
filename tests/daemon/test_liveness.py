"""Guards the watchdog's food: given while every loop gets on, withheld from the moment that one does not."""

import math
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from mediad.config import load
from mediad.daemon.house import open_house
from mediad.daemon.liveness import LIMIT_S, Liveness
from mediad.daemon.supervisor import Supervisor
from mediad.policy.problems import Problems
from mediad.ports import Clock
from mediad.testing.clock import StoppedClock

HOUR_S = 3600.0


def nobody(_longest_s: float) -> Sequence[str]:
    return ()


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("")  # the kernel finds a name
        ear.settimeout(0)
        yield ear


def supervisor(ear: socket.socket, watchdog_s: float = 30.0) -> Supervisor:
    return Supervisor(f"@{ear.getsockname()[1:].decode()}", watchdog_s, None)


def meals(ear: socket.socket) -> int:
    count = 0
    while True:
        try:
            count += ear.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            return count


async def test_a_loop_is_late_when_work_between_two_sleeps_takes_too_long() -> None:
    clock = StoppedClock()
    liveness = Liveness(clock, nobody)
    heart = liveness.heart("folders")
    await heart.sleep(1)
    clock.advance(LIMIT_S - 1)
    assert liveness.late() == []
    clock.advance(2)
    assert liveness.late() == ["folders"]
    await heart.sleep(1)
    assert liveness.late() == []


async def test_a_long_sleep_is_no_delay_and_oversleeping_is() -> None:
    clock = Hand()
    liveness = Liveness(clock, nobody)
    heart = liveness.heart("backup")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heart.sleep, HOUR_S)
        await checkpoint()
        clock.seconds += HOUR_S + LIMIT_S - 1
        assert liveness.late() == []
        clock.seconds += 2
        assert liveness.late() == ["backup"]
        tasks.cancel_scope.cancel()


async def test_a_sleep_that_was_cut_short_counts_from_then_on() -> None:
    clock = Hand()
    liveness = Liveness(clock, nobody)
    heart = liveness.heart("incoming")
    with anyio.move_on_after(0):
        await heart.sleep(HOUR_S)
    clock.seconds += LIMIT_S + 1
    assert liveness.late() == ["incoming"]


async def test_a_loop_that_is_known_to_take_longer_has_its_own_limit() -> None:
    clock, limit = StoppedClock(), [HOUR_S]
    liveness = Liveness(clock, nobody)
    heart = liveness.heart("incoming", lambda: limit[0])
    await heart.sleep(1)
    clock.advance(HOUR_S - 1)
    assert liveness.late() == []
    limit[0] = 10.0  # a reload
    await heart.sleep(1)
    clock.advance(11)
    assert liveness.late() == ["incoming"]


async def test_a_loop_that_came_to_its_end_is_not_missed() -> None:
    clock = StoppedClock()
    liveness = Liveness(clock, nobody)

    async def orphans(heart: Clock) -> None:
        clock.advance(LIMIT_S + 1)
        assert liveness.late() == ["orphans"]
        await heart.sleep(0)

    await liveness.until_done("orphans", orphans)
    clock.advance(HOUR_S)
    assert liveness.late() == []


async def test_the_watchdog_is_fed_while_all_get_on_and_never_while_one_does_not(
    ear: socket.socket,
) -> None:
    clock, problems = Hand(), Problems()
    stuck: list[str] = []
    liveness = Liveness(clock, lambda longest_s: [s for s in stuck if longest_s == LIMIT_S])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(liveness.feed, supervisor(ear), problems))
        await clock.until_slept(1)
        assert meals(ear) == 1
        stuck.append("runner of archive")
        await clock.until_slept(3)
        assert meals(ear) == 0
        [problem] = problems.now()
        assert problem.code == "daemon.stalled"
        assert "runner of archive" in problem.message
        stuck.clear()
        await clock.until_slept(1)
        assert meals(ear) == 1
        assert problems.now() == ()
        tasks.cancel_scope.cancel()


async def test_what_takes_too_long_is_named_and_the_watchdog_is_fed_all_the_same(
    ear: socket.socket,
) -> None:
    clock, problems = Hand(), Problems()
    overdue: dict[str, list[str]] = {"archive": [f"{n}.jpg" for n in range(7)]}
    liveness = Liveness(clock, nobody, lambda: overdue)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(liveness.feed, supervisor(ear), problems)
        await clock.until_slept(1)
        [problem] = problems.now()
        assert problem.code == "stage.overdue"
        assert "archive: 0.jpg" in problem.message
        assert "and 2 more" in problem.message
        assert meals(ear) == 1
        overdue.clear()
        await clock.until_slept(1)
        assert problems.now() == ()
        tasks.cancel_scope.cancel()


async def test_it_is_fed_three_times_as_often_as_it_wants(ear: socket.socket) -> None:
    clock = Hand()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Liveness(clock, nobody).feed, supervisor(ear, watchdog_s=6.0), Problems())
        await clock.until_slept(1)
        tasks.cancel_scope.cancel()
    assert clock.asked == [2.0]


async def test_a_loop_that_never_came_to_its_first_sleep_is_late_as_well(
    ear: socket.socket,
) -> None:
    clock, problems = Hand(), Problems()
    liveness = Liveness(clock, nobody)
    liveness.heart("folders")
    clock.seconds += HOUR_S  # the start may take its time
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(liveness.feed, supervisor(ear), problems)
        await clock.until_slept(1)
        assert problems.now() == ()
        clock.seconds += LIMIT_S + 1
        await clock.until_slept(1)
        assert [p.code for p in problems.now()] == ["daemon.stalled"]
        tasks.cancel_scope.cancel()


async def test_of_the_loops_of_a_real_daemon_each_that_does_not_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ear: socket.socket
) -> None:
    clock = Hand()
    monkeypatch.setattr("mediad.daemon.house.SystemClock", lambda: clock)
    loaded = load(config_file=None, root=tmp_path, environ={})
    async with (
        open_house(loaded, tmp_path, supervisor(ear)) as house,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(house.cloud_watch.run)  # off, and so expected by nobody
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(house.liveness.feed, house.supervisor, house.problems)
        await clock.until_slept(1)
        assert meals(ear) == 1
        clock.seconds += 24 * HOUR_S
        await clock.until_slept(2)
        assert meals(ear) == 0
        [problem] = house.problems.now()
        assert "watch of the folders, watch of the phone" in problem.message
        assert "iCloud" not in problem.message
        tasks.cancel_scope.cancel()


class Hand(StoppedClock):
    """A clock whose sleepers wake when the test says so, and whose time the test alone moves."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.asked: list[float] = []
        self._bell = anyio.Event()

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        if seconds == math.inf:
            await anyio.sleep_forever()
        self.asked.append(seconds)
        await self._bell.wait()

    async def until_slept(self, times: int) -> None:
        """Wake who sleeps, and wait until somebody has fallen asleep so many times more."""
        goal = len(self.asked) + times
        while len(self.asked) < goal:
            self._bell.set()
            self._bell = anyio.Event()
            await checkpoint()
