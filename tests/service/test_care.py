"""Guards `verify`, `export` and what is told of the scrub: all named, all have their turn, nothing wrong made right."""

import base64
import hashlib
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.errors import NeedsOperator, Refused
from mediad.journal import Step
from mediad.model import AssetId, Copy, Digest, Evidence, Place, Site, SiteKey
from mediad.policy.scrub import Day, Progress
from mediad.state import State, Transition
from mediad.watchers.scrub import Stands
from tests.service.world import World, a_world

EARNED = Transition(State.ARCHIVE_DUE, "archive", State.ARCHIVED)


async def archived(w: World, name: str, content: bytes) -> tuple[AssetId, Place]:
    await w.service.pause("archive")
    await w.bring(name)
    asset = await w.service.find(name)
    [listed] = await w.journal.listed([asset])
    place = Place(Site.ARCHIVE, SiteKey(f"2024/07/{name}"))
    w.files.drop(Site.ARCHIVE, place.key, content)
    digest = Digest(blake3(content).hexdigest())
    copy = Copy(listed.asset.originals[0].id, place, digest, w.clock.now(), "reread")
    evidence = Evidence("read-back", w.clock.now(), copies=(copy,))
    [outcome] = await w.journal.record([Step(asset, EARNED, evidence)])
    assert not isinstance(outcome, Exception), outcome
    return asset, place


async def test_what_differs_is_named_with_its_asset_and_a_remedy_and_its_gate_closes(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as w:
        rotten, place = await archived(w, "a.jpg", b"one")
        lost, gone = await archived(w, "b.jpg", b"two")
        w.files.drop(Site.ARCHIVE, place.key, b"0ne")
        del w.files.files[gone]
        report = await w.service.care.verify("archive", 100)
        positions = [x.position for x in await w.journal.listed([rotten, lost])]
    [differing], [missing] = report["differing"], report["missing"]
    assert (differing["key"], differing["assets"]) == (place.key, [rotten])
    assert (missing["key"], missing["assets"]) == (gone.key, [lost])
    assert differing["message"]
    assert missing["remedy"]
    assert not report["ok"]
    assert all(State.ARCHIVE_DUE in p for p in positions)


async def test_samples_come_round_to_every_copy(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        for n in range(8):
            await archived(w, f"{n}.jpg", b"%d" % n)
        checked = 0
        for turn in range(4):
            w.clock.chance = turn / 4
            checked += (await w.service.care.verify("archive", 25))["checked"]
    assert checked == 8


async def test_a_slice_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    """Interrupting it is harmless: what was read is read, and nothing else is begun."""
    async with a_world(tmp_path) as w:
        for n in range(40):
            await archived(w, f"{n}.jpg", b"%d" % n)
        checked, cursor, slices = 0, None, 0
        while slices == 0 or cursor:
            part = await w.service.care.verify("archive", 100, cursor, 0)
            assert part["total"] == 40
            checked, cursor, slices = checked + part["checked"], part["cursor"], slices + 1
    assert (checked, slices) == (40, 4)


async def test_an_archive_that_is_away_is_unreadable_and_no_file_in_it_missing(
    tmp_path: Path,
) -> None:
    """DL5."""
    async with a_world(tmp_path) as w:
        asset, _ = await archived(w, "a.jpg", b"one")
        w.files.faults[Site.ARCHIVE] = NeedsOperator(
            "away", code="archive.unmounted", site="archive"
        )
        report = await w.service.care.verify("archive", 100)
        [listed] = await w.journal.listed([asset])
    assert [u["code"] for u in report["unreadable"]] == ["archive.unmounted"]
    assert (report["missing"], report["ok"]) == ([], False)
    assert State.ARCHIVED in listed.position


async def test_a_manifest_holds_what_the_medium_gives_back_and_never_makes_rot_right(
    tmp_path: Path,
) -> None:
    """P15: checked with sha256sum alone, in the folder that it names."""
    async with a_world(tmp_path) as w:
        await archived(w, "good.jpg", b"good")
        _, bad = await archived(w, "bad.jpg", b"bad")
        w.files.drop(Site.ARCHIVE, bad.key, b"rot")
        doc = await w.service.care.export("archive", "sha256")
        plain = await w.service.care.export("archive", "b3")
    lines = base64.b64decode(doc["manifest"]).decode().splitlines()
    assert lines == [f"{hashlib.sha256(b'good').hexdigest()}  2024/07/good.jpg"]
    assert [f["key"] for f in doc["left_out"]] == [bad.key]
    assert doc["folder"] == str(w.settings.folders.nas_archive)
    told = base64.b64decode(plain["manifest"]).decode()
    assert told == f"{blake3(b'good').hexdigest()}  2024/07/good.jpg\n"


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


async def test_a_cursor_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        infinite = cursor_of('["archive", "a.jpg", Infinity]')
        for cursor in ("moon", "W10=", "WyJtb29uIiwgIiIsIDBd", infinite, cursor_of("[" * 100_000)):
            with pytest.raises(Refused) as refused:
                await w.service.care.verify(None, 100, cursor)
            assert refused.value.code == "request.cursor"


async def test_status_tells_how_far_the_scrub_is(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await archived(w, "a.jpg", b"one")
        w.stands = Stands(False, "why", Progress(4, 400, 1, 100, 0), 7)  # noqa: FBT003 - a tuple
        await w.journal.copies_read([], 1, Day(7, 60_000, 300, 3))
        doc = (await w.service.status())["scrub"]
    assert (doc["state"], doc["why"], doc["copies"], doc["share"]) == ("resting", "why", 4, 0.75)
    assert doc["today"] == {"minutes": 1.0, "bytes": 300, "copies": 3}
    assert doc["oldest"] == "1970-01-01T00:00:00Z"
    assert doc["whole_by"] is not None
    assert set(doc["damage"].values()) == {0}
