"""The content host: an asset's bytes, in whole or in part, for as long as their address is good."""

import base64
import re
from typing import Final

from aiohttp import web

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
        return _part(body.read(), call.header("Range"), fingerprint)


def _part(content: bytes, asked: str, fingerprint: str) -> Answer:
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{base64.b16encode(fingerprint.encode()).decode()}"',
    }
    match = _RANGE.fullmatch(asked)
    if match is None:
        return web.Response(body=content, headers=headers, content_type="application/octet-stream")
    start, end = int(match[1]), int(match[2] or len(content) - 1)
    if start >= len(content):
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    part = content[start : end + 1]
    headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    return web.Response(
        body=part, status=206, headers=headers, content_type="application/octet-stream"
    )
