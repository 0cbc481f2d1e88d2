"""
Smaller videos.

`render_video` codes the picture track again, with the same frames, times, pixels and colours, and grafts it into the
original film; whether that may replace anything is for video_gates to say. The source is only read. Programs run with
limits (workers), with `-f mov` forced and no protocol but files, so that text in a video's clothes reaches no playlist
reader.
"""

import errno
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

from mediad.adapters import mov_graft, video_hardware, video_target
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.errnos import faults_of, translate
from mediad.adapters.video_coder import (
    FAMILIES,
    Coder,
    before_input,
    coding,
    may_use_hardware,
    software,
)
from mediad.adapters.video_gates import Making, limits_for
from mediad.adapters.video_probe import Probe, probe, run
from mediad.adapters.video_rules import WHY, suits_recipe
from mediad.adapters.video_sight import decoded, looking, sight_in
from mediad.adapters.video_tool import FFMPEG, STRICT, uncut, untimed
from mediad.adapters.workers import Finished, Limits
from mediad.errors import MediadError, NeedsOperator, Refused
from mediad.model import Site
from mediad.ports import Recipe


def render_video(source: Path, target: Path, recipe: Recipe, limits: Limits) -> Making:
    """
    Write `target` (new, fsynced), or raise and leave nothing.

    `recipe.encoder` is libx265, libx264 or libsvtav1, with "/preset" when not the usual one. Refused(compress.*) says
    that this video is better left as it is; Retryable and NeedsOperator are about the machine, not about the video.
    """
    with faults_of(Site.SPOOL, source.name):
        seen = probe(source, limits)
        coder = software(recipe.encoder)
        if coder is None:
            raise _no_encoder(recipe.encoder.partition("/")[0])
        _check_suits(seen, recipe)
        if recipe.hardware != "off" and may_use_hardware(seen):
            coder = video_hardware.best(coder, recipe.hardware, limits)
        return _render(source, target, seen, recipe, (coder, limits_for(seen, source, limits)))


def _render(
    source: Path, target: Path, seen: Probe, recipe: Recipe, means: tuple[Coder, Limits]
) -> Making:
    coder, limits = means
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".video-") as name:
        folder = Path(name)
        crf, searched = video_target.rate_factor(source, seen, recipe, coder, limits)
        encoded = folder / "picture.mov"
        done = _encoded(source, encoded, seen, (coder, crf), limits)
        if done.returncode and coder.is_hardware:  # busy, or not up to this film
            coder = replace(software(recipe.encoder) or coder, note=f"{coder.name} gave up on it")
            done = _encoded(source, encoded, seen, (coder, crf), limits)
        sight = sight_in(folder, done.stderr)
        if done.returncode or sight is None or not encoded.exists():
            raise _failure(done, source, seen, limits)
        _graft(source, encoded, target, dolby_vision=recipe.dolby_vision)
    figures: dict[str, object] = {"encoder": coder.name, **searched}
    if coder.note:
        figures["hardware"] = coder.note
    return Making(seen, sight, figures)


def _encoded(
    source: Path, encoded: Path, seen: Probe, how: tuple[Coder, float], limits: Limits
) -> Finished:
    """The source is decoded once: for the coder, and for those who will compare what the coder made of it."""
    coder, crf = how
    if coder.is_hardware:
        limits = replace(
            limits, memory_bytes=max(limits.memory_bytes, FAMILIES[coder.family].memory_bytes)
        )
    seconds = max(seen.duration_s, 0.1)
    command = [
        *(*FFMPEG, *before_input(coder), *STRICT, "-threads", "1"),
        *(*uncut(), "-i", str(source.absolute())),
        *("-map", "0:v:0", "-an", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"),
        *(*untimed(), *coding(coder, seen, crf, int(source.stat().st_size * 8 / seconds))),
        str(encoded),
        *looking(seen, encoded.parent),
    ]
    return run(command, limits, encoded.parent)


def _check_suits(seen: Probe, recipe: Recipe) -> None:
    code = suits_recipe(seen, recipe)
    if code:
        detail = f" ({seen.flaw})" if code == "compress.structure" else ""
        raise Refused(
            f"the video is left as it is: {WHY[code]}{detail}",
            code=code,
            remedy="nothing needs to be done: the original is kept whole",
        )


def _no_encoder(encoder: str) -> NeedsOperator:
    return NeedsOperator(
        f"ffmpeg has no video encoder {encoder!r}; videos wait",
        code="compress.encoder",
        remedy="choose another compress.video.codec, or install a full ffmpeg",
    )


def _failure(done: Finished, source: Path, seen: Probe, limits: Limits) -> MediadError:
    """Which of the three was it: the machine, the coder, or the source?"""
    if "No space left" in done.stderr:
        return translate(OSError(errno.ENOSPC, ""), Site.SPOOL, source.name)
    if "Unknown encoder" in done.stderr:
        return _no_encoder(done.stderr.partition("'")[2].partition("'")[0])
    if done.returncode == -signal.SIGXCPU:
        code, what = "compress.timeout", "coding the video took too long"
    elif done.returncode == -signal.SIGXFSZ or "File too large" in done.stderr:
        code, what = "compress.bigger", "the video would become larger"
    elif decoded(source, seen, limits) is None:
        code, what = "compress.source_damaged", "the picture track is damaged"
    else:
        code, what = "compress.encoder_failed", "the coder gave up on the video"
    return Refused(
        f"{what}; the original is kept as it is",
        code=code,
        remedy="play it: if it is broken, look for a better copy at its source"
        if code == "compress.source_damaged"
        else "nothing needs to be done: the original is kept whole",
    )


def _graft(source: Path, encoded: Path, target: Path, *, dolby_vision: bool) -> None:
    try:
        mov_graft.graft(source, encoded, target, dolby_vision=dolby_vision)
    except NotUnderstood as error:
        raise Refused(
            f"the smaller picture does not fit the original film ({error}); the original is kept as it is",
            code="compress.structure",
            remedy="nothing needs to be done: the original is kept whole",
        ) from error
