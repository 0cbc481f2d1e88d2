"""Guards the album in iCloud: made once, each photo in it once, and only what may be considered at all."""

from pathlib import Path
from typing import Any

import pytest

from mediad.errors import Retryable
from mediad.model import Resource
from mediad.stages import mark, upload
from mediad.stages.verdict import Done, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.clouds import DAY_S, TO_SAFETY, album, at_home, cloudy, in_album
from tests.stages.world import World

AT = State.UPLOADED


async def run(w: World, days: float = 0.01) -> None:
    await w.run(upload.STAGE, mark.STAGE, patience_s=days * DAY_S)


async def test_a_photo_that_is_safe_at_home_stands_in_the_album(tmp_path: Path) -> None:
    async with cloudy(tmp_path, safety={"armed": False}) as w:
        ref, asset = await at_home(w)
        assert isinstance(await w.rule(upload.STAGE, asset), Done)
        await run(w)
        record = await album(w)
        assert [(a.record, a.name) for a in w.cloud.albums.values()] == [(record, "DeletePending")]
        assert [m.record for m in w.cloud.inside.values()] == [f"{ref.record}-IN-{record}"]
        assert (await w.row(ref)).marked_at == w.clock.now()
        assert (await w.told(asset))["figures"] == {"album": record}
        assert w.cloud.deleted == []


async def test_with_a_wrong_clock_no_photos_days_begin(tmp_path: Path) -> None:
    """Its time of marking would be wrong for ever, even once the clock is right."""
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w)
        w.cloud.ahead = -20 * 86_400_000
        await w.run(upload.STAGE, mark.STAGE, patience_s=60)
        assert w.cloud.inside == {}
        w.cloud.put_in(await album(w), ref)
        await w.run(mark.STAGE, patience_s=3600)
        assert (await w.standing(asset, State.UPLOADED)).code == "icloud.clock"
        assert (await w.row(ref)).marked_at is None
        w.cloud.ahead = 0
        await w.run(mark.STAGE, patience_s=7200)
        assert (await w.row(ref)).marked_at == w.clock.now()


async def test_the_album_is_made_once_whatever_happens(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w)
        await w.run(upload.STAGE)
        for cut in range(1, 9):
            w.cloud.power = Power(cut_at=cut)
            try:
                await run(w)
            except Killed:
                continue
            break
        else:
            pytest.fail("the power was cut at every touch, and there was always another")
        w.cloud.power = Power()
        await in_album(w, "IMG_2.HEIC")
        assert len(w.cloud.albums) == 1
        assert len(w.cloud.inside) == 2
        assert State.MARKED in await w.states(asset)
        assert ref in w.cloud.left()


async def test_an_asset_that_is_not_from_icloud_passes_and_nobody_is_asked(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        asset = await w.drop("a.HEIC", "heic at=0")
        await w.run()
        assert State.DELETED in await w.states(asset)
        kinds = [h.evidence["kind"] for h in await w.journal.history(asset or 0)]  # type: ignore[arg-type]
        assert kinds.count("not from iCloud") == 2
        assert not w.cloud.calls


@pytest.mark.parametrize(
    ("said", "why"),
    [({"favourite": True}, "favourite"), ({"hidden": True}, "Hidden")],
)
async def test_what_the_person_keeps_close_is_not_marked(
    tmp_path: Path, said: dict[str, Any], why: str
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w, **said)
        await run(w)
        verdict = await w.rule(mark.STAGE, asset)
        assert isinstance(verdict, Wait)
        assert why in verdict.why
        assert w.cloud.inside == {}
        w.cloud.set(ref, favourite=False, hidden=False)
        await run(w, days=2)
        assert len(w.cloud.inside) == 1


async def test_favourites_go_too_where_the_person_says_so(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"keep_favourites": False}) as w:
        await in_album(w, favourite=True)
        assert len(w.cloud.inside) == 1


async def test_what_was_taken_lately_waits_for_its_age(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"min_age_days": 3.0}) as w:
        _, asset = await at_home(w, taken_at=w.clock.now())
        await run(w)
        verdict = await w.rule(mark.STAGE, asset)
        assert isinstance(verdict, Wait)
        assert "min_age_days" in verdict.why
        await run(w, days=4)
        assert len(w.cloud.inside) == 1


async def test_an_edit_is_fetched_before_the_photo_is_marked(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w)
        await w.run(upload.STAGE)
        w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
        verdict = await w.rule(mark.STAGE, asset)
        assert isinstance(verdict, Wait)
        assert "changed in iCloud" in verdict.why
        edited = await w.bring(ref)
        assert edited != asset
        await w.run(*TO_SAFETY)
        await run(w, days=1)
        assert State.MARKED in await w.states(asset)
        assert State.MARKED in await w.states(edited)
        assert len(w.cloud.inside) == 1


@pytest.mark.parametrize("said", [{"zone": "SharedSync-1"}, {"ours": False}])
async def test_what_is_shared_is_left_to_its_people(
    tmp_path: Path, said: dict[str, object]
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w, **said)
        await w.run()
        assert State.DELETED in await w.states(asset)
        assert (w.cloud.inside, w.cloud.left()) == ({}, [ref])
        assert (await w.told(asset))["kind"] in {"left in iCloud", "stat"}


async def test_what_has_left_icloud_needs_no_album(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w)
        w.cloud.expunge(ref)
        await run(w)
        assert State.MARKED in await w.states(asset)
        assert w.cloud.albums == {}


async def test_an_album_that_the_person_deleted_is_not_made_again(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        await in_album(w)
        w.cloud.drop_album(await album(w))
        _, second = await at_home(w, "IMG_2.HEIC")
        await run(w)
        found = await w.standing(second, AT)
        assert (found.mark, found.code) == ("held", "icloud.album_gone")
        w.configure("icloud", album="To delete")
        await w.journal.retry([second], ["held"])
        await run(w)
        assert State.MARKED in await w.states(second)


async def test_one_that_icloud_does_not_take_keeps_nobody_else_from_the_album(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        bad, first = await at_home(w)
        _, second = await at_home(w, "IMG_2.HEIC")
        w.cloud.refusals[bad] = Retryable("not now", code="icloud.busy", after_s=600.0)
        await run(w, days=0.001)
        assert AT in await w.states(first)
        assert State.MARKED in await w.states(second)
        w.cloud.refusals.clear()
        await run(w)
        assert State.MARKED in await w.states(first)


async def test_many_photos_are_a_few_requests(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        for n in range(12):
            await w.bring(w.cloud.take(f"{n}.HEIC", f"heic at=0 {n}".encode()))
        await w.run(*TO_SAFETY, upload.STAGE)
        w.cloud.calls.clear()
        await run(w)
        assert len(w.cloud.inside) == 12
        assert w.cloud.calls["add"] == 1
        assert w.cloud.calls.total() <= 7


async def test_a_live_photo_is_one_photo_in_the_album(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        movie = (Resource.LIVE_VIDEO, "a.MOV", b"mov cid=A at=0 m")
        await in_album(w, more=[movie])
        assert len(w.cloud.inside) == 1
