"""
Empty folders that the taking leaves behind below the drop folder: removed by rmdir, which takes nothing but empty ones.

A folder that something happened to a moment ago is somebody's who is about to fill it. One that is spared by its name
(a sync tool's marker, a recycle bin) stays with all above it, and what cannot be removed stays without a word.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from mediad.adapters import syscalls
from mediad.adapters.durable.parts import Touch, split
from mediad.adapters.roots import Root

RESTED_NS: Final = 60 * 1_000_000_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def prune(root: Root, spares: Callable[[str], bool], now_ns: int, touch: Touch) -> int:
    """Returns how many went; the root never does. The age of each is taken before anything below it goes."""
    hollow: list[str] = []
    todo = [""]
    while todo:
        key = todo.pop()
        with suppress(OSError):  # gone, no folder any more, or not ours to read
            below, may_go = _looked(root, key, spares, now_ns - RESTED_NS)
            todo += below
            if key and may_go:
                hollow.append(key)
    return sum(_removed(root, key, touch) for key in reversed(hollow))  # the deepest first


def _looked(
    root: Root, key: str, spares: Callable[[str], bool], before_ns: int
) -> tuple[list[str], bool]:
    """The folders in it to look into, and whether it holds only folders and has rested."""
    fd = syscalls.open_beneath(root.fd, key or ".", _FOLDER)
    try:
        seen = os.fstat(fd)
        if seen.st_dev != root.dev:
            return [], False  # somebody's mount
        below: list[str] = []
        is_hollow = True
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not spares(entry.name):
                    below.append(f"{key}/{entry.name}" if key else entry.name)
                else:
                    is_hollow = False
    finally:
        os.close(fd)
    # A folder that was moved in keeps the time of its content: that it was moved shows in the other one.
    return below, is_hollow and max(seen.st_mtime_ns, seen.st_ctime_ns) <= before_ns


def _removed(root: Root, key: str, touch: Touch) -> bool:
    above, name = split(key)
    try:
        folder = syscalls.open_beneath(root.fd, above or ".", _FOLDER)
    except OSError:
        return False
    try:
        touch("rmdir")
        os.rmdir(name, dir_fd=folder)
    except OSError:  # not empty (any more), or not ours to remove
        return False
    finally:
        os.close(folder)
    return True
