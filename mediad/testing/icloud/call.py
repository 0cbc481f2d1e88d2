"""A request as the handlers see it, and the answers they give."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

from mediad.testing.icloud.faults import Json

Answer: TypeAlias = web.Response


@dataclass
class Call:
    """`host`: the Apple host it was meant for. `body`: all of it."""

    request: web.Request
    host: str
    body: bytes

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def query(self) -> str:
        """As it was sent, letter by letter."""
        return urlsplit(self.request.raw_path).query

    @cached_property
    def json(self) -> Json:
        content: Any = json.loads(self.body or b"{}")
        return content if isinstance(content, dict) else {}

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "")

    def cookie(self, name: str) -> str:
        return self.request.cookies.get(name, "")


def answer(content: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response(content, status=status, headers=named)


def service_error(status: int, code: str, message: str) -> Answer:
    """As Apple's sign-in says no."""
    fault = {"code": code, "message": message, "suppressDismissal": False}
    return answer({"serviceErrors": [fault], "service_errors": [fault], "hasError": True}, status)


def refusal(status: int, code: str, reason: str, **more: object) -> Answer:
    """As CloudKit says no to a whole request."""
    return answer({"uuid": "0" * 8, "serverErrorCode": code, "reason": reason, **more}, status)
