"""
Run orders: one at a time, each with a row in the journal's list of runs.

The daemon works by itself; a run is a person's order to look for arrivals now and to bring the named stages as far as
they can get, paused or not. Ten orders at once are one run and nine answers "already running".
"""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.abc import TaskGroup

from mediad.config import effective
from mediad.engine import Planned
from mediad.errors import Bug, Refused
from mediad.journal import Counts, Listed, Run
from mediad.service.answers import PlannedDoc, RunDoc
from mediad.service.parts import Parts
from mediad.service.picture import work_left
from mediad.service.story import planned_doc
from mediad.service.words import iso, maybe_iso
from mediad.state import STAGE_ORDER, stage_of

LOOK_EVERY_S: Final = 0.1
SHORTEST_S: Final = (
    1.0  # orders given in the same moment are one run, even when there is nothing to do
)
PLAN_PAGE: Final = 200
PLAN_MOST: Final = 10_000  # lines of one dry run


class Runs:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks: TaskGroup | None = None
        self._starting = anyio.Lock()
        self.current: int | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """While this is open, orders are taken; at its end the one in hand is given up."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()

    async def start(self, stages: frozenset[str] | None) -> int:
        """Returns the run's number at once; Refused(run.already_running) names the one that is under way."""
        if self._tasks is None:
            raise Bug("a run was ordered of a service that is not open")
        async with self._starting:
            if self.current is not None:
                raise Refused(
                    f"run {self.current} is under way already; it does this work too",
                    code="run.already_running",
                    remedy="wait for it: mediactl wait --idle",
                )
            what = ",".join(s for s in STAGE_ORDER if s in stages) if stages else "everything"
            number = await self._parts.journal.start_run(what, self._config_digest())
            self.current = number
            self._tasks.start_soon(self._carry_out, number, stages, name=f"run {number}")
        return number

    async def _carry_out(self, run: int, stages: frozenset[str] | None) -> None:
        journal, engine, clock = self._parts.journal, self._parts.engine, self._parts.ports().clock
        began = clock.monotonic()
        try:
            before = await journal.counts()
            arrived = await self._parts.orders.rescan()
            wanted = engine.stages() if stages is None else stages
            with engine.lifted(stages or (), run):
                await self._until_done(wanted)
            await clock.sleep(max(0.0, began + SHORTEST_S - clock.monotonic()))
            await journal.finish_run(run, _difference(before, await journal.counts(), arrived))
        finally:
            self.current = None

    async def _until_done(self, stages: Collection[str]) -> None:
        """
        Nothing left that can move: what is paused or waits for an outside part does not keep a run open.

        Nor does what waits before a closed door: whoever may open it has work of its own, or cannot move either.
        """
        engine, clock = self._parts.engine, self._parts.ports().clock
        while True:
            movable = [s for s in stages if engine.may_work(s) and not engine.closed(s)]
            counts = await self._parts.journal.counts()
            left = work_left(counts, movable, retries_count=False)
            if not left and not any(engine.running(s) for s in stages):
                return
            await clock.sleep(LOOK_EVERY_S)

    async def plan(self, stages: frozenset[str] | None) -> list[PlannedDoc]:
        """What a run would do first for every asset: look and decide, without act. Nothing is written."""
        lines: list[PlannedDoc] = []
        wanted = self._parts.engine.stages() if stages is None else stages
        for listed in await self._with_work(wanted):
            ready = self._due_stages(listed) & wanted
            lines += [planned_doc(p, listed.asset.name) for p in await self._plans(listed, ready)]
            lines += [d for d in _waits(listed) if d["stage"] in wanted and d["stage"] not in ready]
        return lines[:PLAN_MOST]

    async def _with_work(self, stages: Collection[str]) -> list[Listed]:
        """Every asset with an open lane before one of these stages, in the order they came; bounded."""
        found: dict[int, Listed] = {}
        for stage in stages:
            cursor: int | None = None
            while len(found) < PLAN_MOST:
                page = await self._parts.journal.assets(stage=stage, cursor=cursor, limit=PLAN_PAGE)
                found |= {x.asset.id: x for x in page}
                if len(page) < PLAN_PAGE:
                    break
                cursor = page[-1].asset.id
        return [found[i] for i in sorted(found)]

    async def _plans(self, listed: Listed, stages: Collection[str]) -> list[Planned]:
        if not stages:
            return []
        return [p for p in await self._parts.engine.plan(listed.asset.id) if p.stage in stages]

    def _due_stages(self, listed: Listed) -> frozenset[str]:
        """A held or failed lane does nothing before a person has said so, and a later hour is not now."""
        now = self._parts.ports().clock.now()
        due = (s for s in listed.standing if s.mark.runs and s.due is not None and s.due <= now)
        return frozenset(name for s in due if (name := stage_of(s.state)))

    async def history(self, limit: int) -> list[RunDoc]:
        return [self._doc(run) for run in await self._parts.journal.runs(limit)]

    def _doc(self, run: Run) -> RunDoc:
        is_now = run.id == self.current
        return {
            "id": run.id,
            "what": run.what,
            "state": "running" if is_now else "finished" if run.finished else "interrupted",
            "started": iso(run.started),
            "finished": maybe_iso(run.finished),
            "counts": dict(run.counts),
            "config": run.config,
        }

    def _config_digest(self) -> str:
        loaded = self._parts.loaded()
        values = {e.key: e.value for e in effective(loaded.settings, loaded.origins)}
        return hashlib.sha256(json.dumps(values, default=str, sort_keys=True).encode()).hexdigest()[
            :16
        ]


def _difference(before: Counts, after: Counts, arrived: int) -> Mapping[str, object]:
    done = {s: after.done.get(s, 0) - before.done.get(s, 0) for s in STAGE_ORDER}
    conditions: dict[str, object] = {
        c.value: n for c, n in after.conditions.items() if c.value in {"failed", "held"}
    }
    return {"arrived": arrived, "done": {s: n for s, n in done.items() if n}, **conditions}


def _waits(listed: Listed) -> Iterator[PlannedDoc]:
    for s in listed.standing:
        if s.mark.runs:
            yield {
                "asset": listed.asset.id,
                "name": listed.asset.name,
                "stage": stage_of(s.state) or "",
                "verdict": "wait",
                "what": s.why,
                "until": maybe_iso(s.due),
                "code": s.code,
                "remedy": s.remedy,
            }
