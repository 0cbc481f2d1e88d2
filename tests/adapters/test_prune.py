"""Guards that only empty folders go, and of those none that a person may still be about to fill."""

import os
import threading
from pathlib import Path

import pytest

from mediad.model import Site
from mediad.policy.litter import litter
from mediad.testing import Power
from tests.adapters.folders import Folders, mounted
from tests.adapters.test_durable_careful import Meanwhile


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Its clock is far ahead of the disk's: whatever a test makes has long rested."""
    made = Folders(tmp_path)
    made.roots()
    return made


async def pruned(folders: Folders, power: Power | None = None) -> int:
    return await folders.files(power).prune(lambda name: bool(litter(name, is_folder=True)))


def names(folders: Folders) -> list[str]:
    top = folders.paths[Site.INCOMING]
    return sorted(str(p.relative_to(top)) for p in top.rglob("*"))


async def test_a_tree_without_a_file_goes_at_once_and_the_drop_folder_stays(
    folders: Folders,
) -> None:
    top = folders.paths[Site.INCOMING]
    (top / "trip/day 1/raw").mkdir(parents=True)
    (top / os.fsdecode(b"odd-\xff")).mkdir()
    assert await pruned(folders) == 4
    assert names(folders) == []
    assert top.is_dir()
    power = Power()
    assert await pruned(folders, power) == 0
    assert power.seen == [], "nobody tries to remove the drop folder"


async def test_what_holds_anything_stays_with_all_above_it(
    folders: Folders, tmp_path: Path
) -> None:
    top = folders.paths[Site.INCOMING]
    outside = tmp_path / "outside"
    (outside / "empty").mkdir(parents=True)
    for kept in ("a/b/photo.jpg", "c/.DS_Store", "d/~$x.tmp"):
        (top / kept).parent.mkdir(parents=True)
        (top / kept).touch()
    for kept in ("e/.stfolder", "#recycle", "f/@eaDir/x"):
        (top / kept).mkdir(parents=True)
    (top / "g").mkdir()
    (top / "g/link").symlink_to(outside)
    (top / "link").symlink_to(outside)
    before = names(folders)
    (top / "a/gone").mkdir()
    power = Power()
    assert await pruned(folders, power) == 1
    assert names(folders) == before
    assert power.seen == ["rmdir"] * 2, "a and a/gone: what holds no folders only is not even tried"
    assert (outside / "empty").is_dir()


@pytest.mark.parametrize(("age_s", "stays"), [(0, True), (59, True), (61, False)])
async def test_a_folder_that_a_person_has_just_made_is_left_alone(
    folders: Folders, age_s: int, *, stays: bool
) -> None:
    new = folders.paths[Site.INCOMING] / "new"
    new.mkdir()
    folders.clock.at = new.stat().st_ctime_ns // 1_000_000 + age_s * 1000
    assert await pruned(folders) == (not stays)
    assert new.is_dir() is stays


async def test_an_old_folder_that_was_just_moved_in_is_left_alone(folders: Folders) -> None:
    new = folders.paths[Site.INCOMING] / "new"
    new.mkdir()
    os.utime(new, ns=(0, 0))
    folders.clock.at = new.stat().st_ctime_ns // 1_000_000 + 1000
    assert await pruned(folders) == 0
    assert new.is_dir()


@pytest.mark.parametrize(("age_s", "stays"), [(59.999, True), (60, False)])
async def test_a_folder_that_something_was_put_into_is_left_alone_for_a_minute(
    folders: Folders, age_s: float, *, stays: bool
) -> None:
    """By its own time; that of its entry in the folder above says nothing of it."""
    new = folders.paths[Site.INCOMING] / "new"
    new.mkdir()
    touched_s = int(new.stat().st_ctime) + 3600
    os.utime(new, (touched_s, touched_s))
    folders.clock.at = touched_s * 1000 + round(age_s * 1000)
    assert await pruned(folders) == (not stays)
    assert new.is_dir() is stays


async def test_what_lies_on_another_disk_is_somebodys(folders: Folders) -> None:
    top = folders.paths[Site.INCOMING]
    with mounted(top / "card"):
        (top / "card/DCIM").mkdir()
        assert await pruned(folders) == 0
        assert (top / "card/DCIM").is_dir()


async def test_only_what_went_is_counted_when_somebody_takes_the_rest(folders: Folders) -> None:
    top = folders.paths[Site.INCOMING]
    (top / "a/b/c").mkdir(parents=True)

    def take() -> None:
        (top / "a").rename(folders.root / "theirs")

    assert await pruned(folders, Meanwhile("rmdir", take)) == 1
    assert (folders.root / "theirs/b").is_dir()


async def test_a_pipe_that_takes_a_folders_name_is_waited_for_by_nobody(folders: Folders) -> None:
    top = folders.paths[Site.INCOMING]
    (top / "odd").mkdir()
    writer = threading.Thread(target=lambda: os.close(os.open(top / "odd", os.O_WRONLY)))

    def spares(name: str) -> bool:
        """Called when the name was seen to be a folder's, and before that is opened."""
        (top / name).rmdir()
        os.mkfifo(top / name)
        writer.start()  # whoever opens the pipe to read lets it go
        return False

    assert await folders.files().prune(spares) == 0
    writer.join(0.1)
    assert writer.is_alive()
    os.close(os.open(top / "odd", os.O_RDONLY))
    writer.join()


async def test_a_folder_that_may_not_be_touched_is_no_fault(folders: Folders) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may touch everything")
    shut = folders.paths[Site.INCOMING] / "shut"
    (shut / "empty").mkdir(parents=True)
    shut.chmod(0o500)
    try:
        assert await pruned(folders) == 0
    finally:
        shut.chmod(0o700)
