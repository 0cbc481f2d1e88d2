"""Each way in which a disk goes away under the running daemon: named, nothing put in its place, back to work alone."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import Whole, hashes

pytestmark = [
    pytest.mark.crash,  # up to a quarter of a minute until each is noticed
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
]


class Disk(NamedTuple):
    image: Path
    where: Path

    def mount(self) -> None:
        run("mount", "-o", "loop", self.image, self.where)

    def umount(self, *options: str) -> None:
        run("umount", *options, self.where)

    def remount(self, options: str) -> None:
        run("mount", "-o", f"remount,{options}", self.where)

    def cover(self) -> None:
        """Another disk in its place."""
        run("mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", self.where)


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def disk(folder: Path, where: Path) -> Iterator[Disk]:
    made = Disk(folder / "disk.img", where)
    where.mkdir()
    with made.image.open("wb") as file:
        file.truncate(32 << 20)
    run("mkfs.ext4", "-qF", made.image)
    made.mount()
    try:
        (where / "lost+found").rmdir()
        yield made
    finally:
        while where.is_mount():
            made.umount("-l")


LOSSES: dict[str, tuple[Callable[[Disk], None], Callable[[Disk], None]]] = {
    "unmounted": (Disk.umount, Disk.mount),
    "unmounted, lazily": (lambda d: d.umount("-l"), Disk.mount),
    "replaced": (Disk.cover, Disk.umount),
    "read_only": (lambda d: d.remount("ro"), lambda d: d.remount("rw")),
}


@pytest.mark.loss("DL5")
@pytest.mark.parametrize("folder", ["nas_archive", "library"])
def test_a_disk_may_go_in_any_way_and_come_back(tmp_path: Path, folder: str) -> None:
    whole = Whole(tmp_path, MEDIAD_COMPRESS__ENABLED="false")
    site = tmp_path / folder
    name = "library" if folder == "library" else "archive"
    with disk(tmp_path, site) as nas, whole.running():
        jpeg(whole.incoming / "0.jpg", 0)
        whole.until(lambda: len(hashes(site)) == 1)
        for n, (loss, (go, come_back)) in enumerate(LOSSES.items(), 1):
            code = f"{name}.{loss.partition(',')[0]}"
            until_nobody_works(whole)
            go(nas)
            left = tree(site)
            jpeg(whole.incoming / f"{n}.jpg", n)
            whole.until(lambda code=code: code in codes(whole))
            assert whole.ctl("wait", "--idle", "--timeout", "3", check=False).returncode == 4
            assert tree(site) == left, loss
            assert codes(whole) == [code]
            come_back(nas)
            whole.until(lambda n=n: len(hashes(site)) == n + 1)
            whole.until(lambda: codes(whole) == [])
        whole.ctl("wait", "--idle", "--timeout", "60")
    assert len(set(hashes(whole.archive))) in {0, 5}  # unmounted by now where it was the disk


def until_nobody_works(whole: Whole) -> None:
    whole.ctl("wait", "--idle", "--timeout", "60")


def codes(whole: Whole) -> list[str]:
    return [p["code"] for p in whole.ask("status")["problems"]]


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))
