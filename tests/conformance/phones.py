"""A phone behind a real Syncthing and a phone in memory, with the same things for a person to do at each end."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from mediad.adapters.clock import SystemClock
from mediad.adapters.syncthing import SyncthingPhone
from mediad.config import Settings
from mediad.model import Place, Site, SiteKey
from mediad.ports import Phone
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles
from mediad.testing.phone import MemoryPhone
from mediad.testing.shared import NO_FOLDER
from tests.syncthing_pair import SyncPair

MTIME = 1_650_000_000_123_456_789


class World(Protocol):
    """Both ends of the link, and a person at each."""

    phone: Phone
    path: str  # of the shared folder here

    def put(self, key: SiteKey, content: bytes = b"picture", mtime_ns: int = MTIME) -> None:
        """Into the shared folder here."""
        ...

    def remove(self, key: SiteKey) -> None: ...

    def renew(self, key: SiteKey) -> None:
        """The same bytes and mtime in another inode."""
        ...

    async def settle(self) -> None:
        """All that is on its way has arrived."""
        ...

    def there(self, key: SiteKey) -> bytes | None: ...

    async def delete_there(self, *keys: SiteKey, scanned: bool = True) -> None: ...

    async def edit_there(self, key: SiteKey, content: bytes) -> None: ...

    async def ignore_there(self, *patterns: str) -> None: ...

    async def become_receive_only(self) -> None: ...

    async def keep_what_is_removed(self, *, keeps: bool) -> None: ...

    async def go_offline(self) -> None: ...

    async def come_online(self) -> None: ...

    async def meet(self) -> None:
        """Nothing keeps them apart: they have found each other."""
        ...

    async def pause_device(self, *, paused: bool) -> None: ...

    async def pause_folder_there(self, *, paused: bool) -> None: ...

    async def pause_folder_here(self, *, paused: bool) -> None: ...

    async def forget_there(self) -> None: ...

    async def forget_here(self) -> None: ...


class Memory:
    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.files = MemoryFiles(self.clock)
        self.memory = MemoryPhone(self.files, self.clock)
        self.phone: Phone = self.memory
        self.path = "pixel_sync"

    def put(self, key: SiteKey, content: bytes = b"picture", mtime_ns: int = MTIME) -> None:
        self.clock.advance(1)
        self.files.drop(Site.PHONE, key, content, mtime_ns)

    def remove(self, key: SiteKey) -> None:
        self.clock.advance(1)
        del self.files.files[Place(Site.PHONE, key)]

    def renew(self, key: SiteKey) -> None:
        old = self.files.files[Place(Site.PHONE, key)]
        self.files.drop(Site.PHONE, key, old.content, old.mtime_ns)

    async def settle(self) -> None: ...

    def there(self, key: SiteKey) -> bytes | None:
        file = self.memory.there.get(key)
        return None if file is None else file.content

    async def delete_there(self, *keys: SiteKey, scanned: bool = True) -> None:
        self.clock.advance(1)
        self.memory.delete(*keys, scanned=scanned)

    async def edit_there(self, key: SiteKey, content: bytes) -> None:
        self.memory.edit(key, content)

    async def ignore_there(self, *patterns: str) -> None:
        self.memory.ignore(*patterns)

    async def become_receive_only(self) -> None:
        self.memory.type_there = "receiveonly"

    async def keep_what_is_removed(self, *, keeps: bool) -> None:
        self.memory.keeps_what_is_removed = keeps

    async def go_offline(self) -> None:
        self.memory.go_offline()

    async def come_online(self) -> None:
        self.memory.come_online()

    async def meet(self) -> None: ...

    async def pause_device(self, *, paused: bool) -> None:
        self.memory.pause_device(paused=paused)

    async def pause_folder_there(self, *, paused: bool) -> None:
        self.memory.pause_folder_there(paused=paused)

    async def pause_folder_here(self, *, paused: bool) -> None:
        self.memory.folder = replace(self.memory.folder, is_paused=paused)

    async def forget_there(self) -> None:
        self.memory.forget_there()

    async def forget_here(self) -> None:
        self.clock.advance(1)
        self.memory.forget_here()


class Real:
    def __init__(self, pair: SyncPair) -> None:
        self.pair = pair
        self.adapter = SyncthingPhone(self._settings, SystemClock(), self._path_of)
        self.phone: Phone = self.adapter
        self.path = str(pair.host.folder)

    def _settings(self) -> Settings:
        reach = {"url": self.pair.host.url, "api_key": self.pair.host.api_key}
        return Settings.model_validate({"root": self.pair.host.home, "syncthing": reach})

    def _path_of(self, place: Place) -> Path:
        return self.pair.host.folder / place.key

    async def as_at_first(self) -> None:
        """Whatever the last test has left behind."""
        host, pixel = self.pair.nodes
        for node in self.pair.nodes:
            if not node.is_running:
                await node.start()
        await host.resume_device()
        await host.set_folder(paused=False, type="sendonly")
        await pixel.set_folder(paused=False, type="sendreceive", ignoreDelete=True)
        await pixel.set_ignores()
        await host.set_ignores()
        await host.set_rate_limit()
        await self.pair.wait_connected()

    def put(self, key: SiteKey, content: bytes = b"picture", mtime_ns: int = MTIME) -> None:
        path = self.pair.host.folder / key
        path.write_bytes(content)
        os.utime(path, ns=(mtime_ns, mtime_ns))

    def remove(self, key: SiteKey) -> None:
        (self.pair.host.folder / key).unlink()

    def renew(self, key: SiteKey) -> None:
        path = self.pair.host.folder / key
        other = self.pair.host.home / "other"
        other.write_bytes(path.read_bytes())
        os.utime(other, ns=(MTIME, MTIME))
        other.rename(path)

    async def settle(self) -> None:
        await self.pair.wait_in_sync(nothing_needed=False)

    def there(self, key: SiteKey) -> bytes | None:
        path = self.pair.pixel.folder / key
        return path.read_bytes() if path.exists() else None

    async def delete_there(self, *keys: SiteKey, scanned: bool = True) -> None:
        for key in keys:
            (self.pair.pixel.folder / key).unlink()
        if scanned:
            await self.pair.pixel.scan(*keys)
            await self.settle()

    async def edit_there(self, key: SiteKey, content: bytes) -> None:
        (self.pair.pixel.folder / key).write_bytes(content)
        await self.pair.pixel.scan(key)
        await self.settle()

    async def ignore_there(self, *patterns: str) -> None:
        await self.pair.pixel.set_ignores(*patterns)
        await self.pair.pixel.scan()
        await self.settle()

    async def become_receive_only(self) -> None:
        await self.pair.pixel.set_folder(type="receiveonly")
        await self.pair.pixel.scan()

    async def keep_what_is_removed(self, *, keeps: bool) -> None:
        await self.pair.pixel.set_folder(ignoreDelete=keeps)
        await self.pair.pixel.scan()
        await self.pair.wait_connected()

    async def go_offline(self) -> None:
        self.pair.pixel.kill()
        await self.pair.wait_apart()

    async def come_online(self) -> None:
        await self.pair.pixel.start()
        await self.pair.wait_connected()

    async def meet(self) -> None:
        await self.pair.wait_connected()

    async def pause_device(self, *, paused: bool) -> None:
        if paused:
            await self.pair.host.pause_device()
            await self.pair.wait_apart()
        else:
            await self.pair.host.resume_device()
            await self.pair.wait_connected()

    async def pause_folder_there(self, *, paused: bool) -> None:
        await self.pair.pixel.set_folder(paused=paused)
        await self.pair.wait_connected()

    async def pause_folder_here(self, *, paused: bool) -> None:
        await self.pair.host.set_folder(paused=paused)
        if not paused:
            await self.pair.wait_connected()

    async def forget_there(self) -> None:
        await self.pair.pixel.stop()
        self.pair.pixel.wipe_database()
        await self.come_online()

    async def forget_here(self) -> None:
        await self.pair.host.stop()
        self.pair.host.wipe_database()
        await self.pair.host.start()
        await self.pair.wait_connected()


@asynccontextmanager
async def bare(kind: str, root: Path) -> AsyncIterator[World]:
    """They know each other, and share nothing here yet."""
    if kind == "memory":
        memory = Memory()
        memory.memory.folder = NO_FOLDER
        yield memory
        return
    async with SyncPair(root, host_type=None) as pair:
        world = Real(pair)
        yield world
        await world.adapter.aclose()
