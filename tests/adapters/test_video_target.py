"""Guards the search for a rate factor: it ends, in time, at the largest that is good enough."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mediad.adapters import video_score, video_target
from mediad.adapters.video import render_video
from mediad.adapters.video_gates import judge_video
from mediad.adapters.workers import Limits
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters.films import film
from tests.adapters.poisoned import poisoned

LIMITS = Limits()
RECIPE = Recipe(
    "x", Media.MOV, crf=24, encoder="libx265/ultrafast", target=40.0, metric="xpsnr", search_s=120
)

# XPSNR played by PSNR, which every ffmpeg can tell: what is guarded here is the search, not the metric.
XPSNR = r"""
if argv[-1] == "-filters":
    print(" T. xpsnr             VV->V      Calculate the extended perceptually weighted PSNR.")
    sys.exit(0)
if any("xpsnr" in word for word in argv):
    import subprocess, re
    done = subprocess.run([REAL, *[w.replace("xpsnr", "psnr") for w in argv]], capture_output=True)
    said = re.search(rb"PSNR y:([\d.]+|inf)", done.stderr)
    os.write(2, b"[Parsed_xpsnr_2] XPSNR  y: " + said.group(1) + b"  u: 1  v: 1\n")
    sys.exit(done.returncode)
"""


@pytest.mark.parametrize(
    ("last_good", "found"), [(24, 24), (27, 27), (30, 30), (18, 18), (50, 30), (3, 18)]
)
def test_the_largest_that_is_good_enough_is_found_in_few_steps(last_good: int, found: int) -> None:
    asked: list[int] = []

    def score(crf: int) -> float:
        asked.append(crf)
        return 100.0 if crf <= last_good else 0.0

    assert video_target.searched(score, 24, 95.0) == found
    assert len(asked) <= 4


def test_when_time_is_up_there_is_no_answer() -> None:
    assert video_target.searched(lambda _: None, 24, 95.0) is None


@pytest.mark.crash
@pytest.mark.timeout(300)
def test_a_film_is_coded_with_the_rate_factor_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, XPSNR)
    clip = film(tmp_path / "clip.mov")
    found = []
    for target in (30.0, 38.0):
        recipe, made = replace(RECIPE, target=target), tmp_path / f"{target:g}.mov"
        making = render_video(clip, made, recipe, LIMITS)
        assert making.figures["search"] == "done"
        judged = judge_video(clip, made, recipe, LIMITS, making)
        assert judged.figures is not None
        found.append(judged.figures["crf"])
    assert isinstance(found[0], int)
    assert isinstance(found[1], int)
    assert found[0] > found[1]


def test_a_search_that_takes_too_long_takes_the_tier_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, XPSNR)
    making = render_video(
        film(tmp_path / "clip.mov"), tmp_path / "new.mov", replace(RECIPE, search_s=0.0), LIMITS
    )
    assert making.figures == {"encoder": "libx265", "search": "time was up", "crf_tried": []}


@pytest.mark.parametrize(
    ("file", "why"),
    [(".made.mov", "a sample could not be coded"), ("0.17.mov", "no sample could be cut out")],
)
def test_where_samples_fail_the_whole_is_coded_with_the_tier_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, why: str
) -> None:
    """A disk that is full for a moment must not leave the film as it is for good."""
    fails = f"if argv[-1].endswith({file!r}): sys.exit(1)\n"
    poisoned(tmp_path / "bin", monkeypatch, fails + XPSNR)
    making = render_video(film(tmp_path / "clip.mov"), tmp_path / "new.mov", RECIPE, LIMITS)
    assert making.figures == {"encoder": "libx265", "search": why}


def test_without_a_metric_the_tier_s_own_is_taken_and_the_reason_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, "if argv[-1] == '-filters': sys.exit(0)")
    making = render_video(film(tmp_path / "clip.mov"), tmp_path / "new.mov", RECIPE, LIMITS)
    assert making.figures["search"] == "this ffmpeg cannot tell xpsnr"


@pytest.mark.parametrize("metric", ["vmaf", "xpsnr"])
def test_the_true_metric_is_read_where_this_ffmpeg_has_it(metric: str, tmp_path: Path) -> None:
    if not video_score.has(metric):
        pytest.skip(f"this ffmpeg has no {metric}: the figure itself is not tried here")
    clip = film(tmp_path / "clip.mov")
    program = shutil.which("ffmpeg")
    assert program is not None
    poor = tmp_path / "poor.mov"
    subprocess.run(
        [
            program,
            "-v",
            "error",
            "-noautorotate",
            "-i",
            clip,
            "-an",
            "-c:v",
            "libx264",
            "-crf",
            "40",
            poor,
        ],
        check=True,
    )
    name = {"vmaf": "vmaf", "xpsnr": "xpsnr_db"}[metric]
    plain = ("-noautorotate", "-i")
    same = video_score.compared((*plain, str(clip), *plain, str(clip)), LIMITS)[name]
    less = video_score.compared((*plain, str(poor), *plain, str(clip)), LIMITS)[name]
    assert same > 90
    assert less < same - 10
