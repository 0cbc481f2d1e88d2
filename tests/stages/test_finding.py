"""Guards that a file is found wherever a crash may have left it, and never mistaken for another's."""

import pytest

from mediad.errors import NeedsOperator
from mediad.model import Asset, AssetId, Kind, Original, OriginalId, Place, Role, Site, SiteKey
from mediad.stages.finding import File, find
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles

MTIME = 1_700_000_000_000_000_000


def an_asset(number: int = 7, key: str = "a/IMG_1.HEIC") -> Asset:
    original = Original(
        OriginalId(number),
        Role.PRIMARY,
        "IMG_1.HEIC",
        SiteKey(key),
        SiteKey(f"0-{number}"),
        4,
        MTIME,
    )
    return Asset(AssetId(number), "IMG_1.HEIC", Kind.PHOTO, "folder", 1, (original,))


async def found(files: MemoryFiles, *assets: Asset) -> list[File]:
    answers = await find(files, assets or (an_asset(),))
    assert all(isinstance(a, tuple) for a in answers)
    return [f for a in answers if isinstance(a, tuple) for f in a]


@pytest.mark.parametrize(
    ("site", "key"),
    [
        (Site.INCOMING, "a/IMG_1.HEIC"),
        (Site.SPOOL, "0-7"),
        (Site.QUARANTINE, "IMG_1.HEIC"),
        (Site.QUARANTINE, "IMG_1-7.HEIC"),
        (Site.DUPLICATES, "IMG_1.HEIC"),
        (Site.DUPLICATES, "IMG_1-7.HEIC"),
    ],
)
async def test_it_is_found_in_every_place_that_it_may_have_got_to(site: Site, key: str) -> None:
    files = MemoryFiles(StoppedClock())
    place = files.drop(site, key, b"heic", MTIME)
    [file] = await found(files)
    assert file.place == place
    assert not file.is_changed


@pytest.mark.parametrize(("content", "mtime"), [(b"other", MTIME), (b"heic", 5)])
async def test_a_plain_name_with_another_size_or_time_is_anothers(
    content: bytes, mtime: int
) -> None:
    files = MemoryFiles(StoppedClock())
    files.drop(Site.QUARANTINE, "IMG_1.HEIC", content, mtime)
    [file] = await found(files)
    assert (file.place, file.sighting, file.digest) == (None, None, None)


async def test_a_folder_in_its_place_is_not_the_file() -> None:
    files = MemoryFiles(StoppedClock())
    files.files[files.drop(Site.INCOMING, "a/IMG_1.HEIC", b"", MTIME)].what = "folder"
    [file] = await found(files)
    assert file.place is None


async def test_no_two_of_a_lot_are_offered_one_place() -> None:
    files = MemoryFiles(StoppedClock())
    lot = [an_asset(n, f"{n}/IMG_1.HEIC") for n in (1, 2, 3)]
    for asset in lot:
        files.drop(Site.INCOMING, asset.originals[0].source_key, b"heic", MTIME)
    offered = [f.quarantine.key for f in await found(files, *lot)]
    assert offered == ["IMG_1.HEIC", "IMG_1-2.HEIC", "IMG_1-3.HEIC"]


async def test_what_it_would_not_know_again_by_its_plain_name_bears_its_number() -> None:
    files = MemoryFiles(StoppedClock())
    files.drop(Site.INCOMING, "a/IMG_1.HEIC", b"grown since", MTIME)
    [file] = await found(files)
    assert file.is_changed
    assert file.quarantine == Place(Site.QUARANTINE, SiteKey("IMG_1-7.HEIC"))


async def test_a_source_left_behind_by_a_copy_is_seen() -> None:
    files = MemoryFiles(StoppedClock())
    files.drop(Site.SPOOL, "0-7", b"heic", MTIME)
    files.drop(Site.INCOMING, "a/IMG_1.HEIC", b"heic", MTIME)
    [file] = await found(files)
    assert file.is_left_behind
    files.drop(Site.INCOMING, "a/IMG_1.HEIC", b"a new photo", MTIME)
    [file] = await found(files)
    assert not file.is_left_behind


@pytest.mark.parametrize("site", [Site.QUARANTINE, Site.DUPLICATES])
async def test_a_new_file_of_the_old_name_is_not_the_one_that_was_set_aside(site: Site) -> None:
    files = MemoryFiles(StoppedClock())
    aside = files.drop(site, "IMG_1-7.HEIC", b"heic", MTIME)
    files.drop(Site.INCOMING, "a/IMG_1.HEIC", b"a new photo", MTIME + 1)
    [file] = await found(files)
    assert file.place == aside


async def test_a_folder_out_of_reach_is_no_empty_folder() -> None:
    files = MemoryFiles(StoppedClock())
    files.faults[Site.INCOMING] = NeedsOperator("away", site="incoming")
    [answer] = await find(files, [an_asset()])
    assert isinstance(answer, NeedsOperator)
