"""
Bring one lot through its stage: look, decide, act, look again; what was seen goes to the journal in one call.

What failed is sorted by who can put it right: time (backoff), a person (hold), nobody (hold), a developer (stop).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias, TypedDict, assert_never

import structlog

from mediad.engine.desk import Desk
from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Journal, Park, Step, Work
from mediad.model import AssetId, Evidence
from mediad.policy import backoff
from mediad.policy.breaker import Toll
from mediad.ports import Ports
from mediad.stages.verdict import Act, Ask, Done, Leave, Merge, Refuse, Stage, Verdict, Wait
from mediad.state import Position, State, Transition

log = structlog.get_logger()

MAX_LOOKS: Final = 5
# An act that ran into these has only learnt that the world is not as its look saw it: look again.
LOOK_AGAIN: Final = frozenset({"place.taken", "io.busy", "journal.conflict", "journal.too_late"})
# The asset went another way meanwhile (a late half joined it): what this lot saw no longer matters.
MOVED_ON: Final = "journal.moved_on"
SOONEST_MS: Final = 50  # how soon a wait may end

Again: TypeAlias = list[tuple[Work, MediadError | None]]  # who, and what was met
Told: TypeAlias = tuple[Work, Position | MediadError]


class Lots:
    def __init__(
        self,
        journal: Journal,
        ports: Callable[[], Ports],
        *,
        link_is_down: Callable[[str, MediadError], None],
        halt: Callable[[], Awaitable[None]],
        trip: Callable[[str, Toll], Awaitable[None]],
        is_wanted: Callable[[Stage[Any]], bool] = lambda _: True,
    ) -> None:
        """`is_wanted`: may the stage work at this moment?"""
        self._journal = journal
        self._ports = ports
        self._link_is_down = link_is_down
        self._halt = halt
        self._trip = trip
        self._is_wanted = is_wanted

    async def work(self, desk: Desk, lot: Sequence[Work]) -> int:
        """Never raises but Bug: every fault ends as a park or a link that is down. Returns how many assets moved."""
        try:
            return await self._sheltered(desk, lot)
        except Bug:
            raise
        except MediadError as fault:  # not even that could be written down: all stays as it was
            self.part_is_down(desk, fault)
            return 0

    def part_is_down(self, desk: Desk, fault: MediadError) -> None:
        """Nobody's own fault: the part is down, and what needs it stays ready."""
        site = fault.site or "journal"
        desk.hit.add(site)
        self._link_is_down(site, fault)

    async def _sheltered(self, desk: Desk, lot: Sequence[Work]) -> int:
        left = list(lot)
        try:
            return await self._lot(desk, left)
        except Bug:
            raise
        except MediadError as fault:
            return await self._each_alone(desk, left, fault)
        except (
            Exception
        ) as fault:  # one bad file never stops the rest: it is held, with its traceback
            log.exception("lot.crashed", stage=desk.stage.name, assets=[w.asset.id for w in left])
            return await self._each_alone(desk, left, _unexpected(fault))

    async def _each_alone(self, desk: Desk, lot: Sequence[Work], fault: MediadError) -> int:
        """A fault of the whole lot: alone, each member shows whether it was its own."""
        if len(lot) == 1 or fault.site:
            await self._park_failed(desk, [(w, fault) for w in lot])
            return 0
        return sum([await self._sheltered(desk, [w]) for w in lot])

    async def _lot(self, desk: Desk, left: list[Work]) -> int:
        """
        Bring a lot through its stage as far as it goes now. Safe to kill at any line. Returns how many moved.

        `left` always holds those for whom nothing is in the journal yet: they are what a fault leaves to do.
        """
        stage, io = desk.stage, self._ports()
        if stage.destructive:
            await self._journal.intend([w.asset.id for w in left], stage.name)
        moved = 0
        last: dict[AssetId, MediadError] = {}  # what was met, where that alone is no reason to stop
        for _ in range(MAX_LOOKS):
            looked = await self._look(stage, left, io)
            failed = [(w, f) for w, f in looked if isinstance(f, MediadError)]
            seen = [(w, f) for w, f in looked if not isinstance(f, MediadError)]
            ruled = [(w, f, stage.decide(w.asset, f)) for w, f in seen]
            desk.has_left |= any(isinstance(v, Leave) for _, _, v in ruled)
            await self._weigh(desk, ruled)
            again, done = await self._settle_verdicts(desk, ruled)
            may_act = self._may_still(desk, io)
            acting = [(w, f) for w, f, v in ruled if isinstance(v, Act) and may_act]
            moved += done
            left[:] = [w for w, _ in (*failed, *acting, *again)]
            acted = await self._act(stage, acting, io)
            failed += [(w, e) for w, e in acted if e is not None and e.code not in LOOK_AGAIN]
            again += [(w, e) for w, e in acted if e is None or e.code in LOOK_AGAIN]
            await self._park_failed(desk, failed)
            left[:] = [w for w, _ in again]
            last = {w.asset.id: e for w, e in again if e is not None}
            if not left:
                return moved
        await self._park_failed(
            desk, [(w, last.get(w.asset.id) or _no_effect(stage.name)) for w in left]
        )
        return moved

    async def _look(
        self, stage: Stage[Any], lot: Sequence[Work], io: Ports
    ) -> list[tuple[Work, Any]]:
        answers = await stage.look([w.asset for w in lot], io)
        return list(zip(lot, answers, strict=True))

    async def verdicts(
        self, stage: Stage[Any], lot: Sequence[Work], io: Ports
    ) -> list[tuple[Work, Verdict]]:
        """Look and decide only. A fault is told as the refusal that it would be."""
        ruled: list[tuple[Work, Verdict]] = []
        try:
            looked = await self._look(stage, lot, io)
        except MediadError as fault:
            looked = [(w, fault) for w in lot]
        for work, facts in looked:
            if isinstance(facts, MediadError):
                ruled.append((work, Refuse(facts.code, facts.what, facts.remedy)))
            else:
                ruled.append((work, stage.decide(work.asset, facts)))
        return ruled

    async def _weigh(self, desk: Desk, ruled: Sequence[tuple[Work, Any, Verdict]]) -> None:
        """Before a destructive stage acts: does what it met look like the loss of more than single files?"""
        if not desk.stage.destructive:
            return
        sound = sum(isinstance(v, Act) for _, _, v in ruled)
        lost = [w.asset.id for w, _, v in ruled if _is_loss(v)]
        toll = desk.breaker.count(self._ports().clock.monotonic(), sound, lost)
        if toll is not None:
            await self._trip(desk.stage.name, toll)

    def _may_still(self, desk: Desk, io: Ports) -> bool:
        """
        Before something is removed: is it still wanted? Reading a disk takes minutes, in which a person may say stop.

        A breaker that has tripped, a pause or other settings since leave them ready, and untouched.
        """
        if not desk.stage.destructive:
            return True
        is_same = self._ports().settings == io.settings
        return is_same and not desk.breaker.is_tripped and self._is_wanted(desk.stage)

    async def _act(
        self, stage: Stage[Any], acting: Sequence[tuple[Work, Any]], io: Ports
    ) -> list[tuple[Work, MediadError | None]]:
        if not acting:
            return []
        works = [w for w, _ in acting]
        answers = await stage.act([w.asset for w in works], [f for _, f in acting], io)
        answered = list(zip(works, answers, strict=True))
        await self._keep([(w, a) for w, a in answered if isinstance(a, Evidence)])
        return [(w, None if isinstance(a, Evidence) else a) for w, a in answered]

    async def _keep(self, seen: Sequence[tuple[Work, Evidence]]) -> None:
        """What was seen of assets that do not move by it."""
        if seen:
            await self._journal.witness([(w.asset.id, e) for w, e in seen])

    async def _settle_verdicts(
        self, desk: Desk, ruled: Sequence[tuple[Work, Any, Verdict]]
    ) -> tuple[Again, int]:
        """Every verdict but Act goes to the journal. Returns who must be looked at again, and how many moved."""
        steps: list[tuple[Work, Step]] = []
        parks: list[Park] = []
        merges: list[tuple[Work, Merge]] = []
        for work, _, verdict in ruled:
            match verdict:
                case Act() | Leave():
                    pass
                case Done(evidence, then):
                    move = Transition(work.state, desk.stage.name, then)
                    size = len(work.asset.originals)
                    steps.append((work, Step(work.asset.id, move, evidence, size)))
                case Merge():
                    merges.append((work, verdict))
                case Wait() | Ask() | Refuse():
                    parks.append(self._park(work, verdict))
                case _:
                    assert_never(verdict)
        noted = [(w, v.evidence) for w, _, v in ruled if isinstance(v, Wait) and v.evidence]
        await self._keep(noted)
        if parks:
            await self._journal.park(parks)
        answers = await self._merge(desk, merges)
        return await self._sorted(desk, answers + await self._record(desk, steps))

    async def _merge(self, desk: Desk, merges: Sequence[tuple[Work, Merge]]) -> list[Told]:
        """One that cannot join fails alone."""
        answers: list[Told] = []
        for work, merge in merges:
            guest, into = work.asset.id, merge.into
            if into in desk.busy:
                desk.joined.add(into)
            try:
                answers.append((work, await self._journal.merge(guest, into, merge.evidence)))
            except MediadError as fault:
                answers.append((work, fault))
        return answers

    async def _record(self, desk: Desk, steps: Sequence[tuple[Work, Step]]) -> list[Told]:
        # What was seen of a host before a half joined it is not what it is now: it stays ready for another look.
        steps = [(w, s) for w, s in steps if w.asset.id not in desk.joined]
        answers = await self._journal.record([s for _, s in steps])
        return list(zip([w for w, _ in steps], answers, strict=True))

    async def _sorted(self, desk: Desk, answers: Sequence[Told]) -> tuple[Again, int]:
        """What the journal said: moved, look again, or failed alone; who went another way is no longer ours."""
        faults = [(w, a) for w, a in answers if isinstance(a, MediadError)]
        await self._park_failed(desk, [(w, f) for w, f in faults if f.code not in LOOK_AGAIN])
        return [(w, f) for w, f in faults if f.code in LOOK_AGAIN], len(answers) - len(faults)

    async def _park_failed(self, desk: Desk, failed: Sequence[tuple[Work, MediadError]]) -> None:
        """Sort each fault by who can put it right: time, a person, nobody; a developer's stops the daemon."""
        parks = []
        for work, fault in failed:
            if isinstance(fault, Bug):
                raise fault
            if fault.site:
                self.part_is_down(desk, fault)
            elif fault.code != MOVED_ON:
                parks.append(self._park_fault(desk, work, fault))
        if parks:
            await self._journal.park(parks)
            if any(p.mark == "failed" for p in parks):
                await self._halt()

    def _park(self, work: Work, verdict: Wait | Ask | Refuse) -> Park:
        at, seen = (work.asset.id, work.state.lane), _seen(work)
        match verdict:
            case Wait(until, why, code, remedy):
                # A time that has passed means soon, and never a runner that turns on the spot.
                due = max(until, self._ports().clock.now() + SOONEST_MS)
                return Park(*at, "waiting", due, why, code, remedy, **seen)
            case Ask(code, why, remedy) | Refuse(code, why, remedy):
                return Park(*at, "held", None, why, code, remedy, **seen)
            case _:
                assert_never(verdict)

    def _park_fault(self, desk: Desk, work: Work, fault: MediadError) -> Park:
        io = self._ports()
        at, seen = (work.asset.id, work.state.lane), _seen(work)
        text = (fault.what, fault.code, fault.remedy)
        if isinstance(fault, NeedsOperator | Refused):
            log.warning("asset.held", asset=work.asset.id, stage=desk.stage.name, code=fault.code)
            return Park(*at, "held", None, *text, failed_attempt=True, **seen)
        attempts = work.attempts + 1
        rules = io.settings.workflow
        if backoff.gives_up(attempts, rules.retries):
            log.warning("asset.failed", asset=work.asset.id, stage=desk.stage.name, code=fault.code)
            return Park(*at, "failed", None, *text, failed_attempt=True, **seen)
        asked = fault.after_s if isinstance(fault, Retryable) else None
        pause = (
            asked
            if asked is not None
            else backoff.retry_after(
                attempts, io.clock.jitter(), rules.retry_seconds, rules.retry_longest_minutes * 60
            )
        )
        log.info(
            "asset.retry", asset=work.asset.id, stage=desk.stage.name, code=fault.code,
            attempt=attempts, after_s=round(pause, 1),
        )  # fmt: skip
        due = io.clock.now() + round(pause * 1000)
        return Park(*at, "retry", due, *text, failed_attempt=True, **seen)


def _is_loss(verdict: Verdict) -> bool:
    return isinstance(verdict, Refuse) or (isinstance(verdict, Wait) and verdict.is_loss)


class _Seen(TypedDict):
    state: State
    originals: int


def _seen(work: Work) -> _Seen:
    """What must still be so when a park is written: else it is about something that is no more."""
    return {"state": work.state, "originals": len(work.asset.originals)}


def _no_effect(stage: str) -> MediadError:
    return Refused(
        f"the {stage} stage keeps acting on this file without ever seeing its own effect; "
        "the file itself is untouched where it was",
        code="engine.no_effect",
        remedy="look at `mediactl explain` and the log, then `mediactl retry`",
    )


def _unexpected(fault: Exception) -> MediadError:
    return Refused(
        f"something unexpected went wrong with this file ({type(fault).__name__}); it is untouched where it is",
        code="bug.unexpected",
        remedy="please report it with the log lines of `mediactl logs`; `mediactl retry` tries again",
    )
