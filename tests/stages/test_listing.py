"""Guards what is believed of Syncthing's index: only what is about the very bytes that lie here."""

from dataclasses import replace
from pathlib import Path

from mediad.errors import MediadError, Retryable
from mediad.model import BatchId, OriginalId, Place, Placement, Site, SiteKey
from mediad.ports import Sighting
from mediad.stages.listing import Files, bound, files_of, have_scanned, listed, places_of
from mediad.testing.files import digest_of
from tests.stages.world import World, world

KEY = SiteKey("a.jpg")
PLACED = Placement(OriginalId(1), BatchId(1), KEY, digest_of(b"photo"), 5, 77)


async def files(w: World) -> Files:
    return files_of([PLACED], (await seen(w),))


async def seen(w: World, key: SiteKey = KEY) -> Sighting | None:
    [found] = await w.files.read_back([Place(Site.PHONE, key)])
    assert not isinstance(found, MediadError)
    return found


async def test_the_entry_of_these_bytes_binds_its_version_to_them(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.drop(Site.PHONE, KEY, b"photo", mtime_ns=78)
        await w.phone.scan([KEY])
        [found] = await bound(await listed([await files(w)], w.ports()), w.ports())
        assert isinstance(found, tuple)
        [file] = found
        assert file.said is not None
        assert file.entry == file.said.here
        assert file.bound == replace(
            PLACED, mtime_ns=78, version=file.entry.version if file.entry else ""
        )
        assert file.bound.version


async def test_an_entry_of_other_bytes_binds_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.drop(Site.PHONE, KEY, b"before")
        await w.phone.scan([KEY])
        w.files.drop(Site.PHONE, KEY, b"photo")
        [found] = await bound(await listed([await files(w)], w.ports()), w.ports())
        assert isinstance(found, tuple)
        assert (found[0].entry, found[0].bound) == (None, PLACED)


async def test_where_syncthing_tells_its_hash_it_must_be_that_of_the_file(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.phone.syncthing = "v2.1.3"
        w.files.drop(Site.PHONE, KEY, b"other")
        await w.phone.scan([KEY])
        w.files.drop(Site.PHONE, KEY, b"photo")  # of the same size and time
        [found] = await bound(await listed([await files(w)], w.ports()), w.ports())
        assert isinstance(found, tuple)
        assert found[0].entry is None
        w.files.drop(Site.PHONE, KEY, b"other")
        [found] = await bound(await listed([await files(w)], w.ports()), w.ports())
        assert isinstance(found, tuple)
        assert found[0].bound.blocks


async def test_just_these_names_are_scanned_and_who_is_not_listed_then_needs_time(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        w.files.drop(Site.PHONE, KEY, b"photo")
        assert await have_scanned([await files(w), ()], w.ports()) == [None, None]
        assert w.phone.scanned == [(KEY,)]
        w.phone.folder = replace(w.phone.folder, ignores=("b.*",))
        ignored = replace(PLACED, key=SiteKey("b.jpg"))
        w.files.drop(Site.PHONE, "b.jpg", b"photo")
        [error] = await have_scanned([files_of([ignored], (None,))], w.ports())
        assert isinstance(error, Retryable)
        assert error.code == "phone.not_indexed"


async def test_nothing_to_scan_asks_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.phone.faults = Retryable("away", code="syncthing.unreachable")
        assert await have_scanned([(), ()], w.ports()) == [None, None]


async def test_a_fault_of_one_name_is_that_files_own(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.drop(Site.PHONE, KEY, b"photo")
        w.files.drop(Site.PHONE, "b.jpg", b"photo")
        other = replace(PLACED, key=SiteKey("b.jpg"))
        fault = Retryable("odd", code="syncthing.answer")
        w.phone.faults_of[KEY] = fault
        group = files_of([other], (await seen(w, SiteKey("b.jpg")),))
        assert await have_scanned([await files(w), group], w.ports()) == [fault, None]
        assert places_of([PLACED, other]) == [f.place for f in (*await files(w), *group)]
