"""Guards the HTTP API: its routes, its errors, and that nothing foreign gets past it."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from mediad.policy.problems import STALLED, Problem
from mediad.ports import SignIn, SignInState
from tests.control.api import an_api
from tests.service.cloud_lane import ON

PROBLEM = {"type", "title", "status", "detail", "code", "remedy"}


async def test_every_promised_route_answers(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg")
        for path in (
            "/status", "/assets", "/assets/1", "/assets/1/history", "/batches", "/stages", "/workflow/status",
            "/config", "/syncthing/diagnostics", "/icloud", "/doctor", "/healthz", "/readyz", "/errors",
            "/explain?what=a.jpg", "/workflow/runs", "/add", "/openapi.json",
            "/assets?stage=&state=&cursor=&limit=", "/assets?stage=clean&state=completed&limit=1",
        ):  # fmt: skip
            status, _, headers = await api.ask("GET", path)
            assert status == 200, path
            assert headers["Content-Type"] == "application/json", path
        for path in (
            "/assets/1/retry", "/stages/archive/pause", "/stages/archive/resume", "/workflow/pause",
            "/workflow/resume", "/config/check", "/verify", "/backup", "/audit/verify", "/reload", "/rescan",
        ):  # fmt: skip
            status, doc, _ = await api.ask("POST", path)
            assert status == 200, (path, doc)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nosuch", None, 404, "http.not_found"),
        ("GET", "/assets/99", None, 404, "asset.unknown"),
        ("GET", "/assets/abc", None, 404, "http.not_found"),
        ("GET", "/assets?limit=many", None, 422, "request.invalid"),
        ("GET", "/assets?limit=0", None, 422, "request.invalid"),
        ("GET", "/assets?stage=nosuch", None, 404, "stage.unknown"),
        ("GET", "/assets?since=yesterday", None, 422, "request.invalid"),
        ("GET", "/assets?state=nosuch", None, 422, "state.unknown"),
        ("DELETE", "/status", None, 405, "http.method_not_allowed"),
        ("POST", "/stages/nosuch/pause", None, 404, "stage.unknown"),
        ("POST", "/assets/1/skip", {"stage": "archive"}, 422, "request.invalid"),
        ("POST", "/assets/1/skip", {"stage": "archive", "why": " "}, 422, "request.invalid"),
        ("POST", "/workflow/run", {"stages": "archive"}, 422, "request.invalid"),
        ("POST", "/workflow/run", {"stages": ["nosuch"]}, 404, "stage.unknown"),
        ("POST", "/workflow/run", {"nosuch": 1}, 422, "request.invalid"),
        ("POST", "/workflow/run", {"dry_run": 1}, 422, "request.invalid"),
        ("POST", "/workflow/run", ["stages"], 422, "request.invalid"),
        ("POST", "/retry", {"marks": ["ready"]}, 422, "request.invalid"),
        ("POST", "/verify", {"sample": 101}, 422, "request.invalid"),
        ("POST", "/verify", {"site": "moon"}, 422, "verify.site"),
        ("POST", "/backup", {"path": "relative.db"}, 422, "request.invalid"),
        ("POST", "/wait", {"timeout": -1}, 422, "request.invalid"),
        ("POST", "/nas/init", {"path": "/x"}, 409, "archive.root_disk"),
        ("POST", "/icloud/login", None, 409, "link.off"),
        ("PUT", "/config", {"values": {"nosuch.key": 1}}, 422, "config.invalid"),
        ("PUT", "/config", {"values": {"archive.enabled": 7}}, 422, "config.invalid"),
    ],
)
async def test_every_error_is_a_problem_document(
    tmp_path: Path, method: str, path: str, body: Any, status: int, code: str
) -> None:
    async with an_api(tmp_path) as api:
        answered, doc, headers = await api.ask(method, path, body)
    assert (answered, doc["code"], doc["status"]) == (status, code, status)
    assert headers["Content-Type"] == "application/problem+json"
    assert set(doc) >= PROBLEM


@pytest.mark.parametrize(
    ("raw", "status"), [(b"{", 422), (b"[" * 200_000, 422), (b" " * ((1 << 20) + 1), 413)]
)
async def test_a_body_that_is_no_json_or_too_large_is_refused(
    tmp_path: Path, raw: bytes, status: int
) -> None:
    async with (
        an_api(tmp_path) as api,
        api.http.post("http://mediad/api/v1/wait", data=BytesIO(raw)) as answer,
    ):
        assert answer.status == status
        assert (await answer.json(content_type=None))["status"] == status


async def test_of_ten_run_orders_one_is_accepted_and_nine_are_told_its_id(tmp_path: Path) -> None:
    answers: list[tuple[int, Any, Any]] = []
    async with an_api(tmp_path) as api:
        api.world.may_scan = anyio.Event()

        async def order() -> None:
            answers.append(await api.ask("POST", "/workflow/run", {}))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(order)
    accepted = [doc for status, doc, _ in answers if status == 202]
    refused = [doc for status, doc, _ in answers if status == 409]
    assert len(accepted) == 1
    assert len(refused) == 9
    assert {d["id"] for d in refused} == {accepted[0]["id"]}


async def test_a_dry_run_answers_with_its_plan(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.service.pause("archive")
        api.world.dropped = ["a.jpg", "slow.jpg"]
        await api.ask("POST", "/wait", {"timeout": 0.3})
        order = {"dry_run": True, "stages": ["settle", "archive"]}
        status, doc, _ = await api.ask("POST", "/workflow/run", order)
    assert status == 200
    found = [(p["asset"], p["stage"], p["verdict"]) for p in doc["plan"]]
    assert found == [(1, "archive", "done"), (2, "settle", "wait")]


async def test_settings_change_only_for_who_has_seen_the_last_change(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        _, before, headers = await api.ask("GET", "/config")
        change = {"values": {"archive.enabled": False, "ingest.settle_seconds": 7}}
        match = {"If-Match": headers["ETag"]}
        status, after, _ = await api.ask("PUT", "/config", change, **match)
        assert status == 200
        assert (after["values"]["archive.enabled"], after["values"]["ingest.settle_seconds"]) == (
            False,
            7,
        )
        assert after["origins"]["archive.enabled"] == "file"
        assert after["etag"] != before["etag"]
        again, doc, _ = await api.ask(
            "PUT", "/config", {"values": {"archive.enabled": True}}, **match
        )
        assert (again, doc["code"]) == (412, "config.changed")
        assert not api.world.settings.archive.enabled


async def test_of_a_change_with_one_wrong_key_nothing_is_written(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        change = {"values": {"ingest.settle_seconds": 7, "phone.batch_files": "many"}}
        status, doc, _ = await api.ask("PUT", "/config", change)
        assert status == 422
        assert "phone.batch_files" in doc["faults"][0]["where"]
        assert not (tmp_path / "mediad.toml").exists()


async def test_a_whole_configuration_can_be_given_back_as_it_came(tmp_path: Path) -> None:
    async with an_api(tmp_path, MEDIAD_WEB__TOKEN="canary-7391") as api:  # noqa: S106 - a canary
        _, doc, _ = await api.ask("GET", "/config")
        assert doc["values"]["web.token"] == "***"
        assert "canary" not in json.dumps(doc)
        status, after, _ = await api.ask("PUT", "/config", doc)
        assert status == 200
        assert after["values"] == doc["values"]


async def test_the_check_of_a_text_names_its_faults(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        _, doc, _ = await api.ask("POST", "/config/check", {"toml": "[archive]\nenablee = true\n"})
    assert not doc["ok"]
    assert "archive.enabled" in doc["faults"][0]["what"]


async def test_a_name_of_foreign_bytes_is_shown_and_never_breaks_the_document(
    tmp_path: Path,
) -> None:
    name = b"gar\xe7on\x1b[31m.jpg".decode("utf-8", "surrogateescape")
    async with an_api(tmp_path) as api:
        await api.world.bring(name)
        _, doc, _ = await api.ask("GET", "/assets")
    assert doc["assets"][0]["name"] == "gar\ufffdon\x1b[31m.jpg"


async def test_metrics_agree_with_the_status(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg", "held.jpg")
        async with api.http.get("http://mediad/metrics") as answer:
            text = await answer.text()
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'mediad_assets{state="completed"} 1' in text
    assert 'mediad_assets{state="held"} 1' in text
    assert 'mediad_stage_done_total{stage="hash"} 2' in text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    for line in text.splitlines():
        assert line.startswith("#") or line.partition("{")[0] in names
    assert "icloud_trust" not in text, "iCloud is off"


async def test_the_time_until_apple_wants_a_code_again_is_a_figure(tmp_path: Path) -> None:
    async with an_api(tmp_path, **ON) as api:
        clock, cloud = api.world.clock, api.world.cloud

        async def figures() -> list[str]:
            async with api.http.get("http://mediad/metrics") as answer:
                return (await answer.text()).splitlines()

        name = "mediad_icloud_trust_expires_seconds"
        until = clock.now() + 20 * 86_400_000
        cloud.signed = SignIn(SignInState.READY, trust_expires_at=until)
        assert f"{name} 1728000" in await figures()
        clock.advance(21 * 86_400)
        assert f"{name} -86400" in await figures()
        cloud.signed = SignIn(SignInState.SIGNED_OUT)
        assert not [line for line in await figures() if name in line]


async def test_health_is_told_at_the_root_as_well(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        for path in ("healthz", "readyz"):
            async with api.http.get(f"http://mediad/{path}") as answer:
                assert answer.status == 200


async def test_readyz_says_which_loop_does_not_get_on(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        problems = api.world.problems
        problems.report(Problem(STALLED, "watch of the phone: has not got on", 1, "wait", STALLED))
        status, doc, _ = await api.ask("GET", "/readyz")
        assert (status, doc["ready"]) == (503, False)
        assert doc["why"] == ["watch of the phone: has not got on"]
        assert (await api.ask("GET", "/healthz"))[
            0
        ] == 200  # it answers: killing it is systemd's part
        problems.clear(STALLED)
        status, doc, _ = await api.ask("GET", "/readyz")
        assert (status, doc["ready"], doc["why"]) == (200, True, [])


async def test_nobody_is_sent_to_one_who_is_stopping(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        api.world.engine.stop()
        status, doc, _ = await api.ask("GET", "/readyz")
        assert (status, doc["state"], doc["why"]) == (503, "stopping", ["it is stopping"])
        _, doc, _ = await api.ask("GET", "/status")
        assert doc["state"] == "stopping"


async def test_a_wait_that_nobody_listens_to_ends(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.service.pause(None)
        api.world.dropped = ["a.jpg"]
        with anyio.move_on_after(0.2):
            await api.ask("POST", "/wait", {})
        status, doc, _ = await api.ask("POST", "/wait", {"timeout": 0.2})
    assert (status, doc["answer"]) == (200, "time is up")


async def test_a_body_of_another_kind_is_refused_and_that_of_curl_is_taken(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        for kind, status in (
            ("text/plain", 415),
            ("application/xml", 415),
            ("application/x-www-form-urlencoded", 200),
            ("application/json; charset=utf-8", 200),
        ):
            async with api.http.post(
                "http://mediad/api/v1/workflow/run",
                data=b'{"dry_run": true}',
                headers={"Content-Type": kind},
            ) as answer:
                assert answer.status == status, kind
                if status == 415:
                    assert (await answer.json(content_type=None))[
                        "code"
                    ] == "http.unsupported_media_type"


async def test_the_head_of_what_can_be_got_is_told(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        for path in ("/healthz", "/api/v1/status"):
            async with api.http.head(f"http://mediad{path}") as answer:
                assert answer.status == 200
