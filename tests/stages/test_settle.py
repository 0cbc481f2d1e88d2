"""Guards that nothing is taken before it is whole, and that halves of one shot find each other."""

from dataclasses import replace
from pathlib import Path

import pytest

from mediad.model import Kind, Place, Role, Site, SiteKey
from mediad.stages import archive, hash, settle  # noqa: A004 - its name in the law
from mediad.stages.verdict import Act, Done, Merge, Refuse, Wait
from mediad.state import State
from tests.stages.world import world

SETTLED = State.SETTLED
QUARANTINED = State.QUARANTINED


def incoming(key: str) -> Place:
    return Place(Site.INCOMING, SiteKey(key))


async def test_a_file_that_just_came_waits_unopened(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        verdict = await w.rule(settle.STAGE, photo)
        assert verdict == Wait(w.clock.now() + 5000, "it changed a moment ago")
        assert w.inspector.read == []
        w.clock.advance(5)
        match await w.rule(settle.STAGE, photo):
            case Done(evidence, then):
                assert then is SETTLED
                assert evidence.kind_now is Kind.PHOTO
                assert evidence.originals[0].inspection is not None
            case other:
                pytest.fail(f"{other}")


async def test_a_file_that_is_still_written_waits_however_long(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        w.files.files[incoming("IMG_1.HEIC")].is_open = True
        w.clock.advance(1e6)
        assert isinstance(await w.rule(settle.STAGE, photo), Wait)
        assert w.inspector.read == []


@pytest.mark.parametrize("content", ["", "heic flaw=intake.truncated"])
async def test_what_looks_unfinished_gets_more_time(tmp_path: Path, content: str) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", content)
        w.clock.advance(6)
        assert isinstance(await w.rule(settle.STAGE, photo), Wait)
        w.clock.advance(30)
        assert isinstance(await w.rule(settle.STAGE, photo), Done)


async def test_the_size_that_counts_is_the_one_it_settled_with(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        w.files.drop(Site.INCOMING, "IMG_1.HEIC", b"heic and much more", mtime_ns=77)
        await w.run(settle.STAGE)
        assert await w.states(photo) == {SETTLED}
        [original] = (await w.asset(photo)).originals
        assert (original.size, original.mtime_ns) == (18, 77)


async def test_a_vanished_file_is_told_of_and_may_come_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        del w.files.files[incoming("IMG_1.HEIC")]
        await w.run(settle.STAGE)
        assert await w.states(photo) == {QUARANTINED}
        assert (await w.told(photo))["code"] == "intake.vanished"
        again = await w.drop("IMG_1.HEIC", "heic")
        assert again not in {None, photo}


@pytest.mark.parametrize("what", ["symlink", "fifo", "socket", "device"])
async def test_what_is_no_file_is_set_aside_unopened(tmp_path: Path, what: str) -> None:
    async with world(tmp_path) as w:
        link = await w.drop("a/link.jpg", "/etc/passwd")
        w.files.files[incoming("a/link.jpg")].what = what
        await w.run(settle.STAGE)
        assert await w.states(link) == {QUARANTINED}
        told = await w.told(link)
        assert told["code"] == "intake.not_a_file"
        assert what in told["note"]
        assert w.files.under(Site.QUARANTINE) == {"link.jpg": b"/etc/passwd"}
        assert w.inspector.read == []


async def test_a_folder_in_a_files_place_is_left_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("thing", "heic")
        w.files.files[incoming("thing")].what = "folder"
        await w.run(settle.STAGE)
        assert (await w.told(photo))["code"] == "intake.vanished"
        assert incoming("thing") in w.files.files


@pytest.mark.parametrize("first", ["IMG_1.HEIC", "IMG_1.MOV"])
async def test_the_halves_of_a_live_photo_become_one(tmp_path: Path, first: str) -> None:
    async with world(tmp_path) as w:
        content = {"IMG_1.HEIC": "heic cid=A", "IMG_1.MOV": "mov cid=A"}
        host = await w.drop(first, content.pop(first))
        [(second, words)] = content.items()
        await w.drop(second, words)
        await w.run(settle.STAGE)
        assert await w.states(host) == {SETTLED}
        whole = await w.asset(host)
        assert (whole.name, whole.kind) == ("IMG_1.HEIC", Kind.LIVE_PHOTO)
        assert [o.role for o in whole.originals] == [Role.PRIMARY, Role.LIVE_VIDEO]


async def test_the_later_half_gives_itself_to_the_earlier(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        host = await w.drop("x/one.HEIC", "heic cid=A")
        guest = await w.drop("y/two.MOV", "mov cid=A")
        w.clock.advance(6)
        lot = [await w.asset(host), await w.asset(guest)]
        first, second = await settle.look(lot, w.ports())
        assert isinstance(first, settle.Facts)
        assert isinstance(second, settle.Facts)
        assert isinstance(settle.decide(lot[0], first), Wait)
        match settle.decide(lot[1], second):
            case Merge(into, evidence):
                assert into == host
                assert evidence.note == "the same Apple content identifier"
                assert [o.name for o in evidence.originals] == ["two.MOV"]
            case other:
                pytest.fail(f"{other}")


async def test_a_half_whose_partner_is_still_copied_waits_for_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        movie = await w.drop("IMG_1.MOV", "mov")
        w.files.files[incoming("IMG_1.MOV")].is_open = True
        w.clock.advance(6)
        verdict = await w.rule(settle.STAGE, photo)
        assert isinstance(verdict, Wait)
        assert "IMG_1.MOV" in verdict.why
        w.clock.advance(60)  # but not for ever
        assert isinstance(await w.rule(settle.STAGE, photo), Done)
        w.files.files[incoming("IMG_1.MOV")].is_open = False
        await w.run(settle.STAGE)
        assert [o.role for o in (await w.asset(photo)).originals] == [Role.PRIMARY, Role.LIVE_VIDEO]
        assert movie not in {None, photo}


async def test_a_late_half_makes_its_asset_go_in_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        host = await w.drop("IMG_1.HEIC", "heic cid=A")
        await w.run(settle.STAGE, hash.STAGE, archive.STAGE)
        assert State.ARCHIVED in await w.states(host)
        w.clock.advance(3600)
        await w.drop("other/late.MOV", "mov cid=A")
        await w.run(settle.STAGE, hash.STAGE, archive.STAGE, patience_s=300)
        whole = await w.asset(host)
        assert [o.role for o in whole.originals] == [Role.PRIMARY, Role.LIVE_VIDEO]
        assert w.files.under(Site.ARCHIVE) == {
            "2023/11/IMG_1.HEIC": b"heic cid=A",
            "2023/11/IMG_1.MOV": b"mov cid=A",
        }


async def test_a_half_that_has_gone_on_hosts_a_later_one_of_lower_number(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        movie = await w.drop("a/1.MOV", "mov cid=A")
        still = await w.drop("b/2.HEIC", "heic cid=A")
        w.files.files[incoming("a/1.MOV")].is_open = True
        await w.run(settle.STAGE, patience_s=100)
        assert await w.states(still) == {SETTLED}
        w.files.files[incoming("a/1.MOV")].is_open = False
        await w.run(settle.STAGE, patience_s=100)
        assert len((await w.asset(still)).originals) == 2
        assert await w.states(movie) == set()


async def test_half_a_live_photo_waits_for_the_other_half_but_not_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic cid=A")
        seen_at = w.clock.now()
        w.clock.advance(6)
        assert await w.rule(settle.STAGE, photo) == Wait(
            seen_at + 60_000, "its other half may still come"
        )
        await w.run(settle.STAGE)
        assert await w.states(photo) == {SETTLED}


async def test_a_sidecar_without_its_photo_is_set_aside_after_a_while(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        sidecar = await w.drop("IMG_1.AAE", "sidecar")
        w.clock.advance(6)
        assert isinstance(await w.rule(settle.STAGE, sidecar), Wait)
        w.clock.advance(60)
        assert isinstance(await w.rule(settle.STAGE, sidecar), Act)
        await w.run(settle.STAGE)
        assert await w.states(sidecar) == {QUARANTINED}
        assert (await w.told(sidecar))["code"] == "intake.sidecar_alone"
        assert w.files.under(Site.QUARANTINE) == {"IMG_1.AAE": b"sidecar"}


async def test_a_sidecar_goes_with_the_photo_it_came_with(tmp_path: Path) -> None:
    """Cameras count from 0001 again: this morning's photo of the same name is another."""
    async with world(tmp_path) as w:
        await w.drop("IMG_1.JPG", "jpeg n=1")
        await w.run(settle.STAGE)
        w.clock.advance(7200)
        evening = await w.drop("IMG_1.HEIC", "heic n=2")
        await w.drop("IMG_1.AAE", "sidecar")
        await w.run(settle.STAGE)
        assert [o.name for o in (await w.asset(evening)).originals] == ["IMG_1.HEIC", "IMG_1.AAE"]


async def test_a_photo_that_comes_at_the_last_moment_is_not_set_aside_with_its_sidecar(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        sidecar = await w.drop("IMG_1.AAE", "sidecar")
        photo = await w.drop("IMG_1.HEIC", "heic")
        w.clock.advance(61)
        assert isinstance(await w.rule(settle.STAGE, sidecar), Wait)
        assert isinstance(await w.rule(settle.STAGE, photo), Merge)
        await w.run(settle.STAGE)
        assert await w.states(sidecar) == {SETTLED}
        assert w.files.under(Site.QUARANTINE) == {}


async def test_three_parts_become_one_in_whatever_order_they_came(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        host = await w.drop("IMG_1.AAE", "sidecar")
        await w.drop("IMG_1.MOV", "mov")
        await w.drop("IMG_1.HEIC", "heic")
        await w.run(settle.STAGE)
        whole = await w.asset(host)
        assert whole.originals[0].name == "IMG_1.HEIC"
        assert {o.role for o in whole.originals} == {Role.PRIMARY, Role.LIVE_VIDEO, Role.SIDECAR}
        assert await w.states(host) == {SETTLED}


async def test_two_photos_of_one_name_stay_two(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one = await w.drop("IMG_1.HEIC", "heic")
        two = await w.drop("IMG_1.JPG", "jpeg")
        await w.run(settle.STAGE, patience_s=30)
        assert [await w.states(a) for a in (one, two)] == [{SETTLED}, {SETTLED}]


async def test_a_half_that_vanishes_does_not_hold_up_the_other(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        host = await w.drop("IMG_1.HEIC", "heic cid=A")
        guest = await w.drop("IMG_1.MOV", "mov cid=A")
        w.clock.advance(6)
        merge = await w.rule(
            settle.STAGE, guest
        )  # the same name: alone in its lot it finds the host
        assert isinstance(merge, Merge)
        assert guest is not None
        await w.journal.merge(guest, merge.into, merge.evidence)
        del w.files.files[incoming("IMG_1.MOV")]
        await w.run(settle.STAGE)
        still, movie = (await w.asset(host)).originals
        assert await w.states(host) == {SETTLED}
        assert still.inspection is not None
        assert movie.inspection is not None
        assert movie.inspection.flaw == "intake.vanished"


async def test_a_lost_working_copy_is_never_passed_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        host = await w.drop("IMG_1.HEIC", "heic cid=A")
        await w.run(patience_s=300)
        found = await w.asset(host)
        del w.files.files[Place(Site.SPOOL, found.originals[0].spool_key)]
        [facts] = await settle.look([found], w.ports())
        assert isinstance(facts, settle.Facts)
        verdict = settle.decide(found, facts)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "intake.lost"


async def test_one_bad_member_does_not_spoil_its_lot(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        good = await w.asset(await w.drop("IMG_1.HEIC", "heic"))
        await w.drop("IMG_2.HEIC", "heic")
        outside = replace(good.originals[0], source_key=SiteKey("../../etc/passwd"))
        w.clock.advance(6)
        bad = replace(good, originals=(outside,))
        answers = await settle.look([bad, good], w.ports())
        assert [type(a).__name__ for a in answers] == ["Refused", "Facts"]
