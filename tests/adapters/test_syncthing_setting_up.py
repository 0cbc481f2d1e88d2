"""Guards how Syncthing's set-up is read and mended: on a real node, one change at a time, twice without harm."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mediad.adapters.syncthing import SyncthingPhone
from mediad.errors import Bug, MediadError
from mediad.model import SiteKey
from mediad.ports import Change
from tests.adapters.syncthing_phone import Told, phone_of
from tests.adapters.syncthing_stand_in import KEY, PIXEL, StandIn, serving
from tests.syncthing_pair import FOLDER_ID, SyncPair, running_pair, until

NEW = (
    "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2"  # of Syncthing's own examples
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPair]:
    with running_pair(tmp_path_factory.mktemp("pair"), host_type="sendreceive") as pair:
        yield pair


@pytest.fixture
async def phone(pair: SyncPair, tmp_path: Path) -> AsyncIterator[SyncthingPhone]:
    told = Told(tmp_path, pair.host.folder, url=pair.host.url, api_key=pair.host.api_key)
    async with phone_of(told) as phone:
        yield phone


async def test_the_set_up_is_told_as_it_is(pair: SyncPair, phone: SyncthingPhone) -> None:
    found = await phone.set_up()
    assert found.my_id == pair.host.device_id
    assert found.syncthing.startswith("v")
    assert found.devices == {pair.pixel.device_id: "pixel"}
    assert found.connected == {pair.pixel.device_id}
    assert found.paused_devices == frozenset()
    [folder] = found.folders
    assert folder.id == pair.host.folder_id
    assert folder.path == str(pair.host.folder)
    assert folder.devices == (pair.pixel.device_id,)
    assert folder.encrypted_for == ()
    assert (folder.is_paused, folder.marker, folder.error) == (False, ".stfolder", "")
    assert folder.state in {"idle", "scanning", "syncing"}


async def test_the_folder_is_mended_and_again_without_harm(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    await pair.host.set_ignores("*.mov", "// a comment")
    [before] = (await phone.set_up()).folders
    assert before.ignores == ("*.mov",)
    changes = [
        Change("folder", before.id, "type", before.type, "sendonly", "safer"),
        Change("folder", before.id, "label", before.label, "Photos", "nicer"),
        Change("ignores", before.id, "", list(before.ignores), [], "all of them"),
    ]
    for _ in range(2):
        await phone.mend(changes)
        [after] = (await phone.set_up()).folders
        assert (after.type, after.label, after.ignores) == ("sendonly", "Photos", ())
        assert after.devices == before.devices
        assert after.path == before.path


async def test_a_device_and_a_folder_are_made(phone: SyncthingPhone, tmp_path: Path) -> None:
    shared = [{"deviceID": NEW, "encryptionPassword": ""}]
    folder = {"id": "a b/c", "path": str(tmp_path), "type": "sendonly", "devices": shared}
    await phone.mend(
        [
            Change("device", NEW, "", None, {"deviceID": NEW, "name": "another"}, "to have two"),
            Change("folder", "a b/c", "", None, folder, "to have two"),
        ]
    )
    found = await phone.set_up()
    assert found.devices[NEW] == "another"
    made = next(one for one in found.folders if one.id == "a b/c")
    assert (made.type, made.devices, made.state) == ("sendonly", (NEW,), "")

    await phone.mend([Change("device", NEW, "paused", now=False, value=True, why="to pause it")])
    assert (await phone.set_up()).paused_devices == {NEW}


async def test_the_marker_is_made_in_our_folder_and_nowhere_else(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    (pair.host.folder / ".stfolder").rmdir()
    mark = Change("marker", pair.host.folder_id, "", None, ".stfolder", "it is missing")
    for _ in range(2):
        await phone.mend([mark])
        assert (pair.host.folder / ".stfolder").is_dir()
    with pytest.raises(MediadError) as caught:
        await phone.mend([Change("marker", "a b/c", "", None, ".stfolder", "not ours")])
    assert caught.value.code == "syncthing.folder_missing"

    async def is_well() -> bool:
        await pair.host.scan()
        return not (await phone.set_up()).folders[0].error

    await until(is_well, "the folder works again")


async def test_an_encrypted_share_is_told(pair: SyncPair, phone: SyncthingPhone) -> None:
    share = {"deviceID": pair.pixel.device_id, "encryptionPassword": "secret"}
    folder = pair.host.folder_id
    await phone.mend([Change("folder", folder, "devices", None, [share], "to see it")])
    try:
        found = next(one for one in (await phone.set_up()).folders if one.id == folder)
        assert found.encrypted_for == (pair.pixel.device_id,)
    finally:
        plain = share | {"encryptionPassword": ""}
        await phone.mend([Change("folder", folder, "devices", None, [plain], "as before")])


async def test_what_cannot_be_mended_is_a_bug_and_says_so(phone: SyncthingPhone) -> None:
    with pytest.raises(Bug):
        await phone.mend([Change("weather", "x", "", None, None, "it rains")])


async def test_a_marker_that_is_a_path_is_not_made(tmp_path: Path) -> None:
    async with serving(StandIn(str(tmp_path))) as stand_in:
        stand_in.says["/rest/config/folders"] = [stand_in.folder(markerName="../outside")]
        async with phone_of(Told(tmp_path, tmp_path, url=stand_in.url, api_key=KEY)) as phone:
            with pytest.raises(MediadError) as caught:
                await phone.mend([Change("marker", "photos", "", None, "x", "it is missing")])
    assert caught.value.code == "syncthing.marker_missing"
    assert not (tmp_path.parent / "outside").exists()


async def test_a_folder_that_is_not_there_is_not_made_with_its_marker(tmp_path: Path) -> None:
    away = tmp_path / "away"
    async with serving(StandIn(str(away))) as stand_in:
        told = Told(tmp_path, away, url=stand_in.url, api_key=KEY)
        async with phone_of(told) as phone:
            with pytest.raises(MediadError) as caught:
                await phone.mend([Change("marker", "photos", "", None, "x", "it is missing")])
    assert caught.value.code == "syncthing.marker_missing"
    assert not away.exists()


async def test_a_folder_that_the_phone_has_not_accepted_shows_once_something_lies_in_it(
    tmp_path: Path,
) -> None:
    """And the phone's own offer shows too: here it waits for an answer that nobody will give."""
    pixel_sync = tmp_path / "pixel_sync"
    async with SyncPair(tmp_path / "pair", host_folder=pixel_sync, host_type=None) as pair:
        phones = pair.pixel.device_id

        async def is_offered() -> object:
            return await pair.host.get("/rest/cluster/pending/folders")

        await until(is_offered, "the phone has offered its folder")
        shared = [{"deviceID": phones, "encryptionPassword": ""}]
        ours = {"id": "ours", "path": str(pixel_sync), "type": "sendonly", "devices": shared}
        told = Told(tmp_path, pixel_sync, url=pair.host.url, api_key=pair.host.api_key)
        async with phone_of(told) as phone:
            await phone.mend([Change("folder", "ours", "", None, ours, "to have it")])
            empty = await phone.set_up()
            (pixel_sync / "a.jpg").write_bytes(b"picture")
            await phone.scan([SiteKey("a.jpg")])
            filled = await phone.set_up()
            theirs = await pair.pixel.get("/rest/config/folders")
            await pair.pixel.post("/rest/config/folders", _accepted(pair, theirs[0], tmp_path))
            pair.host.folder_id = pair.pixel.folder_id = "ours"
            await pair.wait_in_sync()
            accepted = await phone.set_up()
    assert empty.offered == filled.offered == {FOLDER_ID: phones}
    assert [s.folders[0].unheard_of for s in (empty, filled, accepted)] == [(), (phones,), ()]


def _accepted(pair: SyncPair, like: dict[str, object], tmp_path: Path) -> dict[str, object]:
    shared = [{"deviceID": pair.host.device_id}]
    return like | {"id": "ours", "path": str(tmp_path / "there"), "devices": shared}


@pytest.mark.parametrize(
    ("state", "items", "is_so"), [("valid", 3, False), ("notSharing", 0, True)]
)
async def test_from_1_20_on_syncthing_says_itself_who_has_not_accepted(
    tmp_path: Path, *, state: str, items: int, is_so: bool
) -> None:
    async with serving(StandIn(str(tmp_path))) as stand_in:
        said = {"remoteState": state, "globalItems": items, "sequence": 0}
        stand_in.says["/rest/db/completion"] = said
        async with phone_of(Told(tmp_path, tmp_path, url=stand_in.url, api_key=KEY)) as phone:
            [folder] = (await phone.set_up()).folders
    assert folder.unheard_of == ((PIXEL,) if is_so else ())


async def test_a_syncthing_that_cannot_tell_of_offers_is_read_all_the_same(tmp_path: Path) -> None:
    async with serving(StandIn(str(tmp_path))) as stand_in:

        async def unknown(_: object) -> object:
            return stand_in.plain(404, "404 page not found\n")

        stand_in.says["/rest/cluster/pending/folders"] = unknown
        async with phone_of(Told(tmp_path, tmp_path, url=stand_in.url, api_key=KEY)) as phone:
            assert (await phone.set_up()).offered == {}


async def test_null_lists_and_odd_sentences_are_read_in_bounds(tmp_path: Path) -> None:
    async with serving(StandIn(str(tmp_path))) as stand_in:
        stand_in.says |= {
            "/rest/config/devices": None,
            "/rest/cluster/pending/folders": None,
            "/rest/system/connections": {"connections": None},
            "/rest/config/folders": [stand_in.folder(devices=None)],
            "/rest/db/status": {"state": "error", "error": "line\n" * 1000, "watchError": None},
        }
        async with phone_of(Told(tmp_path, tmp_path, url=stand_in.url, api_key=KEY)) as phone:
            found = await phone.set_up()
    assert found.devices == {}
    assert PIXEL not in found.connected
    assert len(found.folders[0].error) <= 200
    assert "\n" not in found.folders[0].error
