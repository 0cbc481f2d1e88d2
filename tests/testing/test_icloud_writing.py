"""Guards what the iCloud of the tests makes of writing: albums, deleting and its undoing, and uploads."""

import base64
from asyncio import to_thread
from pathlib import Path
from typing import Any

import pytest
from pyicloud import PyiCloudService
from pyicloud.common.cloudkit.client import CloudKitApiError, CloudKitContainerClient
from pyicloud.exceptions import PyiCloudAPIResponseException
from pyicloud.services.photos_cloudkit.upload import PhotosUploader

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import FakeICloud, Fault, Library, Person, fingerprint, jpeg
from tests.testing.pyicloud_here import ZONE

Json = dict[str, Any]
ALBUM = "5B2E8F0C11AA4D0E9C5D7A64E1B0C3F2"
DAY_MS = 86_400_000


async def modify(
    client: CloudKitContainerClient, *operations: Json, atomic: bool = False
) -> list[Json]:
    asked = {"operations": list(operations), "zoneID": ZONE, "atomic": atomic}
    return list((await to_thread(client.raw_post, "/records/modify", asked))["records"])


def creation(kind: str, name: str, **fields: object) -> Json:
    written = {key: {"value": value} for key, value in fields.items()}
    record = {"recordName": name, "recordType": kind, "fields": written}
    return {"operationType": "create", "record": record}


def album(record: str = ALBUM, name: str = "DeletePending") -> Json:
    shown = base64.b64encode(name.encode()).decode()
    return creation("CPLAlbum", record, albumNameEnc=shown, albumType=0, isDeleted=0, position=1024)


def membership(asset: str, of: str = ALBUM) -> Json:
    name = f"{asset}-IN-{of}"
    return creation("CPLContainerRelation", name, itemId=asset, containerId=of, position=1024)


def change(kind: str, record: str, tag: str, **fields: object) -> Json:
    written = {key: {"value": value} for key, value in fields.items()}
    content = {"recordName": record, "recordType": kind, "recordChangeTag": tag, "fields": written}
    return {"operationType": "update", "record": content}


def uploader(api: PyiCloudService) -> PhotosUploader:
    return PhotosUploader(
        session=api.session, base_url=api.get_webservice_url("photosupload"),
        base_params=dict(api.params), timeout=(5, 5),
    )  # fmt: skip


async def test_an_album_and_its_members_are_made_once(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG").record
    made, member = await modify(client, album(), membership(asset))
    assert (made["recordName"], member["recordName"]) == (ALBUM, f"{asset}-IN-{ALBUM}")
    again = await modify(client, album(), membership(asset))
    assert [r["serverErrorCode"] for r in again] == ["CONFLICT", "CONFLICT"]
    assert [m.asset for m in icloud.library.primary.members(ALBUM)] == [asset]
    icloud.quirks.there_already = "EXISTS"
    [again_still] = await modify(client, membership(asset))
    assert again_still["serverErrorCode"] == "EXISTS"
    assert icloud.remembered.destroyed == []


async def test_a_member_that_was_taken_out_can_be_put_in_again(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG").record
    await modify(client, album(), membership(asset))
    person.take_out(ALBUM, asset)
    [member] = await modify(client, membership(asset))
    assert member["recordType"] == "CPLContainerRelation"
    removal = {"operationType": "forceDelete", "record": {"recordName": member["recordName"]}}
    [removed] = await modify(client, removal)
    assert removed == {"recordName": member["recordName"], "deleted": True}
    [told] = icloud.remembered.destroyed
    assert (told.what, told.record, told.outcome) == ("remove", member["recordName"], "done")


async def test_a_deletion_goes_to_recently_deleted_for_thirty_days_and_back(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person, clock: StoppedClock
) -> None:
    asset = person.shoot("A.JPG")
    tag = asset.tag
    [gone] = await modify(client, change("CPLAsset", asset.record, tag, isDeleted=1))
    assert gone["fields"]["isDeleted"]["value"] == 1
    assert gone["fields"]["dateExpunged"]["value"] == clock.now() + 30 * DAY_MS
    assert gone["expirationTime"] == clock.now() // 1000 + 40 * 86_400
    assert gone["recordChangeTag"] != tag
    [told] = icloud.remembered.destroyed
    assert (told.what, told.record_type, told.change_tag) == ("trash", "Asset", tag)
    [back] = await modify(
        client, change("CPLAsset", asset.record, gone["recordChangeTag"], isDeleted=0)
    )
    assert "isDeleted" not in back["fields"]
    assert "expirationTime" not in back
    assert len(icloud.remembered.destroyed) == 1, "to bring back destroys nothing"


async def test_a_stale_tag_deletes_nothing_and_is_told(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG")
    stale = asset.tag
    person.favour(asset.record)
    [refused] = await modify(client, change("CPLAsset", asset.record, stale, isDeleted=1))
    assert refused["serverErrorCode"] == "CONFLICT"
    assert "oplock" in refused["reason"]
    assert not asset.is_deleted
    [told] = icloud.remembered.destroyed
    assert told.outcome == "CONFLICT"
    icloud.quirks.is_oplock_enforced = False
    await modify(client, change("CPLAsset", asset.record, stale, isDeleted=1))
    assert asset.is_deleted, "as Apple may do"


async def test_one_bad_member_spoils_an_atomic_batch_and_no_other(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    a, b = person.shoot("A.JPG"), person.shoot("B.JPG")
    batch = [
        change("CPLAsset", a.record, a.tag, isDeleted=1),
        change("CPLAsset", b.record, "0", isDeleted=1),
    ]
    records = await modify(client, *batch, atomic=True)
    assert [r["serverErrorCode"] for r in records] == ["ATOMIC_ERROR", "CONFLICT"]
    rows = icloud.library.primary
    assert not rows.asset(a.record).is_deleted
    records = await modify(client, *batch)
    assert ["serverErrorCode" in r for r in records] == [False, True]
    assert rows.asset(a.record).is_deleted


async def test_a_deletion_whose_answer_was_lost_is_done_all_the_same(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG")
    icloud.faults.append(Fault("records/modify", lost=True))
    with pytest.raises(PyiCloudAPIResponseException):
        await modify(client, change("CPLAsset", asset.record, asset.tag, isDeleted=1))
    assert asset.is_deleted


async def test_a_deletion_is_news_for_everybody(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG")
    asked: Json = {"zoneID": ZONE, "syncToken": icloud.cloudkit.token(icloud.library.primary)}
    await modify(client, change("CPLAsset", asset.record, asset.tag, isDeleted=1))
    said = await to_thread(client.raw_post, "/changes/zone", {"zones": [asked]})
    [record] = said["zones"][0]["records"]
    assert record["fields"]["isDeleted"]["value"] == 1


async def test_an_expunged_asset_is_remembered_as_such(
    client: CloudKitContainerClient, icloud: FakeICloud, person: Person
) -> None:
    asset = person.shoot("A.JPG")
    await modify(client, change("CPLAsset", asset.record, asset.tag, isExpunged=1))
    [told] = icloud.remembered.destroyed
    assert told.what == "expunge"


async def test_an_upload_is_seen_once_it_is_indexed(
    api: PyiCloudService, client: CloudKitContainerClient, clock: StoppedClock, tmp_path: Path
) -> None:
    at = clock.now() // 1000 * 1000 - DAY_MS
    content = jpeg("mine", taken_at=at, offset_s=7_200, size=3_000).read()
    (tmp_path / "IMG_0001.JPG").write_bytes(content)
    said = await to_thread(
        uploader(api).upload, str(tmp_path / "IMG_0001.JPG"), zone_name="PrimarySync"
    )
    assert said.cplMaster == fingerprint(content)
    assert said.uploadJobId == f"{said.cplMaster}#PrimarySync:{said.cplAsset}"
    asked = {"records": [{"recordName": said.cplAsset}], "zoneID": ZONE}
    [unseen] = (await to_thread(client.raw_post, "/records/lookup", asked))["records"]
    assert unseen["serverErrorCode"] == "NOT_FOUND"
    clock.advance(16)
    [seen] = (await to_thread(client.raw_post, "/records/lookup", asked))["records"]
    assert seen["fields"]["assetDate"]["value"] == at, "from its EXIF, not the day it was sent"


@pytest.mark.parametrize("wait_s", [0, 16])
async def test_the_same_bytes_again_are_the_asset_that_is_there(
    api: PyiCloudService, clock: StoppedClock, tmp_path: Path, wait_s: float
) -> None:
    file = tmp_path / "IMG_0001.JPG"
    file.write_bytes(jpeg("mine", taken_at=clock.now()).read())
    first = await to_thread(uploader(api).upload, str(file), zone_name="PrimarySync")
    clock.advance(wait_s)
    again = await to_thread(uploader(api).upload, str(file), zone_name="PrimarySync")
    assert again.is_duplicate
    assert (again.cplAsset, again.uploadJobId) == (first.cplAsset, None)


async def test_only_jpegs_are_taken(
    api: PyiCloudService, icloud: FakeICloud, tmp_path: Path
) -> None:
    file = tmp_path / "IMG_0001.HEIC"
    file.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(CloudKitApiError, match="415"):
        await to_thread(uploader(api).upload, str(file), zone_name="PrimarySync")
    assert not list(icloud.library.primary.rows)


async def test_a_file_that_was_cut_on_its_way_is_no_asset(
    api: PyiCloudService, icloud: FakeICloud, tmp_path: Path
) -> None:
    file = tmp_path / "IMG_0001.JPG"
    file.write_bytes(jpeg("mine", taken_at=0).read())
    sender = uploader(api)
    urls = await to_thread(sender.create_upload_url, zone_name="PrimarySync", assets={"x": 1})
    with pytest.raises(PyiCloudAPIResponseException):
        await to_thread(sender.send_bytes, urls["x"], file)
    status = await to_thread(sender.upload_status, ["nobody"])
    assert status["nobody"].is_unknown
    assert not list(icloud.library.primary.rows)


def test_what_was_undone_leaves_no_trace(clock: StoppedClock) -> None:
    person = Person(Library(clock))
    zone = person.zone
    asset = person.shoot("A.JPG")
    rows, at = dict(zone.rows), zone.change
    person.make_album("B")
    zone.undo(rows, at, {})
    assert [row.record for row in zone.changes(0)] == [asset.master, asset.record]
