"""Guards what follows from a reading: what is bad counts no more at once, is healed into a new file, and is kept."""

from pathlib import Path

import pytest

from mediad.engine import Engine
from mediad.errors import NeedsOperator
from mediad.model import Site, SiteKey
from mediad.policy.problems import Problems
from mediad.policy.scrub import Fate, Found
from mediad.stages import archive
from mediad.state import Lane, State
from mediad.watchers.rereading import Rereader
from tests.stages.clouds import cloudy, cooled, sweep
from tests.watchers.scrub_world import a_world

S = State


async def test_a_flipped_byte_in_the_archive_is_found_healed_beside_it_and_kept(
    tmp_path: Path,
) -> None:
    """M34, P12, DL13: found within the cycle, named, healed into a new file; nothing is overwritten."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        bad = await w.place(asset, Site.ARCHIVE)
        rotten = w.flip(bad)
        await w.a_cycle_later()
        healed = await w.place(asset, Site.ARCHIVE)
        assert healed != bad
        assert w.files.files[healed].content == b"picture"
        assert w.files.files[bad].content == rotten
        assert await w.at(asset, Lane.ARCHIVE) == (S.ARCHIVED, "")
        [damage] = await w.journal.latest_damage()
        assert (damage.what, damage.fate, damage.healed_key) == (
            Found.ROTTEN,
            Fate.HEALED,
            healed.key,
        )
        assert bad.key in w.told()
        assert healed.key in w.told()
        assert w.codes() == ["scrub.healed"]
        assert (await w.journal.audit()).broken_at is None


async def test_the_record_of_a_bad_copy_is_gone_before_anything_is_healed(tmp_path: Path) -> None:
    """M34: the gate closes at once; what removes originals counts on no such copy."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        await w.journal.pause("archive")
        await w.engine.refresh()
        w.flip(await w.place(asset, Site.ARCHIVE))
        w.clock.advance(31 * 86400)
        while not await w.scrub.turn(w.clock):
            pass
        assert [
            c.place.site for c in (await w.asset(asset)).copies if c.place.site is Site.ARCHIVE
        ] == []
        assert await w.at(asset, Lane.ARCHIVE) == (S.ARCHIVE_DUE, "")
        assert "scrub.rot" in w.codes()


async def test_rot_in_every_copy_is_a_question_and_never_silence(tmp_path: Path) -> None:
    """P12: nothing to heal from: held, with one question, and every bad file kept."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        copies = [c.place for c in (await w.asset(asset)).copies]
        for place in {id(w.files.files[p]): p for p in copies}.values():
            w.flip(place)  # the library's is a second name of the working copy: the same file
        before = dict(w.files.files)
        await w.a_cycle_later()
        assert await w.at(asset, Lane.ARCHIVE) == (S.ARCHIVE_DUE, "archive.lost")
        assert "scrub.lost" in w.codes()
        assert w.files.files == before
        assert (await w.asset(asset)).copies == ()


async def test_a_second_name_of_the_bad_file_heals_nothing(tmp_path: Path) -> None:
    """The library's hard link shares its bytes with the working copy: only the archive is another copy."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        shelf = await w.place(asset, Site.LIBRARY)
        spool = await w.place(asset, Site.SPOOL)
        w.files.files[shelf] = w.files.files[spool]
        w.flip(shelf)
        await w.a_cycle_later()
        again = await w.place(asset, Site.LIBRARY)
        assert again != shelf
        assert w.files.files[again].content == b"picture"
        assert w.files.files[again] is not w.files.files[shelf]
        assert [c for c in (await w.asset(asset)).copies if c.place.site is Site.SPOOL] == []
        assert await w.at(asset, Lane.LIBRARY) == (S.SORTED, "")


@pytest.mark.loss("DL16")
async def test_what_a_person_removed_from_the_library_does_not_come_back(tmp_path: Path) -> None:
    """The archive has it; the library is theirs."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        del w.files.files[await w.place(asset, Site.LIBRARY)]
        await w.a_cycle_later()
        assert w.files.under(Site.LIBRARY) == {}
        assert await w.at(asset, Lane.LIBRARY) == (S.SORTED, "")
        assert w.codes() == []
        [damage] = await w.journal.latest_damage()
        assert (damage.what, damage.fate) == (Found.MISSING, Fate.OVER)


async def test_an_edit_in_the_library_stays_as_the_person_made_it(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        shelf = await w.place(asset, Site.LIBRARY)
        w.files.drop(Site.LIBRARY, shelf.key, b"edited by hand")
        await w.a_cycle_later()
        assert w.files.under(Site.LIBRARY) == {shelf.key: b"edited by hand"}
        assert w.codes() == []


async def test_a_missing_file_in_the_archive_is_archived_again(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        gone = await w.place(asset, Site.ARCHIVE)
        del w.files.files[gone]
        await w.a_cycle_later()
        assert w.files.files[await w.place(asset, Site.ARCHIVE)].content == b"picture"


async def test_an_unreadable_file_is_named_and_tried_again_and_is_not_called_rotten(
    tmp_path: Path,
) -> None:
    """A read error says nothing of the bytes."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        place = await w.place(asset, Site.ARCHIVE)
        w.files.unreadable.add(place)
        await w.a_cycle_later()
        assert w.codes() == ["scrub.unreadable"]
        assert await w.place(asset, Site.ARCHIVE) == place
        assert await w.at(asset, Lane.ARCHIVE) == (S.ARCHIVED, "")
        w.files.unreadable.clear()
        w.clock.advance(3601)
        await w.scrubbed()
        w.clock.advance(700)
        await w.scrub.turn(w.clock)
        assert w.codes() == []


async def test_nothing_is_called_lost_while_another_copy_cannot_be_asked(tmp_path: Path) -> None:
    """DL5: a library that is away is no proof that the bytes are gone."""
    async with a_world(tmp_path) as w:
        asset = await w.photo("a.jpg", b"picture")
        await w.engine.until_idle()
        shelf = await w.place(asset, Site.LIBRARY)
        spool = await w.place(asset, Site.SPOOL)
        w.split(shelf)
        del w.files.files[spool]
        bad = await w.place(asset, Site.ARCHIVE)
        w.flip(bad)
        fault = NeedsOperator("away", code="library.unmounted", site=Site.LIBRARY)
        w.files.faults[Site.LIBRARY] = fault
        w.engine.link_is_down(Site.LIBRARY, fault)
        w.clock.advance(31 * 86400)
        while not await w.scrub.turn(w.clock):
            pass
        fates = {d.place.site: d.fate for d in await w.journal.latest_damage()}
        assert fates[Site.ARCHIVE] is Fate.HEALING
        assert "scrub.lost" not in w.codes()
        assert [c.place for c in (await w.asset(asset)).copies] == [shelf]


async def test_names_that_are_no_text_are_read_and_told(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        asset = await w.photo("a\udcff.jpg", b"picture")
        await w.engine.until_idle()
        w.flip(await w.place(asset, Site.ARCHIVE))
        await w.a_cycle_later()
        assert w.codes() == ["scrub.healed"]
        w.told().encode()


async def test_rot_found_in_the_archive_closes_the_gate_to_icloud_until_it_is_archived_anew(
    tmp_path: Path,
) -> None:
    """M34, P12: 0 deletions while nothing in the archive is proved, even if the disk gives good bytes again."""
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        engine = Engine(w.journal, (), w.ports, Problems())
        [stored] = await w.journal.stored_at(Site.ARCHIVE, SiteKey(""), 9)
        good = w.files.files[stored.place].content
        w.files.files[stored.place].content = b"r" + good[1:]
        [reading, *_] = await Rereader(w.journal, engine).read([stored], w.ports())
        assert (reading.what, reading.fate) == (Found.ROTTEN, Fate.HEALING)
        w.files.files[stored.place].content = good
        await sweep(w)
        assert w.cloud.deleted == []
        await w.run(archive.STAGE)
        assert S.ARCHIVED in await w.states(asset)
        await sweep(w)
        assert w.cloud.deleted == [ref]
