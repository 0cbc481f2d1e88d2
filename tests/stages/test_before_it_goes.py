"""Guards the small print of what goes: until when it waits, whose file it is, which copy is lost, and what is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from mediad.errors import Retryable
from mediad.model import AssetId, Place, Site, SiteKey
from mediad.stages import archive, clean, delete, release, sort
from mediad.stages.verdict import Act, Done, Refuse, Wait
from tests.stages.clouds import cloudy, cooled, in_album, sweep
from tests.stages.test_release import SEVEN, on_phone
from tests.stages.world import LINKED, TAKE, World, world

CHAIN = (*TAKE, archive.STAGE, sort.STAGE)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


async def cleanable(w: World) -> AssetId | None:
    photo = await w.drop("IMG_1.HEIC", "heic at=0")
    await w.run(*CHAIN)
    return photo


async def duplicate(w: World) -> AssetId | None:
    await w.drop("IMG_1.HEIC", "heic at=0")
    await w.run(*CHAIN)
    twin = await w.drop("twin.HEIC", "heic at=0")
    await w.run(*CHAIN)
    return twin


async def test_the_working_copy_waits_for_its_hours_and_no_longer(tmp_path: Path) -> None:
    async with world(tmp_path, clean={"after_hours": 6}) as w:
        verdict = await w.rule(clean.STAGE, await cleanable(w))
        assert isinstance(verdict, Wait)
        assert verdict.until == w.clock.now() + 6 * HOUR_S * 1000


async def test_copies_dated_a_day_ahead_have_their_hours_counted(tmp_path: Path) -> None:
    """So far a clock may be off without anybody having noticed."""
    async with world(tmp_path) as w:
        photo = await cleanable(w)
        w.clock.advance(-DAY_S)
        assert isinstance(await w.rule(clean.STAGE, photo), Wait)


async def test_of_a_duplicate_only_what_was_set_aside_is_gone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        twin = await w.asset(await duplicate(w))
        [aside] = twin.copies
        kept = replace(aside, place=Place(Site.ARCHIVE, SiteKey("2024/07/twin.HEIC")))
        more = replace(twin, copies=(aside, kept))
        [facts] = await clean.look([more], w.ports())
        assert isinstance(facts, clean.Facts)
        verdict = clean.decide(more, replace(facts, there=()))
        assert isinstance(verdict, Done)
        assert verdict.evidence.gone == (aside.place,)


async def test_a_file_that_was_never_read_is_none_of_the_working_copies(tmp_path: Path) -> None:
    async with world(tmp_path, clean={"after_hours": 0}) as w:
        photo = await w.asset(await cleanable(w))
        unread = replace(photo, originals=(replace(photo.originals[0], digest=None),))
        [facts] = await clean.look([unread], w.ports())
        assert isinstance(facts, clean.Facts)
        assert facts.there == ()


async def test_a_duplicate_whose_keeper_nobody_knows_stays(tmp_path: Path) -> None:
    async with world(tmp_path, dedup={"keep_days": 0.0}) as w:
        twin = replace(await w.asset(await duplicate(w)), id=AssetId(999))
        [facts] = await clean.look([twin], w.ports())
        assert isinstance(facts, clean.Facts)
        assert (len(facts.there), facts.remembered) == (1, ())
        assert isinstance(clean.decide(twin, facts), Wait)


async def test_what_nobody_has_looked_at_does_not_go_with_the_rest_of_its_lot(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED, clean={"after_hours": 0}) as w:
        photo = await w.asset(await on_phone(w, "a.HEIC"))
        await w.run(sort.STAGE)
        w.phone.free_all()
        for stage in (clean, release):
            look, act = stage.look, stage.act
            [facts] = await look([photo], w.ports())
            with pytest.raises(ValueError, match="shorter"):
                await act([photo, photo], [facts], w.ports())
        assert w.files.removed == []


async def test_what_is_to_stay_for_days_is_looked_at_every_day(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=SEVEN) as w:
        verdict = await w.rule(release.STAGE, await on_phone(w, "a.HEIC"))
        assert isinstance(verdict, Wait)
        assert verdict.until == w.clock.now() + DAY_S * 1000


async def test_only_the_copy_that_is_lost_is_called_lost(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        photo = await on_phone(w, "a.HEIC")
        await w.run(sort.STAGE)
        w.phone.free_all()
        w.files.drop(Site.ARCHIVE, "2024/07/a.HEIC", b"rot")
        verdict = await w.rule(release.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert "archive/2024/07/a.HEIC" in verdict.why
        assert not any(f"{site}/" in verdict.why for site in (Site.LIBRARY, Site.SPOOL))


# -- iCloud -----------------------------------------------------------------------------------------


async def test_it_goes_when_its_days_are_over_and_not_later(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await in_album(w)
        w.clock.advance(2 * DAY_S)
        assert isinstance(await w.rule(delete.STAGE, asset), Act)


async def test_what_stays_for_one_reason_is_told_for_that_one_only(tmp_path: Path) -> None:
    """Nothing was read, so nothing is said about the copies at home."""
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.cloud.set(ref, favourite=True)
        verdict = await w.rule(delete.STAGE, asset)
        assert isinstance(verdict, Wait)
        why = "it is a favourite, and delete.keep_favourites is on"
        assert verdict.why == f"it stays in iCloud: {why}"
        assert w.files.reread_bytes == 0


async def test_what_was_not_read_back_for_it_does_not_go(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, number = await cooled(w)
        asset = await w.asset(number)
        [facts] = await delete.look([asset], w.ports())
        assert isinstance(facts, delete.Facts)
        assert isinstance(delete.decide(asset, facts), Act)
        assert isinstance(delete.decide(asset, replace(facts, is_read=False)), Wait)


async def test_where_a_person_empties_the_album_nothing_is_read_for_it(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"mode": "manual"}) as w:
        _, asset = await cooled(w)
        assert isinstance(await w.rule(delete.STAGE, asset), Wait)
        assert w.files.reread_bytes == 0


async def test_of_what_is_no_duplicate_no_keeper_is_written_down(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        await sweep(w)
        assert w.cloud.deleted == [ref]
        [figures] = [
            h.evidence["figures"]
            for h in await w.journal.history(asset)
            if h.evidence["kind"] == "answer"
        ]
        assert isinstance(figures, dict)
        assert set(figures) == {"tag", "until"}


async def test_what_a_person_deletes_is_seen_though_mediad_may_delete_nothing_today(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path, delete={"mode": "manual", "per_day": 0}) as w:
        ref, asset = await cooled(w)
        w.cloud.set(ref, deleted=True)
        assert isinstance(await w.rule(delete.STAGE, asset), Done)


async def test_what_icloud_has_no_more_in_that_moment_is_looked_at_again(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, number = await cooled(w)
        asset = await w.asset(number)
        [facts] = await delete.look([asset], w.ports())
        assert isinstance(facts, delete.Facts)
        w.cloud.expunge(ref)
        [answer] = await delete.act([asset], [facts], w.ports())
        assert isinstance(answer, Retryable)
        assert w.cloud.deleted == []
