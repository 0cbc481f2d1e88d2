"""
Files in processing/ that the journal does not know: left behind by a lost or an older journal.

Nothing touches them; a person is told. Every file of ours there was journalled before it got its name.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from mediad.errors import Bug, MediadError
from mediad.journal import Journal
from mediad.model import SiteKey
from mediad.policy.problems import Problem, Problems
from mediad.ports import Clock

log = structlog.get_logger()

SUBJECT: Final = "orphans"
SLICE: Final = 500
AGAIN_S: Final = 600.0  # while there are any, until somebody has moved them


async def watch(
    files: Callable[[], Awaitable[Sequence[SiteKey]]],
    journal: Journal,
    clock: Clock,
    problems: Problems,
) -> None:
    """At the start, and then until there are none."""
    while not await _is_clear(files, journal, clock, problems):
        await clock.sleep(AGAIN_S)


async def _is_clear(
    files: Callable[[], Awaitable[Sequence[SiteKey]]],
    journal: Journal,
    clock: Clock,
    problems: Problems,
) -> bool:
    try:
        orphans = await _orphans(await files(), journal)
    except Bug:
        raise
    except MediadError as fault:  # told by those who watch that part
        log.info("orphans.unknown", code=fault.code)
        return False
    if not orphans:
        problems.clear(SUBJECT)
        return True
    what = (
        f"processing/ holds {len(orphans)} files that the journal does not know ({orphans[0]!a} …); nothing of mediad"
        " touches them, and no other file is concerned"
    )
    remedy = "move them into incoming/ to have them taken in again"
    if problems.report(Problem("spool.orphans", what, clock.now(), remedy, SUBJECT)):
        log.warning("spool.orphans", files=len(orphans))
    return False


async def _orphans(keys: Sequence[SiteKey], journal: Journal) -> list[SiteKey]:
    found: list[SiteKey] = []
    for n in range(0, len(keys), SLICE):
        found += await journal.not_in_spool(keys[n : n + SLICE])
    return found
