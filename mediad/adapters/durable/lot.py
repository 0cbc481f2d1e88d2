"""
Some puts between two roots that share the cost of durability: write all, sync once, read all back, name all.

The steps are called in that order from several threads. A member's fault is its own; a fault of the sync, which could
be anybody's, is found by writing each again with a sync of its own.
"""

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from mediad.adapters import reading, syscalls
from mediad.adapters.durable import parts
from mediad.adapters.durable.orphans import Orphans
from mediad.adapters.durable.room import Promise, Rooms
from mediad.adapters.errnos import faults_of, shown
from mediad.adapters.roots import Root
from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Digest
from mediad.ports import Put

_FEW: Final = (
    4  # up to so many members, each is synced alone: a syncfs would wait for everybody's writing
)
Answer = MediadError | None
CHANGED: Final = "the file is not what it was when mediad looked at it; nothing was removed, it is looked at again"


@dataclass(slots=True, eq=False)
class Member:
    put: Put
    answer: Answer = None
    seen: os.stat_result | None = None  # the source, when it was opened
    wanted: Digest | None = None
    read: reading.Reading | None = None
    is_there: bool = False  # the target was there already, with the same bytes
    is_apart: bool = False  # on another file system: only a copy can bring it


class Lot:
    """Puts between two roots. Its methods run in several threads, each on members of its own."""

    def __init__(
        self,
        source: Root,
        target: Root,
        members: Sequence[Member],
        touch: parts.Touch,
        rooms: Rooms,
        orphans: Orphans,
    ) -> None:
        self.source = source
        self.target = target
        self.members = members
        self.takes = False  # a move: the source goes once its bytes are safe
        self.syncs_each = target.is_network or len(members) <= _FEW
        self._touch = touch
        self._orphans = orphans
        self._promise = Promise(rooms, target)
        self._left: int | None = None  # of what was promised
        self._users = 1
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """An abandoned thread may outlive its lot: the handles stay open until the last one is out."""
        with self._lock:
            if not self._users:
                raise Retryable("this work was given up", code="io.abandoned")
            self._users += 1
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._promise.give_back()
                self.source.close()
                self.target.close()

    @property
    def sound(self) -> list[Member]:
        return [m for m in self.members if m.answer is None and not m.is_apart]

    def write(self, m: Member) -> None:
        """The bytes into the `.part`; nothing under the real name yet."""
        with self.held(), self._trying(m):
            folder, name = self._goal(m)
            with faults_of(self.source.site, m.put.source.key):
                source_fd, m.seen = reading.open_regular(self._source(m))
            try:
                if m.put.digest and m.put.size and m.seen.st_size != m.put.size:
                    raise Refused(CHANGED, code="place.changed")
                if parts.is_there(folder, name):
                    self._compare(m)
                    return
                self._allot(m.seen.st_size)
                try:
                    self._fill(m, source_fd, folder, m.seen.st_size)
                finally:
                    self._written(m.seen.st_size)
                if reading.is_changed(m.seen, os.fstat(source_fd)):
                    raise Refused(CHANGED, code="place.changed")
            finally:
                os.close(source_fd)

    def sync(self) -> bool:
        """Make the bytes of all parts durable; False when that failed for nobody knows which of them."""
        if self.syncs_each or not self.sound:
            return True
        self._touch("syncfs")
        try:
            syscalls.sync_file_system(
                self.target.fd
            )  # opened before the writes, so it hears of their faults
        except OSError:
            self.syncs_each, self._left = True, None
            return False
        return True

    def verify(self, m: Member) -> None:
        with self.held(), self._trying(m):
            if m.is_there:
                return
            folder, _ = self._goal(m)
            part = parts.part_of(m.put.target)
            m.read = reading.read_medium(
                lambda flags: os.open(part, flags, dir_fd=folder), self.target.fs, is_synced=True
            )
            if m.read.digest != m.wanted:
                raise self._mismatch(m)

    def name(self) -> None:
        """Give every verified part its name and make the names durable; then a moved source may go."""
        with self.held():
            for m in self.sound:
                with self._trying(m):
                    self._name(m)
            self.settle(self.target)
            if self.takes:
                self._drop_sources(self.sound)

    def rename(self, m: Member) -> None:
        """Within a file system: nothing is opened, so pipes and links may be moved too."""
        with self._trying(m):
            folder, name = self._goal(m)
            above, old_name = parts.split(m.put.source.key)
            try:
                with_source = self.source.folder(above)
                m.seen = os.stat(old_name, dir_fd=with_source, follow_symlinks=False)
            except FileNotFoundError as error:
                if not parts.is_there(folder, name):
                    raise Retryable(
                        f"{self.source.site}/{shown(m.put.source.key)} is not there any more",
                        code="io.missing",
                    ) from error
                self.target.dirty.add(parts.split(m.put.target.key)[0])  # moved before a crash
                return
            if stat.S_ISDIR(m.seen.st_mode):
                raise Refused("a folder is not moved as a file", code="place.not_a_file")
            self._touch("rename")
            try:
                parts.rename_noreplace(self._touch, (with_source, old_name), (folder, name))
            except FileExistsError:
                self._compare(m)
            except OSError as error:
                self._turn_to_copy(m, error, frozenset({errno.EXDEV}))
                return
            self.target.dirty.add(parts.split(m.put.target.key)[0])
            self.source.dirty.add(above)

    def seal(self) -> None:
        """After renames: bytes and names are durable, and what was already there is no longer twice."""
        if self.syncs_each:
            for m in self.sound:
                with self._trying(m):
                    self._sync_moved(m)
            self.settle(self.target)
        else:
            self.settle(self.target, whole=True)
        self._drop_sources([m for m in self.sound if m.is_there])

    def link(self, m: Member) -> None:
        with self._trying(m):
            folder, name = self._goal(m)
            above, old_name = parts.split(m.put.source.key)
            with faults_of(self.source.site, m.put.source.key):
                with_source = self.source.folder(above)
                m.seen = os.stat(old_name, dir_fd=with_source, follow_symlinks=False)
            if not stat.S_ISREG(m.seen.st_mode):
                raise Refused("only a file can have a second name", code="place.not_a_file")
            self._touch("link")
            try:
                os.link(
                    old_name, name, src_dir_fd=with_source, dst_dir_fd=folder, follow_symlinks=False
                )
            except FileExistsError:
                there = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not os.path.samestat(there, m.seen):
                    self._compare(m)
            except OSError as error:
                self._turn_to_copy(m, error, parts.NO_LINK | {errno.EXDEV})
                return
            self.target.dirty.add(parts.split(m.put.target.key)[0])

    def settle(self, root: Root, *, whole: bool = False) -> None:
        with faults_of(root.site):
            root.settle(whole=whole)

    @contextmanager
    def _trying(self, m: Member) -> Iterator[None]:
        """A member's fault is its own, and leaves no part behind."""
        try:
            with faults_of(self.target.site, m.put.target.key):
                yield
        except MediadError as fault:
            m.answer = fault
            with suppress(OSError):
                parts.drop_part(self._goal(m)[0], m.put.target)

    def _goal(self, m: Member) -> tuple[int, str]:
        above, name = parts.split(m.put.target.key)
        folder = self.target.folder(above, make=True)
        self._orphans.sweep(self.target.site, above, folder)
        return folder, name

    def _source(self, m: Member) -> reading.Opener:
        return lambda flags: self.source.open(m.put.source.key, flags)

    def _allot(self, size: int) -> None:
        """Stop with room to spare, before the file system has to say no."""
        with self._lock:
            if self._left is None:  # one question for all of them
                known = sum(m.put.size for m in self.members)
                self._left = self._promise.add(max(size, known), least=size)
            elif size > self._left:
                self._left += self._promise.add(size - self._left, least=size - self._left)
            self._left -= size

    def _written(self, size: int) -> None:
        with self._lock:
            self._promise.give_back(size)

    def _fill(self, m: Member, source_fd: int, folder: int, size: int) -> None:
        self._touch("create")
        fd = parts.new_part(folder, m.put.target)
        try:
            self._touch("write")
            m.wanted = m.put.digest or parts.write_hashing(fd, source_fd)
            if m.put.digest:
                parts.send(fd, source_fd, size)  # the one hash is taken of what is read back
            os.utime(fd, ns=(m.put.mtime_ns, m.put.mtime_ns))
            if self.syncs_each:
                self._touch("fsync")
                os.fsync(
                    fd
                )  # a failure is final: the part goes, the next try starts from the source
        finally:
            os.close(fd)

    def _mismatch(self, m: Member) -> MediadError:
        if m.put.digest and reading.read_cached(self._source(m)) != m.put.digest:
            return Refused(
                f"{self.source.site}/{shown(m.put.source.key)} no longer has the bytes that it had when it was taken"
                " in; no copy was made of the wrong ones",
                code="place.changed",
                remedy="if other copies of it are verified they are still good: mediactl explain shows them",
            )
        return Retryable(
            f"{self.target.site} gave back other bytes than were written; that copy is thrown away",
            code="io.mismatch",
            remedy="if it comes again: the disk, its cable or the memory of a machine is failing",
        )

    def _name(self, m: Member) -> None:
        folder, name = self._goal(m)
        if not m.is_there:
            self._touch("rename")
            try:
                parts.rename_noreplace(
                    self._touch, (folder, parts.part_of(m.put.target)), (folder, name)
                )
            except FileExistsError:
                self._compare(m)
        self.target.dirty.add(parts.split(m.put.target.key)[0])

    def _compare(self, m: Member) -> None:
        """The name is taken: by the same bytes (then all is well, and made durable) or by others (then never)."""
        m.wanted = m.put.digest
        if self.takes or m.wanted is None:
            m.wanted = reading.read_cached(self._source(m))
        if m.put.digest not in {None, m.wanted}:
            raise Refused(CHANGED, code="place.changed")
        opener: reading.Opener = lambda flags: self.target.open(m.put.target.key, flags)  # noqa: E731 - an argument twice
        fd, _ = reading.open_regular(opener)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        m.read = reading.read_medium(opener, self.target.fs, is_synced=True)
        if m.read.digest != m.wanted:
            raise Refused(
                f"{self.target.site}/{shown(m.put.target.key)} is already there with other bytes; both"
                " stay as they are",
                code="place.taken",
            )
        m.is_there = True
        parts.drop_part(
            self._goal(m)[0], m.put.target
        )  # a crash between link and unlink leaves both names

    def _turn_to_copy(self, m: Member, error: OSError, apart: frozenset[int]) -> None:
        if error.errno not in apart:
            raise error
        if m.seen is None or not stat.S_ISREG(m.seen.st_mode):
            raise Refused(
                "this is no ordinary file and cannot go to another disk; it stays where it is",
                code="place.cannot_move",
                remedy="remove it by hand if nobody needs it",
            )
        m.is_apart = True

    def _sync_moved(self, m: Member) -> None:
        if m.seen is not None and stat.S_ISREG(m.seen.st_mode):
            fd, _ = reading.open_regular(lambda flags: self.target.open(m.put.target.key, flags))
            try:
                self._touch("fsync")
                os.fsync(fd)
            finally:
                os.close(fd)

    def _drop_sources(self, members: Sequence[Member]) -> None:
        for m in members:
            with self._trying(m):
                above, name = parts.split(m.put.source.key)
                folder = self.source.folder(above)
                now = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if m.seen is None or reading.is_changed(m.seen, now):
                    raise Refused(CHANGED, code="place.changed")
                self._touch("unlink")
                os.unlink(name, dir_fd=folder)
                self.source.dirty.add(above)
        self.settle(self.source)
