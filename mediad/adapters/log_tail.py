"""The last events in memory, and a way to follow what comes. Bounded: who reads too slowly misses the oldest."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio

Line = Mapping[str, Any]

KEPT: Final = 1000
WAITING: Final = 500


class Follower:
    """One who follows: iterate it. `missed` counts what came too fast."""

    def __init__(self) -> None:
        self.missed = 0
        self._lines: deque[Line] = deque()
        self._news = anyio.Event()

    def offer(self, line: Line) -> None:
        """Only in the event loop."""
        if len(self._lines) >= WAITING:
            self._lines.popleft()
            self.missed += 1
        self._lines.append(line)
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Line]:
        return self

    async def __anext__(self) -> Line:
        while not self._lines:
            self._news = anyio.Event()
            await self._news.wait()
        return self._lines.popleft()


class Tail:
    """`add` may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._followers: dict[Follower, asyncio.AbstractEventLoop] = {}

    def add(self, line: Line) -> None:
        with self._lock:
            self._lines.append(line)
            for follower, loop in self._followers.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(follower.offer, line)

    def recent(self, limit: int = KEPT) -> list[Line]:
        with self._lock:
            return list(self._lines)[-limit:] if limit > 0 else []

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[Follower]:
        """Everything said from here on; first what `recent` gives if one wants no gap."""
        follower = Follower()
        with self._lock:
            self._followers[follower] = asyncio.get_running_loop()
        try:
            yield follower
        finally:
            with self._lock:
                del self._followers[follower]
