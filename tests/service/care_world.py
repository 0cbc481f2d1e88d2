"""The stages' small world with a service in front of it: files in memory, the real journal, orders of a person."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mediad.config import Loaded
from mediad.engine import Engine
from mediad.model import AssetId, Captured, Site
from mediad.policy.problems import Problems
from mediad.service import Parts, Service
from mediad.service.parts import Orders
from mediad.service.person import PersonDesk
from mediad.stages import archive, clean, hash, restore, settle, sort  # noqa: A004 - its name in the law
from mediad.state import Position
from tests.stages.world import World, world

CHAIN = (settle.STAGE, hash.STAGE, archive.STAGE, sort.STAGE, restore.STAGE)
ALL = (*CHAIN, clean.STAGE)


@dataclass
class Care:
    w: World
    desk: PersonDesk

    async def drop(self, key: str, content: str) -> AssetId:
        asset = await self.w.drop(key, content)
        assert asset is not None
        return asset

    async def position(self, asset: AssetId) -> Position:
        return frozenset(await self.w.states(asset))

    async def captured(self, asset: AssetId) -> Captured | None:
        return (await self.w.asset(asset)).captured

    def tree(self) -> Mapping[str, tuple[bytes, int]]:
        """All that a person would see: every site's files, with their bytes and times."""
        return {f"{p.site}/{p.key}": (f.content, f.mtime_ns) for p, f in self.w.files.files.items()}

    def library(self) -> list[str]:
        return sorted(self.w.files.under(Site.LIBRARY))


@asynccontextmanager
async def care(folder: Path, **sections: Mapping[str, object]) -> AsyncIterator[Care]:
    async with world(folder, **sections) as w:
        problems = Problems()
        engine = Engine(w.journal, ALL, w.ports, problems)
        parts = Parts(
            w.journal, engine, problems, lambda: Loaded(w.settings, {}, None), w.ports,
            cast("Orders", None), "0.0.test",
        )  # fmt: skip
        yield Care(w, Service(parts).person)
