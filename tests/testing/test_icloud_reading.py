"""Guards what the iCloud of the tests answers to reading: zones, listings, changes, lookups, bytes."""

import base64
from asyncio import to_thread, wait_for
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from pyicloud.common.cloudkit.client import CloudKitContainerClient
from pyicloud.exceptions import PyiCloudAPIResponseException
from yarl import URL

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Body, FakeICloud, Fault, File, Person, fingerprint
from mediad.testing.icloud.account import Obstacle
from mediad.testing.icloud.person import MOVIE
from tests.testing.pyicloud_here import ZONE, by_rank

Json = dict[str, Any]


async def changes(client: CloudKitContainerClient, token: str | None = None, **more: Any) -> Json:
    asked = {"zoneID": ZONE, "resultsLimit": 200, **more}
    if token is not None:
        asked["syncToken"] = token
    said = await to_thread(client.raw_post, "/changes/zone", {"zones": [asked]})
    [zone] = said["zones"]
    return dict(zone)


async def pages(
    client: CloudKitContainerClient, token: str | None = None
) -> tuple[list[Json], str]:
    records = []
    while True:
        page = await changes(client, token)
        records += page["records"]
        token = str(page["syncToken"])
        if not page["moreComing"]:
            return records, token


async def lookup(client: CloudKitContainerClient, *names: str) -> list[Json]:
    asked = {"records": [{"recordName": name} for name in names], "zoneID": ZONE}
    return list((await to_thread(client.raw_post, "/records/lookup", asked))["records"])


async def get(icloud: FakeICloud, url: str, **headers: str) -> tuple[int, bytes]:
    host, _, path = url.removeprefix("https://").partition("/")
    address = URL(f"{icloud.address}/{path.replace('${f}', 'x')}", encoded=True)
    async with (
        aiohttp.ClientSession() as session,
        session.get(address, headers={"X-Fake-Host": host, **headers}) as answer,
    ):
        return answer.status, await answer.read()


def url_of(record: Json, part: str = "resOriginal") -> str:
    return str(record["fields"][f"{part}Res"]["value"]["downloadURL"])


def names(records: list[Json], kind: str) -> list[str]:
    return [r["recordName"] for r in records if r["recordType"] == kind]


async def test_the_zones_are_the_own_library_and_the_shared_ones(
    client: CloudKitContainerClient, icloud: FakeICloud
) -> None:
    icloud.library.zone("SharedSync-1")
    said = await to_thread(client.raw_post, "/zones/list", {})
    assert [z["zoneID"]["zoneName"] for z in said["zones"]] == ["PrimarySync", "SharedSync-1"]


async def test_a_listing_by_rank_has_each_asset_once_with_its_master_newest_first(
    client: CloudKitContainerClient, person: Person
) -> None:
    shot = [person.shoot(f"IMG_{n:04}.JPG", taken_at=n * 1_000).record for n in range(250)]
    person.hide(shot[7])
    person.delete(shot[8])
    listed: list[str] = []
    start = 0
    while records := (await to_thread(by_rank, client, start))["records"]:
        assets, masters = names(records, "CPLAsset"), names(records, "CPLMaster")
        assert len(assets) == len(masters) <= 100
        listed += assets
        start += len(assets)
    assert listed == [r for r in reversed(shot) if r not in {shot[7], shot[8]}]


async def test_a_master_is_named_by_the_fingerprint_of_its_original(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    asset = person.shoot("IMG_0001.JPG", size=5_000)
    [master] = await lookup(client, asset.master)
    status, content = await get(icloud, url_of(master))
    file = master["fields"]["resOriginalRes"]["value"]
    assert status == 200
    assert fingerprint(content) == file["fileChecksum"] == master["recordName"]
    assert len(content) == file["size"] >= 5_000
    assert base64.b64decode(master["fields"]["filenameEnc"]["value"]) == b"IMG_0001.JPG"


async def test_live_raw_and_edited_have_all_their_files(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    live, raw, shot = person.shoot_live("A.JPG"), person.shoot_raw("B.JPG"), person.shoot("C.JPG")
    person.edit(shot.record)
    records = await lookup(client, live.master, raw.master, shot.record)
    parts = ["resOriginalVidCompl", "resOriginalAlt", "resJPEGFull"]
    for record, part in zip(records, parts, strict=True):
        _, content = await get(icloud, url_of(record, part))
        assert fingerprint(content) == record["fields"][f"{part}Fingerprint"]["value"]
    assert records[2]["fields"]["adjustmentType"]["value"] == "com.apple.photo"


async def test_changes_come_in_pages_and_then_only_the_news(
    client: CloudKitContainerClient, person: Person
) -> None:
    shot = [person.shoot(f"IMG_{n:04}.JPG").record for n in range(150)]
    records, token = await pages(client)
    assert names(records, "CPLAsset") == shot
    assert len(records) == 300
    assert await pages(client, token) == ([], token)
    person.favour(shot[3])
    person.expunge(shot[4])
    news, later = await pages(client, token)
    assert [r["recordName"] for r in news][:2] == [shot[3], shot[4]]
    assert [r.get("deleted") for r in news] == [False, True, True], "the asset, and its master"
    again, _ = await pages(client, token)
    assert again == news, "a token may be asked again"
    assert later != token


async def test_an_empty_token_has_seen_everything_as_with_apple(
    client: CloudKitContainerClient, person: Person
) -> None:
    person.shoot("A.JPG")
    page = await changes(client, "")
    assert page["records"] == []
    assert not page["moreComing"]


async def test_empty_pages_do_not_end_the_changes(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    asset = person.shoot("A.JPG")
    icloud.cloudkit.empty_pages = 5
    before = icloud.remembered.requests["/changes/zone"]
    records, _ = await pages(client)
    assert names(records, "CPLAsset") == [asset.record]
    assert icloud.remembered.requests["/changes/zone"] == before + 6


@pytest.mark.parametrize("break_it", [lambda _, z: z.forget_tokens(), None])
async def test_a_token_that_is_not_understood_is_an_error_within_a_good_answer(
    client: CloudKitContainerClient,
    icloud: FakeICloud,
    break_it: Callable[[FakeICloud, Any], None] | None,
) -> None:
    token = (await changes(client))["syncToken"] if break_it else "nonsense"
    if break_it:
        break_it(icloud, icloud.library.primary)
    page = await changes(client, str(token))
    assert page["serverErrorCode"] == "BAD_REQUEST"
    assert "records" not in page


async def test_the_database_names_only_zones_with_news(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    icloud.library.zone("SharedSync-1")
    first = await to_thread(client.raw_post, "/changes/database", {})
    assert len(first["zones"]) == 2
    token = {"syncToken": first["syncToken"]}
    assert (await to_thread(client.raw_post, "/changes/database", token))["zones"] == []
    person.shoot("A.JPG")
    news = await to_thread(client.raw_post, "/changes/database", token)
    assert [z["zoneID"]["zoneName"] for z in news["zones"]] == ["PrimarySync"]


async def test_an_album_lists_its_members_without_what_was_deleted(
    client: CloudKitContainerClient, person: Person
) -> None:
    album = person.make_album("Holiday").record
    a, b = person.shoot("A.JPG").record, person.shoot("B.JPG").record
    person.add_to(album, a)
    person.add_to(album, b)
    person.delete(b)
    query = {
        "recordType": "CPLContainerRelationLiveByAssetDate",
        "filterBy": [
            {"fieldName": "parentId", "comparator": "EQUALS", "fieldValue": {"type": "STRING", "value": album}},
            {"fieldName": "startRank", "comparator": "EQUALS", "fieldValue": {"type": "INT64", "value": 0}},
        ],
    }  # fmt: skip
    asked = {"query": query, "zoneID": ZONE, "resultsLimit": 200}
    records = (await to_thread(client.raw_post, "/records/query", asked))["records"]
    assert names(records, "CPLContainerRelation") == [f"{a}-IN-{album}"]
    assert names(records, "CPLAsset") == [a]


async def test_an_unknown_record_is_told_among_the_good_ones(
    client: CloudKitContainerClient, person: Person
) -> None:
    asset = person.shoot("A.JPG")
    missing, found = await lookup(client, "nobody", asset.record)
    assert missing["serverErrorCode"] == "NOT_FOUND"
    assert found["recordChangeTag"] == asset.tag


async def test_a_part_of_a_file_can_be_had(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    [master] = await lookup(client, person.shoot("A.JPG").master)
    _, whole = await get(icloud, url_of(master))
    assert await get(icloud, url_of(master), Range="bytes=700-") == (206, whole[700:])
    assert (await get(icloud, url_of(master), Range="bytes=999999-"))[0] == 416


async def test_an_address_runs_out_and_is_taken_to_the_letter(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud, clock: StoppedClock
) -> None:
    [master] = await lookup(client, person.shoot("A.JPG").master)
    assert (await get(icloud, url_of(master).replace("&s=", "&s=0")))[0] == 403
    clock.advance(6 * 3600 + 1)
    assert (await get(icloud, url_of(master)))[0] == 410
    [again] = await lookup(client, master["recordName"])
    assert (await get(icloud, url_of(again)))[0] == 200


@pytest.mark.parametrize("obstacle", [Obstacle.PROTECTED, Obstacle.INACTIVE])
async def test_a_library_that_may_not_be_seen_is_refused_by_code(
    client: CloudKitContainerClient, icloud: FakeICloud, obstacle: Obstacle
) -> None:
    icloud.account.obstacle = obstacle
    with pytest.raises(PyiCloudAPIResponseException):
        await to_thread(client.raw_post, "/zones/list", {})
    assert icloud.remembered.seen[-1].status == {"protected": 403, "inactive": 404}[obstacle]


async def test_without_a_session_nothing_is_told(
    client: CloudKitContainerClient, icloud: FakeICloud
) -> None:
    icloud.account.end_sessions()
    with pytest.raises(PyiCloudAPIResponseException):
        await to_thread(client.raw_post, "/zones/list", {})
    assert icloud.remembered.seen[-1].status == 421


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/B/", cut_at=1_000),
        Fault("/B/", lost=True, times=2),  # aiohttp asks once more by itself
        Fault("/B/", truncate_at=1_000),
        Fault("/B/", flip_at=1_500),
        Fault("/B/", html=True),
        Fault("/B/", status=503, retry_after=90),
    ],
    ids=["cut", "lost", "truncated", "flipped", "html", "status"],
)
async def test_a_fault_spoils_one_download_and_not_the_next(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud, fault: Fault
) -> None:
    asset = person.shoot("A.JPG")
    [master] = await lookup(client, asset.master)
    icloud.faults.append(fault)
    try:
        _, content = await get(icloud, url_of(master))
    except aiohttp.ClientError:
        content = b""
    assert fingerprint(content) != asset.master
    _, content = await get(icloud, url_of(master))
    assert fingerprint(content) == asset.master


async def test_a_server_that_hangs_lets_go_when_it_is_closed(clock: StoppedClock) -> None:
    icloud = FakeICloud(clock)
    icloud.faults.append(Fault("/setup", hang=True))
    async with icloud.serving(), aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            await session.post(
                f"{icloud.address}/setup/ws/1/validate",
                headers={"X-Fake-Host": "setup.icloud.com"},
                timeout=aiohttp.ClientTimeout(total=0.1),
            )


async def test_a_body_of_which_only_a_piece_is_held_comes_whole_from_any_byte_on(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    piece = bytes(range(256)) * 1_000
    body = Body.repeated(piece, 5)
    whole = piece * 5
    asset = person.add("A.MOV", [File("resOriginal", MOVIE, body)], taken_at=0)
    assert (asset.master, body.size) == (fingerprint(whole), len(whole))
    [master] = await lookup(client, asset.master)
    assert await get(icloud, url_of(master)) == (200, whole)
    assert icloud.remembered.bytes_sent["content"] == len(whole)
    for start in (0, 700, 256_000, 511_999, len(whole) - 1):
        assert await get(icloud, url_of(master), Range=f"bytes={start}-") == (206, whole[start:])
    assert await get(icloud, url_of(master), Range="bytes=300000-300009") == (
        206,
        whole[300_000:300_010],
    )
    assert (await get(icloud, url_of(master), Range=f"bytes={len(whole)}-"))[0] == 416


async def test_a_download_that_stalls_has_begun(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    [master] = await lookup(client, person.shoot("A.JPG").master)
    icloud.faults.append(Fault("/B/", stall_at=1_000))
    host, _, path = url_of(master).removeprefix("https://").partition("/")
    address = URL(f"{icloud.address}/{path}", encoded=True)
    async with (
        aiohttp.ClientSession() as session,
        session.get(address, headers={"X-Fake-Host": host}) as answer,
    ):
        assert len(await answer.content.readexactly(1_000)) == 1_000
        with pytest.raises(TimeoutError):
            await wait_for(answer.content.readany(), 0.1)


async def test_a_zone_that_was_left_is_gone(
    client: CloudKitContainerClient, icloud: FakeICloud
) -> None:
    icloud.library.zone("SharedSync-1")
    token = (await to_thread(client.raw_post, "/changes/database", {}))["syncToken"]
    icloud.library.remove_zone("SharedSync-1")
    news = await to_thread(client.raw_post, "/changes/database", {"syncToken": token})
    assert [(z["zoneID"]["zoneName"], z["deleted"]) for z in news["zones"]] == [
        ("SharedSync-1", True)
    ]
    listed = await to_thread(client.raw_post, "/zones/list", {})
    assert [z["zoneID"]["zoneName"] for z in listed["zones"]] == ["PrimarySync"]
    asked = {"zones": [{"zoneID": {"zoneName": "SharedSync-1"}}]}
    [said] = (await to_thread(client.raw_post, "/changes/zone", asked))["zones"]
    assert said["serverErrorCode"] == "ZONE_NOT_FOUND"


async def test_a_record_can_be_made_odd(
    client: CloudKitContainerClient, person: Person, icloud: FakeICloud
) -> None:
    asset = person.shoot("A.JPG")
    icloud.writer.odd[asset.master] = lambda record: record["fields"].pop("filenameEnc")
    [master] = await lookup(client, asset.master)
    assert "filenameEnc" not in master["fields"]
    assert "resOriginalRes" in master["fields"]


async def test_more_than_two_hundred_are_not_looked_up_at_once(
    client: CloudKitContainerClient,
) -> None:
    with pytest.raises(PyiCloudAPIResponseException):
        await lookup(client, *(str(n) for n in range(201)))


async def test_what_was_asked_is_counted(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG", size=3_000)
    [master] = await lookup(client, asset.master)
    await get(icloud, url_of(master))
    assert icloud.remembered.requests["/records/lookup"] == 1
    assert icloud.remembered.requests["content"] == 1
    assert (
        icloud.remembered.bytes_sent["content"]
        == master["fields"]["resOriginalRes"]["value"]["size"]
    )
