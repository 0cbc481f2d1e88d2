"""Guards what the journal knows of photos that look alike: who is to be looked at, the pairs, and who is told of."""

import random
from dataclasses import replace

import pytest

from mediad.journal import Journal, near
from mediad.journal.near import GIVEN_UP, NOWHERE, Later
from mediad.model import (
    AssetId,
    Evidence,
    Inspection,
    Media,
    OriginalId,
    Place,
    Rendition,
    Site,
    SiteKey,
)
from mediad.policy.likeness import LOW_APART
from mediad.ports.looks import Impression
from mediad.state import State
from tests.journal.world import World, arrived, copy_of, digest_of, moved, whole_asset

S = State
CHANCE = random.Random(7)  # noqa: S311  # no secret
SEEN = Impression(
    CHANCE.getrandbits(64) | 1 << 63, CHANCE.getrandbits(256), bytes([128] * 32), is_flat=False
)


def like(low: int, bits: int = 0) -> Impression:
    """With so many bits the other way round, spread over all bands."""
    turned = sum(1 << (n * 5) for n in range(low))
    return replace(SEEN, low=SEEN.low ^ turned, bits=SEEN.bits ^ ((1 << bits) - 1))


def other() -> Impression:
    return Impression(
        CHANCE.getrandbits(64), CHANCE.getrandbits(256), bytes([128] * 32), is_flat=False
    )


async def taken(
    journal: Journal, name: str, text: str = "", media: Media = Media.JPEG, then: State = S.HASHED
) -> AssetId:
    asset = await arrived(journal, name)
    await moved(journal, asset, S.SEEN, S.SETTLED)
    whole = await whole_asset(journal, asset)
    digest = digest_of(text or name)
    seen = Inspection(media, width=40, height=30)
    originals = tuple(replace(o, digest=digest, inspection=seen) for o in whole.originals)
    identity = digest if then is S.HASHED else None
    evidence = Evidence("read-back", 1, originals=originals, identity=identity)
    await moved(journal, asset, S.SETTLED, then, evidence)
    return asset


async def photo(journal: Journal, asset: AssetId) -> OriginalId:
    return (await whole_asset(journal, asset)).originals[0].id


async def shown(journal: Journal, name: str, seen: Impression | None) -> AssetId:
    asset = await taken(journal, name)
    await journal.looked(await photo(journal, asset), seen)
    return asset


async def test_every_photo_is_to_be_looked_at_once(journal: Journal) -> None:
    still = await taken(journal, "a.jpg")
    await taken(journal, "a.mov", media=Media.MOV)
    await taken(journal, "a.dng", media=Media.RAW)
    await arrived(journal, "unread.jpg")
    [due] = await journal.unlooked(0, 10)
    assert (due.of.asset.id, due.is_aside) == (still, False)
    await journal.looked(due.original, SEEN)
    assert await journal.unlooked(1 << 60, 10) == []
    assert await journal.next_look() is None


async def test_what_is_looked_at_later_waits_for_its_time(journal: Journal) -> None:
    first, second = await taken(journal, "a.jpg"), await taken(journal, "b.jpg")
    await journal.look_later([Later(await photo(journal, first), 500)])
    assert [u.of.asset.id for u in await journal.unlooked(499, 10)] == [second]
    assert [u.of.asset.id for u in await journal.unlooked(500, 10)] == [second, first]
    assert await journal.next_look() == 0


async def test_how_often_a_photo_could_not_be_looked_at_is_kept_across_restarts(
    world: World,
) -> None:
    journal = world.open()
    original = await photo(journal, await taken(journal, "a.jpg"))
    await journal.look_later([Later(original, 500, tries=3)])
    await journal.close()
    journal = world.open()
    [due] = await journal.unlooked(500, 10)
    assert (due.original, due.tries) == (original, 3)
    await journal.close()


async def test_who_was_given_up_is_tried_once_more_when_asked_for_and_who_lies_nowhere_is_not(
    journal: Journal,
) -> None:
    lost, *given_up = [await photo(journal, await taken(journal, f"{n}.jpg")) for n in range(4)]
    await journal.look_later([Later(lost, NOWHERE)])
    await journal.look_later([Later(o, GIVEN_UP, tries=8) for o in given_up])
    assert await journal.unlooked(1 << 60, 10) == []
    assert [await journal.look_again(2) for _ in range(3)] == [2, 1, 0]
    assert [(u.original, u.tries) for u in await journal.unlooked(0, 10)] == [
        (o, 8) for o in given_up
    ]


@pytest.mark.parametrize("due", [GIVEN_UP, NOWHERE])
async def test_who_waits_for_a_copy_is_looked_at_as_soon_as_there_is_one(
    journal: Journal, due: int
) -> None:
    asset = await taken(journal, "a.jpg")
    original = await photo(journal, asset)
    copy = copy_of(original, Site.ARCHIVE, "2024/a.jpg")
    shown = Rendition(
        original, "light-2", Place(Site.LIBRARY, SiteKey("a.jpg")), digest_of("r"), 1, {}
    )
    for news in (
        Evidence("x", 1, copies=(copy,)),
        Evidence("x", 1, copies=(replace(copy, verified_at=2),)),
        Evidence("x", 1, renditions=(shown,)),
        Evidence("x", 2, renditions=(shown,)),
    ):
        await journal.look_later([Later(original, due, tries=8)])
        await journal.witness([(asset, news)])
        [looked_for] = await journal.unlooked(0, 10)
        assert (looked_for.original, looked_for.tries) == (original, 0)


async def test_news_of_a_copy_call_nobody_before_his_time(journal: Journal) -> None:
    asset = await taken(journal, "a.jpg")
    original = await photo(journal, asset)
    await journal.look_later([Later(original, 500, tries=2)])
    copy = copy_of(original, Site.ARCHIVE, "2024/a.jpg")
    await journal.witness([(asset, Evidence("x", 1, copies=(copy,)))])
    assert await journal.unlooked(499, 10) == []
    await journal.looked(original, None)
    await journal.witness([(asset, Evidence("x", 1, copies=(replace(copy, verified_at=2),)))])
    assert await journal.unlooked(1 << 62, 10) == []


async def test_a_file_with_other_bytes_is_looked_at_again(journal: Journal) -> None:
    asset = await shown(journal, "a.jpg", SEEN)
    [original] = (await whole_asset(journal, asset)).originals
    await journal.witness([(asset, Evidence("x", 1, originals=(original,)))])
    assert await journal.unlooked(0, 10) == []
    changed = replace(original, digest=digest_of("changed"))
    await journal.witness([(asset, Evidence("x", 1, originals=(changed,)))])
    assert [u.original for u in await journal.unlooked(0, 10)] == [original.id]


async def test_who_looks_alike_is_told_of_both_and_nobody_moves(journal: Journal) -> None:
    one = await shown(journal, "a.jpg", SEEN)
    stands = await journal.standing(one)
    two = await shown(journal, "b.jpg", like(LOW_APART, 26))
    await shown(journal, "c.jpg", other())
    for mine, theirs in ((one, two), (two, one)):
        [pair] = await journal.near_of(mine)
        assert {pair.of_one.asset.id, pair.of_other.asset.id} == {mine, theirs}
        assert pair.alike == 90
    assert await journal.standing(one) == stands
    assert [h.stage for h in await journal.history(one)] == ["arrive", "settle", "hash"]


async def test_every_neighbour_is_found_among_many(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever bits differ: at most eleven of sixty-four."""
    monkeypatch.setattr(near, "MOST_NEAR", 1000)
    close = set()
    for n in range(40):
        turned = sum(1 << bit for bit in CHANCE.sample(range(64), n % (LOW_APART + 2)))
        asset = await shown(journal, f"{n}.jpg", replace(SEEN, low=SEEN.low ^ turned))
        if n % (LOW_APART + 2) <= LOW_APART:
            close.add(await photo(journal, asset))
        await shown(journal, f"other {n}.jpg", other())
    asset = await taken(journal, "mine.jpg")
    mine = await photo(journal, asset)
    assert await journal.looked(mine, SEEN) == len(close) == 37
    assert {p.one if p.other == mine else p.other for p in await journal.near_of(asset)} == close


async def test_of_very_many_like_ones_only_the_nearest_are_compared(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "MOST_COMPARED", 2)
    _, one, two = [await shown(journal, f"{n}.jpg", like(n)) for n in (9, 1, 5)]
    mine = await shown(journal, "mine.jpg", SEEN)
    assert {p.of_one.asset.id for p in await journal.near_of(mine)} == {one, two}


async def test_what_is_set_aside_since_is_not_told_of(journal: Journal) -> None:
    one = await shown(journal, "a.jpg", SEEN)
    twin = await taken(journal, "b.jpg", then=S.DUPLICATE)
    [due] = await journal.unlooked(0, 10)
    assert (due.of.asset.id, due.is_aside) == (twin, True)
    await journal.looked(due.original, SEEN)
    assert await journal.near_of(one) == await journal.near_of(twin) == []
    assert await journal.near_pairs(None, 10) == ([], None)


async def test_flat_pictures_and_those_that_cannot_be_seen_are_like_nobody(
    journal: Journal,
) -> None:
    one = await shown(journal, "a.jpg", SEEN)
    for n, seen in enumerate((None, replace(SEEN, is_flat=True))):
        await shown(journal, f"{n}.jpg", seen)
    assert await journal.near_of(one) == []


async def test_a_second_look_takes_the_place_of_the_first(journal: Journal) -> None:
    one, two = await shown(journal, "a.jpg", SEEN), await shown(journal, "b.jpg", like(2))
    assert await journal.near_of(one)
    assert await journal.looked(await photo(journal, two), other()) == 0
    assert await journal.near_of(one) == []
    assert await journal.looked(await photo(journal, two), like(3)) == 1
    assert await journal.looked(await photo(journal, two), like(4)) == 1
    assert len(await journal.near_of(two)) == 1


async def test_pairs_come_in_pages_the_newest_first(journal: Journal) -> None:
    assets = [await shown(journal, f"{n}.jpg", like(n)) for n in range(4)]
    seen, cursor = [], None
    while True:
        page, cursor = await journal.near_pairs(cursor, 2)
        seen += [{p.of_one.asset.id, p.of_other.asset.id} for p in page]
        if cursor is None:
            break
    assert len(seen) == 6
    assert assets[3] in seen[0]
    assert seen[-1] == {assets[0], assets[1]}
