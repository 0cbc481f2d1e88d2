"""Guards the memory of what was just proved: good for the very same file, for minutes."""

import os
from pathlib import Path

from mediad.adapters.icloud.fingerprint import fingerprint_of_file
from mediad.adapters.icloud.known import KNOWN, KNOWN_S, Known
from mediad.testing.clock import StoppedClock


def of(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return fingerprint_of_file(fd)
    finally:
        os.close(fd)


def known_of(known: Known, path: Path) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return known.fingerprint_of(fd)
    finally:
        os.close(fd)


def test_what_was_just_read_is_not_read_again_until_it_is_touched_or_old_news(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "a", StoppedClock()
    path.write_bytes(b"abc")
    known = Known(clock)
    known.remember(path.stat(), "as it was read")
    assert known_of(known, path) == "as it was read"
    clock.advance(KNOWN_S + 1)
    assert known_of(known, path) == of(path)
    known.remember(path.stat(), "as it was read")
    before = path.stat()
    path.write_bytes(b"xyz")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # ctime cannot be set back
    assert known_of(known, path) == of(path)


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    path, known = tmp_path / "a", Known(StoppedClock())
    path.write_bytes(b"abc")
    known.remember(path.stat(), "as it was read")
    seen = list(path.stat())
    for inode in range(KNOWN):
        seen[1] = inode
        known.remember(os.stat_result(seen), "another")
    assert known_of(known, path) == of(path)
