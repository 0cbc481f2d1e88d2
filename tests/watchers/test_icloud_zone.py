"""Guards that iCloud's libraries get into the journal whole, cheaply, and without anything inferred from silence."""

from dataclasses import replace
from pathlib import Path

import pytest

from mediad.errors import Refused, Retryable
from mediad.model import CloudRef, Resource
from mediad.ports import Delta, Zone
from mediad.watchers.icloud_zone import DAY_MS, WEEK_MS
from tests.watchers.cloud_world import World, world

OFFLINE = Retryable("no answer", code="icloud.unreachable", site="icloud")
WEEK_S = WEEK_MS / 1000


async def test_the_first_scan_lists_everything_the_hidden_too(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.cloud.page = 3
        refs = [w.photo(n, hidden=n == 5) for n in range(8)]
        await w.watch.ask()
        assert sorted(await w.names()) == [f"IMG_{n:04}.JPG" for n in range(8)]
        assert all([(await w.row(r)).why == "" for r in refs])
        row = (await w.journal.cloud_tokens())[1]["PrimarySync"]
        assert row.token
        assert row.listing is None
        assert w.cloud.calls["listing"] == 4


async def test_an_idle_look_costs_one_request(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for n in range(500):
            w.photo(n)
        await w.watch.ask()
        assert await w.requests() == 1
        again = w.new_watch()
        w.watch = again
        assert await w.requests() <= 2
        assert await w.requests() == 1


async def test_ten_new_ones_cost_what_ten_cost(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for n in range(300):
            w.photo(n)
        await w.watch.ask()
        for n in range(300, 310):
            w.photo(n)
        assert await w.requests() == 2
        assert len(await w.names()) == 310


async def test_what_happens_while_the_library_is_listed_is_read_after_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.cloud.page = 2
        refs = [w.photo(n) for n in range(10, 16)]
        late: list[CloudRef] = []
        listing = w.cloud.listing

        async def meanwhile(zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
            page = await listing(zone, rank, hidden=hidden)
            if rank == 2 and not late:
                late.append(w.photo(1))  # before all others: every rank moves by one
                w.cloud.set(refs[0], deleted=True)
            return page

        w.cloud.listing = meanwhile  # type: ignore[method-assign]
        await w.watch.ask()
        assert sorted(await w.names()) == [
            "IMG_0001.JPG",
            *(f"IMG_{n:04}.JPG" for n in range(10, 16)),
        ]
        assert (await w.row(refs[0])).is_gone
        listed_at = (await w.journal.cloud_tokens())[1]["PrimarySync"].listed_at
        assert listed_at is not None
        assert listed_at < w.clock.now() - WEEK_MS + 2 * DAY_MS  # it is listed again tomorrow


async def test_a_listing_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.cloud.page = 2
        for n in range(8):
            w.photo(n)
        real, asked = w.cloud.listing, []

        async def cut(zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
            asked.append(rank)
            if len(asked) == 3:
                raise OFFLINE
            return await real(zone, rank, hidden=hidden)

        w.cloud.listing = cut  # type: ignore[method-assign]
        await w.watch.ask()
        assert len(await w.names()) == 4
        w.watch = w.new_watch()
        await w.watch.ask()
        assert len(await w.names()) == 8
        assert asked == [0, 2, 4, 4, 6, 0]


async def test_a_page_that_the_disk_does_not_take_is_read_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.photo(0)
        await w.watch.ask()
        for n in range(1, 60):
            w.photo(n)
        before = (await w.journal.cloud_tokens())[1]["PrimarySync"].token
        # As little room as there is; the page needs more.
        pages = w.journal._connection.execute("PRAGMA page_count").fetchone()[0]
        w.journal._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        await w.watch.ask()
        assert [p.code for p in w.problems.now()] == ["space.full"]
        assert len(await w.names()) == 1
        assert (await w.journal.cloud_tokens())[1]["PrimarySync"].token == before
        w.journal._connection.execute("PRAGMA max_page_count = 1073741823")
        w.watch = w.new_watch()
        await w.watch.ask()
        assert len(await w.names()) == 60
        assert (await w.journal.audit()).broken_at is None


async def test_a_token_that_apple_takes_no_more_leads_to_a_listing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.photo(0)
        await w.watch.ask()
        w.photo(1)
        deltas = w.cloud.calls["listing"]
        w.refuse_tokens()
        await w.watch.ask()
        # Both tokens are refused, that of the account and that of the library.
        assert w.cloud.calls["listing"] > deltas
        w.cloud.forgets_tokens = False
        w.watch = w.new_watch()
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG", "IMG_0001.JPG"]
        assert w.codes() == []


async def test_what_a_listing_does_not_name_is_looked_up_before_it_is_called_gone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        slipped, gone, kept = w.photo(0), w.photo(1), w.photo(2)
        await w.watch.ask()
        real = w.cloud.listing

        async def forgetful(zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
            page = await real(zone, rank, hidden=hidden)
            return replace(page, remotes=tuple(r for r in page.remotes if r.ref == kept))

        w.cloud.listing = forgetful  # type: ignore[method-assign]
        del w.cloud.held[gone]  # and no change tells of it
        w.clock.advance(WEEK_S + 60)
        await w.watch.ask()
        assert not (await w.row(slipped)).is_gone
        assert (await w.row(gone)).is_gone
        assert w.cloud.calls["lookup"] == 1
        assert len(await w.names()) == 3  # and nothing of ours went


@pytest.mark.loss("DL2")
async def test_a_deletion_in_icloud_is_written_down_and_nothing_more(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ref = w.photo(0)
        await w.watch.ask()
        [asset] = (await w.row(ref)).assets
        before = await w.journal.standing(asset)
        w.cloud.set(ref, deleted=True)
        await w.watch.ask()
        assert (await w.row(ref)).is_gone
        assert await w.journal.standing(asset) == before
        w.cloud.set(ref, deleted=False)
        await w.watch.ask()
        assert not (await w.row(ref)).is_gone


async def test_an_edit_brings_only_the_new_file(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ref = w.photo(0)
        await w.watch.ask()
        w.cloud.edit(ref, "IMG_0000.JPG", b"jpeg edited")
        await w.watch.ask()
        first, second = (await w.row(ref)).assets
        edit = await w.journal.asset(second)
        assert edit is not None
        assert [o.name for o in edit.originals] == ["IMG_0000-edited.JPG"]
        assert edit.remote is not None
        assert edit.remote.ref == ref
        assert first != second


async def test_what_mediad_uploaded_is_known_and_never_fetched(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ref = w.photo(0)
        await w.journal.ignore_fingerprints([w.cloud.remote(ref).files[0].fingerprint])
        await w.watch.ask()
        assert (await w.row(ref)).why == "uploaded by mediad"
        assert await w.names() == []


async def test_other_filters_let_in_what_was_left_out(tmp_path: Path) -> None:
    async with world(tmp_path, favourites_only=True) as w:
        loved, other = w.photo(0, favourite=True), w.photo(1)
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG"]
        assert (await w.row(other)).why.startswith("filtered: ")
        w.configure(favourites_only=False)
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG", "IMG_0001.JPG"]
        assert (await w.row(other)).why == (await w.row(loved)).why == ""


async def test_a_photo_that_is_put_into_a_wanted_album_later_is_fetched_then(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, albums=["Family"]) as w:
        album = w.cloud.new_album("Family")
        inside, outside = w.photo(0), w.photo(1)
        w.cloud.put_in(album, inside)
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG"]
        w.cloud.put_in(album, outside)
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG", "IMG_0001.JPG"]


async def test_a_library_that_is_not_wanted_is_left_alone_until_it_is(tmp_path: Path) -> None:
    async with world(tmp_path, zones=["PrimarySync"]) as w:
        w.photo(0)
        w.photo(1, zone="SharedSync-1")
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG"]
        w.configure(zones=())
        await w.watch.ask()
        assert await w.names() == ["IMG_0000.JPG", "IMG_0001.JPG"]


async def test_another_account_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.photo(0)
        await w.watch.ask()
        w.cloud.zones["PrimarySync"] = Zone("PrimarySync", "_somebody_else")
        w.photo(1)
        await w.watch.ask()
        assert w.codes() == ["icloud.other_account"]
        assert await w.names() == ["IMG_0000.JPG"]


def lose(w: World, name: str, reads: list[str]) -> None:
    """Of this library iCloud knows nothing any more."""
    plain = w.cloud.delta

    async def delta(zone: Zone, token: str) -> Delta:
        reads.append(zone.name)
        if zone.name == name:
            raise Refused("no such library", code="icloud.not_found")
        return await plain(zone, token)

    w.cloud.delta = delta  # type: ignore[method-assign]


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_shared_library_that_is_gone_is_in_nobodys_way(
    tmp_path: Path,
    is_told: bool,  # noqa: FBT001 - a case
) -> None:
    """Told of, or found out after a restart; and when it is there again, it is read whole."""
    async with world(tmp_path) as w:
        w.photo(0)
        shared = w.photo(1, zone="SharedSync-1")
        await w.watch.ask()
        plain, before = w.cloud.delta, w.cloud.zones["SharedSync-1"]
        reads: list[str] = []
        lose(w, "SharedSync-1", reads)
        if is_told:
            w.cloud.zones["SharedSync-1"] = replace(before, is_gone=True)
            w.cloud.set(shared)
            await w.watch.ask()
            assert reads == []
        w.watch = w.new_watch()
        w.photo(2)
        await w.watch.ask()
        assert w.codes() == []
        assert (await w.row(shared)).is_gone
        assert "IMG_0002.JPG" in await w.names()
        w.clock.advance(2 * WEEK_S)
        await w.watch.ask()
        assert w.codes() == []
        w.cloud.delta, w.cloud.zones["SharedSync-1"] = plain, before  # type: ignore[method-assign]
        w.photo(3, zone="SharedSync-1")
        await w.watch.ask()
        assert not (await w.row(shared)).is_gone
        assert "IMG_0003.JPG" in await w.names()


async def test_without_the_persons_own_library_nothing_is_called_gone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ref = w.photo(0)
        await w.watch.ask()
        lose(w, "PrimarySync", [])
        w.photo(1)
        await w.watch.ask()
        assert w.codes() == ["icloud.not_found"]
        assert not (await w.row(ref)).is_gone


async def test_seventy_empty_pages_are_followed_to_what_is_behind_them(tmp_path: Path) -> None:
    """Whether their tokens move on or not."""
    async with world(tmp_path) as w:
        w.photo(0)
        await w.watch.ask()
        w.photo(1)
        plain, empty = w.cloud.delta, iter(range(70))

        async def delta(zone: Zone, token: str) -> Delta:
            if next(empty, None) is not None:
                return Delta(token=token, is_more=True)
            return await plain(zone, token)

        w.cloud.delta = delta  # type: ignore[method-assign]
        await w.watch.ask()
        assert w.codes() == []
        assert "IMG_0001.JPG" in await w.names()


@pytest.mark.parametrize("is_empty", [True, False])
async def test_changes_that_lead_nowhere_are_not_followed_for_ever(
    tmp_path: Path,
    is_empty: bool,  # noqa: FBT001 - a case
) -> None:
    async with world(tmp_path) as w:
        ref = w.photo(0)
        await w.watch.ask()
        w.cloud.set(ref)

        async def delta(_: Zone, token: str) -> Delta:
            return Delta(() if is_empty else (w.cloud.remote(ref),), token=token, is_more=True)

        w.cloud.delta = delta  # type: ignore[method-assign,assignment]
        await w.watch.ask()
        assert w.codes() == ["icloud.answer"]


async def test_answers_that_lead_nowhere_are_not_followed_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.photo(0)

        async def endless(_: Zone, rank: int, **__: bool) -> Delta:
            return Delta(token="Z1", is_more=True, rank=rank)  # noqa: S106 - a zone's

        w.cloud.listing = endless  # type: ignore[method-assign,assignment]
        await w.watch.ask()
        assert w.codes() == ["icloud.answer"]


async def test_names_that_are_paths_and_two_of_one_name_do_no_harm(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        evil = w.cloud.take("../../etc/passwd", b"jpeg evil")
        twins = [w.cloud.take("IMG_0001.JPG", f"jpeg {n}".encode()) for n in range(2)]
        long = w.cloud.take("x" * 10_000_000 + ".JPG", b"jpeg long")
        pair = w.cloud.take("A.JPG", b"jpeg a", more=[(Resource.EDITED, "A.JPG", b"jpeg b")])
        await w.watch.ask()
        keys = []
        for ref in (evil, *twins, long, pair):
            [asset] = (await w.row(ref)).assets
            whole = await w.journal.asset(asset)
            assert whole is not None
            keys += [o.source_key for o in whole.originals]
        assert len(set(keys)) == len(keys) == 6
        for key in keys:
            top, folder, name = key.split("/")
            assert top == ".icloud"
            assert ".." not in (folder, name)
            assert len(name.encode()) <= 255
