"""Guards what leaves the shared folder: by the person's rule, and only while the bytes as taken are kept elsewhere."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from mediad.errors import Refused
from mediad.model import AssetId, Place, Rung, Site, SiteKey
from mediad.ports import Indexed
from mediad.stages import archive, batch, place, release, verify
from mediad.stages.verdict import Act, Done, Refuse, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.world import LINKED, TAKE, World, world

AT = State.ON_PHONE
DAY_S = 86_400.0
UP_TO_PHONE = (*TAKE, batch.STAGE, place.STAGE, verify.STAGE)
SEVEN = {"release": "after 7 d"}


async def on_phone(w: World, *names: str, archived: bool = True) -> AssetId | None:
    for name in names:
        kind = "mov" if name.endswith("MOV") else "heic"
        await w.drop(name, f"{kind} cid=A at=0 {name}")
    await w.run(*UP_TO_PHONE)
    if archived:
        await w.run(archive.STAGE)
    [member] = (await w.journal.batches(None, 1))[0].members
    assert AT in await w.states(member.asset)
    return member.asset


async def test_it_stays_until_the_phone_has_freed_it_and_then_goes(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        photo = await on_phone(w, "a.HEIC")
        verdict = await w.rule(release.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert verdict.until == w.clock.now() + DAY_S * 1000
        w.phone.free_all()
        assert isinstance(await w.rule(release.STAGE, photo), Act)
        await w.run(release.STAGE)
        found = await w.asset(photo)
        assert State.RELEASED in await w.states(photo)
        assert Rung.PHONE_FREED in {x.rung for x in found.witnesses}
        assert {c.place.site for c in found.copies} == {Site.SPOOL, Site.ARCHIVE}
        assert w.files.under(Site.PHONE) == {}
        assert [p.site for p in w.files.removed] == [Site.PHONE]


async def test_what_was_freed_and_journalled_needs_no_second_look(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.go_offline()
        await w.drop("a.HEIC", "heic at=0")
        await w.run(*UP_TO_PHONE)
        w.phone.come_online()
        w.phone.free_all()
        await w.run(verify.STAGE, archive.STAGE)
        w.phone.forget_there()
        w.phone.forget_here()
        await w.run(release.STAGE)
        assert w.files.under(Site.PHONE) == {}


async def test_what_is_freed_after_the_phones_database_was_lost_is_freed(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.my_id = "ZZHOST"  # of two versions the one of the lower device wins
        photo = await on_phone(w, "a.HEIC")
        w.phone.forget_there()
        [placed] = (await w.asset(photo)).placements
        [known] = await w.phone.indexed([placed.key])
        assert isinstance(known, Indexed)
        assert known.here
        assert known.here.version != placed.version, "the phone's version is everybody's now"
        assert isinstance(await w.rule(release.STAGE, photo), Wait)
        w.phone.free_all()
        await w.run(release.STAGE)
        assert State.RELEASED in await w.states(photo)
        assert Rung.PHONE_FREED in {x.rung for x in (await w.asset(photo)).witnesses}


async def test_after_its_days_it_goes_though_the_phone_still_has_it(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=SEVEN) as w:
        photo = await on_phone(w, "a.HEIC")
        w.clock.advance(6.5 * DAY_S)
        verdict = await w.rule(release.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert w.clock.now() < verdict.until < w.clock.now() + DAY_S * 1000
        w.clock.advance(DAY_S)
        await w.run(release.STAGE)
        assert State.RELEASED in await w.states(photo)
        assert w.files.under(Site.PHONE) == {}
        assert list(w.phone.there) == ["a.HEIC"]


async def test_what_the_phone_is_not_known_to_have_had_is_never_due(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=SEVEN) as w:
        photo = await on_phone(w, "a.HEIC")
        w.clock.advance(30 * DAY_S)
        unseen = replace(await w.asset(photo), witnesses=())
        [facts] = await release.look([unseen], w.ports())
        assert isinstance(facts, release.Facts)
        verdict = release.decide(unseen, facts)
        assert isinstance(verdict, Wait)
        assert "not known to have had" in verdict.why


async def test_without_the_archive_it_waits_and_nobody_is_alarmed(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        photo = await on_phone(w, "a.HEIC", archived=False)
        w.phone.free_all()
        verdict = await w.rule(release.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert "no verified copy of a.HEIC in the archive" in verdict.why
        await w.run(archive.STAGE)
        await w.run(release.STAGE, patience_s=2 * DAY_S)
        assert w.files.under(Site.PHONE) == {}


async def test_where_the_archive_is_off_our_working_copy_is_enough(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, archive={"enabled": False}) as w:
        photo = await on_phone(w, "a.HEIC")
        w.phone.free_all()
        await w.run(release.STAGE)
        assert State.RELEASED in await w.states(photo)
        assert list(w.files.under(Site.SPOOL).values()) == [b"heic cid=A at=0 a.HEIC"]


@pytest.mark.parametrize("damage", ["gone", "rotten"])
async def test_when_the_archives_copy_is_not_what_it_was_nothing_goes(
    tmp_path: Path, damage: str
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        photo = await on_phone(w, "a.HEIC")
        w.phone.free_all()
        if damage == "gone":
            del w.files.files[Place(Site.ARCHIVE, SiteKey("2024/07/a.HEIC"))]
        else:
            w.files.drop(Site.ARCHIVE, "2024/07/a.HEIC", b"rot")
        verdict = await w.rule(release.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert (verdict.code, "2024/07/a.HEIC" in verdict.why) == ("phone.copy_lost", True)
        await w.run(release.STAGE)
        assert (await w.standing(photo, AT)).mark == "held"
        assert len(w.files.under(Site.PHONE)) == 1


async def test_nothing_is_read_before_its_time(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=SEVEN) as w:
        photo = await on_phone(w, "a.HEIC")
        [facts] = await release.look([await w.asset(photo)], w.ports())
        assert isinstance(facts, release.Facts)
        assert facts.fresh == ()
        assert w.files.reread_bytes == 0
        w.clock.advance(8 * DAY_S)
        [facts] = await release.look([await w.asset(photo)], w.ports())
        assert isinstance(facts, release.Facts)
        assert Site.ARCHIVE in {c.place.site for c in facts.fresh}
        assert w.files.reread_bytes > 0  # from the medium, whoever read it a moment ago


async def test_one_half_that_is_still_there_keeps_the_other(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        pair = await on_phone(w, "a.HEIC", "a.MOV")
        w.phone.delete("a.HEIC")
        assert isinstance(await w.rule(release.STAGE, pair), Wait)
        w.phone.delete("a.MOV")
        await w.run(release.STAGE, patience_s=2 * DAY_S)
        assert w.files.under(Site.PHONE) == {}


async def test_what_a_person_removed_is_released_and_the_evidence_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        photo = await on_phone(w, "a.HEIC")
        del w.files.files[Place(Site.PHONE, SiteKey("a.HEIC"))]
        verdict = await w.rule(release.STAGE, photo)
        assert isinstance(verdict, Done)
        assert "not by mediad" in verdict.evidence.note
        assert verdict.evidence.gone == (Place(Site.PHONE, SiteKey("a.HEIC")),)


async def test_other_bytes_under_the_name_are_not_removed(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        photo = await on_phone(w, "a.HEIC")
        w.phone.free_all()
        w.files.drop(Site.PHONE, "a.HEIC", b"somebody's only photograph")
        await w.run(release.STAGE)
        assert w.files.under(Site.PHONE) == {"a.HEIC": b"somebody's only photograph"}
        assert (await w.standing(photo, AT)).code == "place.changed"


async def test_a_thousand_deletions_on_the_phone_remove_nothing_here_without_a_warrant(
    tmp_path: Path,
) -> None:
    """`release = "never"`: whatever the phone does, our folder stays as it is."""
    rules = {"release": "never", "allow_parallel": True}
    async with world(tmp_path, syncthing=LINKED, phone=rules) as w:
        for n in range(40):
            await w.drop(f"{n}.HEIC", f"heic at=0 n={n}")
        await w.run(*UP_TO_PHONE)
        before = w.files.under(Site.PHONE)
        assert len(before) == 40
        w.phone.free_all()
        await w.run(patience_s=3 * DAY_S)
        assert w.files.under(Site.PHONE) == before


async def test_the_power_may_go_at_any_touch(tmp_path: Path) -> None:
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}", syncthing=LINKED) as w:
            pair = await on_phone(w, "a.HEIC", "a.MOV")
            w.phone.free_all()
            w.files.power = Power(cut_at)
            try:
                await w.run(release.STAGE)
                was_cut = False
            except Killed:
                was_cut = True
            kept = w.files.under(Site.ARCHIVE).values()
            assert {b"heic cid=A at=0 a.HEIC", b"mov cid=A at=0 a.MOV"} == set(kept)
            w.files.power = Power()
            await w.run(release.STAGE)
            assert State.RELEASED in await w.states(pair)
            assert w.files.under(Site.PHONE) == {}
            if not was_cut:
                break
    assert cut_at == 3


async def test_the_act_itself_asks_for_the_proof_again(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        found = await w.asset(await on_phone(w, "a.HEIC"))
        w.phone.free_all()
        [facts] = await release.look([found], w.ports())
        assert isinstance(facts, release.Facts)
        with pytest.raises(Refused):
            await release.act([found], [replace(facts, fresh=())], w.ports())
        assert len(w.files.under(Site.PHONE)) == 1
