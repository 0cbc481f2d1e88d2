"""Guards what mediad made itself and is given back: known by its digest, aside only while its original is held."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.errors import NeedsOperator
from mediad.model import (
    AssetId,
    BatchId,
    Digest,
    Evidence,
    Place,
    Placement,
    Rendition,
    Site,
    SiteKey,
)
from mediad.stages import (
    archive,
    clean,
    hash,  # noqa: A004 - its name in the law
    settle,
    sort,
)
from mediad.stages.verdict import Act, Done, Refuse, Wait
from mediad.state import Lane, State
from tests.stages.clouds import cloudy
from tests.stages.world import World, world

TAKE = (settle.STAGE, hash.STAGE)
CHAIN = (*TAKE, archive.STAGE, sort.STAGE)
DAY_S = 86_400.0
TAKEN, SMALL = "heic at=0", "jpeg at=0 small"


def digest_of(content: str) -> Digest:
    return Digest(blake3(content.encode()).hexdigest())


async def made(w: World, asset: AssetId | None, *contents: str) -> None:
    """Mediad has made a rendition of each of its originals, in their order."""
    whole = await w.asset(asset)
    renditions = tuple(
        Rendition(o.id, "r/1", Place(Site.LIBRARY, SiteKey(f"r{o.id}")), digest_of(c), len(c))
        for o, c in zip(whole.originals, contents, strict=True)
    )
    await w.journal.witness([(whole.id, Evidence("made", 1, renditions=renditions))])


async def hashing(w: World, asset: AssetId | None) -> Mapping[str, object]:
    """What hash said of it last."""
    rows = await w.journal.history((await w.asset(asset)).id)
    return [h.evidence for h in rows if h.stage == "hash"][-1]


async def archived(w: World) -> AssetId:
    source = await w.drop("IMG_1.HEIC", TAKEN)
    await w.run(*CHAIN)
    await made(w, source, SMALL)
    assert source is not None
    return source


async def test_a_rendition_that_comes_back_is_set_aside_and_says_of_whom(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        source = await archived(w)
        back = await w.drop("phone/IMG_1.JPG", SMALL)
        await w.run(*TAKE)
        assert State.DUPLICATE in await w.states(back)
        assert (await w.asset(back)).keeper == source
        told = await hashing(w, back)
        assert told["note"] == f"a rendition that mediad made of asset {source}"
        assert told["figures"] == {"rendition_of": source}
        assert w.files.under(Site.DUPLICATES) == {"IMG_1.JPG": SMALL.encode()}
        assert State.PHONE_DUE not in await w.states(back)


async def test_one_that_somebody_put_into_icloud_is_a_photo_of_its_own(tmp_path: Path) -> None:
    """As a duplicate it would get into the album of what may go there, and nothing at home would hold its bytes."""
    async with cloudy(tmp_path) as w:
        source = await archived(w)
        back = await w.bring(w.cloud.take("IMG_1.JPG", SMALL.encode()))
        await w.run(*TAKE)
        assert State.HASHED in await w.states(back)
        assert (await w.asset(back)).keeper is None
        assert source != back


async def test_it_never_goes_the_way_of_an_asset_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await archived(w)
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(*TAKE)
        lanes = {s.lane for s in await w.states(back)}
        assert not lanes & {Lane.PHONE, Lane.ARCHIVE, Lane.LIBRARY}


async def test_what_was_sent_to_the_phone_once_is_known_though_the_library_has_another(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        source = await archived(w)
        [original] = (await w.asset(source)).originals
        key, digest = SiteKey("IMG_1.JPG"), digest_of("jpeg sent")
        sent = Placement(original.id, BatchId(1), key, digest, 9, 1)
        await w.journal.witness([(source, Evidence("x", 1, placements=(sent,)))])
        back = await w.drop("IMG_1.JPG", "jpeg sent")
        await w.run(*TAKE)
        assert (await w.asset(back)).keeper == source


async def test_without_any_copy_of_its_original_it_is_taken_in_by_itself(tmp_path: Path) -> None:
    """It may be all that is left of the picture."""
    async with world(tmp_path) as w:
        source = await archived(w)
        for site in (Site.ARCHIVE, Site.LIBRARY, Site.SPOOL):
            for key in w.files.under(site):
                del w.files.files[Place(site, SiteKey(key))]
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(*TAKE)
        assert State.HASHED in await w.states(back)
        found = await w.asset(back)
        assert (found.keeper, found.identity) == (None, digest_of(SMALL))
        assert (await hashing(w, back))["note"] == (
            f"a rendition that mediad made of asset {source}, of whose original no copy is seen any more:"
            " it is taken in by itself"
        )
        assert w.files.under(Site.DUPLICATES) == {}


async def test_a_copy_of_another_size_holds_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await archived(w)
        for site in (Site.ARCHIVE, Site.LIBRARY, Site.SPOOL):
            for key in w.files.under(site):
                w.files.drop(site, key, b"cut")
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(*TAKE)
        assert State.HASHED in await w.states(back)


@pytest.mark.parametrize("left", [Site.ARCHIVE, Site.LIBRARY, Site.SPOOL])
async def test_one_copy_that_is_seen_is_enough(tmp_path: Path, left: Site) -> None:
    async with world(tmp_path) as w:
        await archived(w)
        for site in {Site.ARCHIVE, Site.LIBRARY, Site.SPOOL} - {left}:
            for key in w.files.under(site):
                del w.files.files[Place(site, SiteKey(key))]
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(*TAKE)
        assert State.DUPLICATE in await w.states(back)


async def test_while_the_archive_is_away_and_nothing_else_is_seen_it_waits(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await archived(w)
        for site in (Site.LIBRARY, Site.SPOOL):
            for key in w.files.under(site):
                del w.files.files[Place(site, SiteKey(key))]
        w.files.faults[Site.ARCHIVE] = NeedsOperator("away", code="archive.unmounted")
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(*TAKE, patience_s=60)
        verdict = await w.rule(hash.STAGE, back)
        assert isinstance(verdict, Wait)
        assert "cannot be looked at just now" in verdict.why
        w.files.faults.clear()
        await w.run(*TAKE)
        assert State.DUPLICATE in await w.states(back)


async def test_both_halves_of_a_live_photo_come_back_as_one(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pair = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.drop("IMG_1.MOV", "mov cid=A at=0")
        await w.run(*CHAIN)
        await made(w, pair, "heic cid=A at=0 s", "mov cid=A at=0 s")
        back = await w.drop("back/IMG_1.HEIC", "heic cid=A at=0 s")
        await w.drop("back/IMG_1.MOV", "mov cid=A at=0 s")
        await w.run(*TAKE)
        found = await w.asset(back)
        assert (len(found.originals), found.keeper) == (2, pair)
        assert len(w.files.under(Site.DUPLICATES)) == 2


async def test_a_rendition_beside_something_new_is_an_asset_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await archived(w)
        back = await w.drop("back/IMG_1.JPG", SMALL)
        await w.drop("back/IMG_1.DNG", "raw at=0")
        await w.run(*TAKE)
        found = await w.asset(back)
        assert (len(found.originals), found.keeper) == (2, None)
        assert State.HASHED in await w.states(back)


async def test_a_raw_comes_back_with_the_rendition_of_its_jpeg(tmp_path: Path) -> None:
    """As the library has them: the RAW is an exact twin, the JPEG is not."""
    async with world(tmp_path) as w:
        shot = await w.drop("IMG_1.JPG", "jpeg at=0")
        await w.drop("IMG_1.DNG", "raw at=0")
        await w.run(*CHAIN)
        whole = await w.asset(shot)
        [still] = [o for o in whole.originals if o.name == "IMG_1.JPG"]
        small = Rendition(still.id, "r/1", Place(Site.LIBRARY, SiteKey("r")), digest_of(SMALL), 5)
        await w.journal.witness([(whole.id, Evidence("x", 1, renditions=(small,)))])
        back = await w.drop("back/IMG_1.JPG", SMALL)
        await w.drop("back/IMG_1.DNG", "raw at=0")
        await w.run(*TAKE)
        assert (await w.asset(back)).keeper == whole.id


async def test_with_recognition_off_it_is_a_file_like_any_other(tmp_path: Path) -> None:
    async with world(tmp_path, dedup={"enabled": False}) as w:
        await archived(w)
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(*TAKE)
        found = await w.asset(back)
        assert (found.keeper, found.identity) == (None, digest_of(SMALL))


async def test_killed_between_setting_aside_and_the_journal_it_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        source = await archived(w)
        back = await w.drop("IMG_1.JPG", SMALL)
        await w.run(settle.STAGE)
        found = await w.asset(back)
        for _ in range(2):  # taken, then set aside; nothing of it is recorded
            [facts] = await hash.look([found], w.ports())
            assert isinstance(facts, hash.Facts)
            assert isinstance(hash.decide(found, facts), Act)
            assert await hash.act([found], [facts], w.ports()) == [None]
        assert isinstance(await w.rule(hash.STAGE, back), Done)
        await w.run(*TAKE)
        assert (await w.asset(back)).keeper == source


# -- when it may go -----------------------------------------------------------------------------


async def set_aside(w: World) -> AssetId | None:
    await archived(w)
    back = await w.drop("IMG_1.JPG", SMALL)
    await w.run(*TAKE)
    w.clock.advance(31 * DAY_S)
    return back


async def test_after_its_days_it_goes_on_the_proof_of_the_original(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        back = await set_aside(w)
        await w.run(clean.STAGE)
        assert State.CLEANED in await w.states(back)
        assert w.files.under(Site.DUPLICATES) == {}
        assert list(w.files.under(Site.ARCHIVE).values()) == [TAKEN.encode()]


async def test_it_stays_when_the_original_is_not_what_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        back = await set_aside(w)
        for key in w.files.under(Site.ARCHIVE):
            w.files.drop(Site.ARCHIVE, key, b"hejc at=0")
        assert isinstance(await w.rule(clean.STAGE, back), Refuse)
        await w.run(clean.STAGE)
        assert w.files.under(Site.DUPLICATES) == {"IMG_1.JPG": SMALL.encode()}


async def test_it_stays_when_nobody_knows_any_more_what_it_was_made_from(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        back = await set_aside(w)
        found = await w.asset((await w.asset(back)).keeper)
        gone = tuple(r.place for r in found.renditions)
        await w.journal.witness([(found.id, Evidence("x", 1, gone=gone))])
        assert isinstance(await w.rule(clean.STAGE, back), Wait)
        await w.run(clean.STAGE)
        assert w.files.under(Site.DUPLICATES) == {"IMG_1.JPG": SMALL.encode()}
