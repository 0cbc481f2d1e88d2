"""
The scrub: every copy is read again within a cycle, so that rot is found while another copy can still heal it.

One file after the other, within the day's budget and hours; not while the pipeline works or all of it is paused, and
not at a site that is away. A kill loses at most the lot in hand: what was read, and what it cost of the day's budget,
is in the journal.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import anyio
import structlog

from mediad.engine import Engine
from mediad.errors import Bug, MediadError
from mediad.journal import Journal
from mediad.policy import scrub
from mediad.policy.problems import Problems
from mediad.policy.scrub import SITES, Day, Found, Progress, Rules, Stored
from mediad.policy.scrub_words import problems_of
from mediad.ports import Clock, Ports
from mediad.watchers.rereading import Rereader

log = structlog.get_logger()

SUBJECT: Final = "scrub"
IDLE_S: Final = 60.0  # nothing is due, or it may not read: looked at again so often
BUSY_S: Final = 5.0
SHORTEST_S: Final = 0.5
COUNT_S: Final = 600.0  # between two countings of all copies
SLOWEST: Final = 1 << 20  # bytes a second: a site slower than this hangs
PATIENCE_S: Final = 100.0


class Stands(NamedTuple):
    """How the scrub stands, for those who show it."""

    is_reading: bool
    why: str  # why it does not read just now; "" while it does
    progress: Progress | None  # as it was last counted
    day: int  # whose budget is being spent


class Scrub:
    def __init__(
        self, journal: Journal, engine: Engine, problems: Problems, ports: Callable[[], Ports]
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._problems = problems
        self._ports = ports
        self._reader = Rereader(journal, engine)
        self._counted_at: float | None = None
        self._last_wrong = 0
        self.patience_s = PATIENCE_S  # how long the lot in hand may take
        self.stands = Stands(is_reading=False, why="it has not begun yet", progress=None, day=0)

    async def run(self, clock: Clock) -> None:
        """For ever. `clock` is its heart: it says before every lot how long that may take."""
        while True:
            await clock.sleep(await self.turn(clock))

    async def turn(self, clock: Clock) -> float:
        """One lot at most. Returns after how many seconds to come again."""
        try:
            return await self._turn(clock)
        except Bug:
            raise
        except MediadError as fault:  # the journal does not answer
            self._engine.link_is_down(fault.site or "journal", fault)
            return self._rests("the journal does not answer", IDLE_S)

    async def _turn(self, clock: Clock) -> float:
        rules = Rules.of(self._ports().settings)
        await self._look_after(rules, clock)
        now = clock.now()
        local = now + _offset_ms(now)
        spent = await self._journal.scrub_day(scrub.day_of(rules, local))
        self.stands = self.stands._replace(day=spent.day)
        may = scrub.turn(rules, local, spent)
        if not may.may_read:
            return self._rests(may.why, min(may.wait_ms / 1000, IDLE_S))
        if self._engine.is_paused:
            return self._rests("everything is paused", IDLE_S)
        if any(self._engine.running(stage) for stage in self._engine.stages()):
            return self._rests("the pipeline is at work", BUSY_S)
        sites = [site for site in SITES if self._problems.about(site) is None]
        due = await self._journal.stale_copies(now - rules.cycle_ms, sites, now, scrub.LOT_FILES)
        lot = scrub.lot_of(due, rules, spent)
        if lot:
            return await self._read(lot, spent.day, clock)
        if due:
            return self._rests("the bytes of today are spent (scrub.bytes_per_day)", IDLE_S)
        oldest = await self._journal.stale_copies(now, sites, now, 1)
        due_s = (oldest[0].read_at + rules.cycle_ms - now) / 1000 if oldest else IDLE_S
        nap = min(max(due_s, SHORTEST_S), IDLE_S)
        return self._rests("every copy has been read within its cycle", nap)

    async def _read(self, lot: list[Stored], day: int, clock: Clock) -> float:
        self.stands = self.stands._replace(is_reading=True, why="")
        self.patience_s = PATIENCE_S + sum(s.size for s in lot) / SLOWEST
        await clock.sleep(0)  # the heart hears how long this may take
        began = clock.monotonic()
        try:
            with anyio.move_on_after(self.patience_s) as patience:
                readings = await self._reader.read(lot, self._ports())
        finally:
            self.stands = self.stands._replace(is_reading=False)
        if patience.cancelled_caught:
            return self._rests(f"{lot[0].place.site} does not answer", IDLE_S)
        read = [r for r in readings if r.what is not None]
        cost = Day(
            day,
            max(1, round(1000 * (clock.monotonic() - began))),
            sum(r.stored.size for r in read if r.what is not Found.MISSING),
            len(read),
        )
        await self._journal.copies_read([], clock.now(), cost)
        if any(r.what is not Found.WHOLE for r in read):
            await self._tell(Rules.of(self._ports().settings), clock.now())
        if not read:
            return self._rests(f"{lot[0].place.site} cannot be read just now", IDLE_S)
        return 0.0

    def _rests(self, why: str, seconds: float) -> float:
        self.stands = self.stands._replace(why=why)
        return seconds

    async def _look_after(self, rules: Rules, clock: Clock) -> None:
        """What was healed meanwhile, how far it is, and what a person should know of it."""
        last = self._counted_at
        if last is None or clock.monotonic() - last >= COUNT_S:
            self._counted_at = clock.monotonic()
            before = clock.now() - rules.cycle_ms
            progress = await self._journal.scrub_progress(before, SITES)
            self.stands = self.stands._replace(progress=progress)
            await self._tell(rules, clock.now())
        elif self._last_wrong:
            await self._tell(rules, clock.now())

    async def _tell(self, rules: Rules, now: int) -> None:
        for key in await self._journal.settle_damage(now):
            log.info("copy.healed", key=key)
        open_ = await self._journal.open_damage()
        self._last_wrong = len(open_)
        far = self.stands.progress
        behind = far if far is not None and scrub.is_behind(far, rules, now) else None
        told = problems_of(open_, await self._journal.latest_damage(), now, behind)
        codes = {p.code for p in told}
        for known in self._problems.now():
            if known.subject == SUBJECT and known.code not in codes:
                self._problems.clear(SUBJECT, prefix=known.code)
        for problem in told:
            if self._problems.report(problem):
                log.warning(problem.code, what=problem.message)


def _offset_ms(now: int) -> int:
    """Of the clock on the wall here from UTC, at that moment."""
    offset = datetime.fromtimestamp(now / 1000, UTC).astimezone().utcoffset()
    return round(offset.total_seconds() * 1000) if offset else 0
