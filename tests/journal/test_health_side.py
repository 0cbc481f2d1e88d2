"""Guards the record of the copies' health: who is due, what was found and became of it, what a day has spent."""

import os
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mediad.journal import Journal, Mark
from mediad.model import (
    AssetId,
    Copy,
    Digest,
    Evidence,
    Place,
    Rendition,
    Site,
    SiteKey,
)
from mediad.policy.scrub import SITES, Damage, Day, Fate, Found, Stored
from mediad.state import State, Transition
from tests.journal.world import World, arrived, digest_of, hashed, moved, whole_asset

S = State
BACK = Transition(S.ARCHIVED, "scrub", S.ARCHIVE_DUE)
SHELF = Transition(S.SORTED, "scrub", S.LIBRARY_DUE)
OFF = dict.fromkeys(
    ("batch", "place", "verify", "release", "upload", "mark", "delete"), "off: not here"
)


@pytest.fixture
def world(world: World) -> World:
    world.off = OFF
    return world


async def kept(journal: Journal, name: str, *places: tuple[Site, str], at: int) -> AssetId:
    """An asset with verified copies at these places."""
    asset = await arrived(journal, name)
    await hashed(journal, asset, name)
    await moved(
        journal, asset, S.ARCHIVE_DUE, S.ARCHIVED, await _copies(journal, asset, places, at)
    )
    return asset


async def _copies(
    journal: Journal, asset: AssetId, places: Sequence[tuple[Site, str]], at: int
) -> Evidence:
    original = (await whole_asset(journal, asset)).originals[0]
    digest = original.digest or Digest("")
    copies = tuple(Copy(original.id, Place(s, SiteKey(k)), digest, at, "reread") for s, k in places)
    return Evidence("read-back", at, copies=copies)


async def shelved(journal: Journal, asset: AssetId, key: str, at: int = 1) -> Rendition:
    original = (await whole_asset(journal, asset)).originals[0]
    place = Place(Site.LIBRARY, SiteKey(key))
    made = Rendition(original.id, "photo/1", place, digest_of(key), 7)
    await moved(journal, asset, S.LIBRARY_DUE, S.COMPRESSED, Evidence("x", at, renditions=(made,)))
    await moved(journal, asset, S.COMPRESSED, S.SORTED)
    return made


async def due(journal: Journal, before: int, now: int = 10**12) -> list[tuple[str, str]]:
    found = await journal.stale_copies(before, SITES, now, 100)
    return [(s.place.site.value, s.place.key) for s in found]


def damage(stored: Stored, what: Found, fate: Fate, at: int, **more: int | Digest) -> Damage:
    plain = Damage(stored.asset, stored.original, stored.place, stored.digest, None, what, fate, at)
    return replace(plain, **more)  # type: ignore[arg-type]  # the test knows what they are


def gone(stored: Stored, at: int) -> Evidence:
    return Evidence("read-back", at, code="archive.rot", gone=(stored.place,))


async def test_the_longest_unread_comes_first_and_what_was_read_in_the_cycle_not_at_all(
    journal: Journal,
) -> None:
    """N17: every copy has its turn, whichever site it lies at."""
    one = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), (Site.SPOOL, "sa"), at=300)
    await kept(journal, "b.jpg", (Site.ARCHIVE, "b"), (Site.PHONE, "pb"), at=200)
    await shelved(journal, one, "2024/a.jpg")
    assert await due(journal, 250) == [("library", "2024/a.jpg"), ("archive", "b")]
    assert await due(journal, 300) == [
        ("library", "2024/a.jpg"), ("archive", "b"), ("archive", "a"), ("spool", "sa"),
    ]  # fmt: skip
    stale = await journal.stale_copies(300, [Site.ARCHIVE], 10**12, 100)
    assert [s.place.key for s in stale] == ["b", "a"]
    await journal.copies_read([(stale[0], "o_direct")], 400)
    assert await due(journal, 300, now=400) == [
        ("library", "2024/a.jpg"), ("archive", "a"), ("spool", "sa"),
    ]  # fmt: skip


async def test_a_reading_at_a_time_that_is_yet_to_come_is_none(journal: Journal) -> None:
    """A clock that was wrong for a day must not keep a copy unread for years."""
    await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), at=10**15)
    [stale] = await journal.stale_copies(0, SITES, 1000, 100)
    await journal.copies_read([(stale, "o_direct")], 1000)
    assert await due(journal, 0, now=1000) == []
    assert await due(journal, 1000, now=1000) == [("archive", "a")]


async def test_rot_takes_the_copy_away_and_sends_the_lane_back_in_one_transaction(
    journal: Journal,
) -> None:
    """M34: the gate closes at once."""
    asset = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), (Site.SPOOL, "sa"), at=5)
    [bad] = await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
    before = journal.groups
    rot = damage(bad, Found.ROTTEN, Fate.HEALING, 9, found=digest_of("other"))
    await journal.damaged([rot], gone(bad, 9), [BACK])
    assert journal.groups == before + 1
    assert [c.place.site for c in (await whole_asset(journal, asset)).copies] == [Site.SPOOL]
    assert (await journal.standing(asset))[0].state is S.ARCHIVE_DUE
    [told] = await journal.open_damage()
    assert (told.asset, told.place, told.what, told.fate) == (
        asset,
        bad.place,
        Found.ROTTEN,
        Fate.HEALING,
    )
    assert told.found == digest_of("other")
    assert (await journal.audit()).broken_at is None


async def test_what_sends_no_lane_back_is_told_in_the_history_all_the_same(
    journal: Journal,
) -> None:
    asset = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), (Site.SPOOL, "sa"), at=5)
    [bad] = await journal.stored_at(Site.SPOOL, SiteKey(""), 9)
    await journal.damaged(
        [damage(bad, Found.ROTTEN, Fate.OVER, 9, ended_at=9)], gone(bad, 9), [SHELF]
    )
    history = await journal.history(asset)
    assert history[-1].evidence["gone"] == [{"site": "spool", "key": "sa"}]
    assert (history[-1].stage, history[-1].to_state) == ("witness", None)
    assert await journal.open_damage() == []
    assert await journal.damage_tally() == {Fate.OVER: 1}


async def test_both_lanes_go_back_when_both_copies_are_bad(journal: Journal) -> None:
    asset = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), (Site.SPOOL, "sa"), at=5)
    await shelved(journal, asset, "2024/a.jpg")
    [bad] = await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
    [also] = await journal.stored_at(Site.LIBRARY, SiteKey(""), 9)
    seen = Evidence("read-back", 9, gone=(bad.place, also.place))
    bads = [damage(b, Found.ROTTEN, Fate.HEALING, 9) for b in (bad, also)]
    await journal.damaged(bads, seen, [BACK, SHELF])
    states = {s.state: s.mark for s in await journal.standing(asset)}
    assert states[S.ARCHIVE_DUE] is states[S.LIBRARY_DUE] is Mark.READY
    whole = await whole_asset(journal, asset)
    assert ([c.place.site for c in whole.copies], whole.renditions) == ([Site.SPOOL], ())


async def test_damage_is_healed_by_a_new_file_and_never_by_the_old_record(journal: Journal) -> None:
    """P12: healed is what was seen to lie there anew."""
    asset = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), (Site.SPOOL, "sa"), at=5)
    [bad] = await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
    await journal.damaged([damage(bad, Found.ROTTEN, Fate.HEALING, 9)], gone(bad, 9), [BACK])
    assert await journal.settle_damage(10) == []
    seen = await _copies(journal, asset, [(Site.ARCHIVE, "a_1")], 11)
    await moved(journal, asset, S.ARCHIVE_DUE, S.ARCHIVED, seen)
    assert await journal.settle_damage(12) == ["a_1"]
    [told] = await journal.latest_damage()
    assert (told.fate, told.ended_at, told.healed_key) == (Fate.HEALED, 12, "a_1")
    assert await journal.open_damage() == []
    assert await journal.settle_damage(13) == []


async def test_an_unreadable_copy_stays_a_copy_and_is_tried_again_only_when_its_time_has_come(
    journal: Journal,
) -> None:
    asset = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), at=5)
    [bad] = await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
    sick = damage(bad, Found.UNREADABLE, Fate.UNREADABLE, 9, again_at=100)
    await journal.damaged([sick], Evidence("read-back", 9, code="scrub.unreadable"), [])
    assert len((await whole_asset(journal, asset)).copies) == 1
    assert await due(journal, 50, now=99) == []
    assert await due(journal, 50, now=100) == [("archive", "a")]
    await journal.damaged([replace(sick, tries=2, again_at=200)], Evidence("read-back", 100), [])
    [told] = await journal.open_damage()
    assert (told.tries, told.again_at) == (2, 200)
    await journal.copies_read([(bad, "o_direct")], 200)
    assert await journal.open_damage() == []
    assert await journal.damage_tally() == {Fate.OVER: 1}


async def test_what_a_day_has_spent_adds_up_and_outlives_a_restart(world: World) -> None:
    """N17: a restart gives no fresh budget."""
    journal = world.open()
    await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), at=5)
    [stored] = await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
    await journal.copies_read([(stored, "o_direct")], 9, Day(7, 10, 100, 1))
    await journal.copies_read([], 9, Day(7, 5, 50, 2))
    await journal.close()
    again = world.open()
    assert await again.scrub_day(7) == Day(7, 15, 150, 3)
    assert await again.scrub_day(8) == Day(8)
    assert await again.scrub_days() == [Day(7, 15, 150, 3)]
    await again.close()


async def test_progress_counts_copies_and_renditions_and_knows_the_oldest(journal: Journal) -> None:
    one = await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), (Site.PHONE, "p"), at=300)
    await kept(journal, "b.jpg", (Site.ARCHIVE, "b"), at=200)
    assert await journal.scrub_progress(250, SITES) == (2, 200, 1, 100, 200)
    await shelved(journal, one, "2024/a.jpg", at=280)
    assert await journal.scrub_progress(250, SITES) == (3, 207, 1, 100, 200)
    assert await journal.scrub_progress(290, SITES) == (3, 207, 2, 107, 200)
    assert await journal.scrub_progress(250, [Site.SPOOL]) == (0, 0, 0, 0, None)


async def test_pages_hold_every_name_whole_and_any_name(journal: Journal) -> None:
    """Two originals of the same bytes may lie under one name; no page may part them or pass one over."""
    odd = os.fsdecode(b"2024/\xff.jpg")
    for n, key in enumerate(["a", "a", "b", "c\nd", odd]):
        await kept(journal, f"{n}.jpg", (Site.ARCHIVE, key), at=5)
    seen: list[str] = []
    after = SiteKey("")
    while page := await journal.stored_at(Site.ARCHIVE, after, 1):
        assert len({s.place.key for s in page}) == 1
        seen += [s.place.key for s in page]
        after = page[-1].place.key
    assert sorted(seen) == sorted(["a", "a", "b", "c\nd", odd])
    [stored] = [
        s for s in await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9) if s.place.key == odd
    ]
    await journal.copies_read([(stored, "o_direct")], 50)
    assert ("archive", odd) not in await due(journal, 40)


async def test_damage_is_never_forgotten(journal: Journal, world: World) -> None:
    await kept(journal, "a.jpg", (Site.ARCHIVE, "a"), at=5)
    [bad] = await journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
    await journal.damaged([damage(bad, Found.MISSING, Fate.HEALING, 9)], gone(bad, 9), [BACK])
    with world.sqlite() as db, pytest.raises(Exception, match="never forgotten"):
        db.execute("DELETE FROM damage")
