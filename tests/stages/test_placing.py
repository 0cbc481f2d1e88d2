"""Guards the shelves that many share: a key is chosen by what was read back from under it."""

import pytest

from mediad.errors import MediadError, NeedsOperator
from mediad.model import (
    Asset,
    AssetId,
    Copy,
    Digest,
    Kind,
    Original,
    OriginalId,
    Place,
    Role,
    Site,
    SiteKey,
)
from mediad.stages.placing import Found, Wanted, copies_of, judge, source_of, survey
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles, digest_of

ONE, TWO = digest_of(b"one"), digest_of(b"two")
PAIR = Wanted(
    (ONE, TWO), ((SiteKey("a.heic"), SiteKey("a.mov")), (SiteKey("a-1.heic"), SiteKey("a-1.mov")))
)


def shelf(**held: bytes) -> MemoryFiles:
    files = MemoryFiles(StoppedClock())
    for key, content in held.items():
        files.drop(Site.ARCHIVE, key.replace("_", "."), content)
    return files


async def surveyed(files: MemoryFiles, wanted: Wanted = PAIR) -> Found:
    [found] = await survey(files, Site.ARCHIVE, [wanted])
    assert isinstance(found, Found)
    return found


@pytest.mark.parametrize(
    ("files", "keys", "whole"),
    [
        (shelf(), ("a.heic", "a.mov"), False),
        (shelf(a_heic=b"one"), ("a.heic", "a.mov"), False),
        (shelf(a_heic=b"one", a_mov=b"two"), ("a.heic", "a.mov"), True),
        (shelf(a_mov=b"other"), ("a-1.heic", "a-1.mov"), False),
        (shelf(a_heic=b"one", a_mov=b"other"), ("a-1.heic", "a-1.mov"), False),
    ],
)
async def test_the_first_key_that_is_free_or_ours(
    files: MemoryFiles,
    keys: tuple[str, ...],
    whole: bool,  # noqa: FBT001 - a table
) -> None:
    found = await surveyed(files)
    assert (found.keys, found.is_whole) == (keys, whole)


async def test_no_keys_when_all_are_taken() -> None:
    files = shelf(a_heic=b"x")
    files.drop(Site.ARCHIVE, "a-1.mov", b"y")
    found = await surveyed(files)
    assert found == Found()
    assert not found.is_whole


async def test_every_member_of_a_lot_has_its_own_answer() -> None:
    fault = NeedsOperator("bad template")
    lot: list[Wanted | MediadError] = [fault, PAIR, Wanted((TWO,), ((SiteKey("b.mov"),),))]
    first, second, third = await survey(shelf(a_heic=b"x"), Site.ARCHIVE, lot)
    assert first is fault
    assert isinstance(second, Found)
    assert second.keys == ("a-1.heic", "a-1.mov")
    assert isinstance(third, Found)
    assert third.keys == ("b.mov",)
    assert await survey(shelf(), Site.ARCHIVE, []) == []


def test_what_cannot_be_read_is_not_taken_for_free() -> None:
    fault = NeedsOperator("away")
    assert judge((ONE,), (SiteKey("a"),), [fault]) is fault


def original() -> Original:
    return Original(OriginalId(1), Role.PRIMARY, "a", SiteKey("a"), SiteKey("0-a"), 3, 1, ONE)


def asset(*places: tuple[Site, str], digest: Digest = ONE, number: int = 1) -> Asset:
    copies = tuple(
        Copy(OriginalId(number), Place(s, SiteKey(k)), digest, 1, "x") for s, k in places
    )
    return Asset(AssetId(1), "a", Kind.PHOTO, "folder", 1, (original(),), copies)


@pytest.mark.parametrize(
    ("known", "source"),
    [
        (asset(), (Site.SPOOL, "0-a")),
        (asset((Site.LIBRARY, "l"), (Site.SPOOL, "0-a")), (Site.SPOOL, "0-a")),
        (asset((Site.LIBRARY, "l"), (Site.ARCHIVE, "rotten")), (Site.LIBRARY, "l")),
        (asset((Site.QUARANTINE, "q"), (Site.DUPLICATES, "d")), (Site.SPOOL, "0-a")),
        (asset((Site.LIBRARY, "l"), number=2), (Site.SPOOL, "0-a")),
    ],
)
def test_bytes_come_from_our_own_disk_or_any_other_verified_copy(
    known: Asset, source: tuple[Site, str]
) -> None:
    assert source_of(known, original(), Site.ARCHIVE) == source


async def test_only_what_was_read_back_is_evidence() -> None:
    found = await surveyed(shelf(a_heic=b"one"))
    [copy] = copies_of([original(), original()], Site.ARCHIVE, found, 7)
    assert copy == Copy(OriginalId(1), Place(Site.ARCHIVE, SiteKey("a.heic")), ONE, 7, "reread")
