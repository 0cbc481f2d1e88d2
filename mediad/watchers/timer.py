"""What happens by the clock: the journal's backups."""

from collections.abc import Awaitable, Callable
from typing import Final

from mediad.errors import Bug, MediadError, Retryable
from mediad.policy.problems import Problem, Problems
from mediad.ports import Clock

RETRY_S: Final = 600.0


async def every(
    hours: Callable[[], float],
    job: Callable[[], Awaitable[None]],
    clock: Clock,
    problems: Problems,
    *,
    name: str,
) -> None:
    """Do the job now and then every so many hours (read afresh each time); a failure is a problem, not an end."""
    while True:
        fault = await _fault_of(job, name)
        known = problems.about(name)
        if known and (fault is None or fault.code != known.code):
            problems.clear(name)
        if fault is not None:
            problems.report(Problem(fault.code, fault.what, clock.now(), fault.remedy, name))
        await clock.sleep(max(hours(), 0.01) * 3600 if fault is None else RETRY_S)


async def _fault_of(job: Callable[[], Awaitable[None]], name: str) -> MediadError | None:
    try:
        await job()
    except Bug:
        raise
    except MediadError as fault:
        return fault
    except OSError as error:
        return Retryable(
            f"the {name} was not made: {error}; what it is made of is untouched",
            code="backup.failed",
            remedy="look at the room, the owner and the mode of its folder; it is tried again by itself",
        )
    return None
