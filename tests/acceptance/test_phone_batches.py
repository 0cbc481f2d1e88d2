"""Batches with real nodes: their size, their door, their manifest, and every way to be kept waiting and go on."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.phone import Phoned, away, back, phoned
from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import hashes, sha
from tests.syncthing_pair import SyncPair

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

IMPATIENT: dict[str, Any] = {
    "MEDIAD_PHONE__PATIENCE_HOURS": "0.0003",
    "MEDIAD_SYNCTHING__SWEEP_SECONDS": "1",
}


def drop(folder: Path, count: int) -> dict[str, str]:
    made = [jpeg(folder / f"IMG_{n:04}.JPG", n) for n in range(count)]
    return {p.name: sha(p) for p in made}


def states(w: Phoned) -> list[str]:
    return [b["state"] for b in w.batches()]


def sizes(w: Phoned) -> list[int]:
    return [len(b["files"]) for b in w.batches()]


def test_another_size_counts_from_the_next_batch_on_without_a_restart(tmp_path: Path) -> None:
    with phoned(tmp_path) as w:
        away(w.pair.pixel)
        drop(tmp_path / "source", 23)
        with w.running():
            w.ctl("add", str(tmp_path / "source"))
            w.until(lambda: w.stage("place")["done"] == 5)
            w.ctl("config", "set", "phone.batch_files", "10")
            back(w.pair, w.pair.pixel)
            w.until_verified(23)
            assert sizes(w) == [5, 10, 8]


def test_a_second_batch_goes_only_where_several_may(tmp_path: Path) -> None:
    with phoned(tmp_path, MEDIAD_PHONE__BATCH_FILES="4") as w:
        asyncio.run(w.pair.pixel.pause_folder())
        drop(tmp_path / "source", 8)
        with w.running():
            w.ctl("add", str(tmp_path / "source"))
            w.until(lambda: w.stage("place")["done"] == 4)
            w.until(lambda: states(w) == ["on-its-way"])
            assert "batch 1 is on its way" in w.ctl("status").stdout
            w.ctl("config", "set", "phone.allow_parallel", "true")
            w.until(lambda: states(w) == ["on-its-way", "on-its-way"])
            assert sizes(w) == [4, 4]
            asyncio.run(w.pair.pixel.resume_folder())
            w.until(lambda: states(w) == ["verified", "verified"])


def test_the_manifest_still_fits_the_disk_after_a_restart_and_tells_what_does_not(
    tmp_path: Path,
) -> None:
    with phoned(tmp_path) as w:
        originals = drop(w.incoming, 5)
        with w.running():
            w.until_verified(5)
        with w.running():
            [batch] = w.batches()
            assert {f["key"]: sha(Path(f["path"])) for f in batch["files"]} == originals
            assert all(f["size"] == Path(f["path"]).stat().st_size for f in batch["files"])
            assert w.ctl("batches", "1", "--manifest").returncode == 0
            Path(batch["files"][0]["path"]).write_bytes(b"somebody else's")
            Path(batch["files"][1]["path"]).unlink()
            said = w.ctl("batches", "1", "--manifest", check=False)
            assert said.returncode == 1
            assert f"differing: {batch['files'][0]['key']}" in said.stderr
            assert f"missing: {batch['files'][1]['key']}" in said.stderr
        assert sorted(originals.values()) == hashes(w.archive)


Does = Callable[[SyncPair], Coroutine[Any, Any, Any]]
WAYS: dict[str, tuple[Does, Does, str, str]] = {
    "Syncthing down": (
        lambda p: p.host.stop(), lambda p: p.host.start(), "waiting", "syncthing.unreachable",
    ),
    "device paused here": (
        lambda p: p.host.pause_device(), lambda p: p.host.resume_device(), "waiting", "syncthing.device_paused",
    ),
    "folder paused here": (
        lambda p: p.host.pause_folder(), lambda p: p.host.resume_folder(), "waiting", "syncthing.folder_paused",
    ),
    "phone away": (lambda p: p.pixel.stop(), lambda p: p.pixel.start(), "waiting", "pixel.offline"),
    "folder paused there": (
        lambda p: p.pixel.pause_folder(), lambda p: p.pixel.resume_folder(), "stuck", "phone.stuck",
    ),
    "phone's disk full": (
        lambda p: p.pixel.set_folder(minDiskFree={"value": 100, "unit": "%"}),
        lambda p: p.pixel.set_folder(minDiskFree={"value": 0, "unit": "%"}), "stuck", "phone.stuck",
    ),
    "ignored there": (
        lambda p: p.pixel.set_ignores("*.JPG"), lambda p: p.pixel.set_ignores(), "stuck", "phone.stuck",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_what_keeps_a_batch_is_told_with_its_state_and_is_over_by_itself(
    tmp_path: Path, name: str
) -> None:
    breaks, mends, state, code = WAYS[name]
    with phoned(tmp_path, **IMPATIENT) as w:
        asyncio.run(w.pair.pixel.pause_folder())
        with w.running():
            drop(w.incoming, 3)
            w.until(lambda: w.stage("place")["done"] == 3)
            asyncio.run(breaks(w.pair))
            if name != "folder paused there" and w.pair.pixel.is_running:
                asyncio.run(w.pair.pixel.resume_folder())
            w.until(lambda: states(w) == [state] and code in w.problems())
            [batch] = w.batches()
            assert batch["reason"]
            assert {f["code"] for f in batch["files"]} == {code}
            assert all(f["remedy"] for f in batch["files"])
            assert w.stage("verify")["done"] == w.status()["assets"]["failed"] == 0
            asyncio.run(mends(w.pair))
            asyncio.run(w.pair.pixel.resume_folder())
            w.until(lambda: states(w) == ["verified"])
            w.until(lambda: not w.problems())


def test_one_file_that_was_changed_on_the_phone_is_not_taken_for_ours_and_the_others_are(
    tmp_path: Path,
) -> None:
    with phoned(tmp_path) as w:
        originals = drop(w.incoming, 5)
        away(w.pair.pixel)
        with w.running():
            w.until(lambda: w.stage("place")["done"] == 5)
        back(w.pair, w.pair.pixel)
        asyncio.run(w.pair.wait_in_sync())
        (w.pair.pixel.folder / "IMG_0002.JPG").write_bytes(b"damaged")
        asyncio.run(w.pair.pixel.scan())
        asyncio.run(w.pair.wait_in_sync(nothing_needed=False))
        with w.running():
            w.until_verified(4)
            w.until(lambda: w.status()["assets"]["held"] == 1)
            told = w.explain("IMG_0002.JPG")
            assert told["steps"][0]["error"]["code"] == "phone.changed_there"
            assert "phone" not in {c["site"] for c in told["copies"]}
            assert {w.explain(n)["phone"]["rung"] for n in originals if n != "IMG_0002.JPG"} == {
                "phone-has"
            }
        assert sorted(originals.values()) == hashes(w.archive)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_phone_and_archive_go_each_by_itself_and_the_library_waits_for_both(tmp_path: Path) -> None:
    with phoned(tmp_path, MEDIAD_WORKFLOW__PRESET="backup") as w:
        w.archive.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(w.archive)]
        subprocess.run(mount, check=True)
        jpeg(w.incoming / "first.jpg", 99)
        assert w.once().returncode == 0
        kept = tmp_path / "kept"
        shutil.copytree(w.archive, kept)
        subprocess.run(["umount", w.archive], check=True)
        with w.running():
            drop(w.incoming, 3)
            w.until_verified(4)
            assert w.positions("archive") == {"due": 3, "verified": 1}
            assert w.positions("library") == {"-": 3, "sorted": 1}
            subprocess.run(mount, check=True)
            try:
                shutil.copytree(kept, w.archive, dirs_exist_ok=True)
                w.until(lambda: w.positions("library") == {"sorted": 4})
                away(w.pair.pixel)
                jpeg(w.incoming / "last.jpg", 100)
                w.until(lambda: w.positions("archive") == {"verified": 5})
                assert w.positions("library") == {"-": 1, "sorted": 4}
                back(w.pair, w.pair.pixel)
                w.until(lambda: w.positions("library") == {"sorted": 5})
            finally:
                subprocess.run(["umount", "-l", w.archive], check=True)


@pytest.mark.crash
@pytest.mark.timeout(1200)
def test_of_thousands_with_every_fault_all_that_was_placed_is_verified(tmp_path: Path) -> None:
    count = 3000
    many: dict[str, Any] = {
        "MEDIAD_PHONE__BATCH_FILES": "250",
        "MEDIAD_SYNCTHING__SWEEP_SECONDS": "5",
    }
    with phoned(tmp_path, **many) as w:
        originals = drop(w.incoming, count)
        for round_ in range(6):
            daemon = w.start()
            w.until(lambda: w.ctl("status", check=False).returncode == 0)
            aim = w.stage("verify")["done"] + 200
            w.until(lambda aim=aim: w.stage("verify")["done"] >= aim, 300)
            node = w.pair.nodes[round_ % 2]
            node.kill()
            if round_ >= 2:
                daemon.kill()
                daemon.wait()
            asyncio.run(node.start())
            asyncio.run(w.pair.wait_connected())
            daemon.kill()
            daemon.wait()
        with w.running():
            w.until_verified(count, 600)
            placed = [f for b in w.batches() for f in b["files"]]
            assert {f["state"] for f in placed} == {"verified"}
            assert w.problems() == []
        assert len({f["key"] for f in placed}) == len(placed) == count
        assert w.on_phone() == originals
        assert sorted(originals.values()) == hashes(w.archive)
