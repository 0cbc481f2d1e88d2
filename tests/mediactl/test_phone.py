"""Guards `mediactl batches` and `mediactl syncthing`: exit codes to be trusted, and nothing without a yes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mediad.errors import Retryable
from mediad.journal import Park
from mediad.model import Rung, Site
from mediad.policy.problems import Problem
from mediad.state import Lane, State
from tests.mediactl.typed import Terminal, a_terminal, type_in
from tests.service.phone_lane import URL, sent, witnessed

S = State


@asynccontextmanager
async def a_lane(root: Path) -> AsyncIterator[Terminal]:
    async with a_terminal(root, **URL) as terminal:
        yield terminal


async def test_batches_are_a_line_each_and_one_is_a_line_a_file(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        assert "no batch was made yet" in (await t.type("batches")).out
        await sent(t.world, "a.jpg", b"one")
        await sent(t.world, "b.jpg", b"two", then=S.ON_PHONE)
        await sent(t.world, "c.jpg", b"three", batch=2)
        every = await t.type("batches")
        newest = await t.type("batches", "--limit", "1")
        older = await t.type("batches", "--before", "2", "--json")
        one = await t.type("batches", "1")
        named = await t.type("batches", "batch-000001", "--json")
    assert every.code == one.code == named.code == 0
    firsts = [line.split()[0] for line in every.out.splitlines()]
    assert firsts == ["batch", "batch-000002", "batch-000001"]
    assert "1 on-its-way, 1 verified" in every.out
    assert "batch-000001" not in newest.out
    assert [b["id"] for b in older.doc["batches"]] == [1]
    assert [f["key"] for f in named.doc["files"]] == ["a.jpg", "b.jpg"]
    assert {"a.jpg", "on-its-way", "indexed"} <= set(one.out.split())


async def test_a_batch_that_needs_a_person_says_so_with_its_exit_code(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        asset = await sent(t.world, "a.jpg", b"one")
        park = Park(asset, Lane.PHONE, "held", None, "no name is left", "phone.names_taken", "move")
        await t.world.journal.park([park])
        said = await t.type("batches", "1")
    assert said.code == 1
    assert "no name is left" in said.out
    assert "remedy: move" in said.out


async def test_a_waiting_batch_says_what_for(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        await sent(t.world, "a.jpg", b"one")
        away = Problem("pixel.offline", "the phone is offline since noon", 1, "wake it", "pixel")
        t.world.problems.report(away)
        out = (await t.type("batches")).out
        status = (await t.type("status")).out
    assert "waiting" in out
    assert "the phone is offline since noon" in out
    assert "pixel: down (the phone is offline since noon)" in status


async def test_the_manifest_is_checked_against_the_disk(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        await sent(t.world, "a.jpg", b"one")
        good = await t.type("batches", "1", "--manifest")
        t.world.files.drop(Site.PHONE, "a.jpg", b"0ne")
        bad = await t.type("batches", "1", "--manifest")
        doc = (await t.type("batches", "1", "--manifest", "--json")).doc
    assert (good.code, bad.code) == (0, 1)
    assert "1 files read again, 3 B as they were placed" in good.out
    assert "differing: a.jpg (asset 1)" in bad.err
    assert not doc["ok"]


async def test_refresh_says_what_is_missing_and_why(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        t.world.phone.fetches = False
        await sent(t.world, "a.jpg", b"one")
        missing = await t.type("batches", "refresh", "1")
        t.world.phone.fetch()
        there = await t.type("batches", "refresh", "1")
        t.world.phone.faults = Retryable("it is away", code="syncthing.unreachable", remedy="start")
        away = await t.type("batches", "refresh", "1")
    assert (missing.code, there.code, away.code) == (1, 0, 1)
    assert "missing: a.jpg (asset 1): on its way to the phone: " in missing.out
    assert "nothing is missing" in there.out
    assert "Syncthing could not be asked: it is away" in away.err


@pytest.mark.parametrize(
    "words", [("one",), ("1", "2"), ("refresh",), ("refresh", "1", "2"), ("batch-x",)]
)
def test_what_is_no_batch_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert type_in("batches", *words).code == 2


async def test_a_batch_that_nobody_made_is_a_no(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        said = await t.type("batches", "7")
    assert said.code == 1
    assert "there is no batch 7" in said.err


async def test_diagnostics_are_0_when_well_and_1_with_a_finding_when_not(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        well = await t.type("syncthing")
        t.world.phone.folder = replace(t.world.phone.folder, type="sendreceive")
        ill = await t.type("syncthing", "diagnostics")
        doc = (await t.type("syncthing", "--json")).doc
        doctor = await t.type("doctor", "--json")
    assert (well.code, ill.code) == (0, 1)
    assert "connected since" in well.out
    assert "v1.19.2" in well.out
    assert "fault  syncthing.folder_type: " in ill.out
    assert "remedy: " in ill.out
    assert [f["code"] for f in doc["findings"]] == ["syncthing.folder_type"]
    assert "syncthing.folder_type" in {f["code"] for f in doctor.doc["findings"]}
    assert "secret-key" not in well.out + ill.out + str(doc)


async def test_a_lane_that_is_off_says_how_to_switch_it_on(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as t:
        said = await t.type("syncthing")
        refused = await t.type("syncthing", "setup", "--yes")
    assert (said.code, refused.code) == (1, 1)
    assert "Syncthing is off: no [syncthing] url" in said.out
    assert "mediactl config set syncthing.url" in said.out
    assert "mediactl config set syncthing.url" in refused.err


async def test_set_up_without_anybody_to_ask_only_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    async with a_lane(tmp_path) as t:
        t.world.phone.folder = replace(t.world.phone.folder, type="sendreceive")
        said = await t.type("syncthing", "setup")
        assert t.world.phone.folder.type == "sendreceive"
        document = await t.type("syncthing", "setup", "--json")
        assert t.world.phone.folder.type == "sendreceive"
    assert (said.code, document.code) == (1, 1)
    assert 'folder pixel-photos type: "sendreceive" -> "sendonly"' in said.out
    assert "with --yes it is" in said.err
    assert document.doc["changes"][0]["key"] == "type"


@pytest.mark.parametrize(("answer", "becomes"), [("n", "sendreceive"), ("y", "sendonly")])
async def test_set_up_asks_before_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, becomes: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: f"{answer}\n", raising=False)
    async with a_lane(tmp_path) as t:
        t.world.phone.folder = replace(t.world.phone.folder, type="sendreceive")
        said = await t.type("syncthing", "setup")
        assert t.world.phone.folder.type == becomes
    assert said.code == (0 if answer == "y" else 1)
    assert "make 1 changes in Syncthing?" in said.err


async def test_set_up_twice_finds_nothing_to_change_and_asks_for_the_phones_part(
    tmp_path: Path,
) -> None:
    async with a_lane(tmp_path) as t:
        t.world.phone.folder = replace(t.world.phone.folder, ignores=("*.mov",))
        first = await t.type("syncthing", "setup", "--yes")
        again = await t.type("syncthing", "setup", "--yes")
    assert (first.code, again.code) == (0, 0)
    assert "changed" in first.out
    assert "nothing to change" in again.out
    assert "Ignore Delete" in again.out


@pytest.mark.parametrize(
    ("keeps", "fetches", "code", "words"),
    [
        (True, True, 0, "honoured"),
        (False, True, 1, "the phone removed a probe file"),
        (True, False, 1, "no answer"),
    ],
)
async def test_the_probe_says_what_was_seen(
    tmp_path: Path, *, keeps: bool, fetches: bool, code: int, words: str
) -> None:
    async with a_lane(tmp_path) as t:
        t.world.phone.keeps_what_is_removed, t.world.phone.fetches = keeps, fetches
        said = await t.type("syncthing", "setup", "--probe")
        sure = await t.type("syncthing", "setup", "--probe", "--yes", "--json")
    assert (said.code, sure.code) == (code, code)
    assert words in said.out
    assert ("Two things only you can do" in said.out) == (code != 0)
    assert sure.doc["probe"]["answer"]


async def test_a_rescan_is_one_word(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        assert (await t.type("syncthing", "rescan")).code == 0
        assert (await t.type("syncthing", "rescan", "--probe")).code == 2
        assert t.world.phone.scanned == [()]


async def test_explain_and_list_tell_the_rung_and_what_is_not_proven(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as t:
        asset = await sent(t.world, "a.jpg", b"one", then=S.ON_PHONE)
        await witnessed(t.world, asset, Rung.PHONE_FREED)
        story = (await t.type("explain", "a.jpg")).out
        line = (await t.type("list")).out
    assert "the phone had these bytes, seen" in story
    assert "Google Photos: not proven" in story
    assert "- -> -" not in story
    assert "witness" in story
    assert "[phone-freed]" in line
