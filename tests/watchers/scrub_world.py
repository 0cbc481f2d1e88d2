"""A small world for the scrub: real journal, real engine, the real stages that archive and sort, folders in memory."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import anyio

from mediad.adapters.no_cloud import NoCloud
from mediad.adapters.no_phone import NoPhone
from mediad.config import Settings, load
from mediad.engine import Engine
from mediad.errors import MediadError
from mediad.journal import Arrival, Journal, Step
from mediad.model import (
    Asset,
    AssetId,
    Copy,
    Evidence,
    Inspection,
    Kind,
    Media,
    Place,
    Site,
    SiteKey,
)
from mediad.policy.problems import Problems
from mediad.policy.scrub import DAY_MS
from mediad.ports import Cloud, Encoder, Inspector, Ports
from mediad.stages import archive, clean, sort
from mediad.state import Lane, State, Transition
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles, digest_of
from mediad.watchers.scrub import Scrub

S = State
SCRUB = {
    "MEDIAD_COMPRESS__ENABLED": "false",
    "MEDIAD_CLEAN__ENABLED": "false",
    "MEDIAD_SCRUB__BEGIN_HOUR": "0",
    "MEDIAD_SCRUB__END_HOUR": "0",
}


class World:
    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.loaded = load(config_file=None, root=root, environ={**SCRUB, **environ})
        self.clock = StoppedClock()
        self.files = MemoryFiles(self.clock)
        self.files.disks = {Site.ARCHIVE: "nas"}
        self.cloud: Cloud = NoCloud()
        self.problems = Problems()
        self.open()

    def open(self) -> None:
        """Also after a kill: what is not in the journal is gone."""
        self.journal = Journal.open(
            self.settings.journal_path, self.clock, law=self.settings.law, off=self.settings.off
        )
        self.engine = Engine(
            self.journal, (archive.STAGE, sort.STAGE, clean.STAGE), self.ports, self.problems
        )
        self.scrub = Scrub(self.journal, self.engine, self.problems, self.ports)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def ports(self) -> Ports:
        return Ports(
            self.clock, self.files, cast("Inspector", None), cast("Encoder", None), self.journal,
            NoPhone(), self.cloud, self.settings,
        )  # fmt: skip

    async def photo(self, name: str, content: bytes) -> AssetId:
        """Taken in, with its working copy in processing/."""
        [asset] = await self.journal.arrive([Arrival(SiteKey(name), name, len(content), 10**18)])
        assert asset is not None
        [original] = (await self.asset(asset)).originals
        digest = digest_of(content)
        self.files.drop(Site.SPOOL, original.spool_key, content, 10**18)
        copy = Copy(
            original.id, Place(Site.SPOOL, original.spool_key), digest, self.clock.now(), "reread"
        )
        seen = Inspection(Media.JPEG, ".jpg")
        hashed = Evidence(
            "read-back", self.clock.now(), copies=(copy,), identity=digest, kind_now=Kind.PHOTO,
            originals=(replace(original, digest=digest, inspection=seen),),
        )  # fmt: skip
        for at, stage, then, evidence in (
            (S.SEEN, "settle", S.SETTLED, Evidence("stat", 1)), (S.SETTLED, "hash", S.HASHED, hashed),
        ):  # fmt: skip
            [answer] = await self.journal.record(
                [Step(asset, Transition(at, stage, then), evidence)]
            )
            assert not isinstance(answer, MediadError), answer
        self.engine.wake()
        return asset

    async def asset(self, asset: AssetId) -> Asset:
        found = await self.journal.asset(asset)
        assert found is not None
        return found

    async def at(self, asset: AssetId, lane: Lane) -> tuple[State, str]:
        [standing] = [s for s in await self.journal.standing(asset) if s.lane is lane]
        return standing.state, standing.code

    async def place(self, asset: AssetId, site: Site) -> Place:
        [copy] = [c for c in (await self.asset(asset)).copies if c.place.site is site]
        return copy.place

    def flip(self, place: Place) -> bytes:
        """One byte, and nothing that anybody could see of the file without reading it."""
        file = self.files.files[place]
        file.content = bytes([file.content[0] ^ 1]) + file.content[1:]
        return file.content

    def split(self, place: Place) -> None:
        """The name gets bytes of its own: no second name of the same file any more."""
        self.files.files[place] = replace(self.files.files[place], inode=next(iter([10**9])))

    async def scrubbed(self) -> None:
        """Until there is nothing more to read today."""
        while not await self.scrub.turn(self.clock):
            pass

    async def a_cycle_later(self) -> None:
        self.clock.advance(self.settings.scrub.cycle_days * DAY_MS / 1000 + 1)
        await self.scrubbed()
        await self.engine.until_idle()
        self.clock.advance(700)  # the next look after what was healed
        await self.scrub.turn(self.clock)

    def codes(self) -> list[str]:
        return [p.code for p in self.problems.now()]

    def told(self) -> str:
        return " ".join(p.message for p in self.problems.now())


@asynccontextmanager
async def a_world(root: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[World]:
    world = World(root, environ or {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.engine.run)
        yield world
        world.engine.stop()
        tasks.cancel_scope.cancel()
    await world.journal.close()
