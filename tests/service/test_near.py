"""Guards what is told of photos that look the same: to a person, to a program; and that nothing moves by it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mediad.model import AssetId, Captured, Evidence, Inspection, Media
from mediad.ports.looks import Impression
from tests.control.api import an_api
from tests.mediactl.typed import a_terminal
from tests.service.world import World, a_world

SEEN = Impression(77, 1 << 99, bytes(32), is_flat=False)


async def shown(
    world: World, name: str, *, wide: int = 4000, at: int | None = None, apart: int = 0
) -> AssetId:
    """A photo that went its whole way, and was looked at."""
    await world.bring(name)
    asset = await world.service.find(name)
    found = await world.journal.asset(asset)
    assert found is not None
    [original] = found.originals
    captured = None if at is None else Captured("2024-07-14T18:03:22", "", "exif", at)
    seen = Inspection(Media.JPEG, width=wide, height=3000, captured=captured)
    await world.journal.witness(
        [(asset, Evidence("x", 1, originals=(replace(original, inspection=seen),)))]
    )
    await world.journal.looked(original.id, replace(SEEN, bits=SEEN.bits ^ (1 << apart) - 1))
    return asset


async def test_a_story_tells_who_looks_the_same_and_which_copy_is_the_better_one(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as world:
        large = await shown(world, "large.jpg")
        position = (await world.service.asset(large))["position"]
        small = await shown(world, "small.jpg", wide=1000, apart=13)
        told = await world.service.explain("small.jpg")
        assert told["near"] == [
            {
                "asset": large, "name": "large.jpg", "alike": 95, "burst": False, "better": large,
                "reasons": [f"asset {large} has more pixels (4000 x 3000, not 1000 x 3000)"],
            }
        ]  # fmt: skip
        assert (
            f"it looks like asset {large} (large.jpg): 95 of 100 alike; the better copy is asset {large}"
            f" (asset {large} has more pixels (4000 x 3000, not 1000 x 3000)); nothing is done about it"
        ) in told["story"]
        other = await world.service.explain("large.jpg")
        assert [(n["asset"], n["better"]) for n in other["near"]] == [(small, large)]
        assert other["position"] == position


async def test_a_burst_is_called_one(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        one = await shown(world, "a.jpg", at=1000)
        await shown(world, "b.jpg", at=1300, apart=10)
        told = await world.service.explain("b.jpg")
        assert (told["near"][0]["burst"], told["near"][0]["better"]) == (True, None)
        assert f"it is of the same burst as asset {one} (a.jpg): 96 of 100 alike" in told["story"]


async def test_of_many_a_story_names_a_few(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        for n in range(8):
            await shown(world, f"{n}.jpg")
        told = await world.service.explain("7.jpg")
        assert len(told["near"]) == 7
        assert sum(line.startswith("it looks like") for line in told["story"]) == 5
        assert "and like 2 more: mediactl list --near" in told["story"]


async def test_switched_off_nothing_is_told(tmp_path: Path) -> None:
    async with a_world(tmp_path, {"MEDIAD_DEDUP__NEAR": "false"}) as world:
        await shown(world, "a.jpg")
        await shown(world, "b.jpg")
        assert (await world.service.explain("b.jpg"))["near"] == []
        assert await world.service.near.pairs(None, 10) == {"pairs": [], "cursor": None}


async def test_the_document_has_exactly_its_keys_and_comes_in_pages(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        for n in range(3):
            await shown(api.world, f"{n}.jpg")
        _, said, _ = await api.ask("GET", "/openapi.json")
        schemas = said["components"]["schemas"]
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            status, doc, _ = await api.ask("GET", f"/near?limit=2&cursor={cursor}")
            assert status == 200
            assert set(doc) == set(schemas["PairsDoc"]["properties"])
            seen += doc["pairs"]
            cursor = doc["cursor"]
        assert all(set(pair) == set(schemas["PairDoc"]["properties"]) for pair in seen)
        assert {frozenset((p["of"], p["asset"])) for p in seen} == {
            frozenset(pair) for pair in ((1, 2), (1, 3), (2, 3))
        }
        status, doc, _ = await api.ask("GET", "/near?limit=0")
        assert (status, doc["code"]) == (422, "request.invalid")


async def test_list_shows_the_pairs_a_line_each(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        for n in range(3):
            await shown(terminal.world, f"{n}.jpg", wide=1000 * (n + 1))
        lines = (await terminal.type("list", "--near")).out.splitlines()
        docs = (await terminal.type("--json", "list", "--near", "--limit", "1")).out.splitlines()
        wrong = await terminal.type("list", "--near", "--state", "held")
    assert len(lines) == 3
    assert "100 of 100  1.jpg  2.jpg  better: 3; asset 3 has more pixels" in lines[0]
    assert len(docs) == 1
    assert wrong.code == 2
