"""
Every request that pyicloud makes goes through here: bounded in time and size, to Apple only, its refusals typed.

What it raises is ours and none of the library's own errors, so it passes through the library untouched: an outage or
a throttled sign-in ends the call there and then, and is never taken for a wrong password or an ended session.
"""

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from mediad.adapters.icloud.breaker import Breaker, Part, asked_for
from mediad.adapters.icloud.faults import ANSWER, ENDED_CODES, THROTTLED, UNREACHABLE, fault, said
from mediad.adapters.icloud.hosts import FAKE_HOST, is_sign_in, route
from mediad.errors import MediadError, Retryable
from mediad.ports import Clock

CONNECT_S: Final = 10.0
READ_S: Final = 60.0
WHOLE_S: Final = 300.0  # for all of an answer, however slowly it drips
MOST_BYTES: Final = 64 << 20
_PIECE: Final = 1 << 16
_THROTTLED: Final = frozenset({429, 503})
_ENDED: Final = frozenset({401, 421, 450})
_SERVER: Final = 500
_CLIENT: Final = 400
_CODE: Final = 40  # of a word of theirs that is looked up


class EndedError(Exception):
    """Apple asks for a session in the place of an answer. Perhaps it has ended, perhaps another server has it."""


class RefusedByCloudKitError(Exception):
    """A status of refusal with CloudKit's own code; `fault` is what it means if nobody knows better."""

    def __init__(self, code: str, meaning: MediadError) -> None:
        super().__init__(code)
        self.code = code
        self.fault = meaning


@dataclass(frozen=True, slots=True)
class Exchange:
    """The last thing a sign-in server said, by the end of its path: "signin/complete", 401."""

    step: str
    status: int
    domain: str = ""  # where it says the account lives


class Wire(HTTPAdapter):
    """The one `requests` adapter of the session."""

    def __init__(self, gateway: str, breaker: Breaker, clock: Clock) -> None:
        super().__init__(pool_connections=8, pool_maxsize=2, max_retries=0)
        self._gateway = gateway
        self._breaker = breaker
        self._clock = clock
        self.last: Exchange | None = None
        self.ahead_ms: int | None = None  # our clock before theirs, at the last answer

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - read to its end in any case
        timeout: float | tuple[float | None, float | None] | None = None,  # noqa: ARG002 - ours are for all
        verify: bool | str = True,  # noqa: ARG002, FBT001, FBT002 - never off
        cert: str | tuple[str, str] | None = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        url = request.url or ""
        part = Part.SIGN_IN if is_sign_in(url) else Part.PHOTOS
        self._breaker.check(part)
        way = route(url, self._gateway)
        really = request
        if way.headers:
            really = request.copy()
            really.url = way.url
            really.headers.pop("Host", None)
            really.headers[FAKE_HOST] = way.headers[FAKE_HOST]
        try:
            response = super().send(
                really, stream=True, timeout=(CONNECT_S, READ_S), verify=True, cert=cert,
                proxies=None if way.headers else proxies,
            )  # fmt: skip
            self._read(response)
        except requests.exceptions.RequestException:
            # Without its cause: it holds the request, and that holds the cookies.
            raise self._failed(part, fault(UNREACHABLE)) from None
        # Cookies stick to the host that was meant.
        response.request, response.url = request, url
        self.ahead_ms = _ahead(response.headers.get("Date"), self._clock.now())
        self._judge(response, part, url)
        return response

    def forget_connections(self) -> None:
        self.poolmanager.clear()

    def _read(self, response: requests.Response) -> None:
        until = self._clock.monotonic() + WHOLE_S
        body = bytearray()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > MOST_BYTES or self._clock.monotonic() > until:
                response.close()
                raise fault(ANSWER, more="it does not end")
        response._content = bytes(body)  # noqa: SLF001 - where `requests` itself puts what it has read

    def _judge(self, response: requests.Response, part: Part, url: str) -> None:
        status = response.status_code
        if part is Part.SIGN_IN:
            self.last = Exchange(_step(url), status, _domain(response))
        if status in _THROTTLED:
            after_s = asked_for(response.headers.get("Retry-After"), self._clock.now())
            raise self._failed(part, fault(THROTTLED, after_s=after_s))
        if status >= _SERVER:
            raise self._failed(part, fault(UNREACHABLE, more=f"status {status}"))
        if part is Part.PHOTOS and status >= _CLIENT:
            self._judge_refusal(response, status)
        if (
            part is Part.PHOTOS
        ):  # of a sign-in one good answer says nothing: session.py says when it is through
            self._breaker.fine(part)

    def _judge_refusal(self, response: requests.Response, status: int) -> None:
        code, reason, after_s = refusal(_object(response))
        if status in _ENDED or code in ENDED_CODES:
            raise EndedError
        if code in {"THROTTLED", "TRY_AGAIN_LATER"}:
            raise self._failed(Part.PHOTOS, fault(THROTTLED, after_s=after_s))
        raise RefusedByCloudKitError(code or str(status), said(code, reason)) from None

    def _failed(self, part: Part, meaning: MediadError) -> MediadError:
        return self._breaker.failed(part, meaning) if isinstance(meaning, Retryable) else meaning


def refusal(answer: object) -> tuple[str, str, float | None]:
    """CloudKit's code, its reason (never shown) and when to come again; empty where it gives none."""
    if not isinstance(answer, dict):
        return "", "", None
    code, reason, after = (answer.get(k) for k in ("serverErrorCode", "reason", "retryAfter"))
    return (
        code if isinstance(code, str) and len(code) <= _CODE else "",
        reason if isinstance(reason, str) else "",
        asked_for(str(after), 0) if isinstance(after, int | float) else None,
    )


def _ahead(date: str | None, now: int) -> int | None:
    try:
        return now - round(parsedate_to_datetime(date or "").timestamp() * 1000)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _object(response: requests.Response) -> object:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _step(url: str) -> str:
    return "/".join(urlsplit(url).path.rstrip("/").split("/")[-2:])


def _domain(response: requests.Response) -> str:
    if b"domainToUse" not in response.content[:4096]:
        return ""
    answer = _object(response)
    found = answer.get("domainToUse") if isinstance(answer, dict) else None
    return found[:_CODE] if isinstance(found, str) else ""
