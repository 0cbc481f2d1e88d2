"""Guards the scores: the same pictures are as good as can be, worse ones are worse, and the floors stop them."""

from pathlib import Path

import pytest

from mediad.adapters.video_probe import Probe
from mediad.adapters.video_score import below_floor, scores
from mediad.adapters.workers import Limits
from tests.adapters.films import ffmpeg

SEEN = Probe(pixel_format="yuv420p", width=192, height=144)


def frames(path: Path, *options: str) -> Path:
    picture = "testsrc2=size=192x144:rate=25:duration=0.4"
    ffmpeg("-f", "lavfi", "-i", picture, *options, "-pix_fmt", "yuv420p", "-f", "rawvideo", path)
    return path


def test_worse_pictures_have_worse_scores(tmp_path: Path) -> None:
    old = frames(tmp_path / "old")
    noisy = frames(tmp_path / "noisy", "-vf", "noise=alls=20:allf=t")
    black = frames(tmp_path / "black", "-vf", "drawbox=color=black:thickness=fill")
    found = [scores(old, new, SEEN, Limits())["ssim_db"] for new in (old, noisy, black)]
    assert found[0] == 99.0
    assert found == sorted(found, reverse=True)
    assert below_floor({"ssim_db": found[0]}, 28) == ""
    assert "ssim_db" in below_floor({"ssim_db": found[2]}, 28)


def test_frames_that_are_no_frames_have_no_score(tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    found = scores(frames(tmp_path / "old"), tmp_path / "none", SEEN, Limits())
    assert below_floor(found, 24)


@pytest.mark.parametrize(
    ("found", "crf", "objection"),
    [
        ({"ssim_db": 8.7}, 24, "it lost too much (ssim_db 8.7"),
        ({"ssim_db": 8.7}, 26, ""),
        ({"ssim_db": 7.9}, 28, "it lost too much"),
        ({"vmaf": 92.0, "ssim_db": 3.0}, 24, ""),
        ({"vmaf": 60.0, "ssim_db": 20.0}, 28, "it lost too much"),
        ({"xpsnr_db": 40.0, "ssim_db": 3.0}, 26, ""),
        ({}, 26, "its quality could not"),
    ],
)
def test_what_people_agree_with_most_decides(
    found: dict[str, float], crf: int, objection: str
) -> None:
    assert below_floor(found, crf).startswith(objection)
    assert bool(objection) == bool(below_floor(found, crf))
