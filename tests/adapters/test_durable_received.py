"""Guards the second looks at a file that comes over a network: at its name, its room, its medium, and what is there."""

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mediad.adapters import syscalls
from mediad.adapters.durable import DurableFiles, arrival, room
from mediad.adapters.durable.parts import part_of
from mediad.errors import NeedsOperator, Refused
from mediad.testing import Power
from tests.adapters.folders import MTIME, Folders
from tests.adapters.test_durable_arrival import CONTENT, TARGET, Proof, receive
from tests.adapters.test_durable_careful import Meanwhile, handles
from tests.adapters.test_durable_synced import AtRisk

OTHER = bytes(len(CONTENT))
STEP = 2_000
EVERY = 2 * STEP


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def at_risk(monkeypatch: pytest.MonkeyPatch) -> AtRisk:
    return AtRisk(monkeypatch)


def path_of(folders: Folders) -> Path:
    return folders.paths[TARGET.site] / TARGET.key


def part_in(folders: Folders) -> Path:
    part = path_of(folders).with_name(part_of(TARGET))
    part.parent.mkdir(parents=True, exist_ok=True)
    return part


def no_proof() -> Proof:
    raise AssertionError("it is read, though it cannot be the one")


# -- what is there ----------------------------------------------------------------------------------


async def test_what_is_there_is_not_fetched_again(folders: Folders) -> None:
    folders.drop(TARGET.site, TARGET.key, CONTENT)
    async with folders.files().receive(TARGET, len(CONTENT), Proof) as coming:
        assert coming.is_there
        assert coming.finish(MTIME)
    assert folders.under(TARGET.site) == {f"incoming/{TARGET.key}": CONTENT}


async def test_where_other_bytes_have_the_name_nothing_is_fetched(folders: Folders) -> None:
    folders.drop(TARGET.site, TARGET.key, OTHER)
    with pytest.raises(Refused) as taken:
        async with folders.files().receive(TARGET, len(CONTENT), Proof):
            raise AssertionError("it comes")
    assert taken.value.code == "place.taken"
    assert folders.under(TARGET.site) == {f"incoming/{TARGET.key}": OTHER}


async def test_a_file_of_another_size_is_not_read_to_know_that_it_is_another(
    folders: Folders,
) -> None:
    folders.drop(TARGET.site, TARGET.key, CONTENT + b"more")
    with pytest.raises(Refused):
        async with folders.files().receive(TARGET, len(CONTENT), no_proof):
            raise AssertionError("it comes")


@pytest.mark.parametrize("theirs", [OTHER, CONTENT], ids=["other bytes", "the same bytes"])
async def test_a_name_that_is_taken_while_it_comes_is_not_taken_away(
    folders: Folders, theirs: bytes
) -> None:
    path = path_of(folders)

    def take() -> None:
        path.write_bytes(theirs)

    files = folders.files(Meanwhile("rename", take))
    if theirs == CONTENT:
        assert await receive(files)
        assert not part_in(folders).exists()
    else:
        with pytest.raises(Refused):
            await receive(files)
    assert path.read_bytes() == theirs


async def test_what_is_too_short_is_not_read_to_know_that_it_is_not_whole(
    folders: Folders,
) -> None:
    async with folders.files().receive(TARGET, len(CONTENT), no_proof) as coming:
        coming.write(CONTENT[:-1])
        assert not coming.finish(MTIME)
    assert folders.under(TARGET.site) == {}


async def test_no_handle_is_left(folders: Folders) -> None:
    files = folders.files()
    before = handles()
    assert await receive(files)
    assert handles() == before


# -- what a power cut takes -------------------------------------------------------------------------


@pytest.mark.parametrize("network", [False, True])
async def test_what_has_come_survives_a_power_cut(
    folders: Folders, at_risk: AtRisk, *, network: bool
) -> None:
    at_risk.is_network = network
    assert await receive(folders.files())
    assert at_risk.is_safe(path_of(folders), folders.paths[TARGET.site])


async def test_what_a_crash_left_there_is_made_safe_and_its_part_goes(
    folders: Folders, at_risk: AtRisk
) -> None:
    files = folders.files()
    at_risk.write(path_of(folders), CONTENT)
    part_in(folders).write_bytes(CONTENT[:100])
    assert await receive(files)
    assert at_risk.is_safe(path_of(folders), folders.paths[TARGET.site])
    assert not part_in(folders).exists()


async def test_it_is_the_medium_that_proves_it(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    past: list[str] = []
    advise, direct = os.posix_fadvise, syscalls.direct_chunks

    def advised(fd: int, start: int, size: int, advice: int) -> None:
        past.append("evicted")
        advise(fd, start, size, advice)

    def read_direct(fd: int, size: int) -> Iterator[memoryview]:
        past.append("direct")
        return direct(fd, size)

    monkeypatch.setattr(os, "posix_fadvise", advised)
    monkeypatch.setattr(syscalls, "direct_chunks", read_direct)
    assert await receive(folders.files())
    assert past


async def test_what_is_written_to_once_it_has_its_name_is_not_said_to_be_proved(
    folders: Folders,
) -> None:
    def edit() -> None:
        path_of(folders).write_bytes(b"edited")

    files = folders.files(Meanwhile("fsync folders", edit))
    async with files.receive(TARGET, len(CONTENT), Proof) as coming:
        await files.in_thread(TARGET.site, partial(coming.write, CONTENT))
        assert await files.in_thread(TARGET.site, partial(coming.finish, MTIME))
        assert coming.seen is None


# -- what is gone on from ---------------------------------------------------------------------------


def a_pipe(part: Path) -> None:
    os.mkfifo(part)


def too_much(part: Path) -> None:
    part.write_bytes(CONTENT + b"more")


@pytest.mark.parametrize("left", [a_pipe, too_much])
async def test_what_is_no_beginning_of_it_is_begun_anew(
    folders: Folders, left: Callable[[Path], None]
) -> None:
    files = folders.files()
    left(part_in(folders))
    assert await receive(files)
    assert folders.under(TARGET.site) == {f"incoming/{TARGET.key}": CONTENT}


async def test_after_what_came_was_thrown_away_it_begins_at_the_first_byte(
    folders: Folders,
) -> None:
    async with folders.files().receive(TARGET, len(CONTENT), Proof) as coming:
        coming.write(OTHER[:5_000])
        coming.drop()
        coming.again()
        assert coming.have == 0
        coming.write(CONTENT)
        assert coming.finish(MTIME)
    assert folders.under(TARGET.site) == {f"incoming/{TARGET.key}": CONTENT}


# -- room -------------------------------------------------------------------------------------------


class Disk:
    """`left`: what is free on it. It is looked at more often than a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = self.size = 1_000_000
        self.asked = 0
        monkeypatch.setattr(room, "room_of", self._room_of)
        monkeypatch.setattr(arrival, "LOOK_EVERY", EVERY)
        monkeypatch.setattr(arrival, "PUSH_EVERY", EVERY)

    def _room_of(self, _: object) -> tuple[int, int]:
        self.asked += 1
        return self.left, self.size


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


async def test_the_room_is_looked_at_every_so_many_bytes(folders: Folders, disk: Disk) -> None:
    asked = []
    async with folders.files().receive(TARGET, len(CONTENT), Proof) as coming:
        while coming.have < len(CONTENT):
            coming.write(CONTENT[coming.have : coming.have + STEP])
            asked.append(disk.asked)
    assert asked == [1, 1, 2, 2, 3, 3]


async def test_the_disk_writes_what_came_while_the_next_comes(
    folders: Folders, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk.asked == 0
    begun: list[tuple[int, int]] = []
    real = syscalls.begin_write_out

    def begin(fd: int, start: int, size: int) -> None:
        begun.append((start, size))
        real(fd, start, size)

    monkeypatch.setattr(syscalls, "begin_write_out", begin)
    assert await receive(folders.files(), step=STEP)
    assert begun == [(0, EVERY), (EVERY, EVERY)]


async def test_what_came_of_a_file_that_has_no_room_any_more_gives_its_room_back(
    folders: Folders, disk: Disk
) -> None:
    async with folders.files().receive(TARGET, len(CONTENT), Proof) as coming:
        coming.write(CONTENT[:EVERY])
        disk.left = 1_000
        with pytest.raises(NeedsOperator) as full:
            coming.write(CONTENT[EVERY:])
    assert full.value.code == "space.full"
    assert not part_in(folders).exists()


async def test_what_came_before_the_disk_may_not_be_written_stays(folders: Folders) -> None:
    class ReadOnly(Power):
        def touch(self, what: str = "") -> None:
            super().touch(what)
            if what == "write" and self.seen.count("write") > 1:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.raises(NeedsOperator) as shut:
        await receive(folders.files(ReadOnly()))
    assert shut.value.code != "space.full"
    assert part_in(folders).read_bytes() == CONTENT[:3_000]


async def test_whoever_stops_gives_the_room_back(folders: Folders, disk: Disk) -> None:
    files: DurableFiles = folders.files()
    disk.left = len(CONTENT)
    for _ in range(2):
        async with files.receive(TARGET, len(CONTENT), Proof) as coming:
            assert coming.have == 0
            coming.drop()
    assert await receive(files, step=len(CONTENT))
