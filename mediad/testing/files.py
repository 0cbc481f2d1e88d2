"""The folders in memory: the promises of ports.Files without a disk."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from blake3 import blake3

from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.model import Digest, Place, Site, SiteKey
from mediad.ports import Clock, Leave, Put, Room, Sighting
from mediad.testing import Power
from mediad.testing.clock import StoppedClock

_inodes = itertools.count(1000)


def digest_of(content: bytes) -> Digest:
    return Digest(blake3(content).hexdigest())


@dataclass
class MemoryFile:
    """A name's file; two names may share one."""

    content: bytes
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = field(default_factory=lambda: next(_inodes))
    what: str = "file"
    is_open: bool = False  # somebody still writes it
    since: int = 0

    @property
    def digest(self) -> Digest:
        return digest_of(self.content)


@dataclass
class MemoryFiles:
    """
    ports.Files. Survives a Killed: what was half written stays half written.

    `faults` makes every operation on a site fail, as an unplugged disk does; `room` is what is left of one.
    """

    clock: Clock = field(default_factory=StoppedClock)
    power: Power = field(default_factory=Power)
    files: dict[Place, MemoryFile] = field(default_factory=dict)
    parts: dict[Place, bytes] = field(default_factory=dict)
    faults: dict[Site, MediadError] = field(default_factory=dict)
    room: dict[Site, int] = field(default_factory=dict)
    promises: dict[Site, int] = field(default_factory=dict)
    disks: dict[Site, str] = field(
        default_factory=dict
    )  # sites on another file system than the rest
    unreadable: set[Place] = field(default_factory=set)  # a bad sector
    reread_bytes: int = 0
    spoils: dict[Site, bytes] = field(default_factory=dict)  # what a site makes of a sample
    removed: list[Place] = field(default_factory=list)
    pruned: int = 0  # how often that was asked for

    def drop(
        self, site: Site, key: str, content: bytes, mtime_ns: int = 1_700_000_000_000_000_000
    ) -> Place:
        """What a person does: a file appears."""
        place = Place(site, SiteKey(key))
        self.files[place] = MemoryFile(content, mtime_ns, self._ctime(), since=self.clock.now())
        return place

    def under(self, site: Site) -> dict[str, bytes]:
        """Every name of a site with its bytes."""
        return {str(p.key): f.content for p, f in self.files.items() if p.site is site}

    async def sight(self, places: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
        return [self._sighted(place) for place in places]

    async def read_back(self, places: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
        return [self._read(place) for place in places]

    async def reread(
        self, places: Sequence[Place], *, sha256: bool = False
    ) -> Sequence[Sighting | MediadError | None]:
        return [self._reread(place, sha256=sha256) for place in places]

    async def copy(self, puts: Sequence[Put]) -> Sequence[MediadError | None]:
        return [self._tried(put, self._copy) for put in puts]

    async def move(self, puts: Sequence[Put]) -> Sequence[MediadError | None]:
        return [self._tried(put, self._move) for put in puts]

    async def link(self, puts: Sequence[Put]) -> Sequence[MediadError | None]:
        return [self._tried(put, self._link) for put in puts]

    async def remove(self, leaves: Sequence[Leave]) -> Sequence[MediadError | None]:
        answers: list[MediadError | None] = []
        for leave in leaves:
            faults = [self._remove(place, digest) for place, digest in leave.places]
            answers.append(next((fault for fault in faults if fault is not None), None))
        return answers

    async def discard(self, places: Sequence[Place]) -> None:
        for place in places:
            if place.site is not Site.SPOOL or not place.key.startswith("renditions/"):
                raise Bug(f"{place} is no candidate of ours to throw away")
        for place in places:
            if fault := self.faults.get(place.site):
                raise fault
            self.power.touch("unlink")
            self.files.pop(place, None)

    async def prune(self, spares: Callable[[str], bool]) -> int:  # noqa: ARG002 - it has no folders
        if fault := self.faults.get(Site.INCOMING):
            raise fault
        self.pruned += 1
        return 0

    async def room_at(self, site: Site) -> Room:
        if fault := self.faults.get(site):
            raise fault
        return Room(self.room.get(site, 1 << 40), 1 << 40, hash(self.disks.get(site, "")))

    @asynccontextmanager
    async def promised(self, site: Site, size: int) -> AsyncIterator[None]:
        left = (await self.room_at(site)).free - self.promises.get(site, 0)
        if size > left:
            raise NeedsOperator("the disk is full", code="space.full", site=site.value)
        self.promises[site] = self.promises.get(site, 0) + size
        try:
            yield
        finally:
            self.promises[site] -= size

    async def try_out(self, site: Site, sample: bytes) -> Sighting:
        if site not in {Site.ARCHIVE, Site.LIBRARY}:
            raise Bug(f"{site} is no place for a sample")
        place = Place(site, SiteKey(f".mediad-selftest-{digest_of(sample)[:16]}.jpg"))
        if fault := self.faults.get(site) or self._remove(place, digest_of(sample)):
            raise fault
        if len(sample) > self.room.get(site, 1 << 40):
            raise NeedsOperator("the disk is full", code="space.full", site=site.value)
        self.files[place] = MemoryFile(self.spoils.get(site, sample))
        seen = self._read(place)
        del self.files[place]
        if not isinstance(seen, Sighting) or seen.digest != digest_of(sample):
            raise Retryable(f"{site} gives back other bytes", code="io.mismatch")
        return seen

    async def check(self, site: Site) -> MediadError | None:
        """ports.Guard."""
        return self.faults.get(site)

    def _sighted(self, place: Place) -> Sighting | MediadError | None:
        if fault := self.faults.get(place.site):
            return fault
        if _is_outside(place):
            return _outside(place)
        file = self.files.get(place)
        if file is None:
            return None
        is_incoming = place.site is Site.INCOMING
        return Sighting(
            size=len(file.content),
            mtime_ns=file.mtime_ns,
            ctime_ns=file.ctime_ns,
            inode=file.inode,
            is_regular=file.what == "file",
            is_open_for_writing=file.is_open,
            unchanged_since=file.since if is_incoming else 0,
            what=file.what,
        )

    def _read(self, place: Place) -> Sighting | MediadError | None:
        seen = self._sighted(place)
        if not isinstance(seen, Sighting) or not seen.is_regular:
            return seen
        if place in self.unreadable:
            return Retryable(f"{place.site}/{place.key} cannot be read", code="io.error")
        return replace(seen, digest=self.files[place].digest, unchanged_since=0, method="reread")

    def _reread(self, place: Place, *, sha256: bool) -> Sighting | MediadError | None:
        seen = self._read(place)
        if not isinstance(seen, Sighting) or not seen.is_regular:
            return seen
        content = self.files[place].content
        self.reread_bytes += len(content)
        return replace(seen, sha256=hashlib.sha256(content).hexdigest()) if sha256 else seen

    def _tried(self, put: Put, work: Callable[[Put], None]) -> MediadError | None:
        for place in (put.source, put.target):
            if fault := self.faults.get(place.site):
                return fault
            if _is_outside(place):
                return _outside(place)
        try:
            work(put)
        except MediadError as fault:
            return fault
        return None

    def _source(self, put: Put) -> MemoryFile:
        file = self.files.get(put.source)
        if file is None:
            raise Retryable(f"{put.source} is not there any more", code="io.missing")
        return file

    def _copy(self, put: Put) -> None:
        file = self._source(put)
        if file.what != "file":
            raise Refused(f"this is a {file.what}", code="place.not_a_file")
        wanted = put.digest or file.digest
        if self._is_there(put.target, wanted):
            return
        if file.digest != wanted:
            raise Refused("other bytes than were taken in", code="place.changed")
        if len(file.content) > self.room.get(put.target.site, 1 << 40):
            raise NeedsOperator("the disk is full", code="space.full", site=put.target.site.value)
        self.power.touch("create")
        self.parts[put.target] = file.content[: len(file.content) // 2]
        self.power.touch("write")
        self.parts[put.target] = file.content
        self.power.touch("rename")
        self.files[put.target] = MemoryFile(
            self.parts.pop(put.target), put.mtime_ns, self._ctime(), since=self.clock.now()
        )
        self.power.touch("fsync folders")

    def _move(self, put: Put) -> None:
        if put.source not in self.files and put.target in self.files:
            return  # moved before a crash
        file = self._source(put)
        if self._is_apart(put):
            if file.what != "file":
                raise Refused("cannot go to another disk", code="place.cannot_move")
            self._copy(put)
        elif not (put.target in self.files and self._is_there(put.target, file.digest)):
            self.power.touch("rename")
            self.files[put.target] = self.files.pop(put.source)
            return
        self.power.touch("unlink")
        del self.files[put.source]

    def _link(self, put: Put) -> None:
        file = self._source(put)
        if file.what != "file":
            raise Refused(f"this is a {file.what}", code="place.not_a_file")
        if self._is_apart(put):
            self._copy(put)
        elif not self._is_there(put.target, put.digest or file.digest):
            self.power.touch("link")
            self.files[put.target] = file

    def _remove(self, place: Place, digest: Digest) -> MediadError | None:
        if fault := self.faults.get(place.site):
            return fault
        file = self.files.get(place)
        if file is None:
            return None
        if file.what != "file" or file.digest != digest:
            return Refused("the file is not what it was", code="place.changed")
        self.power.touch("unlink")
        del self.files[place]
        self.removed.append(place)
        return None

    def _is_there(self, place: Place, digest: Digest) -> bool:
        file = self.files.get(place)
        if file is not None and file.digest != digest:
            raise Refused("other bytes are there", code="place.taken")
        return file is not None

    def _is_apart(self, put: Put) -> bool:
        return self.disks.get(put.source.site, "") != self.disks.get(put.target.site, "")

    def _ctime(self) -> int:
        return self.clock.now() * 1_000_000


def _is_outside(place: Place) -> bool:
    return place.key.startswith("/") or ".." in place.key.split("/")


def _outside(place: Place) -> Refused:
    return Refused(f"{place.key!r} leads out of {place.site}", code="place.outside")
