"""A small world for iCloud's watcher: the real journal and engine, a library in memory, a clock that obeys."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel

from mediad.config import Settings
from mediad.daemon.liveness import Liveness
from mediad.engine import Engine
from mediad.journal import Journal, Listed
from mediad.model import CloudRef
from mediad.policy.problems import Problems
from mediad.ports import Encoder, Inspector, Phone, Ports, RemoteRow, SignIn
from mediad.testing.clock import StoppedClock
from mediad.testing.cloud import MemoryCloud
from mediad.testing.files import MemoryFiles
from mediad.watchers.icloud import CloudWatch
from tests.engine.world import SOON_S


@dataclass
class World:
    journal: Journal
    clock: StoppedClock
    settings: Settings
    problems: Problems = field(default_factory=Problems)

    def __post_init__(self) -> None:
        self.files = MemoryFiles(self.clock)
        self.cloud = MemoryCloud(self.files, self.clock)
        self.engine = Engine(self.journal, [], self.ports, self.problems)
        self.refreshed = 0
        self.watch = self.new_watch()

    def new_watch(self) -> CloudWatch:
        """As after a restart."""
        self.liveness = Liveness(self.clock, lambda _: ())
        heart = self.liveness.heart("watch of iCloud")
        return CloudWatch(
            self.engine, self.problems, self.journal, lambda: replace(self.ports(), clock=heart),
            refresh=self._refresh,
        )  # fmt: skip

    async def _refresh(self) -> SignIn:
        self.refreshed += 1
        return self.cloud.signed

    def ports(self) -> Ports:
        return Ports(
            self.clock,
            self.files,
            cast("Inspector", None),
            cast("Encoder", None),
            self.journal,
            cast("Phone", None),
            self.cloud,
            self.settings,
        )

    def configure(self, **said: object) -> None:
        icloud = self.settings.icloud.model_copy(update=said)
        self.settings = self.settings.model_copy(update={"icloud": icloud})

    def codes(self, subject: str = "icloud") -> list[str]:
        return [p.code for p in self.problems.now() if p.subject == subject]

    async def row(self, ref: CloudRef) -> RemoteRow:
        return (await self.journal.remotes([ref]))[ref]

    async def names(self) -> list[str]:
        """Of the assets of ours, the first listed first."""
        found: list[Listed] = await self.journal.assets(limit=1000)
        return [w.asset.name for w in reversed(found)]

    async def requests(self) -> int:
        """How many one look costs."""
        before = self.cloud.calls.total()
        await self.watch.ask()
        return self.cloud.calls.total() - before

    async def until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(SOON_S):
            while not holds():
                await anyio.lowlevel.checkpoint()

    def photo(self, n: int, **more: Any) -> CloudRef:
        return self.cloud.take(
            f"IMG_{n:04}.JPG", f"jpeg n={n}".encode(), taken_at=1_600_000_000_000 + n, **more
        )

    def refuse_tokens(self) -> None:
        self.cloud.forgets_tokens = True

    def sign(self, **said: Any) -> None:
        self.cloud.signed = replace(self.cloud.signed, **said)


@asynccontextmanager
async def world(folder: Path, **icloud: object) -> AsyncIterator[World]:
    settings = Settings.model_validate(
        {
            "root": Path("/nowhere"),
            "icloud": {"enabled": True, "username": "me@example.com", **icloud},
        }
    )
    clock = StoppedClock()
    journal = Journal.open(folder / "journal.db", clock, law=settings.law, off=dict)
    try:
        yield World(journal, clock, settings)
    finally:
        await journal.close()
