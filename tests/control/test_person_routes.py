"""Guards the faces of dates, undo, the past and the seals: their documents have their keys, and no is said in words."""

from pathlib import Path

from tests.control.api import an_api


async def test_every_document_has_exactly_its_keys(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg")
        _, said, _ = await api.ask("GET", "/openapi.json")
        schemas = said["components"]["schemas"]
        for method, path, body, name in (
            ("GET", "/dates", None, "DatesDoc"),
            ("GET", "/dates?confidence=guess&limit=1", None, "DatesDoc"),
            ("POST", "/dates/preview", {"to": "1994-12-24", "assets": [1]}, "RedatingDoc"),
            ("POST", "/dates/apply", {"to": "1994-12-24", "assets": ["a.jpg"]}, "RedatingDoc"),
            ("POST", "/undo", {"dry_run": True}, "UndoDoc"),
            ("POST", "/undo", {"what": "a.jpg"}, "UndoDoc"),
            ("GET", "/audit/head", None, "HeadDoc"),
            ("POST", "/audit/verify", None, "AuditDoc"),
            ("POST", "/audit/verify", {"limit": 2}, "AuditDoc"),
            ("GET", "/assets/1?as_of=2999-01-01", None, "AsOfDoc"),
            ("GET", "/explain?what=1&as_of=2999-01-01", None, "AsOfDoc"),
            ("POST", "/explain", {"what": "1", "as_of": "2999-01-01T00:00:00Z"}, "AsOfDoc"),
        ):
            status, doc, _ = await api.ask(method, path, body)
            assert status == 200, (path, doc)
            if name in schemas:
                assert set(doc) == set(schemas[name]["properties"]), path
            else:
                assert "as_of" in doc


async def test_what_cannot_be_done_is_said_in_words(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg")
        for method, path, body, status, code in (
            ("POST", "/dates/apply", {"to": "1994-12-24"}, 422, "dates.invalid"),
            ("POST", "/dates/preview", {"to": "x", "shift": "+1h"}, 422, "dates.invalid"),
            ("POST", "/dates/preview", {"to": "1994-12-24", "assets": ["nobody"]}, 404, "asset.unknown"),
            ("POST", "/undo", {"what": "LAST", "run": 1}, 422, "request.invalid"),
            ("POST", "/undo", {}, 409, "undo.nothing"),
            ("POST", "/audit/verify", {"since": "12"}, 422, "audit.head"),
            ("GET", "/assets/1?as_of=1990-01-01", None, 404, "asset.not_yet"),
            ("GET", "/assets/1?as_of=soon", None, 422, "request.invalid"),
        ):  # fmt: skip
            answered, doc, _ = await api.ask(method, path, body)
            assert (answered, doc["code"]) == (status, code), (path, body, doc)


async def test_the_seals_are_followed_a_part_at_a_time(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg", "b.jpg")
        _, head, _ = await api.ask("GET", "/audit/head")
        _, whole, _ = await api.ask("POST", "/audit/verify", {"since": head["head"]})
        assert (whole["ok"], whole["is_end"], whole["head"]) == (True, True, head["head"])
        row, seal = head["head"].split(":")
        _, other, _ = await api.ask("POST", "/audit/verify", {"since": f"{row}:{seal[::-1]}"})
        assert (other["ok"], other["broken_at"]) == (False, int(row))
        _, cut, _ = await api.ask("POST", "/audit/verify", {"since": f"{int(row) + 1}:{seal}"})
        assert (cut["ok"], cut["broken_at"]) == (False, int(row) + 1)
        assert "ends early" in cut["message"]


async def test_a_backup_keeps_a_seal_that_is_found_again(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg")
        _, made, _ = await api.ask("POST", "/backup", {})
        await api.world.bring("b.jpg")
        _, doc, _ = await api.ask("POST", "/audit/verify", {})
    assert doc["ok"]
    assert doc["backups"] == [Path(made["path"]).name]
