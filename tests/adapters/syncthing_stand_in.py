"""A little server that answers as Syncthing does, until a test tells it to answer otherwise."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

ME = "MEMEMEM-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA"
PIXEL = "PIXELAA-BBBBBBB-BBBBBBB-BBBBBBB-BBBBBBB-BBBBBBB-BBBBBBB-BBBBBBB"
KEY = "a-key-that-must-never-show"
STARTED = "2026-01-02T03:04:05Z"
CONNECTED = "2026-01-02T03:04:06Z"

Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def version_of(name: str) -> list[str]:
    return [f"MEMEMEM:{100 + len(name)}"]


def row(name: str, /, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "FILE_INFO_TYPE_FILE",
        "size": 5,
        "modified": "2024-05-06T07:08:09.123456789Z",
        "modifiedBy": "MEMEMEM",
        "version": version_of(name),
        "deleted": False,
        "invalid": False,
        "ignored": False,
        "mustRescan": False,
        "localFlags": 0,
    } | more


def file_of(name: str, **more: Any) -> dict[str, Any]:
    """What db/file says of a name that the phone has."""
    return {
        "global": row(name),
        "local": row(name),
        "availability": [{"id": PIXEL, "fromTemporary": False}],
    } | more


@dataclass
class StandIn:
    """`says`: by path, what to answer instead: a value for JSON, or a handler."""

    path: str  # of its one folder
    me: str = ME
    version: str = "v1.29.5"
    key: str = KEY
    says: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # method, path and query as they came
    bodies: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Syncthing-Id": self.me, "X-Syncthing-Version": self.version}

    def json(self, value: Any) -> web.Response:
        return web.json_response(value, headers=self.headers)

    def plain(self, status: int, text: str) -> web.Response:
        return web.Response(status=status, text=text, headers=self.headers)

    def folder(self, **more: Any) -> dict[str, Any]:
        shared = [{"deviceID": device, "encryptionPassword": ""} for device in (ME, PIXEL)]
        return {
            "id": "photos",
            "label": "",
            "path": self.path,
            "type": "sendonly",
            "paused": False,
            "devices": shared,
            "ignoreDelete": False,
            "markerName": ".stfolder",
        } | more

    def connection(self, **more: Any) -> dict[str, Any]:
        of_pixel = {"connected": True, "startedAt": CONNECTED, "outBytesTotal": 1000} | more
        return {"connections": {PIXEL: of_pixel}, "total": {}}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.raw_path}")
        if request.can_read_body:
            self.bodies.append((f"{request.method} {request.path}", await request.json()))
        said = self.says.get(request.path)
        if callable(said):
            found: web.StreamResponse = await said(request)
            return found
        if request.headers.get("X-API-Key") != self.key:
            return self.plain(403, "CSRF Error\n")
        if request.path in self.says:
            return self.json(said)
        return self._usual(request)

    def _usual(self, request: web.Request) -> web.Response:
        if request.path == "/rest/db/file":
            name = request.query["file"]
            if name not in self.files:
                return self.plain(404, "No such object in the index\n")
            return self.json(self.files[name])
        if request.method != "GET":
            return web.Response(headers=self.headers)
        return self.json(self._known()[request.path])

    def _known(self) -> dict[str, Any]:
        return {
            "/rest/system/status": {"myID": self.me, "startTime": STARTED, "tilde": "/home/st"},
            "/rest/system/connections": self.connection(),
            "/rest/config/folders": [self.folder()],
            "/rest/config/devices": [
                {"deviceID": ME, "name": "host"},
                {"deviceID": PIXEL, "name": "Pixel 5"},
            ],
            "/rest/db/status": {"state": "idle", "error": ""},
            "/rest/db/ignores": {"ignore": None, "expanded": None},
            "/rest/db/remoteneed": {"files": None, "page": 1},
            "/rest/db/need": {"progress": None, "queued": None, "rest": None},
            "/rest/db/completion": {
                "needItems": 0,
                "needBytes": 0,
                "globalItems": 0,
                "sequence": 0,
            },
            "/rest/cluster/pending/folders": {},
            "/rest/events": [],
        }


@asynccontextmanager
async def serving(
    stand_in: StandIn, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[StandIn]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stand_in.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        stand_in.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield stand_in
    finally:
        await runner.cleanup()


def text(value: Any) -> Answer:
    """JSON by hand, for what no encoder would write."""

    async def say(_: web.Request) -> web.Response:
        return web.Response(
            text=value if isinstance(value, str) else json.dumps(value),
            content_type="application/json",
            headers={"X-Syncthing-Id": ME, "X-Syncthing-Version": "v1.29.5"},
        )

    return say
