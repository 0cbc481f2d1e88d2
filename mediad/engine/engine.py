"""
The runners: one a stage takes work from the journal in pages and cuts it into lots, each under its pool's limiter.

The only place that logs a transition. Nothing here knows what a stage does; nothing here waits for ever without a
problem in `status` that says so.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup

from mediad.engine.desk import (
    LONGEST_NAP_S,
    Desk,
    Place,
    Planned,
    give_up_places,
    is_work,
    lots_of,
    nap_s,
)
from mediad.engine.lots import Lots
from mediad.errors import Bug, MediadError
from mediad.journal import OFF, Committed, Journal, Mark, Work
from mediad.model import AssetId
from mediad.policy.breaker import Toll
from mediad.policy.problems import Problem, Problems
from mediad.ports import Ports
from mediad.stages.verdict import Stage
from mediad.state import Lane, State, stage_of

log = structlog.get_logger()


class Engine:
    def __init__(
        self,
        journal: Journal,
        stages: Sequence[Stage[Any]],
        ports: Callable[[], Ports],
        problems: Problems,
    ) -> None:
        self._journal = journal
        self._ports = ports
        self._problems = problems
        self._lots = Lots(
            journal,
            ports,
            link_is_down=self.link_is_down,
            halt=self._halt_if_wanted,
            trip=self._trip,
            is_wanted=self._may_run,
        )
        self._desks = {s.name: Desk(s) for s in stages}
        self._limiters: dict[str, anyio.CapacityLimiter] = {}
        self._paused: frozenset[str] = frozenset()
        self._pausing = anyio.Lock()
        self._lifted: frozenset[str] = frozenset()  # paused, but a run order lets them work
        self._run: int | None = None  # the run order that is under way
        self._stopping = False
        self._changed = anyio.Event()
        self.moves = 0  # transitions since the start: to see whether anything gets on

    # -- what faces and watchers may ask and order ------------------------------------------------

    def running(self, stage: str) -> int:
        desk = self._desks.get(stage)
        return len(desk.busy) if desk else 0

    def stages(self) -> frozenset[str]:
        return frozenset(self._desks)

    def may_work(self, stage: str) -> bool:
        """It is there, not paused, and every outside part that it needs is up."""
        desk = self._desks.get(stage)
        return desk is not None and self._may_run(desk.stage)

    def works_on(self, asset: AssetId) -> frozenset[str]:
        """The stages that are busy with this asset at this moment."""
        return frozenset(name for name, desk in self._desks.items() if asset in desk.busy)

    def closed(self, stage: str) -> str:
        """Why the stage takes nothing just now, though it is on and there is work; "" when it does."""
        desk = self._desks.get(stage)
        return desk.closed if desk else ""

    def rate(self, stage: str) -> float:
        desk = self._desks.get(stage)
        return desk.rate.per_minute(self._ports().clock.monotonic()) if desk else 0.0

    def stuck(self, longer_than_s: float) -> list[str]:
        """Runners that have been asking for work for so long: the journal or a door does not answer."""
        since = self._ports().clock.monotonic() - longer_than_s
        return [f"runner {name}" for name, desk in self._desks.items() if desk.asked_at < since]

    def overdue(self) -> Mapping[str, Sequence[str]]:
        """By stage: what it has been busy with for longer than anything takes."""
        now = self._ports().clock.monotonic()
        return {n: names for n, desk in self._desks.items() if (names := desk.overdue(now))}

    @property
    def is_paused(self) -> bool:
        """All of it: then nobody who only looks should read either."""
        return all(map(self._is_paused, self._desks))

    def wake(self) -> None:
        """Something may have changed: every runner looks at the journal again."""
        for desk in self._desks.values():
            desk.ring()
        self._tell()

    def set_pools(self, sizes: Mapping[str, int]) -> None:
        """The number of lots at once for each kind of work; changed live, running lots finish."""
        for pool, size in sizes.items():
            self._limiter(pool).total_tokens = max(1, size)

    async def refresh(self) -> None:
        """Read anew which stages are paused, one after the other: an older answer must not come last."""
        async with self._pausing:
            self._paused = frozenset(await self._journal.paused())
        self.wake()

    def reset_breakers(self, stage: str | None) -> None:
        """A person lets a stage (None: every one) go on: what its breaker has counted is forgotten."""
        for name, desk in self._desks.items():
            if stage in {None, name} and desk.breaker.reset():
                self._problems.clear(name, prefix="safety.")
                log.info("breaker.reset", stage=name)

    def link_is_up(self, site: str) -> None:
        """The outside part works again: its stages go on by themselves."""
        if self._problems.clear(site):
            log.info("link.up", site=site)
            self.wake()

    def link_is_down(self, site: str, fault: MediadError) -> None:
        """One problem, one line in the log, and only the stages that need this part wait: no other, for no place."""
        give_up_places(self._desks.values(), site)
        now = self._ports().clock.now()
        if self._problems.report(Problem(fault.code, fault.what, now, fault.remedy, site)):
            log.warning("link.down", site=site, code=fault.code, what=fault.what)
            self._tell()

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Take no more work; what runs may finish."""
        self._stopping = True
        self.wake()

    async def is_idle(self, *, retries_count: bool = True, waits_count: bool = True) -> bool:
        """Nothing runs, and nothing could run now. A wait for a later hour is not work; one that is over is."""
        if self._is_busy():
            return False
        counts = await self._journal.counts()
        if any(
            n and self._is_work(State(state), mark, retries_count=retries_count)
            for (state, mark), n in counts.standing.items()
            if waits_count or mark is not Mark.WAITING
        ):
            return False
        is_due = waits_count and await self._is_any_due()
        return not is_due and not self._is_busy()  # what has started may have paused its own stage

    async def _is_any_due(self) -> bool:
        now = self._ports().clock.now()
        for desk in self._desks.values():
            if not desk.closed and self._may_run(desk.stage):
                due = await self._journal.next_due(desk.stage.at)
                if due is not None and due <= now:
                    return True
        return False

    def _is_busy(self) -> bool:
        return any(desk.busy for desk in self._desks.values())

    async def until_idle(self, *, retries_count: bool = True) -> None:
        while True:
            changed = self._changed
            if await self.is_idle(retries_count=retries_count):
                return
            with anyio.move_on_after(1.0):  # a due time may pass without anybody telling us
                await changed.wait()

    async def until_quiet(self) -> None:
        """No lot runs any more (after `stop`, that is for good)."""
        while self._is_busy():
            await self._changed.wait()

    @contextmanager
    def lifted(self, stages: Collection[str], run: int | None = None) -> Iterator[None]:
        """Let these stages work although they are paused (a run order for some stages); the log names the run."""
        self._lifted, self._run = frozenset(stages), run
        self.wake()
        try:
            yield
        finally:
            self._lifted, self._run = frozenset(), None
            self.wake()

    async def plan(self, asset: AssetId) -> list[Planned]:
        """What each open lane's stage would do now, by the same look and decide as the real thing."""
        work = await self._journal.standing_work(asset)
        planned = []
        for item in work:
            desk = self._desks.get(stage_of(item.state) or "")
            if desk:
                [verdict] = await self._lots.verdicts(desk.stage, [item], self._ports())
                planned.append(Planned(asset, desk.stage.name, verdict[1]))
        return planned

    # -- the runners ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until stopped; returns when the last running lot has finished."""
        self._journal.on_commit.append(self._committed)
        try:
            await self.refresh()
            async with anyio.create_task_group() as tasks:
                for desk in self._desks.values():
                    tasks.start_soon(self._runner, desk, tasks, name=f"runner {desk.stage.name}")
        finally:
            self._journal.on_commit.remove(self._committed)

    async def _runner(self, desk: Desk, tasks: TaskGroup) -> None:
        while not self._stopping:
            if not self._may_run(desk.stage):
                await desk.nap(LONGEST_NAP_S)
                continue
            try:
                free_s = await self._turn(desk, tasks)
            except Bug:
                raise
            except MediadError as fault:  # the journal does not answer: its stages wait for it
                self._lots.part_is_down(desk, fault)
                continue
            if free_s:
                await desk.nap(free_s)

    async def _turn(self, desk: Desk, tasks: TaskGroup) -> float:
        """
        Start what is due, as far as there is room. Returns for how many seconds there is nothing to do.

        First the place, then the work: a lot that starts was read just now, and nothing starts after a stop or a pause.
        """
        place = desk.place_in(room := self._limiter(desk.stage.pool))
        await place.take()
        desk.asked_at = self._ports().clock.monotonic()
        try:
            lots, free_s = await self._due(desk)
        except BaseException:
            place.give_back()
            raise
        finally:
            desk.asked_at = math.inf
        for lot in lots:
            desk.busy.update(w.asset.id for w in lot)
            tasks.start_soon(self._lot_in_pool, desk, lot, place)
            place = desk.place_in(room)
            try:
                place.take_nowait()
            except anyio.WouldBlock:  # what else was read may be old when there is room again
                return 0.0
        place.give_back()
        return free_s

    async def _due(self, desk: Desk) -> tuple[list[list[Work]], float]:
        """The lots that may start now; none: for how many seconds that stays so."""
        if self._stopping or not self._may_run(desk.stage):
            return [], 0.0
        now = self._ports().clock.now()
        if now < desk.rests_until:
            return [], nap_s(now, desk.rests_until)
        if desk.stage.door and await self._journal.next_due(desk.stage.at) is not None:
            wait = await desk.stage.door(self._ports())  # nobody is asked for nobody's sake
            desk.closed = wait.why if wait else ""
            if wait:
                return [], nap_s(now, wait.until)
        free = 1 + int(self._limiter(desk.stage.pool).available_tokens)  # ours is taken already
        limit = min(free, 2) * desk.stage.lot_files
        page = await self._journal.work(desk.stage.at, now, limit, desk.busy)
        if page:
            return lots_of(page, desk.stage), 0.0
        return [], nap_s(now, await self._journal.next_due(desk.stage.at))

    async def _lot_in_pool(self, desk: Desk, lot: Sequence[Work], place: Place) -> None:
        clock = self._ports().clock
        began = place.began = clock.monotonic()
        place.lot = lot
        desk.places.add(place)
        moved = 0
        try:
            moved = await self._lots.work(desk, lot)
        finally:
            place.give_back()
            desk.places.discard(place)
            desk.busy.difference_update(w.asset.id for w in lot)
            desk.joined &= desk.busy
            if moved:
                desk.rate.add(clock.monotonic(), moved, clock.monotonic() - began)
            desk.rest_if_useless(moved, clock.now())
            desk.ring()
            self._open_doors({s.lane for s in desk.stage.at})
            self._tell()

    def _open_doors(self, lanes: Collection[Lane]) -> None:
        """Somebody of these lanes has been worked on: a door that was shut may be open now. It is asked again."""
        for desk in self._desks.values():
            if desk.closed and any(s.lane in lanes for s in desk.stage.at):
                desk.closed = ""
                desk.ring()

    async def _halt_if_wanted(self) -> None:
        if not self._ports().settings.workflow.halt_on_error:
            return
        await self._journal.pause(None)
        now = self._ports().clock.now()
        self._problems.report(
            Problem(
                "workflow.halted",
                "a file failed and workflow.halt_on_error is set: everything is paused, nothing is lost",
                now,
                "see `mediactl list --state failed`, then `mediactl resume`",
                "workflow",
            )
        )
        await self.refresh()

    async def _trip(self, stage: str, toll: Toll) -> None:
        log.error("breaker.tripped", stage=stage, lost=toll.lost, judged=toll.judged)
        self._problems.report(
            Problem(
                "safety.breaker",
                f"{toll.lost} of {toll.judged} files that {stage} looked at within an hour have lost a proof that was"
                f" there: a copy that was verified once, or what iCloud had; {stage} has stopped: nothing more is"
                " removed, and none of these files was",
                self._ports().clock.now(),
                f"look at the archive with `mediactl verify --site archive`, then `mediactl resume {stage}`",
                stage,
            )
        )
        await self._journal.pause(stage)
        await self.refresh()

    # -- small things -----------------------------------------------------------------------------

    def _limiter(self, pool: str) -> anyio.CapacityLimiter:
        return self._limiters.setdefault(pool, anyio.CapacityLimiter(2))

    def _is_paused(self, stage: str) -> bool:
        return stage not in self._lifted and bool(self._paused & {stage, "*"})

    def _may_run(self, stage: Stage[Any]) -> bool:
        needs = stage.needs | self._desks[stage.name].hit
        links_up = not any(self._problems.about(link) for link in needs)
        is_tripped = self._desks[stage.name].breaker.is_tripped  # no run order lifts that
        return links_up and not is_tripped and not self._is_paused(stage.name)

    def _is_work(self, state: State, mark: str, *, retries_count: bool) -> bool:
        desk = self._desks.get(stage_of(state) or "")
        if desk is None or desk.closed or not self._may_run(desk.stage):
            return False  # behind a shut door: what shut it is the work
        return is_work(state, Mark(mark), retries_count=retries_count)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _committed(self, rows: Sequence[Committed]) -> None:
        """After the commit: one line a transition, and the runners whose states were entered wake."""
        self.moves += sum(not row.is_witness for row in rows)
        bound = log.bind() if self._run is None else log.bind(run=self._run)
        for row in rows:
            if row.is_witness:
                rungs = sorted({w.rung for w in row.evidence.witnesses})
                bound.info("asset.witnessed", asset=row.asset, rungs=rungs)
                continue
            say = bound.debug if row.evidence.kind == OFF else bound.info
            say(
                "asset.moved",
                asset=row.asset, stage=row.stage, was=row.from_state, now=row.to_state,
                evidence=row.evidence.kind, code=row.evidence.code,
            )  # fmt: skip
        for name in {n for s in chain.from_iterable(r.opened for r in rows) if (n := stage_of(s))}:
            if name in self._desks:
                self._desks[name].ring()
        entered = {r.to_state for r in rows}
        for desk in self._desks.values():
            if desk.stage.rung_by & entered:
                desk.closed = ""
                desk.ring()
        self._tell()
