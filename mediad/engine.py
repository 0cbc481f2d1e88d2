"""
Look, decide, act, look again: the only loop that moves an asset, and the only place that logs a transition.

One runner a stage takes work from the journal in pages and cuts it into lots; a lot runs under the limiter of its
pool. What a lot saw goes to the journal in one call; what failed is sorted by who can put it right. The engine never
believes an act: only what the next look sees becomes evidence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, assert_never

import anyio
import structlog
from anyio.abc import TaskGroup

from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Journal, Park, Step, Work
from mediad.model import AssetId
from mediad.policy import backoff
from mediad.policy.problems import Problem, Problems
from mediad.policy.rates import Rate
from mediad.ports import Ports
from mediad.stages.verdict import Act, Ask, Done, Merge, Refuse, Stage, Verdict, Wait
from mediad.state import Lane, State, Transition, stage_of

log = structlog.get_logger()

MAX_LOOKS: Final = 5
LONGEST_NAP_S: Final = (
    60.0  # a runner looks at the journal at least this often, whatever it was told
)
# An act that ran into these has only learnt that the world is not as its look saw it: look again.
LOOK_AGAIN: Final = frozenset({"place.taken", "journal.conflict"})
# The asset went another way meanwhile (a late half joined it): what this lot saw no longer matters.
MOVED_ON: Final = "journal.moved_on"


@dataclass(frozen=True, slots=True)
class Planned:
    """What a stage would say of an asset now: look and decide, without act."""

    asset: AssetId
    stage: str
    verdict: Verdict


class Desk:
    """One stage's place in the engine: its runner's bell, who is being worked on, how fast it gets on."""

    def __init__(self, stage: Stage[Any]) -> None:
        self.stage = stage
        self.lane = next(iter(stage.at)).lane
        self.busy: set[AssetId] = set()
        self.rate = Rate()
        self.bell = anyio.Event()

    def ring(self) -> None:
        self.bell.set()

    async def nap(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.bell.wait()
        self.bell = anyio.Event()


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
        self._desks = {s.name: Desk(s) for s in stages}
        self._limiters: dict[str, anyio.CapacityLimiter] = {}
        self._paused: frozenset[str] = frozenset()
        self._lifted: frozenset[str] = (
            frozenset()
        )  # stages that a run order lets work although paused
        self._stopping = False
        self._changed = anyio.Event()

    # -- what faces and watchers may ask and order ------------------------------------------------

    def running(self, stage: str) -> int:
        desk = self._desks.get(stage)
        return len(desk.busy) if desk else 0

    def rate(self, stage: str) -> float:
        desk = self._desks.get(stage)
        return desk.rate.per_minute(self._ports().clock.monotonic()) if desk else 0.0

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
        """Read anew which stages are paused."""
        self._paused = frozenset(await self._journal.paused())
        self.wake()

    def link_is_up(self, site: str) -> None:
        """The outside part works again: its stages go on by themselves."""
        if self._problems.clear(site):
            log.info("link.up", site=site)
            self.wake()

    def link_is_down(self, site: str, fault: MediadError) -> None:
        """One problem, one line in the log, and only the stages that need this part wait."""
        now = self._ports().clock.now()
        if self._problems.report(Problem(fault.code, fault.what, now, fault.remedy, site)):
            log.warning("link.down", site=site, code=fault.code, what=fault.what)
            self._tell()

    def stop(self) -> None:
        """Take no more work; what runs may finish."""
        self._stopping = True
        self.wake()

    async def is_idle(self, *, retries_count: bool = True) -> bool:
        """Nothing runs, and nothing is ready that could run now. A wait for a later hour is not work."""
        if any(desk.busy for desk in self._desks.values()):
            return False
        counts = await self._journal.counts()
        return not any(
            n and self._is_work(State(state), mark, retries_count=retries_count)
            for (state, mark), n in counts.standing.items()
        )

    async def until_idle(self, *, retries_count: bool = True) -> None:
        while True:
            changed = self._changed
            if await self.is_idle(retries_count=retries_count):
                return
            with anyio.move_on_after(1.0):  # a due time may pass without anybody telling us
                await changed.wait()

    @contextmanager
    def lifted(self, stages: Iterable[str]) -> Iterable[None]:  # type: ignore[misc]  # contextmanager
        """Let these stages work although they are paused (a run order for some stages)."""
        self._lifted = frozenset(stages)
        self.wake()
        try:
            yield
        finally:
            self._lifted = frozenset()
            self.wake()

    async def plan(self, asset: AssetId) -> list[Planned]:
        """What each open lane's stage would do now, by the same look and decide as the real thing."""
        work = await self._journal.standing_work(asset)
        planned = []
        for item in work:
            desk = self._desks.get(stage_of(item.state) or "")
            if desk:
                [verdict] = await self._verdicts(desk.stage, [item], self._ports())
                planned.append(Planned(asset, desk.stage.name, verdict[1]))
        return planned

    # -- the runners ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until stopped; returns when the last running lot has finished."""
        self._journal.on_commit.append(self._committed)
        await self.refresh()
        async with anyio.create_task_group() as tasks:
            for desk in self._desks.values():
                tasks.start_soon(self._runner, desk, tasks, name=f"runner {desk.stage.name}")

    async def _runner(self, desk: Desk, tasks: TaskGroup) -> None:
        while not self._stopping:
            if not self._may_run(desk.stage):
                await desk.nap(LONGEST_NAP_S)
                continue
            clock = self._ports().clock
            room = self._limiter(desk.stage.pool)
            page = await self._journal.work(
                desk.stage.at, clock.now(), 2 * desk.stage.lot_files, desk.busy
            )
            if not page:
                due = await self._journal.next_due(desk.stage.at)
                nap = LONGEST_NAP_S if due is None else max(0.0, (due - clock.now()) / 1000)
                await desk.nap(min(nap, LONGEST_NAP_S) + 0.001)
                continue
            for lot in _lots(page, desk.stage):
                desk.busy.update(w.asset.id for w in lot)
                # The runner itself waits for a place, so that no more lots exist than can run.
                await room.acquire_on_behalf_of(lot[0])
                tasks.start_soon(self._lot_in_pool, desk, lot, room, name=f"lot {desk.stage.name}")

    async def _lot_in_pool(
        self, desk: Desk, lot: Sequence[Work], room: anyio.CapacityLimiter
    ) -> None:
        clock = self._ports().clock
        began = clock.monotonic()
        moved = 0
        try:
            moved = await self._lot(desk, lot)
        except Bug:
            raise
        except MediadError as fault:
            await self._all_failed(desk, lot, fault)
        except (
            Exception
        ) as fault:  # one bad file never stops the rest: it is held, with its traceback
            log.exception("lot.crashed", stage=desk.stage.name, assets=[w.asset.id for w in lot])
            await self._all_failed(desk, lot, _unexpected(fault))
        finally:
            room.release_on_behalf_of(lot[0])
            desk.busy.difference_update(w.asset.id for w in lot)
            if moved:
                desk.rate.add(clock.monotonic(), moved, clock.monotonic() - began)
            desk.ring()
            self._tell()

    async def _all_failed(self, desk: Desk, lot: Sequence[Work], fault: MediadError) -> None:
        """A fault of the whole lot: alone, each member shows whether it was its own."""
        if len(lot) == 1 or fault.site:
            await self._park_failed(desk, [(w, fault) for w in lot])
            return
        for work in lot:
            try:
                await self._lot(desk, [work])
            except Bug:
                raise
            except MediadError as own:
                await self._park_failed(desk, [(work, own)])
            except Exception as own:  # as above, and now it is known whose it is
                log.exception("lot.crashed", stage=desk.stage.name, assets=[work.asset.id])
                await self._park_failed(desk, [(work, _unexpected(own))])

    # -- one lot ----------------------------------------------------------------------------------

    async def _lot(self, desk: Desk, lot: Sequence[Work]) -> int:
        """Bring a lot through its stage as far as it goes now. Safe to kill at any line. Returns how many moved."""
        stage, io = desk.stage, self._ports()
        if stage.destructive:
            await self._journal.intend([w.asset.id for w in lot], stage.name)
        todo, moved = list(lot), 0
        for _ in range(MAX_LOOKS):
            looked = await self._look(stage, todo, io)
            failed = [(w, f) for w, f in looked if isinstance(f, MediadError)]
            seen = [(w, f) for w, f in looked if not isinstance(f, MediadError)]
            ruled = [(w, f, stage.decide(w.asset, f)) for w, f in seen]
            again, done = await self._settle_verdicts(desk, ruled)
            moved += done
            acting = [(w, f) for w, f, v in ruled if isinstance(v, Act)]
            failures, retry = await self._act(stage, acting, io)
            await self._park_failed(desk, failed + failures)
            todo = again + retry
            if not todo:
                return moved
        stuck = Refused(
            f"the {stage.name} stage keeps acting on this file without ever seeing its own effect; "
            "the file itself is untouched where it was",
            code="engine.no_effect",
            remedy="look at `mediactl explain` and the log, then `mediactl retry`",
        )
        await self._park_failed(desk, [(w, stuck) for w in todo])
        return moved

    async def _look(
        self, stage: Stage[Any], lot: Sequence[Work], io: Ports
    ) -> list[tuple[Work, Any]]:
        answers = await stage.look([w.asset for w in lot], io)
        return list(zip(lot, answers, strict=True))

    async def _verdicts(
        self, stage: Stage[Any], lot: Sequence[Work], io: Ports
    ) -> list[tuple[Work, Verdict]]:
        ruled: list[tuple[Work, Verdict]] = []
        for work, facts in await self._look(stage, lot, io):
            if isinstance(facts, MediadError):
                ruled.append((work, Refuse(facts.code, facts.what, facts.remedy)))
            else:
                ruled.append((work, stage.decide(work.asset, facts)))
        return ruled

    async def _act(
        self, stage: Stage[Any], acting: Sequence[tuple[Work, Any]], io: Ports
    ) -> tuple[list[tuple[Work, MediadError]], list[Work]]:
        """Returns the members that failed, and those to look at again."""
        if not acting:
            return [], []
        errors = await stage.act([w.asset for w, _ in acting], [f for _, f in acting], io)
        failures = []
        again = []
        for (work, _), error in zip(acting, errors, strict=True):
            if error is None or error.code in LOOK_AGAIN:
                again.append(work)
            else:
                failures.append((work, error))
        return failures, again

    async def _settle_verdicts(
        self, desk: Desk, ruled: Sequence[tuple[Work, Any, Verdict]]
    ) -> tuple[list[Work], int]:
        """Every verdict but Act goes to the journal. Returns who must be looked at again, and how many moved."""
        steps: list[tuple[Work, Step]] = []
        parks: list[Park] = []
        merged = 0
        for work, _, verdict in ruled:
            match verdict:
                case Act():
                    pass
                case Done(evidence, then):
                    move = Transition(work.state, desk.stage.name, then)
                    steps.append((work, Step(work.asset.id, move, evidence)))
                case Merge(into, evidence):
                    await self._journal.merge(work.asset.id, into, evidence)
                    merged += 1
                case Wait() | Ask() | Refuse():
                    parks.append(_park(work.asset.id, desk.lane, verdict))
                case _:
                    assert_never(verdict)
        if parks:
            await self._journal.park(parks)
        again, moved = await self._record(desk, steps)
        return again, moved + merged

    async def _record(
        self, desk: Desk, steps: Sequence[tuple[Work, Step]]
    ) -> tuple[list[Work], int]:
        if not steps:
            return [], 0
        again: list[Work] = []
        failed: list[tuple[Work, MediadError]] = []
        answers = await self._journal.record([s for _, s in steps])
        for (work, _), answer in zip(steps, answers, strict=True):
            if isinstance(answer, MediadError):
                if answer.code in LOOK_AGAIN:
                    again.append(work)
                elif answer.code != MOVED_ON:
                    failed.append((work, answer))
        await self._park_failed(desk, failed)
        return again, sum(not isinstance(a, MediadError) for a in answers)

    # -- what went wrong --------------------------------------------------------------------------

    async def _park_failed(self, desk: Desk, failed: Sequence[tuple[Work, MediadError]]) -> None:
        """Sort each fault by who can put it right: time, a person, nobody; a developer's stops the daemon."""
        parks = []
        for work, fault in failed:
            if isinstance(fault, Bug):
                raise fault
            if fault.site:  # not this file's fault: the part is down, and the file stays ready
                self.link_is_down(fault.site, fault)
                continue
            parks.append(self._park(desk, work, fault))
        if parks:
            await self._journal.park(parks)
            if any(p.mark == "failed" for p in parks):
                await self._halt_if_wanted()

    def _park(self, desk: Desk, work: Work, fault: MediadError) -> Park:
        io = self._ports()
        text = (fault.what, fault.code, fault.remedy)
        if isinstance(fault, NeedsOperator | Refused):
            log.warning("asset.held", asset=work.asset.id, stage=desk.stage.name, code=fault.code)
            return Park(work.asset.id, desk.lane, "held", None, *text, failed_attempt=True)
        attempts = work.attempts + 1
        if backoff.gives_up(attempts):
            log.warning("asset.failed", asset=work.asset.id, stage=desk.stage.name, code=fault.code)
            return Park(work.asset.id, desk.lane, "failed", None, *text, failed_attempt=True)
        asked = fault.after_s if isinstance(fault, Retryable) else None
        pause = asked if asked is not None else backoff.retry_after(attempts, io.clock.jitter())
        log.info(
            "asset.retry", asset=work.asset.id, stage=desk.stage.name, code=fault.code,
            attempt=attempts, after_s=round(pause, 1),
        )  # fmt: skip
        due = io.clock.now() + round(pause * 1000)
        return Park(work.asset.id, desk.lane, "retry", due, *text, failed_attempt=True)

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

    # -- small things -----------------------------------------------------------------------------

    def _limiter(self, pool: str) -> anyio.CapacityLimiter:
        return self._limiters.setdefault(pool, anyio.CapacityLimiter(2))

    def _is_paused(self, stage: str) -> bool:
        return stage not in self._lifted and bool(self._paused & {stage, "*"})

    def _may_run(self, stage: Stage[Any]) -> bool:
        links_up = not any(self._problems.about(link) for link in stage.needs)
        return links_up and not self._is_paused(stage.name)

    def _is_work(self, state: State, mark: str, *, retries_count: bool) -> bool:
        desk = self._desks.get(stage_of(state) or "")
        if desk is None or not self._may_run(desk.stage):
            return False
        if (
            mark == "waiting"
        ):  # an arrival settles within seconds; any other wait is for a later hour
            return state.lane is Lane.INTAKE
        return mark == "ready" or (mark == "retry" and retries_count)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _committed(self, rows: Sequence[Any]) -> None:
        """After the commit: one line a transition, and the runners whose states were entered wake."""
        for row in rows:
            log.info(
                "asset.moved",
                asset=row.asset,
                stage=row.stage,
                was=row.from_state,
                now=row.to_state,
            )
        for name in {n for s in chain.from_iterable(r.opened for r in rows) if (n := stage_of(s))}:
            if name in self._desks:
                self._desks[name].ring()
        self._tell()


def _lots(page: Sequence[Work], stage: Stage[Any]) -> list[list[Work]]:
    """Cut a page into lots by count and by bytes; an asset larger than a lot is a lot of its own."""
    lots: list[list[Work]] = []
    room = 0
    for work in page:
        size = sum(o.size for o in work.asset.originals)
        if not lots or len(lots[-1]) >= stage.lot_files or room < size:
            lots.append([])
            room = stage.lot_bytes
        lots[-1].append(work)
        room -= size
    return lots


def _park(asset: AssetId, lane: Lane, verdict: Wait | Ask | Refuse) -> Park:
    match verdict:
        case Wait(until, why):
            return Park(asset, lane, "waiting", until, why)
        case Ask(code, why, remedy) | Refuse(code, why, remedy):
            return Park(asset, lane, "held", None, why, code, remedy)
        case _:
            assert_never(verdict)


def _unexpected(fault: Exception) -> MediadError:
    return Refused(
        f"something unexpected went wrong with this file ({type(fault).__name__}); it is untouched where it is",
        code="bug.unexpected",
        remedy="please report it with the log lines of `mediactl logs`; `mediactl retry` tries again",
    )
