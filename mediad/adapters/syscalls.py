"""
The system calls that Python does not have, and the few that need care. Bytes and numbers only: no policy, no sites.

Names are `str` with surrogateescape, as everywhere. Every call raises OSError as its neighbours in `os` do.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import signal
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)
_OPENAT2: Final = 437  # the same number on every architecture that Linux added it to
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RENAME_NOREPLACE: Final = 1
_BUFFER_BYTES: Final = 1 << 20
_IOV_MAX: Final = 1024  # pieces to one writev

# statfs f_type. LOCAL: a syncfs is a promise and DONTNEED evicts. DEAF: DONTNEED is ignored, only O_DIRECT rereads.
EXT, XFS, BTRFS, F2FS, ZFS, TMPFS = (
    0xEF53,
    0x58465342,
    0x9123683E,
    0xF2F52010,
    0x2FC12FC1,
    0x01021994,
)
NFS, CIFS, SMB2, FUSE, V9FS, CEPH = (
    0x6969,
    0xFF534D42,
    0xFE534D42,
    0x65735546,
    0x01021997,
    0x00C36400,
)
NETWORK: Final = frozenset({NFS, CIFS, SMB2, FUSE, V9FS, CEPH})
EVICTS: Final = frozenset({EXT, XFS, BTRFS, F2FS})
DEAF: Final = frozenset({TMPFS, NFS, ZFS})
FS_NAMES: Final = {
    EXT: "ext4", XFS: "xfs", BTRFS: "btrfs", F2FS: "f2fs", ZFS: "zfs", TMPFS: "tmpfs", NFS: "nfs",
    CIFS: "cifs", SMB2: "cifs", FUSE: "fuse", V9FS: "9p", CEPH: "ceph",
}  # fmt: skip


_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def bound_arenas() -> bool:
    """
    Let all threads of this process share a few pools of the C library. False: this one (not glibc) has none to share.

    It gives every thread one of its own, up to eight for each core, and what is free in one is of no use to another.
    In two soaks the daemon had 168 MB without this and 137 MB with it, ten minutes after its start.
    """
    try:
        return bool(_libc.mallopt(_M_ARENA_MAX, _ARENAS))
    except AttributeError:
        return False


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def open_beneath(root_fd: int, key: str, flags: int) -> int:
    """Open what lies at `key` below `root_fd`, by no link and no `..`. EXDEV, ELOOP: it tried to get out."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    number = errno.EAGAIN
    for _ in range(8):  # EAGAIN: somebody renamed above us while the kernel walked
        fd = _libc.syscall(
            _OPENAT2, root_fd, os.fsencode(key), ctypes.byref(how), ctypes.sizeof(how)
        )
        if fd >= 0:
            return int(fd)
        number = ctypes.get_errno()
        if number in {errno.ENOSYS, errno.EPERM} and not _has_openat2():
            return open_stepwise(root_fd, key, flags)
        if number not in {errno.EAGAIN, errno.EINTR}:
            break
    raise OSError(number, os.strerror(number), key)


def _has_openat2() -> bool:
    """A container's seccomp filter may hide it as EPERM as well as ENOSYS; an unknown flag is EINVAL where it lives."""
    how = _OpenHow(0, 0, 1 << 63)
    _libc.syscall(_OPENAT2, -1, b".", ctypes.byref(how), ctypes.sizeof(how))
    return ctypes.get_errno() not in {errno.ENOSYS, errno.EPERM}


def open_stepwise(root_fd: int, key: str, flags: int) -> int:
    """`open_beneath` for kernels before 5.6: one component at a time, following nothing."""
    parts = key.split("/")
    if key.startswith("/") or ".." in parts:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), key)
    here = os.dup(root_fd)
    try:
        for part in parts[:-1]:
            step = os.open(part or ".", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = step
        fd = os.open(parts[-1] or ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    if flags & os.O_PATH and stat.S_ISLNK(os.fstat(fd).st_mode) and not flags & os.O_NOFOLLOW:
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), key)
    return fd


def rename_noreplace(from_fd: int, name: str, to_fd: int, new_name: str) -> None:
    """EEXIST when the new name is taken; EINVAL or ENOSYS where the file system cannot promise that."""
    result = _libc.renameat2(
        from_fd, os.fsencode(name), to_fd, os.fsencode(new_name), _RENAME_NOREPLACE
    )
    _checked(result, new_name)


def sync_file_system(fd: int) -> None:
    """All of the file system behind `fd`. Tells only of what failed since `fd` was opened (Linux 5.8)."""
    _checked(_libc.syncfs(fd), "")


def write_out(fd: int) -> None:
    """Hand the file's dirty pages to the disk, so that they can be evicted. Not a promise of durability."""
    _checked(_libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), 7), "")


def begin_write_out(fd: int, start: int, size: int) -> None:
    """Have the disk begin with these pages, and wait for none. No promise; what fails, fsync tells of."""
    _libc.sync_file_range(fd, ctypes.c_int64(start), ctypes.c_int64(size), 2)


def fs_type(fd: int) -> int:
    room = (
        ctypes.c_long * 32
    )()  # larger than any architecture's struct statfs; f_type comes first
    _checked(_libc.fstatfs(fd, room), "")
    return int(room[0]) & 0xFFFFFFFF


def is_being_written(fd: int) -> bool:
    """Has any process on this host the file open for writing? False as well where the system cannot tell."""
    # While we hold the lease a writer's open would send us SIGIO, which kills: ask for a signal that does nothing.
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


# ioprio_set and ioprio_get, which no libc has a function for.
_IOPRIO: Final = {"x86_64": (251, 252), "aarch64": (30, 31)}.get(platform.machine())
_THREAD, _IDLE = 1, 3 << 13


@contextmanager
def unhurried() -> Iterator[None]:
    """What this thread reads waits for everybody else's, where the disk's scheduler knows of such an order."""
    if _IOPRIO is None:
        yield
        return
    before = _libc.syscall(_IOPRIO[1], _THREAD, 0)
    _libc.syscall(_IOPRIO[0], _THREAD, 0, _IDLE)
    try:
        yield
    finally:
        _libc.syscall(_IOPRIO[0], _THREAD, 0, max(before, 0))


class _Buffer(threading.local):
    """One page-aligned MiB for each thread: O_DIRECT needs the alignment, everyone saves the page faults."""

    def __init__(self) -> None:
        self.map = mmap.mmap(-1, _BUFFER_BYTES)
        self.view = memoryview(self.map)


_buffer = _Buffer()


def chunks(fd: int) -> Iterator[memoryview]:
    """The rest of the file, in pieces that are valid until the next one is asked for."""
    view = _buffer.view
    while count := os.readv(fd, [view]):
        yield view[:count]


def direct_chunks(fd: int, size: int) -> Iterator[memoryview]:
    """The same for a descriptor opened with O_DIRECT, which may not be asked again after its unaligned end."""
    view = _buffer.view
    done = 0
    while done < size and (count := os.readv(fd, [view])):
        done += count
        yield view[:count]


def send(out_fd: int, in_fd: int, size: int) -> None:
    """
    So many bytes of `in_fd` to `out_fd`, or all there are, through the page cache: never as shared extents.

    copy_file_range would let XFS and btrfs make one set of blocks look like two copies.
    """
    done = 0
    while done < size and (count := os.sendfile(out_fd, in_fd, done, min(size - done, 8 << 20))):
        done += count


def write_all(fd: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(fd, piece) :]


def write_each(fd: int, pieces: Sequence[bytes]) -> None:
    """All of them, one behind the other, in as few calls as may be: nobody joins them before."""
    for start in range(0, len(pieces), _IOV_MAX):
        some = pieces[start : start + _IOV_MAX]
        done = os.writev(fd, some)
        for piece in some:  # a short write is rare: what is left of each piece goes alone
            if done < len(piece):
                write_all(fd, memoryview(piece)[done:])
            done = max(0, done - len(piece))
