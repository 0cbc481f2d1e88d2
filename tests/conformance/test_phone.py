"""Guards the promises of ports.Phone: the phone behind a real Syncthing and the phone in memory tell one truth."""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mediad.errors import MediadError
from mediad.model import Place, Site, SiteKey
from mediad.ports import Change, Entry, Indexed, Opinion, SharedFolder
from tests.conformance.phones import MTIME, Memory, Real, World, bare
from tests.syncthing_pair import FOLDER_ID, SyncPair, running_pair, until

LATER = MTIME + 3_000_000_000
ODD_NAMES = [
    "with space & 'quotes' +%#?.jpg",
    "new\nline.jpg",
    "Grüße-\N{CAMERA}.heic",
    ".hidden.jpg",
    "-rf",
    "x" * 251 + ".jpg",
    "back\\slash.jpg",
]
_names = (SiteKey(f"{n}.jpg") for n in itertools.count())  # a folder is shared by many tests


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPair]:
    with running_pair(tmp_path_factory.mktemp("pair")) as started:
        yield started


@pytest.fixture
async def real(pair: SyncPair) -> AsyncIterator[Real]:
    world = Real(pair)
    await world.as_at_first()
    yield world
    await world.adapter.aclose()


@pytest.fixture(params=["real", "memory"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        return Memory()
    found: World = request.getfixturevalue("real")
    return found


@pytest.fixture
def key() -> SiteKey:
    return next(_names)


async def look(world: World, key: SiteKey) -> Indexed:
    (found,) = await world.phone.indexed([key])
    assert isinstance(found, Indexed), found
    return found


def mine(found: Indexed) -> Entry:
    assert found.here is not None
    return found.here


def newest(found: Indexed) -> Entry:
    assert found.newest is not None
    return found.newest


async def until_there(world: World, *keys: SiteKey) -> None:
    async def is_there() -> bool:
        found = await world.phone.indexed(keys)
        return all(isinstance(one, Indexed) and one.is_on_phone for one in found)

    await until(is_there, f"{keys} are announced by the phone")


async def send(world: World, *keys: SiteKey) -> str:
    """On the phone, the ordinary way; the version of the last."""
    for key in keys:
        world.put(key)
    await world.phone.scan(keys)
    await until_there(world, *keys)
    return mine(await look(world, keys[-1])).version


async def phone_of(world: World) -> str:
    return (await world.phone.link()).short


def counters(version: str) -> dict[str, int]:
    return {who: int(n) for who, _, n in (part.partition(":") for part in version.split(","))}


# On the way, and there


async def test_what_the_phone_has_is_said_of_exactly_these_bytes(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    found = await look(world, key)
    assert found.is_on_phone
    assert found.opinion is Opinion.NOT_NEEDED
    assert found.here == found.newest
    assert (mine(found).size, mine(found).mtime_ns, mine(found).is_deleted) == (7, MTIME, False)
    assert not mine(found).is_invalid
    assert list(counters(version)) == [mine(found).modified_by]
    assert world.there(key) == b"picture"
    assert key not in await world.phone.needed()
    assert key not in await world.phone.ahead()


async def test_a_file_is_indexed_before_the_phone_has_it(world: World, key: SiteKey) -> None:
    await world.pause_folder_there(paused=True)
    world.put(key)
    await world.phone.scan([key])
    found = await look(world, key)
    assert mine(found).version == newest(found).version != ""
    assert not found.is_on_phone
    assert key in await world.phone.needed()
    await world.pause_folder_there(paused=False)
    await until_there(world, key)
    assert (await look(world, key)).here == found.here


async def test_in_the_middle_of_its_transfer_a_file_is_not_there(real: Real, key: SiteKey) -> None:
    """Real alone: in memory a file arrives whole."""
    await real.pair.host.set_rate_limit(send_kbps=200)
    real.put(key, os.urandom(3 << 20))
    await real.phone.scan([key])

    async def has_begun() -> bool:
        return any(real.pair.pixel.folder.glob(f".syncthing.{key}.tmp"))

    await until(has_begun, "the phone has begun to fetch")
    assert not (await look(real, key)).is_on_phone
    assert key in await real.phone.needed()
    await real.pair.host.set_rate_limit()
    await until_there(real, key)


async def test_a_phone_in_deep_sleep_is_not_believed_to_have_what_is_new(
    real: Real, key: SiteKey
) -> None:
    """Real alone: connections that stay open while nobody answers are Syncthing's to see through."""
    await real.phone.link()
    real.pair.pixel.freeze()
    real.put(key)
    await real.phone.scan([key])
    assert (await real.phone.link()).is_connected
    assert not (await look(real, key)).is_on_phone
    real.pair.pixel.thaw()
    await until_there(real, key)


# The phone away


@pytest.mark.parametrize("way", ["offline", "device paused", "folder paused there"])
async def test_of_a_phone_that_is_away_nothing_is_said_and_nothing_forgotten(
    world: World, key: SiteKey, way: str
) -> None:
    version = await send(world, key)
    await leave(world, way)
    link = await world.phone.link()
    assert link.is_connected == (way == "folder paused there")
    assert (link.since is not None) == link.is_connected

    async def is_silent() -> bool:
        return not (await look(world, key)).is_on_phone

    await until(is_silent, "nothing is said of the phone")
    assert newest(await look(world, key)).version == version
    assert key not in await world.phone.needed()
    await leave(world, way, back=True)
    await until_there(world, key)
    assert newest(await look(world, key)).version == version


async def leave(world: World, way: str, *, back: bool = False) -> None:
    if way == "device paused":
        await world.pause_device(paused=not back)
    elif way == "folder paused there":
        await world.pause_folder_there(paused=not back)
    else:
        await (world.come_online() if back else world.go_offline())


async def test_what_is_placed_while_the_phone_is_away_arrives_when_it_is_back(
    world: World, key: SiteKey
) -> None:
    await world.go_offline()
    world.put(key)
    await world.phone.scan([key])
    assert not (await look(world, key)).is_on_phone
    assert key in await world.phone.needed()
    await world.come_online()
    await until_there(world, key)
    assert world.there(key) == b"picture"


async def test_a_folder_paused_here_is_a_fault_and_no_answer(world: World, key: SiteKey) -> None:
    await send(world, key)
    await world.pause_folder_here(paused=True)
    questions: list[Callable[[], Awaitable[object]]] = [
        lambda: world.phone.indexed([key]),
        lambda: world.phone.scan([key]),
        world.phone.needed,
        world.phone.ahead,
    ]
    for ask in questions:
        fault = await fault_of(ask)
        assert (fault.code, fault.site) == ("syncthing.folder_paused", "syncthing")
    assert (await folder_of(world)).is_paused
    await world.pause_folder_here(paused=False)
    await until_there(world, key)


async def fault_of(ask: Callable[[], Awaitable[object]]) -> MediadError:
    """Raised, or in the place of each answer."""
    try:
        answers = await ask()
    except MediadError as fault:
        return fault
    assert isinstance(answers, Sequence)
    (answer,) = answers
    assert isinstance(answer, MediadError)
    return answer


# What the phone does to its files


async def test_a_file_that_the_phone_never_took_is_not_there(world: World, key: SiteKey) -> None:
    await world.ignore_there("*.mov")
    movie = SiteKey(f"{key}.mov")
    world.put(movie)
    await world.phone.scan([movie])
    await world.settle()
    found = await look(world, movie)
    assert not found.is_on_phone
    assert found.here == found.newest
    assert movie not in await world.phone.needed(), "the trap: nothing is needed, and nothing there"


async def test_a_file_ignored_later_and_then_deleted_there_is_not_said_to_be_there(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    await world.ignore_there(key)
    await world.delete_there(key)
    found = await look(world, key)
    assert not found.is_on_phone
    assert newest(found).version == version
    assert key not in await world.phone.needed()


async def test_a_deletion_on_the_phone_proves_that_it_had_the_file(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    await world.delete_there(key)
    found = await look(world, key)
    phone = await phone_of(world)
    assert newest(found).is_deleted
    assert counters(newest(found).version).keys() == {*counters(version), phone}
    assert counters(version).items() <= counters(newest(found).version).items()
    assert (mine(found).version, mine(found).is_deleted) == (version, False)
    assert key in await world.phone.ahead()
    assert key not in await world.phone.needed()


async def test_a_deletion_that_nobody_has_seen_there_can_not_be_known_here(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    await world.delete_there(key, scanned=False)
    found = await look(world, key)
    assert found.is_on_phone
    assert newest(found).version == version


async def test_an_edit_on_the_phone_is_its_version_and_not_ours(world: World, key: SiteKey) -> None:
    version = await send(world, key)
    await world.edit_there(key, b"with a filter")
    found = await look(world, key)
    assert not newest(found).is_deleted
    assert newest(found).size == 13
    assert (await phone_of(world)) in counters(newest(found).version)
    assert counters(version).items() <= counters(newest(found).version).items()
    assert (mine(found).version, mine(found).size) == (version, 7)
    assert key in await world.phone.ahead()


async def test_a_receive_only_phone_keeps_its_deletion_to_itself(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    await world.become_receive_only()
    await world.delete_there(key)
    found = await look(world, key)
    assert not found.is_on_phone
    assert newest(found).version == version
    assert key in await world.phone.needed()
    assert key not in await world.phone.ahead()


async def test_a_file_of_the_phones_own_is_not_ours(world: World, key: SiteKey) -> None:
    await world.edit_there(key, b"a screenshot")
    found = await look(world, key)
    assert found.here is None
    assert list(counters(newest(found).version)) == [await phone_of(world)]
    assert key in await world.phone.ahead()


@pytest.mark.loss("DL4")
async def test_a_thousand_deletions_there_are_all_told(world: World, key: SiteKey) -> None:
    keys = [SiteKey(f"{key}-{n}.jpg") for n in range(1000)]
    await send(world, *keys)
    await world.delete_there(*keys[:-1])
    ahead = await world.phone.ahead()
    assert set(keys) & ahead == set(keys[:-1])
    found = await world.phone.indexed(keys)
    assert all(isinstance(one, Indexed) and not mine(one).is_deleted for one in found)


# What happens to our file here


@pytest.mark.parametrize("content", [b"picture", b"another picture"])
async def test_a_change_here_that_was_not_scanned_leaves_the_old_version(
    world: World, key: SiteKey, content: bytes
) -> None:
    version = await send(world, key)
    world.put(key, content, LATER)
    found = await look(world, key)
    assert found.is_on_phone
    assert mine(found).version == newest(found).version == version
    assert (mine(found).size, mine(found).mtime_ns) == (7, MTIME)


@pytest.mark.parametrize("content", [b"picture", b"another picture"])
async def test_a_change_here_is_a_new_version_that_must_arrive_again(
    world: World, key: SiteKey, content: bytes
) -> None:
    version = await send(world, key)
    await world.go_offline()
    world.put(key, content, LATER)
    await world.phone.scan([key])
    found = await look(world, key)
    assert not found.is_on_phone
    assert found.here == found.newest
    assert (mine(found).size, mine(found).mtime_ns) == (len(content), LATER)
    (who,) = counters(version)
    assert counters(mine(found).version)[who] > counters(version)[who]
    assert key in await world.phone.needed()
    await world.come_online()
    await until_there(world, key)
    assert world.there(key) == content


async def test_the_same_bytes_in_another_inode_are_the_same_version(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    world.renew(key)
    await world.phone.scan([key])
    found = await look(world, key)
    assert found.is_on_phone
    assert newest(found).version == version


async def test_what_is_removed_here_stays_on_a_phone_that_ignores_deletions(
    world: World, key: SiteKey
) -> None:
    await send(world, key)
    world.remove(key)
    await world.phone.scan([key])
    await world.settle()
    found = await look(world, key)
    assert newest(found).is_deleted
    assert mine(found).is_deleted
    assert not found.is_on_phone
    assert key not in await world.phone.needed(), "a deletion is nothing to fetch"
    assert world.there(key) == b"picture"


async def test_what_is_removed_here_goes_from_a_phone_that_does_not(
    world: World, key: SiteKey
) -> None:
    await world.keep_what_is_removed(keeps=False)
    await send(world, key)
    world.remove(key)
    await world.phone.scan([key])

    async def is_gone() -> bool:
        return world.there(key) is None and (await look(world, key)).is_on_phone

    await until(is_gone, "the phone has deleted it, and said so")


async def test_freed_there_is_still_to_be_seen_when_the_file_has_left_here_later(
    world: World, key: SiteKey
) -> None:
    version = await send(world, key)
    await world.delete_there(key)
    freed = newest(await look(world, key))
    assert counters(version).items() <= counters(freed.version).items()
    world.remove(key)
    assert newest(await look(world, key)) == freed


# A database lost


async def test_our_database_lost_makes_new_versions_of_the_same_files(
    world: World, key: SiteKey
) -> None:
    freed = SiteKey(f"freed-{key}")
    await send(world, freed, key)
    await world.delete_there(freed)
    await world.forget_here()
    await until_there(world, key)
    found = await look(world, key)
    assert mine(found).version == newest(found).version
    assert (mine(found).size, mine(found).mtime_ns) == (7, MTIME)
    assert world.there(key) == b"picture"
    assert not mine(await look(world, freed)).is_deleted, "a send-only folder loses nothing to it"


async def test_the_phones_database_lost_brings_back_what_it_had_freed(
    world: World, key: SiteKey
) -> None:
    freed = SiteKey(f"freed-{key}")
    version = await send(world, freed, key)
    await world.delete_there(freed)
    await world.forget_there()
    await until_there(world, key, freed)
    assert world.there(freed) == b"picture"
    assert newest(await look(world, freed)).version == version


async def test_the_phones_database_lost_may_make_its_version_everybodys(
    world: World, key: SiteKey
) -> None:
    """By the order of the two device ids ours stays the newest, or the phone's becomes ours; the bytes are the same."""
    version = await send(world, key)
    await world.forget_there()

    async def has_come_to_rest() -> bool:
        found = await look(world, key)
        return found.is_on_phone and mine(found).version == newest(found).version

    await until(has_come_to_rest, "both agree on a version again")
    found = await look(world, key)
    assert (mine(found).size, mine(found).mtime_ns) == (7, MTIME)
    if newest(found).version != version:
        assert list(counters(newest(found).version)) == [await phone_of(world)]
    assert key not in await world.phone.needed()


# Names


async def test_a_name_that_nobody_knows_is_none_and_spoils_no_other(
    world: World, key: SiteKey
) -> None:
    await send(world, key)
    odd = [SiteKey("never seen.jpg"), SiteKey(os.fsdecode(b"not-\xff\xfe-utf8.jpg"))]
    found = await world.phone.indexed([odd[0], key, odd[1]])
    assert isinstance(found[1], Indexed)
    assert found[0] is None
    assert not isinstance(found[2], Indexed)
    assert await world.phone.indexed([]) in ([], ())


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_odd_names_travel(world: World, key: SiteKey, name: str) -> None:
    odd = SiteKey(f"{key}"[:-4] + name) if len(name) < 200 else SiteKey(name)
    world.put(odd)
    await world.phone.scan([odd])
    await until_there(world, odd)
    assert world.there(odd) == b"picture"


async def test_a_name_that_is_not_nfc_is_found_under_either_spelling(
    world: World, key: SiteKey
) -> None:
    loose, composed = SiteKey(f"Gru\u0308n-{key}"), SiteKey(f"Gr\u00fcn-{key}")
    world.put(loose)
    await world.phone.scan([loose])
    await until_there(world, loose, composed)
    assert world.there(composed) == b"picture"


async def test_only_what_was_named_is_scanned(world: World, key: SiteKey) -> None:
    other = next(_names)
    world.put(key)
    world.put(other)
    await world.phone.scan([key])
    await until_there(world, key)
    assert await world.phone.indexed([other]) in ([None], (None,))
    await world.phone.scan([SiteKey("not there.jpg")])
    await world.phone.scan([])  # no names: the whole folder
    await until_there(world, other)


# The set-up


async def test_the_set_up_is_told_as_it_is(world: World) -> None:
    set_up = await world.phone.set_up()
    (folder,) = set_up.folders
    link = await world.phone.link()
    assert (folder.id, folder.type, folder.is_paused) == (FOLDER_ID, "sendonly", False)
    assert (folder.devices, folder.encrypted_for) == ((link.device,), ())
    assert (folder.marker, folder.ignores, folder.ignore_delete) == (".stfolder", (), False)
    assert not folder.error
    assert set_up.devices == {link.device: "pixel"}
    assert set_up.my_id not in set_up.devices
    assert set_up.connected == {link.device}
    assert set_up.paused_devices == frozenset()
    assert set_up.syncthing == link.syncthing
    await world.pause_device(paused=True)
    set_up = await world.phone.set_up()
    assert not set_up.connected
    assert set_up.paused_devices == {link.device}
    await world.pause_device(paused=False)


async def test_what_is_mended_is_mended_and_may_be_mended_again(world: World) -> None:
    before = await world.phone.set_up()
    wrong = [folder_change("type", "sendreceive"), folder_change("ignoreDelete", value=True)]
    right = [folder_change("type", "sendonly"), folder_change("ignoreDelete", value=False)]
    await world.phone.mend(wrong)
    folder = await folder_of(world)
    assert (folder.type, folder.ignore_delete) == ("sendreceive", True)
    for _ in range(2):
        await world.phone.mend(right)
        folder = await folder_of(world)
        assert (folder.type, folder.ignore_delete) == ("sendonly", False)
        assert folder.devices == before.folders[0].devices


async def test_what_is_paused_is_resumed_by_mending(world: World, key: SiteKey) -> None:
    await send(world, key)
    device = (await world.phone.link()).device
    await world.pause_device(paused=True)
    await world.pause_folder_here(paused=True)
    changes = [
        Change("device", device, "paused", now=True, value=False, why="paused"),
        folder_change("paused", value=False),
    ]
    for _ in range(2):
        await world.phone.mend(changes)
    await world.meet()
    await until_there(world, key)
    set_up = await world.phone.set_up()
    assert set_up.paused_devices == frozenset()
    assert not set_up.folders[0].is_paused


@pytest.mark.parametrize("keeps", [True, False])
async def test_the_phone_is_asked_whether_it_keeps_what_is_removed_here(
    world: World, *, keeps: bool
) -> None:
    await world.keep_what_is_removed(keeps=keeps)
    assert await world.phone.keeps_deleted(20) is keeps


async def test_a_phone_that_is_away_does_not_answer_the_probe(world: World) -> None:
    await world.go_offline()
    assert await world.phone.keeps_deleted(0.5) is None
    await world.come_online()


def folder_change(key: str, value: object) -> Change:
    return Change("folder", FOLDER_ID, key, None, value, "the test says so")


async def folder_of(world: World) -> SharedFolder:
    (folder,) = (await world.phone.set_up()).folders
    return folder


async def test_a_pattern_that_is_mended_away_hides_nothing_any_more(
    world: World, key: SiteKey
) -> None:
    world.put(key)
    await world.phone.mend([Change("ignores", FOLDER_ID, "", [], ["*.jpg"], "the test says so")])
    assert (await folder_of(world)).ignores == ("*.jpg",)
    await world.phone.scan([key])
    assert await world.phone.indexed([key]) in ([None], (None,))
    for _ in range(2):
        await world.phone.mend([Change("ignores", FOLDER_ID, "", ["*.jpg"], [], "likewise")])
    assert (await folder_of(world)).ignores == ()
    await world.phone.scan([key])
    await until_there(world, key)


@pytest.mark.parametrize("kind", ["real", "memory"])
async def test_a_folder_that_is_not_there_is_a_fault_until_it_is_made(
    kind: str, tmp_path: Path, key: SiteKey
) -> None:
    async with bare(kind, tmp_path) as world:
        set_up = await world.phone.set_up()
        assert set_up.folders == ()
        (device,) = set_up.devices
        fault = await fault_of(lambda: world.phone.indexed([key]))
        assert (fault.code, fault.site) == ("syncthing.folder_missing", "syncthing")
        made = {
            "id": FOLDER_ID,
            "path": world.path,
            "type": "sendonly",
            "devices": [{"deviceID": device, "encryptionPassword": ""}],
        }
        for _ in range(2):
            await world.phone.mend(
                [
                    Change("folder", FOLDER_ID, "", None, made, "the test says so"),
                    Change("marker", FOLDER_ID, "", None, ".stfolder", "likewise"),
                ]
            )
        await world.meet()
        folder = await folder_of(world)
        assert (folder.id, folder.type, folder.devices) == (FOLDER_ID, "sendonly", (device,))
        await send(world, key)


# Where the other Syncthing is of another kind


async def test_a_host_of_edition_2_believes_a_phone_that_ignores(key: SiteKey) -> None:
    """Memory alone: the tests' Syncthing is 1.x. Hence the second opinion."""
    world = Memory()
    world.memory.syncthing, world.memory.opinion = "v2.1.3", Opinion.NONE
    await world.ignore_there("*.jpg")
    world.put(key)
    await world.phone.scan([key])
    found = await look(world, key)
    assert world.there(key) is None
    assert (found.is_on_phone, found.opinion) == (True, Opinion.NONE)
    place = Place(Site.PHONE, key)
    assert mine(found).blocks_hash
    assert await world.phone.blocks_hash(place, mine(found))
    world.put(key, b"other bytes")
    assert not await world.phone.blocks_hash(place, mine(found))


async def test_in_memory_too_the_phones_version_wins_where_its_id_comes_first(
    key: SiteKey,
) -> None:
    """Memory alone: the real ones have the ids that chance gives them."""
    world = Memory()
    first = "A" + world.memory.device[1:]
    world.memory.device = first
    world.memory.folder = replace(world.memory.folder, devices=(first,))
    await send(world, key)
    await world.forget_there()
    found = await look(world, key)
    assert list(counters(mine(found).version)) == [first[:7]]
    assert mine(found) == newest(found)
    assert found.is_on_phone


async def test_a_phone_that_gets_it_encrypted_shows_in_the_set_up_alone(
    tmp_path: Path, key: SiteKey
) -> None:
    """Real alone, and the reason for the lint: of ciphertext the phone announces the very version of our file."""
    async with SyncPair(tmp_path, pixel_type="receiveencrypted", encrypts=True) as pair:
        world = Real(pair)
        await send(world, key)
        assert (await look(world, key)).is_on_phone
        assert world.there(key) is None
        folder = await folder_of(world)
        assert folder.encrypted_for == folder.devices == (pair.pixel.device_id,)
        await world.adapter.aclose()
