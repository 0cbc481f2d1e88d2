"""Guards the last copy: our working disk gets its space back only when the bytes are elsewhere at this very moment."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mediad.errors import NeedsOperator
from mediad.model import Place, Site, SiteKey
from mediad.stages import (
    archive,
    batch,
    clean,
    hash,  # noqa: A004 - its name in the law
    place,
    settle,
    sort,
    verify,
)
from mediad.stages.verdict import Act, Done, Refuse, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.world import LINKED, world

CHAIN = (settle.STAGE, hash.STAGE, archive.STAGE, sort.STAGE)
DAY_S = 86_400.0


async def test_the_working_copy_stays_for_its_hours_and_then_goes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        verdict = await w.rule(clean.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert verdict.until == w.clock.now() + DAY_S * 1000
        w.clock.advance(DAY_S)
        assert isinstance(await w.rule(clean.STAGE, photo), Act)
        await w.run(clean.STAGE)
        assert State.CLEANED in await w.states(photo)
        assert w.files.under(Site.SPOOL) == {}
        assert len(w.everything()) == 2
        assert all(c.place.site is not Site.SPOOL for c in (await w.asset(photo)).copies)


async def test_a_long_patience_is_asked_about_again_every_day(tmp_path: Path) -> None:
    async with world(tmp_path, clean={"after_hours": 24 * 30}) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        verdict = await w.rule(clean.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert verdict.until == w.clock.now() + DAY_S * 1000


async def test_copies_dated_by_a_clock_that_was_wrong_do_not_keep_the_disk_full_for_ever(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        w.clock.advance(-DAY_S * 365 * 70)
        assert isinstance(await w.rule(clean.STAGE, photo), Act)


async def test_nothing_is_read_before_its_time(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        found = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        [facts] = await clean.look([await w.asset(found.id)], w.ports())
        assert isinstance(facts, clean.Facts)
        assert facts.fresh == ()
        assert len(facts.remembered) == 2
        assert w.files.reread_bytes == 0


async def test_what_was_read_a_moment_ago_is_read_again_before_anything_goes(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, clean={"after_hours": 0}) as w:
        photo = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        [facts] = await clean.look([await w.asset(photo.id)], w.ports())
        assert isinstance(facts, clean.Facts)
        assert len(facts.fresh) == 2
        assert w.files.reread_bytes == 2 * len(b"heic at=0")  # of the archive and of the library


@pytest.mark.parametrize(
    ("site", "key"), [(Site.ARCHIVE, "2024/07/IMG_1.HEIC"), (Site.LIBRARY, "2024/07/14/IMG_1.HEIC")]
)
@pytest.mark.parametrize("damage", ["gone", "rotten"])
async def test_when_a_copy_is_not_what_it_was_nothing_goes(
    tmp_path: Path, site: Site, key: str, damage: str
) -> None:
    async with world(tmp_path, safety={"min_copies": 2}) as w:
        found = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        w.clock.advance(DAY_S)
        if damage == "gone":
            del w.files.files[Place(site, SiteKey(key))]
        else:
            w.files.drop(site, key, b"hejc at=0")
        verdict = await w.rule(clean.STAGE, found.id)
        assert isinstance(verdict, Refuse)
        assert (verdict.code, key in verdict.why) == ("clean.copy_lost", True)
        await w.run(clean.STAGE)
        assert (await w.standing(found.id, State.CLEANABLE)).mark == "held"
        assert list(w.files.under(Site.SPOOL).values()) == [b"heic at=0"]


async def test_an_archive_that_was_off_when_it_passed_is_missed_when_it_is_on(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, archive={"enabled": False}, clean={"after_hours": 0}) as w:
        found = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        assert isinstance(
            await w.rule(clean.STAGE, found.id), Act
        )  # the library holds the original
        w.settings = w.settings.model_copy(
            update={"archive": w.settings.archive.model_copy(update={"enabled": True})}
        )
        verdict = await w.rule(clean.STAGE, found.id)
        assert isinstance(verdict, Wait)
        assert "no verified copy" in verdict.why


async def test_the_only_copy_stays_for_ever_and_nobody_is_alarmed(tmp_path: Path) -> None:
    off = {"enabled": False}
    async with world(tmp_path, archive=off, sort=off, clean={"after_hours": 0}) as w:
        found = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(patience_s=10 * DAY_S)
        standing = await w.standing(found.id, State.CLEANABLE)
        assert standing.mark == "waiting"
        assert "stays" in standing.why
        assert list(w.files.under(Site.SPOOL).values()) == [b"heic at=0"]


async def test_both_halves_go_together_or_not_at_all(tmp_path: Path) -> None:
    async with world(tmp_path, clean={"after_hours": 0}) as w:
        await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.drop("IMG_1.MOV", "mov cid=A at=0")
        await w.run(*CHAIN)
        w.files.drop(Site.ARCHIVE, "2024/07/IMG_1.MOV", b"rot")
        await w.run(clean.STAGE)
        assert len(w.files.under(Site.SPOOL)) == 2


async def test_a_duplicate_goes_after_its_days_while_its_keeper_is_safe(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        twin = await w.drop("twin.HEIC", "heic at=0")
        await w.run()
        w.clock.advance(29 * DAY_S)
        await w.run()
        assert w.files.under(Site.DUPLICATES) == {"twin.HEIC": b"heic at=0"}
        assert w.files.under(Site.SPOOL) == {}
        w.clock.advance(2 * DAY_S)
        await w.run()
        assert State.CLEANED in await w.states(twin)
        assert w.files.under(Site.DUPLICATES) == {}
        assert len(w.everything()) == 2


async def test_a_duplicate_stays_when_its_keepers_copy_is_spoilt(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        twin = await w.drop("twin.HEIC", "heic at=0")
        await w.run()
        w.clock.advance(29 * DAY_S)
        await w.run()
        w.files.drop(Site.ARCHIVE, "2024/07/IMG_1.HEIC", b"hejc at=0")
        w.clock.advance(2 * DAY_S)
        await w.run()
        assert (await w.standing(twin, State.CLEANABLE)).code == "clean.copy_lost"
        assert w.files.under(Site.DUPLICATES) == {"twin.HEIC": b"heic at=0"}


async def test_a_file_already_gone_is_cleaned(tmp_path: Path) -> None:
    """Killed after the removal and before the journal: the next look sees it."""
    async with world(tmp_path) as w:
        found = await w.asset(await w.drop("IMG_1.HEIC", "heic at=0"))
        await w.run(*CHAIN)
        del w.files.files[Place(Site.SPOOL, found.originals[0].spool_key)]
        verdict = await w.rule(clean.STAGE, found.id)
        assert isinstance(verdict, Done)
        assert verdict.evidence.gone == (Place(Site.SPOOL, found.originals[0].spool_key),)


async def test_the_power_may_go_at_any_touch(tmp_path: Path) -> None:
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}", clean={"after_hours": 0}) as w:
            pair = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
            await w.drop("IMG_1.MOV", "mov cid=A at=0")
            await w.run(*CHAIN)
            w.files.power = Power(cut_at)
            try:
                await w.run(clean.STAGE)
                was_cut = False
            except Killed:
                was_cut = True
            assert set(w.everything()) == {b"heic cid=A at=0", b"mov cid=A at=0"}
            w.files.power = Power()
            await w.run(clean.STAGE)
            assert State.CLEANED in await w.states(pair)
            assert w.files.under(Site.SPOOL) == {}
            if not was_cut:
                break
    assert cut_at == 3


PHONED = (settle.STAGE, hash.STAGE, batch.STAGE, place.STAGE, verify.STAGE)
NO_ARCHIVE: dict[str, Any] = {
    "archive": {"enabled": False},
    "sort": {"enabled": False},
    "clean": {"after_hours": 0},
}


async def test_a_copy_on_the_phone_counts_while_the_phone_announces_it(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, **NO_ARCHIVE) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*PHONED)
        assert isinstance(await w.rule(clean.STAGE, photo), Act)
        w.phone.go_offline()
        verdict = await w.rule(clean.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert "stays" in verdict.why


@pytest.mark.parametrize(
    "then", ["freed", "edited", "ignored", "gone here", "changed here", "away", "off"]
)
async def test_what_lies_in_the_shared_folder_proves_nothing_of_the_phone(
    tmp_path: Path, then: str
) -> None:
    async with world(tmp_path, syncthing=LINKED, **NO_ARCHIVE) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*PHONED)
        match then:
            case "freed":
                w.phone.free_all()
            case "edited":
                w.phone.edit("IMG_1.HEIC", b"cropped")
            case "ignored":
                w.phone.ignore("IMG_1.HEIC")
            case "gone here":
                del w.files.files[Place(Site.PHONE, SiteKey("IMG_1.HEIC"))]
            case "changed here":
                w.files.drop(Site.PHONE, "IMG_1.HEIC", b"other")
            case "away":
                w.phone.faults = NeedsOperator(
                    "away", code="syncthing.unreachable", site="syncthing"
                )
            case _:
                w.configure("phone", enabled=False)
        await w.run(clean.STAGE)
        assert (await w.standing(photo, State.CLEANABLE)).mark == "waiting"
        assert list(w.files.under(Site.SPOOL).values()) == [b"heic at=0"]
        assert w.down == []


async def test_a_phone_that_lets_go_is_no_lost_copy(tmp_path: Path) -> None:
    """It was released, or freed there: meant to be, and the archive holds the photo."""
    async with world(tmp_path, syncthing=LINKED, clean={"after_hours": 0}) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*PHONED, archive.STAGE, sort.STAGE)
        w.phone.free_all()
        w.configure("safety", min_copies=3)
        verdict = await w.rule(clean.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert "2 verified copies elsewhere, 3 are wanted" in verdict.why
        w.configure("safety", min_copies=2)
        await w.run(clean.STAGE)
        assert State.CLEANED in await w.states(photo)


async def test_a_duplicate_may_go_on_the_word_of_the_phone_that_has_its_keeper(
    tmp_path: Path,
) -> None:
    rules = {**NO_ARCHIVE, "dedup": {"keep_days": 0.0}}
    async with world(tmp_path, syncthing=LINKED, **rules) as w:
        await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*PHONED)
        twin = await w.drop("twin.HEIC", "heic at=0")
        await w.run(settle.STAGE, hash.STAGE)
        assert isinstance(await w.rule(clean.STAGE, twin), Act)
        w.phone.free_all()
        assert isinstance(await w.rule(clean.STAGE, twin), Wait)
