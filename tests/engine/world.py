"""A small world for the engine: the real journal, a clock that obeys, and stages whose every answer the test writes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import anyio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from mediad.config import Settings
from mediad.engine import Engine
from mediad.errors import MediadError
from mediad.journal import Arrival, Journal, Standing, Work
from mediad.model import Asset, AssetId, Evidence, SiteKey
from mediad.policy.problems import Problems
from mediad.ports import Cloud, Encoder, Inspector, Phone, Ports
from mediad.stages.verdict import Done, Stage, Verdict
from mediad.state import State
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles

SOON_S = 5.0  # a test that waits longer has failed


class WatchedJournal(Journal):
    """The real one; it counts what it is asked, and lets a test in between two of its answers."""

    asked: ClassVar[int] = 0
    broken: ClassVar[MediadError | None] = None
    between: ClassVar[Callable[[], Awaitable[None]] | None] = None

    async def work(
        self, states: Collection[State], now: int, limit: int, busy: Collection[AssetId] = ()
    ) -> list[Work]:
        cls = type(self)
        cls.asked += 1
        if cls.broken is not None:
            raise cls.broken
        page = await super().work(states, now, limit, busy)
        between, cls.between = cls.between, None
        if between is not None:
            await between()
        return page


async def _nothing(_: Sequence[Asset]) -> None:
    return


class Play:
    """One stage. Replace `look`, `rule`, `deed` (each for one asset) or `lot` (before the look at a whole lot)."""

    def __init__(
        self, name: str = "settle", at: State = State.SEEN, then: State = State.SETTLED, **more: Any
    ) -> None:
        self.then = then
        self.looked: list[list[str]] = []
        self._looked = anyio.Event()
        self.acted: list[str] = []
        # The facts, or a MediadError; at first: how often the asset was acted on.
        self.look: Callable[[Asset], Any] = lambda asset: self.acted.count(asset.name)
        self.rule: Callable[[Asset, Any], Verdict] = lambda _, __: self.done()
        self.deed: Callable[[Asset], Evidence | MediadError | None] = lambda _: None
        self.lot: Callable[[Sequence[Asset]], Awaitable[None]] = _nothing
        self.stage: Stage[Any] = Stage(
            name,
            frozenset({at}),
            more.pop("pool", name),
            self._look,
            self._decide,
            self._act,
            **more,
        )

    @property
    def looks(self) -> list[str]:
        return [name for lot in self.looked for name in lot]

    def done(self, note: str = "") -> Done:
        return Done(Evidence("looked", 1, note=note), self.then)

    async def until_looked(self, times: int) -> None:
        with anyio.fail_after(SOON_S):
            while len(self.looks) < times:
                await self._looked.wait()

    async def _look(self, lot: Sequence[Asset], _: Ports) -> Sequence[Any]:
        self.looked.append([a.name for a in lot])
        self._looked.set()
        self._looked = anyio.Event()
        await self.lot(lot)
        return [self.look(a) for a in lot]

    def _decide(self, asset: Asset, facts: Any) -> Verdict:
        return self.rule(asset, facts)

    async def _act(
        self, lot: Sequence[Asset], _: Sequence[Any], __: Ports
    ) -> Sequence[Evidence | MediadError | None]:
        self.acted += [a.name for a in lot]
        return [self.deed(a) for a in lot]


class World:
    def __init__(
        self, folder: Path, plays: Sequence[Play], rules: dict[str, Any], clock: StoppedClock
    ) -> None:
        self.clock = clock
        self.settings = Settings.model_validate({"root": Path("/nowhere"), "workflow": rules})
        watched: Any = type("Watched", (WatchedJournal,), {})  # counts of its own for each world
        self.journal: WatchedJournal = watched.open(
            folder / "journal.db", self.clock, law=self.settings.law, off=dict
        )
        self.watched: type[WatchedJournal] = watched
        self.problems = Problems()
        self.said: list[EventDict] = []
        self.engine = Engine(self.journal, [p.stage for p in plays], self.ports, self.problems)

    def ports(self) -> Ports:
        files, nobody = MemoryFiles(self.clock), cast("Inspector", None)
        return Ports(
            self.clock,
            files,
            nobody,
            cast("Encoder", None),
            self.journal,
            cast("Phone", None),
            cast("Cloud", None),
            self.settings,
        )

    async def drop(self, *names: str, size: int = 100) -> list[AssetId]:
        found = await self.journal.arrive([Arrival(SiteKey(n), n, size, 1) for n in names])
        return [a for a in found if a is not None]

    async def idle(self) -> None:
        """Until nothing is left to do now; a retry at a later time does not count."""
        with anyio.fail_after(SOON_S):
            await self.engine.until_idle(retries_count=False)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.engine.wake()
        await self.idle()

    async def intake(self, asset: AssetId) -> Standing:
        [standing] = [s for s in await self.journal.standing(asset) if s.lane == "intake"]
        return standing

    async def marks(self, assets: Sequence[AssetId]) -> list[str]:
        """How the intake of each stands: its mark, or its state where that is another than the first."""
        found = [await self.intake(a) for a in assets]
        return [s.mark.value if s.state is State.SEEN else s.state.value for s in found]


@asynccontextmanager
async def world(
    folder: Path,
    *plays: Play,
    is_working: bool = True,
    clock: StoppedClock | None = None,
    **rules: Any,
) -> AsyncIterator[World]:
    made = World(folder, plays, rules, clock or StoppedClock())
    try:
        with capture_logs() as made.said:  # a traceback drawn for a terminal takes seconds
            async with anyio.create_task_group() as tasks:
                if is_working:
                    tasks.start_soon(made.engine.run)
                yield made
                made.engine.stop()
                tasks.cancel_scope.cancel()
    finally:
        await made.journal.close()
