"""Guards the promises of ports.Files: the folders for real and the folders in memory keep the same ones."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from mediad.adapters.durable import DurableFiles
from mediad.adapters.roots import Roots
from mediad.errors import Bug, MediadError, NeedsOperator, Refused
from mediad.model import Asset, AssetId, Digest, Kind, Place, Site, SiteKey
from mediad.ports import Files, Put, Sighting
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles, digest_of
from tests.adapters.folders import Kept

NOBODY = Asset(AssetId(1), "a", Kind.PHOTO, "folder", 0, ())
MTIME = 1_650_000_000_123_456_789
ODD_NAMES = [
    "plain.jpg",
    "with space & 'quotes'.jpg",
    "new\nline.jpg",
    "Grüße-\N{CAMERA}.heic",
    os.fsdecode(b"not-\xff\xfe-utf8.jpg"),
    "x" * 251 + ".jpg",
    "deep/er/and/deeper.jpg",
    "-rf",
]


class World(Protocol):
    files: Files

    def drop(self, site: Site, key: str, content: bytes) -> Place: ...

    def read(self, place: Place) -> bytes | None: ...

    def names(self, site: Site) -> list[str]: ...

    def unplug(self, site: Site) -> None: ...


class Memory:
    def __init__(self) -> None:
        self.memory = MemoryFiles()
        self.files: Files = self.memory

    def drop(self, site: Site, key: str, content: bytes) -> Place:
        return self.memory.drop(site, key, content, MTIME)

    def read(self, place: Place) -> bytes | None:
        file = self.memory.files.get(place)
        return None if file is None else file.content

    def names(self, site: Site) -> list[str]:
        return sorted(self.memory.under(site))

    def unplug(self, site: Site) -> None:
        self.memory.faults[site] = NeedsOperator("gone", code=f"{site}.unmounted", site=site)


class Disk:
    def __init__(self, root: Path) -> None:
        self.paths = {site: root / site.value for site in Site}
        roots = Roots(self.paths, Kept(), fstab=root / "fstab")
        for site in roots.own:
            roots.make(site)
        self.files: Files = DurableFiles(roots, StoppedClock(), reserve_bytes=0)

    def drop(self, site: Site, key: str, content: bytes) -> Place:
        path = self.paths[site] / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(MTIME, MTIME))
        return Place(site, SiteKey(key))

    def read(self, place: Place) -> bytes | None:
        path = self.paths[place.site] / place.key
        return path.read_bytes() if path.is_file() else None

    def names(self, site: Site) -> list[str]:
        """Of files that a person could have put there: neither the marker nor empty folders."""
        root = self.paths[site]
        found = (p for p in root.rglob("*") if p.is_file() and p.name != ".mediad-site")
        return sorted(str(p.relative_to(root)) for p in found)

    def unplug(self, site: Site) -> None:
        self.paths[site].rename(self.paths[site].with_suffix(".away"))


@pytest.fixture(params=["disk", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return Disk(tmp_path) if request.param == "disk" else Memory()


@dataclass(frozen=True)
class Pass:
    """A leave of the test's own making: the real one is made by the policy alone."""

    places: tuple[tuple[Place, Digest], ...]
    asset: Asset = field(default=NOBODY)


def at(site: Site, key: str) -> Place:
    return Place(site, SiteKey(key))


def put(source: Place, target: Place, content: bytes | None) -> Put:
    return Put(source, target, None if content is None else digest_of(content), MTIME)


def seen(answer: Sighting | MediadError | None) -> Sighting:
    assert isinstance(answer, Sighting), answer
    return answer


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_the_same_bytes_arrive_under_every_name(world: World, name: str, verb: str) -> None:
    source = world.drop(Site.SPOOL, "spool.jpg", b"picture")
    target = at(Site.PHONE, name)
    assert await getattr(world.files, verb)([put(source, target, b"picture")]) == [None]
    assert world.read(target) == b"picture"
    assert world.read(source) == (None if verb == "move" else b"picture")
    there = seen((await world.files.sight([target]))[0])
    assert (there.size, there.mtime_ns, there.is_regular) == (7, MTIME, True)


@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_asked_again_it_is_done_already(world: World, verb: str) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"picture")
    wish = put(source, at(Site.ARCHIVE, "2024/a.jpg"), b"picture")
    for _ in range(2):
        assert await getattr(world.files, verb)([wish]) == [None]
    assert world.read(wish.target) == b"picture"


@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_other_bytes_are_never_overwritten(world: World, verb: str) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"mine")
    target = world.drop(Site.PHONE, "a.jpg", b"somebody else's")
    (answer,) = await getattr(world.files, verb)([put(source, target, b"mine")])
    assert isinstance(answer, Refused)
    assert answer.code == "place.taken"
    assert world.read(source) == b"mine"
    assert world.read(target) == b"somebody else's"


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_a_bad_member_never_spoils_its_lot(world: World, verb: str) -> None:
    wishes = [
        put(
            world.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n),
            at(Site.ARCHIVE, f"{n % 3}/{n}.jpg"),
            b"%d" % n,
        )
        for n in range(40)
    ]
    world.drop(Site.ARCHIVE, "1/7.jpg", b"other")
    wishes[20] = put(at(Site.SPOOL, "nowhere.jpg"), at(Site.ARCHIVE, "nowhere.jpg"), b"?")
    answers = await getattr(world.files, verb)(wishes)
    assert {n for n, answer in enumerate(answers) if answer is not None} == {7, 20}
    assert answers[20].code == "io.missing"
    assert all(world.read(w.target) == b"%d" % n for n, w in enumerate(wishes) if n not in {7, 20})


async def test_a_copy_of_wrong_bytes_gets_no_name(world: World) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"rotten!")
    target = at(Site.ARCHIVE, "a.jpg")
    (answer,) = await world.files.copy([put(source, target, b"picture")])
    assert isinstance(answer, Refused)
    assert answer.code == "place.changed"
    assert world.read(target) is None


async def test_a_file_taken_in_unhashed_is_copied_as_it_is(world: World) -> None:
    source = world.drop(Site.INCOMING, "a.jpg", b"picture")
    target = at(Site.SPOOL, "1-a.jpg")
    assert await world.files.copy([put(source, target, None)]) == [None]
    assert world.read(target) == b"picture"


async def test_a_move_onto_the_same_bytes_leaves_one(world: World) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"picture")
    target = world.drop(Site.DUPLICATES, "a.jpg", b"picture")
    assert await world.files.move([put(source, target, b"picture")]) == [None]
    assert (world.read(source), world.read(target)) == (None, b"picture")


async def test_rereading_tells_the_bytes_and_the_other_digest_only_if_asked(world: World) -> None:
    place = world.drop(Site.ARCHIVE, "2024/a.jpg", b"picture")
    places = [place, at(Site.ARCHIVE, "none.jpg")]
    plain, nothing = await world.files.reread(places)
    both, _ = await world.files.reread(places, sha256=True)
    assert (seen(plain).digest, seen(plain).sha256, nothing) == (digest_of(b"picture"), "", None)
    assert (seen(both).digest, seen(both).size) == (digest_of(b"picture"), 7)
    assert seen(both).sha256 == hashlib.sha256(b"picture").hexdigest()


@pytest.mark.loss("DL5")
async def test_rereading_an_unplugged_site_is_a_fault_and_no_missing_file(world: World) -> None:
    """What is out of reach is never gone."""
    place = world.drop(Site.ARCHIVE, "a.jpg", b"picture")
    assert seen((await world.files.reread([place]))[0]).digest == digest_of(b"picture")
    world.unplug(Site.ARCHIVE)
    [answer] = await world.files.reread([place])
    assert isinstance(answer, NeedsOperator)
    assert answer.site == Site.ARCHIVE


async def test_read_back_tells_the_bytes(world: World) -> None:
    place = world.drop(Site.SPOOL, "a.jpg", b"picture")
    answers = await world.files.read_back([place, at(Site.SPOOL, "none.jpg")])
    assert seen(answers[0]).digest == digest_of(b"picture")
    assert seen(answers[0]).method
    assert answers[1] is None
    assert seen((await world.files.sight([place]))[0]).digest is None


async def test_what_changed_after_the_copy_is_read_again(world: World) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"picture")
    target = at(Site.ARCHIVE, "a.jpg")
    await world.files.copy([put(source, target, b"picture")])
    assert seen((await world.files.read_back([target]))[0]).digest == digest_of(b"picture")
    world.drop(Site.ARCHIVE, "a.jpg", b"Picture")  # same size, same mtime
    assert seen((await world.files.read_back([target]))[0]).digest == digest_of(b"Picture")


async def test_only_the_bytes_named_are_removed(world: World) -> None:
    right = world.drop(Site.SPOOL, "a.jpg", b"picture")
    other = world.drop(Site.SPOOL, "b.jpg", b"edited meanwhile")
    leaves = [
        Pass(((right, digest_of(b"picture")),)),
        Pass(((other, digest_of(b"picture")),)),
        Pass(((at(Site.SPOOL, "gone/c.jpg"), digest_of(b"x")),)),
    ]
    answers = await world.files.remove(leaves)
    assert answers[0] is None
    assert answers[2] is None
    assert isinstance(answers[1], Refused)
    assert (world.read(right), world.read(other)) == (None, b"edited meanwhile")


async def test_only_candidates_are_discarded(world: World) -> None:
    candidate = world.drop(Site.SPOOL, "renditions/a.jpg", b"small")
    original = world.drop(Site.SPOOL, "a.jpg", b"picture")
    await world.files.discard([candidate, candidate])
    assert world.read(candidate) is None
    with pytest.raises(Bug):
        await world.files.discard([original])
    assert world.read(original) == b"picture"


@pytest.mark.parametrize("key", ["../escaped.jpg", "a/../../escaped.jpg", "/etc/escaped.jpg"])
async def test_no_name_leads_out(world: World, key: str) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"picture")
    outside = at(Site.ARCHIVE, key)
    for answers in (
        await world.files.copy([put(source, outside, b"picture")]),
        await world.files.move([put(source, outside, b"picture")]),
        await world.files.link([put(outside, at(Site.PHONE, "x"), b"picture")]),
        await world.files.sight([outside]),
    ):
        assert isinstance(answers[0], Refused), answers
        assert answers[0].code == "place.outside"
    assert world.read(source) == b"picture"


async def test_a_site_out_of_reach_says_so_and_not_that_files_are_gone(world: World) -> None:
    source = world.drop(Site.SPOOL, "a.jpg", b"picture")
    target = at(Site.ARCHIVE, "a.jpg")
    await world.files.copy([put(source, target, b"picture")])
    world.unplug(Site.ARCHIVE)
    answers = [
        *await world.files.sight([target]),
        *await world.files.read_back([target]),
        *await world.files.copy([put(source, at(Site.ARCHIVE, "b.jpg"), b"picture")]),
        *await world.files.move([put(source, at(Site.ARCHIVE, "b.jpg"), b"picture")]),
        *await world.files.link([put(target, at(Site.PHONE, "b.jpg"), b"picture")]),
        *await world.files.remove([Pass(((target, digest_of(b"picture")),))]),
    ]
    for answer in answers:
        assert isinstance(answer, NeedsOperator)
        assert (answer.code, answer.site) == ("archive.unmounted", "archive")
    with pytest.raises(NeedsOperator):
        await world.files.room_at(Site.ARCHIVE)
    assert world.read(source) == b"picture"


async def test_unchanged_since_is_the_first_sight_of_exactly_this(world: World) -> None:
    place = world.drop(Site.INCOMING, "a.jpg", b"picture")
    first = seen((await world.files.sight([place]))[0])
    assert first.unchanged_since > 0
    assert not first.is_open_for_writing


SAMPLE = b"a sample of our own"
SAMPLE_KEY = f".mediad-selftest-{digest_of(SAMPLE)[:16]}.jpg"


@pytest.mark.parametrize("site", [Site.ARCHIVE, Site.LIBRARY])
async def test_a_sample_is_read_back_and_nothing_of_it_stays(world: World, site: Site) -> None:
    neighbour = world.drop(site, "a.jpg", b"mine")
    for _ in range(2):
        assert (await world.files.try_out(site, SAMPLE)).digest == digest_of(SAMPLE)
        assert world.names(site) == ["a.jpg"]
        assert world.names(Site.SPOOL) == []
    assert world.read(neighbour) == b"mine"


async def test_what_a_killed_trial_left_is_taken_away_and_what_is_not_ours_stays(
    world: World,
) -> None:
    world.drop(Site.ARCHIVE, SAMPLE_KEY, SAMPLE)
    await world.files.try_out(Site.ARCHIVE, SAMPLE)
    assert world.names(Site.ARCHIVE) == []
    theirs = world.drop(Site.LIBRARY, SAMPLE_KEY, b"somebody's picture")
    with pytest.raises(Refused):
        await world.files.try_out(Site.LIBRARY, SAMPLE)
    assert world.read(theirs) == b"somebody's picture"
    assert world.names(Site.SPOOL) == []


async def test_a_sample_finds_out_that_a_site_is_away(world: World) -> None:
    world.drop(Site.ARCHIVE, "a.jpg", b"mine")
    await world.files.try_out(Site.ARCHIVE, SAMPLE)
    world.unplug(Site.ARCHIVE)
    with pytest.raises(MediadError) as said:
        await world.files.try_out(Site.ARCHIVE, SAMPLE)
    assert said.value.code.startswith("archive.")


async def test_a_sample_never_goes_where_it_would_be_taken_in_or_sent_on(world: World) -> None:
    for site in set(Site) - {Site.ARCHIVE, Site.LIBRARY}:
        with pytest.raises(Bug):
            await world.files.try_out(site, SAMPLE)


async def test_room_is_kept_for_who_writes_there_by_other_means(world: World) -> None:
    room = await world.files.room_at(Site.SPOOL)
    free = room.free - (1 << 20)  # the disk of this test has other users
    async with world.files.promised(Site.SPOOL, free // 4 * 3):
        with pytest.raises(NeedsOperator) as full:
            async with world.files.promised(Site.SPOOL, free // 2):
                pytest.fail("the same room was promised twice")
        assert (full.value.code, full.value.site) == ("space.full", "spool")
    async with world.files.promised(Site.SPOOL, free // 2):
        pass
    with pytest.raises(ZeroDivisionError):
        async with world.files.promised(Site.SPOOL, free // 4 * 3):
            raise ZeroDivisionError
    async with world.files.promised(Site.SPOOL, free // 2):
        pass


async def test_nothing_is_promised_of_what_is_not_there(world: World) -> None:
    world.drop(Site.ARCHIVE, "a.jpg", b"picture")
    await world.files.room_at(Site.ARCHIVE)
    world.unplug(Site.ARCHIVE)
    with pytest.raises(NeedsOperator) as fault:
        async with world.files.promised(Site.ARCHIVE, 1):
            pytest.fail("there is no such disk")
    assert fault.value.code == "archive.unmounted"
