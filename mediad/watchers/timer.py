"""What happens by the clock: the journal's backups."""

from collections.abc import Awaitable, Callable
from typing import Final

from mediad.errors import MediadError
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
        try:
            await job()
        except MediadError as fault:
            problems.report(Problem(fault.code, fault.what, clock.now(), fault.remedy, name))
            await clock.sleep(RETRY_S)
        else:
            problems.clear(name)
            await clock.sleep(max(hours(), 0.01) * 3600)
