"""Guards the NAS's copies: read back, never overwriting, never torn, the same keys after every restart."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from mediad.errors import NeedsOperator
from mediad.model import Place, Site, SiteKey
from mediad.stages import archive, hash, settle  # noqa: A004 - its name in the law
from mediad.stages.verdict import Act, Ask, Done, Refuse
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.world import world

TAKE = (settle.STAGE, hash.STAGE)
CHAIN = (*TAKE, archive.STAGE)


async def test_nothing_there_means_act(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE)
        assert await w.rule(archive.STAGE, photo) == Act(
            "copy IMG_1.HEIC to the archive as 2024/07/IMG_1.HEIC"
        )


async def test_the_same_bytes_are_the_evidence(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE)
        w.files.drop(Site.ARCHIVE, "2024/07/IMG_1.HEIC", b"heic at=0")
        match await w.rule(archive.STAGE, photo):
            case Done(evidence, then):
                [copy] = evidence.copies
                assert (evidence.kind, then) == ("read-back", State.ARCHIVED)
                assert (copy.place.key, copy.digest) == (
                    "2024/07/IMG_1.HEIC",
                    (await w.asset(photo)).originals[0].digest,
                )
            case other:
                pytest.fail(f"{other}")


async def test_other_bytes_are_never_overwritten(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.drop(Site.ARCHIVE, "2024/07/IMG_1.HEIC", b"somebody's only photograph")
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        identity = (await w.asset(photo)).identity
        assert identity is not None
        assert w.files.under(Site.ARCHIVE) == {
            "2024/07/IMG_1.HEIC": b"somebody's only photograph",
            f"2024/07/IMG_1-{identity[:8]}.HEIC": b"heic at=0",
        }


async def test_when_every_name_is_taken_a_person_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE)
        identity = (await w.asset(photo)).identity or ""
        for suffix in ("", f"-{identity[:8]}", f"-{identity[:16]}"):
            w.files.drop(Site.ARCHIVE, f"2024/07/IMG_1{suffix}.HEIC", b"rot")
        verdict = await w.rule(archive.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "archive.taken"


async def test_twenty_of_one_name_are_all_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for n in range(20):
            await w.drop(f"{n}/IMG_0001.JPG", f"jpeg at=0 n={n}")
        await w.run(*CHAIN)
        held = w.files.under(Site.ARCHIVE)
        assert len(held) == len(set(held.values())) == 20
        assert "2024/07/IMG_0001.JPG" in held


async def test_two_live_photos_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for who in "AB":
            await w.drop(f"{who}/IMG_1.HEIC", f"heic cid={who} at=0")
            await w.drop(f"{who}/IMG_1.MOV", f"mov cid={who} at=0")
        await w.run(*CHAIN)
        held = w.files.under(Site.ARCHIVE)
        assert len(held) == 4
        for key, content in held.items():
            if key.endswith("HEIC"):
                assert held[key.replace("HEIC", "MOV")] == content.replace(b"heic", b"mov")


async def test_half_a_pair_in_the_archive_is_completed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.drop("IMG_1.MOV", "mov cid=A at=0")
        await w.run(*TAKE)
        w.files.drop(Site.ARCHIVE, "2024/07/IMG_1.HEIC", b"heic cid=A at=0")
        await w.run(archive.STAGE)
        assert sorted(w.files.under(Site.ARCHIVE)) == ["2024/07/IMG_1.HEIC", "2024/07/IMG_1.MOV"]


async def test_rot_in_the_archive_is_healed_beside_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        w.files.drop(Site.ARCHIVE, "2024/07/IMG_1.HEIC", b"hejc at=0")
        found = await w.asset(photo)
        [facts] = await archive.look([found], w.ports())
        assert isinstance(facts, archive.Facts)
        assert isinstance(archive.decide(found, facts), Act)
        assert await archive.act([found], [facts], w.ports()) == [None]
        assert sorted(w.files.under(Site.ARCHIVE).values()) == [b"heic at=0", b"hejc at=0"]


async def test_an_archive_that_is_away_is_no_fault_of_the_file(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(*TAKE)
        w.files.faults[Site.ARCHIVE] = NeedsOperator(
            "away", code="archive.unmounted", site="archive"
        )
        await w.run(archive.STAGE)
        assert w.down == ["archive"]
        assert (await w.standing(photo, State.ARCHIVE_DUE)).mark == "ready"


async def test_a_template_that_cannot_work_holds_the_asset_with_a_remedy(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(*TAKE)
        w.settings = w.settings.model_copy(
            update={"archive": w.settings.archive.model_copy(update={"template": "{FOO}"})}
        )
        await w.run(archive.STAGE)
        assert (await w.standing(photo, State.ARCHIVE_DUE)).code == "config.template"


async def test_the_power_may_go_at_any_touch(tmp_path: Path) -> None:
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}") as w:
            pair = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
            await w.drop("IMG_1.MOV", "mov cid=A at=0")
            await w.drop("b/IMG_1.HEIC", "heic at=0")
            await w.run(*TAKE)
            w.files.power = Power(cut_at)
            try:
                await w.run(archive.STAGE)
                was_cut = False
            except Killed:
                was_cut = True
            whole = {b"heic cid=A at=0", b"mov cid=A at=0", b"heic at=0"}
            assert set(w.files.under(Site.ARCHIVE).values()) <= whole
            w.files.power = Power()
            await w.run(archive.STAGE)
            assert sorted(w.files.under(Site.ARCHIVE).values()) == sorted(whole)
            assert State.ARCHIVED in await w.states(pair)
            if not was_cut:
                break
    assert cut_at > 9


async def test_an_original_that_is_nowhere_any_more_is_asked_for_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*CHAIN)
        alone = replace(await w.asset(photo), copies=())
        [gone] = w.files.under(Site.ARCHIVE)
        del w.files.files[Place(Site.ARCHIVE, SiteKey(gone))]
        [facts] = await archive.look([alone], w.ports())
        assert isinstance(facts, archive.Facts)
        verdict = archive.decide(alone, facts)
    assert isinstance(verdict, Ask)
    assert verdict.code == "archive.lost"
    assert "2024/07/IMG_1.HEIC" in verdict.remedy
