"""Guards the claim that the phone has an asset: announced, whole, in the version that stands for our bytes."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mediad.errors import NeedsOperator
from mediad.model import AssetId, Evidence, Place, Rung, Site, SiteKey, Witness
from mediad.ports import Opinion
from mediad.stages import batch, place, verify
from mediad.stages.verdict import Act, Ask, Done, Refuse, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.world import LINKED, TAKE, World, world

AT = State.PLACED
HOUR_S = 3600.0


async def placed(w: World, *names: str) -> list[AssetId | None]:
    found = [await w.drop(name, f"jpeg at=0 {name}") for name in names]
    await w.run(*TAKE, batch.STAGE, place.STAGE)
    return found


async def rungs(w: World, asset: AssetId | None) -> set[Rung]:
    return {x.rung for x in (await w.asset(asset)).witnesses}


async def on_phone(w: World, asset: AssetId | None) -> list[tuple[str, str]]:
    copies = (await w.asset(asset)).copies
    return [(c.place.key, c.method) for c in copies if c.place.site is Site.PHONE]


async def test_what_the_phone_announces_is_the_evidence(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        await w.run(verify.STAGE)
        found = await w.asset(photo)
        [placement] = found.placements
        [has] = [x for x in found.witnesses if x.rung is Rung.PHONE_HAS]
        assert has.how == "availability"
        assert has.detail == {
            "device": w.phone.device, "version": placement.version, "syncthing": "v1.19.2",
        }  # fmt: skip
        assert await on_phone(w, photo) == [("a.JPG", "syncthing")]
        assert State.ON_PHONE in await w.states(photo)


async def test_in_transfer_it_waits_for_the_next_sweep_and_counts(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.fetches = False
        await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        pair = await w.drop("IMG_1.MOV", "mov cid=A at=0")
        await w.run(*TAKE, batch.STAGE, place.STAGE)
        [pair] = [m.asset for m in (await w.journal.batches(None, 1))[0].members]
        w.phone.fetch("IMG_1.MOV")
        verdict = await w.rule(verify.STAGE, pair)
        assert isinstance(verdict, Wait)
        assert verdict.until == w.clock.now() + 300_000
        assert verdict.why.startswith("1 of 2 files are on the phone; IMG_1.HEIC: ")
        assert verdict.code == ""
        w.phone.fetch()
        assert isinstance(await w.rule(verify.STAGE, pair), Done)


async def test_one_file_alone_is_not_counted(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.fetches = False
        photo = await w.drop("IMG_1.HEIC", "heic at=0")
        await w.run(*TAKE, batch.STAGE, place.STAGE)
        verdict = await w.rule(verify.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert verdict.why == "IMG_1.HEIC: the phone has not announced it yet"


async def test_a_phone_that_is_away_is_waited_for_however_long_and_done_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.go_offline()
        [photo] = await placed(w, "a.JPG")
        w.clock.advance(90 * 24 * HOUR_S)
        verdict = await w.rule(verify.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert (verdict.code, "not connected" in verdict.why) == ("", True)
        w.phone.come_online()
        await w.run(verify.STAGE)
        assert State.ON_PHONE in await w.states(photo)


async def test_a_file_that_a_connected_phone_does_not_take_is_told_of(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.ignore("a.JPG")
        [photo] = await placed(w, "a.JPG")
        w.clock.advance(23 * HOUR_S)
        early = await w.rule(verify.STAGE, photo)
        assert isinstance(early, Wait)
        assert early.code == ""
        w.clock.advance(2 * HOUR_S)
        await w.run(verify.STAGE, patience_s=0)
        standing = await w.standing(photo, AT)
        assert (standing.mark, standing.code) == ("waiting", "phone.stuck")
        assert standing.remedy


async def test_a_phone_that_has_just_come_back_is_given_its_time(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.go_offline()
        w.phone.fetches = False
        [photo] = await placed(w, "a.JPG")
        w.clock.advance(48 * HOUR_S)
        w.phone.come_online()
        fresh = await w.rule(verify.STAGE, photo)
        w.clock.advance(HOUR_S + 1)
        later = await w.rule(verify.STAGE, photo)
        assert isinstance(fresh, Wait)
        assert isinstance(later, Wait)
        assert (fresh.code, later.code) == ("", "phone.stuck")


async def test_what_the_phone_has_freed_before_anybody_looked_was_there(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        w.phone.free_all()
        await w.run(verify.STAGE)
        assert State.ON_PHONE in await w.states(photo)
        assert {Rung.PHONE_HAS, Rung.PHONE_FREED} <= await rungs(w, photo)
        assert {x.how for x in (await w.asset(photo)).witnesses} == {"index", "deletion"}
        assert await on_phone(w, photo) == []
        assert w.files.under(Site.PHONE) == {"a.JPG": b"jpeg at=0 a.JPG"}


async def test_what_was_seen_once_stays_true_when_the_index_is_lost(tmp_path: Path) -> None:
    """Freed, journalled by the watcher, then our database lost: nobody can see the deletion any more."""
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        found = await w.asset(photo)
        [placement] = found.placements
        w.phone.go_offline()
        seen = {"device": w.phone.device, "version": f"{w.phone.device[:7]}:99,{placement.version}"}
        freed = Witness(placement.original, Rung.PHONE_FREED, w.clock.now(), "deletion", seen)
        await w.journal.witness(
            [(found.id, Evidence("deletion", w.clock.now(), witnesses=(freed,)))]
        )
        await w.run(verify.STAGE)
        assert State.ON_PHONE in await w.states(photo)


async def test_a_witness_of_another_version_proves_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        found = await w.asset(photo)
        w.phone.go_offline()
        seen = {"device": w.phone.device, "version": f"{w.phone.device[:7]}:99"}
        other = Witness(found.originals[0].id, Rung.PHONE_FREED, w.clock.now(), "deletion", seen)
        await w.journal.witness(
            [(found.id, Evidence("deletion", w.clock.now(), witnesses=(other,)))]
        )
        assert isinstance(await w.rule(verify.STAGE, photo), Wait)


async def test_a_file_that_was_changed_there_is_asked_about(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        w.phone.edit("a.JPG", b"cropped")
        verdict = await w.rule(verify.STAGE, photo)
        assert isinstance(verdict, Ask)
        assert verdict.code == "phone.changed_there"
        assert f"skip {photo}" in verdict.remedy


@pytest.mark.parametrize("damage", ["other bytes", "gone", "a folder"])
async def test_a_file_that_is_not_what_was_placed_is_refused(tmp_path: Path, damage: str) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        ours = Place(Site.PHONE, SiteKey("a.JPG"))
        if damage == "gone":
            del w.files.files[ours]
        else:
            there = w.files.drop(Site.PHONE, "a.JPG", b"not it")
            w.files.files[there].what = "file" if damage == "other bytes" else "folder"
        verdict = await w.rule(verify.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "phone.changed_here"
        await w.run(verify.STAGE)
        assert (await w.standing(photo, AT)).mark == "held"
        assert State.ON_PHONE not in await w.states(photo)


async def test_a_mere_touch_binds_the_new_version_to_the_same_bytes(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.fetches = False
        [photo] = await placed(w, "a.JPG")
        [before] = (await w.asset(photo)).placements
        w.files.drop(Site.PHONE, "a.JPG", b"jpeg at=0 a.JPG", mtime_ns=7)
        assert isinstance(await w.rule(verify.STAGE, photo), Act)
        w.phone.fetches = True
        await w.run(verify.STAGE)
        [after] = (await w.asset(photo)).placements
        assert after.version != before.version
        assert after.mtime_ns == 7
        assert State.ON_PHONE in await w.states(photo)
        [has] = [x for x in (await w.asset(photo)).witnesses if x.rung is Rung.PHONE_HAS]
        assert has.detail["version"] == after.version


async def test_after_our_database_was_lost_the_version_is_bound_anew(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.fetches = False
        [photo] = await placed(w, "a.JPG")
        w.clock.advance(60)
        w.phone.forget_here()
        w.phone.fetches = True
        w.phone.fetch()
        await w.run(verify.STAGE)
        assert State.ON_PHONE in await w.states(photo)


@pytest.mark.parametrize("opinion", [Opinion.NONE, Opinion.AGAINST])
async def test_on_a_2x_host_nothing_is_certain_without_a_second_opinion(
    tmp_path: Path, opinion: Opinion
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.syncthing = "v2.1.3"
        w.phone.opinion = opinion
        w.phone.ignore("a.JPG")
        [photo] = await placed(w, "a.JPG")
        await w.run(verify.STAGE, patience_s=0)
        standing = await w.standing(photo, AT)
        assert (standing.mark, standing.code) == ("waiting", "phone.doubtful")
        assert "phone_url" in standing.remedy
        assert await on_phone(w, photo) == []


@pytest.mark.parametrize(
    ("opinion", "how"), [(Opinion.PHONE_API, "pixel-api"), (Opinion.SENT_BYTES, "sent-bytes")]
)
async def test_the_evidence_names_who_vouched(tmp_path: Path, opinion: Opinion, how: str) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.phone.syncthing = "v2.1.3"
        w.phone.opinion = opinion
        [photo] = await placed(w, "a.JPG")
        await w.run(verify.STAGE)
        [has] = [x for x in (await w.asset(photo)).witnesses if x.rung is Rung.PHONE_HAS]
        assert has.how == how
        assert (await w.asset(photo)).placements[0].blocks


async def test_a_rendition_on_the_phone_is_no_copy_of_its_original(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        found = await w.asset(photo)
        other = replace(found.originals[0], digest=found.originals[0].digest and "f" * 64)  # type: ignore[arg-type]
        sent: Any = replace(found, originals=(other,))
        [facts] = await verify.look([sent], w.ports())
        assert isinstance(facts, verify.Facts)
        verdict = verify.decide(sent, facts)
        assert isinstance(verdict, Done)
        assert verdict.evidence.copies == ()
        assert [x.rung for x in verdict.evidence.witnesses] == [Rung.PHONE_HAS]


async def test_one_lot_asks_once(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"allow_parallel": True}) as w:
        found = await placed(w, *[f"{n}.JPG" for n in range(10)])
        asked: list[int] = []
        truly = w.phone.indexed

        async def counted(keys: Any) -> Any:
            asked.append(len(keys))
            return await truly(keys)

        w.phone.indexed = counted  # type: ignore[method-assign]
        await verify.look([await w.asset(a) for a in found], w.ports())
        assert max(asked) == 10
        assert sum(asked) == 10


async def test_syncthing_being_away_is_no_fault_of_the_files(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        w.phone.faults = NeedsOperator("away", code="syncthing.unreachable", site="syncthing")
        await w.run(verify.STAGE)
        assert set(w.down) == {"syncthing"}
        assert (await w.standing(photo, AT)).mark == "ready"


async def test_who_was_put_past_the_batch_by_hand_is_never_claimed_for_the_phone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        [photo] = await placed(w, "a.JPG")
        skipped = replace(await w.asset(photo), placements=())
        [facts] = await verify.look([skipped], w.ports())
        assert isinstance(facts, verify.Facts)
        verdict = verify.decide(skipped, facts)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "phone.no_batch"


async def test_the_power_may_go_at_any_touch(tmp_path: Path) -> None:
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}", syncthing=LINKED) as w:
            [photo] = await placed(w, "a.JPG")
            w.files.drop(Site.PHONE, "a.JPG", b"jpeg at=0 a.JPG", mtime_ns=7)  # a scan is needed
            w.files.power = Power(cut_at)
            try:
                await w.run(verify.STAGE)
                was_cut = False
            except Killed:
                was_cut = True
            w.files.power = Power()
            await w.run(verify.STAGE)
            assert State.ON_PHONE in await w.states(photo)
            assert w.files.under(Site.PHONE) == {"a.JPG": b"jpeg at=0 a.JPG"}
            if not was_cut:
                break
    assert cut_at == 2
