"""Errors as application/problem+json (RFC 9457): what happened, the stable code, and what to do."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from mediad.control.table import BadRequest
from mediad.errors import Bug, MediadError, NeedsOperator, Retryable

MEDIA_TYPE: Final = "application/problem+json"

_STATUS: Final[Mapping[str, int]] = {
    "asset.not_yet": 404,
    "asset.unknown": 404,
    "audit.head": 422,
    "batch.unknown": 404,
    "stage.unknown": 404,
    "state.unknown": 422,
    "config.changed": 412,
    "config.invalid": 422,
    "dates.invalid": 422,
    "verify.site": 422,
    "export.form": 422,
    "google.list": 422,
    "google.nobody": 422,
    "icloud.code_form": 422,
    "icloud.password_form": 422,
    "request.cursor": 422,
    "events.crowded": 503,
}


def status_of(fault: MediadError) -> int:
    """Codes first; else by who can put it right: the asker, time, a person, a developer."""
    if fault.code in _STATUS:
        return _STATUS[fault.code]
    match fault:
        case BadRequest():
            return 422
        case Retryable():
            return 503
        case Bug():
            return 500
        case NeedsOperator():
            return 409
        case _:
            return 409


def problem(
    status: int, detail: str, *, code: str, remedy: str = "", more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "type": f"urn:mediad:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "remedy": remedy,
        **(more or {}),
    }


def of_fault(fault: MediadError) -> dict[str, Any]:
    faults = [{"where": f.where, "what": f.what} for f in getattr(fault, "faults", ())]
    return problem(
        status_of(fault),
        fault.what,
        code=fault.code,
        remedy=fault.remedy,
        more={"faults": faults} if faults else None,
    )


def dumps(document: object) -> bytes:
    """JSON in UTF-8; a foreign byte of a name shows as U+FFFD."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "replace")
    return raw.decode("utf-8", "replace").encode()
