"""The port: what a stage asks for, sorted into lots, each in threads of its own site."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from anyio import CancelScope

from mediad.adapters import reading, syscalls
from mediad.adapters.crew import Crew, by_sites
from mediad.adapters.durable.arrival import Arrival, Proof
from mediad.adapters.durable.lot import CHANGED, Answer, Lot, Member
from mediad.adapters.durable.orphans import Orphans
from mediad.adapters.durable.parts import Touch, split
from mediad.adapters.durable.prune import prune
from mediad.adapters.durable.room import Promise, Rooms, room_of
from mediad.adapters.durable.trial import trial, write
from mediad.adapters.errnos import faults_of, shown
from mediad.adapters.roots import Root, Roots
from mediad.errors import Bug, MediadError, Refused, Retryable
from mediad.model import Digest, Place, Site, SiteKey
from mediad.ports import Clock, Leave, Put, Room, Sighting

T = TypeVar("T")

RENDITIONS: Final = "renditions/"


class DurableFiles:
    """ports.Files over the enrolled roots."""

    def __init__(
        self,
        roots: Roots,
        clock: Clock,
        *,
        reserve_bytes: int = 64 << 20,
        threads: int = 3,
        touch: Touch = lambda _: None,
    ) -> None:
        self._roots = roots
        self._clock = clock
        self._rooms = Rooms(reserve_bytes)
        self._touch = touch
        self._crew = Crew(roots, threads)
        self._orphans = Orphans(touch)
        self._witness = reading.Witness(clock.monotonic)
        self._since = reading.Since()
        self._claimed: set[Place] = set()  # targets on their way: one `.part` has one writer

    async def sight(self, places: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
        now = self._clock.now()
        return await self._crew.look(
            places, lambda root, key: reading.sight(root, key, self._since, now)
        )

    async def read_back(self, places: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
        return await self._crew.look(
            places, lambda root, key: reading.read_back(root, key, self._witness)
        )

    async def reread(
        self, places: Sequence[Place], *, sha256: bool = False
    ) -> Sequence[Sighting | MediadError | None]:
        return await self._crew.look(
            places,
            lambda root, key: reading.reread(root, key, self._witness, sha256=sha256),
        )

    async def copy(self, puts: Sequence[Put]) -> Sequence[Answer]:
        return await self._in_lots(puts, self._copy)

    async def move(self, puts: Sequence[Put]) -> Sequence[Answer]:
        return await self._in_lots(puts, self._move)

    async def link(self, puts: Sequence[Put]) -> Sequence[Answer]:
        return await self._in_lots(puts, self._link)

    async def remove(self, leaves: Sequence[Leave]) -> Sequence[Answer]:
        answers: list[Answer] = [None] * len(leaves)
        doomed = [(n, *named) for n, leave in enumerate(leaves) for named in leave.places]
        for site, named in by_sites(doomed, lambda d: d[1].site).items():
            await self._crew.run((site,), partial(self._remove, site, named, answers))
        return answers

    async def discard(self, places: Sequence[Place]) -> None:
        for place in places:
            if place.site is not Site.SPOOL or not place.key.startswith(RENDITIONS):
                raise Bug(f"{place.site}/{shown(place.key)} is no candidate of ours to throw away")
        if places:
            await self._crew.run((Site.SPOOL,), partial(self._discard, places))

    async def adopt(self, made: Path, target: Place) -> None:
        """
        Give a finished candidate, made in a scratch folder of processing/, its durable name.

        A candidate of that name from before a crash gives way: it is ours, and will be judged anew.
        """
        if target.site is not Site.SPOOL or not target.key.startswith(RENDITIONS):
            raise Bug(f"{target.site}/{shown(target.key)} is no place for a candidate")
        await self._crew.run((Site.SPOOL,), partial(self._adopt, made, target))

    @asynccontextmanager
    async def receive(
        self, target: Place, size: int, proof: Callable[[], Proof]
    ) -> AsyncIterator[Arrival]:
        """
        A file that comes over a network, gone on with where it was cut off. Its calls belong into `in_thread`.

        What is not finished stays in its `.part`, for the next time.
        """
        if target in self._claimed:
            raise _busy(target)
        self._claimed.add(target)
        try:
            root = await self._crew.run((target.site,), partial(self._roots.open, target.site))
            try:
                arrival = Arrival(root, target, size, proof, rooms=self._rooms, touch=self._touch)
                try:
                    await self.in_thread(target.site, arrival.open)
                    yield arrival
                finally:
                    arrival.close()
            finally:
                root.close()
        finally:
            self._claimed.discard(target)

    async def in_thread(self, site: Site, work: Callable[[], T]) -> T:
        """One of the threads that belong to a site."""
        return await self._crew.run((site,), work)

    async def measure(
        self, places: Sequence[Place], of: Callable[[int], T]
    ) -> Sequence[T | MediadError | None]:
        """What `of` makes of the bytes behind a descriptor; None: nothing is there."""
        return await self._crew.look(places, partial(_measured, of))

    async def try_out(self, site: Site, sample: bytes) -> Sighting:
        put = trial(site, sample)
        await self._take_back(put)  # of a trial that was killed
        left: Answer = None
        try:
            seen = await self._tried(put, sample)
        finally:
            with CancelScope(shield=True):
                left = await self._take_back(put)
        if left is not None:
            raise left
        return seen

    async def _tried(self, put: Put, sample: bytes) -> Sighting:
        def written() -> None:
            with self._roots.open(Site.SPOOL) as root:
                write(root, put.source, sample)

        await self._crew.run((Site.SPOOL,), written)
        for answer in (*await self.copy([put]), *await self.read_back([put.target])):
            if isinstance(answer, MediadError):
                raise answer
            if answer is not None and answer.digest == put.digest:
                return answer
        raise Retryable(
            f"{put.target.site} gives back other bytes than were written to it", code="io.mismatch"
        )

    async def _take_back(self, put: Put) -> Answer:
        answers: list[Answer] = [None]
        named = [(0, put.target, put.digest or Digest(""))]
        await self._crew.run(
            (put.target.site,), partial(self._remove, put.target.site, named, answers)
        )
        await self.discard([put.source])
        return answers[0]

    async def prune(self, spares: Callable[[str], bool]) -> int:
        def pruned() -> int:
            with faults_of(Site.INCOMING), self._roots.open(Site.INCOMING) as root:
                return prune(root, spares, self._clock.now() * 1_000_000, self._touch)

        return await self._crew.run((Site.INCOMING,), pruned)

    async def room_at(self, site: Site) -> Room:
        def room() -> Room:
            with faults_of(site), self._roots.open(site) as root:
                return Room(*room_of(root), root.dev)

        return await self._crew.run((site,), room)

    @asynccontextmanager
    async def promised(self, site: Site, size: int) -> AsyncIterator[None]:
        opened = partial(self._roots.open, site)
        promise = await self._crew.run((site,), partial(Promise.made, self._rooms, opened, size))
        try:
            yield
        finally:
            promise.give_back()

    async def _in_lots(
        self,
        puts: Sequence[Put],
        work: Callable[[tuple[Site, Site], list[Member]], Awaitable[None]],
    ) -> list[Answer]:
        members = [Member(put) for put in puts]
        mine = [m for m in members if self._claim(m)]
        try:
            for sites, group in by_sites(mine, _sites_of).items():
                try:
                    await work(sites, group)
                except MediadError as fault:
                    for m in group:
                        m.answer = m.answer or fault
        finally:
            self._claimed.difference_update(m.put.target for m in mine)
        return [m.answer for m in members]

    def _claim(self, m: Member) -> bool:
        if m.put.target in self._claimed:
            m.answer = _busy(m.put.target)
            return False
        self._claimed.add(m.put.target)
        return True

    async def _copy(
        self, sites: tuple[Site, Site], members: list[Member], *, takes: bool = False
    ) -> None:
        lot = await self._crew.run(sites, partial(self._open, sites, members))
        lot.takes = takes
        try:
            if len(members) == 1:
                await self._crew.run(sites, partial(self._copy_one, lot))
                return
            await self._crew.spread(sites, lot.write, members)
            if not await self._crew.run(sites, lot.sync):
                await self._crew.spread(
                    sites, lot.write, lot.sound
                )  # each synced alone: who is it?
            await self._crew.spread(sites, lot.verify, lot.sound)
            await self._crew.run(sites, partial(self._name, lot))
        finally:
            lot.release()

    async def _move(self, sites: tuple[Site, Site], members: list[Member]) -> None:
        await self._crew.run(sites, partial(self._rename_all, sites, members))
        await self._copy_apart(sites, members, takes=True)

    async def _link(self, sites: tuple[Site, Site], members: list[Member]) -> None:
        await self._crew.run(sites, partial(self._link_all, sites, members))
        await self._copy_apart(sites, members, takes=False)

    async def _copy_apart(
        self, sites: tuple[Site, Site], members: list[Member], *, takes: bool
    ) -> None:
        apart = [m for m in members if m.is_apart and m.answer is None]
        for m in apart:
            m.is_apart = False
        if apart:
            await self._copy(sites, apart, takes=takes)

    def _open(self, sites: tuple[Site, Site], members: list[Member]) -> Lot:
        source = self._roots.open(sites[0])
        try:
            target = self._roots.open(sites[1])
        except BaseException:
            source.close()
            raise
        return Lot(source, target, members, self._touch, self._rooms, self._orphans)

    def _rename_all(self, sites: tuple[Site, Site], members: list[Member]) -> None:
        lot = self._open(sites, members)
        lot.takes = True
        try:
            for m in members:
                lot.rename(m)
            lot.seal()
        finally:
            lot.release()

    def _link_all(self, sites: tuple[Site, Site], members: list[Member]) -> None:
        lot = self._open(sites, members)
        try:
            for m in members:
                lot.link(m)
            lot.settle(lot.target)
            self._remember_links(lot)
        finally:
            lot.release()

    def _remember_links(self, lot: Lot) -> None:
        with suppress(OSError):  # gone already: then the next look will see that
            for m in lot.sound:
                if m.seen is not None and not m.is_there:
                    above, name = split(m.put.target.key)
                    now = os.stat(name, dir_fd=lot.target.folder(above), follow_symlinks=False)
                    self._witness.follow(m.seen, now)

    def _copy_one(self, lot: Lot) -> None:
        """A lone file waits for no hop between threads."""
        for step in (lot.write, lot.verify):
            for m in lot.sound:
                step(m)
        self._name(lot)

    def _name(self, lot: Lot) -> None:
        lot.name()
        with lot.held(), suppress(OSError):  # gone already: then the next look will see that
            for m in lot.sound:
                if m.read is not None:
                    above, name = split(m.put.target.key)
                    now = os.stat(name, dir_fd=lot.target.folder(above), follow_symlinks=False)
                    if not reading.is_changed(m.read.seen, now):
                        self._witness.remember(now, m.read.digest, m.read.method)

    def _remove(
        self, site: Site, named: Sequence[tuple[int, Place, Digest]], answers: list[Answer]
    ) -> None:
        try:
            with self._roots.open(site) as root:
                for n, place, digest in named:
                    if answers[n] is None:
                        answers[n] = self._remove_one(root, place.key, digest)
                with faults_of(site):
                    root.settle()
        except MediadError as fault:
            for n, _, _ in named:
                answers[n] = answers[n] or fault

    def _remove_one(self, root: Root, key: SiteKey, digest: Digest) -> Answer:
        above, name = split(key)
        try:
            with faults_of(root.site, key):
                folder = root.folder(above)
                fd, seen = reading.open_regular(lambda flags: os.open(name, flags, dir_fd=folder))
                try:
                    found = reading.digest_of(syscalls.chunks(fd))
                    now = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if found != digest or reading.is_changed(seen, now):
                        raise Refused(CHANGED, code="place.changed")
                    self._touch("unlink")
                    os.unlink(name, dir_fd=folder)
                    root.dirty.add(above)
                finally:
                    os.close(fd)
        except MediadError as fault:
            return None if isinstance(fault.__cause__, FileNotFoundError) else fault
        return None

    def _adopt(self, made: Path, target: Place) -> None:
        above, name = split(target.key)
        with self._roots.open(Site.SPOOL) as root, faults_of(Site.SPOOL, target.key):
            folder = root.folder(above, make=True)
            fd = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._touch("fsync")
                os.fsync(fd)
            finally:
                os.close(fd)
            self._touch("rename")
            os.replace(made, name, dst_dir_fd=folder)
            root.dirty.add(above)
            root.settle()

    def _discard(self, places: Sequence[Place]) -> None:
        with self._roots.open(Site.SPOOL) as root:
            for place in places:
                above, name = split(place.key)
                with faults_of(Site.SPOOL, place.key), suppress(FileNotFoundError):
                    folder = root.folder(above)
                    self._touch("unlink")
                    os.unlink(name, dir_fd=folder)


def _busy(target: Place) -> Retryable:
    return Retryable(
        f"{target.site}/{shown(target.key)} is being written just now", code="io.busy", after_s=1
    )


def _measured(of: Callable[[int], T], root: Root, key: str) -> T | None:
    if reading.stat_of(root, key) is None:
        return None
    fd, seen = reading.open_regular(lambda flags: root.open(key, flags))
    try:
        found = of(fd)
        if reading.is_changed(seen, os.fstat(fd)):
            raise Retryable(
                "the file changed while it was read; it is read again later", code="io.changing"
            )
        return found
    finally:
        os.close(fd)


def _sites_of(m: Member) -> tuple[Site, Site]:
    return m.put.source.site, m.put.target.site
