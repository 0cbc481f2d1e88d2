"""
One Syncthing's REST interface: a question, and an answer in JSON from the right node, or one of our errors.

Whatever listens at the address: no redirect is followed, no proxy of the environment is used, no more than a bounded
part of an answer is read, and the API key appears in no message and no repr.
"""

import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

import aiohttp
import anyio
from anyio import to_thread
from multidict import CIMultiDictProxy
from yarl import URL

from mediad.adapters.syncthing.faults import (
    ANOTHER_NODE,
    ANSWER,
    NOT_SYNCTHING,
    OURS,
    TLS,
    TOO_LARGE,
    WANTS_HTTPS,
    Whose,
    fault,
    raised,
    said,
)

MOST_BYTES: Final = 32 << 20
CONNECTIONS: Final = 4
_CONNECT_S: Final = 10.0
_TEXT: Final = 4096  # of a plain answer, looked through for the words that we know
_PIECE: Final = 1 << 16
_FINE: Final = range(200, 300)
_ELSEWHERE: Final = range(300, 400)
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Access:
    """How one Syncthing is reached. Another value means another session."""

    url: str
    key: str = field(repr=False)
    ca_file: Path | None
    timeout_s: float
    whose: Whose = OURS


class _Line:
    """One open session, closed when it is retired and the last question on it is answered."""

    def __init__(self, access: Access, session: aiohttp.ClientSession) -> None:
        self.access = access
        self.session = session
        self.users = 0
        self.is_retired = False

    async def close_if_done(self) -> None:
        if self.is_retired and not self.users:
            await self.session.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with a status of success."""

    said: object  # the JSON; None where there was no body
    node: str  # the id of the Syncthing that said it
    syncthing: str  # its version


class Client:
    """Questions to the Syncthing that `access` names at this moment."""

    def __init__(self, access: Callable[[], Access], *, most_bytes: int = MOST_BYTES) -> None:
        self._access = access
        self._most_bytes = most_bytes
        self._line: _Line | None = None
        self._opening = anyio.Lock()

    async def ask(  # noqa: PLR0913 - each is a word of one HTTP request
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        body: object = None,
        node: str = "",
        unknown: str = "",
        wait_s: float = 0.0,
    ) -> Answer | None:
        """
        None: it said 404 with the words of `unknown`. `node`: the only one to be believed.

        `wait_s`: how long it may take beyond the usual, for questions that it answers when something happens.
        """
        async with self._open() as line:
            access = line.access
            url = URL(f"{access.url}{path}{_query(query)}", encoded=True)
            limit_s = access.timeout_s + wait_s
            times = aiohttp.ClientTimeout(
                total=limit_s, sock_connect=min(_CONNECT_S, access.timeout_s), sock_read=limit_s
            )
            try:
                async with line.session.request(
                    method, url, json=body, timeout=times, allow_redirects=False
                ) as response:
                    content = await self._content(response, access.whose)
                    told = response.status, response.headers, content
            except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
                # Without its cause: aiohttp's errors hold the request, and that holds the key.
                raise raised(error, access.whose) from None
            return _read(told, access, node=node, unknown=unknown)

    async def aclose(self) -> None:
        async with self._opening:
            await self._retire()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[_Line]:
        access = self._access()
        async with self._opening:
            if self._line is None or self._line.access != access:
                await self._retire()
                self._line = _Line(access, await _session(access))
            line = self._line
            line.users += 1
        try:
            yield line
        finally:
            line.users -= 1
            await line.close_if_done()

    async def _retire(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.is_retired = True
            await line.close_if_done()

    async def _content(self, response: aiohttp.ClientResponse, whose: Whose) -> bytes:
        """All of it, or no more than the bound: then the connection is dropped with what is still to come."""
        if (response.content_length or 0) > self._most_bytes:
            response.close()
            raise fault(TOO_LARGE, whose)
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_chunked(_PIECE):
            size += len(piece)
            if size > self._most_bytes:
                response.close()
                raise fault(TOO_LARGE, whose)
            pieces.append(piece)
        return b"".join(pieces)


def _query(query: Sequence[tuple[str, str]]) -> str:
    """
    Every byte of a name as it is: yarl is handed the finished text and changes nothing in it.

    A name that is no UTF-8 on the disk goes as the bytes that it has there.
    """
    pairs = (f"{name}={quote(value, safe='', errors='surrogateescape')}" for name, value in query)
    return "?" + "&".join(pairs) if query else ""


async def _session(access: Access) -> aiohttp.ClientSession:
    context = await to_thread.run_sync(_trust, access)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS, ssl=context if context is not None else True
        ),
        # Not compressed: a small answer can then never unfold into a large one.
        headers={"X-API-Key": access.key, "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _trust(access: Access) -> ssl.SSLContext | None:
    """
    Only what ca_file holds. None: no file, the certificates of the system.

    Syncthing's own certificate names the machine and never its address, so no name is compared; where the file holds
    an authority instead, anybody it vouches for would pass, and so the name must fit.
    """
    if access.ca_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=access.ca_file)
    except (OSError, ssl.SSLError):
        raise fault(
            TLS, access.whose, more=f"{access.ca_file} is no readable certificate"
        ) from None
    context.check_hostname = bool(context.cert_store_stats()["x509_ca"])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the one certificate may be the anchor
    return context


def _read(
    told: tuple[int, CIMultiDictProxy[str], bytes], access: Access, *, node: str, unknown: str
) -> Answer | None:
    status, headers, content = told
    text = content[:_TEXT].decode("utf-8", "replace")
    if status in _ELSEWHERE:
        is_to_https = headers.get("Location", "").startswith("https://")
        raise fault(
            WANTS_HTTPS if is_to_https and access.url.startswith("http://") else NOT_SYNCTHING,
            access.whose,
        )
    is_plain = headers.get("Content-Type", "").startswith("text/plain")
    if is_plain and (known := said(status, text)) is not None:
        raise fault(known, access.whose)
    who = headers.get("X-Syncthing-Id", "")
    if not who:
        raise fault(NOT_SYNCTHING, access.whose)
    if node and who != node:
        raise fault(ANOTHER_NODE, access.whose)
    if status == _NOT_FOUND and unknown and unknown in text:
        return None
    if status not in _FINE:
        raise fault(ANSWER, access.whose, more=f"status {status}")
    return Answer(
        _json(headers, content, access.whose), who, headers.get("X-Syncthing-Version", "")
    )


def _json(headers: CIMultiDictProxy[str], content: bytes, whose: Whose) -> object:
    if not content.strip():
        return None
    if headers.get("Content-Type", "").startswith("text/html"):
        raise fault(NOT_SYNCTHING, whose)
    try:
        answer: object = json.loads(content.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise fault(ANSWER, whose, more="it is no JSON") from None
    return answer


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
