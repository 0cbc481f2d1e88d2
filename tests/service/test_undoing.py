"""Guards that what was done at home can be taken back, and the taking back too: bytes, times, places and lanes."""

import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediad.errors import Refused
from mediad.journal import BY_HAND, Step
from mediad.model import AssetId, Evidence, Site
from mediad.service.answers import UndoDoc
from mediad.service.dates import Choice, order_of
from mediad.stages import clean
from mediad.state import State, Transition
from tests.machine.truths import tallies_are_the_rows
from tests.service.care_world import ALL, CHAIN, Care, care

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
LATE = {"clean": {"after_hours": 1_000_000}}


async def undo(c: Care, what: str = "", **more: int) -> UndoDoc:
    doc = await c.desk.undoing.undo(what, run=more.get("run"), row=more.get("row"), is_dry=False)
    await c.w.run(*CHAIN)
    return doc


async def redate(c: Care, asset: AssetId, **said: str) -> int:
    doc = await c.desk.dates.apply(Choice(ids=frozenset({asset})), order_of(dict(said)))
    assert doc["run"] is not None
    assert doc["refused"] == 0, doc["assets"]
    await c.w.run(*CHAIN)
    return doc["run"]


async def test_a_redated_photo_goes_back_to_its_date_and_its_place(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        tree, was = c.tree(), await c.captured(photo)
        await redate(c, photo, to="1994-12-24T18:00:00")
        assert c.library() == ["1994/12/24/IMG_1.HEIC"]
        doc = await undo(c)
        assert (doc["undone"], doc["refused"]) == (1, 0)
        assert (
            "move library/1994/12/24/IMG_1.HEIC -> library/2024/07/14/IMG_1.HEIC"
            in doc["deeds"][0]["will"]
        )
        assert c.tree() == tree
        assert await c.captured(photo) == was


async def test_a_plan_says_what_will_be_done_and_does_nothing(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        await redate(c, photo, to="1994-12-24T18:00:00")
        tree, rows = c.tree(), await c.w.journal.latest_event()
        doc = await c.desk.undoing.undo("", run=None, row=None, is_dry=True)
        assert doc["dry_run"]
        assert doc["deeds"][0]["will"][0] == "its date back to 2024-07-14T18:03:22+02:00"
        assert (c.tree(), await c.w.journal.latest_event()) == (tree, rows)


async def test_an_order_is_taken_back_whole(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photos = [await c.drop(f"IMG_{n}.HEIC", f"heic at=0 n={n}") for n in range(4)]
        await c.w.run(*CHAIN)
        tree = c.tree()
        order = order_of({"shift": "+400d"})
        doc = await c.desk.dates.apply(Choice(ids=frozenset(photos)), order)
        await c.w.run(*CHAIN)
        assert len(c.library()) == 4
        assert all(k.startswith("2025/") for k in c.library())
        done = await undo(c, run=doc["run"] or 0)
        assert (done["undone"], done["refused"]) == (4, 0)
        assert c.tree() == tree


async def test_an_undo_can_be_undone(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        await redate(c, photo, to="1994-12-24T18:00:00")
        tree = c.tree()
        await undo(c)
        row = [r.seq for r in await c.w.journal.history(photo) if r.stage == "rearrange"][-1]
        await undo(c, row=row)
        assert c.tree() == tree
        with pytest.raises(Refused, match="taken back already"):
            await undo(c, row=row)
        assert (await undo(c))["undone"] == 1, "and the deed stands again"


async def test_what_was_cleaned_comes_back_and_goes_again_only_by_order(tmp_path: Path) -> None:
    async with care(tmp_path, clean={"after_hours": 0}) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        tree, position = c.tree(), await c.position(photo)
        await c.w.run(*ALL)
        assert c.tree() != tree
        doc = await undo(c, str(photo))
        assert doc["deeds"][0]["will"][0].startswith("bring back spool/")
        await c.w.run(*ALL)
        assert (c.tree(), await c.position(photo)) == (tree, position)
        row = [r.seq for r in await c.w.journal.history(photo) if r.stage == "undo"][-1]
        await undo(c, row=row)
        await c.w.run(*ALL)
        assert State.CLEANED in await c.position(photo)
        assert c.w.files.under(Site.SPOOL) == {}


async def test_without_a_copy_in_sight_it_is_refused_before_anything_is_changed(
    tmp_path: Path,
) -> None:
    async with care(tmp_path, clean={"after_hours": 0}) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*ALL)
        c.w.files.files.clear()
        rows = await c.w.journal.latest_event()
        doc = await undo(c, str(photo))
        assert (doc["undone"], doc["refused"]) == (0, 1)
        assert "IMG_1.HEIC" in doc["deeds"][0]["why"]
        assert await c.w.journal.latest_event() == rows


async def test_a_skip_is_taken_back_and_the_stage_takes_it_up_again(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN[:2])
        step = Transition(State.ARCHIVE_DUE, "archive", State.ARCHIVED)
        await c.w.journal.record([Step(photo, step, Evidence(BY_HAND, 1, note="no need"))])
        doc = await undo(c)
        assert doc["deeds"][0]["will"] == ["back to archive.due: archive takes it up again"]
        assert len(c.w.files.under(Site.ARCHIVE)) == 1


async def test_a_skip_that_was_taken_back_can_be_skipped_again(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN[:2])
        step = Transition(State.ARCHIVE_DUE, "archive", State.ARCHIVED)
        await c.w.journal.record([Step(photo, step, Evidence(BY_HAND, 1, note="no need"))])
        await c.desk.undoing.undo("", run=None, row=None, is_dry=False)
        row = await c.w.journal.latest_event()
        await undo(c, row=row)
        assert State.ARCHIVED in await c.position(photo)
        assert c.w.files.under(Site.ARCHIVE) == {}


async def test_an_older_change_waits_for_the_newer_to_be_taken_back(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        first = await redate(c, photo, to="1994-12-24T18:00:00")
        await redate(c, photo, to="1995-12-24T18:00:00")
        doc = await undo(c, run=first)
        assert doc["refused"] == 1
        assert "take back row" in doc["deeds"][0]["why"]


async def test_where_nothing_is_left_that_is_said(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        for what in ("", "LAST", str(photo)):
            with pytest.raises(Refused, match="nothing"):
                await undo(c, what)
        with pytest.raises(Refused, match="no run 7"):
            await undo(c, run=7)
        with pytest.raises(Refused, match="no row 777"):
            await undo(c, row=777)


async def test_what_undo_does_not_cover_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Neither a first place in the library, nor what left the folder of the phone because the phone had it."""
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        tree = c.tree()
        rows = {r.stage: r.seq for r in await c.w.journal.history(photo)}
        reasons = {
            "arrive": "first time",
            "hash": "taken in",
            "sort": "no copies",
            "archive": "no copies",
        }
        for stage, reason in reasons.items():
            with pytest.raises(Refused, match=reason) as refusal:
                await undo(c, row=rows[stage])
            assert refusal.value.code == "undo.not_possible"
        assert c.tree() == tree


async def test_nothing_is_overwritten_for_an_undo(tmp_path: Path) -> None:
    async with care(tmp_path, **LATE) as c:
        photo = await c.drop("IMG_1.HEIC", "heic at=0")
        await c.w.run(*CHAIN)
        await redate(c, photo, to="1994-12-24T18:00:00")
        c.w.files.drop(Site.LIBRARY, "2024/07/14/IMG_1.HEIC", b"somebody's")
        await undo(c)
        library = c.w.files.under(Site.LIBRARY)
        assert library["2024/07/14/IMG_1.HEIC"] == b"somebody's"
        assert sorted(library.values()) == [b"heic at=0", b"somebody's"]


WORDS = ("date", "shift", "name", "skip", "clean", "undo")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 1 << 30), words=st.lists(st.sampled_from(WORDS), min_size=3, max_size=12)
)
async def test_any_run_of_orders_taken_back_leaves_everything_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, seed: int, words: list[str]
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    async with care(tmp_path_factory.mktemp("undo"), **LATE) as c:
        photos = [await c.drop(f"d{n % 2}/IMG_{n // 2}.HEIC", f"heic at=0 n={n}") for n in range(5)]
        live = await c.drop("x/IMG_9.HEIC", "heic cid=A at=0")
        await c.drop("x/IMG_9.MOV", "mov cid=A")
        photos.append(live)
        await c.w.run(*CHAIN)
        before = await as_it_is(c, photos)
        for word in words:
            await do(c, word, chance.choice(photos), chance)
        await all_is_taken_back(c)
        assert await as_it_is(c, photos) == before
        for photo in photos:
            await as_the_history_says(c, photo)


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
async def test_five_hundred_orders_taken_back_leave_everything_as_it_was(
    tmp_path: Path, seed: int
) -> None:
    """Bytes, times, places, positions and dates; and a journal that audits, counts and replays to where it stands."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    async with care(tmp_path, **LATE) as c:
        photos = [
            await c.drop(f"d{n % 3}/IMG_{n // 3}.HEIC", f"heic at=0 n={n}") for n in range(12)
        ]
        await c.w.run(*CHAIN)
        before = await as_it_is(c, photos)
        for _ in range(500):
            await do(c, chance.choice(WORDS), chance.choice(photos), chance)
        assert c.tree() != before[0]
        await all_is_taken_back(c)
        assert await as_it_is(c, photos) == before
        for photo in photos:
            await as_the_history_says(c, photo)
        assert (await c.w.journal.audit()).broken_at is None
        with sqlite3.connect(c.w.journal.path) as db:
            tallies_are_the_rows(db)


async def as_it_is(c: Care, photos: list[AssetId]) -> tuple[object, dict[AssetId, object]]:
    """The tree, and where each photo stands and when it was taken."""
    return c.tree(), {p: (await c.position(p), await c.captured(p)) for p in photos}


async def all_is_taken_back(c: Care) -> None:
    while await something_to_undo(c):
        doc = await undo(c)
        assert doc["refused"] == 0, doc["deeds"]


async def something_to_undo(c: Care) -> bool:
    try:
        await c.desk.undoing.undo("", run=None, row=None, is_dry=True)
    except Refused:
        return False
    return True


async def as_the_history_says(c: Care, asset: AssetId) -> None:
    """Played again from its first row, the history leads to what is."""
    found = await c.w.journal.as_of(asset, c.w.clock.now(), c.w.settings.law())
    assert found is not None
    [now] = await c.w.journal.listed([asset])
    then = found[0]
    assert then.position == now.position
    assert set(then.asset.copies) == set(now.asset.copies)
    assert then.asset.captured == now.asset.captured
    assert {o.id: o.digest for o in then.asset.originals} == {
        o.id: o.digest for o in now.asset.originals
    }
    assert (then.asset.kind, then.asset.name) == (now.asset.kind, now.asset.name)


async def do(c: Care, word: str, photo: AssetId, chance: random.Random) -> None:
    match word:
        case "date":
            await redate(c, photo, to=f"20{chance.randrange(10, 24)}-0{chance.randrange(1, 10)}-11")
        case "shift":
            await redate(c, photo, shift=f"-{chance.randrange(1, 900)}h")
        case "name":
            await redate(c, photo, zone="+09:00")
        case "skip":
            back = Transition(State.CLEANABLE, "clean", State.CLEANED)
            if State.CLEANABLE in await c.position(photo):
                await c.w.journal.record([Step(photo, back, Evidence(BY_HAND, 1, note="keep it"))])
        case "clean":
            c.w.configure("clean", after_hours=0)
            await c.w.run(clean.STAGE)
            c.w.configure("clean", after_hours=1_000_000)
        case _:
            try:
                await undo(c)
            except Refused:
                return
