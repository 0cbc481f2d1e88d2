"""Guards that room is promised once: two who write at the same time never count on the same last gigabyte."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from anyio.from_thread import run_sync as in_loop

from mediad.adapters.durable import room
from mediad.adapters.durable.lot import Lot, Member
from mediad.adapters.durable.orphans import Orphans
from mediad.adapters.durable.room import Promise, Rooms
from mediad.adapters.roots import Root
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Digest, Site
from mediad.ports import Put
from mediad.testing import Power
from tests.adapters.folders import Folders, at, mounted
from tests.adapters.test_durable_arrival import Proof

DISK = 1_000_000


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    monkeypatch.setattr(room, "room_of", lambda _: (DISK, DISK))
    with Folders(tmp_path).roots().open(Site.LIBRARY) as opened:
        yield opened


def test_what_is_promised_to_one_is_not_there_for_another(root: Root) -> None:
    rooms = Rooms(0)
    first, second = Promise(rooms, root), Promise(rooms, root)
    assert first.add(700_000, least=700_000) == 700_000
    with pytest.raises(NeedsOperator) as full:
        second.add(400_000, least=400_000)
    assert (full.value.code, full.value.site) == ("space.full", "library")
    first.give_back(200_000)  # written: the disk itself has less by that
    assert second.add(400_000, least=400_000) == 400_000
    first.give_back()
    assert second.add(700_000, least=1) == 600_000, "what there is of it"


def left(rooms: Rooms, root: Root) -> int:
    """What nobody has been promised."""
    asks = Promise(rooms, root)
    found = asks.add(DISK + 1, least=1)
    asks.give_back()
    return found


def test_to_the_last_byte(root: Root) -> None:
    assert Promise(Rooms(0), root).add(DISK, least=DISK) == DISK


def test_what_is_given_back_is_what_was_got_and_no_more(root: Root) -> None:
    rooms = Rooms(0)
    other, promise = Promise(rooms, root), Promise(rooms, root)
    other.add(300_000, least=1)
    assert promise.add(2 * DISK, least=1) == 700_000
    promise.give_back(100_000)
    assert left(rooms, root) == 100_000
    for size in (2 * DISK, None):
        promise.give_back(size)
        assert left(rooms, root) == 700_000, "the other's is still the other's"


def test_what_is_still_to_come_takes_the_place_of_what_was_said_before(root: Root) -> None:
    rooms = Rooms(0)
    arrival = Promise(rooms, root)
    for left in (900_000, 600_000, 100_000):
        arrival.be(left)
    assert Promise(rooms, root).add(DISK, least=1) == 900_000
    with pytest.raises(NeedsOperator):
        arrival.be(DISK)


def test_a_lot_is_promised_all_of_its_room_at_once_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Root] = []

    def room_of(of: Root) -> tuple[int, int]:
        asked.append(of)
        return DISK, DISK

    monkeypatch.setattr(room, "room_of", room_of)
    roots, rooms, touch = Folders(tmp_path).roots(), Rooms(0), Power().touch
    sizes = {"a.jpg": 100_000, "b.mov": 600_000, "c.jpg": 200_000}
    members = [
        Member(Put(at(Site.SPOOL, key), at(Site.LIBRARY, key), Digest("d"), 0, size))
        for key, size in sizes.items()
    ]
    target = roots.open(Site.LIBRARY)
    lot = Lot(roots.open(Site.SPOOL), target, members, touch, rooms, Orphans(touch))
    for size in sizes.values():
        lot._allot(size)
        assert len(asked) == 1
    assert left(rooms, target) == 100_000
    lot._allot(40_000)  # one was larger than was known
    assert left(rooms, target) == 60_000
    lot._written(600_000)
    assert left(rooms, target) == 660_000
    lot.release()  # some of it was never written
    assert left(rooms, target) == DISK


class Meeting(Power):
    """The first writer stops before it writes until the other has been answered."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing, self.go_on = anyio.Event(), threading.Event()

    def touch(self, what: str = "") -> None:
        super().touch(what)
        if what == "write" and self.seen.count("write") == 1:
            in_loop(self.is_writing.set)
            assert self.go_on.wait(20)


async def test_of_two_films_for_one_place_the_second_waits_before_a_byte_is_written(
    tmp_path: Path,
) -> None:
    nas, power = tmp_path / "nas", Meeting()
    with mounted(nas, "size=1m"):
        folders = Folders(tmp_path, archive=nas)
        files = folders.files(power)
        sizes = {"0.mov": 600_000, "1.jpg": 100_000, "2.mov": 600_000}
        drops = [folders.drop(Site.SPOOL, n, os.urandom(size)) for n, size in sizes.items()]
        first, small, second = [folders.put(d, Site.ARCHIVE, d.key) for d in drops]
        answers: list[MediadError | None] = []

        async def write() -> None:
            answers.extend(await files.copy([first]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            with anyio.fail_after(20):
                await power.is_writing.wait()
            try:
                [answer] = await files.copy([second])
                assert isinstance(answer, NeedsOperator)
                assert answer.code == "space.full"
                with pytest.raises(NeedsOperator):
                    async with files.receive(at(Site.ARCHIVE, "3.mov"), 600_000, Proof):
                        raise AssertionError("it has room")
                assert await files.copy([small]) == [None]
            finally:
                power.go_on.set()
        assert answers == [None]
        assert sorted(p.name for p in nas.iterdir() if p.suffix) == ["0.mov", "1.jpg"]
        (nas / "0.mov").unlink()
        assert await files.copy([second]) == [None], "what was promised and not written is free"
