"""
The few moves by which media comes and goes, each one step: a new part, its bytes, its name.

`touch` is called before everything that changes the disk, so that tests can cut the power there.
"""

import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from blake3 import blake3

from mediad.adapters import syscalls
from mediad.model import Digest, Place, Site

Touch = Callable[[str], None]

PART: Final = re.compile(  # what `part_of` gives
    r"\.mediad-[0-9a-f]{32}\.part|\.syncthing\.mediad-[0-9a-f]{32}\.tmp"
)
NO_LINK: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_NO_FLAG: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})  # NFS knows no NOREPLACE
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def drop_part(folder: int, target: Place) -> None:
    with suppress(FileNotFoundError):
        os.unlink(part_of(target), dir_fd=folder)


def new_part(folder: int, target: Place) -> int:
    """Never the old part emptied: a crash may have left that as a second name of a finished file."""
    try:
        return os.open(
            part_of(target), _NEW, 0o666, dir_fd=folder
        )  # the umask of the service decides
    except FileExistsError:
        drop_part(folder, target)
        return os.open(part_of(target), _NEW, 0o666, dir_fd=folder)


def part_of(target: Place) -> str:
    """
    One name for one target, in the target's own folder; of fixed length, whatever the target is called.

    In the folder that is shared with the phone it is one that Syncthing itself takes for unfinished and never sends.
    """
    raw = target.key.encode(errors="surrogateescape")
    name = f"mediad-{blake3(raw).hexdigest()[:32]}"
    return f".syncthing.{name}.tmp" if target.site is Site.PHONE else f".{name}.part"


def write_hashing(fd: int, source_fd: int) -> Digest:
    hasher = blake3()
    for piece in syscalls.chunks(source_fd):
        hasher.update(piece)
        syscalls.write_all(fd, piece)
    return Digest(hasher.hexdigest())


def send(fd: int, source_fd: int, size: int) -> None:
    try:
        syscalls.send(fd, source_fd, size)
    except OSError as error:
        if error.errno not in _NO_FLAG:
            raise
        os.lseek(fd, 0, os.SEEK_SET)
        for piece in syscalls.chunks(source_fd):
            syscalls.write_all(fd, piece)


def is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def rename_noreplace(touch: Touch, old: tuple[int, str], new: tuple[int, str]) -> None:
    try:
        syscalls.rename_noreplace(*old, *new)
    except OSError as error:
        if error.errno not in _NO_FLAG:
            raise
        try:
            os.link(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0], follow_symlinks=False)
        except OSError as refusal:
            if refusal.errno not in NO_LINK:
                raise
            # Neither the flag nor links (FAT behind FUSE): nobody but us writes here, so looking first will do.
            if is_there(*new):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from refusal
            os.rename(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])
            return
        touch("unlink")
        os.unlink(old[1], dir_fd=old[0])


def split(key: str) -> tuple[str, str]:
    above, _, name = key.rpartition("/")
    return above, name
