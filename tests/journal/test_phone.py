"""Guards what the journal knows of the way over the phone: batches, names given for ever, placements, witnesses."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from mediad.errors import Bug, Retryable
from mediad.journal import WITNESS, Committed, Journal, Mark, Park, Step
from mediad.model import (
    AssetId,
    BatchId,
    Evidence,
    OriginalId,
    Placement,
    Role,
    Rung,
    SiteKey,
    Witness,
)
from mediad.ports import OpenBatch
from mediad.state import Lane, State
from tests.journal.world import (
    World,
    arrived,
    digest_of,
    hashed,
    lawful,
    moved,
    step,
    walked,
    whole_asset,
)

S = State
START = AssetId(0)
RUNS = ("ready", "waiting", "retry")


def placement(
    original: OriginalId, key: str, batch: int = 1, film: OriginalId | None = None
) -> Placement:
    seen = digest_of(f"{original}")
    return Placement(original, BatchId(batch), SiteKey(key), seen, 100, 5, film=film)


def listed_at(version: str, *placements: Placement) -> Evidence:
    """Syncthing lists these files now."""
    seen = tuple(replace(p, version=version, blocks="b1") for p in placements)
    rungs = tuple(Witness(p.original, Rung.INDEXED, 7, "index") for p in seen)
    return Evidence("index", 7, placements=seen, witnesses=rungs)


async def due(journal: Journal, name: str) -> tuple[AssetId, OriginalId]:
    asset = await arrived(journal, name)
    await hashed(journal, asset)
    return asset, (await whole_asset(journal, asset)).originals[0].id


async def batched(journal: Journal, name: str, batch: int = 1) -> tuple[AssetId, Placement]:
    asset, original = await due(journal, name)
    placed = placement(original, name, batch)
    seen = Evidence("batch", 5, placements=(placed,))
    await moved(journal, asset, S.PHONE_DUE, S.BATCHED, seen)
    return asset, placed


async def placed(journal: Journal, name: str, batch: int = 1) -> tuple[AssetId, Placement]:
    asset, at = await batched(journal, name, batch)
    seen = listed_at("ABCDEFG:1", at)
    await moved(journal, asset, S.BATCHED, S.PLACED, seen)
    return asset, seen.placements[0]


async def test_a_placement_and_its_batch_are_there_with_the_transition(
    journal: Journal, world: World
) -> None:
    asset, at = await batched(journal, "IMG_1.HEIC", 3)
    assert (await whole_asset(journal, asset)).placements == (at,)
    row = await journal.batch(BatchId(3))
    assert row is not None
    assert (row.id, row.made_at) == (3, 5)
    [last] = (await journal.history(asset))[-1:]
    assert last.evidence["placements"] == [
        {
            "original": at.original, "batch": 3, "key": "IMG_1.HEIC", "blake3": at.digest,
            "size": 100, "mtime_ns": 5,
        }
    ]  # fmt: skip
    [work] = await journal.work([S.BATCHED], world.clock.now(), 10)
    assert work.asset.placements == (at,)


async def test_what_syncthing_lists_later_is_filled_in(journal: Journal) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC")
    assert (at.version, at.blocks) == ("ABCDEFG:1", "b1")
    whole = await whole_asset(journal, asset)
    assert whole.placements == (at,)
    assert [(w.rung, w.how, w.at) for w in whole.witnesses] == [(Rung.INDEXED, "index", 7)]
    [last] = (await journal.history(asset))[-1:]
    assert last.evidence["placements"] == [
        {
            "original": at.original, "batch": 1, "key": "IMG_1.HEIC", "blake3": at.digest,
            "size": 100, "mtime_ns": 5, "version": "ABCDEFG:1", "blocks": "b1",
        }
    ]  # fmt: skip
    assert last.evidence["witnesses"] == [
        {"original": at.original, "rung": "indexed", "at": 7, "how": "index"}
    ]


async def test_the_newest_placement_of_each_original_is_the_assets(journal: Journal) -> None:
    asset, first = await placed(journal, "IMG_1.HEIC")
    other = replace(placement(first.original, "IMG_1 (2).HEIC", 2), version="A:2")
    again = replace(first, batch=BatchId(3))
    for now in (other, again):
        await journal.witness([(asset, Evidence("batch", 9, placements=(now,)))])
        assert (await whole_asset(journal, asset)).placements == (now,)
    await journal.witness([(asset, listed_at("A:3", other))])  # of an older batch, told late
    assert (await whole_asset(journal, asset)).placements == (again,)
    names = [first.key, other.key]
    assert list(await journal.placed_under(names)) == [first.key], "it lies there no longer"
    assert await journal.names_given(names) == frozenset(names), "and yet nobody else gets the name"
    assert await journal.find(other.key) == [asset]


async def test_what_was_true_of_a_file_says_nothing_of_it_once_it_is_placed_anew(
    journal: Journal,
) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC", 1)
    rungs = (Rung.PHONE_HAS, Rung.PHONE_FREED, Rung.GOOGLE_HAS)
    seen = tuple(Witness(at.original, rung, 9, "x") for rung in rungs)
    await journal.witness([(asset, Evidence("x", 9, witnesses=seen))])
    found = await journal.placed_under([at.key])
    assert found[at.key].rungs == {Rung.INDEXED, *rungs}
    again = replace(at, batch=BatchId(2), version="")
    await journal.witness([(asset, Evidence("batch", 9, placements=(again,)))])
    assert [w.rung for w in (await whole_asset(journal, asset)).witnesses] == [Rung.GOOGLE_HAS]
    found = await journal.placed_under([at.key])
    assert found[at.key].rungs == {Rung.GOOGLE_HAS}
    row = await journal.batch(BatchId(2))
    assert row is not None
    assert [w.rung for m in row.members for w in m.witnesses] == [Rung.GOOGLE_HAS]
    await journal.witness([(asset, Evidence("x", 9, witnesses=seen[:1]))])
    rungs_now = [w.rung for w in (await whole_asset(journal, asset)).witnesses]
    assert rungs_now == [Rung.GOOGLE_HAS, Rung.PHONE_HAS], "at the same time, of another placing"


async def test_what_is_known_of_a_file_before_it_is_ever_placed_is_kept(journal: Journal) -> None:
    asset, original = await due(journal, "IMG_1.HEIC")
    has = Witness(original, Rung.GOOGLE_HAS, 9, "takeout")
    await journal.witness([(asset, Evidence("takeout", 9, witnesses=(has,)))])
    assert (await whole_asset(journal, asset)).witnesses == (has,)


async def test_names_that_a_phone_may_hold_to_be_one_are_given_once(journal: Journal) -> None:
    await batched(journal, "Straße Ä.jpg")
    asked = [
        SiteKey(k)
        for k in (
            "STRASSE ä.JPG", unicodedata.normalize("NFD", "Straße Ä.jpg"), "Straße Ä.jpg",
            "strase ä.jpg", "Straße A.jpg",
        )
    ]  # fmt: skip
    assert await journal.names_given(asked) == frozenset(asked[:3])
    assert await journal.names_given([]) == frozenset()
    asset, original = await due(journal, "other.jpg")
    seen = Evidence("batch", 5, placements=(placement(original, asked[0], 2),))
    answer = await step(journal, asset, S.PHONE_DUE, S.BATCHED, seen)
    assert isinstance(answer, Retryable)
    assert answer.code == "journal.name_given"
    assert (await whole_asset(journal, asset)).placements == ()
    assert await journal.batch(BatchId(2)) is None, "a batch of nothing was left behind"
    assert await journal.next_batch() == 2


async def test_of_two_that_want_one_name_in_one_group_the_first_gets_it(journal: Journal) -> None:
    lot = [await due(journal, f"{n}/IMG_1.HEIC") for n in range(3)]
    names = ("IMG_1.HEIC", "img_1.heic", "IMG_2.HEIC")
    answers = await journal.record(
        [
            Step(asset, lawful(S.PHONE_DUE, S.BATCHED), Evidence("batch", 5, placements=(p,)))
            for (asset, original), name in zip(lot, names, strict=True)
            for p in [placement(original, name)]
        ]
    )
    assert [isinstance(a, frozenset) for a in answers] == [True, False, True]
    row = await journal.batch(BatchId(1))
    assert row is not None
    assert [m.asset for m in row.members] == [lot[0][0], lot[2][0]]


async def test_one_file_of_two_originals_is_known_as_such_wherever_it_is_asked_for(
    journal: Journal,
) -> None:
    asset, original = await due(journal, "IMG_1.HEIC")
    _, other = await due(journal, "IMG_1.MOV")
    both = placement(original, "IMG_1.MP.HEIC", film=other)
    seen = Evidence("batch", 5, placements=(both,))
    await moved(journal, asset, S.PHONE_DUE, S.BATCHED, seen)
    assert (await whole_asset(journal, asset)).placements == (both,)
    listed = listed_at("A:1", both)
    await moved(journal, asset, S.BATCHED, S.PLACED, listed)
    [now] = listed.placements
    assert now.halves == (original, other)
    [member] = (await journal.batches(None, 9))[0].members
    assert member.placements == (now,)
    assert [p.placement for p in (await journal.placed_under([now.key])).values()] == [now]
    assert [p.placement for p in await journal.awaited([S.PLACED], START, 9)] == [now]
    told = cast("Mapping[str, Any]", (await journal.history(asset))[-1].evidence)
    assert [p["film"] for p in told["placements"]] == [other]


async def test_a_name_never_stands_for_other_bytes(journal: Journal) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC")
    for other in (replace(at, digest=digest_of("other")), replace(at, size=101)):
        with pytest.raises(Bug, match="keeps its bytes"):
            await journal.witness([(asset, Evidence("x", 9, placements=(other,)))])
    assert (await whole_asset(journal, asset)).placements == (at,)


async def test_a_witness_moves_nothing_and_is_told_like_a_transition(journal: Journal) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC")
    before = await journal.standing(asset)
    heard: list[Committed] = []
    journal.on_commit.append(heard.extend)
    freed = Witness(at.original, Rung.PHONE_FREED, 9, "deletion", {"version": "A:2"})
    seen = Evidence("index", 9, note="the phone has freed it", witnesses=(freed,))
    await journal.witness([(asset, seen)])
    assert await journal.standing(asset) == before
    assert [(c.stage, c.from_state, c.to_state, c.opened) for c in heard] == [
        (WITNESS, None, None, ())
    ]
    assert heard[0].is_witness
    [last] = (await journal.history(asset))[-1:]
    assert (last.stage, last.from_state, last.to_state) == (WITNESS, None, None)
    assert await journal.events(last.seq - 1, 10) == [last]
    assert last.evidence["witnesses"] == [
        {
            "original": at.original, "rung": "phone-freed", "at": 9, "how": "deletion",
            "detail": {"version": "A:2"},
        }
    ]  # fmt: skip
    assert (await whole_asset(journal, asset)).witnesses[-1] == freed
    audit = await journal.audit()
    assert (audit.broken_at, audit.rows) == (None, last.seq)
    assert (await journal.counts()).done[WITNESS] == 1


async def test_a_witness_told_twice_is_one(journal: Journal) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC")
    one = Witness(at.original, Rung.GOOGLE_HAS, 9, "by-hand", {"who": "Ann", "why": "saw \udcff"})
    two = replace(one, detail={"who": "Ben"})
    for seen in (one, one, two):
        await journal.witness([(asset, Evidence("by hand", 9, witnesses=(seen,)))])
    whole = await whole_asset(journal, asset)
    assert [w.detail for w in whole.witnesses if w.rung is Rung.GOOGLE_HAS] == [
        {"who": "Ann", "why": "saw \udcff"},
        {"who": "Ben"},
    ]


async def test_a_witness_of_an_absorbed_asset_is_its_hosts(journal: Journal) -> None:
    photo = await arrived(journal, "IMG_1.HEIC")
    movie = await arrived(journal, "IMG_1.MOV")
    [half] = (await whole_asset(journal, movie)).originals
    joined = Evidence("name", 1, originals=(replace(half, role=Role.LIVE_VIDEO),))
    await journal.merge(movie, photo, joined)
    has = Witness(half.id, Rung.GOOGLE_HAS, 9, "takeout")
    await journal.witness([(movie, Evidence("takeout", 9, witnesses=(has,)))])
    assert (await whole_asset(journal, photo)).witnesses == (has,)
    assert [r.stage for r in await journal.history(photo)][-1] == WITNESS


async def test_a_witness_of_nothing_we_know_is_a_bug_and_spoils_no_other(journal: Journal) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC")
    has = Evidence("x", 9, witnesses=(Witness(at.original, Rung.PHONE_HAS, 9, "availability"),))
    with pytest.raises(Bug):
        await journal.witness([(AssetId(99), has), (asset, has)])
    assert (await whole_asset(journal, asset)).witnesses[-1].rung is Rung.PHONE_HAS


async def test_what_waits_becomes_due_and_keeps_its_mark(journal: Journal, world: World) -> None:
    later = world.clock.now() + 9_000
    lanes = []
    for n, mark in enumerate(("waiting", "waiting", "retry", "held")):
        asset, _ = await placed(journal, f"{n}.jpg")
        await journal.park([Park(asset, Lane.PHONE, mark, later, "the phone is away", "pixel.offline")])  # fmt: skip
        lanes.append(asset)
    asset, _ = await batched(journal, "elsewhere.jpg")
    await journal.park([Park(asset, Lane.PHONE, "waiting", later, "not yet")])
    world.clock.advance(1)
    now = world.clock.now()
    assert await journal.rouse(lanes[1:], [S.PLACED]) == 1
    assert await journal.rouse(None, [S.PLACED, S.ON_PHONE]) == 1
    assert await journal.rouse(None, [S.PLACED]) == 0, "they are due already"
    assert await journal.rouse([], [S.PLACED]) == 0
    work = await journal.work([S.PLACED, S.BATCHED], now, 10)
    assert [w.asset.id for w in work] == lanes[:2]
    for asset in lanes[:2]:
        [phone] = [s for s in await journal.standing(asset) if s.lane is Lane.PHONE]
        assert (phone.mark, phone.due, phone.attempts) == (Mark.WAITING, now, 0)
        assert (phone.why, phone.code) == ("the phone is away", "pixel.offline")


async def test_thousands_are_roused_in_bounded_transactions(journal: Journal, world: World) -> None:
    await placed(journal, "0.jpg")
    with world.sqlite() as db:
        db.executescript(MANY_WAITING)
    world.clock.advance(1)
    before = journal.groups
    assert await journal.rouse(None, [S.PLACED]) == 2_500
    assert journal.groups - before == 3


MANY_WAITING = """
WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2501)
INSERT INTO asset (id, name, kind, source, seen_at) SELECT i, i, 'photo', 'folder', 1 FROM n;
INSERT INTO standing (asset, lane, state, mark, due)
SELECT id, 'phone', 'phone.placed', 'waiting', 1 << 61 FROM asset WHERE id > 1;
"""


async def test_what_is_awaited_comes_in_pages_that_tear_no_asset(journal: Journal) -> None:
    assets = [(await placed(journal, f"{n}.jpg"))[0] for n in range(5)]
    whole = await whole_asset(journal, assets[0])
    await journal.witness([(assets[1], Evidence("x", 9))])
    await walked(journal, assets[2], (S.PLACED, S.ON_PHONE))
    await journal.park([Park(assets[3], Lane.PHONE, "held", None, "?")])
    await journal.park([Park(assets[4], Lane.PHONE, "waiting", 1 << 60, "the phone is away")])
    first = await journal.awaited([S.PLACED], START, 2)
    assert [p.asset for p in first] == assets[:2]
    assert first[0].placement == whole.placements[0]
    assert first[0].rungs == {Rung.INDEXED}
    assert [p.asset for p in await journal.awaited([S.PLACED], first[-1].asset, 2)] == [assets[4]]
    both = await journal.awaited([S.PLACED, S.ON_PHONE], START, 9)
    assert [p.asset for p in both] == [*assets[:3], assets[4]]
    assert await journal.awaited([S.PLACED], assets[4], 9) == []


async def test_an_asset_that_was_never_placed_does_not_shorten_a_page(
    journal: Journal,
) -> None:
    skipped, _ = await due(journal, "skipped.jpg")
    await walked(journal, skipped, (S.PHONE_DUE, S.BATCHED, S.PLACED))
    asset, _ = await placed(journal, "placed.jpg")
    assert [p.asset for p in await journal.awaited([S.PLACED], START, 1)] == [asset]


async def test_a_file_is_found_by_its_exact_name_on_the_phone(journal: Journal) -> None:
    asset, at = await placed(journal, "IMG_1.HEIC")
    found = await journal.placed_under([SiteKey("IMG_1.HEIC"), SiteKey("img_1.heic")])
    assert list(found) == ["IMG_1.HEIC"]
    assert found[at.key] == (await journal.awaited([S.PLACED], START, 9))[0]
    await arrived(journal, "IMG_10.HEIC")
    for query in ("IMG_1.HEIC", "/home/me/photos/pixel_sync/IMG_1.HEIC"):
        assert await journal.find(query) == [asset]


async def test_a_name_on_the_phone_that_is_no_name_of_the_asset_finds_it(
    journal: Journal,
) -> None:
    asset, original = await due(journal, "2024/IMG_1.HEIC")
    given = Evidence("batch", 5, placements=(placement(original, "IMG_1~7.HEIC"),))
    await moved(journal, asset, S.PHONE_DUE, S.BATCHED, given)
    assert await journal.find("pixel_sync/IMG_1~7.HEIC") == [asset]


async def test_names_come_back_byte_for_byte_from_a_batch(journal: Journal) -> None:
    for name in ("caf\udce9.jpg", "emoji 📷.jpg", "'; DROP TABLE placement; --.jpg"):
        asset, at = await batched(journal, name)
        assert (await whole_asset(journal, asset)).placements[0].key == name
        assert (await journal.placed_under([at.key]))[at.key].asset == asset
        assert await journal.names_given([at.key]) == {name}


async def test_a_batch_tells_its_members_and_how_each_stands(journal: Journal) -> None:
    one, at = await placed(journal, "1.jpg", 1)
    two, _ = await placed(journal, "2.jpg", 2)
    three, _ = await batched(journal, "3.jpg", 2)
    await journal.park([Park(three, Lane.PHONE, "retry", 9, "no", "io.busy", "wait")])
    newest, oldest = await journal.batches(None, 10)
    assert [newest.id, oldest.id] == [2, 1]
    assert await journal.batches(None, 1) == [newest]
    assert await journal.batches(newest.id, 10) == [oldest]
    assert await journal.batch(BatchId(1)) == oldest
    assert await journal.batch(BatchId(3)) is None
    [member] = oldest.members
    assert (member.asset, member.name, member.placements) == (one, "1.jpg", (at,))
    assert (member.state, member.mark) == (S.PLACED, Mark.READY)
    assert [w.rung for w in member.witnesses] == [Rung.INDEXED]
    assert [(m.asset, m.state, m.mark) for m in newest.members] == [
        (two, S.PLACED, Mark.READY),
        (three, S.BATCHED, Mark.RETRY),
    ]
    last = newest.members[1]
    assert (last.why, last.code, last.remedy) == ("no", "io.busy", "wait")


async def test_a_batch_is_open_while_one_of_its_files_is_on_its_way(journal: Journal) -> None:
    assets = [(await batched(journal, f"{n}.jpg", 1))[0] for n in range(2)]
    other, _ = await placed(journal, "x.jpg", 2)
    assert await journal.open_batches(0) == [OpenBatch(BatchId(1), 2, 2), OpenBatch(BatchId(2), 1, 1)]  # fmt: skip
    await walked(journal, assets[0], (S.BATCHED, S.PLACED, S.ON_PHONE))
    await walked(journal, other, (S.PLACED, S.ON_PHONE))
    assert await journal.open_batches(0) == [OpenBatch(BatchId(1), 1, 2)]
    await journal.park([Park(assets[1], Lane.PHONE, "held", None, "which?")])
    assert await journal.open_batches(0) == []
    await journal.retry([assets[1]], [Mark.HELD])
    for mark in RUNS:
        await journal.park([Park(assets[1], Lane.PHONE, mark, 9, "not yet")])
        assert await journal.open_batches(0) == [OpenBatch(BatchId(1), 1, 2)], mark


async def test_a_file_that_was_placed_long_ago_holds_its_batch_open_no_longer(
    journal: Journal,
) -> None:
    asset, at = await placed(journal, "1.jpg")  # at 7, in a batch made at 5
    await batched(journal, "2.jpg", 2)
    assert [b.id for b in await journal.open_batches(7)] == [1, 2]
    assert [b.id for b in await journal.open_batches(8)] == [2], "it is not placed yet: not stuck"
    again = replace(listed_at("A:9", at), at=60)
    await journal.witness([(asset, again)])
    assert [b.id for b in await journal.open_batches(8)] == [2], "listed again is not placed again"


async def test_a_late_half_that_sends_an_asset_back_leaves_its_old_batch_closed(
    journal: Journal,
) -> None:
    """Otherwise the batch would wait for the asset, and the asset, before the door, for the batch."""
    photo, at = await placed(journal, "IMG_1.HEIC", 1)
    movie = await arrived(journal, "IMG_1.MOV")
    await journal.merge(movie, photo, Evidence("content id", 1))
    row = await journal.batch(BatchId(1))
    assert row is not None
    assert [(m.state, m.mark) for m in row.members] == [(S.SEEN, Mark.READY)]
    await hashed(journal, photo, "both")
    assert await journal.open_batches(0) == []
    seen = Evidence("batch", 80, placements=(replace(at, batch=BatchId(2)),))
    await moved(journal, photo, S.PHONE_DUE, S.BATCHED, seen)
    assert [b.id for b in await journal.open_batches(70)] == [2]
    await moved(journal, photo, S.BATCHED, S.PLACED, replace(seen, at=90))
    assert [b.id for b in await journal.open_batches(80)] == [2], "placed anew, waited for anew"


async def test_batches_are_counted_on(journal: Journal) -> None:
    assert await journal.next_batch() == 1
    await batched(journal, "1.jpg", 7)
    assert await journal.next_batch() == 8


async def test_what_is_in_intake_is_on_its_way(journal: Journal) -> None:
    assert await journal.arriving() == 0
    assets: Sequence[AssetId] = [await arrived(journal, f"{n}.jpg") for n in range(3)]
    await moved(journal, assets[0], S.SEEN, S.SETTLED)
    await journal.park([Park(assets[1], Lane.INTAKE, "waiting", 9, "it settles")])
    assert await journal.arriving() == 3
    await journal.park([Park(assets[2], Lane.INTAKE, "failed", None, "no")])
    assert await journal.arriving() == 2
    await hashed(journal, assets[1])
    assert await journal.arriving() == 1


TWIN = """INSERT OR REPLACE INTO placement
SELECT 9, original, batch, key, folded, digest, size, mtime_ns, version, blocks, placed_at, film FROM placement"""


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM placement",
        "DELETE FROM witness",
        "DELETE FROM batch",
        "UPDATE witness SET rung = 'google-has'",
        "UPDATE placement SET original = 2",
        "UPDATE placement SET key = 'IMG_9.HEIC'",
        "UPDATE placement SET folded = 'img_9.heic'",
        "UPDATE placement SET digest = zeroblob(32)",
        "UPDATE placement SET id = 9",
        "UPDATE placement SET version = ''",
        "UPDATE placement SET batch = 9",
        "UPDATE placement SET film = 1",
        TWIN,
        "INSERT OR REPLACE INTO witness SELECT * FROM witness",
        "INSERT OR REPLACE INTO batch SELECT * FROM batch",
        "INSERT INTO witness VALUES (9, 1, 'phone-has', '', '{}', 0)",
    ],
)
async def test_what_went_over_the_phone_stays_told(
    journal: Journal, world: World, sql: str
) -> None:
    await placed(journal, "IMG_1.HEIC")
    await arrived(journal, "IMG_2.HEIC")
    with world.sqlite() as db:
        db.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(
            Exception, match=r"FOREIGN KEY|forgotten|changed|given once|bytes|CHECK"
        ):
            db.execute(sql)


async def test_bytes_are_found_by_what_was_taken_in_and_by_what_was_sent(journal: Journal) -> None:
    asset, sent = await placed(journal, "IMG_1.HEIC")
    taken = (await whole_asset(journal, asset)).originals[0].digest
    assert taken is not None
    asked = [sent.digest, taken, digest_of("nobody's")]
    assert await journal.of_bytes(asked) == {sent.digest: [asset], taken: [asset]}
