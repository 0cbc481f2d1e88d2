"""
What is dropped gets into the journal: a scan at the start, after every hint, and now and then without one.

At most one scan at a time; hints that come meanwhile make one more. A scan that failed is made again, and whole:
nothing that it may have missed is passed over because its folder looks unchanged.
"""

from collections.abc import Callable
from typing import Final

import anyio
import structlog

from mediad.errors import Bug, MediadError
from mediad.journal import Arrival, Journal
from mediad.policy.litter import litter
from mediad.ports import Clock, Drop, Files, Ports

log = structlog.get_logger()

GAP_S: Final = 0.2  # between two scans, and at least as long as the last one took
WORRIED_S: Final = 5.0  # until a scan that failed is made again
PRUNE_S: Final = 60.0  # between two looks for empty folders


async def scan(drop: Drop, journal: Journal, *, full: bool = True) -> int:
    """Put everything new into the journal, slice by slice. Returns how many files were new."""
    known = await journal.known_sources()
    new = 0
    async for found in drop.scan(known, full=full):
        arrivals = [Arrival(f.key, f.name, f.size, f.mtime_ns) for f in found]
        new += sum(asset is not None for asset in await journal.arrive(arrivals))
    return new


async def watch(
    drop: Drop,
    journal: Journal,
    clock: Clock,
    ports: Callable[[], Ports],
    tell: Callable[[MediadError | None], None] = lambda _: None,
) -> None:
    """For ever. `tell` hears after every scan what was wrong with the drop folder, or None."""
    bell = _Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, drop, ports, bell)
        next_full = next_prune = clock.monotonic()
        while True:
            bell.reset()
            began = clock.monotonic()
            is_full = began >= next_full or ports().settings.ingest.polling
            new, fault = await _scanned(drop, journal, full=is_full)
            tell(fault)
            ended = clock.monotonic()
            if fault is not None:
                next_full = ended
                await clock.sleep(WORRIED_S)
                continue
            if is_full:
                next_full = ended + ports().settings.ingest.rescan_minutes * 60
                if not new and ended >= next_prune:
                    next_prune = ended + PRUNE_S
                    await _prune(ports().files)
            await clock.sleep(max(GAP_S, ended - began))
            with anyio.move_on_after(max(0.0, next_full - clock.monotonic())):
                await bell.wait()


async def _scanned(drop: Drop, journal: Journal, *, full: bool) -> tuple[int, MediadError | None]:
    try:
        new = await scan(drop, journal, full=full)
    except MediadError as fault:
        log.warning("drop.unreadable", code=fault.code)
        return 0, fault
    if new:
        log.info("drop.scanned", new=new, full=full)
    return new, None


async def _prune(files: Files) -> None:
    """What the taking has emptied. Tidiness only: when it fails, nobody needs to know."""
    try:
        gone = await files.prune(lambda name: bool(litter(name, is_folder=True)))
    except Bug:
        raise
    except MediadError:
        return
    if gone:
        log.info("drop.pruned", folders=gone)


async def _listen(drop: Drop, ports: Callable[[], Ports], bell: "_Bell") -> None:
    async for _ in drop.changes(polling=ports().settings.ingest.polling):
        bell.ring()


class _Bell:
    """Rung any number of times, heard once."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        self._event.set()

    def reset(self) -> None:
        self._event = anyio.Event()

    async def wait(self) -> None:
        await self._event.wait()
