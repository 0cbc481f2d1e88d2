"""
Sweeps processing/renditions/: motion photos and candidates that a crash, or a person who skipped a stage, left behind.

Only what the journal knows the owner of, and no lane can ask for any more. A stage that wants such a file all the same,
because its lane was sent back at this very moment, finds it gone and makes it again.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from mediad.errors import Bug, MediadError
from mediad.journal import Journal
from mediad.model import Place, Site, SiteKey
from mediad.policy.spares import is_needed
from mediad.ports import Clock, Ports

log = structlog.get_logger()

FOLDER: Final = "renditions"
SLICE: Final = 200
EVERY_S: Final = 3600.0


async def watch(
    files: Callable[[], Awaitable[Sequence[SiteKey]]],
    journal: Journal,
    clock: Clock,
    ports: Callable[[], Ports],
    is_paused: Callable[[], bool],
) -> None:
    """For ever: at the start, and then every hour; not while everything is paused."""
    while True:
        try:
            if not is_paused():
                await sweep(await files(), journal, clock, ports())
        except Bug:
            raise
        except MediadError as fault:  # told by those who watch that part
            log.info("renditions.not_swept", code=fault.code)
        await clock.sleep(EVERY_S)


async def sweep(names: Sequence[SiteKey], journal: Journal, clock: Clock, io: Ports) -> None:
    for n in range(0, len(names), SLICE):
        keys = [SiteKey(f"{FOLDER}/{name}") for name in names[n : n + SLICE]]
        spare = [
            m.key
            for m in await journal.made(keys)
            if not is_needed(m.rest, m.states, is_recorded=m.is_recorded)
        ]
        if spare:
            await io.files.discard([Place(Site.SPOOL, key) for key in spare])
            log.info("renditions.swept", files=len(spare), first=spare[0])
        await clock.sleep(0)
