"""Guards that a part which is lost is told of, that nothing waits for it, and that it counts again when it is back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.model import Site
from mediad.ports import Room
from mediad.watchers import mounts
from mediad.watchers.mounts import CALM_S, ROOM, STUBBORN_S, Watch, is_scarce
from tests.engine.world import SOON_S, Play, World, world

SITES = (Site.ARCHIVE, Site.LIBRARY, Site.SPOOL)
GIB = 1 << 30


def fault(site: Site, code: str = "") -> NeedsOperator:
    return NeedsOperator("wrong", code=code or f"{site}.unmounted", remedy="mount it", site=site)


class Parts:
    """What is wrong with each site and with the journal; a site in `hung` never answers. Also ports.Guard."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.faults: dict[Site, MediadError] = {}
        self.hung: set[Site] = set()
        self.room = 0
        self.total = 0
        self.apart: set[Site] = set()  # on a disk of its own
        self.journal: MediadError | None = None
        self.asked: list[Site] = []
        self.watch = Watch(w.engine, w.problems, self, w.clock, room=self.room_at, prove=self.prove)

    async def check(self, site: Site) -> MediadError | None:
        self.asked.append(site)
        if site in self.hung:
            await anyio.sleep_forever()
        return self.faults.get(site)

    async def room_at(self, site: Site) -> Room:
        if site in self.hung:
            await anyio.sleep_forever()
        return Room(self.room, self.total, 1 + SITES.index(site) if site in self.apart else 0)

    async def prove(self) -> None:
        if self.journal is not None:
            raise self.journal

    def told(self) -> list[str]:
        return sorted(p.code for p in self.w.problems.now())

    async def run_until(self, holds: Callable[[], bool]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.watch.run, SITES, [Site.INCOMING])
            with anyio.fail_after(SOON_S):
                while not holds():
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with world(tmp_path, Play(), is_working=False) as w:
        yield Parts(w)


async def test_a_site_that_is_lost_is_told_and_one_that_is_back_is_well(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        p.faults[Site.ARCHIVE] = fault(Site.ARCHIVE)
        await p.watch.ask_about(Site.ARCHIVE)
        assert p.told() == ["archive.unmounted"]
        p.faults.clear()
        await p.watch.ask_about(Site.ARCHIVE)
        assert p.told() == []


async def test_another_fault_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        for code in ("archive.unmounted", "archive.replaced"):
            p.faults[Site.ARCHIVE] = fault(Site.ARCHIVE, code)
            await p.watch.ask_about(Site.ARCHIVE)
        assert p.told() == ["archive.replaced"]


async def test_a_site_that_does_not_answer_is_a_fault_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "PATIENCE_S", 0.1)
    async with parts(tmp_path) as p:
        p.faults[Site.LIBRARY] = fault(Site.LIBRARY)
        p.hung = {Site.ARCHIVE, Site.SPOOL}
        with anyio.fail_after(SOON_S):
            await p.watch.ask_about_all(SITES)
        assert p.told() == ["archive.hung", "library.unmounted", "spool.hung"]
        p.hung.clear()
        p.faults.clear()
        await p.watch.ask_about_all(SITES)
        assert p.told() == []


async def test_all_are_asked_now_and_then_and_a_faulty_one_every_second(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        p.faults[Site.ARCHIVE] = fault(Site.ARCHIVE)
        await p.run_until(lambda: p.asked.count(Site.LIBRARY) == 3)
        seconds = 2 * CALM_S
        assert abs(p.asked.count(Site.ARCHIVE) - seconds) <= 2
        assert p.asked.count(Site.SPOOL) == 3


async def test_what_a_lot_met_and_the_watch_cannot_see_is_not_tried_every_second(
    tmp_path: Path,
) -> None:
    async with parts(tmp_path) as p:
        p.w.engine.link_is_down(Site.ARCHIVE, fault(Site.ARCHIVE, "archive.stale"))
        await p.watch.ask_about(Site.ARCHIVE)
        p.w.clock.advance(STUBBORN_S / 2)
        await p.watch.ask_about(Site.ARCHIVE)
        assert p.told() == ["archive.stale"]
        p.w.clock.advance(STUBBORN_S / 2)
        await p.watch.ask_about(Site.ARCHIVE)
        assert p.told() == []


@pytest.mark.parametrize(("more", "is_over"), [(0, False), (ROOM - 1, False), (ROOM, True)])
async def test_a_full_disk_is_tried_again_as_soon_as_it_has_more_room(
    tmp_path: Path, more: int, *, is_over: bool
) -> None:
    async with parts(tmp_path) as p:
        p.room = 5000
        p.w.engine.link_is_down(Site.SPOOL, fault(Site.SPOOL, "space.full"))
        await p.watch.ask_about(Site.SPOOL)
        assert p.told() == ["space.full"]
        p.room -= 4000
        await p.watch.ask_about(Site.SPOOL)
        p.room += more
        await p.watch.ask_about(Site.SPOOL)
        assert (p.told() == []) is is_over


async def test_a_drop_folder_whose_disk_was_full_waits_for_no_scan(tmp_path: Path) -> None:
    """A download met it; the folder's own watch looks again within the quarter of an hour only."""
    async with parts(tmp_path) as p:
        p.room = 5000
        p.w.engine.link_is_down(Site.INCOMING, fault(Site.INCOMING, "space.full"))
        await p.watch.ask_about(Site.INCOMING)
        p.room += ROOM
        await p.run_until(lambda: not p.told())
        assert p.asked.count(Site.INCOMING) == 2
        assert sum(p.w.clock.slept) <= 1


async def test_a_drop_folder_that_hangs_is_told_and_well_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own watch hangs with it, and can tell nothing."""
    monkeypatch.setattr(mounts, "PATIENCE_S", 0.1)
    async with parts(tmp_path) as p:
        p.hung = {Site.INCOMING}
        await p.run_until(lambda: p.told() == ["incoming.hung"])
        p.hung.clear()
        await p.run_until(lambda: p.told() == [])


async def test_of_a_drop_folder_that_has_another_fault_its_own_watch_tells(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        p.w.engine.link_is_down(Site.INCOMING, fault(Site.INCOMING))
        await p.run_until(lambda: len(p.w.clock.slept) == 3)
        assert p.told() == ["incoming.unmounted"]
        assert Site.INCOMING not in p.asked


async def test_a_quota_that_nobody_sees_is_tried_again_now_and_then(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        p.w.engine.link_is_down(Site.SPOOL, fault(Site.SPOOL, "space.full"))
        await p.run_until(lambda: not p.told())
        assert sum(p.w.clock.slept) == pytest.approx(STUBBORN_S, abs=2)


async def test_a_journal_that_takes_a_write_again_is_well(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        p.journal = Retryable("no", code="journal.io", site="journal")
        p.w.engine.link_is_down("journal", p.journal)
        await p.run_until(lambda: len(p.w.clock.slept) == 3)
        assert p.told() == ["journal.io"]
        p.journal = None
        await p.run_until(lambda: not p.told())


async def test_a_damaged_journal_is_not_well_because_it_takes_a_write(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        damaged = NeedsOperator("damaged", code="journal.corrupt", site="journal")
        p.w.engine.link_is_down("journal", damaged)
        await p.run_until(lambda: len(p.w.clock.slept) == 30)
        assert p.told() == ["journal.corrupt"]


async def test_the_real_journal_proves_that_it_takes_a_write(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        groups = p.w.journal.groups
        await p.w.journal.prove()
        assert p.w.journal.groups == groups + 1


async def test_work_goes_on_by_itself_when_the_disk_is_back(tmp_path: Path) -> None:
    play = Play(needs=frozenset({"archive"}))
    async with world(tmp_path, play) as w:
        p = Parts(w)
        p.faults[Site.ARCHIVE] = fault(Site.ARCHIVE)
        await p.watch.ask_about_all(SITES)
        ids = await w.drop("a.jpg")
        await w.idle()
        assert play.looks == []
        p.faults.clear()
        await p.watch.ask_about_all(SITES)
        await w.idle()
        assert await w.marks(ids) == ["intake.settled"]


@pytest.mark.parametrize(
    ("free", "total", "scarce"),
    [
        (4 * GIB, 100 * GIB, True), (5 * GIB, 100 * GIB, False), (9 * GIB, 1000 * GIB, True),
        (10 * GIB, 1000 * GIB, False), (0, GIB, True), (0, 0, False),
    ],
)  # fmt: skip
def test_a_disk_is_nearly_full_by_its_share_and_by_what_is_enough_anywhere(
    free: int, total: int, *, scarce: bool
) -> None:
    assert is_scarce(Room(free, total, 1)) is scarce


async def test_a_disk_that_is_nearly_full_is_told_once_and_nothing_waits_for_it(
    tmp_path: Path,
) -> None:
    play = Play(needs=frozenset({"archive"}))
    async with world(tmp_path, play) as w:
        p = Parts(w)
        p.room, p.total, p.apart = GIB, 100 * GIB, {Site.LIBRARY}
        await p.watch.ask_about_room(SITES)
        await p.watch.ask_about_room(SITES)
        assert [(q.code, q.subject) for q in w.problems.now()] == [
            ("space.scarce", "space of archive"), ("space.scarce", "space of library"),
        ]  # fmt: skip
        assert (
            "the disk of archive, spool has only 1.0 GiB free of 100.0"
            in w.problems.now()[0].message
        )
        assert [e["sites"] for e in w.said if e["event"] == "space.scarce"] == [
            ["archive", "spool"], ["library"],
        ]  # fmt: skip
        assert w.engine.may_work("settle")
        p.room = 20 * GIB
        await p.watch.ask_about_room(SITES)
        assert p.told() == []


async def test_a_disk_of_which_nothing_is_known_now_keeps_its_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "PATIENCE_S", 0.1)
    async with parts(tmp_path) as p:
        p.room, p.total = GIB, 100 * GIB
        await p.watch.ask_about_room([Site.ARCHIVE])
        p.room, p.hung = 20 * GIB, {Site.ARCHIVE}
        with anyio.fail_after(SOON_S):
            await p.watch.ask_about_room([Site.ARCHIVE])
        assert p.told() == ["space.scarce"]


async def test_the_room_is_looked_at_with_the_calm_checks(tmp_path: Path) -> None:
    async with parts(tmp_path) as p:
        p.room, p.total = GIB, 100 * GIB
        await p.run_until(lambda: p.told() == ["space.scarce"])
        p.room = 20 * GIB
        await p.run_until(lambda: p.told() == [])
