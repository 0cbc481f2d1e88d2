"""Guards what lies in the shared folder: the right bytes, whole, under their name, and listed as just these."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from mediad.model import AssetId, Place, Rendition, Rung, Site, SiteKey
from mediad.stages import archive, batch, place
from mediad.stages.verdict import Act, Ask, Done, Refuse
from mediad.state import State
from mediad.testing import Killed, Power
from mediad.testing.files import digest_of
from tests.stages.world import LINKED, TAKE, World, world

AT = State.BATCHED


async def batched(w: World, *names: str) -> list[AssetId | None]:
    found = [await w.drop(name, f"jpeg at=0 {name}") for name in names]
    await w.run(*TAKE, batch.STAGE)
    return found


async def test_a_batched_file_is_placed_scanned_and_bound_to_its_version(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        assert await w.rule(place.STAGE, photo) == Act("place a.JPG in pixel_sync as a.JPG")
        await w.run(place.STAGE)
        found = await w.asset(photo)
        [placement], [original] = found.placements, found.originals
        assert w.phone.scanned == [("a.JPG",)]
        [entry] = await w.phone.indexed([placement.key])
        assert entry is not None
        assert not isinstance(entry, Exception)
        assert entry.here is not None
        assert (placement.version, placement.mtime_ns) == (entry.here.version, original.mtime_ns)
        assert [(x.rung, x.detail) for x in found.witnesses] == [
            (Rung.INDEXED, {"version": placement.version})
        ]
        assert State.PLACED in await w.states(photo)


async def test_before_the_archive_has_it_the_phone_is_shown_bytes_of_their_own(
    tmp_path: Path,
) -> None:
    """Whoever writes into the shared file must not write into the only copy."""
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        await w.run(place.STAGE)
        assert _shown(w) is not await _kept(w, photo, Site.SPOOL)
        assert w.files.under(Site.PHONE) == {"a.JPG": b"jpeg at=0 a.JPG"}


async def test_afterwards_a_second_name_is_enough(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        await w.run(archive.STAGE, place.STAGE)
        assert _shown(w) is await _kept(w, photo, Site.SPOOL)


async def test_the_archives_own_file_never_gets_a_second_name(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        await w.run(archive.STAGE)
        del w.files.files[Place(Site.SPOOL, (await w.asset(photo)).originals[0].spool_key)]
        await w.run(place.STAGE)
        assert w.files.under(Site.PHONE) == {"a.JPG": b"jpeg at=0 a.JPG"}
        assert _shown(w) is not await _kept(w, photo, Site.ARCHIVE)


def _shown(w: World) -> object:
    return w.files.files[Place(Site.PHONE, SiteKey("a.JPG"))]


async def _kept(w: World, photo: AssetId | None, site: Site) -> object:
    [place_] = [c.place for c in (await w.asset(photo)).copies if c.place.site is site]
    return w.files.files[place_]


async def test_on_another_disk_it_is_a_copy_with_the_time_of_the_original(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.files.disks[Site.PHONE] = "sd-card"
        [photo] = await batched(w, "a.JPG")
        await w.run(place.STAGE)
        found = await w.asset(photo)
        there = w.files.files[Place(Site.PHONE, SiteKey("a.JPG"))]
        assert there.mtime_ns == found.originals[0].mtime_ns
        assert State.PLACED in await w.states(photo)


async def test_a_whole_batch_is_one_scan_of_just_its_names(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        await batched(w, *[f"{n}.JPG" for n in range(5)])
        await w.run(place.STAGE)
        assert [sorted(keys) for keys in w.phone.scanned] == [[f"{n}.JPG" for n in range(5)]]


async def test_other_bytes_under_the_name_are_never_overwritten(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        w.files.drop(Site.PHONE, "a.JPG", b"somebody's only photograph")
        await w.run(place.STAGE)
        standing = await w.standing(photo, AT)
        assert (standing.mark, standing.code) == ("held", "phone.taken")
        assert w.files.under(Site.PHONE) == {"a.JPG": b"somebody's only photograph"}
        assert w.phone.scanned == []


async def test_what_syncthing_does_not_list_is_tried_later_and_not_on_the_spot(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.folder = replace(w.phone.folder, ignores=("a.*",))
        photo, other = await batched(w, "a.JPG", "b.JPG")
        await w.run(place.STAGE, patience_s=0)
        standing = await w.standing(photo, AT)
        assert (standing.mark, standing.code, standing.attempts) == (
            "retry",
            "phone.not_indexed",
            1,
        )
        assert State.PLACED in await w.states(other)
        w.phone.folder = replace(w.phone.folder, ignores=())
        await w.run(place.STAGE)
        assert State.PLACED in await w.states(photo)


async def test_bytes_that_syncthing_hashed_otherwise_are_not_believed(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.syncthing = "v2.1.3"
        [photo] = await batched(w, "a.JPG")
        w.files.drop(Site.PHONE, "a.JPG", b"jpeg at=0 a.JPX")  # of the same size and time
        await w.phone.scan([SiteKey("a.JPG")])
        del w.files.files[Place(Site.PHONE, SiteKey("a.JPG"))]
        await w.run(place.STAGE, patience_s=0)
        [placement] = (await w.asset(photo)).placements
        assert State.PLACED not in await w.states(photo)
        assert placement.version == ""


async def test_when_the_working_copy_is_bad_another_one_goes(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        await w.run(archive.STAGE)
        spool = Place(Site.SPOOL, (await w.asset(photo)).originals[0].spool_key)
        w.files.files[spool] = replace(w.files.files[spool], content=b"rot")
        await w.run(place.STAGE)
        assert w.files.under(Site.PHONE) == {"a.JPG": b"jpeg at=0 a.JPG"}
        assert State.PLACED in await w.states(photo)


async def test_without_any_good_copy_a_person_is_asked(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        del w.files.files[Place(Site.SPOOL, (await w.asset(photo)).originals[0].spool_key)]
        verdict = await w.rule(place.STAGE, photo)
        assert isinstance(verdict, Ask)
        assert verdict.code == "phone.lost"


async def test_a_rendition_goes_where_the_phone_gets_renditions(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"send": "rendition"}) as w:
        photo = await w.drop("a.HEIC", "heic at=0")
        await w.run(*TAKE)
        small = w.files.drop(Site.SPOOL, "renditions/1.jpg", b"small")
        found = await w.asset(photo)
        made = Rendition(found.originals[0].id, "photo/1", small, digest_of(b"small"), 5)
        [facts] = await batch.look([replace(found, renditions=(made,))], w.ports())
        assert isinstance(facts, batch.Facts)
        assert facts.until  # a batch that is not full
        w.clock.advance(60)
        [facts] = await batch.look([replace(found, renditions=(made,))], w.ports())
        assert isinstance(facts, batch.Facts)
        [placement] = facts.placements
        assert (placement.key, placement.digest) == ("a.jpg", digest_of(b"small"))
        sent = replace(found, renditions=(made,), placements=facts.placements)
        [seen] = await place.look([sent], w.ports())
        assert isinstance(seen, place.Facts)
        assert await place.act([sent], [seen], w.ports()) == [None]
        [seen] = await place.look([sent], w.ports())
        assert isinstance(seen, place.Facts)
        assert isinstance(place.decide(sent, seen), Done)
        assert w.files.under(Site.PHONE) == {"a.jpg": b"small"}


async def test_who_was_put_past_the_batch_by_hand_has_no_name_to_be_placed_under(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await batched(w, "a.JPG")
        skipped = replace(await w.asset(photo), placements=())
        [facts] = await place.look([skipped], w.ports())
        assert isinstance(facts, place.Facts)
        verdict = place.decide(skipped, facts)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "phone.no_batch"


@pytest.mark.parametrize("disk", ["", "sd-card"])
async def test_the_power_may_go_at_any_touch(tmp_path: Path, disk: str) -> None:
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}", syncthing=LINKED) as w:
            w.files.disks[Site.PHONE] = disk
            pair = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
            await w.drop("IMG_1.MOV", "mov cid=A at=0")
            await w.run(*TAKE, batch.STAGE)
            w.files.power = Power(cut_at)
            try:
                await w.run(place.STAGE)
                was_cut = False
            except Killed:
                was_cut = True
            whole = {b"heic cid=A at=0", b"mov cid=A at=0"}
            assert set(w.files.under(Site.PHONE).values()) <= whole
            w.files.power = Power()
            await w.run(place.STAGE)
            assert set(w.files.under(Site.PHONE).values()) == whole
            assert State.PLACED in await w.states(pair)
            assert all(p.version for p in (await w.asset(pair)).placements)
            if not was_cut:
                break
    assert cut_at > 3
