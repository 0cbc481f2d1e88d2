"""The phone lane whole: the real daemon, two real Syncthing nodes, and everything that can happen to a phone."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.phone import Phoned, away, back, free_space, phoned
from tests.acceptance.pictures import jpeg, movie
from tests.acceptance.whole import hashes, sha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def drop(folder: Path, count: int, first: int = 0) -> dict[str, str]:
    """So many pictures; their hashes by name."""
    made = [jpeg(folder / f"IMG_{n:04}.JPG", n) for n in range(first, first + count)]
    return {p.name: sha(p) for p in made}


def test_23_files_go_in_batches_of_five_and_a_phone_that_is_away_is_waited_for(
    tmp_path: Path,
) -> None:
    with phoned(tmp_path) as w:
        originals = drop(tmp_path / "source", 23)
        mtimes = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "source").iterdir()}
        with w.running():
            w.ctl("add", str(tmp_path / "source"))
            w.until_verified(5)
            away(w.pair.pixel)
            w.until(lambda: w.pixel_link() == "down")
            assert w.problems() == ["pixel.offline"]
            back(w.pair, w.pair.pixel)
            w.until_verified(23)
            w.until(lambda: not w.problems())
            assert [len(b["files"]) for b in w.batches()] == [5, 5, 5, 5, 3]
            assert w.status()["assets"]["failed"] == w.status()["assets"]["held"] == 0
            told = w.explain("IMG_0007.JPG")
        assert w.on_phone() == originals
        there = {p.name: p.stat().st_mtime_ns for p in w.pair.pixel.folder.glob("*.JPG")}
        assert there == mtimes
        assert "phone" in {c["site"] for c in told["copies"]}
        assert told["phone"]["rung"] == "phone-has"
        assert "not proven" in told["phone"]["google"]


def _until_moved(w: Phoned, steps: int) -> None:
    w.until(lambda: sum(w.stage(s)["done"] for s in ("batch", "place", "verify")) > steps)


@pytest.mark.loss("DL4")
def test_what_the_phone_deletes_is_known_and_deletes_nothing_here(tmp_path: Path) -> None:
    with phoned(tmp_path, MEDIAD_PHONE__BATCH_FILES="500") as w:
        originals = drop(w.incoming, 200)
        with w.running():
            w.until_verified(200)
            before = hashes(w.archive), hashes(w.library)
            assert free_space(w.pair) == 200
            w.until(lambda: w.stage("release")["done"] == 200)
            assert (hashes(w.archive), hashes(w.library)) == before
            assert Counter(originals.values()) == Counter(hashes(w.archive))
            assert w.problems() == []
            told = w.explain("IMG_0100.JPG")
        assert told["phone"]["rung"] == "phone-freed"
        assert "not proven" in told["phone"]["google"]
        assert not list(w.shared.glob("*.JPG"))


@pytest.mark.loss("DL3")
def test_a_folder_of_the_wrong_type_gets_nothing_until_it_is_mended(tmp_path: Path) -> None:
    with phoned(tmp_path, pair={"host_type": "sendreceive"}) as w:
        drop(w.incoming, 3)
        with w.running():
            w.until(lambda: w.stage("archive")["done"] == 3)
            assert w.stage("place")["done"] == 0
            assert not list(w.shared.glob("*.JPG"))
            [problem] = w.status()["problems"]
            assert problem["code"].startswith("syncthing.")
            assert "send" in problem["message"]
            assert w.ctl("syncthing", check=False).returncode == 1
            w.ctl("syncthing", "setup", "--yes")
            w.until_verified(3)
            assert w.problems() == []
            assert w.ctl("syncthing").returncode == 0


def test_while_mediad_was_away_the_phone_took_freed_and_restarted(tmp_path: Path) -> None:
    """Nothing in memory matters: what happened meanwhile is seen by looking."""
    with phoned(tmp_path) as w:
        drop(w.incoming, 5)
        away(w.pair.pixel)
        with w.running():
            w.until(lambda: w.stage("place")["done"] == 5)
        back(w.pair, w.pair.pixel)
        asyncio.run(w.pair.wait_in_sync())
        freed = min(w.pair.pixel.folder.glob("*.JPG"))
        freed.unlink()
        asyncio.run(w.pair.pixel.scan())
        asyncio.run(w.pair.wait_in_sync(nothing_needed=False))
        for node in w.pair.nodes:
            asyncio.run(node.restart())
        asyncio.run(w.pair.wait_connected())
        with w.running():
            w.until_verified(5)
            w.until(lambda: w.stage("release")["done"] == 1)
            rung = {n: w.explain(n)["phone"]["rung"] for n in (freed.name, "IMG_0004.JPG")}
        assert rung == {freed.name: "phone-freed", "IMG_0004.JPG": "phone-has"}


def test_kills_of_everybody_at_any_step_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    with phoned(tmp_path) as w:
        originals = drop(w.incoming, 20)
        movie(w.incoming / "clip.MOV")
        originals["clip.MOV"] = sha(w.incoming / "clip.MOV")
        for round_ in range(9):
            daemon = w.start()
            w.until(lambda: w.ctl("status", check=False).returncode == 0)
            _until_moved(w, 2 * round_)
            if round_ % 3 == 1:
                w.pair.host.kill()
                asyncio.run(w.pair.host.start())
            if round_ % 3 == 2:
                w.pair.pixel.kill()
                asyncio.run(w.pair.pixel.start())
            daemon.kill()
            daemon.wait()
            asyncio.run(w.pair.wait_connected())
        with w.running():
            w.until_verified(21)
            assert w.ctl("wait", "--idle", "--timeout", "60").returncode == 0
            placed = [f for b in w.batches() for f in b["files"]]
        assert w.on_phone() == originals
        assert len(placed) == len({f["key"] for f in placed}) == 21
        assert sorted(originals.values()) == hashes(w.archive)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("vault", {}),
        ("relay", {}),
        ("backup", {}),
        ("bridge", {}),
        ("sorter", {}),
        ("vault", {"MEDIAD_ARCHIVE__ENABLED": "false", "MEDIAD_COMPRESS__ENABLED": "false"}),
    ],
    ids=["vault", "relay", "backup", "bridge", "sorter", "pixel-only"],
)
def test_every_way_of_working_ends_with_the_phone_in_it(
    tmp_path: Path, preset: str, settings: dict[str, Any]
) -> None:
    with phoned(tmp_path, MEDIAD_WORKFLOW__PRESET=preset, **settings) as w:
        originals = drop(w.incoming, 6)
        with w.running():
            w.until_verified(6)
            assert w.ctl("wait", "--idle", "--timeout", "60").returncode == 0
            assert w.positions("library") == {"sorted": 6}
            has_archive = w.stage("archive")["state"] == "on"
            assert w.stage("archive")["done"] == (6 if has_archive else 0)
            assert w.problems() == []
        if has_archive:
            assert sorted(originals.values()) == hashes(w.archive)
        if preset == "bridge":
            renditions = set(hashes(w.library))
            assert set(w.on_phone().values()) <= renditions | set(originals.values())
        else:
            assert w.on_phone() == originals


def test_once_carries_a_whole_drop_to_the_phone(tmp_path: Path) -> None:
    with phoned(tmp_path) as w:
        originals = drop(w.incoming, 12)
        assert w.once().returncode == 0
        assert w.on_phone() == originals
