"""Guards the drop folder: everything is found, nothing is opened or followed, and the watch outlives what kills it."""

import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from mediad.adapters import incoming
from mediad.adapters.incoming import LOOKED_AT, SLICE, DropFolder
from mediad.errors import NeedsOperator
from mediad.model import SiteKey
from mediad.policy.litter import litter
from mediad.ports import Found


def drop(root: Path) -> DropFolder:
    root.mkdir(exist_ok=True)
    return DropFolder(root, litter)


async def scanned(
    folder: DropFolder, known: frozenset[SiteKey] = frozenset(), *, full: bool = True
) -> list[Found]:
    return [f async for found in folder.scan(known, full=full) for f in found]


async def keys(
    folder: DropFolder, known: frozenset[SiteKey] = frozenset(), *, full: bool = True
) -> list[str]:
    return sorted(f.key for f in await scanned(folder, known, full=full))


def age(*paths: Path) -> None:
    """As if nothing had changed there for an hour."""
    then = 1_700_000_000
    for path in paths:
        os.utime(path, (then, then))


async def test_everything_is_found_in_whatever_depth(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "IMG_1.HEIC").write_bytes(b"12345")
    os.utime(deep / "IMG_1.HEIC", ns=(1, 77))
    (tmp_path / "new\nline.jpg").touch()
    assert await keys(folder) == ["a/b/c/IMG_1.HEIC", "new\nline.jpg"]
    [found] = [f for f in await scanned(folder) if f.name == "IMG_1.HEIC"]
    assert (found.size, found.mtime_ns) == (5, 77)


async def test_a_name_that_is_no_utf8_comes_through_byte_for_byte(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    (tmp_path / os.fsdecode(b"\xff\xfe.jpg")).touch()
    assert [os.fsencode(k) for k in await keys(folder)] == [b"\xff\xfe.jpg"]


async def test_links_and_pipes_are_named_but_never_followed(tmp_path: Path) -> None:
    folder = drop(tmp_path / "in")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").touch()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(tmp_path / "in" / "plug"))
        assert await keys(folder) == ["link", "pipe.jpg", "plug"]


async def test_litter_is_passed_over_and_told_of_once(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    for name in (".DS_Store", "a.part", "IMG_1.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "@eaDir" / "deep").mkdir(parents=True)
    (tmp_path / "@eaDir" / "deep" / "thumb.jpg").touch()
    for _ in range(2):
        assert await keys(folder) == ["IMG_1.jpg"]
    assert folder.litter() == {"macos": 1, "partial": 1, "nas-index": 1}


async def test_what_is_known_is_not_told_again(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    assert await keys(folder, frozenset({SiteKey("a.jpg")})) == ["b.jpg"]


async def test_slices_are_bounded(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    for n in range(SLICE + 10):
        (tmp_path / f"{n}.jpg").touch()
    sizes = [len(found) async for found in folder.scan(set())]
    assert sizes == [SLICE, 10]
    assert LOOKED_AT > SLICE


async def test_an_absent_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    folder = drop(tmp_path / "in")
    (tmp_path / "in").rmdir()
    with pytest.raises(NeedsOperator) as caught:
        await scanned(folder)
    assert (caught.value.code, caught.value.site) == ("incoming.missing", "incoming")


async def test_a_folder_that_may_not_be_read_does_not_stop_the_rest(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "locked").mkdir(mode=0o000)
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    assert await keys(folder) == ["a.jpg"]
    assert folder.litter() == {"unreadable": 1}


async def test_a_path_longer_than_the_kernel_takes_does_not_stop_the_rest(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    (tmp_path / "a.jpg").touch()
    above = os.open(tmp_path, os.O_RDONLY)
    for _ in range(21):
        os.mkdir("x" * 200, dir_fd=above)
        below = os.open("x" * 200, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(above)
    assert await keys(folder) == ["a.jpg"]
    assert folder.litter() == {"unreadable": 1}


async def test_an_unchanged_folder_is_not_listed_again(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.jpg").touch()
    age(tmp_path / "old", tmp_path)
    assert await keys(folder) == ["old/a.jpg"]
    assert await keys(folder, full=False) == []
    assert await keys(folder) == ["old/a.jpg"]


async def test_a_change_deep_below_unchanged_folders_is_found(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    age(tmp_path / "a" / "b", tmp_path / "a", tmp_path)
    assert await keys(folder) == []
    (tmp_path / "a" / "b" / "new.jpg").touch()
    assert await keys(folder, full=False) == ["a/b/new.jpg"]


async def test_a_tree_that_was_moved_in_is_found_whole(tmp_path: Path) -> None:
    folder = drop(tmp_path / "in")
    age(tmp_path / "in")
    assert await keys(folder) == []
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "a.jpg").touch()
    age(tmp_path / "tree" / "sub", tmp_path / "tree")
    (tmp_path / "tree").rename(tmp_path / "in" / "tree")
    assert await keys(folder, full=False) == ["tree/sub/a.jpg"]


async def test_a_folder_that_changed_a_moment_ago_is_always_listed_again(tmp_path: Path) -> None:
    """Two files in one tick of the file system's clock leave one and the same time behind."""
    folder = drop(tmp_path)
    (tmp_path / "a.jpg").touch()
    assert await keys(folder) == ["a.jpg"]
    now = os.stat(tmp_path).st_mtime_ns  # noqa: PTH116 - a test may wait
    (tmp_path / "b.jpg").touch()
    os.utime(tmp_path, ns=(now, now))
    assert await keys(folder, full=False) == ["a.jpg", "b.jpg"]


async def test_a_folder_that_became_a_link_is_not_entered(tmp_path: Path) -> None:
    folder = drop(tmp_path / "in")
    (tmp_path / "in" / "sub").mkdir()
    age(tmp_path / "in" / "sub", tmp_path / "in")
    await keys(folder)
    (tmp_path / "in" / "sub").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.jpg").touch()
    (tmp_path / "in" / "sub").symlink_to(tmp_path / "elsewhere")
    age(tmp_path / "in")
    assert await keys(folder, full=False) == []
    assert await keys(folder) == ["sub"]


# -- the watch ------------------------------------------------------------------------------------


@asynccontextmanager
async def listening(folder: DropFolder, *, polling: bool = False) -> AsyncIterator["Ears"]:
    ears = Ears()

    async def listen() -> None:
        async with aclosing(folder.changes(polling=polling)) as hints:  # type: ignore[type-var]  # it is a generator
            async for _ in hints:
                ears.heard.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await anyio.sleep(0.3)
        yield ears
        tasks.cancel_scope.cancel()


class Ears:
    def __init__(self) -> None:
        self.heard = anyio.Event()

    async def hear(self, seconds: float = 8) -> None:
        with anyio.fail_after(seconds):
            await self.heard.wait()
        self.heard = anyio.Event()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "RESTART_S", 0.1)
    monkeypatch.setattr(incoming, "IDLE_MS", 200)
    monkeypatch.setattr(incoming, "POLL_S", 0.1)


async def test_a_new_file_is_hinted_at_within_a_second(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    async with listening(folder) as ears:
        (tmp_path / "a.jpg").touch()
        await ears.hear(1.5)


@pytest.mark.usefixtures("quick")
async def test_the_watch_outlives_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    async with listening(folder) as ears:
        (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
        await ears.hear()
        await anyio.sleep(0.5)
        ears.heard = anyio.Event()
        (tmp_path / "plain.jpg").touch()
        await ears.hear()


@pytest.mark.usefixtures("quick")
async def test_the_watch_finds_a_folder_that_was_made_anew(tmp_path: Path) -> None:
    folder = drop(tmp_path / "in")
    async with listening(folder) as ears:
        shutil.rmtree(tmp_path / "in")
        await anyio.sleep(1)
        (tmp_path / "in").mkdir()
        await anyio.sleep(1)
        ears.heard = anyio.Event()
        (tmp_path / "in" / "a.jpg").touch()
        await ears.hear()


@pytest.mark.usefixtures("quick")
async def test_where_the_kernel_says_nothing_the_clock_does(tmp_path: Path) -> None:
    folder = drop(tmp_path)
    async with listening(folder, polling=True) as ears:
        await ears.hear()
        await ears.hear()
