"""
The bytes: streamed from Apple's content hosts to their place, several at a time, gone on with after every cut.

The signed address is all that is needed, and is told to nobody. What came is the file only if its size and Apple's
fingerprint say so; a page of HTML with status 200, or a body that is too short, never is.
"""

import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar

import aiohttp
import anyio
from yarl import URL

from mediad.adapters.durable import DurableFiles
from mediad.adapters.durable.arrival import Arrival
from mediad.adapters.icloud.breaker import Breaker, Part, asked_for
from mediad.adapters.icloud.faults import (
    ANSWER,
    MISMATCH,
    NO_FILE,
    THROTTLED,
    UNREACHABLE,
    cut_off,
    fault,
)
from mediad.adapters.icloud.fingerprint import Fingerprint, SizeOnly
from mediad.adapters.icloud.hosts import CONTENT, route
from mediad.adapters.icloud.known import Known
from mediad.adapters.icloud.records import Location
from mediad.config import Settings
from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Place
from mediad.ports import Clock, Fetch

PIECE: Final = 1 << 20  # between two hops to the thread that writes
CUTS: Final = 5  # in a row without a byte in between, before it counts as failed
NEAR_MS: Final = 5 * 60_000  # an address that ends so soon is asked for anew
READ_AHEAD: Final = 1 << 19  # while a piece is written; aiohttp holds up to twice as much
_TIMES: Final = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
_STALE: Final = frozenset({401, 403, 404, 410})  # of a signed address: it has ended
_BUSY: Final = frozenset({429, 503})
_SERVER: Final = 500
T = TypeVar("T")
Locate = Callable[[Fetch], Awaitable[Location]]
"""Where a file is now, asked of iCloud afresh."""


@dataclass(slots=True)
class _Way:
    """Where one file comes from, and what went wrong on the way so far."""

    place: Location
    is_fresh: bool = False
    cuts: int = 0
    starts: int = 0


class _StaleError(Exception):
    """The address has ended."""


class _CutError(Exception):
    """The connection did, in the middle. What came of the file stays."""


class Downloader:
    """Raises nothing for one file that its neighbours need not know."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        clock: Clock,
        files: DurableFiles,
        breaker: Breaker,
        locate: Locate,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._files = files
        self._breaker = breaker
        self._locate = locate
        self._known = Known(clock)
        self._http: aiohttp.ClientSession | None = None
        self._limiter = anyio.CapacityLimiter(1)

    async def aclose(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def fingerprints(self, places: Sequence[Place]) -> Sequence[str | MediadError | None]:
        """Of what lies there. A file that was proved here moments ago, and has not been touched since, is not read."""
        return await self._files.measure(places, self._known.fingerprint_of)

    async def fetch(
        self, fetches: Sequence[Fetch], known: Callable[[Fetch], Location | None]
    ) -> list[MediadError | None]:
        """`known`: where a file was said to be, if that was lately."""
        answers: list[MediadError | None] = [None] * len(fetches)
        self._limiter.total_tokens = self._settings().icloud.at_once

        async def one(number: int, fetch: Fetch) -> None:
            async with self._limiter:
                try:
                    await self._one(fetch, known(fetch))
                except MediadError as error:
                    answers[number] = error

        async with anyio.create_task_group() as group:
            for number, fetch in enumerate(fetches):
                group.start_soon(one, number, fetch)
        return answers

    async def _one(self, fetch: Fetch, place: Location | None) -> None:
        mark = fetch.file.fingerprint
        proof = partial(Fingerprint, mark) if fetch.file.is_provable else SizeOnly
        async with self._files.receive(fetch.target, fetch.file.size, proof) as arrival:
            if arrival.is_there:
                return
            way = _Way(place or Location("", None))
            while True:
                await self._fill(fetch, arrival, way)
                if await self._in_thread(fetch, partial(arrival.finish, fetch.mtime_ns)):
                    if arrival.seen is not None and fetch.file.is_provable:
                        self._known.remember(arrival.seen, fetch.file.fingerprint)
                    return
                # Once more from the first byte: what lay there from before may have been the wrong half.
                way.starts += 1
                if way.starts > 1:
                    raise fault(MISMATCH)
                await self._in_thread(fetch, arrival.again)

    async def _fill(self, fetch: Fetch, arrival: Arrival, way: _Way) -> None:
        """Until there are as many bytes as there should be."""
        while arrival.have < arrival.size:
            if self._is_near_its_end(way.place):
                await self._refresh(fetch, way)
            had = arrival.have
            try:
                await self._stream(fetch, arrival, way.place)
            except _StaleError:
                if way.is_fresh and arrival.have == had:
                    raise fault(NO_FILE) from None
                way.place = Location("", None)
            except _CutError:
                way.cuts = 0 if arrival.have > had else way.cuts + 1
                if way.cuts >= CUTS:
                    raise self._failed(fault(UNREACHABLE)) from None
                await self._clock.sleep(min(2.0**way.cuts, 16.0) * (0.5 + self._clock.jitter() / 2))
            if arrival.have > had:
                way.is_fresh = False

    async def _refresh(self, fetch: Fetch, way: _Way) -> None:
        way.place = await self._locate(fetch)
        way.is_fresh = True

    def _is_near_its_end(self, place: Location) -> bool:
        """By our clock; where that is wrong, the server's 410 says so as well."""
        ends = place.expires_at
        return not place.url or (ends is not None and 0 <= ends - self._clock.now() < NEAR_MS)

    async def _stream(self, fetch: Fetch, arrival: Arrival, place: Location) -> None:
        self._breaker.check(Part.PHOTOS)
        way = route(place.url, self._settings().icloud.gateway, CONTENT)
        headers = {**way.headers, "Accept-Encoding": "identity"}
        if arrival.have:
            headers["Range"] = f"bytes={arrival.have}-"
        try:
            async with self._session().get(
                URL(way.url, encoded=True), headers=headers, timeout=_TIMES, allow_redirects=False
            ) as response:
                self._judge(response, arrival)
                if arrival.have and response.status == HTTPStatus.OK:  # it knows no ranges
                    await self._in_thread(fetch, arrival.drop)
                    await self._in_thread(fetch, arrival.again)
                await self._pour(fetch, arrival, response)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
            if cut_off(error):
                raise _CutError from None
            raise

    def _judge(self, response: aiohttp.ClientResponse, arrival: Arrival) -> None:
        status = response.status
        if status in _STALE:
            raise _StaleError
        if status in _BUSY:
            after_s = asked_for(response.headers.get("Retry-After"), self._clock.now())
            raise self._failed(fault(THROTTLED, after_s=after_s))
        if status >= _SERVER:
            raise _CutError
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise fault(ANSWER, more=f"status {status} for a file")
        if response.content_type in {"text/html", "application/xhtml+xml"}:
            raise fault(MISMATCH)
        begin = arrival.have if status == HTTPStatus.PARTIAL_CONTENT else 0
        said = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if status == HTTPStatus.PARTIAL_CONTENT and said != str(begin):
            raise fault(ANSWER, more="another part of the file than was asked for")
        length = response.content_length
        if length is not None and length != arrival.size - begin:
            raise fault(MISMATCH)

    async def _pour(self, fetch: Fetch, arrival: Arrival, response: aiohttp.ClientResponse) -> None:
        """A piece at a time, so that a file of any size needs the same memory. A cut loses nothing that came."""
        pieces: list[bytes] = []
        held = 0
        try:
            async for some, _ in response.content.iter_chunks():
                pieces.append(some)
                held += len(some)
                if held >= PIECE:
                    full, pieces, held = pieces, [], 0
                    await self._write(fetch, arrival, full)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not cut_off(error):
                raise
            await self._write(fetch, arrival, pieces)
            raise _CutError from None
        await self._write(fetch, arrival, pieces)
        if arrival.have < arrival.size:
            raise _CutError  # it ended too soon, and politely
        self._breaker.fine(Part.PHOTOS)

    async def _write(self, fetch: Fetch, arrival: Arrival, pieces: Sequence[bytes]) -> None:
        """As they came: nobody copies them together before the disk does."""
        if not pieces:
            return
        try:
            await self._in_thread(fetch, partial(arrival.write, *pieces))
        except Refused as error:
            if error.code == "place.changed":  # more than there should be
                await self._in_thread(fetch, arrival.drop)
                raise fault(MISMATCH) from None
            raise

    async def _in_thread(self, fetch: Fetch, work: Callable[[], T]) -> T:
        return await self._files.in_thread(fetch.target.site, work)

    def _failed(self, error: MediadError) -> MediadError:
        return self._breaker.failed(Part.PHOTOS, error) if isinstance(error, Retryable) else error

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # `at_once` is the bound
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=not self._settings().icloud.gateway,
                read_bufsize=READ_AHEAD,
            )
        return self._http
