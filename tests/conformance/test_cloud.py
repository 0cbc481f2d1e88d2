"""Guards the promises of ports.Cloud: iCloud's adapter before a server, and the cloud in memory, tell one truth."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from mediad.errors import Bug, MediadError, Refused, Retryable
from mediad.model import CloudRef, Place, Remote, Resource, Site, SiteKey
from mediad.ports import Deleted, Delta, Fetch, Zone
from mediad.testing.icloud.bodies import jpeg
from tests.adapters.icloud_stand import standing
from tests.conformance.clouds import HOME, Memory, Real, World

JPEG = jpeg("a picture", taken_at=1_700_000_000_000).read()
DAY_MS = 86_400_000


@pytest.fixture(params=["real", "memory"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        yield Memory()
        return
    async with standing(tmp_path) as stand, stand.cloud() as cloud:
        yield Real(stand, cloud)


async def home(world: World) -> Zone:
    [zone] = [z for z in (await world.cloud.changed(None)).zones if z.name == HOME]
    return zone


async def seen(world: World, ref: CloudRef) -> Remote:
    [found] = await world.cloud.lookup([ref])
    assert found is not None
    return found


async def listed(world: World, *, hidden: bool = False) -> tuple[list[Remote], str]:
    """The whole zone, page by page, and the token of the first moment."""
    zone, rank, first = await home(world), 0, ""
    remotes: list[Remote] = []
    while True:
        page = await world.cloud.listing(zone, rank, hidden=hidden)
        first = first or page.token or ""
        remotes += page.remotes
        if not page.is_more:
            return remotes, first
        assert page.rank is not None
        assert page.rank > rank
        rank = page.rank


async def news(world: World, token: str) -> list[Delta]:
    zone = await home(world)
    pages = [await world.cloud.delta(zone, token)]
    while pages[-1].is_more:
        assert pages[-1].token
        pages.append(await world.cloud.delta(zone, pages[-1].token))
    return pages


def all_of(pages: Sequence[Delta]) -> list[CloudRef]:
    return [r.ref for page in pages for r in page.remotes]


async def test_every_asset_is_listed_once_with_all_its_files(world: World) -> None:
    refs = [world.take(f"IMG_{n}.JPG", JPEG + bytes([n])) for n in range(5)]
    live = world.take("IMG_9.HEIC", b"still", more=[(Resource.LIVE_VIDEO, "IMG_9.MOV", b"movie")])
    remotes, _ = await listed(world)
    assert sorted(r.ref for r in remotes) == sorted([*refs, live])
    [found] = [r for r in remotes if r.ref == live]
    assert [(f.resource, f.size) for f in found.files] == [
        (Resource.ORIGINAL, 5),
        (Resource.LIVE_VIDEO, 5),
    ]
    assert found.master == found.files[0].fingerprint
    assert (found.is_ours, found.is_deleted, found.flaw) == (True, False, "")


async def test_what_is_hidden_is_listed_apart(world: World) -> None:
    shown, hidden = world.take("a.JPG", b"a"), world.take("b.JPG", b"b", hidden=True)
    assert [r.ref for r in (await listed(world))[0]] == [shown]
    assert [r.ref for r in (await listed(world, hidden=True))[0]] == [hidden]
    assert (await seen(world, hidden)).is_hidden


async def test_what_came_after_the_first_page_was_asked_is_news(world: World) -> None:
    world.take("a.JPG", b"a")
    token = (await listed(world))[1]
    assert all_of(await news(world, token)) == []
    refs = [world.take(f"{n}.JPG", bytes([n])) for n in range(5)]
    assert set(all_of(await news(world, token))) == set(refs)


async def test_one_question_tells_whether_anything_is_new(world: World) -> None:
    world.take("a.JPG", b"a")
    token = (await world.cloud.changed(None)).token
    quiet = await world.cloud.changed(token)
    assert quiet.zones == ()
    world.take("b.JPG", b"b")
    assert [z.name for z in (await world.cloud.changed(quiet.token)).zones] == [HOME]


async def test_a_token_that_is_none_is_refused_by_its_code(world: World) -> None:
    zone = await home(world)
    with pytest.raises(Refused) as caught:
        await world.cloud.delta(zone, "no such token")
    assert caught.value.code == "icloud.token"


async def test_a_lookup_answers_in_order_and_knows_what_is_not_there(world: World) -> None:
    a, b = world.take("a.JPG", b"a"), world.take("b.JPG", b"b")
    found = await world.cloud.lookup([b, CloudRef(HOME, "NOBODY"), a])
    assert [r.ref if r else None for r in found] == [b, None, a]


async def test_an_edit_is_a_file_more_and_another_tag(world: World) -> None:
    ref = world.take("a.JPG", b"a")
    was = await seen(world, ref)
    world.edit(ref, "a.JPG", b"better")
    now = await seen(world, ref)
    assert now.change_tag != was.change_tag
    assert (now.master, [f.resource for f in now.files]) == (
        was.master,
        [Resource.ORIGINAL, Resource.EDITED],
    )


async def test_a_file_is_fetched_whole_and_a_second_time_costs_nothing(world: World) -> None:
    ref = world.take("a.JPG", JPEG)
    [file] = (await seen(world, ref)).files
    target = Place(Site.INCOMING, SiteKey(".icloud/1/a.JPG"))
    fetch = Fetch(ref, file, target, 1_700_000_000_000_000_000)
    assert await world.cloud.fingerprints([target]) == [None]
    for _ in range(2):
        assert await world.cloud.fetch([fetch]) == [None]
        assert world.read(target) == JPEG
    assert await world.cloud.fingerprints([target]) == [file.fingerprint]


async def test_an_album_is_made_once_and_an_asset_is_in_it_once(world: World) -> None:
    zone, ref = await home(world), world.take("a.JPG", b"a")
    assert await world.cloud.members("A" * 32, zone) is None
    for _ in range(2):
        await world.cloud.make_album(zone, "A" * 32, "DeletePending")
        assert await world.cloud.add("A" * 32, [ref]) == [None]
    assert await world.cloud.members("A" * 32, zone) == frozenset({ref.record})
    listing = await world.cloud.album_listing(zone)
    assert [(a.record, a.name) for a in listing.albums] == [("A" * 32, "DeletePending")]
    assert [(m.asset, m.album) for m in listing.members] == [(ref.record, "A" * 32)]


async def test_a_person_takes_a_photo_out_and_the_album_away(world: World) -> None:
    zone, ref = await home(world), world.take("a.JPG", b"a")
    await world.cloud.make_album(zone, "A" * 32, "DeletePending")
    await world.cloud.add("A" * 32, [ref])
    token = (await listed(world))[1]
    world.take_out("A" * 32, ref)
    assert await world.cloud.members("A" * 32, zone) == frozenset()
    pages = await news(world, token)
    assert [m for p in pages for m in p.members_gone] == [f"{ref.record}-IN-{'A' * 32}"]
    world.drop_album("A" * 32)
    assert await world.cloud.members("A" * 32, zone) is None
    assert (await seen(world, ref)).is_deleted is False


async def test_what_is_deleted_lies_in_recently_deleted_and_comes_back(world: World) -> None:
    ref, kept = world.take("a.JPG", b"a"), world.take("b.JPG", b"b")
    token = (await listed(world))[1]
    [gone] = await world.cloud.delete([(ref, (await seen(world, ref)).change_tag)])
    assert isinstance(gone, Deleted)
    assert gone.ref == ref
    now = await seen(world, ref)
    assert (now.is_deleted, now.change_tag) == (True, gone.change_tag)
    assert gone.recoverable_until is not None
    assert [r.ref for r in (await listed(world))[0]] == [kept]
    assert [r for p in await news(world, token) for r in p.gone] == [ref]
    assert await world.cloud.undelete([ref]) == [None]
    assert (await seen(world, ref)).is_deleted is False
    assert all_of(await news(world, token)) == [ref]


async def test_what_was_changed_since_it_was_looked_up_is_not_deleted(world: World) -> None:
    ref, other = world.take("a.JPG", b"a"), world.take("b.JPG", b"b")
    tag = (await seen(world, ref)).change_tag
    world.touch(ref, favourite=True)
    answers = await world.cloud.delete([(ref, tag), (other, (await seen(world, other)).change_tag)])
    assert isinstance(answers[0], Retryable)
    assert answers[0].code == "icloud.conflict"
    assert isinstance(answers[1], Deleted)
    assert (await seen(world, ref)).is_deleted is False


async def test_nobody_deletes_more_than_a_handful_at_once(world: World) -> None:
    refs = [world.take(f"{n}.JPG", bytes([n])) for n in range(26)]
    with pytest.raises(Bug):
        await world.cloud.delete([(ref, "t") for ref in refs])
    assert len((await listed(world))[0]) == 26


async def test_one_that_is_not_there_spoils_nothing_for_the_rest(world: World) -> None:
    zone, ref = await home(world), world.take("a.JPG", b"a")
    nobody = CloudRef(HOME, "NOBODY")
    await world.cloud.make_album(zone, "A" * 32, "DeletePending")
    added = await world.cloud.add("A" * 32, [nobody, ref])
    assert added[1] is None, "whether Apple minds the other is not known"
    deleted = await world.cloud.delete([(nobody, "t"), (ref, (await seen(world, ref)).change_tag)])
    assert isinstance(deleted[0], MediadError)
    assert isinstance(deleted[1], Deleted)


async def test_an_upload_is_an_asset_of_its_own_and_found_after_a_while(world: World) -> None:
    zone, place = await home(world), world.put(Site.LIBRARY, "a.jpg", JPEG)
    sent = await world.cloud.upload(place, "a.jpg", zone=zone)
    assert [sent.fingerprint] == await world.cloud.fingerprints([place])
    assert sent.is_duplicate is False
    world.pass_time(60)
    found = await seen(world, sent.ref)
    assert (found.master, [f.fingerprint for f in found.files]) == (
        sent.fingerprint,
        [sent.fingerprint],
    )
    again = await world.cloud.upload(place, "a.jpg", zone=zone)
    assert (again.ref, again.is_duplicate) == (sent.ref, True)
    assert len((await listed(world))[0]) == 1


async def test_only_jpeg_is_uploaded(world: World) -> None:
    zone, place = await home(world), world.put(Site.LIBRARY, "a.heic", b"....ftypheic")
    with pytest.raises(Refused) as caught:
        await world.cloud.upload(place, "a.heic", zone=zone)
    assert caught.value.code == "icloud.not_jpeg"
    assert (await listed(world))[0] == []


async def test_a_heart_and_albums_are_given_anew(world: World) -> None:
    zone, ref = await home(world), world.take("a.JPG", b"a")
    await world.cloud.make_album(zone, "A" * 32, "Holiday")
    for _ in range(2):
        await world.cloud.tag(ref, favourite=True, albums=["A" * 32])
    assert (await seen(world, ref)).is_favourite
    assert await world.cloud.members("A" * 32, zone) == frozenset({ref.record})


async def test_what_is_gone_for_good_is_told_as_gone(world: World) -> None:
    ref = world.take("a.JPG", b"a")
    token = (await listed(world))[1]
    world.expunge(ref)
    gone = [r for p in await news(world, token) for r in p.gone]
    assert gone.count(ref) == 1, "beside records of other kinds, which nobody can tell from it"
    assert await world.cloud.lookup([ref]) == [None]
