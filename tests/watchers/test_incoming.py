"""Guards that whatever is dropped reaches the journal once, though hints get lost and scans fail."""

from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from mediad.config import Settings
from mediad.errors import MediadError, NeedsOperator
from mediad.journal import Journal
from mediad.model import Site, SiteKey
from mediad.ports import Found
from mediad.state import State
from mediad.testing.clock import StoppedClock
from mediad.watchers.incoming import GAP_S, PRUNE_S, scan, watch
from tests.stages.world import World, world


@dataclass
class Pile:
    """ports.Drop in memory. `fails`: how many scans break after their first slice."""

    keys: list[str] = field(default_factory=list)
    fails: int = 0
    slice: int = 3
    scans: list[bool] = field(default_factory=list)  # full or not
    hints: anyio.Event = field(default_factory=anyio.Event)

    async def scan(
        self, known: Container[SiteKey], *, full: bool = True
    ) -> AsyncIterator[Sequence[Found]]:
        self.scans.append(full)
        for found in self._slices(known):
            yield found
            if self.fails:
                self.fails -= 1
                raise NeedsOperator("away", code="incoming.missing", site="incoming")

    def _slices(self, known: Container[SiteKey]) -> Iterator[Sequence[Found]]:
        new = [Found(SiteKey(k), k, 1, 1) for k in self.keys if k not in known]
        for n in range(0, len(new), self.slice):
            yield new[n : n + self.slice]

    async def changes(self, *, polling: bool = False) -> AsyncIterator[None]:
        assert polling in {True, False}
        while True:
            await self.hints.wait()
            self.hints = anyio.Event()
            yield

    def litter(self) -> Mapping[str, int]:
        return {}


class PatientClock(StoppedClock):
    """Sleeping lets the others run."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await anyio.sleep(0.001)


@dataclass
class Watching:
    pile: Pile
    clock: PatientClock
    told: list[MediadError | None] = field(default_factory=list)
    heard: anyio.Event = field(default_factory=anyio.Event)

    async def scans(self, number: int) -> None:
        with anyio.fail_after(5):
            while len(self.told) < number:
                self.heard = anyio.Event()
                await self.heard.wait()

    def hear(self, fault: MediadError | None) -> None:
        self.told.append(fault)
        self.heard.set()


@asynccontextmanager
async def watching(w: World, pile: Pile, **ingest: object) -> AsyncIterator[Watching]:
    clock = PatientClock()
    settings = Settings.model_validate({"root": "/nowhere", "ingest": ingest})
    here = replace(w.ports(), clock=clock, settings=settings)
    it = Watching(pile, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, pile, w.journal, clock, lambda: here, it.hear)
        yield it
        tasks.cancel_scope.cancel()


async def arrived(journal: Journal) -> list[str]:
    return sorted(await journal.known_sources())


async def test_everything_reaches_the_journal_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pile = Pile([f"{n}.jpg" for n in range(10)])
        assert await scan(pile, w.journal) == 10
        assert await scan(pile, w.journal) == 0
        assert await arrived(w.journal) == sorted(pile.keys)
        assert await w.states((await w.journal.find("3.jpg"))[0]) == {State.SEEN}


async def test_it_scans_whole_at_the_start_and_after_a_hint_what_changed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pile = Pile(["a.jpg"])
        async with watching(w, pile) as it:
            await it.scans(1)
            pile.keys.append("b.jpg")
            pile.hints.set()
            await it.scans(2)
        assert pile.scans == [True, False]
        assert await arrived(w.journal) == ["a.jpg", "b.jpg"]
        assert it.clock.slept[0] == GAP_S


async def test_hints_that_come_together_make_one_scan(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pile = Pile()
        async with watching(w, pile) as it:
            await it.scans(1)
            for _ in range(50):
                pile.hints.set()
            await it.scans(2)
            await anyio.sleep(0.05)
            assert len(pile.scans) <= 3


async def test_without_any_hint_it_looks_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pile = Pile()
        async with watching(w, pile, rescan_minutes=0.0001) as it:
            await it.scans(3)
        assert pile.scans[:3] == [True, True, True]


async def test_where_hints_are_only_the_clock_every_scan_is_whole(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pile = Pile()
        async with watching(w, pile, polling=True) as it:
            await it.scans(1)
            pile.hints.set()
            await it.scans(2)
        assert pile.scans == [True, True]


@pytest.mark.parametrize("fails", [1, 3])
async def test_a_scan_that_failed_is_made_again_and_whole(tmp_path: Path, fails: int) -> None:
    async with world(tmp_path) as w:
        pile = Pile([f"{n}.jpg" for n in range(20)], fails=fails)
        async with watching(w, pile) as it:
            await it.scans(fails + 1)
        assert pile.scans == [True] * (fails + 1)
        assert await arrived(w.journal) == sorted(pile.keys)
        assert [f.code if f else None for f in it.told] == ["incoming.missing"] * fails + [None]


async def test_empty_folders_are_looked_for_when_a_whole_scan_found_nothing_new_and_not_often(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        pile = Pile(["a.jpg"])
        async with watching(w, pile, polling=True) as it:
            await it.scans(1)
            assert w.files.pruned == 0
            pile.hints.set()
            await it.scans(2)
            pile.hints.set()
            await it.scans(3)
            assert w.files.pruned == 1
            it.clock.advance(PRUNE_S)
            pile.hints.set()
            await it.scans(4)
            pile.hints.set()
            await it.scans(5)
        assert w.files.pruned == 2


async def test_a_drop_folder_that_cannot_be_pruned_is_scanned_on(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.faults[Site.INCOMING] = NeedsOperator("no", code="incoming.denied", site="incoming")
        pile = Pile()
        async with watching(w, pile, rescan_minutes=0.0001) as it:
            await it.scans(3)
        assert [f for f in it.told if f] == []
