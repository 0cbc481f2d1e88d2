"""
The rate factor that just reaches a score: searched on three short samples, within a time.

Without VMAF or XPSNR in this machine's ffmpeg, or when time is up, the recipe's own rate factor is taken.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import structlog

from mediad.adapters import video_score
from mediad.adapters.searching import coarsest
from mediad.adapters.video_coder import Coder, before_input, coding
from mediad.adapters.video_probe import Probe, run
from mediad.adapters.video_tool import FFMPEG, STRICT, uncut, untimed
from mediad.adapters.workers import Limits
from mediad.ports import Recipe

_PLACES: Final = (1 / 6, 1 / 2, 5 / 6)
_SAMPLE_S: Final = 2.0
_REACH: Final = 6  # so far from the recipe's own rate factor, either way
_SCORE: Final = {"vmaf": "vmaf", "xpsnr": "xpsnr_db"}
_BITRATE: Final = 0  # only coders that take a rate factor are asked

log = structlog.get_logger()


def rate_factor(
    source: Path, seen: Probe, recipe: Recipe, coder: Coder, limits: Limits
) -> tuple[float, dict[str, object]]:
    """The rate factor to code with, and figures of the search."""
    if not recipe.target or coder.is_hardware:
        return recipe.crf, {}
    if not video_score.has(recipe.metric):
        _say_once(recipe.metric)
        return recipe.crf, {"search": f"this ffmpeg cannot tell {recipe.metric}"}
    deadline = time.monotonic() + recipe.search_s
    with tempfile.TemporaryDirectory(prefix="mediad-search-", dir=limits.scratch) as name:
        samples = list(_samples(source, seen, Path(name), limits))
        if not samples:
            return recipe.crf, {"search": "no sample could be cut out"}
        tried: dict[int, float] = {}

        def score_at(crf: int) -> float | None:
            if time.monotonic() >= deadline:
                return None
            scores = [_score(sample, seen, (coder, crf), recipe, limits) for sample in samples]
            tried[crf] = min(scores)
            return tried[crf]

        try:
            crf = searched(score_at, recipe.crf, recipe.target)
        except _NotCoded:  # for whatever reason: it is told when the whole is coded
            return recipe.crf, {"search": "a sample could not be coded"}
    figures: dict[str, object] = {
        "search": "done" if crf is not None else "time was up",
        "crf_tried": sorted(tried),
    }
    if crf is None:
        return recipe.crf, figures
    return crf, {**figures, "crf": crf, f"sample_{recipe.metric}": tried.get(crf, 0.0)}


def searched(score_at: Callable[[int], float | None], about: int, target: float) -> int | None:
    """
    The largest rate factor near `about` whose score is not below `target`; the smallest of these when none is.

    None: time was up.
    """
    finest, most = max(0, about - _REACH), about + _REACH

    def is_enough(crf: int) -> bool | None:
        score = score_at(crf)
        return None if score is None else score >= target

    found = coarsest(is_enough, finest, most)
    if not found.is_done:
        return None
    return finest if found.setting is None else found.setting


def _samples(source: Path, seen: Probe, folder: Path, limits: Limits) -> Iterator[Path]:
    """Cut out without coding, each from a sync point on; one for all when the film is hardly longer than they are."""
    is_short = seen.duration_s < len(_PLACES) * _SAMPLE_S * 2
    for place in _PLACES[:1] if is_short else _PLACES:
        start = 0.0 if is_short else seen.duration_s * place
        sample = folder / f"{place:.2f}.mov"
        done = run(
            [
                *(*FFMPEG, "-f", "mov", "-protocol_whitelist", "file", "-ss", f"{start:.3f}"),
                *("-i", str(source.absolute()), "-t", str(_SAMPLE_S), "-map", "0:v:0"),
                *("-c", "copy", "-f", "mov", str(sample)),
            ],
            limits,
        )
        if done.returncode == 0:
            yield sample


def _score(
    sample: Path, seen: Probe, how: tuple[Coder, int], recipe: Recipe, limits: Limits
) -> float:
    coder, crf = how
    made = sample.with_suffix(".made.mov")
    command = [*FFMPEG, *before_input(coder), *STRICT, *uncut(), "-i", str(sample)]
    command += ["-map", "0:v:0", *untimed(), *coding(coder, seen, crf, _BITRATE), str(made)]
    if run(command, limits).returncode:
        raise _NotCoded
    each = (*uncut(), "-f", "mov", "-protocol_whitelist", "file", "-i")
    inputs = (*each, str(made), *each, str(sample))
    found = video_score.compared(inputs, limits, "settb=1/90000,setpts=N*3000")
    return found.get(_SCORE[recipe.metric], 0.0)


class _NotCoded(Exception):
    """A sample, by the coder."""


@lru_cache(maxsize=4)
def _say_once(metric: str) -> None:
    log.info("video.no_metric", metric=metric, instead="the rate factor of the tier")
