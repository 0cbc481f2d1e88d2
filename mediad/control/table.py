"""What a route is: the table of them makes the application, its checks and its OpenAPI document alike."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mediad.errors import MediadError
from mediad.service import Service


class BadRequest(MediadError):
    default_code = "request.invalid"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, already checked against its route's fields."""

    params: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    doc: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Service, Ask], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a body or of a query. `kind` is what JSON calls it; in a query it is read from text."""

    name: str
    kind: str  # string, integer, number, boolean, array, object
    what: str
    is_required: bool = False
    least: float | None = None
    items: tuple[str, ...] = ("string",)  # of an array: what each may be


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str  # below /api/v1
    handler: Handler
    summary: str
    answer: object = None  # the type of the document, for OpenAPI
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    status: int = 200


_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def checked_body(said: object, fields: tuple[Field, ...]) -> Mapping[str, Any]:
    """The body as its route wants it; BadRequest names every fault at once."""
    if said is None:
        said = {}
    if not isinstance(said, dict):
        raise BadRequest("the body must be a JSON object")
    known = {f.name: f for f in fields}
    faults = [f"{name!r}: there is no such key here" for name in said if name not in known]
    faults += [
        f"{f.name!r} is missing" for f in fields if f.is_required and said.get(f.name) is None
    ]
    faults += [
        fault
        for name, value in said.items()
        if name in known and value is not None and (fault := _fault(value, known[name]))
    ]
    if faults:
        raise BadRequest("; ".join(faults), remedy=f"keys: {', '.join(known) or 'none'}")
    return {name: value for name, value in said.items() if value is not None}


def checked_query(said: Mapping[str, str], fields: tuple[Field, ...]) -> Mapping[str, Any]:
    """Empty values count as not given: `?stage=&state=` asks for everything."""
    given: dict[str, Any] = {}
    faults = []
    for f in fields:
        text = said.get(f.name, "")
        if not text:
            continue
        try:
            given[f.name] = _READ.get(f.kind, str)(text)
        except ValueError:
            faults.append(f"{f.name!r} must be a {f.kind}")
            continue
        if fault := _fault(given[f.name], f):
            faults.append(fault)
    if faults:
        raise BadRequest("; ".join(faults))
    return given


def _read_flag(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false"}:
        raise ValueError(text)
    return text.lower() in {"1", "true"}


_READ: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": _read_flag,
}


def _fault(value: object, f: Field) -> str:
    if not _is(value, f.kind):
        return f"{f.name!r} must be a {f.kind}"
    if isinstance(value, list) and not all(any(_is(v, kind) for kind in f.items) for v in value):
        return f"{f.name!r} must hold {' or '.join(f'{kind}s' for kind in f.items)}"
    if isinstance(value, int | float):
        if value != value or abs(value) > 1 << 62:  # noqa: PLR0124 - only NaN is not itself
            return f"{f.name!r} is out of range"
        if f.least is not None and value < f.least:
            return f"{f.name!r} must be {f.least:g} or more"
    return ""


def _is(value: object, kind: str) -> bool:
    return isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))
