"""Guards iCloud's part of the API: its documents have their keys, and no answer and no error holds a secret."""

import json
from pathlib import Path

from tests.control.api import an_api
from tests.service.cloud_lane import ARMED, ON, deleted, taken
from tests.service.scripted_door import NEED_CODE

SECRET = "correct horse battery staple"  # noqa: S105 - a test's


async def test_every_document_has_exactly_its_keys(tmp_path: Path) -> None:
    async with an_api(tmp_path, **ARMED) as api:
        await taken(api.world, "a.jpg", b"a")
        _, said, _ = await api.ask("GET", "/openapi.json")
        schemas = said["components"]["schemas"]
        for method, path, body, name in (
            ("GET", "/icloud", None, "CloudDoc"),
            ("POST", "/icloud/login", {"password": SECRET}, "SignInDoc"),
            ("POST", "/icloud/login", None, "SignInDoc"),
            ("POST", "/icloud/mfa", {"code": "123456"}, "SignInDoc"),
            ("POST", "/icloud/sms", None, "SignInDoc"),
            ("POST", "/icloud/key", None, "SignInDoc"),
            ("GET", "/icloud/completeness", None, "CompletenessDoc"),
            ("POST", "/icloud/undelete", {"assets": [1]}, "UndeletedDoc"),
            ("POST", "/selftest", None, "SelfTestedDoc"),
            ("POST", "/why-not/delete", {"what": "a.jpg"}, "WhyNotDoc"),
            ("POST", "/icloud/logout", None, "SignInDoc"),
        ):
            status, doc, _ = await api.ask(method, path, body)
            assert status == 200, (path, doc)
            assert set(doc) == set(schemas[name]["properties"]), path
            assert SECRET not in json.dumps(doc)
        _, asset, _ = await api.ask("GET", "/assets/1")
    assert set(asset["icloud"]) == set(schemas["CloudAssetDoc"]["properties"])


async def test_a_wrong_request_does_not_get_its_secret_back(tmp_path: Path) -> None:
    async with an_api(tmp_path, **ON) as api:
        assert api.world.door is not None
        for path, body, status, code in (
            ("/icloud/login", {"password": [SECRET]}, 422, "request.invalid"),
            ("/icloud/login", {"passwort": SECRET}, 422, "request.invalid"),
            ("/icloud/login", {"password": SECRET * 100}, 422, "icloud.password_form"),
            ("/icloud/mfa", {}, 422, "request.invalid"),
            ("/icloud/mfa", {"code": SECRET}, 422, "icloud.code_form"),
            ("/icloud/mfa", {"code": 123456}, 422, "request.invalid"),
            ("/icloud/undelete", {"assets": ["nobody"]}, 404, "asset.unknown"),
        ):  # fmt: skip
            answered, doc, _ = await api.ask("POST", path, body)
            assert (answered, doc["code"]) == (status, code), (path, body)
            assert SECRET not in json.dumps(doc)
        answered, doc, _ = await api.ask("GET", "/icloud/completeness?cursor=nonsense")
        assert (answered, doc["code"]) == (422, "request.cursor")
        assert api.world.door.given == []


async def test_while_icloud_is_off_questions_are_answered_and_orders_refused(
    tmp_path: Path,
) -> None:
    async with an_api(tmp_path) as api:
        assert (await api.ask("GET", "/icloud"))[1]["state"] == "off"
        assert not (await api.ask("GET", "/icloud/completeness"))[1]["complete"]
        for path, body in (
            ("/icloud/login", {}), ("/icloud/mfa", {"code": "123456"}), ("/icloud/sms", {}),
            ("/icloud/key", {}), ("/icloud/logout", {}),
        ):  # fmt: skip
            status, doc, _ = await api.ask("POST", path, body)
            assert (status, doc["code"]) == (409, "link.off")
            assert "icloud.enabled" in doc["remedy"]


async def test_a_code_that_is_wanted_is_an_answer_and_no_error(tmp_path: Path) -> None:
    async with an_api(tmp_path, **ON) as api:
        assert api.world.door is not None
        api.world.door.answers.append(NEED_CODE)
        status, doc, _ = await api.ask("POST", "/icloud/login", {"password": SECRET})
    assert (status, doc["sign_in"], doc["code_by"]) == (200, "need-code", "trusted-device")


async def test_an_undelete_is_told_as_an_event(tmp_path: Path) -> None:
    async with an_api(tmp_path, **ON) as api:
        asset = await taken(api.world, "a.jpg", b"a")
        await deleted(api.world, asset)
        after = await api.world.service.latest_event()
        await api.ask("POST", "/icloud/undelete", {"assets": ["a.jpg"]})
        [row] = await api.world.service.events(after)
    assert (row["stage"], row["evidence"]["kind"]) == ("witness", "undelete")
