"""The routes of a person's care: dates in bulk, undo, and the seals of the history."""

from collections.abc import Mapping
from typing import Any, Final

from mediad.control.table import Ask, BadRequest, Field, Reply, Route
from mediad.service import Service
from mediad.service.answers import AuditDoc, DatesDoc, HeadDoc, RedatingDoc, UndoDoc
from mediad.service.dates import Choice, choice_of, order_of

PAGE: Final = 100


async def dates(service: Service, ask: Ask) -> Reply:
    said = {k: [v] if k in {"source", "confidence"} else v for k, v in ask.query.items()}
    doc = await service.person.dates.shown(
        choice_of(said, None), ask.query.get("cursor", 0), ask.query.get("limit", PAGE)
    )
    return Reply(doc)


async def preview(service: Service, ask: Ask) -> Reply:
    order = order_of(dict(ask.body))
    limit = ask.body.get("limit", PAGE)
    return Reply(await service.person.dates.preview(await _choice(service, ask.body), order, limit))


async def apply(service: Service, ask: Ask) -> Reply:
    order = order_of(dict(ask.body))
    return Reply(await service.person.dates.apply(await _choice(service, ask.body), order))


async def _choice(service: Service, body: Mapping[str, Any]) -> Choice:
    """All are found before anything is changed."""
    named = body.get("assets")
    ids = None if named is None else [await service.person.find(str(what)) for what in named]
    return choice_of(dict(body), ids)


async def undo(service: Service, ask: Ask) -> Reply:
    body = ask.body
    if sum(k in body for k in ("what", "run", "row")) > 1:
        raise BadRequest("'what', 'run' and 'row' each name something else to take back: give one")
    doc = await service.person.undoing.undo(
        body.get("what", ""), run=body.get("run"), row=body.get("row"), is_dry=body.get("dry_run", False)
    )  # fmt: skip
    return Reply(doc)


async def head(service: Service, _: Ask) -> Reply:
    return Reply(await service.person.head())


async def audit(service: Service, ask: Ask) -> Reply:
    doc = await service.person.audit(
        ask.body.get("since", ""), ask.body.get("after", ""), ask.body.get("limit")
    )
    return Reply(doc)


_WHICH: Final = (
    Field("folder", "string", "below the library or the drop folder"),
    Field("since", "string", "taken at or after this local date: 2024-07-14"),
    Field("until", "string", "taken before this local date"),
)
_CHOICE: Final = (
    Field("source", "array", "where the date comes from: exif, filename, mtime, cloud, person …"),
    Field("confidence", "array", "sure, likely, guess"),
    *_WHICH,
    Field("assets", "array", "only these: ids, hashes or names", items=("integer", "string")),
)
_ORDER: Final = (
    Field("shift", "string", "+1h30m, -2d: by so much"),
    Field("zone", "string", "the clock is right, and this is its zone: +02:00, Europe/Rome"),
    Field("in_zone", "string", "the instant is right: tell it in this zone"),
    Field("from", "string", "take the date of: name, sidecar, mtime, cloud, file"),
    Field("to", "string", "this very date: 2024-07-14, 2024-07-14T18:03:22+02:00"),
)

PERSON_ROUTES: Final = (
    Route("GET", "/dates", dates, "Dates, where they come from, and how far to trust them", DatesDoc, query=(
        Field("source", "string", "where the date comes from"),
        Field("confidence", "string", "sure, likely, guess"),
        *_WHICH,
        Field("cursor", "integer", "where the last page ended", least=0),
        Field("limit", "integer", "at most so many", least=1),
    )),
    Route("POST", "/dates/preview", preview, "What an order would make of the dates, and change nothing", RedatingDoc,
          body=(*_CHOICE, *_ORDER, Field("limit", "integer", "show at most so many", least=1))),
    Route("POST", "/dates/apply", apply, "Give these dates; the library follows", RedatingDoc,
          body=(*_CHOICE, *_ORDER)),
    Route("POST", "/undo", undo, "Take back what was done here at home", UndoDoc, body=(
        Field("what", "string", "LAST, or an asset: an id, a path, a hash or a name; left out: LAST"),
        Field("run", "integer", "all that this run did", least=1),
        Field("row", "integer", "this row of the history; an undo is one too", least=1),
        Field("dry_run", "boolean", "say what would be taken back, and change nothing"),
    )),
    Route("GET", "/audit/head", head, "The last seal of the history, to be kept elsewhere", HeadDoc),
    Route("POST", "/audit/verify", audit, "Follow the seals of the history", AuditDoc, body=(
        Field("since", "string", "a seal that was kept: the history must still have it"),
        Field("after", "string", "go on where an earlier answer ended: its head"),
        Field("limit", "integer", "answer after about so many rows", least=1),
    )),
)  # fmt: skip
