"""Live Photos to a real phone's Syncthing as motion photos: one file there, two originals here, told as such."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.phone import phoned
from tests.acceptance.pictures import jpeg, movie
from tests.acceptance.whole import hashes, sha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MOVING: dict[str, Any] = {
    "MEDIAD_PHONE__LIVE_PAIRS": "motion-photo",
    "MEDIAD_PHONE__RELEASE": "freed",
}


def shoot(folder: Path, name: str, seed: int, *, trailer: bytes = b"") -> tuple[Path, Path]:
    still = jpeg(folder / f"{name}.JPG", seed)
    still.write_bytes(still.read_bytes() + trailer)
    return still, movie(folder / f"{name}.MOV", seed)


def test_live_photos_go_as_one_file_or_as_two_and_stay_two_here(tmp_path: Path) -> None:
    good = shoot(tmp_path / "source", "IMG_1", 1)
    odd = shoot(tmp_path / "source", "IMG_2", 2, trailer=b"what looks for its place from the end")
    film = good[1].read_bytes()
    originals = sorted(sha(p) for p in (*good, *odd))
    with phoned(tmp_path, **MOVING) as w:
        with w.running():
            w.ctl("add", str(tmp_path / "source"))
            w.until_verified(2)
            w.until(lambda: w.stage("archive")["done"] == 2)
            moving, plain = w.explain("IMG_1.JPG"), w.explain("IMG_2.JPG")
            story = w.ctl("explain", "IMG_1.JPG").stdout
        there = w.pair.pixel.folder
        assert sorted(w.on_phone()) == ["IMG_1.MP.JPG", "IMG_2.JPG", "IMG_2.MOV"]
        assert (there / "IMG_1.MP.JPG").read_bytes().endswith(film)
        assert _said(there / "IMG_1.MP.JPG") == {
            "Length": len(film), "Mime": "video/quicktime", "Padding": 0, "Semantic": "MotionPhoto",
        }  # fmt: skip
        assert sorted(hashes(w.archive)) == originals
        assert sorted(hashes(w.library)) == originals
        assert not list((w.root / "processing" / "renditions").iterdir())
    assert moving["phone"]["rung"] == plain["phone"]["rung"] == "phone-has"
    assert "phone" not in {c["site"] for c in moving["copies"]}
    assert "phone" in {c["site"] for c in plain["copies"]}
    assert "IMG_1.MP.JPG is one motion photo made of IMG_1.JPG and IMG_1.MOV" in story
    [refused] = [h["evidence"] for h in plain["history"] if h["stage"] == "batch"]
    assert refused["code"] == "motion.not_understood"


def _said(path: Path) -> dict[str, Any]:
    """What exiftool reads of the film."""
    words = ["exiftool", "-j", "-n", "-struct", "-XMP:Directory", str(path)]
    [said] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    found: dict[str, Any] = said["Directory"][-1]["Item"]
    return found
