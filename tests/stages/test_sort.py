"""Guards the library: under the day it was taken, halves side by side, nothing overwritten."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from mediad.model import Place, Rendition, Site, SiteKey
from mediad.stages import archive, hash, settle, sort  # noqa: A004 - its name in the law
from mediad.stages.verdict import Act, Done, Refuse
from mediad.state import State
from mediad.testing import Killed, Power
from mediad.testing.files import digest_of
from tests.stages.world import World, world

TAKE = (settle.STAGE, hash.STAGE)
SMALL = b"a smaller one"


def inode(w: World, site: Site, key: str) -> int:
    return w.files.files[Place(site, SiteKey(key))].inode


async def test_it_lies_under_the_day_it_was_taken(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE, sort.STAGE)
        assert State.SORTED in await w.states(photo)
        assert w.files.under(Site.LIBRARY) == {"2024/07/14/IMG_1.HEIC": b"heic at=0"}


async def test_before_the_archive_has_it_the_library_gets_bytes_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*TAKE, sort.STAGE)
        spool = inode(w, Site.SPOOL, photo.originals[0].spool_key)
        assert inode(w, Site.LIBRARY, "2024/07/14/IMG_1.HEIC") != spool


async def test_afterwards_a_second_name_is_enough(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*TAKE, archive.STAGE, sort.STAGE)
        spool = inode(w, Site.SPOOL, photo.originals[0].spool_key)
        assert inode(w, Site.LIBRARY, "2024/07/14/IMG_1.HEIC") == spool


async def test_the_archives_own_file_never_gets_a_second_name(tmp_path: Path) -> None:
    """Else the two copies would be one."""
    async with world(tmp_path) as w:
        asset = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE, archive.STAGE)
        found = await w.asset(asset)
        del w.files.files[Place(Site.SPOOL, found.originals[0].spool_key)]
        gone = replace(found, copies=tuple(c for c in found.copies if c.place.site is Site.ARCHIVE))
        [facts] = await sort.look([gone], w.ports())
        assert isinstance(facts, sort.Facts)
        assert await sort.act([gone], [facts], w.ports()) == [None]
        archived = inode(w, Site.ARCHIVE, gone.copies[0].place.key)
        assert inode(w, Site.LIBRARY, "2024/07/14/IMG_1.HEIC") != archived


async def test_a_live_photo_stays_side_by_side(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.drop("x/IMG_1.HEIC", "heic cid=A at=0")
        await w.drop("y/uuid.MOV", "mov cid=A")
        await w.run(*TAKE, sort.STAGE)
        assert sorted(w.files.under(Site.LIBRARY)) == [
            "2024/07/14/IMG_1.HEIC",
            "2024/07/14/IMG_1.MOV",
        ]


async def test_an_extension_that_lies_is_corrected_here_only(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.drop("IMG_1.HEIC", "jpeg at=0 ext=.jpg")
        await w.run(*TAKE, archive.STAGE, sort.STAGE)
        assert list(w.files.under(Site.LIBRARY)) == ["2024/07/14/IMG_1.jpg"]
        assert list(w.files.under(Site.ARCHIVE)) == ["2024/07/IMG_1.HEIC"]


async def test_other_bytes_are_never_overwritten(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.drop(Site.LIBRARY, "2024/07/14/IMG_1.HEIC", b"another")
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE, sort.STAGE)
        identity = (await w.asset(photo)).identity or ""
        assert w.files.under(Site.LIBRARY) == {
            "2024/07/14/IMG_1.HEIC": b"another",
            f"2024/07/14/IMG_1-{identity[:8]}.HEIC": b"heic at=0",
        }


async def test_when_every_name_is_taken_a_person_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE)
        identity = (await w.asset(photo)).identity or ""
        for suffix in ("", f"-{identity[:8]}", f"-{identity[:16]}"):
            w.files.drop(Site.LIBRARY, f"2024/07/14/IMG_1{suffix}.HEIC", b"other")
        verdict = await w.rule(sort.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "library.taken"


async def test_a_rendition_stands_for_its_original_and_moves(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0 cid=A"))
        await w.drop("IMG_1.MOV", "mov cid=A")
        await w.run(*TAKE)
        photo = await w.asset(photo.id)
        place = w.files.drop(Site.SPOOL, "renditions/1.photo-jpegli-q85.jpg", SMALL)
        small = Rendition(photo.originals[0].id, "photo/1", place, digest_of(SMALL), len(SMALL))
        photo = replace(photo, renditions=(small,))
        [facts] = await sort.look([photo], w.ports())
        assert isinstance(facts, sort.Facts)
        assert isinstance(sort.decide(photo, facts), Act)
        assert await sort.act([photo], [facts], w.ports()) == [None]
        [facts] = await sort.look([photo], w.ports())
        assert isinstance(facts, sort.Facts)
        verdict = sort.decide(photo, facts)
        assert isinstance(verdict, Done)
        assert w.files.under(Site.LIBRARY) == {
            "2024/07/14/IMG_1.jpg": SMALL,
            "2024/07/14/IMG_1.MOV": b"mov cid=A",
        }
        assert place not in w.files.files
        [moved] = verdict.evidence.renditions
        assert moved.place == Place(Site.LIBRARY, SiteKey("2024/07/14/IMG_1.jpg"))
        [copy] = verdict.evidence.copies  # the rendition is no copy of the original
        assert copy.original == photo.originals[1].id


@pytest.mark.parametrize("in_library", [SMALL, b"another"])
async def test_a_move_that_a_power_cut_halved_is_ended(tmp_path: Path, in_library: bytes) -> None:
    """The new name is on the disk and the end of the old one is not: nobody else would ever look for that."""
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE)
        found = await w.asset(photo)
        old = w.files.drop(Site.SPOOL, "renditions/1.photo-jpegli-q85.jpg", SMALL)
        new = w.files.drop(Site.LIBRARY, "2024/07/14/IMG_1.jpg", in_library)
        small = Rendition(found.originals[0].id, "photo/1", old, digest_of(SMALL), len(SMALL))
        found = replace(found, renditions=(small,))
        [facts] = await sort.look([found], w.ports())
        assert isinstance(facts, sort.Facts)
        assert isinstance(sort.decide(found, facts), Act)
        assert await sort.act([found], [facts], w.ports()) == [None]
        assert w.files.files[new].content == in_library
        assert old not in w.files.files
        [facts] = await sort.look([found], w.ports())
        assert isinstance(facts, sort.Facts)
        verdict = sort.decide(found, facts)
        assert isinstance(verdict, Done)
        [moved] = verdict.evidence.renditions
        assert w.files.files[moved.place].content == SMALL


@pytest.mark.parametrize("archived", [False, True])
async def test_the_power_may_go_at_any_touch(tmp_path: Path, archived: bool) -> None:  # noqa: FBT001 - a table
    before = (*TAKE, archive.STAGE) if archived else TAKE
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}") as w:
            pair = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
            await w.drop("IMG_1.MOV", "mov cid=A at=0")
            await w.run(*before)
            w.files.power = Power(cut_at)
            try:
                await w.run(sort.STAGE)
                was_cut = False
            except Killed:
                was_cut = True
            w.files.power = Power()
            await w.run(sort.STAGE)
            assert sorted(w.files.under(Site.LIBRARY).values()) == [
                b"heic cid=A at=0",
                b"mov cid=A at=0",
            ]
            assert State.SORTED in await w.states(pair)
            if not was_cut:
                break
    assert cut_at > 2
