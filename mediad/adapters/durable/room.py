"""Room on the disks: nobody begins to write where the last room is promised to others that are still writing."""

import os
import threading
from collections.abc import Callable
from typing import Final

from mediad.adapters.errnos import faults_of
from mediad.adapters.roots import Root
from mediad.errors import NeedsOperator
from mediad.model import Site

SMALL_DISK: Final = 50  # of a small disk no more than this part is kept free


class Rooms:
    """One for all that write. `reserve`: bytes that are left free on each disk."""

    def __init__(self, reserve: int) -> None:
        self._reserve = reserve
        self._promised: dict[int, int] = {}  # by disk: bytes that are still to be written there
        self._lock = threading.Lock()

    def take(self, root: Root, size: int, least: int) -> int:
        """Promise `size` bytes there, or what there is of them; NeedsOperator, said before the disk says it."""
        free, total = room_of(root)
        with self._lock:
            promised = self._promised.get(root.dev, 0)
            left = free - min(self._reserve, total // SMALL_DISK) - promised
            if least > left:
                raise _full(root.site, least)
            self._promised[root.dev] = promised + min(size, left)
            return min(size, left)

    def give_back(self, disk: int, size: int) -> None:
        """These bytes are written, or never will be."""
        with self._lock:
            self._promised[disk] -= size


class Promise:
    """What one writer has still to write on one disk. One thread at a time."""

    def __init__(self, rooms: Rooms, root: Root) -> None:
        self._rooms = rooms
        self._root = root
        self._size = 0

    @classmethod
    def made(cls, rooms: Rooms, opened: Callable[[], Root], size: int) -> "Promise":
        """Of all of it, to who writes there by other means."""
        with opened() as root, faults_of(root.site):
            promise = cls(rooms, root)
            promise.add(size, least=size)
        return promise

    def add(self, size: int, *, least: int) -> int:
        """So many bytes more, `least` at least. Raises NeedsOperator(space.full)."""
        got = self._rooms.take(self._root, size, least)
        self._size += got
        return got

    def be(self, size: int) -> None:
        """As many bytes as are still to come, whatever was said before. Raises NeedsOperator(space.full)."""
        self.give_back()
        self.add(size, least=size)

    def give_back(self, size: int | None = None) -> None:
        """`size` of them, or (None) all that are left."""
        gone = self._size if size is None else min(size, self._size)
        self._size -= gone
        if gone:
            self._rooms.give_back(self._root.dev, gone)


def room_of(root: Root) -> tuple[int, int]:
    """Bytes free for us, and in all."""
    room = os.fstatvfs(root.fd)
    return room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize


def _full(site: Site, size: int) -> NeedsOperator:
    return NeedsOperator(
        f"{size} bytes more would eat into the last room on the disk of {site}, which mediad leaves free; nothing was"
        " written and the files wait where they are",
        code="space.full",
        remedy=f"free some space, or move {site} to a larger disk under [folders]; work goes on by itself",
        site=site.value,
    )
