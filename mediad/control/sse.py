"""Server-sent events: transitions that resume where a client left off, and the log as it is written."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import anyio
from aiohttp import web

from mediad.control.problems import dumps
from mediad.control.table import BadRequest
from mediad.errors import Retryable
from mediad.service import Service
from mediad.service.logs import LEVELS

MOST_CLIENTS: Final = 32
HEARTBEAT_S: Final = 10.0
PROBLEMS_S: Final = 1.0  # how soon an opened or closed problem is told
PAGE: Final = 256
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class Streams:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._clients = 0

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if self._clients >= MOST_CLIENTS:
            raise Retryable(
                f"{MOST_CLIENTS} listeners are connected already",
                code="events.crowded",
                remedy="close one of them, or poll /status",
            )
        self._clients += 1
        try:
            yield
        finally:
            self._clients -= 1

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Without Last-Event-ID: from now on. With it: everything after that row of the history."""
        said = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        if said and not (said.isascii() and said.isdigit() and len(said) < 19):  # noqa: PLR2004 - 64 bits
            raise BadRequest("Last-Event-ID must be the id of an event")
        after = int(said) if said else await self._service.latest_event()
        with self._seat():
            return await _send(request, self._transitions(after))

    async def _transitions(self, after: int) -> AsyncIterator[bytes]:
        bell = Bell()
        stop = self._service.on_commit(bell.ring)
        problems: object = []
        try:
            quiet_s = 0.0
            while True:
                rows = await self._service.events(after, PAGE)
                for row in rows:
                    after = row["seq"]
                    yield event("transition", dumps(row), after)
                now = (await self._service.status())["problems"]
                if now != problems:
                    problems = now
                    yield event("problems", dumps(now))
                if rows:
                    quiet_s = 0.0
                elif not await bell.heard(PROBLEMS_S):
                    quiet_s += PROBLEMS_S
                    if quiet_s >= HEARTBEAT_S:
                        quiet_s = 0.0
                        yield b": still here\n\n"
        finally:
            stop()

    async def logs(self, request: web.Request) -> web.StreamResponse:
        level = request.query.get("level") or "debug"
        if level not in LEVELS:
            raise BadRequest(f"there is no level {level!r}", remedy=f"one of: {', '.join(LEVELS)}")
        lines = request.query.get("lines") or "100"
        if not (lines.isascii() and lines.isdigit() and len(lines) < 6):  # noqa: PLR2004 - enough lines
            raise BadRequest("'lines' must be a number")
        with self._seat():
            if request.query.get("follow", "1") in {"0", "false"}:
                return await _send(request, self._last_lines(int(lines), level))
            return await _send(request, self._lines(int(lines), level))

    async def _last_lines(self, most: int, level: str) -> AsyncIterator[bytes]:
        for line in await self._service.log_tail(most, level):
            yield event("line", dumps(line))

    async def _lines(self, most: int, level: str) -> AsyncIterator[bytes]:
        silent = 0
        async for line in self._service.logs(most, level):
            silent = 0 if line else silent + 1
            if line:
                yield event("line", dumps(line))
            elif silent % 30 == 1:
                yield b": still here\n\n"


class Bell:
    """Rung by the journal; many rings before it is heard are one."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def heard(self, within_s: float) -> bool:
        with anyio.move_on_after(within_s):
            await self._rung.wait()
        was_rung = self._rung.is_set()
        self._rung = anyio.Event()
        return was_rung


def event(name: str, data: bytes, number: int | None = None) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\n".encode() + b"data: " + data + b"\n\n"


async def _send(request: web.Request, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    try:
        async for chunk in chunks:
            await response.write(chunk)
    except ConnectionResetError:
        pass  # the client went away, as clients do
    return response
