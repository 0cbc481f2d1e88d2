"""A small world for the service: real journal, real engine, stages that need no files, a drop folder in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anyio

from mediad.adapters.no_cloud import NoCloud
from mediad.config import Fault, Loaded, Settings, load
from mediad.engine import Engine
from mediad.errors import MediadError, Refused
from mediad.journal import Arrival, Journal
from mediad.model import Asset, Digest, Evidence, SiteKey
from mediad.policy.problems import Problems
from mediad.ports import Encoder, Inspector, Ports
from mediad.service import Parts, Service
from mediad.service.answers import FindingDoc
from mediad.stages.verdict import Ask, Done, Leave, Refuse, Stage, Verdict, Wait
from mediad.state import State, Workflow
from mediad.testing.clock import StoppedClock
from mediad.testing.cloud import MemoryCloud
from mediad.testing.files import MemoryFiles
from mediad.testing.phone import MemoryPhone
from mediad.watchers.scrub import Stands
from tests.service.scripted_door import ScriptedDoor

HELD = "held"  # a file of this name is held by the archive stage
SLOW = "slow"  # a file of this name never settles
# Nobody works here: a test says what was seen.
PHONE_LANE = ("batch", "place", "verify", "release", "download", "upload", "mark", "delete")
LOST = "lost"  # a copy of it is lost when it is to be cleaned


async def _look(lot: Sequence[Asset], _: Ports) -> Sequence[MediadError | None]:
    return [None for _ in lot]


async def _act(lot: Sequence[Asset], _: Sequence[None], __: Ports) -> Sequence[MediadError | None]:
    return [None for _ in lot]


async def _shut(io: Ports) -> Wait:
    return Wait(io.clock.now() + 60_000, "another batch is on its way")


def _stage(name: str, at: State, then: State) -> Stage[None]:
    def decide(asset: Asset, _: None) -> Verdict:
        if name == "archive" and asset.name.startswith(HELD):
            return Ask("archive.test", "is this meant?", "say so")
        if name in PHONE_LANE:
            return Leave("the test moves it on")
        if name == "settle" and asset.name.startswith(SLOW):
            return Wait(1 << 52, "it is still being written")
        if name == "clean" and asset.name.startswith(LOST):
            return Refuse("clean.test", "its copy is lost", "look at it")
        identity = Digest(f"{asset.id:064x}") if name == "hash" else None
        return Done(Evidence("looked", 1, identity=identity), then)

    is_destructive = name == "clean"
    return Stage(name, frozenset({at}), "copy", _look, decide, _act, destructive=is_destructive)


STAGES = (
    _stage("download", State.LISTED, State.DOWNLOADED),
    _stage("settle", State.SEEN, State.SETTLED),
    _stage("hash", State.SETTLED, State.HASHED),
    replace(_stage("batch", State.PHONE_DUE, State.BATCHED), door=_shut),
    _stage("place", State.BATCHED, State.PLACED),
    _stage("verify", State.PLACED, State.ON_PHONE),
    _stage("release", State.ON_PHONE, State.RELEASED),
    _stage("archive", State.ARCHIVE_DUE, State.ARCHIVED),
    _stage("compress", State.LIBRARY_DUE, State.KEPT),
    _stage("sort", State.KEPT, State.SORTED),
    _stage("upload", State.CLOUD_DUE, State.UPLOADED),
    _stage("mark", State.UPLOADED, State.MARKED),
    _stage("delete", State.MARKED, State.DELETED),
    _stage("clean", State.CLEANABLE, State.CLEANED),
)


class RestlessClock(StoppedClock):
    """Stands still, but lets others work while somebody sleeps on it."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await anyio.sleep(0.002)


class World:
    """Also service.Orders."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.clock = RestlessClock()
        self.dropped: list[str] = []
        self.looks_at_icloud = 0
        self.may_scan = anyio.Event()
        self.may_scan.set()
        self.loaded = self._load()
        self.settings.folders.incoming.mkdir(parents=True, exist_ok=True)
        self.journal = Journal.open(
            self.settings.journal_path,
            self.clock,
            law=self.law,
            off=self.off,
        )
        self.files = MemoryFiles(self.clock)
        self.phone = MemoryPhone(self.files, self.clock)
        self.phone.folder = replace(self.phone.folder, path=str(self.settings.folders.pixel_sync))
        self.cloud = MemoryCloud(self.files, self.clock)
        self.door: ScriptedDoor | None = None
        if self.settings.icloud.enabled:
            self.door = ScriptedDoor(self.cloud)
        self.problems = Problems()
        self.stands = Stands(is_reading=False, why="the test reads", progress=None, day=0)
        self.engine = Engine(self.journal, cast("Any", STAGES), self.ports, self.problems)
        parts = Parts(
            self.journal,
            self.engine,
            self.problems,
            lambda: self.loaded,
            self.ports,
            self,
            "0.0.test",
            lambda: self.door,
        )
        self.service = Service(parts)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def _load(self) -> Loaded:
        return load(config_file=None, root=self.root, environ=self.environ)

    def ports(self) -> Ports:
        nobody = cast("Inspector", None)
        return Ports(
            self.clock,
            self.files,
            nobody,
            cast("Encoder", None),
            self.journal,
            self.phone,
            self.cloud if self.settings.icloud.enabled else NoCloud(),
            self.settings,
        )

    def law(self) -> Workflow:
        return self.settings.law()

    def off(self) -> Mapping[str, str]:
        return self.settings.off()

    async def until_run_is_over(self) -> None:
        while self.service.current_run:
            await self.clock.sleep(0.1)

    # service.Orders

    def look_at_icloud(self) -> None:
        self.looks_at_icloud += 1

    def scrub(self) -> Stands:
        return self.stands

    async def check_host(self) -> Sequence[FindingDoc]:
        return ()

    async def rescan(self) -> int:
        await self.may_scan.wait()
        names, self.dropped = self.dropped, []
        arrivals = [Arrival(SiteKey(n), n, 100, 1) for n in names]
        found = [a for a in await self.journal.arrive(arrivals) if a is not None]
        self.engine.wake()
        return len(found)

    async def reload(self) -> Sequence[Fault]:
        self.loaded = self._load()
        return ()

    async def enrol(self, folder: Path, *, force: bool) -> Sequence[str]:
        if not force:
            raise Refused(
                f"{folder} is on the system's own disk", code="archive.root_disk", remedy="--force"
            )
        return [f"made {folder}"]

    async def bring(self, *names: str) -> None:
        """Drop files and wait until the stages have nothing left to do."""
        self.dropped += names
        await self.rescan()
        await self.engine.until_idle()


@asynccontextmanager
async def a_world(
    root: Path,
    environ: Mapping[str, str] | None = None,
    *,
    is_working: bool = True,
    is_open: bool = True,
) -> AsyncIterator[World]:
    world = World(root, environ or {})
    async with anyio.create_task_group() as tasks:
        if is_working:
            tasks.start_soon(world.engine.run)
        async with AsyncExitStack() as stack:
            if is_open:
                await stack.enter_async_context(world.service.open())
            yield world
        world.engine.stop()
        tasks.cancel_scope.cancel()
    await world.journal.close()
