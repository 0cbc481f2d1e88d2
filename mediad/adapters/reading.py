"""
Looking at files: stat, digest past the page cache, and the short memory of what was just read back.

Nothing here changes a file. Only regular files are opened, never through a link, never waiting for a pipe.
"""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeVar

from blake3 import blake3

from mediad.adapters import syscalls
from mediad.adapters.roots import Root
from mediad.errors import Refused, Retryable
from mediad.model import Digest, Site
from mediad.ports import Sighting

READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_NO_NAMES: Final = frozenset({"", ".", ".."})
_WITNESS_S: Final = 600.0
_WITNESSES: Final = 65_536
_SEEN: Final = 262_144
_KINDS: Final = {
    stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket", stat.S_IFBLK: "device", stat.S_IFCHR: "device",
}  # fmt: skip

T = TypeVar("T")
Opener = Callable[[int], int]  # flags → a descriptor of the one file meant


class Reading(NamedTuple):
    digest: Digest
    method: str
    seen: os.stat_result
    sha256: str = ""


def open_regular(opener: Opener, flags: int = READ) -> tuple[int, os.stat_result]:
    fd = opener(flags)
    seen = os.fstat(fd)
    if not stat.S_ISREG(seen.st_mode):
        os.close(fd)
        raise Refused(
            f"this is a {kind_of(seen)}, no file; it was not read and not changed",
            code="place.not_a_file",
        )
    return fd, seen


def kind_of(seen: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(seen.st_mode), "device")


def digest_of(pieces: Iterable[memoryview]) -> Digest:
    return digests_of(pieces, sha256=False)[0]


def digests_of(pieces: Iterable[memoryview], *, sha256: bool) -> tuple[Digest, str]:
    """Of one reading: ours, and where it is wanted the one that every system has a tool for."""
    hasher, other = blake3(), hashlib.sha256() if sha256 else None
    for piece in pieces:
        hasher.update(piece)
        if other is not None:
            other.update(piece)
    return Digest(hasher.hexdigest()), other.hexdigest() if other else ""


def read_cached(opener: Opener) -> Digest:
    """Whatever the page cache says: for knowing a file's bytes, not for trusting the medium."""
    fd, _ = open_regular(opener)
    try:
        return digest_of(syscalls.chunks(fd))
    finally:
        os.close(fd)


def read_medium(
    opener: Opener,
    fs: int,
    *,
    is_synced: bool = False,
    past_cache: bool = False,
    sha256: bool = False,
) -> Reading:
    """
    What the medium gives back. Dirty pages cannot be dropped, so they are written out before.

    `past_cache`: by O_DIRECT wherever that can be, so that the page cache keeps what others want of it.
    """

    def of(pieces: Iterable[memoryview]) -> tuple[Digest, str]:
        return digests_of(pieces, sha256=sha256)

    (digest, other), method, seen = medium(
        opener, fs, of, is_synced=is_synced, past_cache=past_cache
    )
    return Reading(digest, method, seen, other)


def medium(
    opener: Opener,
    fs: int,
    of: Callable[[Iterable[memoryview]], T],
    *,
    is_synced: bool = False,
    past_cache: bool = False,
) -> tuple[T, str, os.stat_result]:
    """What `of` makes of the bytes that the medium gives back, by which method, of which file."""
    fd, seen = open_regular(opener)
    try:
        if not is_synced:
            _written_out(fd)
        is_direct = past_cache or fs in syscalls.DEAF
        found = _direct(opener, seen, of) if is_direct else None
        if found is None:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            method = "dontneed" if fs in syscalls.EVICTS else "reread"
            found = of(syscalls.chunks(fd)), method
        if is_changed(seen, os.fstat(fd)):
            raise Retryable(
                "the file changed while it was read; it is read again later", code="io.changing"
            )
        return *found, seen
    finally:
        os.close(fd)


def _written_out(fd: int) -> None:
    try:
        syscalls.write_out(fd)
    except OSError as error:
        if error.errno in {errno.EIO, errno.ENOSPC, errno.EDQUOT}:
            raise  # the pages that we would hash are not what the disk holds
        os.fsync(fd)  # no such call on this file system


def _direct(
    opener: Opener, seen: os.stat_result, of: Callable[[Iterable[memoryview]], T]
) -> tuple[T, str] | None:
    """None: this file system has no O_DIRECT after all."""
    try:
        fd = opener(READ | os.O_DIRECT)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise
    try:
        return of(syscalls.direct_chunks(fd, seen.st_size)), "o_direct"
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise
    finally:
        os.close(fd)


def is_changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Other bytes, or another file. A new link to it changes its ctime, so that is no sign."""
    return _bytes_mark(before) != _bytes_mark(after)


def _bytes_mark(seen: os.stat_result) -> tuple[int, ...]:
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


class Witness:
    """
    What this process wrote and read back in the last minutes, so that the look after the act need not read again.

    Kept by everything that changes when the file does, even ctime, which nobody can set. Bounded; old news is no news.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: dict[tuple[int, ...], tuple[Digest, str, float]] = {}
        self._lock = threading.Lock()

    def remember(self, seen: os.stat_result, digest: Digest, method: str) -> None:
        with self._lock:
            while len(self._kept) >= _WITNESSES:
                del self._kept[next(iter(self._kept))]
            self._kept[_mark(seen)] = (digest, method, self._monotonic())

    def follow(self, before: os.stat_result, after: os.stat_result) -> None:
        """The file has got one more name from us, which changed its ctime and nothing else."""
        reading = self.recall(before)
        if reading is not None and not is_changed(before, after):
            self.remember(after, reading.digest, reading.method)

    def recall(self, seen: os.stat_result) -> Reading | None:
        kept = self._kept.get(_mark(seen))
        if kept is None or self._monotonic() - kept[2] > _WITNESS_S:
            return None
        return Reading(kept[0], kept[1], seen)

    def correct(self, reading: Reading) -> None:
        """The medium was asked: whatever else was remembered of this very file is true no longer."""
        with self._lock:
            kept = self._kept.get(_mark(reading.seen))
            if kept is not None and kept[0] != reading.digest:
                del self._kept[_mark(reading.seen)]


def _mark(seen: os.stat_result) -> tuple[int, ...]:
    return (*_bytes_mark(seen), seen.st_ctime_ns)


class Since:
    """Since when each file of the drop folder rests. Bounded: the longest known is forgotten first."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}
        self._lock = threading.Lock()

    def of(self, seen: os.stat_result, now: int) -> int:
        mark = hash(_mark(seen))
        with self._lock:
            while len(self._since) >= _SEEN:
                del self._since[next(iter(self._since))]
            return min(self._since.setdefault(mark, now), now)


def stat_of(root: Root, key: str) -> os.stat_result | None:
    above, _, name = key.rpartition("/")
    if name in _NO_NAMES:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), key)
    try:
        return os.stat(name, dir_fd=root.folder(above), follow_symlinks=False)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def sight(root: Root, key: str, since: Since, now: int) -> Sighting | None:
    """No more than stat; in the drop folder also whether somebody still writes, and since when it rests."""
    seen = stat_of(root, key)
    if seen is None:
        return None
    if root.site is not Site.INCOMING or not stat.S_ISREG(seen.st_mode):
        return sighting(seen)
    return sighting(seen, is_open=_is_open(root, key), since=since.of(seen, now))


def _is_open(root: Root, key: str) -> bool:
    try:
        fd = root.open(key, READ)
    except OSError:
        return False  # not ours to open: settling by time alone decides
    try:
        return syscalls.is_being_written(fd)
    finally:
        os.close(fd)


def sighting(
    seen: os.stat_result, *, is_open: bool = False, since: int = 0, reading: Reading | None = None
) -> Sighting:
    return Sighting(
        size=seen.st_size,
        mtime_ns=seen.st_mtime_ns,
        ctime_ns=seen.st_ctime_ns,
        inode=seen.st_ino,
        is_regular=stat.S_ISREG(seen.st_mode),
        is_open_for_writing=is_open,
        unchanged_since=since,
        digest=reading.digest if reading else None,
        method=reading.method if reading else "",
        what=kind_of(seen),
        sha256=reading.sha256 if reading else "",
    )


def read_back(root: Root, key: str, witness: Witness) -> Sighting | None:
    """
    The digest from the medium, or from the witness when it is still exactly that file.

    What is in our own hands is read once: it is remembered for the library, where it may get a second name.
    """
    seen = stat_of(root, key)
    if seen is None:
        return None
    if not stat.S_ISREG(seen.st_mode):
        return sighting(seen)
    reading = witness.recall(seen)
    if reading is None:
        reading = read_medium(lambda flags: root.open(key, flags), root.fs)
        if root.site is Site.SPOOL:
            witness.remember(reading.seen, reading.digest, reading.method)
    return sighting(reading.seen, reading=reading)


def reread(root: Root, key: str, witness: Witness, *, sha256: bool) -> Sighting | None:
    """The digest from the medium and from nowhere else, after everybody else's work."""
    seen = stat_of(root, key)
    if seen is None:
        return None
    if not stat.S_ISREG(seen.st_mode):
        return sighting(seen)
    with syscalls.unhurried():
        reading = read_medium(
            lambda flags: root.open(key, flags), root.fs, past_cache=True, sha256=sha256
        )
    witness.correct(reading)
    return sighting(reading.seen, reading=reading)
