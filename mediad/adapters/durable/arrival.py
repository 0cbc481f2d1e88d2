"""
A file on its way in from a network: its bytes go to a `.part`, and it gets its name only when they are proved.

Proved is what the medium gives back once all of it is synced: one reading, which finds what the network spoilt and what
the disk did. What a cut or a restart left is gone on from; nothing of it is believed before the whole has been read.
One arrival has one writer. Every method blocks and may be called from any thread, one at a time.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from mediad.adapters import reading, syscalls
from mediad.adapters.durable import parts
from mediad.adapters.durable.room import Promise, Rooms
from mediad.adapters.errnos import faults_of, shown
from mediad.adapters.roots import Root
from mediad.errors import NeedsOperator, Refused
from mediad.model import Place

LOOK_EVERY: Final = 64 << 20  # bytes between two looks at the room that is left
PUSH_EVERY: Final = 8 << 20  # bytes that the disk is given to write while the next come
_GO_ON: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Proof(Protocol):
    """Takes a file's bytes in their order, and says in the end whether they are the right ones."""

    def update(self, piece: memoryview | bytes, /) -> None: ...

    def holds(self) -> bool: ...


class Arrival:
    """
    `is_there`: the right bytes lie under the name. `have`: how many bytes lie in the part.

    `seen`: the file as it lay there once it was proved and named by us. Only `DurableFiles.receive` makes one.
    """

    def __init__(
        self,
        root: Root,
        target: Place,
        size: int,
        proof: Callable[[], Proof],
        *,
        rooms: Rooms,
        touch: parts.Touch,
    ) -> None:
        self.size = size
        self.have = 0
        self.is_there = False
        self.seen: os.stat_result | None = None
        self._root = root
        self._target = target
        self._proof = proof
        self._promise = Promise(rooms, root)
        self._touch = touch
        self._look_at = 0
        self._pushed = 0
        self._fd = -1

    def open(self) -> None:
        """Raises Refused when other bytes have the name, NeedsOperator when the rest has no room."""
        with self._keeping_room(), faults_of(self._target.site, self._target.key):
            folder, name = self._goal()
            if parts.is_there(folder, name):
                self._compare()
                return
            self._take_up(folder)
            self._look_at_room()

    def write(self, *pieces: bytes) -> None:
        """Raises Refused when there are more bytes than there should be."""
        size = sum(map(len, pieces))
        if self.have + size > self.size:
            raise Refused("more bytes came than there should be", code="place.changed")
        with self._keeping_room(), faults_of(self._target.site, self._target.key):
            if self.have >= self._look_at:
                self._look_at_room()
            self._touch("write")
            syscalls.write_each(self._fd, pieces)
            self.have += size
            if self.have >= self._pushed + PUSH_EVERY:
                syscalls.begin_write_out(self._fd, self._pushed, self.have - self._pushed)
                self._pushed = self.have

    def finish(self, mtime_ns: int) -> bool:
        """Its name, durably, if these are the right bytes; else False, and the part is gone."""
        if self.is_there:
            return True
        if self.have != self.size:
            self.drop()
            return False
        with faults_of(self._target.site, self._target.key):
            folder, name = self._goal()
            os.utime(self._fd, ns=(mtime_ns, mtime_ns))
            self._touch("fsync")
            os.fsync(self._fd)
            holds, _, read = reading.medium(
                lambda flags: os.open(parts.part_of(self._target), flags, dir_fd=folder),
                self._root.fs,
                self._holds,
                is_synced=True,
            )
            if not holds:
                self.drop()
                return False
            self._take_name(folder, name, read)
        self.is_there = True
        return True

    def _take_name(self, folder: int, name: str, read: os.stat_result) -> None:
        self._touch("rename")
        part = parts.part_of(self._target)
        try:
            parts.rename_noreplace(self._touch, (folder, part), (folder, name))
        except FileExistsError:
            self._compare()
            return
        self._root.dirty.add(parts.split(self._target.key)[0])
        self._root.settle()
        now = os.fstat(self._fd)
        self.seen = None if reading.is_changed(read, now) else now

    def _holds(self, pieces: Iterable[memoryview]) -> bool:
        proof = self._proof()
        for piece in pieces:
            proof.update(piece)
        return proof.holds()

    def drop(self) -> None:
        """Away with what came: the next try begins at the first byte."""
        self.close()
        with suppress(OSError):
            parts.drop_part(self._goal()[0], self._target)
        self.have = 0

    def close(self) -> None:
        self._promise.give_back()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def again(self) -> None:
        """After `drop`: an empty part."""
        with faults_of(self._target.site, self._target.key):
            self._begin(self._goal()[0])

    @contextmanager
    def _keeping_room(self) -> Iterator[None]:
        """What is half there must not keep the disk full."""
        try:
            yield
        except NeedsOperator as fault:
            if fault.code == "space.full":
                self.drop()
            raise

    def _goal(self) -> tuple[int, str]:
        above, name = parts.split(self._target.key)
        return self._root.folder(above, make=True), name

    def _take_up(self, folder: int) -> None:
        """What is there of it, if it is a file of ours with one name and not too many bytes."""
        try:
            fd = os.open(parts.part_of(self._target), _GO_ON, dir_fd=folder)
        except (
            OSError
        ):  # nothing there, or nothing to go on from: a new one says what is wrong, if anything is
            self._begin(folder)
            return
        seen = os.fstat(fd)
        # A second name means that a crash came in the middle of naming it: never to be written to.
        if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1 or seen.st_size > self.size:
            os.close(fd)
            self._begin(folder)
            return
        self._fd = fd
        self.have = self._pushed = os.lseek(fd, 0, os.SEEK_END)

    def _begin(self, folder: int) -> None:
        self._touch("create")
        self._fd = parts.new_part(folder, self._target)
        self.have = self._look_at = self._pushed = 0

    def _look_at_room(self) -> None:
        """Stop with room to spare, before the file system has to say no."""
        self._promise.be(self.size - self.have)
        self._look_at = self.have + LOOK_EVERY

    def _compare(self) -> None:
        """The name is taken: by the right bytes, which are made durable, or by others, which stay."""
        fd, seen = reading.open_regular(lambda flags: self._root.open(self._target.key, flags))
        try:
            is_right = seen.st_size == self.size and self._holds(syscalls.chunks(fd))
            os.fsync(fd)
        finally:
            os.close(fd)
        if not is_right:
            raise Refused(
                f"{self._target.site}/{shown(self._target.key)} is already there with other bytes; both"
                " stay as they are",
                code="place.taken",
            )
        above = parts.split(self._target.key)[0]
        parts.drop_part(self._root.folder(above), self._target)
        self._root.dirty.add(above)
        self._root.settle()
        self.is_there = True
