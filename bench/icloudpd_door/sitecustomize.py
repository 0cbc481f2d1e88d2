"""Read by the peer's Python as it starts: what `requests` is to send to Apple goes to our small iCloud instead."""

import os
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

GATEWAY = os.environ["ICLOUD_GATEWAY"]
_send = HTTPAdapter.send


def send(self: HTTPAdapter, request: PreparedRequest, **more: Any) -> Response:
    """The answer says of itself that it came from Apple: cookies and sessions are those of Apple's hosts."""
    parts, there = urlsplit(str(request.url)), urlsplit(GATEWAY)
    moved = request.copy()
    moved.url = parts._replace(scheme=there.scheme, netloc=there.netloc).geturl()
    moved.headers["X-Fake-Host"] = parts.netloc
    given = _send(self, moved, **{**more, "proxies": {}})
    given.request, given.url = request, str(request.url)
    return given


HTTPAdapter.send = send  # type: ignore[assignment]
