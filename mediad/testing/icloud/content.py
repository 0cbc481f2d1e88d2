"""The content host: an asset's bytes, in whole or in part, for as long as their address is good."""

import base64
import re
from typing import Final

from aiohttp import Payload, web
from aiohttp.abc import AbstractStreamWriter

from mediad.testing.icloud.bodies import Body
from mediad.testing.icloud.call import Answer, Call
from mediad.testing.icloud.library import Library
from mediad.testing.icloud.records import Writer

NAME: Final = 28  # letters of a fingerprint in an address
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class Content:
    def __init__(self, library: Library, writer: Writer) -> None:
        self._library, self._writer = library, writer

    def get(self, call: Call) -> Answer:
        """Asks for no cookie: the address alone says who may."""
        safe = call.path.split("/")[2][:NAME]
        fingerprint = safe.replace("-", "+").replace("_", "/")
        is_ours, is_good = self._writer.is_good(fingerprint, call.query)
        if not is_ours:
            return web.Response(status=403, text="Forbidden")
        if not is_good:
            return web.Response(status=410, text="Gone")
        body = self._library.content(fingerprint)
        if body is None:
            return web.Response(status=404, text="Not Found")
        return _part(body, call.header("Range"), fingerprint)


class _Pieces(Payload):
    """The rest of a body that nobody holds."""

    def __init__(self, body: Body, start: int) -> None:
        super().__init__(body)
        self._start = start

    @property
    def size(self) -> int:
        return int(self._value.size) - self._start

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError(f"photos are no text ({encoding}, {errors})")

    async def write(self, writer: AbstractStreamWriter) -> None:
        for piece in self._value.pieces(self._start):
            await writer.write(piece)


def _part(body: Body, asked: str, fingerprint: str) -> Answer:
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{base64.b16encode(fingerprint.encode()).decode()}"',
    }
    match = _RANGE.fullmatch(asked)
    start = int(match[1]) if match else 0
    end = min(int(match[2] or body.size) if match else body.size, body.size - 1)
    if start >= body.size:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{body.size}"})
    if match:
        headers["Content-Range"] = f"bytes {start}-{end}/{body.size}"
    part: bytes | _Pieces
    if body.times > 1 and end == body.size - 1:
        part = _Pieces(body, start)
        headers["Content-Length"] = str(part.size)
    else:
        part = body.read()[start : end + 1]
    return web.Response(
        body=part, status=206 if match else 200, headers=headers,
        content_type="application/octet-stream",
    )  # fmt: skip
