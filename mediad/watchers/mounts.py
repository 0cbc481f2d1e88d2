"""
The folders' own watch: is each still the same, and is there room? And the journal's: does its disk take a write?

A fault pauses only what needs that part; when it is over, the work goes on by itself. A folder that does not answer
at all is a fault like any other: the question has a time limit, and nothing else waits for it.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

import anyio
import structlog

from mediad.engine import Engine
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Site
from mediad.policy.problems import Problem, Problems
from mediad.ports import Clock, Guard, Room

log = structlog.get_logger()

CALM_S: Final = 15.0
WORRIED_S: Final = 1.0  # while a fault is open: the person who plugs the disk in is waiting
PATIENCE_S: Final = 10.0
FULL: Final = "space.full"
ROOM: Final = 1 << 20  # so much more than there was, and a full disk is worth another try
# What cannot be seen from here (a quota, a disk that fails at the write) is tried again so often without being told.
STUBBORN_S: Final = 15.0
JOURNAL: Final = "journal"
DAMAGED: Final = "journal.corrupt"
SCARCE: Final = "space.scarce"
SCARCE_SHARE: Final = 0.05
SCARCE_BYTES: Final = 10 << 30  # so much is enough on any disk


class Watch:
    """`room` tells what a site's disk has; `prove` writes to the journal, or raises what keeps it from that."""

    def __init__(
        self,
        engine: Engine,
        problems: Problems,
        guard: Guard,
        clock: Clock,
        *,
        room: Callable[[Site], Awaitable[Room]],
        prove: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._problems = problems
        self._guard = guard
        self._clock = clock
        self._room = room
        self._prove = prove
        self._found: dict[Site, str] = {}  # the last fault that we saw ourselves
        self._met: dict[Site, tuple[int, float]] = {}  # by others: the least room, and since when

    async def run(self, sites: Collection[Site], scanned: Collection[Site] = ()) -> None:
        """
        For ever: every site now and then, and what has a fault every second, whoever met it.

        `scanned`: whose own watch looks at them, and knows nothing of what others meet there, a disk that is full,
        nor of that it hangs itself.
        """
        calm_until = self._clock.monotonic()
        while True:
            is_turn = self._clock.monotonic() >= calm_until
            if is_turn:
                calm_until = self._clock.monotonic() + CALM_S
            worried = [s for s in sites if is_turn or self._problems.about(s)]
            worried += [s for s in scanned if self._is_ours(s, is_turn=is_turn)]
            await self.ask_about_all(worried)
            if is_turn:
                await self.ask_about_room(sites)
            await self._ask_journal()
            await self._clock.sleep(WORRIED_S)

    def _is_ours(self, site: Site, *, is_turn: bool) -> bool:
        """Of a site with a watch of its own: has it no fault, or one that only we see the end of?"""
        known = self._problems.about(site)
        return is_turn if known is None else known.code in {FULL, self._found.get(site)}

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
        room = await self._room_at(site) if code == FULL else None
        free = room.free if room else 0
        now = self._clock.monotonic()
        least, since = self._met.get(site, (free, now))
        self._met[site] = min(least, free), since
        return free >= least + ROOM or now >= since + STUBBORN_S

    async def ask_about_room(self, sites: Collection[Site]) -> None:
        """A warning for each disk that is nearly full, while there is time; nothing waits because of it."""
        rooms: dict[Site, Room] = {}

        async def ask(site: Site) -> None:
            if room := await self._room_at(site):
                rooms[site] = room

        async with anyio.create_task_group() as tasks:
            for site in sites:
                if self._problems.about(site) is None:
                    tasks.start_soon(ask, site)
        on_disk: dict[int, list[Site]] = {}
        for site in filter(rooms.__contains__, sites):
            on_disk.setdefault(rooms[site].disk, []).append(site)
        for sharing in on_disk.values():
            self._judge(sharing, rooms[sharing[0]])

    def _judge(self, sites: Sequence[Site], room: Room) -> None:
        """One warning a disk, under the name of the first site on it."""
        for site in sites[1:] if is_scarce(room) else sites:
            self._problems.clear(_space_of(site))
        if is_scarce(room):
            self._warn(sites, room)

    def _warn(self, sites: Sequence[Site], room: Room) -> None:
        what = (
            f"the disk of {', '.join(sites)} has only {room.free / 2**30:.1f} GiB free of {room.total / 2**30:.1f};"
            " work goes on until it is full"
        )
        remedy = "free some space, or move a folder to a larger disk under [folders]"
        if self._problems.report(
            Problem(SCARCE, what, self._clock.now(), remedy, _space_of(sites[0]))
        ):
            log.warning("space.scarce", sites=[s.value for s in sites], free=room.free)

    async def _room_at(self, site: Site) -> Room | None:
        """None where nobody says."""
        with anyio.move_on_after(PATIENCE_S), suppress(MediadError):
            return await self._room(site)
        return None

    async def _ask_journal(self) -> None:
        known = self._problems.about(JOURNAL)
        if known is None or known.code == DAMAGED:  # a damaged one may well take a write
            return
        with suppress(MediadError):
            await self._prove()
            self._engine.link_is_up(JOURNAL)


def is_scarce(room: Room) -> bool:
    return room.free < min(SCARCE_SHARE * room.total, SCARCE_BYTES)


def _space_of(site: Site) -> str:
    """Another subject than the site itself: what is said about that pauses work."""
    return f"space of {site}"
