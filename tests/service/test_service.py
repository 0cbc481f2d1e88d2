"""Guards what people and programs are told, and that an order is carried out once and no more."""

from pathlib import Path

import anyio
import pytest

from mediad.errors import Refused
from mediad.model import AssetId
from mediad.state import STAGE_ORDER
from tests.service.world import a_world

COUNTS = {"waiting", "ready", "running", "failed", "held", "done", "skipped"}


async def test_status_has_the_promised_shape(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("a.jpg", "held.jpg")
        status = await world.service.status()
    assert [s["name"] for s in status["workflow"]["stages"]] == list(STAGE_ORDER)
    for stage in status["workflow"]["stages"]:
        assert set(stage) >= COUNTS | {"name", "lane", "state", "files_per_minute", "eta_seconds"}
        assert all(isinstance(stage[c], int) for c in COUNTS)  # type: ignore[literal-required]
    assert status["version"] == "0.0.test"
    assert status["state"] == "running"
    assert status["since"].endswith("Z")
    assert status["dry_run"] is False
    assert set(status["links"]) == {"syncthing", "pixel", "icloud", "archive", "mirror"}
    assert status["links"]["syncthing"] == {"state": "off", "detail": "no [syncthing] url"}
    assert status["assets"] == {
        "total": 2, "active": 0, "completed": 1, "failed": 0, "held": 1, "duplicates": 0, "quarantined": 0,
    }  # fmt: skip


async def test_the_assets_of_a_status_add_up(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("a.jpg", "b.jpg", "held.jpg")
        world.dropped = ["slow.jpg"]
        await world.rescan()
        assets = (await world.service.status())["assets"]
    assert assets["total"] == sum(n for k, n in assets.items() if k != "total")  # type: ignore[misc]


async def test_an_asset_has_the_promised_shape(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("held.jpg")
        doc = await world.service.asset(AssetId(1))
    assert set(doc) >= {
        "id", "name", "kind", "source", "captured_at", "confidence", "state", "files", "copies", "position", "steps",
        "history",
    }  # fmt: skip
    assert (doc["state"], doc["confidence"]) == ("held", "guess")
    assert doc["position"]["archive"] == "due"
    [file] = doc["files"]
    assert set(file) == {"role", "name", "size", "blake3", "mtime_ns", "path"}
    [step] = doc["steps"]
    assert step == {
        "stage": "archive", "state": "held", "attempts": 0, "not_before": None, "reason": "is this meant?",
        "error": {"code": "archive.test", "message": "is this meant?", "remedy": "say so"},
    }  # fmt: skip
    assert [h["to"] for h in doc["history"]][:3] == [
        "intake.seen",
        "intake.settled",
        "intake.hashed",
    ]
    assert set(doc["history"][0]) >= {"seq", "at", "stage", "from", "to", "evidence"}


async def test_explain_says_what_it_waits_for_and_what_is_next(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("held.jpg")
        doc = await world.service.explain("held.jpg")
    assert doc["plan"][0]["stage"] == "archive"
    assert doc["plan"][0]["verdict"] == "ask"
    assert any("is this meant?" in line for line in doc["story"])


async def test_a_name_that_two_assets_have_is_asked_back(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("a.jpg")
        await world.bring("a.jpg")
        with pytest.raises(Refused, match="several assets") as asked:
            await world.service.explain("a.jpg")
        assert asked.value.code == "asset.ambiguous"
        assert (await world.service.explain("2"))["id"] == 2


async def test_what_nobody_knows_is_said_to_be_unknown(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        with pytest.raises(Refused, match="nothing is known"):
            await world.service.explain("nosuch.jpg")
        with pytest.raises(Refused, match="no asset 7"):
            await world.service.asset(AssetId(7))


async def test_of_ten_orders_at_once_one_runs_and_nine_learn_its_number(tmp_path: Path) -> None:
    numbers: list[int] = []
    refused: list[Refused] = []
    async with a_world(tmp_path) as world:
        world.dropped = ["a.jpg", "b.jpg"]
        world.may_scan = anyio.Event()

        async def order() -> None:
            try:
                numbers.append(await world.service.run(None))
            except Refused as fault:
                refused.append(fault)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(order)
        world.may_scan.set()
        await (
            world.until_run_is_over()
        )  # a wait would scan too, and might be the one that finds them
        runs = await world.service.runs()
    assert len(numbers) == 1
    assert {r.code for r in refused} == {"run.already_running"}
    assert len(refused) == 9
    assert all(f"run {numbers[0]} " in r.what for r in refused)
    assert [r["id"] for r in runs] == numbers
    assert runs[0]["state"] == "finished"
    assert runs[0]["counts"]["arrived"] == 2


async def test_a_run_of_some_stages_goes_exactly_that_far(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.service.pause(None)
        world.dropped = ["a.jpg", "b.jpg"]
        await world.service.run({"settle", "hash"})
        await world.until_run_is_over()
        docs = [await world.service.asset(AssetId(i)) for i in (1, 2)]
        status = await world.service.status()
    assert [d["position"]["intake"] for d in docs] == ["hashed", "hashed"]
    assert [d["position"]["archive"] for d in docs] == ["due", "due"]
    assert {s["state"] for s in docs[0]["steps"]} == {"paused"}
    assert status["state"] == "paused"


async def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, is_working=False) as world:
        world.dropped = ["a.jpg"]
        await world.rescan()
        before = await world.journal.latest_event()
        plan = await world.service.plan(None)
        assert await world.journal.latest_event() == before
    assert [(p["stage"], p["verdict"], p["name"]) for p in plan] == [("settle", "done", "a.jpg")]


async def test_an_unknown_stage_is_refused_everywhere(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        for order in (
            world.service.pause("nosuch"),
            world.service.resume("nosuch"),
            world.service.run({"nosuch"}),
            world.service.skip(AssetId(1), "nosuch", "why"),
        ):
            with pytest.raises(Refused) as refused:
                await order
            assert refused.value.code == "stage.unknown"


async def test_a_skipped_stage_says_why_in_the_history(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("held.jpg")
        doc = await world.service.skip(AssetId(1), "archive", "it is in the bank")
        await world.engine.until_idle()
    [row] = [h for h in doc["history"] if h["stage"] == "archive"]
    assert row["evidence"]["kind"] == "skipped by hand"
    assert row["evidence"]["note"] == "it is in the bank"


async def test_what_is_not_before_a_stage_cannot_skip_it(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("a.jpg")
        world.dropped = ["slow.jpg"]
        await world.rescan()
        for asset, stage in ((AssetId(1), "archive"), (AssetId(2), "settle")):
            with pytest.raises(Refused) as refused:
                await world.service.skip(asset, stage, "why")
            assert refused.value.code == "skip.impossible"


async def test_retry_makes_held_lanes_ready(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("held.jpg", "a.jpg")
        await world.service.pause(None)
        assert await world.service.retry(None, ["held"]) == 1
        assert await world.service.retry(None, ["failed"]) == 0
        [step] = (await world.service.asset(AssetId(1)))["steps"]
    assert step["state"] == "paused"
    assert step["error"] is None


async def test_waiting_ends_done_failed_or_in_time(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        world.dropped = ["a.jpg"]
        assert await world.service.wait(None, 5) == {"answer": "done"}
        assert await world.service.wait("a.jpg", 5) == {"answer": "done", "asset": 1}
        world.dropped = ["held.jpg"]
        assert (await world.service.wait("held.jpg", 5))["answer"] == "failed"
        assert await world.service.wait(None, 5) == {"answer": "failed"}
        world.dropped = ["slow.jpg"]
        assert await world.service.wait(None, 0.2) == {"answer": "time is up"}


async def test_what_is_paused_is_waited_for(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.service.pause("archive")
        world.dropped = ["a.jpg"]
        assert await world.service.wait(None, 0.3) == {"answer": "time is up"}
        await world.service.resume("archive")
        assert await world.service.wait(None, 5) == {"answer": "done"}


async def test_a_breaker_that_tripped_is_reset_by_resuming_its_stage_and_no_other(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as world:
        await world.bring(*[f"lost{n}.jpg" for n in range(10)])
        assert await world.service.resume("sort") == ["clean"]
        assert [p.code for p in world.problems.now()] == ["safety.breaker"]
        assert await world.service.resume("clean") == []
        assert world.problems.now() == ()
        assert world.engine.may_work("clean")


async def test_troubles_are_grouped_by_code(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring("held1.jpg", "held2.jpg", "a.jpg")
        [group] = await world.service.troubles()
    assert (group["code"], group["count"], group["held"], group["stages"]) == (
        "archive.test",
        2,
        2,
        ["archive"],
    )
    assert {a["name"] for a in group["assets"]} == {"held1.jpg", "held2.jpg"}


async def test_pages_of_assets_lead_to_the_end(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.bring(*(f"{n}.jpg" for n in range(7)))
        seen: list[int] = []
        cursor: int | None = None
        while True:
            page = await world.service.assets(
                stage="", state="", since=None, cursor=cursor, limit=3
            )
            seen += [line["id"] for line in page["assets"]]
            if page["cursor"] is None:
                break
            cursor = int(page["cursor"])
    assert sorted(seen) == list(range(1, 8))
    assert len(seen) == 7


async def test_a_name_of_foreign_bytes_is_found_by_its_bytes(tmp_path: Path) -> None:
    name = b"gar\xe7on.jpg".decode("utf-8", "surrogateescape")
    async with a_world(tmp_path) as world:
        await world.bring(name)
        assert (await world.service.explain(name))["id"] == 1
