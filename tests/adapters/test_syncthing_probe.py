"""Guards the probe: the phone's own answer to whether it keeps what is removed here, and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from mediad.adapters.syncthing import SyncthingPhone
from mediad.adapters.syncthing.probe import Probe
from mediad.errors import MediadError, Retryable
from mediad.model import SiteKey
from mediad.ports import Entry, Indexed
from mediad.testing.clock import StoppedClock
from tests.adapters.syncthing_phone import Told, phone_of
from tests.syncthing_pair import SyncPair, until

OTHERS = "mine.txt"


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[SyncPair]:
    async with SyncPair(tmp_path / "pair") as pair:
        yield pair


@pytest.fixture
async def phone(pair: SyncPair, tmp_path: Path) -> AsyncIterator[SyncthingPhone]:
    told = Told(tmp_path, pair.host.folder, url=pair.host.url, api_key=pair.host.api_key)
    async with phone_of(told) as phone:
        yield phone


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*probe*"))


async def test_a_phone_that_keeps_what_is_removed_says_so(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    assert await phone.keeps_deleted(40) is True
    assert left(pair.host.folder) == []
    assert len(left(pair.pixel.folder)) == 2  # it keeps them: that is what was asked


async def test_a_phone_that_deletes_says_so(pair: SyncPair, phone: SyncthingPhone) -> None:
    await pair.pixel.set_folder(ignoreDelete=False)
    assert await phone.keeps_deleted(40) is False
    assert left(pair.host.folder) == []

    async def are_gone() -> bool:
        return not left(pair.pixel.folder)

    await until(are_gone, "the phone deletes the probes too")


class Shelf:
    """A folder and a phone at its other end that has what was scanned, as `hears` says."""

    def __init__(self, root: Path, *, keeps: bool = True) -> None:
        self.root = root
        self.keeps = keeps
        self.hears: Callable[[int], bool] = lambda _: True
        self.scans: list[list[SiteKey]] = []
        self.on_phone: set[SiteKey] = set()
        self.fault: MediadError | None = None
        self.clock = StoppedClock()

    def probe(self) -> Probe:
        return Probe(self.scan, self.look, self.clock, lambda: self.root)

    async def scan(self, keys: Sequence[SiteKey]) -> None:
        self.scans.append(list(keys))
        if self.hears(len(self.scans)):
            self.on_phone |= {key for key in keys if (self.root / key).exists()}

    def look(self, keys: Sequence[SiteKey]) -> Awaitable[Sequence[Indexed | MediadError | None]]:
        async def seen() -> list[Indexed | MediadError | None]:
            return [self.fault or self._seen(key) for key in keys]

        return seen()

    def _seen(self, key: SiteKey) -> Indexed:
        is_gone = not (self.root / key).exists()
        entry = Entry("MEMEMEM:1", 5, 0, is_deleted=is_gone)
        return Indexed(entry, entry, key in self.on_phone and not (is_gone and self.keeps))


async def test_a_phone_that_never_has_the_probe_gives_no_answer(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.hears = lambda _: False
    assert await shelf.probe().run(30) is None
    assert left(tmp_path) == []
    assert sum(shelf.clock.slept) <= 31


async def test_a_phone_that_slept_before_it_heard_of_the_removal_gives_no_answer(
    tmp_path: Path,
) -> None:
    shelf = Shelf(tmp_path)
    shelf.hears = lambda nth: nth == 1
    assert await shelf.probe().run(30) is None
    assert left(tmp_path) == []


async def test_a_phone_that_went_away_while_it_could_have_acted_gives_no_answer(
    tmp_path: Path,
) -> None:
    shelf = Shelf(tmp_path)
    seen = shelf.look

    def look(keys: Sequence[SiteKey]) -> Awaitable[Sequence[Indexed | MediadError | None]]:
        if sum(shelf.clock.slept) >= 9:
            shelf.on_phone.clear()
        return seen(keys)

    probe = Probe(shelf.scan, look, shelf.clock, lambda: tmp_path)
    assert await probe.run(60) is None


async def test_patience_that_ends_within_the_grace_gives_no_answer(tmp_path: Path) -> None:
    assert await Shelf(tmp_path).probe().run(3) is None
    assert await Shelf(tmp_path).probe().run(30) is True


async def test_what_a_killed_probe_left_is_removed_and_nobody_elses_file(tmp_path: Path) -> None:
    (tmp_path / "mediad-probe-0123456789ab.txt").write_text("old")
    (tmp_path / OTHERS).write_text("mine")
    shelf = Shelf(tmp_path)
    assert await shelf.probe().run(30) is True
    assert left(tmp_path) == []
    assert (tmp_path / OTHERS).read_text() == "mine"
    assert shelf.scans[0] == ["mediad-probe-0123456789ab.txt"]


async def test_a_fault_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.fault = Retryable("away", code="syncthing.unreachable", site="syncthing")
    with pytest.raises(Retryable):
        await shelf.probe().run(30)
    assert left(tmp_path) == []


async def test_one_who_is_cancelled_tidies_up_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    reached = asyncio.Event()

    async def look(_: Sequence[SiteKey]) -> Sequence[Indexed | MediadError | None]:
        reached.set()
        await asyncio.Event().wait()
        return []

    task = asyncio.get_running_loop().create_task(
        Probe(shelf.scan, look, shelf.clock, lambda: tmp_path).run(30)
    )
    await reached.wait()
    assert left(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(tmp_path) == []
    assert len(shelf.scans) == 2


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediadError) as caught:
        await Shelf(tmp_path / "not there").probe().run(30)
    assert caught.value.code == "file.denied"
