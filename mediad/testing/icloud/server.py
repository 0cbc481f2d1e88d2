"""The server: one door on loopback for all of Apple's hosts, with what was to go wrong going wrong there."""

import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Final

import anyio
from aiohttp import web

from mediad.ports import Clock
from mediad.testing.icloud.account import Account, Obstacle
from mediad.testing.icloud.call import Answer, Call, answer, refusal
from mediad.testing.icloud.cloudkit import CloudKit
from mediad.testing.icloud.content import Content
from mediad.testing.icloud.faults import Fault, Remembered, Seen
from mediad.testing.icloud.library import Library
from mediad.testing.icloud.modify import Modify
from mediad.testing.icloud.quirks import Quirks
from mediad.testing.icloud.records import CONTENT_HOST, Writer
from mediad.testing.icloud.setting_up import SettingUp
from mediad.testing.icloud.signing_in import SigningIn
from mediad.testing.icloud.uploads import HOST as UPLOAD_HOST
from mediad.testing.icloud.uploads import Uploads

HEADER: Final = "X-Fake-Host"
BIGGEST: Final = 1 << 30
_OPEN: Final = (
    "idmsa.apple.com",
    "setup.icloud.com",
    "setup.icloud.com.cn",
)  # before there are cookies
_HTML: Final = "<html><head><title>iCloud</title></head><body>We'll be right back.</body></html>"


class FakeICloud:
    """
    One account and its library, served.

    `faults` is a queue: the first that takes a request has it. `remembered` has the counts, and every request to take
    something away. Give `address` to mediad as `icloud.gateway`.
    """

    def __init__(
        self,
        clock: Clock,
        account: Account | None = None,
        library: Library | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        self.clock = clock
        self.account = account or Account()
        self.library = library or Library(clock)
        self.quirks = quirks or Quirks()
        self.faults: list[Fault] = []
        self.remembered = Remembered()
        self.writer = Writer(self.library, self.quirks, self.account.secret)
        self.signing_in = SigningIn(self.account, clock)
        self.setting_up = SettingUp(self.account, clock)
        self.cloudkit = CloudKit(self.library, self.writer)
        self.uploads = Uploads(self.library, self.cloudkit, self.quirks)
        self._content = Content(self.library, self.writer)
        modify = Modify(self.cloudkit, self.writer, self.quirks, self.remembered)
        self.address = ""
        self.answered: Callable[[], None] = _nothing  # called after each request
        self._closing = anyio.Event()
        self._routes: dict[tuple[str, str], Callable[[Call], Answer]] = {
            **self.signing_in.routes(),
            **self.setting_up.routes(),
            **self.cloudkit.routes(),
            **modify.routes(),
            **self.uploads.routes(),
        }

    @asynccontextmanager
    async def serving(self, door: socket.socket | None = None) -> AsyncIterator[str]:
        """On a port of 127.0.0.1, or at a door that is bound already. The address."""
        self._closing = anyio.Event()
        app = web.Application(client_max_size=BIGGEST)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            door = door or socket.create_server(("127.0.0.1", 0))
            await web.SockSite(runner, door).start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self.address
        finally:
            self._closing.set()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            request, request.headers.get(HEADER, "").partition(":")[0], await request.read()
        )
        fault = next((f for f in self.faults if f.takes(call.host + request.path)), None)
        if fault is not None and fault.hang:
            self._note(call, 0, 0)
            await self._closing.wait()
            return web.Response(status=503)
        given = self._answer(call) if fault is None else self._faulty(call, fault)
        given.headers["Date"] = formatdate(self.clock.now() / 1000, usegmt=True)
        self.answered()
        if fault is not None and fault.breaks_off:
            return await self._break_off(call, given, fault)
        self._note(call, given.status, given.content_length or 0)
        return given

    def _faulty(self, call: Call, fault: Fault) -> Answer:
        if fault.html:
            return web.Response(text=_HTML, content_type="text/html")
        if fault.status is not None:
            given = answer(fault.body, fault.status) if fault.body is not None else _plain(fault)
            if fault.retry_after is not None:
                given.headers["Retry-After"] = str(math.ceil(fault.retry_after))
            return given
        if fault.meanwhile is not None:
            fault.meanwhile()
        given = self._answer(call)
        content = given.body if isinstance(given.body, bytes) else b""
        if fault.truncate_at is not None:
            given.body = content[: fault.truncate_at]
        if fault.flip_at is not None:
            changed = bytearray(content)
            changed[fault.flip_at] ^= 1
            given.body = bytes(changed)
        return given

    async def _break_off(self, call: Call, given: Answer, fault: Fault) -> web.StreamResponse:
        """The head promises everything; then the line goes dead, or quiet."""
        body = given.body if isinstance(given.body, bytes) and not fault.lost else b""
        at = (fault.cut_at if fault.stall_at is None else fault.stall_at) or 0
        self._note(call, given.status, min(at, len(body)))
        headers = {k: v for k, v in given.headers.items() if k != "Content-Length"}
        broken = web.StreamResponse(status=given.status, headers=headers)
        transport = call.request.transport
        if body:
            broken.content_length = len(body)
            await broken.prepare(call.request)
            await broken.write(body[:at])
        if fault.stall_at is not None:
            await self._closing.wait()
        if transport is not None:
            transport.close()
        return broken

    def _answer(self, call: Call) -> Answer:
        self.library.settle()
        if call.host == CONTENT_HOST:
            return self._content.get(call)
        if call.host == UPLOAD_HOST:
            return self.uploads.take(call)
        handler = self._routes.get((call.request.method, call.path))
        if handler is None or not _is_apple(call.host):
            return answer({"error": f"no {call.request.method} {call.host}{call.path} here"}, 404)
        return self._shut(call) or handler(call)

    def _shut(self, call: Call) -> Answer | None:
        """Why the photos may not be seen."""
        if call.host in _OPEN:
            return None
        session = self.setting_up.session(call)
        if session is None or not session["is_trusted"]:
            return refusal(421, "AUTHENTICATION_REQUIRED", "request needs authorization")
        if self.account.obstacle is Obstacle.PROTECTED:
            return refusal(403, "ACCESS_DENIED", "private db access disabled for this account")
        if self.account.obstacle is Obstacle.INACTIVE:
            return refusal(404, "ZONE_NOT_FOUND", "Zone does not exist")
        return None

    def _note(self, call: Call, status: int, sent: int) -> None:
        name = "content" if call.host == CONTENT_HOST else call.path.rpartition("/private")[2]
        seen = Seen(call.request.method, call.host, call.path, status, sent)
        self.remembered.note(seen, name, len(call.body))


def _nothing() -> None:
    """Nobody asked to be told."""


def _plain(fault: Fault) -> Answer:
    return web.Response(status=fault.status or 500, text="")


def _is_apple(host: str) -> bool:
    return host.endswith((".icloud.com", ".icloud.com.cn", ".apple.com", ".icloud-content.com"))
