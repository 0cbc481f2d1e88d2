"""
The folders' own watch: is each still the same, and is there room? And the journal's: does its disk take a write?

A fault pauses only what needs that part; when it is over, the work goes on by itself. A folder that does not answer
at all is a fault like any other: the question has a time limit, and nothing else waits for it.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final

import anyio

from mediad.engine import Engine
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Site
from mediad.policy.problems import Problems
from mediad.ports import Clock, Guard

CALM_S: Final = 15.0
WORRIED_S: Final = 1.0  # while a fault is open: the person who plugs the disk in is waiting
PATIENCE_S: Final = 10.0
FULL: Final = "space.full"
ROOM: Final = 1 << 20  # so much more than there was, and a full disk is worth another try
# What cannot be seen from here (a quota, a disk that fails at the write) is tried again so often without being told.
STUBBORN_S: Final = 15.0
JOURNAL: Final = "journal"
DAMAGED: Final = "journal.corrupt"


class Watch:
    """`free` tells the room at a site; `prove` writes to the journal, or raises what keeps it from being written."""

    def __init__(
        self,
        engine: Engine,
        problems: Problems,
        guard: Guard,
        clock: Clock,
        *,
        free: Callable[[Site], Awaitable[int]],
        prove: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._problems = problems
        self._guard = guard
        self._clock = clock
        self._free = free
        self._prove = prove
        self._found: dict[Site, str] = {}  # the last fault that we saw ourselves
        self._met: dict[Site, tuple[int, float]] = {}  # by others: the least room, and since when

    async def run(self, sites: Collection[Site]) -> None:
        """For ever: every site now and then, and what has a fault every second, whoever met it."""
        calm_until = self._clock.monotonic()
        while True:
            is_turn = self._clock.monotonic() >= calm_until
            if is_turn:
                calm_until = self._clock.monotonic() + CALM_S
            await self.ask_about_all([s for s in sites if is_turn or self._problems.about(s)])
            await self._ask_journal()
            await self._clock.sleep(WORRIED_S)

    async def ask_about_all(self, sites: Collection[Site]) -> None:
        """At once: one that hangs keeps no other from being asked."""
        async with anyio.create_task_group() as tasks:
            for site in sites:
                tasks.start_soon(self.ask_about, site)

    async def ask_about(self, site: Site) -> None:
        """Look at one site now and tell the engine."""
        fault: MediadError | None = NeedsOperator(
            f"the folder of {site} has not answered for {PATIENCE_S:.0f} s; what needs it waits, nothing is lost",
            code=f"{site}.hung",
            remedy="check the file server or the cable; mediad goes on by itself when the folder answers",
            site=site,
        )
        with anyio.move_on_after(PATIENCE_S):
            fault = await self._guard.check(site)
        known = self._problems.about(site)
        if fault is not None:
            self._found[site] = fault.code
            if known and known.code != fault.code:
                self._problems.clear(site)
            self._engine.link_is_down(site, fault)
        elif known is None or await self._is_over(site, known.code):
            self._met.pop(site, None)
            self._engine.link_is_up(site)

    async def _is_over(self, site: Site, code: str) -> bool:
        """
        What we found is over when we find it no more. What others met may be nothing that we can see.

        Whoever met a full disk knew how much was wanted; we only see whether there is more room since.
        """
        if self._found.get(site) == code:
            return True
        free = await self._room(site) if code == FULL else 0
        now = self._clock.monotonic()
        least, since = self._met.get(site, (free, now))
        self._met[site] = min(least, free), since
        return free >= least + ROOM or now >= since + STUBBORN_S

    async def _room(self, site: Site) -> int:
        """0 where nobody says."""
        with anyio.move_on_after(PATIENCE_S), suppress(MediadError):
            return await self._free(site)
        return 0

    async def _ask_journal(self) -> None:
        known = self._problems.about(JOURNAL)
        if known is None or known.code == DAMAGED:  # a damaged one may well take a write
            return
        with suppress(MediadError):
            await self._prove()
            self._engine.link_is_up(JOURNAL)
