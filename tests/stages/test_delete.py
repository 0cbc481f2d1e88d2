"""Guards iCloud's photos: none goes without every proof, none that a person wants to keep, and never too many."""

import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediad.engine.desk import Desk
from mediad.engine.lots import Lots
from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.model import (
    AssetId,
    CloudRef,
    Evidence,
    Place,
    RemoteFact,
    Resource,
    Rung,
    Site,
    SiteKey,
)
from mediad.policy.breaker import Toll
from mediad.ports import Delta
from mediad.stages import clean, delete, mark, release, upload
from mediad.stages.verdict import Act, Done, Refuse, Wait
from mediad.state import State
from mediad.testing import Killed, Power
from mediad.testing.cloud import fingerprint_of
from tests.stages.clouds import (
    DAY_S,
    TO_ALBUM,
    TO_SAFETY,
    album,
    at_home,
    cloudy,
    cooled,
    in_album,
    live_at_home,
    self_tested,
    sweep,
)
from tests.stages.world import World

AT = State.MARKED
KEY = Place(Site.ARCHIVE, SiteKey("2024/07/IMG_1.HEIC"))

Spoil: TypeAlias = Callable[[World, CloudRef], Awaitable[None]]


async def verdict_of(w: World, asset: AssetId) -> Any:
    verdict = await w.rule(delete.STAGE, asset)
    assert not isinstance(verdict, MediadError), verdict
    return verdict


# -- the way it goes -------------------------------------------------------------------------------


async def test_with_every_proof_and_after_its_days_it_goes_to_recently_deleted(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await in_album(w)
        w.cloud.calls.clear()
        waiting = await verdict_of(w, asset)
        assert isinstance(waiting, Wait)
        assert waiting.until == w.clock.now() + 2 * DAY_S * 1000
        assert not w.cloud.calls, "until then iCloud need not be asked"
        w.clock.advance(1.9 * DAY_S)
        await sweep(w, days=0.01)
        assert w.cloud.deleted == []
        w.clock.advance(0.2 * DAY_S)
        assert isinstance(await verdict_of(w, asset), Act)
        await sweep(w)
        assert w.cloud.deleted == [ref]
        assert State.DELETED in await w.states(asset)
        row = await w.row(ref)
        assert row.deleted_at == w.clock.now()
        assert row.recoverable_until == w.clock.now() + 30 * DAY_S * 1000
        kinds = [h.evidence["kind"] for h in await w.journal.history(asset)]
        assert kinds[-2:] == ["answer", "lookup"]


async def test_a_live_photo_goes_with_both_halves_proved(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await live_at_home(w)
        await w.run(upload.STAGE, mark.STAGE)
        w.clock.advance(2 * DAY_S + 60)
        movie = Place(Site.ARCHIVE, SiteKey("2024/07/IMG_1.MOV"))
        kept = w.files.files.pop(movie)
        assert isinstance(await verdict_of(w, asset), Refuse)
        w.files.files[movie] = kept
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_what_the_phone_has_freed_is_proved_by_what_was_seen_then(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.phone.free_all()
        await w.run(release.STAGE, clean.STAGE, patience_s=2 * DAY_S)
        rungs = {x.rung for x in (await w.asset(asset)).witnesses}
        assert {Rung.PHONE_HAS, Rung.PHONE_FREED} <= rungs
        w.phone.forget_there()
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_a_photo_with_an_edit_goes_once_both_are_safe(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await at_home(w)
        w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
        edited = await w.bring(ref)
        await w.run(*TO_ALBUM, patience_s=2 * DAY_S)
        w.clock.advance(3 * DAY_S)
        await sweep(w)
        assert w.cloud.deleted == [ref]
        assert w.cloud.calls["delete"] == 1
        assert State.DELETED in await w.states(asset)
        assert State.DELETED in await w.states(edited)


# -- with any single proof removed, nothing goes --------------------------------------------------


async def unarm(w: World, _: CloudRef) -> None:
    w.configure("safety", armed=False)


async def switch_off(w: World, _: CloudRef) -> None:
    w.configure("delete", enabled=False)


async def red_test(w: World, _: CloudRef) -> None:
    await self_tested(w, ok=False)


async def old_test(w: World, ref: CloudRef) -> None:
    w.clock.advance(31 * DAY_S)
    assert ref in w.cloud.left()


async def other_test(w: World, _: CloudRef) -> None:
    w.configure("icloud", username="somebody.else@example.com")


async def heart(w: World, ref: CloudRef) -> None:
    w.cloud.set(ref, favourite=True)


async def hide(w: World, ref: CloudRef) -> None:
    w.cloud.set(ref, hidden=True)


async def edit(w: World, ref: CloudRef) -> None:
    w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")


async def edit_and_hear(w: World, ref: CloudRef) -> None:
    w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
    await w.hear(ref)


async def exchange(w: World, ref: CloudRef) -> None:
    w.cloud.set(ref, master="AYsomethingelse")


async def take_out(w: World, ref: CloudRef) -> None:
    w.cloud.take_out(await album(w), ref)


async def drop_album(w: World, _: CloudRef) -> None:
    w.cloud.drop_album(await album(w))


async def lose(w: World, _: CloudRef) -> None:
    del w.files.files[KEY]


async def rot(w: World, _: CloudRef) -> None:
    w.files.drop(Site.ARCHIVE, KEY.key, b"rot")


async def unplug(w: World, _: CloudRef) -> None:
    w.files.faults[Site.ARCHIVE] = NeedsOperator(
        "not mounted", code="archive.unmounted", site="archive"
    )


async def no_archive(w: World, _: CloudRef) -> None:
    w.configure("archive", enabled=False)


async def phone_lost(w: World, _: CloudRef) -> None:
    w.phone.edit("IMG_1.HEIC", b"something else")


async def phone_away(w: World, _: CloudRef) -> None:
    w.phone.forget_here()


async def want_more_copies(w: World, _: CloudRef) -> None:
    w.configure("safety", min_copies=4)


async def twin(w: World, _: CloudRef) -> None:
    """The person's duplicate of it: the same bytes in iCloud, listed and not fetched."""
    other = w.cloud.take("IMG_1.HEIC", b"heic at=0 IMG_1.HEIC")
    await w.hear(other)


async def young(w: World, _: CloudRef) -> None:
    w.configure("delete", min_age_days=365_000.0)


async def longer(w: World, _: CloudRef) -> None:
    w.configure("delete", cooloff_days=5.0)


async def clock_back(w: World, _: CloudRef) -> None:
    w.clock.at = 1_000_000


async def vanish(w: World, ref: CloudRef) -> None:
    w.cloud.expunge(ref)


async def none_today(w: World, _: CloudRef) -> None:
    w.configure("delete", per_day=0)


async def by_hand(w: World, _: CloudRef) -> None:
    w.configure("delete", mode="manual")


async def signed_out(w: World, _: CloudRef) -> None:
    w.cloud.fail("lookup", NeedsOperator("sign in", code="icloud.signed_out", site="icloud"))


SPOILS: list[Spoil] = [
    unarm, switch_off, red_test, old_test, other_test, heart, hide, edit, edit_and_hear, exchange, take_out,
    drop_album, lose, rot, unplug, no_archive, phone_lost, phone_away, want_more_copies, twin, young, longer,
    clock_back, vanish, none_today, by_hand, signed_out,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
async def test_with_any_single_proof_removed_nothing_goes(tmp_path: Path, spoil: Spoil) -> None:
    async with cloudy(tmp_path) as w:
        ref, _ = await cooled(w)
        await spoil(w, ref)
        await sweep(w, days=2)
        assert w.cloud.deleted == []
        assert w.cloud.calls["delete"] == 0


async def test_without_any_of_these_it_would_have_gone(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, _ = await cooled(w)
        await sweep(w)
        assert w.cloud.deleted == [ref]


# -- what is said meanwhile, and how it goes on ------------------------------------------------------


async def test_disarmed_it_waits_says_so_and_asks_nobody(tmp_path: Path) -> None:
    async with cloudy(tmp_path, safety={"armed": False}) as w:
        ref, asset = await cooled(w)
        w.cloud.calls.clear()
        verdict = await verdict_of(w, asset)
        assert isinstance(verdict, Wait)
        assert verdict.code == "safety.disarmed"
        assert "not armed" in verdict.why
        assert "safety.armed" in verdict.remedy
        await sweep(w)
        assert not w.cloud.calls
        assert (await w.standing(asset, AT)).mark == "waiting"
        w.configure("safety", armed=True)
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_a_veto_is_obeyed_until_the_person_takes_it_back(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.cloud.take_out(await album(w), ref)
        await sweep(w)
        found = await w.standing(asset, AT)
        assert (found.mark, found.code) == ("waiting", "icloud.vetoed")
        assert (await w.row(ref)).marked_at is None
        await sweep(w, days=60)
        assert w.cloud.inside == {}, "nobody puts it back"
        await self_tested(w)
        w.cloud.put_in(await album(w), ref)
        await sweep(w, days=8)
        assert w.cloud.deleted == [ref]
        marks = [h for h in await w.journal.history(asset) if h.evidence["kind"] == "album"]
        assert len(marks) == 2, "out, and in again: its days began anew"


async def test_out_of_the_album_and_in_again_between_two_looks_its_days_begin_anew(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await in_album(w)
        w.clock.advance(1.5 * DAY_S)
        record = await album(w)
        w.cloud.take_out(record, ref)
        gone = Delta(members_gone=(f"{ref.record}-IN-{record}",))
        await w.journal.cloud_page(w.cloud.zones[ref.zone], [], gone)
        w.cloud.put_in(record, ref)
        await w.hear(ref)
        await sweep(w, days=1.5)
        assert w.cloud.deleted == []
        assert "begin now" in (await w.told(asset))["note"]
        await sweep(w, days=3)
        assert w.cloud.deleted == [ref]


@pytest.mark.parametrize("by_mediactl", [False, True])
async def test_what_was_brought_back_is_never_deleted_again(
    tmp_path: Path,
    by_mediactl: bool,  # noqa: FBT001 - a case
) -> None:
    """Not even once a later edit of it has come home and gone through every lane."""
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        await sweep(w)
        assert w.cloud.deleted == [ref]
        w.clock.advance(DAY_S)
        w.cloud.set(ref, deleted=False)
        if by_mediactl:  # which forgets when it was marked, and when deleted
            back = Evidence("undelete", 0, remotes=(RemoteFact(ref, marked_at=0, deleted_at=0),))
            await w.journal.witness([(asset, back)])
        w.cloud.take_out(await album(w), ref)
        w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
        edited = await w.bring(ref)
        await w.run(*TO_ALBUM)
        assert w.cloud.inside == {}, "nor put into the album again"
        w.cloud.put_in(await album(w), ref)
        await sweep(w, days=9)
        assert w.cloud.deleted == [ref]
        assert State.DELETED in await w.states(edited)
        assert "brought it back" in (await w.told(edited))["note"]


async def test_what_was_deleted_a_moment_ago_may_still_be_listed(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        now = Evidence("answer", 0, remotes=(RemoteFact(ref, deleted_at=w.clock.now()),))
        await w.journal.witness([(asset, now)])
        verdict = await verdict_of(w, asset)
        assert isinstance(verdict, Wait)
        assert "still lists it" in verdict.why


async def test_a_veto_in_the_last_moment_is_seen(tmp_path: Path) -> None:
    """While our copies are read back, which takes its time."""
    async with cloudy(tmp_path) as w:
        ref, _ = await cooled(w)
        record = await album(w)
        reading = w.files.reread

        async def and_meanwhile(places: Any) -> Any:
            w.files.reread = reading  # type: ignore[method-assign]
            w.cloud.take_out(record, ref)
            return await reading(places)

        w.files.reread = and_meanwhile  # type: ignore[assignment]
        await sweep(w)
        assert w.cloud.deleted == []


async def test_an_edit_is_taken_in_and_then_all_of_it_goes(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
        verdict = await verdict_of(w, asset)
        assert isinstance(verdict, Wait)
        assert (verdict.code, verdict.is_loss) == ("icloud.changed", True)
        await w.bring(ref)
        verdict = await verdict_of(w, asset)
        assert isinstance(verdict, Wait), "taken in, and not archived yet"
        await w.run(*TO_SAFETY)
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_a_change_between_lookup_and_deletion_wins(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        [facts] = await delete.look([await w.asset(asset)], w.ports())
        assert isinstance(facts, delete.Facts)
        w.cloud.set(ref, favourite=True)
        [answer] = await delete.act([await w.asset(asset)], [facts], w.ports())
        assert isinstance(answer, Retryable)
        assert answer.code == "icloud.conflict"
        assert w.cloud.deleted == []


async def hide_it(w: World, ref: CloudRef) -> None:
    w.cloud.set(ref, hidden=True)


@pytest.mark.parametrize("meanwhile", [edit, heart, hide_it])
@pytest.mark.parametrize("is_fit", [True, False], ids=["brought back", "cannot be"])
async def test_where_apple_obeys_no_tags_what_was_changed_last_is_brought_back_and_held(
    tmp_path: Path,
    meanwhile: Spoil,
    is_fit: bool,  # noqa: FBT001 - a case
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.cloud.obeys_tags = False
        deleting = w.cloud.delete

        async def and_just_before(items: Any) -> Any:
            w.cloud.delete = deleting  # type: ignore[method-assign]
            await meanwhile(w, ref)
            return await deleting(items)

        w.cloud.delete = and_just_before  # type: ignore[method-assign]
        if not is_fit:
            w.cloud.fail("undelete", Retryable("slow", code="icloud.busy"))
        with contextlib.suppress(Retryable):
            await sweep(w)
        found = await w.standing(asset, AT)
        assert (found.mark, found.code) == ("held", "icloud.changed_late")
        assert (ref in w.cloud.left()) is is_fit
        assert (await w.row(ref)).deleted_at is None
        await sweep(w, days=9)
        assert w.cloud.deleted == [ref], "nor is it deleted again"


async def test_an_edit_that_was_deleted_before_the_power_went_is_asked_about(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.cloud.edit(ref, "IMG_1.JPG", b"jpeg at=0 edited")
        w.cloud.set(ref, deleted=True)
        await sweep(w)
        found = await w.standing(asset, AT)
        assert (found.mark, found.code) == ("held", "icloud.changed_late")


async def test_a_copy_that_the_archive_has_lost_is_held(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        await rot(w, ref)
        await sweep(w)
        found = await w.standing(asset, AT)
        assert (found.mark, found.code) == ("held", "icloud.copy_lost")
        assert "IMG_1.HEIC" in found.why


async def test_bytes_that_apple_would_call_by_another_name_are_no_copy(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        other = fingerprint_of(b"other")

        async def lying(places: Any) -> Any:
            return [other for _ in places]

        w.cloud.fingerprints = lying  # type: ignore[method-assign]
        verdict = await verdict_of(w, asset)
        assert isinstance(verdict, Refuse)
        await sweep(w)
        assert ref in w.cloud.left()


async def test_what_icloud_does_not_find_is_no_reason_to_be_calm(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        w.cloud.expunge(ref)
        verdict = await verdict_of(w, asset)
        assert isinstance(verdict, Wait)
        assert (verdict.code, verdict.is_loss) == ("icloud.vanished", True)
        await w.hear(ref)
        await sweep(w)
        assert State.DELETED in await w.states(asset)
        assert w.cloud.calls["delete"] == 0


async def test_what_a_person_has_deleted_is_recorded(tmp_path: Path) -> None:
    async with cloudy(tmp_path, safety={"armed": False}) as w:
        ref, asset = await in_album(w)
        w.cloud.set(ref, deleted=True)
        await w.hear(ref)
        await w.journal.rouse([asset], [AT])
        await sweep(w)
        assert State.DELETED in await w.states(asset)
        assert "Recently Deleted" in str((await w.told(asset))["note"])
        assert w.cloud.deleted == []


@pytest.mark.parametrize("is_for_good", [False, True])
async def test_in_manual_mode_the_person_empties_the_album_and_mediad_notes_it(
    tmp_path: Path,
    is_for_good: bool,  # noqa: FBT001 - a case
) -> None:
    async with cloudy(tmp_path, delete={"mode": "manual"}) as w:
        ref, asset = await cooled(w)
        await sweep(w, days=3)
        assert AT in await w.states(asset)
        w.cloud.set(ref, deleted=True)
        if is_for_good:
            w.cloud.expunge(ref)
        await sweep(w, days=2)
        assert State.DELETED in await w.states(asset)
        assert w.cloud.calls["delete"] == 0
        assert (await w.row(ref)).deleted_at is None


@pytest.mark.parametrize("days", [40, -40])
async def test_a_clock_that_jumps_ends_no_photos_days(tmp_path: Path, days: int) -> None:
    async with cloudy(tmp_path, delete={"enabled": True, "cooloff_days": 20.0}) as w:
        ref, asset = await in_album(w)
        right = w.clock.now()
        w.clock.at += days * 86_400_000
        w.cloud.ahead = days * 86_400_000
        await self_tested(w)
        await w.journal.retry(None, ["waiting", "ready"])
        await sweep(w, days=0.5)
        assert w.cloud.deleted == []
        if days > 0:
            assert (await w.standing(asset, AT)).code == "icloud.clock"
        w.clock.at, w.cloud.ahead = right, 0
        await self_tested(w)
        await w.journal.retry(None, ["waiting", "ready"])
        await sweep(w, days=19)
        assert w.cloud.deleted == []
        await sweep(w, days=30)
        assert w.cloud.deleted == [ref]


async def test_a_clock_that_was_wrong_gives_no_photo_less_than_its_days(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        right = w.clock.now()
        ref, _ = await at_home(w)
        w.clock.at = 1_000_000  # a machine without a battery, just started
        await w.run(upload.STAGE, mark.STAGE)
        w.clock.at = right + 1000
        await w.journal.retry(None, ["waiting", "ready"])
        await w.run(upload.STAGE, mark.STAGE, patience_s=60)
        await w.journal.retry(None, ["waiting", "ready"])
        await sweep(w, days=1.5)
        assert w.cloud.deleted == []
        await sweep(w, days=2.5)
        assert w.cloud.deleted == [ref]


# -- never too many --------------------------------------------------------------------------------


async def many(w: World, count: int) -> list[CloudRef]:
    refs = [w.cloud.take(f"{n}.HEIC", f"heic at=0 {n}".encode()) for n in range(count)]
    for ref in refs:
        await w.bring(ref)
    await w.run(*TO_ALBUM)
    w.clock.advance(2 * DAY_S + 60)
    return refs


async def test_a_day_has_its_limit_and_the_next_day_another(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"per_day": 3, "percent_per_day": 100.0}) as w:
        await many(w, 7)
        await sweep(w, days=0.9)
        assert len(w.cloud.deleted) == 3
        calls = w.cloud.calls.total()
        await sweep(w, days=0.09)
        assert w.cloud.calls.total() == calls, "with nothing left of the day nobody is asked"
        await sweep(w, days=1)
        assert len(w.cloud.deleted) == 6
        await sweep(w, days=1)
        assert len(w.cloud.deleted) == 7


async def test_nor_more_than_a_share_of_the_library(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 30.0}) as w:
        await many(w, 10)
        await sweep(w, days=0.9)
        assert len(w.cloud.deleted) == 3


async def test_only_what_may_go_today_is_read(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"per_day": 2, "percent_per_day": 100.0}) as w:
        await many(w, 6)
        found = [
            listed.asset for listed in await w.journal.listed([AssetId(n) for n in range(1, 7)])
        ]
        looked = await delete.look(found, w.ports())
        facts = [f for f in looked if isinstance(f, delete.Facts)]
        assert [f.is_read for f in facts] == [True, True, False, False, False, False]
        assert [f.is_spent for f in facts] == [False, False, True, True, True, True]


async def test_many_go_in_few_requests_of_a_handful(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0}) as w:
        await many(w, 30)
        w.cloud.calls.clear()
        await sweep(w)
        assert len(w.cloud.deleted) == 30
        assert w.cloud.calls["delete"] == 2
        assert w.cloud.calls.total() <= 16


async def lose_of(w: World, n: int, _: CloudRef) -> None:
    del w.files.files[Place(Site.ARCHIVE, SiteKey(f"2024/07/{n}.HEIC"))]


async def edit_of(w: World, n: int, ref: CloudRef) -> None:
    w.cloud.edit(ref, f"{n}.JPG", b"jpeg at=0 edited by a virus")


async def vanish_of(w: World, n: int, ref: CloudRef) -> None:
    assert n in range(11)
    w.cloud.expunge(ref)


@pytest.mark.parametrize("spoil", [lose_of, edit_of, vanish_of])
async def test_when_many_lose_a_proof_at_once_the_rest_stays_as_well(
    tmp_path: Path, spoil: Callable[[World, int, CloudRef], Awaitable[None]]
) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0}) as w:
        refs = await many(w, 12)
        for n in range(11):
            await spoil(w, n, refs[n])
        tripped: list[tuple[str, Toll]] = []

        async def trip(stage: str, toll: Toll) -> None:
            tripped.append((stage, toll))

        async def halt() -> None:
            return

        lots = Lots(w.journal, w.ports, link_is_down=lambda *_: None, halt=halt, trip=trip)
        page = await w.journal.work(delete.STAGE.at, w.clock.now(), 25)
        await lots.work(Desk(delete.STAGE), page)
        assert tripped == [("delete", Toll(11, 12))]
        assert w.cloud.deleted == []


# -- faults and cuts -------------------------------------------------------------------------------


async def test_cut_off_at_any_moment_it_goes_on_and_deletes_nothing_twice(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0}) as w:
        refs = await many(w, 3)
        for cut in range(1, 20):
            w.cloud.power = Power(cut_at=cut)
            try:
                await sweep(w)
            except Killed:
                await w.journal.retry(None, ["waiting", "ready", "retry"])
                continue
            break
        w.cloud.power = Power()
        await sweep(w)
        assert sorted(w.cloud.deleted) == sorted(refs)
        for ref in refs:
            assert (await w.row(ref)).deleted_at is not None


async def test_a_refusal_of_one_keeps_no_other(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0}) as w:
        refs = await many(w, 3)
        w.cloud.refusals[refs[1]] = Retryable("not now", code="icloud.busy", after_s=60.0)
        await sweep(w, days=0.0001)
        assert sorted(w.cloud.deleted) == [refs[0], refs[2]]
        w.cloud.refusals.clear()
        await sweep(w)
        assert sorted(w.cloud.deleted) == refs


async def test_a_signed_out_icloud_pauses_the_stage_and_nothing_is_held(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        await signed_out(w, ref)
        await sweep(w)
        assert w.down == ["icloud"]
        assert (await w.standing(asset, AT)).mark in {"ready", "waiting"}
        w.down.clear()
        await sweep(w)
        assert w.cloud.deleted == [ref]


async def test_a_photo_that_is_no_photo_of_icloud_is_nobodys_business(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        asset = await w.drop("a.HEIC", "heic at=0")
        await w.run()
        assert State.DELETED in await w.states(asset)
        assert not w.cloud.calls
        assert isinstance(await w.rule(delete.STAGE, asset), Done)


# -- stories -----------------------------------------------------------------------------------------

PEOPLE: dict[str, Spoil] = {f.__name__: f for f in [
    heart, hide, edit, edit_and_hear, take_out, lose, rot, phone_lost, twin, unarm, red_test, vanish, drop_album,
]}  # fmt: skip
MEND = "mend"
STEPS = st.one_of(
    st.sampled_from(sorted(PEOPLE)),
    st.sampled_from(["sweep", "day", "restart", "cut", "fault", "conflict", MEND]),
)


async def tell(w: World, ref: CloudRef, steps: list[str]) -> None:
    """Whatever happens in whatever order: at every deletion, everything held that must hold."""
    proofs: list[str] = []
    plain = w.cloud.delete

    async def checked(items: Any) -> Any:
        for item, tag in items:
            remote = w.cloud.remote(item)
            record = await album(w)
            proofs.append(item.record)
            assert w.settings.safety.armed
            test = await w.journal.selftest()
            assert test is not None
            assert test.ok
            assert remote.change_tag == tag
            assert (remote.is_favourite, remote.is_hidden, remote.is_deleted) == (False,) * 3
            assert f"{item.record}-IN-{record}" in w.cloud.inside
            kept = {fingerprint_of(c) for c in w.files.under(Site.ARCHIVE).values()}
            assert {f.fingerprint for f in remote.files} <= kept
            row = await w.row(item)
            assert row.marked_at is not None
            assert w.clock.now() - row.marked_at >= 2 * DAY_S * 1000
        return await plain(items)

    w.cloud.delete = checked  # type: ignore[method-assign]
    for step in steps:
        if step in PEOPLE:
            with contextlib.suppress(KeyError):  # what is gone already cannot be taken out
                await PEOPLE[step](w, ref)
        else:
            await happen(w, ref, step)
    assert len(w.cloud.deleted) <= 1


async def happen(w: World, ref: CloudRef, step: str) -> None:
    if step == MEND:
        w.configure("safety", armed=True)
        await self_tested(w)
        if ref in w.cloud.held:
            w.cloud.set(ref, favourite=False, hidden=False)
            w.cloud.put_in(await album(w), ref)
        w.files.drop(Site.ARCHIVE, KEY.key, b"heic at=0 IMG_1.HEIC")
        await w.journal.retry(None, ["held", "failed"])
    elif step == "day":
        w.clock.advance(DAY_S)
    elif step == "fault":
        w.cloud.fail("lookup", Retryable("slow", code="icloud.busy", after_s=1.0))
        w.cloud.fail("delete", Retryable("slow", code="icloud.busy", after_s=1.0))
    elif step == "conflict" and ref in w.cloud.held:
        w.cloud.set(ref)
    elif step == "cut":
        w.cloud.power = Power(cut_at=1)
    with contextlib.suppress(Killed):
        await w.run(delete.STAGE, patience_s=DAY_S / 4)
    w.cloud.power = Power()
    w.down.clear()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=14))
def test_no_story_ends_with_a_photo_deleted_without_every_proof(steps: list[str]) -> None:
    async def story() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with cloudy(Path(folder)) as w:
                ref, _ = await in_album(w)
                await tell(w, ref, steps)

    anyio.run(story)


async def test_the_story_of_a_day_like_any_other_does_delete(tmp_path: Path) -> None:
    """So that the stories above are about something."""
    async with cloudy(tmp_path) as w:
        ref, _ = await in_album(w)
        await tell(w, ref, ["heart", "day", "day", "day", "sweep", MEND, "day", "day"])
        assert w.cloud.deleted == [ref]
        assert Resource.ORIGINAL in {f.resource for f in w.cloud.remote(ref).files}
