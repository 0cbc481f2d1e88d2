"""Guards which folder and which device are meant: found by what is so, never guessed, and asked for rarely."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediad.adapters.syncthing.client import Access, Client
from mediad.adapters.syncthing.known import REMEMBERED_S, Finder, Node
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Place, Site, SiteKey
from mediad.testing.clock import StoppedClock
from tests.adapters.syncthing_phone import Told
from tests.adapters.syncthing_stand_in import KEY, ME, PIXEL, STARTED, StandIn, serving

OTHER = "OTHERAA-CCCCCCC-CCCCCCC-CCCCCCC-CCCCCCC-CCCCCCC-CCCCCCC-CCCCCCC"


class World:
    def __init__(self, stand_in: StandIn, told: Told) -> None:
        self.stand_in = stand_in
        self.told = told
        self.clock = StoppedClock()
        self.client = Client(lambda: Access(stand_in.url, KEY, None, 5.0))
        self.finder = Finder(self.client, lambda: told.settings, self.clock, self.root)

    def root(self) -> Path:
        return self.told.path_of(Place(Site.PHONE, SiteKey("")))

    def share(self, *folders: dict[str, object]) -> None:
        self.stand_in.says["/rest/config/folders"] = list(folders)

    async def fault(self) -> MediadError:
        with pytest.raises(MediadError) as caught:
            await self.finder.at_work()
        return caught.value


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    pixel_sync = tmp_path / "pixel_sync"
    pixel_sync.mkdir()
    async with serving(StandIn(str(pixel_sync))) as stand_in:
        world = World(stand_in, Told(tmp_path, pixel_sync, url=stand_in.url, api_key=KEY))
        yield world
        await world.client.aclose()


def shared_with(*devices: str) -> list[dict[str, str]]:
    return [{"deviceID": device, "encryptionPassword": ""} for device in devices]


async def test_the_folder_is_found_by_its_path_and_the_phone_as_the_only_other_device(
    world: World,
) -> None:
    elsewhere = world.stand_in.folder(
        id="docs", path="/home/st/docs", devices=shared_with(ME, OTHER)
    )
    world.share(elsewhere, world.stand_in.folder())
    known = await world.finder.known()
    assert (known.folder, known.device, known.node.id) == ("photos", PIXEL, ME)
    assert known.node.started == STARTED


async def test_it_is_asked_once_in_a_while_and_again_later(world: World) -> None:
    await world.finder.known()
    asked = len(world.stand_in.asked)
    await world.finder.at_work()
    assert len(world.stand_in.asked) == asked
    world.clock.advance(REMEMBERED_S + 1)
    await world.finder.known()
    assert len(world.stand_in.asked) == 2 * asked


async def test_other_settings_are_heeded_at_once(world: World) -> None:
    await world.finder.known()
    world.told.say(folder_id="nowhere")
    assert (await world.fault()).code == "syncthing.folder_missing"


async def test_a_link_and_another_way_to_write_it_lead_to_the_same_folder(
    world: World, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(world.root())
    for path in (str(link), f"{world.root()}/", f"{tmp_path}/./pixel_sync"):
        world.share(world.stand_in.folder(path=path))
        world.finder.forget()
        assert (await world.finder.known()).folder == "photos"


async def test_a_tilde_is_the_home_of_syncthings_user(world: World, tmp_path: Path) -> None:
    world.share(world.stand_in.folder(path="~/pixel_sync"))
    world.stand_in.says["/rest/system/status"] = {
        "myID": ME, "startTime": STARTED, "tilde": str(tmp_path)
    }  # fmt: skip
    assert (await world.finder.known()).folder == "photos"


async def test_another_folder_is_never_taken_for_ours(world: World) -> None:
    world.share(world.stand_in.folder(path="/somewhere/else"))
    assert (await world.fault()).code == "syncthing.folder_missing"
    world.share()
    assert (await world.fault()).code == "syncthing.folder_missing"


async def test_several_folders_at_our_path_are_named_and_none_is_taken(world: World) -> None:
    world.share(world.stand_in.folder(id="one"), world.stand_in.folder(id="two"))
    error = await world.fault()
    assert isinstance(error, NeedsOperator)
    assert "one, two" in error.what


async def test_several_devices_are_named_and_none_is_taken(world: World) -> None:
    world.share(world.stand_in.folder(devices=shared_with(ME, PIXEL, OTHER)))
    error = await world.fault()
    assert error.code == "syncthing.device_unknown"
    assert PIXEL in error.what
    assert OTHER in error.what
    world.told.say(device_id=OTHER)
    assert (await world.finder.known()).device == OTHER


@pytest.mark.parametrize("device", [OTHER, ME, "no id at all"])
async def test_a_device_that_does_not_share_the_folder_is_not_the_phone(
    world: World, device: str
) -> None:
    world.told.say(device_id=device)
    assert (await world.fault()).code == "syncthing.device_unknown"


async def test_a_folder_shared_with_nobody_has_no_phone(world: World) -> None:
    for devices in (shared_with(ME), [], None):
        world.share(world.stand_in.folder(devices=devices))
        assert (await world.fault()).code == "syncthing.device_unknown"


async def test_a_pause_is_noticed_though_it_was_at_work_before_and_its_end_too(
    world: World,
) -> None:
    world.share(world.stand_in.folder(paused=True))
    assert (await world.fault()).code == "syncthing.folder_paused"
    assert (await world.finder.known()).is_paused
    world.share(world.stand_in.folder())
    assert not (await world.finder.at_work()).is_paused


async def test_a_node_that_calls_itself_otherwise_than_its_answers_is_not_believed(
    world: World,
) -> None:
    world.stand_in.says["/rest/system/status"] = {"myID": OTHER, "startTime": STARTED}
    assert (await world.fault()).code == "syncthing.not_syncthing"


@pytest.mark.parametrize(
    ("version", "needs"),
    [
        ("v1.19.2-ds1", False), ("v1.30.0", False), ("v2.0.0", True), ("v2.1.3-rc.1", True), ("v10.0.0", True),
        ("", True), ("unknown-dev", True),
    ],
)  # fmt: skip
def test_only_a_version_known_to_be_1_is_believed_alone(version: str, *, needs: bool) -> None:
    assert Node(ME, STARTED, "", version).needs_second_opinion is needs
