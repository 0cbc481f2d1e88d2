"""
Bring one lot through its stage: look, decide, act, look again; what was seen goes to the journal in one call.

What failed is sorted by who can put it right: time (backoff), a person (hold), nobody (hold), a developer (stop).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, assert_never

import structlog

from mediad.engine.desk import Desk
from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Journal, Park, Step, Work
from mediad.model import AssetId, Evidence
from mediad.policy import backoff
from mediad.ports import Ports
from mediad.stages.verdict import Act, Ask, Done, Merge, Refuse, Stage, Verdict, Wait
from mediad.state import Lane, Transition

log = structlog.get_logger()

MAX_LOOKS: Final = 5
# An act that ran into these has only learnt that the world is not as its look saw it: look again.
LOOK_AGAIN: Final = frozenset({"place.taken", "io.busy", "journal.conflict"})
# The asset went another way meanwhile (a late half joined it): what this lot saw no longer matters.
MOVED_ON: Final = "journal.moved_on"


class Lots:
    def __init__(
        self,
        journal: Journal,
        ports: Callable[[], Ports],
        *,
        link_is_down: Callable[[str, MediadError], None],
        halt: Callable[[], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._ports = ports
        self._link_is_down = link_is_down
        self._halt = halt

    async def work(self, desk: Desk, lot: Sequence[Work]) -> int:
        """Never raises but Bug: every fault ends as a park. Returns how many assets moved."""
        try:
            return await self._lot(desk, lot)
        except Bug:
            raise
        except MediadError as fault:
            return await self._each_alone(desk, lot, fault)
        except (
            Exception
        ) as fault:  # one bad file never stops the rest: it is held, with its traceback
            log.exception("lot.crashed", stage=desk.stage.name, assets=[w.asset.id for w in lot])
            return await self._each_alone(desk, lot, _unexpected(fault))

    async def _each_alone(self, desk: Desk, lot: Sequence[Work], fault: MediadError) -> int:
        """A fault of the whole lot: alone, each member shows whether it was its own."""
        if len(lot) == 1 or fault.site:
            await self._park_failed(desk, [(w, fault) for w in lot])
            return 0
        return sum([await self.work(desk, [w]) for w in lot])

    async def _lot(self, desk: Desk, lot: Sequence[Work]) -> int:
        """Bring a lot through its stage as far as it goes now. Safe to kill at any line. Returns how many moved."""
        stage, io = desk.stage, self._ports()
        if stage.destructive:
            await self._journal.intend([w.asset.id for w in lot], stage.name)
        todo, moved = list(lot), 0
        last: dict[
            AssetId, MediadError
        ] = {}  # what an act met, where that alone is no reason to give up
        for _ in range(MAX_LOOKS):
            looked = await self._look(stage, todo, io)
            failed = [(w, f) for w, f in looked if isinstance(f, MediadError)]
            seen = [(w, f) for w, f in looked if not isinstance(f, MediadError)]
            ruled = [(w, f, stage.decide(w.asset, f)) for w, f in seen]
            again, done = await self._settle_verdicts(desk, ruled)
            moved += done
            acted = await self._act(stage, [(w, f) for w, f, v in ruled if isinstance(v, Act)], io)
            last = {w.asset.id: e for w, e in acted if e is not None}
            todo = again + [w for w, e in acted if e is None or e.code in LOOK_AGAIN]
            failed += [(w, e) for w, e in acted if e is not None and e.code not in LOOK_AGAIN]
            await self._park_failed(desk, failed)
            if not todo:
                return moved
        await self._park_failed(
            desk, [(w, last.get(w.asset.id) or _no_effect(stage.name)) for w in todo]
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
        ruled: list[tuple[Work, Verdict]] = []
        for work, facts in await self._look(stage, lot, io):
            if isinstance(facts, MediadError):
                ruled.append((work, Refuse(facts.code, facts.what, facts.remedy)))
            else:
                ruled.append((work, stage.decide(work.asset, facts)))
        return ruled

    async def _act(
        self, stage: Stage[Any], acting: Sequence[tuple[Work, Any]], io: Ports
    ) -> list[tuple[Work, MediadError | None]]:
        if not acting:
            return []
        works = [w for w, _ in acting]
        errors = await stage.act([w.asset for w in works], [f for _, f in acting], io)
        return list(zip(works, errors, strict=True))

    async def _settle_verdicts(
        self, desk: Desk, ruled: Sequence[tuple[Work, Any, Verdict]]
    ) -> tuple[list[Work], int]:
        """Every verdict but Act goes to the journal. Returns who must be looked at again, and how many moved."""
        steps: list[tuple[Work, Step]] = []
        parks: list[Park] = []
        alone: list[Work] = []
        merged = 0
        for work, _, verdict in ruled:
            match verdict:
                case Act():
                    pass
                case Done(evidence, then):
                    move = Transition(work.state, desk.stage.name, then)
                    steps.append((work, Step(work.asset.id, move, evidence)))
                case Merge(into, evidence):
                    if await self._merge(work.asset.id, into, evidence):
                        merged += 1
                    else:
                        alone.append(work)
                case Wait() | Ask() | Refuse():
                    parks.append(_park(work.asset.id, desk.lane, verdict))
                case _:
                    assert_never(verdict)
        if parks:
            await self._journal.park(parks)
        again, moved = await self._record(desk, steps)
        return again + alone, moved + merged

    async def _merge(self, guest: AssetId, into: AssetId, evidence: Evidence) -> bool:
        """False: the host went on meanwhile, and is too far to be joined. The next look sees what that means."""
        try:
            await self._journal.merge(guest, into, evidence)
        except (Refused, Retryable):
            return False
        return True

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

    async def _park_failed(self, desk: Desk, failed: Sequence[tuple[Work, MediadError]]) -> None:
        """Sort each fault by who can put it right: time, a person, nobody; a developer's stops the daemon."""
        parks = []
        for work, fault in failed:
            if isinstance(fault, Bug):
                raise fault
            if fault.site:  # not this file's fault: the part is down, and the file stays ready
                desk.hit.add(fault.site)
                self._link_is_down(fault.site, fault)
                continue
            parks.append(self._park(desk, work, fault))
        if parks:
            await self._journal.park(parks)
            if any(p.mark == "failed" for p in parks):
                await self._halt()

    def _park(self, desk: Desk, work: Work, fault: MediadError) -> Park:
        io = self._ports()
        text = (fault.what, fault.code, fault.remedy)
        if isinstance(fault, NeedsOperator | Refused):
            log.warning("asset.held", asset=work.asset.id, stage=desk.stage.name, code=fault.code)
            return Park(work.asset.id, desk.lane, "held", None, *text, failed_attempt=True)
        attempts = work.attempts + 1
        rules = io.settings.workflow
        if backoff.gives_up(attempts, rules.retries):
            log.warning("asset.failed", asset=work.asset.id, stage=desk.stage.name, code=fault.code)
            return Park(work.asset.id, desk.lane, "failed", None, *text, failed_attempt=True)
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
        return Park(work.asset.id, desk.lane, "retry", due, *text, failed_attempt=True)


def _park(asset: AssetId, lane: Lane, verdict: Wait | Ask | Refuse) -> Park:
    match verdict:
        case Wait(until, why):
            return Park(asset, lane, "waiting", until, why)
        case Ask(code, why, remedy) | Refuse(code, why, remedy):
            return Park(asset, lane, "held", None, why, code, remedy)
        case _:
            assert_never(verdict)


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
