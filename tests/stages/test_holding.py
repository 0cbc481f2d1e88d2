"""Guards what counts as ours of a photo in iCloud: what the archive gives back, and the phone says, at this moment."""

from pathlib import Path

import pytest

from mediad.errors import NeedsOperator, Retryable
from mediad.model import AssetId, CloudRef, Place, Site, SiteKey
from mediad.policy.cloud_guard import Case, Held
from mediad.stages import cases, clean, release
from mediad.stages.holding import with_holdings
from mediad.state import State
from mediad.testing.cloud import fingerprint_of
from tests.stages.clouds import TO_SAFETY, at_home, cloudy, live_at_home
from tests.stages.world import World

ARCHIVED = Place(Site.ARCHIVE, SiteKey("2024/07/IMG_1.HEIC"))


async def held(w: World, asset: AssetId) -> Case:
    [case] = await cases.from_journal([await w.asset(asset)], w.ports())
    assert case is not None
    [found] = await with_holdings([case], w.ports())
    assert isinstance(found, Case), found
    return found


async def only(w: World, asset: AssetId) -> Held:
    [found] = (await held(w, asset)).held
    return found


async def test_every_file_leads_to_what_the_archive_and_the_phone_have_of_it(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await live_at_home(w)
        found = (await held(w, asset)).held
        assert [h.file.name for h in found] == ["IMG_1.HEIC", "IMG_1.MOV"]
        assert all(h.is_safe and h.is_on_phone for h in found)
        assert [h.fingerprints for h in found] == [
            (f.fingerprint,) for f in w.cloud.remote(ref).files
        ]
        sites = {c.place.site for h in found for c in h.fresh}
        assert sites == {Site.ARCHIVE, Site.LIBRARY, Site.PHONE}


async def test_a_motion_photo_on_the_phone_is_seen_for_both_and_a_copy_of_neither(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path, phone={"live_pairs": "motion-photo"}) as w:
        _, asset = await live_at_home(w)
        assert list(w.phone.there) == ["IMG_1.MP.HEIC"]
        found = (await held(w, asset)).held
        assert [h.is_on_phone for h in found] == [True, True]
        for h in found:
            sites = {c.place.site for c in (*h.fresh, *h.remembered)}
            assert sites == {Site.ARCHIVE, Site.LIBRARY}
        w.phone.delete("IMG_1.MP.HEIC")
        await w.run(release.STAGE)
        assert [h.is_on_phone for h in (await held(w, asset)).held] == [True, True]


async def test_a_motion_photo_that_is_not_announced_is_on_no_phone(tmp_path: Path) -> None:
    async with cloudy(tmp_path, phone={"live_pairs": "motion-photo"}) as w:
        _, asset = await live_at_home(w)
        w.phone.faults = Retryable("no answer", code="syncthing.silent", site="syncthing")
        assert [h.is_on_phone for h in (await held(w, asset)).held] == [False, False]


@pytest.mark.parametrize("damage", ["gone", "rotten"])
async def test_a_copy_that_is_not_what_it_was_is_none(tmp_path: Path, damage: str) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await at_home(w)
        if damage == "gone":
            del w.files.files[ARCHIVED]
        else:
            w.files.drop(Site.ARCHIVE, ARCHIVED.key, b"rot")
        found = await only(w, asset)
        assert (found.is_archived, found.was_archived, found.fingerprints) == (False, True, ())


async def test_an_archive_that_cannot_be_asked_is_an_error_and_no_answer(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await at_home(w)
        fault = NeedsOperator("not mounted", code="archive.unmounted", site="archive")
        w.files.faults[Site.ARCHIVE] = fault
        [case] = await cases.from_journal([await w.asset(asset)], w.ports())
        assert case is not None
        assert await with_holdings([case], w.ports()) == [fault]


async def test_a_phone_that_cannot_be_asked_has_nothing(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await at_home(w)
        w.phone.faults = Retryable("no answer", code="syncthing.silent", site="syncthing")
        found = await only(w, asset)
        assert found.is_archived
        assert not found.is_on_phone


async def test_what_the_phone_had_and_freed_counts_and_is_no_copy(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        _, asset = await at_home(w)
        w.phone.free_all()
        await w.run(release.STAGE, clean.STAGE)
        found = await only(w, asset)
        assert found.is_on_phone
        assert Site.PHONE not in {c.place.site for c in found.fresh}


async def test_what_was_taken_in_and_not_hashed_yet_is_nowhere(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("IMG_1.HEIC", b"heic at=0")
        found = await only(w, await w.bring(ref))
        assert (found.digest, found.remembered, found.is_on_phone) == (None, (), False)


async def test_a_twin_in_icloud_is_kept_by_the_copies_of_what_it_is_a_duplicate_of(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w)
        other = w.cloud.take("IMG_1.HEIC", w.cloud.held[ref].contents[0])
        await w.hear(other)
        [(row, kept)] = (await held(w, asset)).twins
        assert row.remote.ref == other
        assert [h.is_safe for h in kept] == [False], "listed, and not fetched"
        duplicate = await w.bring(other)
        await w.run(*TO_SAFETY)
        assert State.DUPLICATE in await w.states(duplicate)
        [(_, kept)] = (await held(w, asset)).twins
        assert [h.is_safe for h in kept] == [True]
        assert kept[0].fingerprints == (fingerprint_of(w.cloud.held[ref].contents[0]),)


async def test_each_photo_of_a_lot_gets_its_own(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        refs: list[CloudRef] = []
        assets: list[AssetId] = []
        for n in range(3):
            ref, asset = await at_home(w, f"{n}.HEIC")
            refs.append(ref)
            assets.append(asset)
        known = await cases.from_journal([await w.asset(a) for a in assets], w.ports())
        found = await with_holdings([c for c in known if c], w.ports())
        prints = [c.held[0].fingerprints[0] for c in found if isinstance(c, Case)]
        assert prints == [w.cloud.remote(r).master for r in refs]
