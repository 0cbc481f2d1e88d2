"""The routes of the copies' health: read them again now, and a manifest to check them without mediad."""

from typing import Final

from mediad.control.table import Ask, BadRequest, Field, Reply, Route
from mediad.service import Service
from mediad.service.care_answers import ExportDoc, VerifyDoc


async def verify(service: Service, ask: Ask) -> Reply:
    percent = ask.body.get("sample", 100)
    if percent > 100:  # noqa: PLR2004 - per cent
        raise BadRequest("'sample' is per cent: 0 to 100")
    doc = await service.care.verify(
        ask.body.get("site"), percent, ask.body.get("cursor"), ask.body.get("seconds")
    )
    return Reply(doc)


async def export(service: Service, ask: Ask) -> Reply:
    doc = await service.care.export(
        ask.body.get("site", "archive"), ask.body.get("format", "sha256"),
        ask.body.get("cursor"), ask.body.get("seconds"),
    )  # fmt: skip
    return Reply(doc)


_CURSOR: Final = Field("cursor", "string", "what the last answer gave, to go on from there")
_SECONDS: Final = Field(
    "seconds", "number", "answer after so long with a cursor; left out: with all of it", least=0
)

CARE_ROUTES: Final = (
    Route("POST", "/verify", verify, "Read copies again and compare", VerifyDoc, body=(
        Field("site", "string", "archive, library, spool, duplicates or quarantine; left out: all"),
        Field("sample", "number", "per cent of them", least=0), _CURSOR, _SECONDS,
    )),
    Route("POST", "/export", export, "A manifest for sha256sum -c or b3sum -c", ExportDoc, body=(
        Field("site", "string", "archive or library; left out: archive"),
        Field("format", "string", "sha256 (reads every file) or b3 (from the journal); left out: sha256"),
        _CURSOR, _SECONDS,
    )),
)  # fmt: skip
