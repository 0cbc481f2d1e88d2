"""Guards the phone lane's part of the API: its documents have the keys that they are said to have."""

from pathlib import Path

from mediad.model import BatchId
from mediad.state import State
from tests.control.api import an_api
from tests.service.phone_lane import URL, sent


async def test_every_document_has_exactly_its_keys(tmp_path: Path) -> None:
    async with an_api(tmp_path, **URL) as api:
        await sent(api.world, "a.jpg", b"one")
        _, said, _ = await api.ask("GET", "/openapi.json")
        schemas = said["components"]["schemas"]
        for method, path, body, name in (
            ("GET", "/batches", None, "BatchesDoc"),
            ("GET", "/batches/1", None, "BatchDoc"),
            ("POST", "/batches/1/check", None, "CheckedDoc"),
            ("POST", "/batches/1/refresh", None, "RefreshedDoc"),
            ("GET", "/syncthing/diagnostics", None, "DiagnosticsDoc"),
            ("POST", "/syncthing/setup", {"apply": False}, "SetUpDoc"),
            ("POST", "/google/confirm", {"assets": [1], "who": "Ada", "why": "seen"}, "ConfirmedDoc"),
            ("POST", "/google/evidence", {"how": "takeout", "source": "t", "entries": []}, "EvidenceDoc"),
        ):  # fmt: skip
            status, doc, _ = await api.ask(method, path, body)
            assert status == 200, (path, doc)
            assert set(doc) == set(schemas[name]["properties"]), path


async def test_what_is_not_there_or_does_not_fit_is_said(tmp_path: Path) -> None:
    async with an_api(tmp_path, **URL) as api:
        await sent(api.world, "a.jpg", b"one")
        for method, path, body, status, code in (
            ("GET", "/batches/7", None, 404, "batch.unknown"),
            ("POST", "/batches/7/refresh", None, 404, "batch.unknown"),
            ("GET", "/batches?limit=0", None, 422, "request.invalid"),
            ("GET", "/batches?before=x", None, 422, "request.invalid"),
            ("POST", "/syncthing/setup", {"apply": "yes"}, 422, "request.invalid"),
            ("POST", "/google/confirm", {"assets": [1]}, 422, "request.invalid"),
            ("POST", "/google/confirm", {"assets": [1], "who": "", "why": "x"}, 422, "google.nobody"),
        ):  # fmt: skip
            answered, doc, _ = await api.ask(method, path, body)
            assert (answered, doc["code"]) == (status, code), path
            assert doc["remedy"] or code == "request.invalid"


async def test_a_lane_that_is_off_refuses_orders_and_answers_questions(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        assert (await api.ask("GET", "/batches"))[1]["state"] == "off"
        assert (await api.ask("GET", "/syncthing/diagnostics"))[1]["state"] == "off"
        for path in ("/syncthing/setup", "/syncthing/rescan"):
            status, doc, _ = await api.ask("POST", path, {})
            assert (status, doc["code"]) == (409, "link.off")
            assert "syncthing.url" in doc["remedy"]


async def test_the_events_tell_of_a_witness_and_change_no_state(tmp_path: Path) -> None:
    async with an_api(tmp_path, **URL) as api:
        asset = await sent(api.world, "a.jpg", b"one", then=State.ON_PHONE)
        after = await api.world.service.latest_event()
        await api.ask("POST", "/google/confirm", {"assets": [asset], "who": "Ada", "why": "seen"})
        [row] = await api.world.service.events(after)
        batch = await api.world.service.phone.batches.one(BatchId(1))
    assert (row["stage"], row["from"], row["to"]) == ("witness", None, None)
    assert row["evidence"]["witnesses"][0]["rung"] == "google-has"
    assert batch["files"][0]["rung"] == "google-has"
