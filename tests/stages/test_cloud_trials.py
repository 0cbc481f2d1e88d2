"""Guards iCloud's photos on the bad days: a journal from yesterday, a sign-out in the middle, a clock that is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediad.errors import NeedsOperator
from mediad.journal import backup
from mediad.model import CloudRef, Place, Site, SiteKey
from mediad.stages import delete, mark, upload
from mediad.state import State
from tests.stages.clouds import (
    ARMED,
    DAY_S,
    TO_ALBUM,
    album,
    at_home,
    cloudy,
    cooled,
    in_album,
    self_tested,
    sweep,
)
from tests.stages.world import World, world

SIGNED_OUT = NeedsOperator("sign in", code="icloud.signed_out", site="icloud")


async def many(w: World, count: int) -> list[CloudRef]:
    refs = [w.cloud.take(f"{n}.HEIC", f"heic at=0 {n}".encode()) for n in range(count)]
    for ref in refs:
        await w.bring(ref)
    await w.run(*TO_ALBUM)
    w.clock.advance(2 * DAY_S + 60)
    return refs


def move_in(w: World, old: World) -> None:
    """The journal is another one; the folders, the phone and iCloud are what they were."""
    w.clock.at = old.clock.at
    w.files, w.phone, w.cloud = old.files, old.phone, old.cloud
    w.files.clock = w.phone.clock = w.cloud.clock = w.clock


async def test_yesterdays_journal_deletes_nothing_by_what_was_true_then(tmp_path: Path) -> None:
    """It was deleted since, and the person has brought it back: of that a restored journal knows nothing."""
    saved = tmp_path / "saved.db"
    async with cloudy(tmp_path) as old:
        ref, asset = await cooled(old)
        await old.journal.backup(saved)
        await sweep(old)
        assert old.cloud.deleted == [ref]
        old.cloud.set(ref, deleted=False)
    async with world(tmp_path / "fresh", **ARMED) as fresh:
        clock = fresh.clock
    backup.restore(saved, tmp_path / "journal.db", clock)
    async with world(tmp_path, **ARMED) as w:
        move_in(w, old)
        await sweep(w, days=3)
        assert w.cloud.deleted == [ref]
        found = await w.standing(asset, State.MARKED)
        assert found.code == "safety.disarmed"
        assert "never been run" in found.why
        await self_tested(w)
        await sweep(w, days=1.5)
        assert w.cloud.deleted == [ref], "its days in the album begin anew"
        w.cloud.take_out(await album(w), ref)
        await sweep(w, days=9)
        assert w.cloud.deleted == [ref]


async def test_a_sign_out_in_the_middle_of_a_deletion_deletes_nothing_twice(tmp_path: Path) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0}) as w:
        refs = await many(w, 40)
        deleting, calls = w.cloud.delete, 0

        async def signs_out(items: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                w.cloud.fail("delete", SIGNED_OUT)
            return await deleting(items)

        w.cloud.delete = signs_out  # type: ignore[method-assign]
        await sweep(w)
        assert set(w.down) == {"icloud"}
        assert len(w.cloud.deleted) == 25
        w.down.clear()
        await sweep(w)
        assert sorted(w.cloud.deleted) == sorted(refs)


@pytest.mark.parametrize("days", [1, -1])
async def test_a_clock_that_is_a_day_off_marks_and_deletes_nothing(
    tmp_path: Path, days: int
) -> None:
    async with cloudy(tmp_path) as w:
        ref, asset = await cooled(w)
        _, later = await at_home(w, "IMG_2.HEIC")
        w.clock.at += days * 86_400_000
        w.cloud.ahead = days * 86_400_000
        await self_tested(w)
        await w.journal.retry(None, ["waiting", "ready"])
        await w.run(upload.STAGE, mark.STAGE, delete.STAGE, patience_s=3600)
        assert w.cloud.deleted == []
        assert (await w.standing(later, State.UPLOADED)).code == "icloud.clock"
        w.clock.at -= days * 86_400_000
        w.cloud.ahead = 0
        await self_tested(w)
        await w.journal.retry(None, ["waiting", "ready"])
        await sweep(w, days=0.5)
        assert w.cloud.deleted == [ref], "it goes on alone"
        assert State.DELETED in await w.states(asset)


async def test_an_album_with_another_name_is_the_same_album(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, _ = await cooled(w)
        record = await album(w)
        w.cloud.albums[record] = replace(w.cloud.albums[record], name="To be deleted")
        await in_album(w, "IMG_2.HEIC")
        assert len(w.cloud.albums) == 1
        await sweep(w)
        assert w.cloud.deleted[0] == ref


async def test_an_archive_that_is_unplugged_meanwhile_is_waited_for(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, _ = await cooled(w)
        gone = NeedsOperator("not mounted", code="archive.unmounted", site="archive")
        w.files.faults[Site.ARCHIVE] = gone
        await sweep(w, days=3)
        assert w.cloud.calls["delete"] == 0
        assert "archive" in w.down
        w.files.faults.clear()
        w.down.clear()
        await sweep(w)
        assert w.cloud.deleted == [ref]


@pytest.mark.parametrize(
    "rule",
    [{"albums": ("Trip",)}, {"favourites_only": True}, {"days": 1.0}, {"zones": ("Shared",)}],
)
async def test_filters_decide_what_is_fetched_and_not_what_leaves(
    tmp_path: Path, rule: dict[str, Any]
) -> None:
    """A filter by age would else keep for ever what it let through; to keep a photo it is taken out of the album."""
    async with cloudy(tmp_path) as w:
        ref, _ = await cooled(w)
        kept, _ = await cooled(w, "IMG_2.HEIC")
        w.configure("icloud", **rule)
        w.cloud.take_out(await album(w), kept)
        await sweep(w)
        assert w.cloud.deleted == [ref]


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_five_hundred_go_once_each_and_never_more_than_a_handful_at_a_time(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path, delete={"percent_per_day": 100.0, "per_day": 10_000}) as w:
        refs = await many(w, 500)
        lost = Place(Site.ARCHIVE, SiteKey(next(iter(w.files.under(Site.ARCHIVE)))))
        del w.files.files[lost]
        w.cloud.calls.clear()
        await sweep(w)
        assert len(w.cloud.deleted) == len(set(w.cloud.deleted)) == len(refs) - 1
        assert w.cloud.calls["delete"] <= len(refs) // 25 + 5
