"""What once broke the whole daemon and must not again: each test is a way in which it stood still, forgot or lied."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import Whole, hashes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def larger(path: Path) -> None:
    """More room, a moment after the daemon has seen how little there is."""
    time.sleep(1.5)
    subprocess.run(["mount", "-o", "remount,size=40m", path], check=True)


@needs_root
@pytest.mark.parametrize("site", ["quarantine", "duplicates"])
def test_a_full_disk_of_our_own_folders_pauses_and_goes_on_without_a_restart(
    tmp_path: Path, site: str
) -> None:
    whole = Whole(tmp_path, MEDIAD_SAFETY__RESERVE="64 KiB")
    full = tmp_path / site
    photo = jpeg(whole.incoming / "first.jpg", 1, size=(800, 600)).read_bytes()
    for n in range(8):
        other = (b"no picture %d" % n) * 5000
        (whole.incoming / f"{n}.jpg").write_bytes(other if site == "quarantine" else photo)
    dropped = len(hashes(whole.incoming))
    with small_disk(full, "200k"), whole.running():
        whole.until(lambda: any(p["code"] == "space.full" for p in whole.ask("status")["problems"]))
        assert len(hashes(full)) < dropped - 1
        larger(full)
        whole.until(lambda: len(hashes(full)) == dropped - 1, timeout=30)
        whole.until(lambda: not whole.ask("status")["problems"])


@needs_root
def test_a_full_disk_under_the_working_area_is_told_steadily_and_left_by_itself(
    tmp_path: Path,
) -> None:
    whole = Whole(tmp_path, MEDIAD_SAFETY__RESERVE="64 KiB")
    with small_disk(tmp_path / "processing", "300k"), whole.running():
        for n in range(8):
            jpeg(whole.incoming / f"{n}.jpg", n, size=(800, 600))
        dropped = hashes(whole.incoming)
        whole.until(lambda: whole.ask("status")["problems"])
        [since] = [p["since"] for p in whole.ask("status")["problems"]]
        seen = [whole.ask("status")["problems"] for _ in range(10)]
        assert all([p["since"] for p in ps] == [since] for ps in seen)
        larger(tmp_path / "processing")
        whole.until(lambda: hashes(whole.archive) == dropped, timeout=30)


@needs_root
def test_a_full_disk_under_the_journal_is_left_by_itself(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    state = tmp_path / "state"
    with small_disk(state, "2m"), whole.running():
        ballast = state / "ballast"
        room = os.statvfs(state)
        ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize))
        for n in range(40):
            jpeg(whole.incoming / f"{n}.jpg", n)
        dropped = hashes(whole.incoming)
        whole.until(lambda: any(p["code"] == "space.full" for p in whole.ask("status")["problems"]))
        larger(state)
        whole.until(lambda: hashes(whole.archive) == dropped, timeout=30)


def test_a_working_area_that_was_away_is_used_again_without_a_restart(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    spool, away = tmp_path / "processing", tmp_path / "away"
    with whole.running():
        spool.rename(away)
        photo = hashes(jpeg(whole.incoming / "a.jpg", 1).parent)
        whole.until(
            lambda: any(p["code"] == "spool.missing" for p in whole.ask("status")["problems"])
        )
        away.rename(spool)
        whole.until(lambda: hashes(whole.archive) == photo, timeout=20)
