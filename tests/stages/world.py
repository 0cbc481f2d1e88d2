"""
A small whole world for the stages: folders in memory, the real journal, the real engine's lots, a clock that obeys.

A file's content says what it is: b"heic cid=A at=0 n=1" is a HEIC with that content identifier and capture time.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mediad.config import Settings
from mediad.engine.desk import Desk
from mediad.engine.lots import Lots
from mediad.errors import MediadError
from mediad.journal import Arrival, Journal, Standing, Step
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    CloudRef,
    Evidence,
    Inspection,
    Media,
    Place,
    RemoteFact,
    Site,
    SiteKey,
)
from mediad.policy.breaker import Toll
from mediad.ports import Delta, Encoder, Fetch, Ports, RemoteRow
from mediad.stages import (
    archive,
    batch,
    clean,
    delete,
    hash,  # noqa: A004 - its name in the law
    mark,
    place,
    release,
    settle,
    sort,
    upload,
    verify,
)
from mediad.stages.verdict import Stage, Verdict
from mediad.state import WHEN_OFF, State, Transition
from mediad.testing.clock import StoppedClock
from mediad.testing.cloud import MemoryCloud
from mediad.testing.encoder import MemoryEncoder
from mediad.testing.files import MemoryFiles
from mediad.testing.phone import MemoryPhone

TAKE: tuple[Stage[Any], ...] = (settle.STAGE, hash.STAGE)
PHONE: tuple[Stage[Any], ...] = (batch.STAGE, place.STAGE, verify.STAGE, release.STAGE)
CLOUD: tuple[Stage[Any], ...] = (upload.STAGE, mark.STAGE, delete.STAGE)
OURS: tuple[Stage[Any], ...] = (*TAKE, *PHONE, archive.STAGE, sort.STAGE, *CLOUD, clean.STAGE)
LINKED: Mapping[str, object] = {"url": "http://127.0.0.1:8384"}  # without it the phone lane is off
ROOT = Path("/nowhere")
READ_TO = "T1"  # how far the watcher says that it has read
T = 4_102_444_800_000  # about when the clock starts


@dataclass
class PlainInspector:
    """ports.Inspector for the contents of this world. `read` remembers what was opened."""

    files: MemoryFiles
    read: list[Place] = field(default_factory=list)

    async def inspect(
        self, places: Sequence[tuple[Place, str]]
    ) -> Sequence[Inspection | MediadError]:
        self.read += [p for p, _ in places]
        return [self._one(self.files.files[p].content.decode("latin-1").split()) for p, _ in places]

    def _one(self, words: list[str]) -> Inspection:
        if not words:
            return Inspection(None, flaw="intake.empty", flaw_detail="there is nothing in it")
        if words[0] not in set(Media):
            return Inspection(None)
        said = dict(w.split("=", 1) for w in words[1:] if "=" in w)
        captured = None
        if "at" in said:
            captured = Captured("2024-07-14T18:03:22", "+02:00", "exif", T + int(said["at"]))
        return Inspection(
            Media(words[0]),
            extension=said.get("ext", f".{words[0]}"),
            duration_s=float(said.get("long", "2")),
            content_id=said.get("cid", ""),
            captured=captured,
            flaw=said.get("flaw", ""),
            flaw_detail=said.get("flaw", ""),
        )


class World:
    def __init__(self, journal: Journal, clock: StoppedClock, settings: Settings) -> None:
        self.clock = clock
        self.journal = journal
        self.files = MemoryFiles(clock)
        self.phone = MemoryPhone(self.files, clock)
        self.cloud = MemoryCloud(self.files, clock)
        self.inspector = PlainInspector(self.files)
        self.encoder: Encoder = MemoryEncoder(self.files)
        self.settings = settings
        self.down: list[str] = []

    def ports(self) -> Ports:
        return Ports(
            self.clock,
            self.files,
            self.inspector,
            self.encoder,
            self.journal,
            self.phone,
            self.cloud,
            self.settings,
        )

    # -- what people do -----------------------------------------------------------------------------

    def configure(self, section: str, **said: object) -> None:
        """Another configuration from now on, for the stages; what is off stays as it was."""
        now = getattr(self.settings, section).model_copy(update=said)
        self.settings = self.settings.model_copy(update={section: now})

    async def drop(self, key: str, content: str, *, arrive: bool = True) -> AssetId | None:
        """A file appears in incoming, and unless told otherwise the watcher sees it."""
        self.files.drop(Site.INCOMING, key, content.encode("latin-1"))
        return await self.arrive(key) if arrive else None

    async def bring(self, ref: CloudRef) -> AssetId:
        """A photo of iCloud is listed, fetched and proved, as the watcher and the stage download do it."""
        await self.hear(ref)
        asset = (await self.row(ref)).assets[-1]
        whole = await self.asset(asset)
        remote = (await self.row(ref)).remote
        files = {f.original: f for f in remote.files}
        mine = [(o, files[o.id]) for o in whole.originals]
        await self.cloud.fetch(
            [Fetch(ref, f, Place(Site.INCOMING, o.source_key), o.mtime_ns) for o, f in mine]
        )
        fact = RemoteFact(ref, proved=tuple(f for _, f in mine))
        proved = Evidence("fingerprint", self.clock.now(), remotes=(fact,))
        moved = Transition(State.LISTED, "download", State.DOWNLOADED)
        await self.journal.record([Step(asset, moved, proved)])
        return asset

    async def hear(self, *refs: CloudRef) -> None:
        """The watcher's news: these photos as they are in iCloud now, and all of its albums."""
        zone = self.cloud.zones[refs[0].zone]
        there = [self.cloud.remote(r) for r in refs if r in self.cloud.held]
        gone = tuple(r for r in refs if r not in self.cloud.held or self.cloud.remote(r).is_deleted)
        albums = await self.cloud.album_listing(zone)
        delta = Delta(gone=gone, albums=albums.albums, members=albums.members, token=READ_TO)
        taken = [(r, "") for r in there if r.ref not in gone]
        await self.journal.cloud_page(zone, taken, delta, token=delta.token)

    async def row(self, ref: CloudRef) -> RemoteRow:
        return (await self.journal.remotes([ref]))[ref]

    async def arrive(self, key: str) -> AssetId | None:
        file = self.files.files[Place(Site.INCOMING, SiteKey(key))]
        name = key.rpartition("/")[2]
        arrival = Arrival(SiteKey(key), name, len(file.content), file.mtime_ns)
        [asset] = await self.journal.arrive([arrival])
        return asset

    # -- what mediad does -----------------------------------------------------------------------------

    async def run(self, *stages: Stage[Any], patience_s: float = 3600) -> None:
        """Until nothing is due within that time; waiting costs nothing."""
        chosen = stages or OURS
        until = self.clock.now() + patience_s * 1000
        lots = Lots(
            self.journal,
            self.ports,
            link_is_down=lambda s, _: self.down.append(s),
            halt=self._halt,
            trip=self._trip,
        )
        while True:
            moved = [await self._turn(lots, stage) for stage in chosen]
            if any(moved):
                continue
            dues = [await self._due(stage) for stage in chosen]
            due = min((d for d in dues if d is not None), default=None)
            if due is None or due > until or self.down:
                return
            self.clock.advance(max(0.001, (due - self.clock.now()) / 1000))

    async def _due(self, stage: Stage[Any]) -> int | None:
        due = await self.journal.next_due(stage.at)
        shut = await stage.door(self.ports()) if stage.door and due is not None else None
        return shut.until if shut else due

    async def _turn(self, lots: Lots, stage: Stage[Any]) -> int:
        if stage.door and await stage.door(self.ports()):
            return 0
        page = await self.journal.work(stage.at, self.clock.now(), stage.lot_files)
        return await lots.work(Desk(stage), page) if page else 0

    async def _halt(self) -> None:
        return

    async def _trip(self, _: str, __: Toll) -> None:
        return

    async def rule(self, stage: Stage[Any], asset: AssetId | None) -> Verdict | MediadError:
        """What the stage would say now: look and decide, without act."""
        found = await self.asset(asset)
        [facts] = await stage.look([found], self.ports())
        return facts if isinstance(facts, MediadError) else stage.decide(found, facts)

    # -- what there is ----------------------------------------------------------------------------

    async def asset(self, asset: AssetId | None) -> Asset:
        assert asset is not None
        found = await self.journal.asset(asset)
        assert found is not None
        return found

    async def states(self, asset: AssetId | None) -> set[State]:
        assert asset is not None
        return {s.state for s in await self.journal.standing(asset)}

    async def standing(self, asset: AssetId | None, state: State) -> Standing:
        assert asset is not None
        [found] = [s for s in await self.journal.standing(asset) if s.state is state]
        return found

    async def told(self, asset: AssetId | None) -> Mapping[str, Any]:
        """The last evidence in its history."""
        assert asset is not None
        return (await self.journal.history(asset))[-1].evidence

    def everything(self) -> list[bytes]:
        return [f.content for f in self.files.files.values()]


@asynccontextmanager
async def world(folder: Path, **sections: Mapping[str, object]) -> AsyncIterator[World]:
    """`sections`: the configuration, where it is not the default."""
    clock = StoppedClock()
    settings = Settings.model_validate({"root": ROOT, **sections})
    off = {stage: "off here" for _, stage in WHEN_OFF if stage not in {s.name for s in OURS}}
    journal = Journal.open(
        folder / "journal.db", clock, law=settings.law, off=lambda: {**off, **settings.off()}
    )
    try:
        yield World(journal, clock, settings)
    finally:
        await journal.close()
