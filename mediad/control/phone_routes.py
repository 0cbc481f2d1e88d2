"""The routes of the phone lane: batches, Syncthing, and what Google Photos is known to have."""

from typing import Final

from mediad.control.table import Ask, Field, Reply, Route
from mediad.model import BatchId
from mediad.service import Service
from mediad.service.phone_answers import (
    BatchDoc,
    BatchesDoc,
    CheckedDoc,
    ConfirmedDoc,
    DiagnosticsDoc,
    EvidenceDoc,
    RefreshedDoc,
    SetUpDoc,
)

PAGE: Final = 20


def _batch(ask: Ask) -> BatchId:
    return BatchId(int(ask.params["id"]))


async def batches(service: Service, ask: Ask) -> Reply:
    before = ask.query.get("before")
    page = await service.phone.batches.page(
        None if before is None else BatchId(before), ask.query.get("limit", PAGE)
    )
    return Reply(page)


async def batch(service: Service, ask: Ask) -> Reply:
    return Reply(await service.phone.batches.one(_batch(ask)))


async def check_batch(service: Service, ask: Ask) -> Reply:
    return Reply(await service.phone.batches.check(_batch(ask)))


async def refresh_batch(service: Service, ask: Ask) -> Reply:
    return Reply(await service.phone.batches.refresh(_batch(ask)))


async def diagnostics(service: Service, _: Ask) -> Reply:
    return Reply(await service.phone.diagnostics())


async def rescan(service: Service, _: Ask) -> Reply:
    await service.phone.rescan()
    return Reply({"scanned": True})


async def set_up(service: Service, ask: Ask) -> Reply:
    doc = await service.phone.set_up(
        is_order=ask.body.get("apply", False),
        probe=ask.body.get("probe", False),
        shown=ask.body.get("shown", ""),
    )
    return Reply(doc)


async def confirm(service: Service, ask: Ask) -> Reply:
    """All are found before anything is recorded."""
    assets = [await service.find(str(what)) for what in ask.body["assets"]]
    return Reply(await service.phone.google.confirm(assets, ask.body["who"], ask.body["why"]))


async def evidence(service: Service, ask: Ask) -> Reply:
    body = ask.body
    return Reply(await service.phone.google.take(body["how"], body["source"], body["entries"]))


async def candidates(service: Service, ask: Ask) -> Reply:
    return Reply({"candidates": await service.phone.google.candidates(ask.body["names"])})


PHONE_ROUTES: Final = (
    Route("GET", "/batches", batches, "Batches on their way to the phone, the newest first", BatchesDoc, query=(
        Field("before", "integer", "only batches older than this one", least=1),
        Field("limit", "integer", "at most so many", least=1),
    )),
    Route("GET", r"/batches/{id:\d{1,18}}", batch, "One batch with its manifest", BatchDoc),
    Route("POST", r"/batches/{id:\d{1,18}}/check", check_batch, "Read its files again and compare", CheckedDoc),
    Route("POST", r"/batches/{id:\d{1,18}}/refresh", refresh_batch,
          "Look at it anew, and say what is missing and why", RefreshedDoc),
    Route("GET", "/syncthing/diagnostics", diagnostics, "How the way to the phone stands", DiagnosticsDoc),
    Route("POST", "/syncthing/rescan", rescan, "Have Syncthing look at the whole folder"),
    Route("POST", "/syncthing/setup", set_up, "What to change in Syncthing, and the change", SetUpDoc, body=(
        Field("apply", "boolean", "make the changes; left out: only show them"),
        Field("probe", "boolean", "ask the phone whether it keeps what is removed here"),
        Field("shown", "string", "the seal of the changes that were shown: no others are made"),
    )),
    Route("POST", "/google/confirm", confirm, "A person's word that Google Photos has these", ConfirmedDoc, body=(
        Field("assets", "array", "ids, hashes or names", is_required=True, items=("integer", "string")),
        Field("who", "string", "whose word it is", is_required=True),
        Field("why", "string", "how they know", is_required=True),
    )),
    Route("POST", "/google/evidence", evidence, "A page of a list of digests", EvidenceDoc, body=(
        Field("how", "string", "takeout, evidence-file or helper", is_required=True),
        Field("source", "string", "what was read", is_required=True),
        Field("entries", "array", "name, size, blake3, state (phone-hash, google-has), at",
              is_required=True, items=("object",)),
    )),
    Route("POST", "/google/candidates", candidates, "What was sent under these names, and where it can be read",
          body=(Field("names", "array", "names of files on the phone", is_required=True),)),
)  # fmt: skip
