"""Guards that what happens by the clock happens at once, then in time, and that a failure is told and not the end."""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from mediad.errors import NeedsOperator, Retryable
from mediad.policy.problems import Problems
from mediad.testing.clock import StoppedClock
from mediad.watchers.timer import RETRY_S, every


async def run(
    job: Callable[[], Awaitable[None]],
    *,
    hours: Callable[[], float] = lambda: 24.0,
    sleeps: int = 3,
) -> tuple[StoppedClock, Problems]:
    """Until it has slept so often."""
    clock, problems = StoppedClock(), Problems()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(every, name="backup"), hours, job, clock, problems)
        with anyio.fail_after(5):
            while len(clock.slept) < sleeps:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    return clock, problems


class Job:
    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)
        self.done = 0

    async def __call__(self) -> None:
        self.done += 1
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end


async def test_it_is_done_at_once_and_then_by_the_hours() -> None:
    job = Job()
    clock, problems = await run(job, sleeps=2)
    assert clock.slept[:2] == [24 * 3600.0] * 2
    assert job.done >= 2
    assert problems.now() == ()


async def test_the_hours_are_read_afresh_each_time() -> None:
    hours = iter([24.0, 1.0, 6.0, *[6.0] * 9])
    clock, _ = await run(Job(), hours=lambda: next(hours))
    assert clock.slept[:3] == [24 * 3600.0, 3600.0, 6 * 3600.0]


async def test_no_hours_at_all_do_not_spin() -> None:
    clock, _ = await run(Job(), hours=lambda: 0.0)
    assert min(clock.slept) > 10


async def test_a_failure_is_told_tried_again_soon_and_forgotten_when_it_works() -> None:
    fault = NeedsOperator("no room", code="space.full", remedy="make room")
    job = Job(fault)
    clock, problems = await run(job, sleeps=1)
    [problem] = problems.now()
    assert (problem.code, problem.subject, problem.remedy) == ("space.full", "backup", "make room")
    assert clock.slept == [RETRY_S]
    clock, problems = await run(Job(fault, Retryable("still not", code="io.cough")), sleeps=3)
    assert clock.slept[:3] == [RETRY_S, RETRY_S, 24 * 3600.0]
    assert problems.now() == ()


async def test_a_disk_that_says_no_is_told_like_any_other_failure() -> None:
    clock, problems = await run(Job(OSError(28, "No space left on device")), sleeps=1)
    [problem] = problems.now()
    assert (problem.code, problem.subject) == ("backup.failed", "backup")
    assert "No space left" in problem.message
    assert clock.slept == [RETRY_S]


async def test_another_failure_takes_the_place_of_the_first() -> None:
    ends = Job(NeedsOperator("a", code="space.full"), NeedsOperator("b", code="io.cough"))
    _, problems = await run(ends, sleeps=2)
    assert [p.code for p in problems.now()] == ["io.cough"]
