"""Guards the batches: whole shots, one batch at a time, and names that nobody else has or ever had."""

import unicodedata
from collections import Counter
from itertools import count
from pathlib import Path

from mediad.errors import NeedsOperator, Retryable
from mediad.model import AssetId, Site, SiteKey
from mediad.policy.phone_names import folded
from mediad.stages import batch, place, verify
from mediad.stages.verdict import Done, Leave, Refuse, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.world import LINKED, PHONE, TAKE, World, world

DUE = State.PHONE_DUE


async def dropped(w: World, n: int, size: int = 0) -> list[AssetId | None]:
    found = [await w.drop(f"{i:02}.JPG", f"jpeg at=0 n={i} " + "#" * size) for i in range(n)]
    await w.run(*TAKE)
    return found


async def batches(w: World) -> list[tuple[int, ...]]:
    """The assets of each batch, as the journal knows them."""
    return [tuple(m.asset for m in b.members) for b in reversed(await w.journal.batches(None, 99))]


async def keys(w: World, asset: AssetId | None) -> list[str]:
    return [p.key for p in (await w.asset(asset)).placements]


async def test_twenty_three_files_go_by_five_each_when_the_last_are_on_the_phone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        found = await dropped(w, 23)
        w.phone.go_offline()
        await w.run(*PHONE)
        assert [len(b) for b in await batches(w)] == [5]
        w.phone.come_online()
        await w.run(*PHONE)
        assert [len(b) for b in await batches(w)] == [5, 5, 5, 5, 3]
        assert sorted(a for b in await batches(w) for a in b) == sorted(a for a in found if a)
        assert len(w.phone.there) == 23


async def test_while_a_batch_is_open_the_next_waits_outside_and_says_for_what(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        found = await dropped(w, 7)
        w.phone.fetches = False
        await w.run(batch.STAGE, place.STAGE, verify.STAGE)
        shut = await batch.door(w.ports())
        assert isinstance(shut, Wait)
        assert shut.why == "batch 1 is on its way to the phone: 0 of 5 files confirmed"
        w.phone.fetch("00.JPG", "03.JPG")
        await w.run(verify.STAGE)
        shut = await batch.door(w.ports())
        assert shut is not None
        assert shut.why == "batch 1 is on its way to the phone: 2 of 5 files confirmed"
        assert await w.rule(batch.STAGE, found[6]) == Leave(shut.why)
        assert (await w.standing(found[6], DUE)).mark == "ready"
        w.phone.fetch()
        await w.run(verify.STAGE)
        assert await batch.door(w.ports()) is None


async def test_with_leave_for_more_all_batches_are_made_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"allow_parallel": True}) as w:
        await dropped(w, 12)
        w.phone.go_offline()
        await w.run(batch.STAGE)
        assert [len(b) for b in await batches(w)] == [5, 5, 2]
        assert await batch.door(w.ports()) is None


async def test_a_file_that_the_phone_never_takes_stops_no_batch_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"patience_hours": 2.0}) as w:
        w.phone.ignore("00.JPG")
        await dropped(w, 6)
        await w.run(*PHONE)
        assert len(await batches(w)) == 1
        w.clock.advance(2 * 3600)
        await w.run(*PHONE)
        assert [len(b) for b in await batches(w)] == [5, 1]
        assert sorted(w.phone.there) == [f"{n:02}.JPG" for n in range(1, 6)]


async def test_a_phone_that_is_away_for_days_gets_no_second_batch(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        await dropped(w, 6)
        w.phone.go_offline()
        await w.run(*PHONE)
        w.clock.advance(3 * 86_400)
        await w.run(*PHONE)
        assert len(await batches(w)) == 1


async def test_a_batch_waits_for_what_arrives_until_it_is_full(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        early = await dropped(w, 3)
        assert isinstance(await w.rule(batch.STAGE, early[0]), Wait)
        await w.drop("late.JPG", "jpeg at=0 late")
        w.clock.advance(60)
        verdict = await w.rule(batch.STAGE, early[0])
        assert isinstance(verdict, Wait)
        assert "1 more are being taken in" in verdict.why
        await w.run(*TAKE, batch.STAGE)
        assert [len(b) for b in await batches(w)] == [4]


async def test_those_who_wait_go_together_with_those_who_come_meanwhile(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        await dropped(w, 2)
        await w.run(batch.STAGE, patience_s=2)
        await w.drop("late.JPG", "jpeg at=0 late")
        await w.run(*TAKE)
        await w.run(batch.STAGE)
        assert [len(b) for b in await batches(w)] == [3]


async def test_by_size_a_large_film_has_a_batch_of_its_own(tmp_path: Path) -> None:
    rules = {"batch_by": "bytes", "batch_bytes": 1 << 20, "allow_parallel": True}
    async with world(tmp_path, syncthing=LINKED, phone=rules) as w:
        sizes = [600_000, 600_000, 400_000, 3_000_000, 300_000]
        for n, size in enumerate(sizes):
            await w.drop(f"{n}.JPG", f"jpeg at=0 n={n} " + "#" * size)
        await w.run(*TAKE)
        await w.run(batch.STAGE)
        assert await batches(w) == [(1, 3), (2, 5), (4,)]


async def test_both_halves_of_a_live_photo_go_in_one_batch_under_one_stem(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"batch_files": 2}) as w:
        await w.drop("a.JPG", "jpeg at=0 a")
        await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.drop("IMG_1.MOV", "mov cid=A at=0")
        await w.drop("IMG_1.AAE", "sidecar n=1")
        await w.run(*TAKE)
        await w.run(*PHONE)
        made = await batches(w)
        named = {a: await keys(w, AssetId(a)) for b in made for a in b}
        [pair] = [a for a, names in named.items() if len(names) > 1]
        assert (pair,) in made
        assert sorted(named[pair]) == ["IMG_1.AAE", "IMG_1.HEIC", "IMG_1.MOV"]


async def test_names_that_the_phone_cannot_tell_apart_are_kept_apart(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        names = ["a/IMG_1.JPG", "b/img_1.jpg", "c/IMG_1.JPG", "d/Straße.jpg", "e/STRASSE.jpg"]
        for n, name in enumerate(names):
            await w.drop(name, f"jpeg at=0 n={n}")
        await w.run(*TAKE)
        await w.run(*PHONE)
        assert len(w.phone.there) == 5
        assert len({folded(k) for k in w.phone.there}) == 5
        assert {"IMG_1.JPG", "Straße.jpg"} <= set(w.phone.there)


async def test_odd_names_travel_as_they_arrive(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        names = [
            unicodedata.normalize("NFD", "é.jpg"),
            "🏖️ Strand.jpg",
            'q"u:e*.jpg',
            "~syncthing~x.jpg",
        ]
        for n, name in enumerate(names):
            await w.drop(name, f"jpeg at=0 n={n}")
        await w.run(*TAKE)
        await w.run(*PHONE)
        assert sorted(w.phone.there) == sorted(
            ["é.jpg", "🏖️ Strand.jpg", "q_u_e_.jpg", "_syncthing_x.jpg"]
        )


async def test_a_name_is_never_given_twice_over_any_number_of_batches(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"batch_files": 1}) as w:
        for n in range(4):
            await w.drop(f"{n}/IMG_1.JPG", f"jpeg at=0 n={n}")
        await w.run(*TAKE)
        await w.run(*PHONE)
        assert len(await batches(w)) == 4
        assert len(w.phone.there) == 4
        w.phone.free_all()
        await w.run(*PHONE)
        again = await w.drop("9/IMG_1.JPG", "jpeg at=0 n=9")
        await w.run(*TAKE)
        await w.run(*PHONE)
        [key] = await keys(w, again)
        assert key != "IMG_1.JPG"
        assert list(w.phone.there) == [key]


async def test_what_lies_there_or_is_remembered_by_syncthing_is_passed_over(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        foreign = w.files.drop(Site.PHONE, "IMG_1.JPG", b"somebody's own")
        await w.phone.scan([SiteKey("old.JPG")])
        known = w.files.drop(Site.PHONE, "old.JPG", b"was here once")
        await w.phone.scan([SiteKey("old.JPG")])
        del w.files.files[known]
        one, two = await w.drop("IMG_1.JPG", "jpeg at=0 a"), await w.drop("old.JPG", "jpeg at=0 b")
        await w.run(*TAKE)
        await w.run(*PHONE)
        for asset, plain in ((one, "IMG_1"), (two, "old")):
            identity = (await w.asset(asset)).identity or ""
            assert await keys(w, asset) == [f"{plain}-{identity[:8]}.JPG"]
        assert w.files.files[foreign].content == b"somebody's own"


async def test_the_same_bytes_that_lie_there_from_a_lost_journal_go_by_their_name_again(
    tmp_path: Path,
) -> None:
    """No picture is on the phone twice because the state was lost, or is that of an older backup."""
    async with world(tmp_path, syncthing=LINKED) as w:
        w.files.drop(Site.PHONE, "IMG_1.HEIC", b"heic cid=A at=0")
        await w.phone.scan([SiteKey("IMG_1.HEIC")])
        w.phone.fetch()
        still = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.drop("IMG_1.MOV", "mov cid=A at=0")
        twin = await w.drop("else/IMG_1.HEIC", "heic cid=B at=9")
        await w.run(*TAKE)
        await w.run(*PHONE)
        assert sorted(await keys(w, still)) == ["IMG_1.HEIC", "IMG_1.MOV"]
        assert State.ON_PHONE in await w.states(still)
        assert len(w.phone.there) == 3
        identity = (await w.asset(twin)).identity or ""
        assert await keys(w, twin) == [f"IMG_1-{identity[:8]}.HEIC"]


async def test_when_every_name_is_taken_a_person_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"batch_wait_seconds": 0.0}) as w:
        photo = await w.drop("IMG_1.JPG", "jpeg at=0")
        await w.run(*TAKE)
        identity = (await w.asset(photo)).identity or ""
        for suffix in ("", f"-{identity[:8]}", f"-{identity[:16]}"):
            w.files.drop(Site.PHONE, f"IMG_1{suffix}.JPG", b"not ours")
        verdict = await w.rule(batch.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "phone.names_taken"


async def test_one_name_that_cannot_be_asked_about_spoils_no_batch(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        found = await dropped(w, 5)
        w.phone.faults_of[SiteKey("02.JPG")] = Retryable("odd answer", code="syncthing.answer")
        await w.run(batch.STAGE, patience_s=0)
        assert [len(b) for b in await batches(w)] == [4]
        assert (await w.standing(found[2], DUE)).mark == "retry"


async def test_syncthing_being_away_is_no_fault_of_the_files(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={"allow_parallel": True}) as w:
        found = await dropped(w, 5)
        w.phone.faults = NeedsOperator("away", code="syncthing.unreachable", site="syncthing")
        await w.run(batch.STAGE)
        assert set(w.down) == {"syncthing"}
        assert (await w.standing(found[0], DUE)).mark == "ready"


async def test_a_late_half_joins_under_the_name_that_the_first_has(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        w.files.drop(Site.PHONE, "IMG_1.HEIC", b"not ours")
        still = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.run(*TAKE)
        await w.run(*PHONE)
        [key] = await keys(w, still)
        await w.drop("IMG_1.MOV", "mov cid=A at=0")
        await w.run(*TAKE)
        await w.run(*PHONE)
        assert await keys(w, still) == [key, key.replace(".HEIC", ".MOV")]
        assert sorted(w.phone.there) == sorted(await keys(w, still))
        assert State.ON_PHONE in await w.states(still)


async def test_the_evidence_is_the_manifest(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        found = await dropped(w, 5)
        verdicts = await batch.look([await w.asset(a) for a in found], w.ports())
        done = [
            batch.decide(await w.asset(a), f)
            for a, f in zip(found, verdicts, strict=True)
            if isinstance(f, batch.Facts)
        ]
        assert all(isinstance(d, Done) for d in done)
        notes = [d.evidence.note for d in done if isinstance(d, Done)]
        assert notes == [f"batch 1: {n} of 5" for n in range(1, 6)]
        [placement] = done[0].evidence.placements if isinstance(done[0], Done) else ()
        original = (await w.asset(found[0])).originals[0]
        assert (placement.key, placement.digest, placement.mtime_ns, placement.version) == (
            "00.JPG", original.digest, original.mtime_ns, "",
        )  # fmt: skip


async def test_the_power_may_go_anywhere_between_the_drop_folder_and_the_phone(
    tmp_path: Path,
) -> None:
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}", syncthing=LINKED, phone={"batch_files": 2}) as w:
            await w.drop("IMG_1.HEIC", "heic cid=A at=0")
            await w.drop("IMG_1.MOV", "mov cid=A at=0")
            await w.drop("b/IMG_1.HEIC", "heic at=0")
            await w.run(*TAKE)
            w.files.power = Power(cut_at)
            try:
                await w.run(*PHONE)
                was_cut = False
            except Killed:
                was_cut = True
            w.files.power = Power()
            await w.run(*PHONE)
            contents = Counter(f.content for f in w.phone.there.values())
            assert contents == {b"heic cid=A at=0": 1, b"mov cid=A at=0": 1, b"heic at=0": 1}
            assert len(await batches(w)) == 2
            if not was_cut:
                break
    assert cut_at > 4
