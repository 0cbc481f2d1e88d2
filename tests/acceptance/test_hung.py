"""A file server that stops answering is named; what does not need it goes on, and nobody waits for it to the end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import Whole, hashes

pytestmark = [
    pytest.mark.crash,  # each waits for what the daemon gives a folder to answer: ten seconds
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="mounting needs root and FUSE"
    ),
]
REPO = Path(__file__).parents[2]


@contextmanager
def served(mount: Path, backing: Path, order: Path) -> Iterator[None]:
    mount.mkdir(parents=True, exist_ok=True)
    backing.mkdir()
    order.write_text("ok")
    command = [sys.executable, "-m", "tests.fileserver", *map(str, (backing, mount, order))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPO) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"mounted\n"
            yield
        finally:
            order.write_text("ok")
            subprocess.run(["umount", "-l", mount], check=True)
            server.kill()


def drop(whole: Whole, begin: int, end: int) -> None:
    for n in range(begin, end):
        jpeg(whole.incoming / f"{n}.jpg", n)


def codes(whole: Whole) -> list[str]:
    return [p["code"] for p in whole.ask("status")["problems"]]


def test_a_hung_archive_stops_only_itself_and_the_work_is_done_when_it_answers(
    tmp_path: Path,
) -> None:
    whole = Whole(tmp_path)
    order = tmp_path / "order"
    with served(whole.archive, tmp_path / "nas", order), whole.running():
        drop(whole, 0, 2)
        whole.until(lambda: len(hashes(whole.archive)) == 2)
        order.write_text("stall")
        for begin in (2, 6, 10):  # as many lots as there are places, and more
            drop(whole, begin, begin + 4)
            whole.until(lambda n=begin: whole.ask("status")["assets"]["total"] == n + 4)
        whole.until(lambda: codes(whole) == ["archive.hung"])
        whole.until(lambda: len(hashes(whole.library)) == 14)
        findings = {f["code"] for f in whole.ask("doctor")["findings"]}
        assert "host.folder_hangs" in findings
        order.write_text("ok")
        whole.until(lambda: len(hashes(whole.archive)) == 14)
        whole.until(lambda: codes(whole) == [])


@pytest.mark.parametrize("site", ["nas_archive", "processing"])
def test_it_ends_in_time_under_a_hung_folder_and_the_next_one_starts(
    tmp_path: Path, site: str
) -> None:
    whole = Whole(tmp_path, MEDIAD_SHUTDOWN_SECONDS="2")
    order = tmp_path / "order"
    with served(tmp_path / site, tmp_path / "nas", order):
        daemon = whole.start()
        whole.until(lambda: whole.ctl("status", check=False).returncode == 0)
        order.write_text("stall")
        drop(whole, 0, 3)
        whole.until(lambda: codes(whole))
        daemon.send_signal(signal.SIGTERM)
        began = time.monotonic()
        whole.until(lambda: is_over(daemon), timeout=12)
        assert time.monotonic() - began < 10
        with whole.running():  # while threads of the last one still hang in the kernel
            whole.until(lambda: codes(whole))
            order.write_text("ok")
            whole.until(lambda: len(hashes(whole.archive)) == 3)
            whole.until(lambda: codes(whole) == [])
        assert daemon.wait(10) == 0


def is_over(daemon: subprocess.Popen[bytes]) -> bool:
    """Gone, or nothing but threads that the kernel cannot end before the server answers."""
    if daemon.poll() is not None:
        return True
    return Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
