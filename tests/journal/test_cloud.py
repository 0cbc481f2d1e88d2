"""Guards what is asked of iCloud's side of the journal: who is who, what is missing, what a stage saw there."""

import sqlite3
from dataclasses import replace

import pytest

from mediad.journal import BY_HAND, Journal, Step
from mediad.journal.cloud_page import source_key
from mediad.model import (
    AssetId,
    CloudRef,
    Evidence,
    RemoteFact,
    RemoteFile,
    Resource,
    Site,
)
from mediad.policy.completeness import grid, total
from mediad.ports import Album, Delta, Member
from mediad.state import State, Transition
from tests.journal.test_cloud_side import ZONE, page, photo, remote
from tests.journal.world import World, arrived, copy_of, digest_of, hashed, moved, whole_asset

S = State
A1, B1 = CloudRef("PrimarySync", "A1"), CloudRef("PrimarySync", "B1")


async def downloaded(journal: Journal, asset: AssetId, text: str, *, prove: bool = True) -> None:
    """Through intake, with bytes of its own and, if they are proved, their fingerprints."""
    whole = await whole_asset(journal, asset)
    assert whole.remote is not None
    files = tuple(f for f in whole.remote.files if f.original in {o.id for o in whole.originals})
    fact = RemoteFact(whole.remote.ref, proved=files if prove else ())
    seen = Evidence("fingerprint", 1, remotes=(fact,))
    await moved(journal, asset, S.LISTED, S.DOWNLOADED, seen)
    originals = tuple(replace(o, digest=digest_of(f"{text}{o.role}")) for o in whole.originals)
    read = Evidence("read-back", 1, originals=originals, identity=digest_of(text))
    await moved(journal, asset, S.DOWNLOADED, S.HASHED, read)


async def archived(journal: Journal, asset: AssetId) -> None:
    whole = await whole_asset(journal, asset)
    copies = tuple(
        replace(copy_of(o.id, Site.ARCHIVE, f"{asset}/{o.name}"), digest=o.digest)
        for o in whole.originals
        if o.digest
    )
    await moved(journal, asset, S.ARCHIVE_DUE, S.ARCHIVED, Evidence("read-back", 1, copies=copies))


async def test_what_a_stage_saw_of_an_asset_in_icloud_is_kept(journal: Journal) -> None:
    [asset] = await page(journal, remote("A1"))
    twin = CloudRef("PrimarySync", "B1")
    fact = RemoteFact(
        A1, marked_at=5, deleted_at=6, recoverable_until=7, replacement=twin, change_tag="2b"
    )
    seen = Evidence("looked up", 1, remotes=(fact,))
    await journal.witness([(AssetId(asset), seen)])
    row = (await journal.remotes([A1]))[A1]
    assert (row.marked_at, row.deleted_at, row.recoverable_until) == (5, 6, 7)
    assert (row.replacement, row.remote.change_tag) == (twin, "2b")
    assert await journal.deletions_since(6) == 1
    assert await journal.deletions_since(7) == 0
    undone = RemoteFact(A1, marked_at=0, deleted_at=0)
    await journal.witness([(AssetId(asset), Evidence("looked up", 2, remotes=(undone,)))])
    row = (await journal.remotes([A1]))[A1]
    assert (row.marked_at, row.deleted_at, row.replacement) == (None, None, twin)
    told = (await journal.history(AssetId(asset)))[-1].evidence
    assert told["remotes"] == [
        {"zone": "PrimarySync", "record": "A1", "marked_at": 0, "deleted_at": 0}
    ]


async def test_a_mark_survives_the_next_listing(journal: Journal) -> None:
    [asset] = await page(journal, remote("A1"))
    fact = RemoteFact(A1, marked_at=5)
    await journal.witness([(AssetId(asset), Evidence("x", 1, remotes=(fact,)))])
    await page(journal, replace(remote("A1"), change_tag="9z", is_favourite=True))
    row = (await journal.remotes([A1]))[A1]
    assert (row.marked_at, row.remote.change_tag, row.remote.is_favourite) == (5, "9z", True)


async def test_duplicates_made_on_the_phone_are_found_by_their_master(journal: Journal) -> None:
    await page(journal, remote("B1", master="M"), remote("A1", master="M"), remote("C1"))
    rows = await journal.remotes_of_master("PrimarySync", "M")
    assert [r.remote.ref.record for r in rows] == ["A1", "B1"]
    assert await journal.remotes_of_master("SharedSync-1", "M") == []


async def test_a_proof_counts_for_the_bytes_that_were_taken_and_can_be_taken_back(
    journal: Journal,
) -> None:
    [asset] = await page(journal, remote("A1"))
    await downloaded(journal, AssetId(asset), "a")
    row = (await journal.remotes([A1]))[A1]
    assert [f.is_proved for f in row.remote.files] == [True]
    fact = RemoteFact(A1, unproved=row.remote.files)
    await journal.witness([(AssetId(asset), Evidence("x", 1, remotes=(fact,)))])
    row = (await journal.remotes([A1]))[A1]
    assert [f.is_proved for f in row.remote.files] == [False]
    # Nothing is proved of what is not ours, whoever says so.
    await page(journal, remote("B1"), why="filtered: old")
    other = (await journal.remotes([B1]))[B1].remote.files
    fact = RemoteFact(B1, proved=other)
    await journal.witness([(AssetId(asset), Evidence("x", 1, remotes=(fact,)))])
    assert not (await journal.remotes([B1]))[B1].remote.files[0].is_proved


async def test_bytes_that_were_edited_away_are_no_longer_among_its_files(journal: Journal) -> None:
    edits = [RemoteFile(Resource.EDITED, "E.JPG", 7, f"fp-{n}") for n in range(2)]
    [first] = await page(journal, remote("A1", photo("fp"), edits[0]))
    [second] = await page(journal, remote("A1", photo("fp"), edits[1]))
    row = (await journal.remotes([A1]))[A1]
    assert [f.fingerprint for f in row.remote.files] == ["fp", "fp-1"]
    assert row.assets == (first, second)
    # Back to the first edit: these bytes are known.
    assert await page(journal, remote("A1", photo("fp"), edits[0])) == []


async def test_the_same_name_twice_below_one_asset_gets_two_places(journal: Journal) -> None:
    edits = [RemoteFile(Resource.EDITED, "E.JPG", 7, f"fp-{n}") for n in range(2)]
    keys = []
    for edit in edits:
        made = await page(journal, remote("A1", photo("fp"), edit))
        whole = await whole_asset(journal, AssetId(made[0]))
        keys += [o.source_key for o in whole.originals]
    assert len(set(keys)) == 3


def test_two_assets_never_share_a_folder() -> None:
    refs = [
        CloudRef(zone, record)
        for zone in ("PrimarySync", "SharedSync-1")
        for record in ("ABCDEFGH-1", "ABCDEFGH-2", "../..", "", "\ud800", "ü")
    ]
    folders = {source_key(ref, "a.jpg").rpartition("/")[0] for ref in refs}
    assert len(folders) == len(refs)
    assert all(f.startswith(".icloud/") and ".." not in f for f in folders)


async def test_albums_are_known_by_their_members(journal: Journal) -> None:
    members = tuple(Member(f"A1-IN-{a}", "A1", a, "PrimarySync") for a in ("X", "Y"))
    albums = (Album("X", "Family", "PrimarySync"), Album("Y", "Old", "PrimarySync", is_gone=True))
    await journal.cloud_page(ZONE, [(remote("A1"), "")], Delta(albums=albums, members=members))
    assert await journal.albums("PrimarySync") == {"X": "Family"}
    assert await journal.albums_of([A1]) == {A1: frozenset({"X"})}
    assert (await journal.remotes([A1]))[A1].remote.albums == ("X",)
    await journal.cloud_page(ZONE, [], Delta(members_gone=("A1-IN-X",)))
    assert await journal.albums_of([A1]) == {A1: frozenset()}


async def test_out_of_our_own_album_its_days_are_void_out_of_another_they_are_not(
    journal: Journal,
) -> None:
    """The person may have put it back in before anybody looked: that its days begin anew must not depend on it."""
    ours = await journal.album_for(ZONE.name, "DeletePending")
    [asset] = await journal.cloud_page(ZONE, [(remote("A1"), "")], Delta())
    ref = CloudRef(ZONE.name, "A1")
    marked = Evidence("lookup", 1, remotes=(RemoteFact(ref, marked_at=77),))
    await journal.witness([(asset, marked)])
    await journal.cloud_page(ZONE, [], Delta(members_gone=("A1-IN-B9", "A2-IN-" + ours, "odd")))
    assert (await journal.remotes([ref]))[ref].marked_at == 77
    await journal.cloud_page(ZONE, [], Delta(members_gone=("A1-IN-" + ours,)))
    assert (await journal.remotes([ref]))[ref].marked_at is None


async def test_the_table_counts_what_is_proved_and_what_is_not_with_its_reason(
    journal: Journal,
) -> None:
    movie = RemoteFile(Resource.LIVE_VIDEO, "A.MOV", 3, "fp-movie")
    live = remote("A1", photo("fp-a"), movie)
    first, _ = await page(journal, live, remote("B1"))
    await page(journal, remote("C1"), why="filtered: no favourite")
    await page(journal, replace(remote("D1"), files=(), flaw="no original"), why="no original")
    table = total(grid(await journal.completeness()))
    assert (table.listed, table.journalled, table.archived) == (4, 2, 0)
    await downloaded(journal, AssetId(first), "a")
    await archived(journal, AssetId(first))
    table = total(grid(await journal.completeness()))
    assert (table.listed, table.archived) == (4, 1)
    assert table.missing == {
        "waits to be fetched": 1, "filtered: no favourite": 1, "no original": 1,
    }  # fmt: skip
    missing = await journal.missing()
    assert [r.remote.ref.record for r, _ in missing] == ["B1", "C1", "D1"]
    [(later, _)] = await journal.missing(after=missing[1][0].remote.ref)
    assert later.remote.ref.record == "D1"
    assert len(await journal.missing(limit=1)) == 1


async def test_an_edit_that_is_not_archived_makes_the_whole_asset_missing(journal: Journal) -> None:
    [first] = await page(journal, remote("A1", photo("fp-a")))
    await downloaded(journal, AssetId(first), "a")
    await archived(journal, AssetId(first))
    assert await journal.missing() == []
    edit = RemoteFile(Resource.EDITED, "A-edited.JPG", 7, "fp-edit")
    await page(journal, remote("A1", photo("fp-a"), edit))
    [(row, reason)] = await journal.missing()
    assert row.remote.ref == A1
    assert reason.state == S.LISTED


async def test_a_duplicate_counts_as_archived_with_the_bytes_that_it_is_a_duplicate_of(
    journal: Journal,
) -> None:
    first, second = await page(journal, remote("A1"), remote("B1"))
    await downloaded(journal, AssetId(first), "a")
    whole = await whole_asset(journal, AssetId(second))
    await moved(journal, AssetId(second), S.LISTED, S.DOWNLOADED)
    [keeper] = (await whole_asset(journal, AssetId(first))).originals
    known = tuple(replace(o, digest=keeper.digest) for o in whole.originals)
    seen = Evidence("read-back", 1, originals=known, keeper=AssetId(first))
    step = Step(AssetId(second), Transition(S.DOWNLOADED, "hash", S.DUPLICATE), seen)
    assert not isinstance((await journal.record([step]))[0], Exception)
    reasons = {r.remote.ref.record: why for r, why in await journal.missing()}
    assert reasons["B1"].state == S.DUPLICATE
    await archived(journal, AssetId(first))
    assert await journal.missing() == []


async def test_what_icloud_listed_is_never_forgotten(journal: Journal, world: World) -> None:
    await page(journal, remote("A1"))
    with world.sqlite() as db:
        for table in ("cloud_asset", "cloud_file"):
            with pytest.raises(sqlite3.IntegrityError, match="never forgotten"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - words from above
        with pytest.raises(sqlite3.IntegrityError, match="one original"):
            db.execute("UPDATE cloud_file SET original = NULL")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("UPDATE cloud_zone SET token = ''")


async def test_who_only_passed_while_deleting_was_off_stands_before_it_again(
    journal: Journal, world: World
) -> None:
    """Not who was skipped by hand, not whom mediad deleted, not who is gone, and never a dropped file."""
    stages = ("batch", "place", "verify", "release", "compress", "sort", "upload", "mark", "delete")
    world.off = dict.fromkeys(stages, "off: [delete] enabled = false")
    names = ("A1", "B1", "C1", "D1")
    found = await page(journal, *(remote(n) for n in names))
    passed, by_hand, gone, deleted = map(AssetId, found)
    for asset in (passed, gone, deleted):
        await downloaded(journal, asset, f"bytes of {asset}")
        await archived(journal, asset)
    world.off = {s: w for s, w in world.off.items() if s != "delete"}
    await downloaded(journal, by_hand, "bytes by hand")
    await archived(journal, by_hand)
    skip = Evidence(BY_HAND, 2, note="it stays there")
    await moved(journal, by_hand, S.MARKED, S.DELETED, skip)
    dropped = await arrived(journal, "dropped.jpg")
    await hashed(journal, dropped)

    facts = RemoteFact(CloudRef("PrimarySync", "D1"), deleted_at=6)
    await journal.witness([(deleted, Evidence("looked up", 1, remotes=(facts,)))])
    await journal.cloud_page(ZONE, [], Delta(gone=(CloudRef("PrimarySync", "C1"),)))

    assert await journal.reopen_cloud(7) == 1
    standing = {s.state for s in await journal.standing(passed)}
    assert (
        S.MARKED in standing
    )  # upload and mark are off, and passed again: it stands before delete
    assert (await journal.history(passed))[-3].evidence["kind"] == "reopened"
    assert await journal.reopen_cloud(8) == 0
    assert (await journal.audit()).broken_at is None


async def test_a_lane_that_is_sent_back_and_passes_again_stands_at_its_end(
    journal: Journal, world: World
) -> None:
    stages = ("batch", "place", "verify", "release", "compress", "sort", "upload", "mark", "delete")
    world.off = dict.fromkeys(stages, "off: [delete] enabled = false")
    [asset] = map(AssetId, await page(journal, remote("A1")))
    await downloaded(journal, asset, "x")
    await archived(journal, asset)
    await moved(journal, asset, S.DELETED, S.CLOUD_DUE, Evidence("reopened", 1))
    [cloud] = [s for s in await journal.standing(asset) if s.lane.value == "cloud"]
    assert (cloud.state, cloud.mark) == (S.DELETED, "final")
