"""Guards the mount guard: nothing is written where the right disk is not, and what is out of reach is not gone."""

import os
import subprocess
from pathlib import Path

import pytest

from mediad.adapters import syscalls
from mediad.adapters.roots import MARKER
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Site
from mediad.ports import Put, Sighting
from mediad.testing import Power
from tests.adapters.folders import Folders, at, is_mounted, mount, mounted, remount, umount


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    folder = tmp_path / "nas"
    folder.mkdir()
    return folder


def wish(folders: Folders, name: str = "a.jpg") -> Put:
    source = folders.drop(Site.SPOOL, name, b"picture")
    return folders.put(source, Site.ARCHIVE, f"2024/{name}")


def code_of(answer: MediadError | Sighting | None) -> str:
    assert isinstance(answer, NeedsOperator), answer
    assert answer.site == "archive"
    assert answer.remedy
    return answer.code


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


async def test_missing_folders_are_made_and_the_guarded_ones_enrolled(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "new")
    roots = folders.roots()
    assert folders.paths[Site.INCOMING].is_dir()
    assert await roots.check(Site.ARCHIVE) is None
    assert (folders.paths[Site.ARCHIVE] / MARKER).is_file()
    assert folders.kept[Site.ARCHIVE].was_mount is False


async def test_unmounted_nothing_is_written_and_it_goes_on_by_itself(
    tmp_path: Path, nas: Path
) -> None:
    folders = Folders(tmp_path, archive=nas)
    disk = tmp_path / "disk.img"
    _make_disk(disk)
    with _disk(disk, nas):
        files = folders.files()
        assert await files.copy([wish(folders)]) == [None]
        assert folders.kept[Site.ARCHIVE].was_mount
        umount(nas)
        assert [code_of(a) for a in await files.copy([wish(folders, "b.jpg")])] == [
            "archive.unmounted"
        ]
        assert code_of((await files.sight([at(Site.ARCHIVE, "2024/a.jpg")]))[0]) == (
            "archive.unmounted"
        )
        assert names(nas) == []
        _mount_disk(disk, nas)
        assert await files.copy([wish(folders, "b.jpg")]) == [None]
        assert names(nas / "2024") == ["a.jpg", "b.jpg"]


def _make_disk(image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(16 << 20)
    done = subprocess.run(["mkfs.ext4", "-qF", image], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no mkfs.ext4 here")


def _mount_disk(image: Path, where: Path) -> None:
    done = subprocess.run(
        ["mount", "-o", "loop", image, where], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no loop mounts here: {done.stderr.strip()}")
    lost = where / "lost+found"
    if lost.exists():
        lost.rmdir()


class _disk:  # noqa: N801 - reads as a word
    def __init__(self, image: Path, where: Path) -> None:
        self.image, self.where = image, where

    def __enter__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("mounting needs root")
        _mount_disk(self.image, self.where)

    def __exit__(self, *_: object) -> None:
        while os.path.ismount(self.where):
            umount(self.where, "-l")


@pytest.mark.parametrize("moment", range(1, 6))
async def test_unmounted_in_the_middle_of_a_lot_nothing_lands_below(
    tmp_path: Path, nas: Path, moment: int
) -> None:
    """A lazy umount leaves an ordinary empty folder; the lot's handle still means the disk."""

    class Puller(Power):
        def touch(self, what: str = "") -> None:
            super().touch(what)
            if self.touches == moment:
                umount(nas, "-l")

    with mounted(nas):
        folders = Folders(tmp_path, archive=nas)
        folders.roots().open(Site.ARCHIVE).close()
        await folders.files(Puller()).copy([wish(folders)])
        assert not is_mounted(nas)
        assert names(nas) == []
        assert code_of((await folders.files().copy([wish(folders)]))[0]) == "archive.unmounted"


async def test_another_disk_in_its_place_is_not_written_to(tmp_path: Path, nas: Path) -> None:
    with mounted(nas):
        folders = Folders(tmp_path, archive=nas)
        roots = folders.roots()
        assert await roots.check(Site.ARCHIVE) is None
        mount(nas)  # over it
        files = folders.files()
        assert code_of((await files.copy([wish(folders)]))[0]) == "archive.replaced"
        assert names(nas) == []
        roots.accept(Site.ARCHIVE)  # the person says that this is the new disk
        assert await folders.files().copy([wish(folders)]) == [None]


async def test_a_read_only_disk_is_told_before_anything_is_tried(tmp_path: Path, nas: Path) -> None:
    with mounted(nas):
        folders = Folders(tmp_path, archive=nas)
        files = folders.files()
        assert await files.copy([wish(folders)]) == [None]
        remount(nas, "ro")
        assert code_of((await files.copy([wish(folders, "b.jpg")]))[0]) == "archive.read_only"
        remount(nas, "rw")
        assert await files.copy([wish(folders, "b.jpg")]) == [None]


async def test_a_mount_of_fstab_that_is_not_there_is_waited_for(tmp_path: Path, nas: Path) -> None:
    """Even at the very first start: the empty folder below is not enrolled."""
    folders = Folders(tmp_path, archive=nas / "photos")
    folders.fstab.write_text(
        f"# disks\nserver:/x {nas} nfs defaults 0 0\nUUID=1 / ext4 defaults 0 1\n"
    )
    assert code_of(await folders.roots().check(Site.ARCHIVE)) == "archive.unmounted"
    assert names(nas) == []
    with mounted(nas):
        assert await folders.roots().check(Site.ARCHIVE) is None


async def test_a_mount_point_with_a_space_is_found_in_fstab(tmp_path: Path) -> None:
    nas = tmp_path / "my nas"
    nas.mkdir()
    folders = Folders(tmp_path, archive=nas)
    folders.fstab.write_text(
        f"server:/x {str(nas).replace(' ', chr(92) + '040')} nfs defaults 0 0\n"
    )
    assert code_of(await folders.roots().check(Site.ARCHIVE)) == "archive.unmounted"


async def test_a_lost_marker_stops_the_writing(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    files = folders.files()
    assert await files.copy([wish(folders)]) == [None]
    marker = folders.paths[Site.ARCHIVE] / MARKER
    text = marker.read_text()
    marker.unlink()
    assert code_of((await files.copy([wish(folders, "b.jpg")]))[0]) == "archive.replaced"
    marker.write_text("archive 00000000-0000-0000-0000-000000000000\n")
    assert code_of((await files.copy([wish(folders, "b.jpg")]))[0]) == "archive.replaced"
    marker.write_text(text)
    assert await files.copy([wish(folders, "b.jpg")]) == [None]


async def test_a_marker_that_the_disk_spoils_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else mediad would not know its own folder again, and a person would have to tell it."""
    real, spoilt = syscalls.write_all, 0

    def write_all(fd: int, piece: memoryview) -> None:
        nonlocal spoilt
        is_first = not spoilt and MARKER in Path(f"/proc/self/fd/{fd}").readlink().name
        spoilt += is_first
        real(fd, memoryview(bytes([piece[0] ^ 1]) + piece[1:].tobytes()) if is_first else piece)

    monkeypatch.setattr(syscalls, "write_all", write_all)
    folders = Folders(tmp_path)
    [fault] = await folders.files().copy([wish(folders)])
    assert isinstance(fault, MediadError)
    assert fault.code == "io.error"
    assert spoilt == 1
    assert await folders.files().copy([wish(folders)]) == [None]
    assert names(folders.paths[Site.ARCHIVE]) == [MARKER, "2024", "a.jpg"]


async def test_a_vanished_root_is_never_made_again(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    files = folders.files()
    assert await files.copy([wish(folders)]) == [None]
    archive = folders.paths[Site.ARCHIVE]
    archive.rename(tmp_path / "away")
    assert code_of((await files.copy([wish(folders, "b.jpg")]))[0]) == "archive.unmounted"
    assert code_of(await folders.roots().check(Site.ARCHIVE)) == "archive.unmounted"
    assert not archive.exists()
    folders.paths[Site.PHONE].rmdir()
    fault = await folders.roots().check(Site.PHONE)
    assert fault is None, "our own folders are made at start"
    folders.paths[Site.PHONE].rmdir()
    (answer,) = await files.link([folders.put(at(Site.SPOOL, "a.jpg"), Site.PHONE, "a.jpg")])
    assert isinstance(answer, NeedsOperator)
    assert answer.code == "phone.missing"


async def test_a_folder_marked_for_another_site_is_refused(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    assert await folders.roots().check(Site.LIBRARY) is None
    both = Folders(tmp_path, archive=folders.paths[Site.LIBRARY])
    assert code_of(await both.roots().check(Site.ARCHIVE)) == "archive.replaced"


async def test_a_root_that_became_a_mount_is_remembered_as_one(tmp_path: Path, nas: Path) -> None:
    folders = Folders(tmp_path, archive=nas)
    assert await folders.roots().check(Site.ARCHIVE) is None
    marker = (nas / MARKER).read_text()
    with mounted(nas):
        (nas / MARKER).write_text(marker)
        assert await folders.roots().check(Site.ARCHIVE) is None
        assert folders.kept[Site.ARCHIVE].was_mount
    assert code_of(await folders.roots().check(Site.ARCHIVE)) == "archive.unmounted"


@pytest.mark.parametrize("below", ["", "sync/photos"])
async def test_the_shared_folder_without_its_mount_is_out_of_reach_and_not_empty(
    tmp_path: Path, below: str
) -> None:
    """It has no marker: that would go to the phone. A new start makes no folder below the mount point either."""
    disk = tmp_path / "disk"
    folders = Folders(tmp_path, phone=disk / below)
    with mounted(disk):
        key = at(Site.PHONE, "a.jpg")
        assert await folders.files().link(
            [folders.put(folders.drop(Site.SPOOL, "a.jpg", b"1"), Site.PHONE, "a.jpg")]
        ) == [None]
        assert names(disk / below) == ["a.jpg"]
        umount(disk)
        for files in (folders.files(), folders.files()):
            (answer,) = await files.sight([key])
            assert isinstance(answer, NeedsOperator)
            assert (answer.code, answer.site) == ("phone.unmounted", "phone")
            (answer,) = await files.link(
                [folders.put(folders.drop(Site.SPOOL, "b.jpg", b"2"), Site.PHONE, "b.jpg")]
            )
            assert isinstance(answer, NeedsOperator)
        assert names(disk) == []
        mount(disk)
        assert await folders.files().link(
            [folders.put(at(Site.SPOOL, "b.jpg"), Site.PHONE, "b.jpg")]
        ) == [None]


async def test_the_shared_folder_may_be_moved_and_may_become_a_mount(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    assert await folders.roots().check(Site.PHONE) is None
    with mounted(folders.paths[Site.PHONE]):
        assert await folders.roots().check(Site.PHONE) is None
        assert folders.kept[Site.PHONE].was_mount
    assert await folders.roots().check(Site.PHONE) is not None
    moved = Folders(tmp_path, kept=folders.kept, phone=tmp_path / "elsewhere")
    assert await moved.roots().check(Site.PHONE) is None


async def test_the_shared_folder_waits_for_a_mount_of_fstab(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    folders = Folders(tmp_path, phone=disk / "photos")
    folders.fstab.write_text(f"UUID=2 {disk} ext4 defaults 0 2\n")
    fault = await folders.roots().check(Site.PHONE)
    assert fault is not None
    assert fault.code == "phone.unmounted"
    assert names(disk) == []
    with mounted(disk):
        assert await folders.roots().check(Site.PHONE) is None


def test_every_new_folder_is_synced_into_the_one_above(tmp_path: Path) -> None:
    roots = Folders(tmp_path).roots()
    with roots.open(Site.ARCHIVE) as root:
        root.folder("2024/07/14", make=True)
        assert root.dirty == {"", "2024", "2024/07"}
        root.settle()
    with roots.open(Site.ARCHIVE) as root:
        root.folder("2024/07/15", make=True)
        assert root.dirty == {"2024/07"}


def test_a_folder_made_before_a_crash_is_synced_by_the_next_run(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    with folders.roots().open(Site.ARCHIVE) as root:
        root.folder("2024/07", make=True)
    with folders.roots().open(Site.ARCHIVE) as root:
        root.folder("2024/07", make=True)
        assert root.dirty == {"", "2024"}
