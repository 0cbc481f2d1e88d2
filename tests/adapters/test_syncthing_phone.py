"""Guards the phone port over two real Syncthing nodes: what it tells is what is so on the other side."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mediad.adapters.syncthing import SyncthingPhone
from mediad.errors import MediadError, Retryable
from mediad.model import Place, Site, SiteKey
from mediad.ports import Change, Entry, Heard, Indexed, Opinion
from tests.adapters.syncthing_phone import Told, phone_of
from tests.syncthing_pair import SyncPair, running_pair, until

MTIME = 1_650_000_000_123_456_789
ODD = (
    "a b+c%20#?&=.jpg", "-dash.jpg", " led and trailed ", "quo\"te'`$.jpg", "new\nline\ttab.jpg", "emoji 📷é.jpg",
    "per%cent%41.jpg", "plus+plus.jpg", "semi;colon,comma.jpg", "back\\slash.jpg", "*star[1].jpg", "~tilde.jpg",
)  # fmt: skip


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPair]:
    with running_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture
def told(pair: SyncPair, tmp_path: Path) -> Told:
    return Told(tmp_path, pair.host.folder, url=pair.host.url, api_key=pair.host.api_key)


@pytest.fixture
async def phone(told: Told) -> AsyncIterator[SyncthingPhone]:
    async with phone_of(told) as phone:
        yield phone


def lay(pair: SyncPair, name: str, content: bytes = b"light") -> SiteKey:
    path = pair.host.folder / name
    path.write_bytes(content)
    os.utime(path, ns=(MTIME, MTIME))
    return SiteKey(name)


async def seen(phone: SyncthingPhone, key: SiteKey) -> Indexed:
    [found] = await phone.indexed([key])
    assert isinstance(found, Indexed), found
    return found


async def until_on_phone(phone: SyncthingPhone, *keys: SiteKey) -> None:
    async def are_there() -> bool:
        found = await phone.indexed(keys)
        return all(isinstance(one, Indexed) and one.is_on_phone for one in found)

    await until(are_there, "the phone announces the files")


async def test_a_file_that_came_through_is_told_with_the_very_size_and_time(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    key = lay(pair, "came.jpg", b"x" * 300_000)
    assert list(await phone.indexed([key])) == [None]
    await phone.scan([key])
    await until_on_phone(phone, key)
    found = await seen(phone, key)
    assert found.here is not None
    assert found.here == found.newest
    assert (found.here.size, found.here.mtime_ns) == (300_000, MTIME)
    assert found.here.version.startswith(f"{pair.host.device_id[:7]}:")
    assert not found.here.is_invalid
    assert found.opinion is Opinion.NOT_NEEDED
    assert (pair.pixel.folder / key).read_bytes() == b"x" * 300_000


async def test_names_with_every_odd_character_are_asked_for_exactly(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    keys = [lay(pair, name, name.encode()) for name in ODD]
    await phone.scan(keys)
    await until_on_phone(phone, *keys)
    for key, found in zip(keys, await phone.indexed(keys), strict=True):
        assert isinstance(found, Indexed)
        assert found.here is not None
        assert found.here.size == len(key.encode())
        assert (pair.pixel.folder / key).read_bytes() == key.encode()


async def test_a_name_that_is_no_text_is_merely_unknown(phone: SyncthingPhone) -> None:
    odd = SiteKey(os.fsdecode(b"caf\xe9.jpg"))
    await phone.scan([odd])
    assert list(await phone.indexed([odd])) == [None]


async def test_only_the_names_that_were_given_are_scanned_and_none_means_all(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    one, other = lay(pair, "scanned.jpg"), lay(pair, "not-scanned.jpg")
    await phone.scan([one])
    first, second = await phone.indexed([one, other])
    assert isinstance(first, Indexed)
    assert second is None
    await phone.scan([])
    await seen(phone, other)


async def test_more_names_than_fit_one_scan_are_all_scanned(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    keys = [lay(pair, f"many-{n:03}.jpg") for n in range(120)]
    await phone.scan(keys)
    assert all(isinstance(found, Indexed) for found in await phone.indexed(keys))


async def test_what_the_phone_deletes_is_ahead_and_keeps_the_version_it_had(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    key = lay(pair, "freed.jpg")
    await phone.scan([key])
    await until_on_phone(phone, key)
    had = await seen(phone, key)
    (pair.pixel.folder / key).unlink()
    await pair.pixel.scan(key)

    async def is_ahead() -> bool:
        return key in await phone.ahead()

    await until(is_ahead, "the deletion is announced")
    found = await seen(phone, key)
    assert found.here == had.here
    assert found.newest is not None
    assert found.newest.is_deleted
    assert found.newest.modified_by == pair.pixel.device_id[:7]
    assert had.here is not None
    assert had.here.version in found.newest.version.split(",")
    assert (pair.host.folder / key).exists()


async def test_what_the_phone_has_to_fetch_is_needed_and_deletions_are_not(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    gone = lay(pair, "filed-away.jpg")
    await phone.scan([gone])
    await until_on_phone(phone, gone)
    await pair.pixel.pause_folder()
    try:
        key = lay(pair, "wanted.jpg")
        (pair.host.folder / gone).unlink()
        await phone.scan([key, gone])
        needed = await phone.needed()
        assert key in needed
        assert gone not in needed
        assert not (await seen(phone, key)).is_on_phone
    finally:
        await pair.pixel.resume_folder()
    await until_on_phone(phone, key)
    assert key not in await phone.needed()


async def test_the_link_tells_the_device_since_when_and_the_last_event_heard(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    link = await phone.link()
    assert link.device == pair.pixel.device_id
    assert link.is_connected
    assert link.since is not None
    assert link.syncthing.startswith("v")
    assert link.heard is None
    heard = Heard(7, "RemoteIndexUpdated", "2026-01-01T00:00:00Z")
    phone.hear(heard)
    assert (await phone.link()).heard == heard


async def test_a_phone_that_is_away_is_not_connected_and_has_nothing(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    key = lay(pair, "before.jpg")
    await phone.scan([key])
    await until_on_phone(phone, key)
    await pair.host.pause_device()
    try:
        await pair.wait_apart()
        link = await phone.link()
        assert not link.is_connected
        assert link.since is None
        assert not (await seen(phone, key)).is_on_phone
        assert pair.pixel.device_id in (await phone.set_up()).paused_devices
    finally:
        await pair.host.resume_device()
        await pair.wait_connected()


async def test_events_come_in_order_and_a_saved_configuration_without_its_key(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    mask = ["RemoteIndexUpdated", "ConfigSaved"]
    await phone.events(0, mask=mask, limit=1, timeout_s=0)
    await pair.host.set_folder(label="another label")
    saved = await phone.events(0, mask=mask, limit=None, timeout_s=10)
    assert [event["type"] for event in saved] == ["ConfigSaved"]
    assert pair.host.api_key not in str(saved)
    key = lay(pair, "event.jpg")
    since = saved[-1]["id"]
    assert isinstance(since, int)
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(phone.events(since, mask=mask, limit=None, timeout_s=20))
        await phone.scan([key])
    assert poll.result()[0]["type"] == "RemoteIndexUpdated"
    assert await phone.events(10_000, mask=mask, limit=None, timeout_s=0) == []
    assert await phone.started() == (await pair.host.get("/rest/system/status"))["startTime"]


async def test_a_paused_folder_is_told_as_paused_and_not_as_missing(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    key = lay(pair, "paused.jpg")
    await phone.scan([key])
    await pair.host.pause_folder()
    try:
        [found] = await phone.indexed([key])  # what was remembered says that it is at work
        assert isinstance(found, MediadError)
        assert found.code == "syncthing.folder_paused"
        for call in (phone.needed(), phone.ahead(), phone.scan([key]), phone.indexed([key])):
            with pytest.raises(MediadError) as caught:
                await call
            assert caught.value.code == "syncthing.folder_paused"
        assert (await phone.link()).device == pair.pixel.device_id
        [folder] = (await phone.set_up()).folders
        assert folder.is_paused
    finally:
        await pair.host.resume_folder()

    async def is_back() -> bool:
        return str((await pair.host.status())["state"]) == "idle"

    await until(is_back, "the folder works again")
    assert isinstance(await seen(phone, key), Indexed)


async def test_a_missing_marker_is_told_and_mended(pair: SyncPair, phone: SyncthingPhone) -> None:
    (pair.host.folder / ".stfolder").rmdir()
    with pytest.raises(MediadError) as caught:
        await phone.scan([lay(pair, "unmarked.jpg")])
    assert caught.value.code == "syncthing.marker_missing"
    [folder] = (await phone.set_up()).folders
    assert "marker" in folder.error
    await phone.mend([Change("marker", folder.id, "", None, ".stfolder", "it is missing")])
    assert (pair.host.folder / ".stfolder").is_dir()
    assert [f.error for f in (await phone.set_up()).folders] == [""]
    await phone.scan([SiteKey("unmarked.jpg")])
    await seen(phone, SiteKey("unmarked.jpg"))


async def test_the_blocks_hash_fits_these_bytes_and_no_others(
    pair: SyncPair, phone: SyncthingPhone
) -> None:
    contents = {"none.jpg": b"", "one.jpg": b"x" * 131_072, "three.jpg": os.urandom(300_000)}
    for name, content in contents.items():
        key = lay(pair, name, content)
        await phone.scan([key])
        here = (await seen(phone, key)).here
        assert here is not None
        assert await phone.blocks_hash(Place(Site.PHONE, key), here)
        (pair.host.folder / key).write_bytes(bytes(len(content)) + b"!")
        fits = await phone.blocks_hash(Place(Site.PHONE, key), here)
        assert fits is (here.blocks_hash == "")  # before 1.23.3 Syncthing tells none


async def test_a_file_that_cannot_be_read_for_its_hash_is_tried_again(
    phone: SyncthingPhone,
) -> None:
    entry = Entry("AAAAAAA:1", 5, 0, blocks_hash="AAAA")
    with pytest.raises(Retryable) as caught:
        await phone.blocks_hash(Place(Site.PHONE, SiteKey("not there.jpg")), entry)
    assert caught.value.code == "io.error"


async def test_https_is_asked_for_and_its_own_certificate_is_enough(tmp_path: Path) -> None:
    async with SyncPair(tmp_path / "pair") as pair:
        told = Told(tmp_path, pair.host.folder, url=pair.host.url, api_key=pair.host.api_key)
        async with phone_of(told) as phone:
            await pair.host.patch("/rest/config/gui", {"useTLS": True})

            async def answers(code: str) -> bool:
                with pytest.raises(MediadError) as caught:
                    await phone.link()
                return caught.value.code == f"syncthing.{code}"

            await until(lambda: answers("wants_https"), "its door is opened anew")
            told.say(url=pair.host.url.replace("http:", "https:"))
            assert await answers("tls")
            told.say(ca_file=pair.host.home / "https-cert.pem")
            assert (await phone.link()).device == pair.pixel.device_id
            told.say(ca_file=pair.pixel.home / "https-cert.pem")
            assert await answers("tls")
