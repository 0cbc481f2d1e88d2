"""Guards what a person wants back: the same bytes and time under the same name, and nothing overwritten for it."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from mediad.journal import Step
from mediad.model import AssetId, Evidence, Place, Site
from mediad.stages import (
    archive,
    clean,
    hash,  # noqa: A004 - its name in the law
    restore,
    settle,
    sort,
)
from mediad.stages.verdict import Act, Refuse
from mediad.state import State, Transition
from mediad.testing import Killed, Power
from mediad.testing.files import MemoryFile
from tests.stages.world import World, world

CHAIN = (settle.STAGE, hash.STAGE, archive.STAGE, sort.STAGE)
YEAR_S = 365 * 86_400.0
TAKEN_BACK = Transition(State.CLEANED, "undo", State.RETURNING)


def at(w: World, site: Site) -> dict[Place, tuple[bytes, int]]:
    return {p: (f.content, f.mtime_ns) for p, f in w.files.files.items() if p.site is site}


async def take_back(w: World, asset: AssetId) -> None:
    [answer] = await w.journal.record([Step(asset, TAKEN_BACK, Evidence("taken back", 1))])
    assert isinstance(answer, frozenset)


async def test_a_working_copy_comes_back_with_its_bytes_and_its_time(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        before, copies = at(w, Site.SPOOL), {c.place for c in (await w.asset(photo.id)).copies}
        w.clock.advance(YEAR_S)
        await w.run(clean.STAGE)
        assert at(w, Site.SPOOL) == {}
        await take_back(w, photo.id)
        await w.run(restore.STAGE)
        assert at(w, Site.SPOOL) == before
        assert {c.place for c in (await w.asset(photo.id)).copies} == copies


async def test_what_was_taken_back_is_not_cleaned_again_before_a_person_says_so(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, clean={"after_hours": 0}) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN, clean.STAGE)
        await take_back(w, photo.id)
        await w.run(restore.STAGE, clean.STAGE)
        standing = await w.standing(photo.id, State.CLEANABLE)
        assert (standing.mark, standing.code) == ("held", "undo.done")
        assert at(w, Site.SPOOL)
        await w.journal.retry([photo.id], ["held"])
        await w.run(clean.STAGE)
        assert at(w, Site.SPOOL) == {}


async def test_a_duplicate_comes_back_from_its_keepers_copies(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        twin = await w.asset(await w.drop("again/IMG_1 (1).HEIC", "heic at=0"))
        w.files.files[Place(Site.INCOMING, twin.originals[0].source_key)].mtime_ns += 0
        await w.run(*CHAIN)
        before = at(w, Site.DUPLICATES)
        assert len(before) == 1
        w.clock.advance(YEAR_S)
        await w.run(clean.STAGE)
        assert at(w, Site.DUPLICATES) == {}
        await take_back(w, twin.id)
        await w.run(restore.STAGE)
        assert at(w, Site.DUPLICATES) == before


async def test_without_a_whole_copy_it_says_so_and_makes_none_up(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        w.clock.advance(YEAR_S)
        await w.run(clean.STAGE)
        await take_back(w, photo.id)
        for place in list(w.files.files):
            w.files.files[place] = MemoryFile(b"hejc at=0")
        verdict = await w.rule(restore.STAGE, photo.id)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "undo.no_copy"
        await w.run(restore.STAGE)
        assert at(w, Site.SPOOL) == {}


async def test_one_rotten_copy_is_passed_over_for_a_whole_one(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        before = at(w, Site.SPOOL)
        w.clock.advance(YEAR_S)
        await w.run(clean.STAGE)
        [archived] = at(w, Site.ARCHIVE)
        w.files.files[archived] = MemoryFile(b"hejc at=0")
        await take_back(w, photo.id)
        await w.run(restore.STAGE)
        assert at(w, Site.SPOOL) == before


async def test_what_has_its_name_by_now_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        w.clock.advance(YEAR_S)
        await w.run(clean.STAGE)
        key = photo.originals[0].spool_key
        w.files.drop(Site.SPOOL, key, b"somebody's")
        await take_back(w, photo.id)
        verdict = await w.rule(restore.STAGE, photo.id)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "undo.taken"
        await w.run(restore.STAGE)
        assert w.files.under(Site.SPOOL) == {key: b"somebody's"}


async def test_nothing_is_known_of_bytes_that_were_never_read(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        [facts] = await restore.look([photo], w.ports())
        assert isinstance(facts, restore.Facts)
        assert isinstance(restore.decide(photo, facts), Refuse)


async def test_the_power_may_go_at_any_touch(tmp_path: Path) -> None:
    for cut_at in count(1):
        async with world(tmp_path / str(cut_at)) as w:
            photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
            await w.run(*CHAIN)
            before = at(w, Site.SPOOL)
            w.clock.advance(YEAR_S)
            await w.run(clean.STAGE)
            await take_back(w, photo.id)
            w.files.power = Power(cut_at)
            try:
                await w.run(restore.STAGE)
            except Killed:
                was_cut = True
            else:
                was_cut = False
            w.files.power = Power()
            await w.run(restore.STAGE)
            assert at(w, Site.SPOOL) == before
            assert State.CLEANABLE in await w.states(photo.id)
        if not was_cut:
            return


@pytest.mark.parametrize("what", ["act", "decide"])
async def test_a_copy_is_only_made_of_what_is_missing(tmp_path: Path, what: str) -> None:
    async with world(tmp_path) as w:
        await w.drop("x/IMG_1.HEIC", "heic cid=A at=0")
        movie = await w.drop("y/uuid.MOV", "mov cid=A")
        await w.run(*CHAIN)
        assert movie is not None
        [host] = {a.id for a in [await w.asset(AssetId(1)), await w.asset(AssetId(2))] if a.copies}
        w.clock.advance(YEAR_S)
        await w.run(clean.STAGE)
        found = await w.asset(host)
        one = found.originals[0]
        w.files.drop(Site.SPOOL, one.spool_key, b"heic cid=A at=0")
        [facts] = await restore.look([found], w.ports())
        assert isinstance(facts, restore.Facts)
        if what == "decide":
            verdict = restore.decide(found, facts)
            assert isinstance(verdict, Act)
            assert "1 files" in verdict.what
        else:
            assert await restore.act([found], [replace(facts)], w.ports()) == [None]
            assert len(at(w, Site.SPOOL)) == 2
