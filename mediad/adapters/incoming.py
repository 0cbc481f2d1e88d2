"""
The drop folder: everything in it that is no litter, and hints when to look.

The scan is the truth. It walks from the folder's own handle, follows no link, opens no file, and tells what it could
not read from what is not there. The watch only says "look": it loses events when the machine is busy, never tells of
files inside a folder that was moved in, goes deaf when the folder is replaced and dies of a name that is no UTF-8; so
it is started again whenever it ends, and whoever listens scans now and then without being told.
"""

import errno
import os
import threading
import time
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Container,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import anyio
import anyio.to_thread
import structlog

from mediad.adapters import syscalls
from mediad.adapters.errnos import faults_of
from mediad.errors import NeedsOperator
from mediad.model import Site, SiteKey
from mediad.ports import Found

log = structlog.get_logger()
T = TypeVar("T")

SLICE: Final = 1000
LOOKED_AT: Final = 20_000  # entries between two breaths, when nothing is new
# A folder's time is only as fine as the file system's clock: younger than this it may hide a change.
RAW_NS: Final = 2_000_000_000
REMEMBERED: Final = 10_000
DEBOUNCE_MS: Final = 200
STEP_MS: Final = 50
IDLE_MS: Final = 5_000
POLL_S: Final = 5.0
RESTART_S: Final = 1.0
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Read(NamedTuple):
    """A folder as it was when it was last listed to its end."""

    mtime_ns: int
    inode: int
    folders: tuple[str, ...]


class DropFolder:
    """
    ports.Drop. One scan at a time.

    `litter(name, is_folder=…)` says why a name is never taken, or "".
    """

    def __init__(self, root: Path, litter: Callable[..., str]) -> None:
        self._root = root
        self._is_litter = litter
        self._read: dict[str, _Read] = {}
        self._litter: dict[str, str] = {}
        self._limiter = anyio.CapacityLimiter(1)  # a hung drop folder holds no thread but this one
        self._closed = threading.Event()

    def close(self) -> None:
        """No more hints: the watch's thread cannot be cancelled, and would keep the daemon's end waiting."""
        self._closed.set()

    async def scan(
        self, known: Container[SiteKey], *, full: bool = True
    ) -> AsyncIterator[Sequence[Found]]:
        with closing(self._walk(known, full=full)) as walk:
            while (found := await self._in_thread(lambda: next(walk, None))) is not None:
                if found:
                    yield found

    async def changes(self, *, polling: bool = False) -> AsyncIterator[None]:
        while True:
            inode = await self._in_thread(self._inode)
            if inode is None:
                await anyio.sleep(RESTART_S)
                continue
            if polling or await self._in_thread(self._is_remote):
                await anyio.sleep(POLL_S)
                yield
                continue
            async with aclosing(self._notified(inode)) as hints:
                async for _ in hints:
                    yield
            yield  # whatever ended the watch may have hidden something
            await anyio.sleep(RESTART_S)

    def litter(self) -> Mapping[str, int]:
        return Counter(self._litter.values())

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    # -- the watch --------------------------------------------------------------------------------

    async def _notified(self, inode: tuple[int, int]) -> AsyncGenerator[None, None]:
        """Until the folder is another one, or the watch fails."""
        from watchfiles import awatch  # noqa: PLC0415 - --once watches nothing, and starts quicker without

        watch = awatch(
            self._root,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=IDLE_MS,
            yield_on_timeout=True,
            stop_event=self._closed,
            ignore_permission_denied=True,
        )
        try:
            async with aclosing(watch) as batches:
                async for batch in batches:
                    if batch:
                        yield
                    if await self._in_thread(self._inode) != inode:
                        return
        except* (RuntimeError, OSError) as faults:  # its Rust part dies of names as a RuntimeError
            log.info("watch.restarted", error=str(faults.exceptions[0])[:200])

    def _inode(self) -> tuple[int, int] | None:
        try:
            seen = self._root.stat()
        except OSError:
            return None
        return seen.st_dev, seen.st_ino

    def _is_remote(self) -> bool:
        """On a network file system the changes of others make no events."""
        try:
            fd = os.open(self._root, _FOLDER)
        except OSError:
            return True
        try:
            return syscalls.fs_type(fd) in syscalls.NETWORK
        finally:
            os.close(fd)

    # -- the scan, in a thread --------------------------------------------------------------------

    def _walk(
        self, known: Container[SiteKey], *, full: bool
    ) -> Generator[Sequence[Found], None, None]:
        """Slices of what is new. An empty one is a breath: nothing new for a while, and more to come."""
        found: list[Found] = []
        looked_at = 0
        met: set[str] = set()
        with faults_of(Site.INCOMING), self._opened() as root:
            todo = [""]
            while todo:
                folder = todo.pop()
                met.add(folder)
                below: list[str] = []
                for new in self._listed(root, folder, below, full=full):
                    looked_at += 1
                    if new is not None and new.key not in known:
                        found.append(new)
                    if len(found) >= SLICE or looked_at >= LOOKED_AT:
                        yield found
                        found, looked_at = [], 0
                todo += below
        for gone in self._read.keys() - met:
            del self._read[gone]
        if found:
            yield found

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NeedsOperator(
                f"the drop folder {self._root} is not there; what was in it counts as out of reach, not as gone",
                code="incoming.missing",
                remedy="mount or make the folder again; mediad goes on by itself",
                site=Site.INCOMING.value,
            ) from error
        try:
            yield root
        finally:
            os.close(root)

    def _listed(
        self, root: int, folder: str, below: list[str], *, full: bool
    ) -> Iterator[Found | None]:
        """One folder's files; its folders go to `below`. None: something that is not taken."""
        try:
            fd = syscalls.open_beneath(root, folder or ".", _FOLDER)
        except OSError as error:
            if not folder:
                raise
            self._skipped(folder, error)
            return
        try:
            before = os.fstat(fd)
            read = self._read.get(folder)
            if not full and read and (before.st_mtime_ns, before.st_ino) == read[:2]:
                below += read.folders
                return
            began = time.time_ns()
            with os.scandir(fd) as entries:
                for entry in entries:
                    yield self._judged(
                        entry, f"{folder}/{entry.name}" if folder else entry.name, below
                    )
            if began - before.st_mtime_ns > RAW_NS:
                self._read[folder] = _Read(before.st_mtime_ns, before.st_ino, tuple(below))
            else:
                self._read.pop(folder, None)
        finally:
            os.close(fd)

    def _judged(self, entry: os.DirEntry[str], key: str, below: list[str]) -> Found | None:
        is_folder = entry.is_dir(follow_symlinks=False)
        why = self._is_litter(entry.name, is_folder=is_folder)
        if why:
            self._note(key, why)
            return None
        if is_folder:
            below.append(key)
            return None
        try:
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None  # taken away while we looked
        return Found(SiteKey(key), entry.name, seen.st_size, seen.st_mtime_ns)

    def _skipped(self, folder: str, error: OSError) -> None:
        """A folder that is gone, or became a link, is nothing; one that may not be read is told of."""
        if error.errno in {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}:
            self._note(folder, "unreadable")

    def _note(self, key: str, why: str) -> None:
        if key not in self._litter and len(self._litter) < REMEMBERED:
            self._litter[key] = why
            log.info("drop.passed_over", key=key, reason=why)
