"""What a person may ask or order. One core for the command line, the pages and the metrics; faces hold no decision."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, Literal

import anyio
import anyio.to_thread

from mediad.errors import MediadError, Refused
from mediad.journal import BY_HAND, Committed, Condition, Listed, Mark, Step
from mediad.model import AssetId, Evidence
from mediad.policy.problems import OVERDUE, STALLED
from mediad.service import logs
from mediad.service.answers import (
    AssetDoc,
    Doc,
    DoctorDoc,
    HistoryDoc,
    LineDoc,
    PageDoc,
    PlannedDoc,
    RunDoc,
    StageDoc,
    StatusDoc,
    StoryDoc,
)  # fmt: skip
from mediad.service.care import Care
from mediad.service.cloud_answers import UndeletedDoc, WhyNotDoc
from mediad.service.cloud_why_not import why_not_delete
from mediad.service.desk import Desk
from mediad.service.doctor import finding, findings_in_time
from mediad.service.icloud import CloudDesk
from mediad.service.keeping import Keeping
from mediad.service.near import NearDesk
from mediad.service.parts import Parts
from mediad.service.person import PersonDesk
from mediad.service.phone import SUBJECTS, PhoneDesk
from mediad.service.picture import assets_doc, link_docs, problem_docs, stage_docs
from mediad.service.runs import Runs
from mediad.service.selftest import SelfTests
from mediad.service.story import asset_doc, history_doc, line_doc, planned_doc, sentences
from mediad.service.trouble import grouped
from mediad.service.waiting import Waiting
from mediad.service.words import iso
from mediad.state import STAGE_ORDER, WHEN_OFF, State, Transition, stage_of

PLAN_PATIENCE_S: Final = (
    10.0  # a look may read a large file; the rest of the story does not wait for it
)
MOST_AT_ONCE: Final = 1000
STATE_WORDS: Final = frozenset([*Condition, *Mark, *State])


class Service:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._engine = parts.engine
        self._runs = Runs(parts)
        self._waiting = Waiting(parts)
        self.keeping = Keeping(parts)
        self.care = Care(parts)
        self.phone = PhoneDesk(parts)
        self.icloud = CloudDesk(parts)
        self.selftest = SelfTests(parts, self.phone)
        self.config = Desk(parts)
        self.person = PersonDesk(parts, self.find)
        self.near = NearDesk(parts)
        self._since = parts.ports().clock.now()

    def open(self) -> AbstractAsyncContextManager[None]:
        """While this is open, run orders are taken."""
        return self._runs.open()

    @property
    def version(self) -> str:
        return self._parts.version

    @property
    def phase(self) -> Literal["running", "stopping"]:
        return "stopping" if self._engine.is_stopping else "running"

    @property
    def current_run(self) -> int | None:
        return self._runs.current

    @property
    def has_metrics(self) -> bool:
        return self._parts.loaded().settings.metrics.enabled

    # -- the whole ----------------------------------------------------------------------------------

    async def status(self) -> StatusDoc:
        settings = self._parts.loaded().settings
        counts = await self._journal.counts()
        paused = await self._journal.paused()
        stages = stage_docs(counts, paused, settings, self._engine)
        is_paused = all(s["state"] != "on" for s in stages) and bool(paused)
        return {
            "version": self._parts.version,
            "state": "paused" if self.phase == "running" and is_paused else self.phase,
            "since": iso(self._since // 1000 * 1000),
            "dry_run": False,
            "workflow": {"preset": settings.workflow.preset, "stages": stages},
            "assets": assets_doc(counts),
            "bytes": {
                "originals": counts.original_bytes,
                "renditions": counts.rendition_bytes,
                "saved": counts.saved_bytes,
            },
            "links": link_docs(
                settings,
                self._parts.problems,
                self._engine,
                self._parts.ports().cloud.sign_in(),
            ),
            "problems": problem_docs(self._parts.problems),
            "scrub": await self.care.scrub(),
            "run": self._runs.current,
            "root": str(settings.root),
        }

    async def stages(self) -> list[StageDoc]:
        return (await self.status())["workflow"]["stages"]

    async def unready(self) -> list[str]:
        """Why it cannot be relied on now; nothing: the journal answers, work is taken, and every loop gets on."""
        why = [] if self.phase == "running" else [f"it is {self.phase}"]
        try:
            await self._journal.counts()
        except MediadError as fault:
            why.append(fault.what)
        known = map(self._parts.problems.about, (STALLED, OVERDUE))
        why += [problem.message for problem in known if problem]
        return why

    async def doctor(self) -> DoctorDoc:
        loaded = self._parts.loaded()
        findings = await findings_in_time(loaded.settings, loaded.file)
        findings += await self._parts.orders.check_host()
        try:
            await self._journal.check()
            findings.append(finding("journal.sound", "the journal is sound"))
        except MediadError as fault:
            findings.append(finding(fault.code, fault.what, level="fault", remedy=fault.remedy))
        findings += await self.phone.findings()
        findings += await self.icloud.findings()
        told = {f["code"] for f in findings}
        for p in self._parts.problems.now():
            if p.code not in told or p.subject not in {*SUBJECTS, "icloud"}:
                findings.append(finding(p.code, p.message, level="fault", remedy=p.remedy))
        return {"ok": not any(f["level"] == "fault" for f in findings), "findings": findings}

    # -- assets -------------------------------------------------------------------------------------

    async def assets(
        self, *, stage: str, state: str, since: int | None, cursor: int | None, limit: int
    ) -> PageDoc:
        if stage:
            known_stage(stage)
        most = min(limit, MOST_AT_ONCE)
        word = {"duplicates": "duplicate"}.get(state, state)
        if word and word not in STATE_WORDS:
            raise Refused(
                f"there is no state {state!r}",
                code="state.unknown",
                remedy="active, completed, failed, held, duplicate, quarantined, ready, waiting, or archive.due …",
            )
        page = await self._journal.assets(
            stage=stage, state=word, since=since, cursor=cursor, limit=most
        )
        lines: list[LineDoc] = [line_doc(x) for x in page]
        return {"assets": lines, "cursor": str(page[-1].asset.id) if len(page) == most else None}

    async def asset(self, asset: AssetId) -> AssetDoc:
        return await self._doc(await self._listed(asset))

    async def _doc(self, listed: Listed) -> AssetDoc:
        doc = asset_doc(
            listed,
            await self._journal.history(listed.asset.id),
            self._parts.loaded().settings,
            busy=self._engine.works_on(listed.asset.id),
            paused=await self._journal.paused(),
            icloud=await self.icloud.row_of(listed.asset),
        )
        return {**doc, "near": await self.near.of_asset(listed.asset.id)}

    async def history(self, asset: AssetId, after: int = 0) -> list[HistoryDoc]:
        await self._listed(asset)
        return [history_doc(row) for row in await self._journal.history(asset, after)]

    async def explain(self, query: str) -> StoryDoc:
        """The asset's document with what its open lanes would do now. An absorbed asset's host answers for it."""
        asked = await self.find(query)
        listed = await self._host_of(await self._listed(asked))
        doc = await self._doc(listed)
        plan = await self.plan_of(listed)
        return {**doc, "plan": plan, "story": sentences(listed.asset, doc, plan), "asked": asked}

    async def plan_of(self, listed: Listed) -> list[PlannedDoc]:
        with anyio.move_on_after(PLAN_PATIENCE_S):
            planned = await self._engine.plan(listed.asset.id)
            return [planned_doc(p, listed.asset.name) for p in planned]
        return []

    async def find(self, query: str) -> AssetId:
        """One asset, or Refused: nothing of that name, or several (named in the message)."""
        found = await self._journal.find(query)
        hosts = {(await self._host_of(x)).asset.id: x for x in await self._journal.listed(found)}
        if not hosts:
            raise Refused(
                f"nothing is known of {query!r}",
                code="asset.unknown",
                remedy="give an id, a path, a hash or a name; mediactl list shows what there is",
            )
        if len(hosts) > 1:
            some = ", ".join(f"{i} ({x.asset.name})" for i, x in sorted(hosts.items())[:20])
            raise Refused(
                f"{query!r} can mean several assets: {some}",
                code="asset.ambiguous",
                remedy="ask again with one of the ids",
            )
        return next(iter(hosts.values())).asset.id

    async def _host_of(self, listed: Listed) -> Listed:
        while listed.absorbed_by is not None:
            listed = await self._listed(listed.absorbed_by)
        return listed

    async def _listed(self, asset: AssetId) -> Listed:
        found = await self._journal.listed([asset])
        if not found:
            raise Refused(
                f"there is no asset {asset}",
                code="asset.unknown",
                remedy="mediactl list shows what there is",
            )
        return found[0]

    async def why_not_delete(self, query: str) -> WhyNotDoc:
        listed = await self._listed(await self.find(query))
        history = await self._journal.history(listed.asset.id)
        return await why_not_delete(listed, history, self._parts.ports())

    async def undelete(self, queries: Sequence[str]) -> UndeletedDoc:
        """All are found before anything is asked of iCloud."""
        ids = [await self.find(query) for query in queries]
        return await self.icloud.undelete(await self._journal.listed(ids))

    async def troubles(self) -> list[Doc]:
        """Everything that went wrong, by code: how many, who, and when it is tried again."""
        return await grouped(self._journal)

    # -- orders -------------------------------------------------------------------------------------

    async def retry(
        self, assets: Sequence[AssetId] | None, marks: Collection[str] = ("failed", "held", "retry")
    ) -> int:
        """Returns how many lanes are ready again."""
        for asset in assets or ():
            await self._listed(asset)
        n = await self._journal.retry(assets, marks)
        self._engine.wake()
        return n

    async def skip(self, asset: AssetId, stage: str, why: str) -> AssetDoc:
        """Pass a stage by hand, with the reason in the history. Safety guards look at the world, not at this."""
        known_stage(stage)
        listed = await self._host_of(await self._listed(asset))
        at = next((s.state for s in listed.standing if stage_of(s.state) == stage), None)
        then = WHEN_OFF.get((at, stage)) if at else None
        if at is None or then is None:
            raise Refused(
                f"{listed.asset.name} does not stand before {stage}, or {stage} is a stage that nothing may skip",
                code="skip.impossible",
                remedy="mediactl explain shows where it stands; quarantined and settling files cannot be skipped on",
            )
        if stage in self._engine.works_on(listed.asset.id):
            raise Refused(
                f"{stage} is working on {listed.asset.name} right now",
                code="skip.running",
                remedy=f"mediactl pause {stage}, wait for it to finish, then skip",
            )
        now = self._parts.ports().clock.now()
        step = Step(listed.asset.id, Transition(at, stage, then), Evidence(BY_HAND, now, note=why))
        [outcome] = await self._journal.record([step])
        if isinstance(outcome, MediadError):
            raise outcome
        self._engine.wake()
        return await self.asset(listed.asset.id)

    async def pause(self, stage: str | None) -> list[str]:
        """Returns what is paused now. What runs may finish; nothing new starts."""
        if stage:
            known_stage(stage)
        await self._journal.pause(stage)
        await self._engine.refresh()
        return await self._paused()

    async def resume(self, stage: str | None) -> list[str]:
        if stage:
            known_stage(stage)
        await self._journal.resume(stage)
        self._parts.problems.clear("workflow")
        self._engine.reset_breakers(stage)
        await self._engine.refresh()
        return await self._paused()

    async def _paused(self) -> list[str]:
        paused = await self._journal.paused()
        return [s for s in STAGE_ORDER if s in paused]

    async def run(self, stages: Collection[str] | None) -> int:
        return await self._runs.start(known_stages(stages))

    async def plan(self, stages: Collection[str] | None) -> list[PlannedDoc]:
        return await self._runs.plan(known_stages(stages))

    async def runs(self, limit: int = 20) -> list[RunDoc]:
        return await self._runs.history(min(limit, MOST_AT_ONCE))

    async def wait(self, query: str | None, timeout_s: float | None) -> Doc:
        """`answer`: done, failed (something failed or is held), or time is up."""
        if query is None:
            return {"answer": await self._waiting.until_idle(timeout_s)}
        try:
            asset = await self.find(query)
        except Refused:  # it may lie in the drop folder, and nobody has told us of it yet
            await self._parts.orders.rescan()
            asset = await self.find(query)
        return {"answer": await self._waiting.until_settled(asset, timeout_s), "asset": asset}

    async def reload(self) -> list[Doc]:
        """Faults of the configuration; none: it is in force."""
        return [{"where": f.where, "what": f.what} for f in await self._parts.orders.reload()]

    async def enrol(self, folder: Path, *, force: bool) -> list[str]:
        return list(await self._parts.orders.enrol(folder, force=force))

    async def rescan(self) -> int:
        return await self._parts.orders.rescan()

    def incoming(self) -> Doc:
        """Where `mediactl add` puts files, and how much room stays free there."""
        settings = self._parts.loaded().settings
        return {
            "incoming": str(settings.folders.incoming),
            "root": str(settings.root),
            "reserve": settings.safety.reserve,
        }

    # -- news ---------------------------------------------------------------------------------------

    async def latest_event(self) -> int:
        return await self._journal.latest_event()

    async def events(self, after: int, limit: int = 256) -> list[HistoryDoc]:
        return [history_doc(row) for row in await self._journal.events(after, limit)]

    def on_commit(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` after every commit; returns how to stop that."""

        def listener(_: Sequence[Committed]) -> None:
            told()

        self._journal.on_commit.append(listener)
        return lambda: self._journal.on_commit.remove(listener)

    def logs(self, most: int, level: str) -> AsyncIterator[dict[str, Any] | None]:
        path = self._parts.loaded().settings.log_path
        return logs.follow(path, most, level, self._parts.ports().clock)

    async def log_tail(self, most: int, level: str) -> list[dict[str, Any]]:
        path = self._parts.loaded().settings.log_path
        lines, _ = await anyio.to_thread.run_sync(logs.tail, path, most, level)
        return lines


def known_stage(name: str) -> None:
    if name not in STAGE_ORDER:
        raise Refused(
            f"there is no stage {name!r}",
            code="stage.unknown",
            remedy=f"one of: {', '.join(STAGE_ORDER)}",
        )


def known_stages(names: Collection[str] | None) -> frozenset[str] | None:
    for name in names or ():
        known_stage(name)
    return frozenset(names) if names is not None else None
