"""Guards that only empty folders go, and of those none that a person may still be about to fill."""

import os
from pathlib import Path

import pytest

from mediad.model import Site
from mediad.policy.litter import litter
from tests.adapters.folders import Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Its clock is far ahead of the disk's: whatever a test makes has long rested."""
    made = Folders(tmp_path)
    made.roots()
    return made


async def pruned(folders: Folders) -> int:
    return await folders.files().prune(lambda name: bool(litter(name, is_folder=True)))


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
    assert await pruned(folders) == 0


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
    assert await pruned(folders) == 1
    assert names(folders) == before
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
