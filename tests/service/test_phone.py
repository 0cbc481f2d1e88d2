"""Guards what is told of the way over the phone: batches, the truth ladder, Syncthing's set-up, and Google Photos."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from mediad.config import Settings
from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.journal import Park
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Evidence,
    Kind,
    Original,
    OriginalId,
    Place,
    Placement,
    Role,
    Rung,
    Site,
    SiteKey,
    Witness,
)
from mediad.policy.problems import Problem
from mediad.ports import PhoneLink
from mediad.service.ladder import phone_doc, sentences
from mediad.state import Lane, State
from mediad.testing.files import digest_of
from mediad.testing.phone import MemoryPhone
from tests.service.phone_lane import URL, go, sent, taken, whole, witnessed
from tests.service.world import World, a_world

S = State
ONE = BatchId(1)


async def test_a_batch_lists_each_file_with_what_the_manifest_needs(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one")
        await sent(w, "b.jpg", b"other")
        doc = await w.service.phone.batches.one(ONE)
    assert (doc["name"], doc["state"], doc["bytes"]) == ("batch-000001", "on-its-way", 8)
    assert doc["counts"] == {"on-its-way": 2}
    file = doc["files"][0]
    assert (file["asset"], file["key"], file["size"]) == (asset, "a.jpg", 3)
    assert file["blake3"] == digest_of(b"one")
    assert file["path"] == str(tmp_path / "pixel_sync" / "a.jpg")
    assert file["rung"] == "indexed"


@pytest.mark.parametrize(
    ("then", "state"),
    [
        (S.BATCHED, "batched"),
        (S.PLACED, "on-its-way"),
        (S.ON_PHONE, "verified"),
        (S.RELEASED, "released"),
    ],
)
async def test_a_batch_says_how_far_it_is(tmp_path: Path, then: State, state: str) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "a.jpg", b"one", then=then)
        assert (await w.service.phone.batches.one(ONE))["state"] == state


async def test_a_batch_counts_what_the_phone_has_of_it(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        late = await sent(w, "b.jpg", b"other", then=S.PLACED)
        why = "b.jpg: the phone has not announced it yet"
        await w.journal.park([Park(late, Lane.PHONE, "waiting", w.clock.now() + 1000, why)])
        doc = await w.service.phone.batches.one(ONE)
    assert (doc["state"], doc["reason"]) == ("on-its-way", f"1 of 2 files are on the phone; {why}")


async def test_what_was_put_past_the_phone_is_never_called_verified(tmp_path: Path) -> None:
    """Skipped by a person, or the phone switched off on the way: the lane goes on, and nobody saw it there."""
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.PLACED)
        await go(w, asset, S.PLACED, "verify", S.ON_PHONE, Evidence("off by configuration", 1))
        past_verify = await w.service.phone.batches.one(ONE)
        await go(w, asset, S.ON_PHONE, "release", S.RELEASED, Evidence("off by configuration", 1))
        past_release = await w.service.phone.batches.one(ONE)
    for doc in (past_verify, past_release):
        assert (doc["state"], doc["files"][0]["rung"]) == ("left-out", "indexed")
        assert doc["counts"] == {"left-out": 1}


async def test_a_verified_batch_needs_no_reason_though_its_files_wait_to_leave(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        park = Park(asset, Lane.PHONE, "waiting", w.clock.now() + 1000, "the phone still has it")
        await w.journal.park([park])
        doc = await w.service.phone.batches.one(ONE)
    assert (doc["state"], doc["reason"]) == ("verified", "")
    assert doc["files"][0]["why"] == "the phone still has it"


@pytest.mark.parametrize(
    ("mark", "code", "state"),
    [
        ("failed", "io.error", "failed"),
        ("held", "phone.names_taken", "held"),
        ("retry", "io.busy", "waiting"),
        ("waiting", "phone.stuck", "stuck"),
        ("waiting", "", "on-its-way"),
    ],
)
async def test_a_file_that_does_not_get_on_says_why(
    tmp_path: Path, mark: str, code: str, state: str
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one")
        await sent(w, "b.jpg", b"two", then=S.ON_PHONE)
        due = w.clock.now() + 1000
        park = Park(asset, Lane.PHONE, mark, due, "the reason", code, "the remedy")
        await w.journal.park([park])
        doc = await w.service.phone.batches.one(ONE)
    assert doc["state"] == state
    count = "1 of 2 files are on the phone; " if state == "on-its-way" else ""
    assert doc["reason"] == f"{count}the reason"
    assert doc["counts"] == {state: 1, "verified": 1}
    assert [f["remedy"] for f in doc["files"]] == ["the remedy", ""]


@pytest.mark.parametrize("subject", ["syncthing", "pixel", "phone"])
async def test_while_a_part_is_down_its_files_wait_with_that_problem(
    tmp_path: Path, subject: str
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "a.jpg", b"one")
        await sent(w, "b.jpg", b"two", then=S.ON_PHONE)
        w.problems.report(Problem(f"{subject}.down", "it is away", 1, "fetch it", subject))
        doc = await w.service.phone.batches.one(ONE)
        w.problems.clear(subject)
        after = await w.service.phone.batches.one(ONE)
    assert (doc["state"], doc["reason"]) == ("waiting", "it is away")
    assert doc["counts"] == {"waiting": 1, "verified": 1}
    assert (after["state"], after["reason"]) == ("on-its-way", "1 of 2 files are on the phone")


async def test_pages_of_batches_lead_to_the_first(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        for n in range(1, 6):
            await sent(w, f"{n}.jpg", b"%d" % n, batch=n)
        seen: list[int] = []
        before: BatchId | None = None
        while True:
            page = await w.service.phone.batches.page(before, 2)
            seen += [b["id"] for b in page["batches"]]
            if page["cursor"] is None:
                break
            before = BatchId(int(page["cursor"]))
    assert seen == [5, 4, 3, 2, 1]


async def test_a_closed_door_is_told_of_and_keeps_no_run_open(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL) as w:
        w.dropped = ["a.jpg"]
        number = await w.service.run(None)
        with anyio.fail_after(10):
            await w.until_run_is_over()
        [run] = await w.service.runs()
        [batch] = [s for s in await w.service.stages() if s["name"] == "batch"]
    assert (run["id"], run["state"], run["counts"]["arrived"]) == (number, "finished", 1)
    assert (batch["state"], batch["ready"]) == ("on", 1)
    assert batch["why"] == "another batch is on its way"


async def test_a_batch_that_nobody_made_is_unknown(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        with pytest.raises(Refused) as refused:
            await w.service.phone.batches.refresh(BatchId(7))
    assert refused.value.code == "batch.unknown"


async def test_the_manifest_is_compared_with_the_disk(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "good.jpg", b"good")
        await sent(w, "bad.jpg", b"bad")
        await sent(w, "lost.jpg", b"lost", then=S.ON_PHONE)
        await sent(w, "away.jpg", b"away", then=S.RELEASED)
        assert not (before := await w.service.phone.batches.check(ONE))["differing"]
        w.files.drop(Site.PHONE, "bad.jpg", b"b4d")
        del w.files.files[Place(Site.PHONE, SiteKey("lost.jpg"))]
        report = await w.service.phone.batches.check(ONE)
    assert (before["ok"], before["checked"], before["gone"]) == (True, 3, ["away.jpg"])
    assert not report["ok"]
    assert [d["key"] for d in report["differing"]] == ["bad.jpg"]
    assert [d["key"] for d in report["missing"]] == ["lost.jpg"]
    assert report["bytes"] == 4


async def test_refreshing_says_what_is_missing_and_tries_again_what_was_given_up(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        w.phone.fetches = False
        late, given_up = await sent(w, "late.jpg", b"late"), await sent(w, "no.jpg", b"no")
        await sent(w, "there.jpg", b"there")
        await sent(w, "freed.jpg", b"freed")
        w.phone.fetch("there.jpg", "freed.jpg")
        w.phone.delete("freed.jpg")
        due = w.clock.now() + 3_600_000
        await w.journal.park(
            [
                Park(late, Lane.PHONE, "waiting", due, "not yet"),
                Park(given_up, Lane.PHONE, "failed", None, "gave up", "io.error"),
            ]
        )
        w.phone.scanned.clear()
        doc = await w.service.phone.batches.refresh(ONE)
    assert (doc["retried"], doc["roused"], doc["scanned"]) == (1, 1, 4)
    [keys] = w.phone.scanned
    assert set(keys) == {"late.jpg", "no.jpg", "there.jpg", "freed.jpg"}
    assert {(m["key"], m["truth"]) for m in doc["missing"]} == {
        ("late.jpg", "on its way to the phone"),
        ("no.jpg", "on its way to the phone"),
    }
    assert all(m["why"] for m in doc["missing"])
    assert doc["error"] is None


async def test_refreshing_without_syncthing_says_so_and_that_all_may_be_missing(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "a.jpg", b"one")
        w.phone.faults = Retryable("it is away", code="syncthing.unreachable", remedy="start it")
        doc = await w.service.phone.batches.refresh(ONE)
    assert doc["error"] == {"code": "syncthing.unreachable", "message": "it is away", "remedy": "start it"}  # fmt: skip
    assert [m["why"] for m in doc["missing"]] == ["it is away"]
    assert doc["scanned"] == 0


# -- the truth ladder -------------------------------------------------------------------------------


async def test_an_asset_tells_the_rung_it_stands_on_and_never_more(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one")
        indexed = (await w.service.explain(str(asset)))["phone"]
        await witnessed(w, asset, Rung.PHONE_HAS, how="availability")
        there = "\n".join((await w.service.explain(str(asset)))["story"])
        await witnessed(w, asset, Rung.PHONE_FREED)
        doc = await w.service.explain(str(asset))
        [line] = (await w.service.assets(stage="", state="", since=None, cursor=None, limit=9))[
            "assets"
        ]
    assert (indexed["rung"], indexed["batch"], indexed["key"]) == ("indexed", 1, "a.jpg")
    assert indexed["version"]
    assert indexed["google"] == "not proven"
    assert doc["phone"]["rung"] == line["phone"] == "phone-freed"
    assert [x["rung"] for x in doc["phone"]["witnesses"]] == ["indexed", "phone-has", "phone-freed"]
    assert "the phone has these bytes, seen" in there
    story = "\n".join(doc["story"])
    assert "the phone had these bytes, seen" in story
    assert "the phone has removed its copy since" in story
    assert "Google Photos: not proven" in story


def test_a_motion_photo_stands_for_both_halves_and_says_that_it_is_neither() -> None:
    key, small = SiteKey("IMG_1.MP.HEIC"), digest_of(b"both")
    originals = tuple(
        Original(OriginalId(n), role, name, SiteKey(name), SiteKey(name), 5, 1, digest_of(name.encode()))
        for n, role, name in (
            (1, Role.PRIMARY, "IMG_1.HEIC"), (2, Role.LIVE_VIDEO, "IMG_1.MOV"),
        )
    )  # fmt: skip
    both = Placement(OriginalId(1), ONE, key, small, 9, 1, "A:1", film=OriginalId(2))
    has = Witness(OriginalId(1), Rung.PHONE_HAS, 7, "availability")
    asset = Asset(
        AssetId(1), "IMG_1.HEIC", Kind.LIVE_PHOTO, "folder", 1, originals,
        placements=(both,), witnesses=(has,),
    )  # fmt: skip
    doc = phone_doc(asset, Settings(root=Path("/nowhere")))
    assert (doc["rung"], doc["key"]) == ("phone-has", key)
    assert [(f["original"], f["film"], f["blake3"]) for f in doc["files"]] == [(1, 2, small)]
    story = "\n".join(sentences(asset))
    assert "IMG_1.MP.HEIC is one motion photo made of IMG_1.HEIC and IMG_1.MOV" in story
    assert "neither original went as it is" in story
    assert "Google Photos: not proven" in story


async def test_what_never_went_to_the_phone_is_not_said_to_be_anywhere(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        doc = await w.service.explain(str(await taken(w, "a.jpg", b"one")))
    assert doc["phone"] == {
        "rung": None, "batch": None, "key": None, "version": None, "files": [], "witnesses": [], "google": "not proven",
    }  # fmt: skip
    assert "Google" not in "\n".join(doc["story"])


async def test_a_witness_is_a_row_of_the_history_that_moves_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one")
        before = (await w.service.asset(asset))["position"]
        await witnessed(w, asset, Rung.PHONE_FREED)
        doc = await w.service.asset(asset)
    assert doc["position"] == before
    row = doc["history"][-1]
    assert (row["stage"], row["from"], row["to"]) == ("witness", None, None)


# -- diagnostics and set-up -------------------------------------------------------------------------


async def test_a_lane_that_is_off_says_how_to_switch_it_on(tmp_path: Path) -> None:
    async with a_world(tmp_path, is_working=False) as w:
        doc = await w.service.phone.diagnostics()
        assert await w.service.phone.findings() == []
        for order in (w.service.phone.set_up(is_order=True, probe=False), w.service.phone.rescan()):
            with pytest.raises(Refused, match=r"no \[syncthing\] url"):
                await order
        links = (await w.service.status())["links"]
    assert (doc["state"], doc["ok"]) == ("off", False)
    assert "mediactl config set syncthing.url" in doc["findings"][0]["remedy"]
    assert links["pixel"] == {"state": "off", "detail": "no [syncthing] url"}


async def test_all_is_well_where_all_is_well(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "a.jpg", b"one")
        doc = await w.service.phone.diagnostics()
        codes = [f["code"] for f in (await w.service.doctor())["findings"]]
    assert (doc["state"], doc["ok"], doc["findings"]) == ("up", True, [])
    assert doc["syncthing"] == "v1.19.2"
    assert doc["folder"] is not None
    assert doc["folder"]["type"] == "sendonly"
    assert doc["phone"] is not None
    assert doc["phone"]["is_connected"]
    assert doc["phone"]["since"]
    assert doc["pending"] == {"placed": 1}
    assert "syncthing.sound" in codes


async def test_a_phone_that_is_away_is_told_of_and_no_fault(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        w.phone.go_offline()
        unseen = await w.service.phone.diagnostics()
        w.problems.report(Problem("pixel.offline", "offline since noon", 1, "wake it", "pixel"))
        doc = await w.service.phone.diagnostics()
        link = (await w.service.status())["links"]["pixel"]
    assert [(f["code"], f["level"]) for f in unseen["findings"]] == [("pixel.offline", "warning")]
    assert [f["message"] for f in doc["findings"]] == ["offline since noon"]
    assert doc["ok"]
    assert link == {"state": "down", "detail": "offline since noon"}


async def test_while_syncthing_is_down_nothing_is_said_of_the_phone(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        w.problems.report(Problem("syncthing.unreachable", "gone", 1, "start it", "syncthing"))
        links = (await w.service.status())["links"]
    assert links["syncthing"]["state"] == "down"
    assert links["pixel"]["state"] == "down"
    assert "only one who could tell" in links["pixel"]["detail"]


def _broken(w: World) -> Mapping[str, Any]:
    """Nine ways to be set up wrongly, each by the code of its finding."""
    folder = w.phone.folder
    return {
        "syncthing.folder_type": {"folder": replace(folder, type="sendreceive")},
        "syncthing.folder_path": {"folder": replace(folder, path="/elsewhere")},
        "syncthing.folder_paused": {"folder": replace(folder, is_paused=True, state="")},
        "syncthing.not_shared": {"folder": replace(folder, devices=())},
        "syncthing.encrypted": {"folder": replace(folder, encrypted_for=(w.phone.device,))},
        "syncthing.ignores": {"folder": replace(folder, ignores=("*.mov",))},
        "syncthing.marker_missing": {"folder": replace(folder, error="folder marker missing")},
        "syncthing.device_paused": {"is_device_paused": True},
        "syncthing.bad_key": {
            "faults": NeedsOperator(
                "the key is wrong", code="syncthing.bad_key", remedy="copy it anew", site="syncthing"
            )
        },
    }  # fmt: skip


@pytest.mark.parametrize("number", range(9))
async def test_each_broken_set_up_is_a_finding_of_its_own_with_its_remedy(
    tmp_path: Path, number: int
) -> None:
    named = {"MEDIAD_SYNCTHING__FOLDER_ID": "pixel-photos"}
    async with a_world(tmp_path, {**URL, **named}, is_working=False) as w:
        code, broken = list(_broken(w).items())[number]
        for name, value in broken.items():
            setattr(w.phone, name, value)
        doc = await w.service.phone.diagnostics()
        doctor = await w.service.doctor()
    [found] = [f for f in doc["findings"] if f["code"] == code]
    assert found["level"] == "fault"
    assert found["remedy"]
    assert (doc["state"], doc["ok"]) == ("down", False)
    assert code in [f["code"] for f in doctor["findings"]]
    assert not doctor["ok"]


class Lost(MemoryPhone):
    """Syncthing answers, and has no such folder."""

    async def link(self) -> PhoneLink:
        raise NeedsOperator("no such folder", code="syncthing.folder_missing", site="syncthing")


async def test_a_fault_is_one_finding_however_many_meet_it(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        w.phone = Lost(w.files, w.clock, folder=replace(w.phone.folder, id=""))
        w.problems.report(Problem("syncthing.folder_missing", "gone", 1, "make it", "syncthing"))
        doc = await w.service.phone.diagnostics()
        doctor = await w.service.doctor()
    for findings in (doc["findings"], doctor["findings"]):
        assert [f["code"] for f in findings].count("syncthing.folder_missing") == 1


async def test_what_has_been_put_right_is_no_finding_though_the_watch_has_not_seen_it_yet(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        for code in ("syncthing.ignores", "syncthing.unknown_to_lint"):
            w.problems.report(Problem(code, "it was so", 1, "mend it", "syncthing"))
        doc = await w.service.phone.diagnostics()
    assert [f["code"] for f in doc["findings"]] == ["syncthing.unknown_to_lint"]


async def test_no_key_is_ever_told(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        assert "secret-key" not in str(await w.service.phone.diagnostics())


async def test_the_set_up_is_shown_first_and_changed_only_as_it_was_shown(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        w.phone.folder = replace(w.phone.folder, type="sendreceive", ignores=("*.mov",))
        shown = await w.service.phone.set_up(is_order=False, probe=True)
        assert w.phone.folder.type == "sendreceive"
        assert not shown["applied"]
        assert [(c["key"] or c["subject"], c["now"]) for c in shown["changes"]] == [
            ("type", "sendreceive"),
            ("ignores", ["*.mov"]),
        ]
        assert shown["probe"] is not None
        assert shown["probe"]["answer"] == "not asked"
        w.phone.folder = replace(w.phone.folder, ignores=())
        with pytest.raises(Refused) as refused:
            await w.service.phone.set_up(is_order=True, probe=False, shown=shown["seal"])
        assert refused.value.code == "syncthing.setup_changed"
        assert w.phone.folder.type == "sendreceive"
        done = await w.service.phone.set_up(is_order=True, probe=True)
        again = await w.service.phone.set_up(is_order=True, probe=False)
    assert (done["applied"], done["left"]) == (True, [])
    assert (again["applied"], again["changes"]) == (False, [])
    assert "Ignore Delete" in again["ask"]


@pytest.mark.parametrize(
    ("keeps", "fetches", "answer"),
    [(True, True, "honoured"), (False, True, "deletes"), (True, False, "no answer")],
)
async def test_a_probe_says_what_the_phone_did(
    tmp_path: Path, *, keeps: bool, fetches: bool, answer: str
) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        w.phone.keeps_what_is_removed, w.phone.fetches = keeps, fetches
        doc = await w.service.phone.set_up(is_order=False, probe=True)
    assert doc["probe"] is not None
    assert doc["probe"]["answer"] == answer


async def test_a_rescan_is_of_the_whole_folder(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await w.service.phone.rescan()
        assert w.phone.scanned == [()]


# -- Google Photos ----------------------------------------------------------------------------------


async def test_a_persons_word_is_kept_with_the_name_and_the_reason(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        first = await w.service.phone.google.confirm([asset], "Ada", "seen there")
        again = await w.service.phone.google.confirm([asset], "Ada", "seen there")
        doc = await w.service.explain(str(asset))
    assert (first["confirmed"], first["files"], first["already"]) == ([asset], 1, 0)
    assert (again["confirmed"], again["files"], again["already"]) == ([], 0, 1)
    assert doc["phone"]["rung"] == "google-has"
    assert doc["phone"]["google"].startswith("proven by the word of Ada")
    assert any("Google Photos: proven by the word of Ada" in line for line in doc["story"])


async def test_a_word_without_a_name_or_for_what_was_never_sent_is_refused(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        never = await taken(w, "b.jpg", b"two")
        for assets, who, why, code in (
            ([asset], " ", "why", "google.nobody"),
            ([asset], "Ada", "", "google.nobody"),
            ([asset, never], "Ada", "why", "google.never_sent"),
            ([asset, AssetId(99)], "Ada", "why", "asset.unknown"),
        ):
            with pytest.raises(Refused) as refused:
                await w.service.phone.google.confirm(assets, who, why)
            assert refused.value.code == code
        assert (await w.service.explain(str(asset)))["phone"]["google"] == "not proven"


def _entry(content: bytes, **said: object) -> dict[str, object]:
    return {"name": "x.jpg", "size": len(content), "blake3": digest_of(content), **said}


async def test_a_takeout_proves_what_has_our_bytes_whatever_its_name(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        entries = [_entry(b"one"), _entry(b"strange"), _entry(b"one", name="again.jpg")]
        report = await w.service.phone.google.take("takeout", "t.zip", entries)
        second = await w.service.phone.google.take("takeout", "t.zip", entries)
        doc = await w.service.asset(asset)
    assert (report["matched"], report["already"], report["unknown"]) == (1, 1, 1)
    assert report["assets"] == [asset]
    assert (second["matched"], second["already"], second["unknown"]) == (0, 2, 1)
    assert doc["phone"]["google"].startswith("proven by the Takeout export t.zip")
    assert sum(row["stage"] == "witness" for row in doc["history"]) == 1


async def test_a_name_or_a_size_or_half_a_digest_proves_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        entries = [
            {"name": "a.jpg", "size": 3, "state": "google-has"},
            {"name": "a.jpg", "size": 3, "state": "google-has", "sha1": "0" * 40},
            _entry(b"one", state="google-has", blake3="abc"),
            _entry(b"one", state="google-has", blake3=7),
            _entry(b"one", state="uploading"),
            _entry(b"one", state=["google-has"]),
            _entry(b"one", state="google-has", at="yesterday"),
        ]
        report = await w.service.phone.google.take("evidence-file", "list", entries)
        doc = await w.service.asset(asset)
    assert (report["matched"], len(report["refused"])) == (0, len(entries))
    assert all(r["why"] for r in report["refused"])
    assert doc["phone"]["google"] == "not proven"


async def test_what_the_phone_hashed_is_not_what_google_has(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        unsent = await taken(w, "b.jpg", b"two")
        entries = [_entry(b"one", state="phone-hash", at=5), _entry(b"two", state="phone-hash")]
        report = await w.service.phone.google.take("helper", "phone-hash.jsonl", entries)
        doc = await w.service.asset(asset)
        other = await whole(w, unsent)
    assert (report["matched"], report["unknown"]) == (1, 1)
    assert (doc["phone"]["rung"], doc["phone"]["google"]) == ("phone-hash", "not proven")
    assert doc["phone"]["witnesses"][0]["at"] == "1970-01-01T00:00:00.005Z"
    assert other.witnesses == ()


async def test_a_time_to_come_is_no_time_that_anything_was_seen(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        asset = await sent(w, "a.jpg", b"one", then=S.ON_PHONE)
        entry = _entry(b"one", state="google-has", at="2999-01-01T00:00:00Z")
        await w.service.phone.google.take("evidence-file", "list", [entry])
        [seen] = [x for x in (await whole(w, asset)).witnesses if x.rung is Rung.GOOGLE_HAS]
    assert seen.at == w.clock.now()


async def test_what_was_sent_under_a_name_can_be_read_where_its_copies_are(tmp_path: Path) -> None:
    async with a_world(tmp_path, URL, is_working=False) as w:
        await sent(w, "a.jpg", b"one")
        found = await w.service.phone.google.candidates(["/sdcard/DCIM/a.jpg", "nosuch.jpg", "..", ""])  # fmt: skip
    [candidate] = found
    assert candidate["name"] == "/sdcard/DCIM/a.jpg"
    assert candidate["blake3"] == digest_of(b"one")
    assert candidate["rungs"] == ["indexed"]
