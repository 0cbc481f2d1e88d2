"""Guards the self-test: it says only what it tried, leaves nothing, and arms nothing that it did not see work."""

from dataclasses import replace
from pathlib import Path

import pytest

from mediad.errors import NeedsOperator, Retryable
from mediad.journal import Park
from mediad.model import AssetId, Evidence, Site
from mediad.ports import SignIn, SignInState, Zone
from mediad.service.cloud_answers import CheckDoc, SelfTestedDoc
from mediad.service.selftest import SAMPLE
from mediad.state import Lane, State
from tests.service.cloud_lane import ARMED, ON, archived, sorted_, taken
from tests.service.phone_lane import URL, go
from tests.service.world import World, a_world

ALL = {**ARMED, **URL}


def states(doc: SelfTestedDoc) -> dict[str, str]:
    return {c["part"]: c["state"] for c in doc["checks"]}


def faults(doc: SelfTestedDoc) -> list[CheckDoc]:
    return [c for c in doc["checks"] if c["state"] == "fault"]


def everything(w: World) -> dict[Site, dict[str, bytes]]:
    return {site: w.files.under(site) for site in Site}


async def test_what_is_off_is_said_not_to_have_been_tried(tmp_path: Path) -> None:
    async with a_world(tmp_path, is_working=False) as w:
        doc = await w.service.selftest.run(probe=False)
    assert doc["ok"]
    assert states(doc) == {
        "journal": "ok", "archive": "ok", "library": "ok", "phone": "off", "icloud": "off",
    }  # fmt: skip
    assert doc["deletion"]["state"] == "off"


async def test_a_green_one_through_all_parts_arms_and_leaves_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, ALL, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        w.files.drop(Site.ARCHIVE, "theirs.jpg", b"theirs")
        before, history = everything(w), await w.service.history(asset)
        doc = await w.service.selftest.run(probe=True)
        assert everything(w) == before
        assert await w.service.history(asset) == history
        assert (await w.service.icloud.status())["deletion"]["state"] == "armed"
    assert doc["ok"], faults(doc)
    assert states(doc) == {
        "journal": "ok", "archive": "ok", "library": "ok", "phone": "ok", "phone probe": "ok",
        "icloud": "ok", "icloud album": "ok",
    }  # fmt: skip
    assert w.cloud.deleted == []
    assert w.cloud.arrived == []
    assert len(w.cloud.inside) == 0
    assert [a.name for a in w.cloud.albums.values()] == ["DeletePending"]


async def test_without_leave_to_mark_no_album_is_made(tmp_path: Path) -> None:
    async with a_world(tmp_path, ON, is_working=False) as w:
        doc = await w.service.selftest.run(probe=False)
    assert states(doc)["icloud album"] == "off"
    assert w.cloud.albums == {}


async def test_the_phone_is_only_probed_when_that_is_wanted(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        doc = await w.service.selftest.run(probe=False)
        assert states(doc)["phone probe"] == "warning"
        assert doc["ok"]
        w.phone.keeps_what_is_removed = False
        assert not (await w.service.selftest.run(probe=True))["ok"]


@pytest.mark.parametrize("site", [Site.ARCHIVE, Site.LIBRARY])
async def test_a_site_that_is_away_or_lies_is_a_fault_of_that_part_alone(
    tmp_path: Path, site: Site
) -> None:
    async with a_world(tmp_path, ALL, is_working=False) as w:
        w.files.faults[site] = NeedsOperator("it is away", code=f"{site}.unmounted", remedy="mount")
        away = await w.service.selftest.run(probe=False)
        del w.files.faults[site]
        w.files.spoils[site] = b"other bytes"
        lies = await w.service.selftest.run(probe=False)
        stored = await w.journal.selftest()
        assert w.files.under(site) == {}
    assert [(f["part"], f["code"], f["remedy"]) for f in faults(away)] == [
        (site.value, f"{site}.unmounted", "mount")
    ]
    assert [f["code"] for f in faults(lies)] == ["io.mismatch"]
    assert stored is not None
    assert not stored.ok


@pytest.mark.parametrize("state", sorted(set(SignInState) - {SignInState.READY}))
async def test_without_a_session_icloud_was_not_tried(tmp_path: Path, state: SignInState) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        w.cloud.signed = SignIn(state)
        doc = await w.service.selftest.run(probe=False)
    assert [f["part"] for f in faults(doc)] == ["icloud"]
    assert faults(doc)[0]["remedy"]
    assert doc["deletion"]["state"] == "disarmed"


async def test_a_phone_that_is_away_was_not_tried(tmp_path: Path) -> None:
    async with a_world(tmp_path, ALL, is_working=False) as w:
        w.phone.is_online = False
        doc = await w.service.selftest.run(probe=False)
    assert "pixel.offline" in {f["code"] for f in faults(doc)}
    assert not doc["ok"]


async def test_a_folder_that_is_not_send_only_is_a_fault(tmp_path: Path) -> None:
    async with a_world(tmp_path, ALL, is_working=False) as w:
        w.phone.folder = replace(w.phone.folder, type="sendreceive")
        doc = await w.service.selftest.run(probe=False)
    assert "syncthing.folder_type" in {f["code"] for f in faults(doc)}


async def test_what_icloud_says_no_to_is_told_and_the_rest_is_tried(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        w.cloud.fail("listing", Retryable("Apple asks for patience", code="icloud.throttled"))
        w.cloud.take("a.jpg", b"a")
        doc = await w.service.selftest.run(probe=False)
    assert [(f["part"], f["code"]) for f in faults(doc)] == [("icloud", "icloud.throttled")]
    assert states(doc)["icloud album"] == "ok"


async def test_an_album_that_its_owner_has_deleted_cannot_be_used(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        await w.service.selftest.run(probe=False)
        [record] = w.cloud.albums
        w.cloud.drop_album(record)
        doc = await w.service.selftest.run(probe=False)
    assert [f["code"] for f in faults(doc)] == ["selftest.icloud_album"]


async def test_an_account_without_a_library_of_its_own_is_no_success(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        w.cloud.zones = {"SharedSync-1": Zone("SharedSync-1", "_x")}
        doc = await w.service.selftest.run(probe=False)
    assert {f["code"] for f in faults(doc)} == {"selftest.icloud_library"}


async def test_a_green_one_rouses_what_waits_for_it(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        asset = await taken(w, "a.jpg", b"a")
        await archived(w, asset, b"a")
        await sorted_(w, asset)
        await go(w, asset, State.UPLOADED, "mark", State.MARKED, Evidence("lookup", 1))
        later = w.clock.now() + 3_600_000
        await w.journal.park([Park(asset, Lane.CLOUD, "waiting", later, "no self-test")])
        w.files.faults[Site.ARCHIVE] = NeedsOperator("away", code="archive.unmounted")
        await w.service.selftest.run(probe=False)
        red = await due(w, asset)
        del w.files.faults[Site.ARCHIVE]
        await w.service.selftest.run(probe=False)
        green = await due(w, asset)
    assert red == later
    assert green is not None
    assert green < later


async def due(w: World, asset: AssetId) -> int | None:
    [lane] = [s for s in await w.journal.standing(asset) if s.lane is Lane.CLOUD]
    return lane.due


async def test_a_red_one_takes_back_what_a_green_one_allowed(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        assert (await w.service.selftest.run(probe=False))["deletion"]["state"] == "armed"
        w.files.faults[Site.ARCHIVE] = NeedsOperator("away", code="archive.unmounted")
        assert (await w.service.selftest.run(probe=False))["deletion"]["state"] == "disarmed"


async def test_a_green_one_goes_stale(tmp_path: Path) -> None:
    async with a_world(tmp_path, ARMED, is_working=False) as w:
        await w.service.selftest.run(probe=False)
        await w.clock.sleep(31 * 86_400)
        deletion = (await w.service.icloud.status())["deletion"]
    assert (deletion["state"], deletion["remedy"]) == ("disarmed", "mediactl selftest")


async def test_one_against_a_stand_in_says_so(tmp_path: Path) -> None:
    env = {**ARMED, "MEDIAD_ICLOUD__GATEWAY": "http://127.0.0.1:9"}
    async with a_world(tmp_path, env, is_working=False) as w:
        doc = await w.service.selftest.run(probe=False)
    assert "icloud.stand_in" in {c["code"] for c in doc["checks"]}


def test_the_sample_is_a_picture() -> None:
    assert SAMPLE.startswith(b"\xff\xd8\xff")
    assert SAMPLE.endswith(b"\xff\xd9")
    assert b"made-up picture" in SAMPLE
