"""Guards that questions are answered rightly, and from an index however large the journal has grown."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from mediad.errors import NeedsOperator
from mediad.journal import Condition, Journal, Park, learn, near, phone, queries, scribe, whole
from mediad.model import AssetId, BatchId, Evidence, Place, Rendition, Role, Site, SiteKey
from mediad.ports import OpenBatch
from mediad.state import Lane, State
from tests.journal.world import (
    World,
    arrived,
    copy_of,
    digest_of,
    hashed,
    moved,
    walked,
    whole_asset,
)

S = State
MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO asset (id, name, kind, source, seen_at, identity, condition)
SELECT i, 'IMG_' || i, 'photo', 'folder', i, randomblob(32), iif(i % 500, 'completed', 'active') FROM n;
INSERT INTO original
  (id, asset, role, name, source_key, spool_key, size, mtime_ns, taken, digest, group_key, content_id)
SELECT id, id, 'primary', name, name, id || name, 1, 1, id % 500 <> 0, identity, '/' || id, iif(id % 9, NULL, 'c' || id)
FROM asset;
INSERT INTO standing (asset, lane, state, mark, due)
SELECT id, 'archive', iif(id % 500, 'archive.verified', 'archive.due'), iif(id % 500, 'final', 'ready'),
  iif(id % 500, NULL, id) FROM asset;
INSERT INTO copy (original, site, key, digest, verified_at, method)
SELECT id, 'archive', 'k' || id, digest, 1, 'x' FROM original;
INSERT INTO history (asset, at, stage, from_state, to_state, skipped, evidence, chain)
SELECT id, 1, 'arrive', '', 'intake.seen', 0, '{}', zeroblob(32) FROM asset;
INSERT INTO batch SELECT id, 1 FROM asset WHERE id <= 1000;
INSERT INTO placement (original, batch, key, folded, digest, size, mtime_ns, version, blocks, placed_at)
SELECT id, (id + 49) / 50, name, lower(name), digest, 1, 1, 'ABCDEFG:1', '', 1 FROM original WHERE id <= 50000;
INSERT INTO witness SELECT original, 1, 'phone-has', 'availability', '{}', batch FROM placement;
INSERT INTO standing (asset, lane, state, mark, due)
SELECT original, 'phone', iif(batch < 1000, 'phone.released', 'phone.placed'), iif(batch < 1000, 'final', 'waiting'),
  iif(batch < 1000, NULL, 9) FROM placement;
"""
# only what is awaited; only what was asked for; as many rows as there are states and marks
SMALL = re.compile(r"original_awaited|json_each|tally_standing|CONSTANT ROW")
HOT = {
    "work": (queries.DUE, ("archive.due", 1, 10)),
    "next due": (queries.NEXT_DUE, ("archive.due",)),
    "marked": (queries.MARKED, ("archive.due", "failed")),
    "history": (queries.HISTORY, (1, 0)),
    "events": (queries.EVENTS, (5, 10)),
    "latest": (queries.LATEST, ()),
    "find a place": (queries.FIND_PLACE, ("k7", '["archive"]', "k7")),
    "find a digest": (queries.FIND_DIGEST, (b"a", b"b")),
    "find a name": (queries.FIND_NAME, ("IMG_7", "IMG_8")),
    "page by mark": (queries.PAGE_MARK, ("archive.due", "ready", 9, 10)),
    "page by condition": (queries.PAGE_CONDITION, ("failed", 9, 10)),
    "of a condition": (queries.OF_CONDITION, ("[7, 500]", "active")),
    "page": (queries.PAGE_ALL, (9, 10)),
    "awaited": (queries.AWAITED, ()),
    "copies at": (queries.COPIES_AT, ("archive", "k5", 10)),
    "keeper": (queries.KEEPER, (b"a", 5)),
    "maker": (queries.MAKER, (b"a", 5)),
    "by content": (queries.BY_CONTENT, ("c9", 5)),
    "by group": (queries.BY_GROUP, ("/9", 5, 1)),
    "is awaited": ("SELECT 1 FROM original WHERE source_key = ? AND taken = 0", ("IMG_7",)),
    "taken": ("UPDATE original SET taken = 1 WHERE asset = ? AND taken = 0", (7,)),
    "placements": (whole.PLACEMENTS, ("[7, 8]",)),
    "witnesses": (whole.WITNESSES, ("[7, 8]",)),
    "pending": (phone.PENDING, ("phone.placed", "waiting", 0)),
    "files of a batch": (phone.FILES, (7,)),
    "next batch": (phone.NEXT_BATCH, ()),
    "batch": (phone.BATCH, (7,)),
    "batches": (phone.BATCHES, (7, 10)),
    "placed in a batch": (phone.PLACED_IN, (7,)),
    "standing of a batch": (phone.STANDS, ("[7, 8]",)),
    "witnessed of a batch": (phone.WITNESSED, (7, "[7, 8]")),
    "a name given": (phone.GIVEN, ("img_7",)),
    "placed under": (phone.UNDER, ("img_7", "IMG_7")),
    "awaited on the phone": (phone.WAITING, ("phone.placed", "waiting", 5, 10)),
    "placed of assets": (phone.PLACED_OF, ("[7, 8]",)),
    "of bytes": (phone.OF_BYTES, (b"a",)),
    "arriving": (phone.ARRIVING, ("intake", '["ready"]')),
    "rouse": (scribe.ROUSE, (9, "[7, 8]", '["phone.placed"]')),
    "told again": (learn.PLACE, (7, 1000, "IMG_7", "img_7", b"", 1, 1, "", "", None, None)),
    "witnessed": (learn.WITNESS, (7, 1, "phone-has", "availability", "{}")),
    "unlooked": (near.DUE, (9, 10)),
    "next look": (near.NEXT, ()),
    "given up": (near.GIVEN, (10,)),
    "in the first band": (near.IN_BAND[0], ("[1, 2]",)),
    "in the last band": (near.IN_BAND[3], ("[1, 2]",)),
    "like": (near.LIKE, ("[1, 2]",)),
    "near of an asset": (near.OF_ASSET, (7,)),
    "pairs": (near.PAIRS, (9, 10)),
    "standing": ("SELECT state, mark FROM standing WHERE asset = ?", (7,)),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A journal of 100,000 assets, filled past the API."""
    path = tmp_path_factory.mktemp("large") / "journal.db"
    world = World(path)
    anyio.run(_made, world)
    db = sqlite3.connect(path)
    db.executescript(f"PRAGMA synchronous = OFF; BEGIN; {MANY} COMMIT;")
    yield db
    db.close()


async def _made(world: World) -> None:
    await world.open().close()


@pytest.mark.parametrize("name", HOT)
def test_a_hot_question_never_reads_a_whole_table(large: sqlite3.Connection, name: str) -> None:
    sql, values = HOT[name]
    plan = [row[3] for row in large.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [p for p in plan if p.startswith("SCAN") and not SMALL.search(p)], plan
    assert not [p for p in plan if "TEMP B-TREE" in p and "ORDER" in p], plan


def test_a_page_of_work_reads_as_much_as_it_returns(large: sqlite3.Connection) -> None:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    large.set_progress_handler(count, 100)
    found = queries.work(large, [S.ARCHIVE_DUE], 1 << 60, 10, frozenset())
    page = queries.page(large, "", "active", None, None, 10)
    queries.counts(large)
    large.set_progress_handler(None, 0)
    assert [w.asset.id for w in found] == [500 * n for n in range(1, 11)]
    assert len(page) == 10
    assert steps < 200, "more than 20,000 steps of SQLite's machine for ten rows"


def test_the_phone_lane_asks_as_little_of_many_placements_as_of_few(
    large: sqlite3.Connection,
) -> None:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    large.set_progress_handler(count, 100)
    opened = phone.open_batches(large, 0)
    newest = phone.batches(large, None, 1)
    next_batch = phone.next_batch(large)
    given = phone.names_given(large, [SiteKey("img_7"), SiteKey("nobody's")])
    placed = phone.placed_under(large, [SiteKey("IMG_7")])
    awaited = phone.awaited(large, [S.PLACED], AssetId(0), 10)
    phone.arriving(large)
    large.set_progress_handler(None, 0)
    assert opened == [OpenBatch(BatchId(1000), 50, 50)]
    assert [(len(b.members), b.id) for b in newest] == [(50, 1000)]
    assert next_batch == 1001
    assert given == {"img_7"}
    assert [p.asset for p in placed.values()] == [7]
    assert [p.asset for p in awaited] == list(range(49_951, 49_961))
    assert steps < 200, "more than 20,000 steps of SQLite's machine for a batch of fifty"


async def test_work_comes_the_longest_due_first_without_what_is_in_hand(
    journal: Journal, world: World
) -> None:
    assets = []
    for n in range(4):
        assets.append(await arrived(journal, f"{n}.jpg"))
        world.clock.advance(1)
    await moved(journal, assets[0], S.SEEN, S.SETTLED)
    now = world.clock.now()
    found = await journal.work({S.SEEN, S.SETTLED}, now, 2, busy=[assets[1]])
    assert [(w.asset.id, w.state) for w in found] == [(assets[2], S.SEEN), (assets[3], S.SEEN)]
    everything = await journal.work({S.SEEN, S.SETTLED}, now, 9)
    assert [w.asset.id for w in everything] == [*assets[1:], assets[0]]
    assert await journal.next_due([S.SEEN]) == now - 3000
    assert await journal.next_due([S.CLEANABLE]) is None


async def test_an_asset_is_found_by_whatever_a_person_has(journal: Journal) -> None:
    asset = await arrived(journal, "2024/summer/IMG_7.HEIC")
    await arrived(journal, "IMG_70.HEIC")
    await hashed(journal, asset, "seven")
    [original] = (await whole_asset(journal, asset)).originals
    rendition = Rendition(
        original.id, "p/1", Place(Site.LIBRARY, SiteKey("2024/07/14/IMG_7.jpg")), digest_of("r"), 5
    )
    copy = copy_of(original.id, Site.ARCHIVE, "2024/07/IMG_7.HEIC")
    seen = Evidence("read-back", 1, copies=(copy,), renditions=(rendition,))
    await moved(journal, asset, S.ARCHIVE_DUE, S.ARCHIVED, seen)
    for query in (
        "1", "#1", digest_of("seven"), digest_of("seven")[:8].upper(), digest_of("seven")[:7],
        "2024/summer/IMG_7.HEIC", "/home/me/photos/incoming/2024/summer/IMG_7.HEIC",
        "/mnt/nas/2024/07/IMG_7.HEIC", "/home/me/photos/library/2024/07/14/IMG_7.jpg",
        original.spool_key, "IMG_7.HEIC", "IMG_7.",
    ):  # fmt: skip
        assert await journal.find(query) == [asset], query
    assert await journal.find("IMG_7") == [1, 2]
    for query in ("", "nothing", "99", "9" * 30, "/", "abcdef0123", "\udcff", "' OR 1=1 --", "%"):
        assert await journal.find(query) == [], query


async def test_lists_are_paged_the_newest_first(journal: Journal) -> None:
    assets = [await arrived(journal, f"{n}.jpg") for n in range(7)]
    first = await journal.assets(limit=3)
    assert [p.asset.id for p in first] == assets[:3:-1]
    second = await journal.assets(limit=3, cursor=first[-1].asset.id)
    assert [p.asset.id for p in second] == assets[3:0:-1]
    assert len(await journal.assets(limit=3, cursor=second[-1].asset.id)) == 1


async def test_lists_can_be_asked_for_by_stage_state_mark_and_condition(journal: Journal) -> None:
    a, b, c = [await arrived(journal, f"{n}.jpg") for n in range(3)]
    await hashed(journal, a)
    await hashed(journal, b)
    await walked(journal, a, (S.ARCHIVE_DUE, S.ARCHIVED))
    await journal.park([Park(b, Lane.ARCHIVE, "failed", None, "no")])

    async def ids(**wanted: str) -> list[int]:
        return [p.asset.id for p in await journal.assets(**wanted)]  # type: ignore[arg-type]  # words only

    assert await ids(state="failed") == [b]
    assert await ids(stage="archive") == [b]
    assert await ids(stage="archive", state="failed") == [b]
    assert await ids(stage="archive", state="ready") == []
    assert await ids(state="archive.verified") == [a]
    assert await ids(stage="settle") == [c]
    assert await ids(stage="settle", state="active") == [c]
    assert await ids(stage="settle", state="completed") == []
    assert await ids(stage="settle", state="failed") == []
    assert await ids(state="gated") == []
    assert await ids(state="active") == [c, a]
    assert await ids(stage="nonsense") == []
    assert await ids(state="nonsense") == []


async def test_stage_and_condition_fill_a_page_past_assets_of_another_condition(
    journal: Journal,
) -> None:
    assets = [await arrived(journal, f"{n}.jpg") for n in range(7)]
    for asset in assets:
        await hashed(journal, asset)
    for failed in assets[2:]:
        await journal.park([Park(failed, Lane.LIBRARY, "failed", None, "no")])
    page = await journal.assets(stage="archive", state="active", limit=2)
    assert [p.asset.id for p in page] == [assets[1], assets[0]]
    rest = await journal.assets(stage="archive", state="active", limit=2, cursor=assets[1])
    assert [p.asset.id for p in rest] == [assets[0]]


async def test_a_list_since_a_time_holds_what_was_seen_since(
    journal: Journal, world: World
) -> None:
    await arrived(journal, "old.jpg")
    world.clock.advance(60)
    new = await arrived(journal, "new.jpg")
    found = await journal.assets(since=world.clock.now())
    assert [p.asset.id for p in found] == [new]
    assert await journal.assets(since=world.clock.now() + 1) == []


async def test_events_go_on_after_the_last_one_seen(journal: Journal) -> None:
    for n in range(5):
        await arrived(journal, f"{n}.jpg")
    first = await journal.events(0, 3)
    assert [e.seq for e in first] == [1, 2, 3]
    assert [e.seq for e in await journal.events(3, 100)] == [4, 5]
    assert await journal.latest_event() == 5
    assert [e.asset for e in await journal.history(AssetId(2))] == [2]


async def test_a_pause_outlives_a_restart(world: World) -> None:
    journal = world.open()
    await journal.pause("archive")
    await journal.pause("archive")
    await journal.close()
    journal = world.open()
    assert await journal.paused() == {"archive"}
    await journal.pause(None)
    assert "clean" in await journal.paused()
    await journal.resume("clean")
    assert "clean" not in await journal.paused()
    await journal.resume(None)
    assert await journal.paused() == frozenset()
    await journal.close()


async def test_runs_and_enrolments_are_remembered(journal: Journal, world: World) -> None:
    run = await journal.start_run("archive, sort", "c0ffee")
    world.clock.advance(5)
    await journal.finish_run(run, {"archive": 3})
    [told] = await journal.runs()
    assert (told.what, told.config, told.counts) == ("archive, sort", "c0ffee", {"archive": 3})
    assert (told.finished or 0) - told.started == 5000
    assert await journal.enrolment(Site.ARCHIVE) is None
    await journal.enrol(Site.ARCHIVE, {"uuid": "a"})
    await journal.enrol(Site.ARCHIVE, {"uuid": "b"})
    assert await journal.enrolment(Site.ARCHIVE) == {"uuid": "b"}


async def test_the_copies_of_a_site_come_in_pages(journal: Journal) -> None:
    asset = await arrived(journal, "a.jpg")
    [original] = (await whole_asset(journal, asset)).originals
    copies = tuple(copy_of(original.id, Site.ARCHIVE, f"k{n}") for n in range(5))
    await moved(journal, asset, S.SEEN, S.SETTLED, Evidence("x", 1, copies=copies))
    page = await journal.copies_at(Site.ARCHIVE, SiteKey(""), 3)
    rest = await journal.copies_at(Site.ARCHIVE, page[-1].place.key, 3)
    assert (*page, *rest) == copies


async def test_plans_see_every_lane_that_has_something_left(journal: Journal) -> None:
    asset = await arrived(journal, "a.jpg")
    await hashed(journal, asset)
    await journal.park([Park(asset, Lane.ARCHIVE, "held", None, "?")])
    states = {w.state for w in await journal.standing_work(asset)}
    assert states == {S.PHONE_DUE, S.ARCHIVE_DUE, S.LIBRARY_DUE}
    assert await journal.asset(AssetId(99)) is None
    assert await journal.standing(AssetId(99)) == []
    assert Condition.HELD in (await journal.counts()).conditions
    assert Role.PRIMARY in {o.role for o in (await whole_asset(journal, asset)).originals}


async def test_a_sound_journal_passes_its_check(journal: Journal) -> None:
    await arrived(journal, "a.jpg")
    await journal.check()


async def test_a_damaged_journal_is_said_to_be_one_and_left_as_it_is(world: World) -> None:
    journal = world.open()
    for n in range(200):
        await arrived(journal, f"{n}.jpg")
    await journal.close()
    _spoil(world.path)
    before = world.path.read_bytes()
    with pytest.raises(NeedsOperator) as fault:
        await _opened_and_checked(world)
    assert fault.value.code == "journal.corrupt"
    assert len(world.path.read_bytes()) == len(before)


async def _opened_and_checked(world: World) -> None:
    journal = world.open()
    try:
        await journal.check()
    finally:
        await journal.close()


def _spoil(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2 // 4096 * 4096
    whole[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(whole)


async def test_work_that_was_written_while_the_clock_was_wrong_is_not_due_in_a_lifetime(
    world: World,
) -> None:
    journal = world.open()
    asset = await arrived(journal, "a.jpg")
    await journal.close()
    world.clock.advance(-70 * 365 * 86_400)
    journal = world.open()
    [found] = await journal.work([S.SEEN], world.clock.now(), 10, [])
    assert found.asset.id == asset
    await journal.close()
