"""Guards that a digest is what the medium holds, and that the witness is believed only for exactly that file."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

import pytest

from mediad.adapters import reading, syscalls
from mediad.adapters.reading import Reading, Witness, read_medium
from mediad.errors import Refused
from mediad.testing.clock import StoppedClock
from mediad.testing.files import digest_of


def opener_of(path: Path) -> reading.Opener:
    return lambda flags: os.open(path, flags)


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) - 1, 1 << 20, (2 << 20) + 5])
@pytest.mark.parametrize("fs", [syscalls.EXT, syscalls.TMPFS, 0])
def test_every_way_of_reading_gives_the_same_digest(tmp_path: Path, size: int, fs: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "a"
    path.write_bytes(content)
    read = read_medium(opener_of(path), fs)
    assert read.digest == digest_of(content)
    ways = {syscalls.EXT: {"dontneed"}, syscalls.TMPFS: {"o_direct", "reread"}, 0: {"reread"}}
    assert read.method in ways[fs]


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) + 5])
def test_past_the_cache_both_digests_come_of_one_reading(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "a"
    path.write_bytes(content)
    read = read_medium(opener_of(path), syscalls.EXT, past_cache=True, sha256=True)
    assert (read.digest, read.sha256) == (digest_of(content), hashlib.sha256(content).hexdigest())
    assert read.method in {"o_direct", "dontneed"}


def test_unhurried_reading_is_over_when_it_is_over() -> None:
    """The thread goes back into a pool, where somebody else's work must not be slow for our sake."""
    before = ionice()
    with syscalls.unhurried():
        assert ionice().startswith("idle")
    assert ionice() == before


def ionice() -> str:
    done = subprocess.run(
        ["ionice", "-p", str(threading.get_native_id())], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_witness_is_believed_for_that_very_file_and_not_for_long(tmp_path: Path) -> None:
    clock = StoppedClock()
    witness = Witness(clock.monotonic)
    path = tmp_path / "a"
    path.write_bytes(b"picture")
    seen = path.stat()
    witness.remember(seen, digest_of(b"picture"), "dontneed")
    kept = witness.recall(seen)
    assert kept is not None
    assert kept.digest == digest_of(b"picture")

    path.write_bytes(b"PICTURE")
    os.utime(path, ns=(seen.st_mtime_ns, seen.st_mtime_ns))  # hides the change, but for the ctime
    assert witness.recall(path.stat()) is None

    clock.advance(3600)
    assert witness.recall(seen) is None


def test_what_the_medium_says_now_is_stronger_than_what_it_said_before(tmp_path: Path) -> None:
    """DL13: rot below a file that was read back a minute ago must not be hidden by that memory."""
    witness = Witness(StoppedClock().monotonic)
    path = tmp_path / "a"
    path.write_bytes(b"picture")
    seen = path.stat()
    witness.remember(seen, digest_of(b"picture"), "dontneed")
    witness.correct(Reading(digest_of(b"picture"), "o_direct", seen))
    assert witness.recall(seen) is not None
    witness.correct(Reading(digest_of(b"rotten!"), "o_direct", seen))
    assert witness.recall(seen) is None


def test_the_witness_forgets_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_WITNESSES", 3)
    witness = Witness(StoppedClock().monotonic)
    for n in range(5):
        (tmp_path / str(n)).write_bytes(b"%d" % n)
        witness.remember((tmp_path / str(n)).stat(), digest_of(b"%d" % n), "reread")
    known = [witness.recall((tmp_path / str(n)).stat()) is not None for n in range(5)]
    assert known == [False, False, True, True, True]


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused):
        read_medium(opener_of(tmp_path / "pipe"), syscalls.EXT)


@pytest.mark.parametrize("open_at", [syscalls.open_beneath, syscalls.open_stepwise])
@pytest.mark.parametrize("key", ["../x", "/etc/hostname", "way/x", "way", "down/../../x"])
def test_old_kernels_walk_as_carefully(tmp_path: Path, open_at: object, key: str) -> None:
    root = tmp_path / "root"
    (root / "down").mkdir(parents=True)
    (tmp_path / "x").write_bytes(b"outside")
    (root / "way").symlink_to(tmp_path)
    (root / "down" / "in").write_bytes(b"inside")
    fd = os.open(root, os.O_RDONLY)
    try:
        assert callable(open_at)
        with pytest.raises(OSError, match=r"link|directory"):
            open_at(fd, key, reading.READ)
        os.close(open_at(fd, "down/in", reading.READ))
    finally:
        os.close(fd)
