"""Guards photos that iCloud and the drop folder both brought: their space comes back, by proof of the bytes alone."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias, cast

import pytest

from mediad.errors import NeedsOperator, Refused
from mediad.model import AssetId, CloudRef, Evidence, Place, Site, SiteKey
from mediad.stages import archive, batch, clean, delete, mark, place, release, sort, upload, verify
from mediad.stages.verdict import Act, Refuse, Wait
from mediad.state import State
from mediad.testing.cloud import fingerprint_of
from tests.stages.clouds import DAY_S, SMALL, TO_ALBUM, TO_SAFETY, album, cloudy, shrunk, sweep
from tests.stages.world import TAKE, World

NAME = "IMG_1.HEIC"
BODY = "heic at=0 IMG_1.HEIC"
KEY = Place(Site.ARCHIVE, SiteKey("2024/07/IMG_1.HEIC"))
Spoil: TypeAlias = Callable[[World, CloudRef, AssetId], Awaitable[None]]


async def dropped(w: World, body: str = BODY, name: str = NAME) -> AssetId:
    asset = await w.drop(name, body)
    assert asset is not None
    return asset


async def fetched(w: World, body: str = BODY, name: str = NAME) -> tuple[CloudRef, AssetId]:
    ref = w.cloud.take(name, body.encode("latin-1"))
    return ref, await w.bring(ref)


async def twins(w: World) -> tuple[CloudRef, AssetId, AssetId]:
    """The dropped one was first, and keeps the bytes; what came from iCloud is its duplicate."""
    keeper = await dropped(w)
    await w.run(*TO_SAFETY)
    ref, duplicate = await fetched(w)
    await w.run(*TO_SAFETY)
    assert (await w.asset(duplicate)).keeper == keeper
    return ref, duplicate, keeper


async def cooled_twins(w: World) -> tuple[CloudRef, AssetId, AssetId]:
    ref, duplicate, keeper = await twins(w)
    await w.run(*TO_ALBUM)
    assert State.MARKED in await w.states(duplicate)
    w.clock.advance(2 * DAY_S + 60)
    return ref, duplicate, keeper


# -- the way it goes -------------------------------------------------------------------------------


async def test_a_duplicate_of_what_was_dropped_gives_its_space_back(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, duplicate, keeper = await cooled_twins(w)
        await sweep(w)
        assert w.cloud.deleted == [ref]
        assert State.DELETED in await w.states(duplicate)
        said = [h.evidence for h in await w.journal.history(duplicate)]
        [answer] = [e for e in said if e["kind"] == "answer"]
        figures = cast("dict[str, object]", answer["figures"])
        assert (figures["duplicates"], figures["keepers"]) == ([duplicate], [keeper])


async def test_so_does_what_was_there_before_it_was_dropped(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, keeper = await fetched(w)
        await w.run(*TO_SAFETY)
        duplicate = await dropped(w, name="again.HEIC")
        await w.run(*TO_ALBUM)
        assert (await w.asset(duplicate)).keeper == keeper
        w.clock.advance(2 * DAY_S + 60)
        await w.run(mark.STAGE, delete.STAGE)
        assert w.cloud.deleted == [ref]
        assert State.DELETED in await w.states(duplicate)


async def test_both_of_two_photos_with_the_same_bytes_in_icloud_go(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0}) as w:
        first, _ = await fetched(w)
        await w.run(*TO_SAFETY)
        second, duplicate = await fetched(w, name="copy.HEIC")
        await w.run(*TO_ALBUM)
        assert State.DUPLICATE in await w.states(duplicate)
        w.clock.advance(2 * DAY_S + 60)
        await sweep(w)
        assert sorted(w.cloud.deleted) == sorted([first, second])


async def test_it_goes_once_its_own_copy_is_cleaned_away_and_the_keeper_is_freed_from_the_phone(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path, dedup={"keep_days": 1.0}) as w:
        ref, duplicate, _ = await cooled_twins(w)
        w.phone.free_all()
        await w.run(release.STAGE, clean.STAGE, patience_s=2 * DAY_S)
        assert State.CLEANED in await w.states(duplicate)
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_a_keeper_that_has_more_than_these_bytes_keeps_them(tmp_path: Path) -> None:
    """A Live pair was dropped; iCloud has its still alone."""
    async with cloudy(tmp_path) as w:
        still = "heic cid=A at=0 still"
        keeper = await dropped(w, still)
        await dropped(w, "mov cid=A at=0 film", "IMG_1.MOV")
        await w.run(*TO_SAFETY, patience_s=DAY_S)
        ref, duplicate = await fetched(w, still)
        await w.run(*TO_ALBUM)
        assert (await w.asset(duplicate)).keeper == keeper
        w.clock.advance(2 * DAY_S + 60)
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_a_keeper_that_has_joined_another_asset_is_found_there(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        movie = await dropped(w, "mov at=0 film", "IMG_1.MOV")
        await w.run(*TAKE)
        ref, duplicate = await fetched(w, "mov at=0 film", "IMG_1.MOV")
        await w.run(*TAKE)
        assert (await w.asset(duplicate)).keeper == movie
        host = await dropped(w, "heic at=0 still")
        await w.journal.merge(movie, host, Evidence("by hand", 1))
        await w.run(*TO_ALBUM, patience_s=DAY_S / 24)
        found = await w.journal.keeper(duplicate)
        assert found is not None
        assert found.asset.id == host
        w.clock.advance(2 * DAY_S + 60)
        await w.run(mark.STAGE, delete.STAGE, clean.STAGE, patience_s=40 * DAY_S)
        assert w.cloud.deleted == [ref]
        assert State.CLEANED in await w.states(duplicate)


# -- it waits for its keeper -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "unfinished", [archive.STAGE, batch.STAGE, place.STAGE, verify.STAGE, sort.STAGE]
)
async def test_it_is_not_even_marked_before_its_keeper_could_be(
    tmp_path: Path, unfinished: object
) -> None:
    async with cloudy(tmp_path) as w:
        keeper = await dropped(w)
        await w.run(*TAKE)
        ref, duplicate = await fetched(w)
        await w.run(*[s for s in TO_ALBUM if s is not unfinished])
        verdict = await w.rule(mark.STAGE, duplicate)
        assert isinstance(verdict, Wait)
        assert f"asset {keeper}" in verdict.why
        assert w.cloud.inside == {}
        w.cloud.put_in(await album(w), ref)  # nor if the person puts it there
        assert isinstance(await w.rule(mark.STAGE, duplicate), Wait)
        await w.run(*TO_ALBUM)
        assert State.MARKED in await w.states(duplicate)


async def test_a_keeper_that_is_held_keeps_its_duplicate_in_icloud(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        w.files.drop(Site.ARCHIVE, KEY.key, b"other bytes have its name")
        fault = Refused("somebody has its name", code="place.taken")
        w.files.faults[Site.ARCHIVE] = fault
        keeper = await dropped(w)
        await w.run(*TAKE)
        ref, duplicate = await fetched(w)
        await w.run(*TO_ALBUM, patience_s=2 * DAY_S)
        assert (await w.standing(keeper, State.ARCHIVE_DUE)).mark == "held"
        assert (await w.asset(duplicate)).keeper == keeper
        await w.run(*TO_ALBUM, delete.STAGE, patience_s=9 * DAY_S)
        assert w.cloud.inside == {}
        assert ref in w.cloud.left()


async def quarantined(w: World, asset: AssetId) -> None:
    """As a damaged journal might have it: no stage makes a keeper of such a one."""
    await w.journal.witness([(asset, Evidence("told", 1, keeper=await dropped(w, "noise", "x")))])
    await w.run(*TAKE)


async def test_a_keeper_in_quarantine_keeps_nothing(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, duplicate, _ = await cooled_twins(w)
        await quarantined(w, duplicate)
        await sweep(w, days=3)
        assert w.cloud.calls["delete"] == 0
        assert ref in w.cloud.left()


async def test_a_keeper_with_other_bytes_keeps_nothing_whatever_the_row_says(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, duplicate, _ = await cooled_twins(w)
        other = await dropped(w, "heic at=0 another", "IMG_2.HEIC")
        await w.run(*TO_ALBUM)
        await w.journal.witness([(duplicate, Evidence("told", 1, keeper=other))])
        await w.journal.retry(None, ["waiting", "ready"])
        await sweep(w, days=3)
        assert w.cloud.calls["delete"] == 0
        assert ref in w.cloud.left()


# -- with any single proof of the keeper removed, nothing goes ------------------------------------


async def rot(w: World, _: CloudRef, __: AssetId) -> None:
    w.files.drop(Site.ARCHIVE, KEY.key, b"rot")


async def lose(w: World, _: CloudRef, __: AssetId) -> None:
    del w.files.files[KEY]


async def unplug(w: World, _: CloudRef, __: AssetId) -> None:
    fault = NeedsOperator("not mounted", code="archive.unmounted", site="archive")
    w.files.faults[Site.ARCHIVE] = fault


async def phone_lost(w: World, _: CloudRef, __: AssetId) -> None:
    w.phone.edit(NAME, b"something else")


async def more_copies(w: World, _: CloudRef, __: AssetId) -> None:
    w.configure("safety", min_copies=4)


async def edited(w: World, ref: CloudRef, _: AssetId) -> None:
    w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")


async def taken_out(w: World, ref: CloudRef, _: AssetId) -> None:
    w.cloud.take_out(await album(w), ref)


async def unarmed(w: World, _: CloudRef, __: AssetId) -> None:
    w.configure("safety", armed=False)


SPOILS: list[Spoil] = [
    rot, lose, unplug, phone_lost, more_copies, edited, taken_out, unarmed,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
async def test_with_any_single_proof_removed_no_duplicate_goes(
    tmp_path: Path, spoil: Spoil
) -> None:
    async with cloudy(tmp_path) as w:
        ref, _, keeper = await cooled_twins(w)
        await spoil(w, ref, keeper)
        await sweep(w, days=2)
        assert w.cloud.deleted == []
        assert w.cloud.calls["delete"] == 0


@pytest.mark.parametrize("spoil", SPOILS)
async def test_what_is_missing_is_said(tmp_path: Path, spoil: Spoil) -> None:
    async with cloudy(tmp_path) as w:
        ref, duplicate, keeper = await cooled_twins(w)
        await spoil(w, ref, keeper)
        answer = await w.rule(delete.STAGE, duplicate)
        assert not isinstance(answer, Act)
        if spoil is not unplug:
            assert isinstance(answer, Wait | Refuse)
            assert answer.why


async def test_a_duplicate_that_is_held_is_listed_with_all_that_is_held(tmp_path: Path) -> None:
    """It stays a duplicate; and a person is told where one is asked."""
    async with cloudy(tmp_path) as w:
        ref, duplicate, keeper = await cooled_twins(w)
        await lose(w, ref, keeper)
        await sweep(w, days=2)
        held = await w.journal.assets(state="held")
        assert [x.asset.id for x in held] == [duplicate]
        assert await w.journal.assets(state="failed") == []
        assert duplicate in {x.asset.id for x in await w.journal.assets(state="duplicate")}


# -- the smaller version -----------------------------------------------------------------------------


async def test_the_keepers_smaller_version_goes_to_icloud_for_it_once(tmp_path: Path) -> None:
    async with cloudy(tmp_path, upload={"enabled": True}) as w:
        keeper = await dropped(w)
        await w.run(*TAKE)
        ref, duplicate = await fetched(w)
        await w.run(*TAKE, upload.STAGE)
        verdict = await w.rule(upload.STAGE, duplicate)
        assert isinstance(verdict, Wait)
        assert f"asset {keeper}" in verdict.why
        await shrunk(w, keeper)
        await w.run(*TO_ALBUM)
        [new] = w.cloud.arrived
        row = await w.row(ref)
        assert row.replacement == new
        assert w.cloud.remote(new).master == fingerprint_of(SMALL)


async def test_two_of_the_same_bytes_share_one_smaller_version(tmp_path: Path) -> None:
    async with cloudy(tmp_path, upload={"enabled": True}) as w:
        first, keeper = await fetched(w)
        await w.run(*TO_SAFETY)
        await shrunk(w, keeper)
        second, duplicate = await fetched(w, name="copy.HEIC")
        await w.run(*TO_ALBUM)
        [new] = w.cloud.arrived
        assert (await w.row(first)).replacement == (await w.row(second)).replacement == new
        assert State.MARKED in await w.states(duplicate)
        assert w.cloud.calls["upload"] == 1
