"""Guards the second opinion on a 2.x host: it is given only where somebody really knows, and for that file."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mediad.adapters.syncthing import SyncthingPhone
from mediad.errors import MediadError
from mediad.model import SiteKey
from mediad.ports import Indexed, Opinion
from tests.adapters.syncthing_phone import Told, phone_of
from tests.adapters.syncthing_stand_in import KEY, PIXEL, StandIn, file_of, row, serving

MTIME = 1_714_979_289_123_456_789  # of every row
COMPLETION, WIRES = "/rest/db/completion", "/rest/system/connections"


class World:
    """A 2.x host that says of everything that the phone has it."""

    def __init__(self, stand_in: StandIn, told: Told, phone: SyncthingPhone) -> None:
        self.stand_in = stand_in
        self.told = told
        self.phone = phone

    def lay(self, name: str, size: int) -> SiteKey:
        path = Path(self.stand_in.path) / name
        with path.open("wb") as file:
            file.truncate(size)
        os.utime(path, ns=(MTIME, MTIME))
        whole = row(name, size=size)
        self.stand_in.files[name] = file_of(name, **{"global": whole, "local": whole})
        return SiteKey(name)

    def sent(self, size: int, **more: Any) -> None:
        """So many bytes in all went out on this connection."""
        self.stand_in.says[WIRES] = self.stand_in.connection(outBytesTotal=size, **more)

    def needs(self, *names: str) -> None:
        self.stand_in.says[COMPLETION] = {"needItems": len(names), "needBytes": 5 * len(names)}

    async def opinion(self, key: SiteKey) -> Opinion:
        [found] = await self.phone.indexed([key])
        assert isinstance(found, Indexed), found
        assert found.is_on_phone
        return found.opinion


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(StandIn(str(tmp_path), version="v2.1.3")) as stand_in:
        told = Told(tmp_path, tmp_path, url=stand_in.url, api_key=KEY)
        async with phone_of(told) as phone:
            yield World(stand_in, told, phone)


# The bytes that were sent


async def test_a_file_whose_bytes_went_out_is_there(world: World) -> None:
    key = world.lay("a.jpg", 5_000_000)
    world.sent(10_000)
    await world.phone.scan([key])
    assert await world.opinion(key) is Opinion.NONE
    world.sent(10_000 + 5_002_450)
    assert await world.opinion(key) is Opinion.SENT_BYTES


async def test_a_file_that_is_ignored_among_others_is_not_taken_for_sent(world: World) -> None:
    keys = [world.lay(f"{n}.jpg", 3_000_000) for n in range(5)]
    world.sent(0)
    await world.phone.scan(keys)
    world.sent(4 * 3_002_000)  # 80 % of all the bytes: one of the five never went
    assert {await world.opinion(key) for key in keys} == {Opinion.NONE}
    world.sent(5 * 3_002_000)
    assert {await world.opinion(key) for key in keys} == {Opinion.SENT_BYTES}


async def test_a_small_file_among_large_ones_cannot_be_told(world: World) -> None:
    large, small = world.lay("large.mov", 2_000_000_000), world.lay("small.jpg", 50_000)
    world.sent(0)
    await world.phone.scan([large, small])
    world.sent(2_001_000_000)
    assert await world.opinion(large) is Opinion.SENT_BYTES
    assert await world.opinion(small) is Opinion.NONE


async def test_what_was_on_its_way_before_does_not_count_for_it(world: World) -> None:
    old, new = world.lay("old.mov", 9_000_000), world.lay("new.jpg", 3_000_000)
    world.sent(0)
    await world.phone.scan([old])
    world.needs("old.mov")
    await world.phone.scan([new])
    world.sent(9_004_000)
    assert await world.opinion(new) is Opinion.NONE
    world.sent(12_006_000)
    assert await world.opinion(new) is Opinion.SENT_BYTES


async def test_with_strange_files_on_their_way_nothing_can_be_weighed(world: World) -> None:
    key = world.lay("a.jpg", 3_000_000)
    world.needs("of an earlier life.mov")
    await world.phone.scan([key])
    world.sent(900_000_000)
    assert await world.opinion(key) is Opinion.NONE


async def test_when_the_phone_needs_nothing_a_new_count_begins_and_the_old_one_stays(
    world: World,
) -> None:
    first, second = world.lay("first.jpg", 3_000_000), world.lay("second.jpg", 3_000_000)
    world.sent(0)
    await world.phone.scan([first])
    world.sent(3_001_500)
    world.needs()
    await world.phone.scan([second])
    assert await world.opinion(first) is Opinion.SENT_BYTES
    assert await world.opinion(second) is Opinion.NONE
    world.sent(6_003_000)
    assert await world.opinion(first) is Opinion.SENT_BYTES
    assert await world.opinion(second) is Opinion.SENT_BYTES


async def test_to_scan_a_name_again_does_not_make_it_unsent(world: World) -> None:
    key = world.lay("a.jpg", 3_000_000)
    world.sent(0)
    await world.phone.scan([key])
    world.sent(3_001_500)
    await world.phone.scan([key])
    assert await world.opinion(key) is Opinion.SENT_BYTES


async def test_a_new_connection_knows_nothing_of_the_old_one(world: World) -> None:
    key = world.lay("a.jpg", 3_000_000)
    world.sent(0)
    await world.phone.scan([key])
    world.sent(3_001_500, startedAt="2026-01-02T04:00:00Z")
    assert await world.opinion(key) is Opinion.NONE
    world.sent(3_001_500, connected=False)
    assert await world.opinion(key) is Opinion.NONE


async def test_other_bytes_under_the_name_are_another_file(world: World) -> None:
    key = world.lay("a.jpg", 3_000_000)
    world.sent(0)
    await world.phone.scan([key])
    world.sent(9_000_000)
    world.lay("a.jpg", 4_000_000)
    assert await world.opinion(key) is Opinion.NONE


async def test_what_was_never_scanned_here_is_not_known(world: World) -> None:
    key = world.lay("a.jpg", 3_000_000)
    world.sent(0)
    await world.phone.scan([SiteKey("missing.jpg")])
    world.sent(9_000_000)
    assert await world.opinion(key) is Opinion.NONE


# The phone's own word


@pytest.fixture
async def pixel(world: World) -> AsyncIterator[StandIn]:
    async with serving(StandIn("/storage", me=PIXEL, key="the phone's key")) as pixel:
        world.told.say(phone_url=pixel.url, phone_api_key=pixel.key)
        yield pixel


async def test_the_phone_says_that_it_has_this_very_version(world: World, pixel: StandIn) -> None:
    key = world.lay("a b+c.jpg", 5)
    pixel.files[key] = file_of(key)
    assert await world.opinion(key) is Opinion.PHONE_API


@pytest.mark.parametrize(
    "there",
    [
        {"version": ["MEMEMEM:1"]},
        {"deleted": True},
        {"invalid": True},
        {"ignored": True},
        {"localFlags": 2},
        {"version": None},
    ],
)
async def test_the_phone_says_no(world: World, pixel: StandIn, there: dict[str, Any]) -> None:
    key = world.lay("a.jpg", 5)
    pixel.files[key] = file_of(key, local=row(key, **there))
    assert await world.opinion(key) is Opinion.AGAINST


async def test_the_phone_does_not_know_the_name(world: World, pixel: StandIn) -> None:
    assert pixel.files == {}
    assert await world.opinion(world.lay("a.jpg", 5)) is Opinion.AGAINST


async def test_where_the_phone_ignores_anything_its_word_is_not_enough(
    world: World, pixel: StandIn
) -> None:
    key = world.lay("a.jpg", 5)
    pixel.files[key] = file_of(key)
    pixel.says["/rest/db/ignores"] = {"ignore": ["*.mov"]}
    assert await world.opinion(key) is Opinion.NONE


async def test_a_phone_that_sleeps_leaves_it_to_the_bytes(world: World, pixel: StandIn) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text="*** Database migration in progress ***")

    pixel.says["/rest/db/file"] = say
    keys = [world.lay(f"{n}.jpg", 3_000_000) for n in range(20)]
    world.sent(0)
    await world.phone.scan(keys)
    world.sent(20 * 3_002_000)
    found = await world.phone.indexed(keys)
    assert {one.opinion for one in found if isinstance(one, Indexed)} == {Opinion.SENT_BYTES}
    assert len(pixel.asked) <= 4  # once for each that looks at the time, not for each name


async def test_another_node_in_the_phones_place_is_a_fault_and_no_opinion(
    world: World, pixel: StandIn
) -> None:
    key = world.lay("a.jpg", 5)
    pixel.me = "SOMEBODY-ELSE"
    pixel.files[key] = file_of(key)
    [found] = await world.phone.indexed([key])
    assert isinstance(found, MediadError)
    assert found.code == "syncthing.not_syncthing"
    assert "syncthing.phone_url" in found.remedy


async def test_a_wrong_key_to_the_phone_is_told_with_the_setting_to_change(
    world: World, pixel: StandIn
) -> None:
    world.told.say(phone_api_key="wrong", phone_url=pixel.url)
    [found] = await world.phone.indexed([world.lay("a.jpg", 5)])
    assert isinstance(found, MediadError)
    assert found.code == "syncthing.bad_key"
    assert "syncthing.phone_api_key" in found.remedy


async def test_a_1_x_host_asks_nobody(world: World, pixel: StandIn) -> None:
    world.stand_in.version = "v1.30.0"
    key = world.lay("a.jpg", 3_000_000)
    await world.phone.scan([key])
    assert await world.opinion(key) is Opinion.NOT_NEEDED
    assert pixel.asked == []
