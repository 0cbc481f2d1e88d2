"""Guards what is sent to iCloud: JPEG renditions alone, each once, believed when seen, and never fetched back."""

from pathlib import Path

import pytest

from mediad.errors import NeedsOperator, Retryable
from mediad.model import (
    AssetId,
    CloudRef,
    Place,
    Resource,
    Site,
    SiteKey,
)
from mediad.stages import upload
from mediad.stages.verdict import Act, Refuse, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from mediad.testing.cloud import fingerprint_of
from tests.stages.clouds import (
    DAY_S,
    SMALL,
    TO_SAFETY,
    album,
    at_home,
    cloudy,
    live_at_home,
    shrunk,
)
from tests.stages.world import World

AT = State.CLOUD_DUE
ON = {"upload": {"enabled": True}}


async def ready(w: World, **said: bool) -> tuple[CloudRef, AssetId]:
    ref, asset = await at_home(w, **said)
    await shrunk(w, asset)
    return ref, asset


async def run(w: World, days: float = 0.01) -> None:
    await w.run(upload.STAGE, patience_s=days * DAY_S)


async def sent(w: World, ref: CloudRef) -> CloudRef:
    found = (await w.row(ref)).replacement
    assert found is not None
    return found


async def refusal(w: World, asset: AssetId) -> str:
    await run(w)
    assert State.UPLOADED in await w.states(asset)
    told = await w.told(asset)
    assert told["kind"] == "refused by name"
    assert w.cloud.calls["upload"] == 0
    return str(told["note"])


async def test_the_smaller_version_is_sent_once_and_believed_when_it_is_seen(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w)
        await run(w)
        assert State.UPLOADED in await w.states(asset)
        new = await sent(w, ref)
        assert w.cloud.arrived == [new]
        assert w.cloud.remote(new).files[0].fingerprint == fingerprint_of(SMALL)
        assert ref in w.cloud.left()
        assert (await w.told(asset))["figures"]["record"] == new.record


async def test_its_fingerprint_is_known_before_the_first_byte_leaves(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        await ready(w)
        w.cloud.power = Power(cut_at=1)
        with pytest.raises(Killed):
            await run(w)
        assert w.cloud.arrived == []
        mark = fingerprint_of(SMALL)
        assert await w.journal.ignored([mark]) == {mark}


async def test_cut_off_at_any_moment_it_is_sent_once(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w, favourite=True)
        for cut in range(1, 12):
            w.cloud.power = Power(cut_at=cut)
            try:
                await run(w)
            except Killed:
                continue
            break
        assert State.UPLOADED in await w.states(asset)
        assert w.cloud.arrived == [await sent(w, ref)]


async def test_what_was_sent_before_a_crash_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, _ = await ready(w)
        w.cloud.power = Power(cut_at=2)
        with pytest.raises(Killed):
            await run(w)
        w.cloud.power = Power()
        w.clock.advance(60)
        await w.hear(*w.cloud.arrived)
        w.cloud.calls.clear()
        await run(w)
        assert await sent(w, ref) == w.cloud.arrived[0]
        assert w.cloud.calls["upload"] == 0


async def test_the_heart_and_the_albums_go_with_it(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w, favourite=True)
        holiday = w.cloud.new_album("Holiday")
        w.cloud.put_in(holiday, ref)
        w.cloud.put_in(await album(w), ref)
        await w.hear(ref)
        await run(w)
        new = await sent(w, ref)
        assert State.UPLOADED in await w.states(asset)
        assert w.cloud.remote(new).is_favourite
        assert {m.album for m in w.cloud.inside.values() if m.asset == new.record} == {holiday}


async def test_an_album_that_is_gone_is_nobodys_trouble(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w)
        holiday = w.cloud.new_album("Holiday")
        w.cloud.put_in(holiday, ref)
        await w.hear(ref)
        w.cloud.drop_album(holiday)
        await run(w)
        assert State.UPLOADED in await w.states(asset)


async def test_a_lie_is_found_out_and_it_is_sent_again(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await ready(w)
        w.cloud.loses_uploads = True
        await run(w, days=0.001)
        assert AT in await w.states(asset)
        found = await w.standing(asset, AT)
        assert (found.mark, found.code) == ("retry", "icloud.not_listed")
        w.cloud.loses_uploads = False
        await run(w, days=1)
        assert State.UPLOADED in await w.states(asset)


async def test_what_stands_for_it_is_lost_again_and_sent_again(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await ready(w)
        await run(w)
        new = w.cloud.arrived[0]
        w.cloud.expunge(new)
        assert isinstance(await w.rule(upload.STAGE, asset), Act)


async def test_what_a_person_deleted_is_not_sent_again(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w)
        w.cloud.power = Power(cut_at=2)
        with pytest.raises(Killed):
            await run(w)
        w.cloud.power = Power()
        [new] = w.cloud.arrived
        await w.hear(new)
        w.cloud.set(new, deleted=True)
        w.clock.advance(60)
        await run(w)
        assert State.UPLOADED in await w.states(asset)
        assert "not sent again" in str((await w.told(asset))["note"])
        assert (await w.row(ref)).replacement is None


@pytest.mark.parametrize("name", ["IMG_1.heic", "IMG_1.mp4", "IMG_1"])
async def test_what_apple_does_not_take_is_passed_by_with_its_name(
    tmp_path: Path, name: str
) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await at_home(w)
        await shrunk(w, asset, name, b"heic")
        assert name in await refusal(w, asset)


async def test_what_is_no_smaller_stays_as_it_is(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await at_home(w)
        assert "no smaller version" in await refusal(w, asset)


@pytest.mark.loss("DL17")
async def test_one_jpeg_stands_for_no_live_photo(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await live_at_home(w)
        await shrunk(w, asset)
        assert "several files" in await refusal(w, asset)


async def test_nor_for_a_photo_with_an_edit(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w)
        w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
        await w.hear(ref)
        assert "several files" in await refusal(w, asset)
        assert Resource.EDITED in {f.resource for f in w.cloud.remote(ref).files}


async def test_nothing_is_sent_to_a_shared_library(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref = w.cloud.take("IMG_1.HEIC", b"heic at=0", zone="SharedSync-1")
        asset = await w.bring(ref)
        await w.run(*TO_SAFETY)
        await shrunk(w, asset)
        assert "shared" in await refusal(w, asset)


async def test_bytes_that_icloud_has_of_it_already_are_not_sent(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await at_home(w)
        await shrunk(w, asset, content=b"heic at=0 IMG_1.HEIC")
        assert "these very bytes" in await refusal(w, asset)


async def test_a_smaller_version_that_is_not_what_was_made_is_not_sent(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        _, asset = await at_home(w)
        place = await shrunk(w, asset)
        w.files.drop(place.site, place.key, b"jpeg of somebody else")
        verdict = await w.rule(upload.STAGE, asset)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "icloud.rendition_changed"
        del w.files.files[Place(Site.LIBRARY, SiteKey(place.key))]
        assert isinstance(await w.rule(upload.STAGE, asset), Wait)
        await run(w)
        assert w.cloud.calls["upload"] == 0


@pytest.mark.parametrize(
    "fault",
    [
        Retryable("slow down", code="icloud.throttled", site="icloud", after_s=60.0),
        NeedsOperator("sign in", code="icloud.signed_out", site="icloud"),
    ],
)
async def test_a_fault_of_icloud_pauses_it_and_makes_no_second_photo(
    tmp_path: Path, fault: Retryable | NeedsOperator
) -> None:
    async with cloudy(tmp_path, **ON) as w:
        ref, asset = await ready(w)
        w.cloud.fail("upload", fault)
        await run(w)
        assert w.down == ["icloud"]
        assert AT in await w.states(asset)
        w.down.clear()
        await run(w)
        assert w.cloud.arrived == [await sent(w, ref)]


async def test_what_is_not_from_icloud_passes(tmp_path: Path) -> None:
    async with cloudy(tmp_path, **ON) as w:
        asset = await w.drop("a.HEIC", "heic at=0")
        await w.run()
        assert asset is not None
        assert State.DELETED in await w.states(asset)
        assert not w.cloud.calls


async def test_off_by_default_nothing_is_sent(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await ready(w)
        assert State.UPLOADED in await w.states(asset)
        assert w.cloud.calls["upload"] == 0
