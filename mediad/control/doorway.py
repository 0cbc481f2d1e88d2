"""
The UNIX socket: mode 0660, group mediad where there is one, and never in the place of something else.

Where systemd has opened it already, that one is used, and is left as it is in the end: it outlives this daemon.
"""

import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mediad.errors import NeedsOperator

MODE: Final = 0o660
GROUP: Final = "mediad"
BACKLOG: Final = 128


@contextmanager
def listening(path: Path, ready_made: socket.socket | None = None) -> Iterator[socket.socket]:
    """The door, whoever made it."""
    if ready_made is None:
        with _made(path) as door:
            yield door
    else:
        ready_made.setblocking(False)  # noqa: FBT003 - socket's own spelling
        yield ready_made


@contextmanager
def _made(path: Path) -> Iterator[socket.socket]:
    """
    Under its name only once it has its mode: nobody else gets in, at no moment.

    Bound through the opened folder, because the kernel takes no path longer than 107 bytes.
    """
    _refuse_other_things(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            part = f".{os.getpid()}.sock"
            _remove(part, folder)
            door.bind(f"/proc/self/fd/{folder}/{part}")
            os.chmod(part, MODE, dir_fd=folder)
            _give_to_group(part, folder)
            door.listen(BACKLOG)
            door.setblocking(False)  # noqa: FBT003 - socket's own spelling
            os.rename(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            ours = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_ino
            try:
                yield door
            finally:
                if _inode(path.name, folder) == ours:
                    _remove(path.name, folder)
        finally:
            door.close()
    finally:
        os.close(folder)


def _refuse_other_things(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise NeedsOperator(
            f"{path} is there and is no socket; it was left as it is",
            code="control.not_a_socket",
            remedy="move it away, then start mediad again",
        )


def _give_to_group(name: str, folder: int) -> None:
    try:
        group = grp.getgrnam(GROUP).gr_gid
        os.chown(name, -1, group, dir_fd=folder, follow_symlinks=False)
    except (KeyError, PermissionError):
        pass  # no such group, or not ours to give: the owner and root still get in


def _inode(name: str, folder: int) -> int:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return 0


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
