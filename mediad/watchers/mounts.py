"""
The folders' own watch: is each still the same, and is there room? And the journal's: does its disk take a write?

A fault pauses only what needs that part; when it is over, the work goes on by itself. A folder that does not answer
at all is a fault like any other: the question has a time limit, and nothing else waits for it.
"""

from collections.abc import Awaitable, Callable, Collection
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
STUBBORN_S: Final = (
    15.0  # a quota has room that cannot be seen: try now and then without being told
)
JOURNAL: Final = "journal"


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
        self._full: dict[Site, tuple[int, float]] = {}  # the least room seen, and since when

    async def run(self, sites: Collection[Site]) -> None:
        """For ever: every site now and then, and what has a fault every second, whoever met it."""
        calm_until = self._clock.monotonic()
        while True:
            is_turn = self._clock.monotonic() >= calm_until
            if is_turn:
                calm_until = self._clock.monotonic() + CALM_S
            for site in sites:
                if is_turn or self._problems.about(site):
                    await self.ask_about(site)
            if self._problems.about(JOURNAL):
                await self._ask_journal()
            await self._clock.sleep(WORRIED_S)

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
            if known and known.code != fault.code:
                self._problems.clear(site)
            self._engine.link_is_down(site, fault)
        elif not (known and known.code == FULL and await self._is_still_full(site)):
            self._full.pop(site, None)
            self._engine.link_is_up(site)

    async def _is_still_full(self, site: Site) -> bool:
        """Whoever met the full disk knew how much was wanted; we only see whether there is more room since."""
        free = 0
        try:
            with anyio.move_on_after(PATIENCE_S):
                free = await self._free(site)
        except MediadError:
            return True  # the next look at the folder says more
        now = self._clock.monotonic()
        least, since = self._full.get(site, (free, now))
        self._full[site] = min(least, free), since
        return free < least + ROOM and now < since + STUBBORN_S

    async def _ask_journal(self) -> None:
        try:
            await self._prove()
        except MediadError:
            return
        self._engine.link_is_up(JOURNAL)
