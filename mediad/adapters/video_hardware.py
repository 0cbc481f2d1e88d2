"""
A coder on a chip, if there is one that works: found by ffmpeg's list and device files, believed after a trial.

The trial codes two seconds and looks at every frame that comes out. What fails it is not asked again before mediad
starts anew, and the reason is said in the log, by the doctor, and in the figures of each rendition.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import structlog

from mediad.adapters.video_coder import FAMILIES, Coder, before_input, coding, device_of, hardware
from mediad.adapters.video_probe import probe, run
from mediad.adapters.video_sight import decoded, worst_db
from mediad.adapters.video_tool import FFMPEG, encoders, untimed
from mediad.adapters.workers import Limits
from mediad.errors import MediadError

_TRIAL: Final = "testsrc2=size=640x360:rate=25:duration=2"
_TRIAL_FRAMES: Final = 50
_TRIAL_CRF: Final = 24
_TRIAL_LIMITS: Final = Limits(cpu_s=60, wall_s=60, file_bytes=64 << 20)
_FLOOR_DB: Final = 28.0
_BITRATE: Final = 8_000_000

log = structlog.get_logger()


def best(instead: Coder, wanted: str, limits: Limits) -> Coder:
    """The first hardware coder that works, of all families ("auto") or of one; else `instead`, with the reason."""
    program = shutil.which("ffmpeg")
    if program is None:
        return instead  # whoever uses it will say so
    found, why = _found(
        instead.codec, wanted, program, Path(program).stat().st_mtime_ns, limits.wall_s
    )
    return found or replace(instead, note=why)


def report(codec: str, wanted: str) -> tuple[bool, str]:
    """For the doctor: does hardware code videos here, and with what or why not?"""
    chosen = best(Coder("software", codec), wanted, _TRIAL_LIMITS)
    if chosen.is_hardware:
        return True, f"{chosen.name} on {device_of(chosen.family)} codes videos"
    return False, chosen.note or "ffmpeg is not installed"


@lru_cache(maxsize=16)
def _found(
    codec: str, wanted: str, _program: str, _changed_at: int, patience_s: float
) -> tuple[Coder | None, str]:
    refused: list[str] = []
    limits = replace(_TRIAL_LIMITS, wall_s=min(patience_s, _TRIAL_LIMITS.wall_s))
    for family in FAMILIES if wanted == "auto" else [wanted]:
        coder = hardware(family, codec)
        why = next(_objections(coder, limits), "")
        if not why:
            log.info("video.hardware", encoder=coder.name, device=device_of(family))
            return coder, ""
        refused.append(f"{family}: {why}")
    log.info("video.no_hardware", codec=codec, wanted=wanted, reasons=refused)
    return None, "; ".join(refused)


def _objections(coder: Coder, limits: Limits) -> Iterator[str]:
    if coder.name not in encoders():
        yield f"this ffmpeg has no {coder.name}"
    if not device_of(coder.family):
        yield f"no device {FAMILIES[coder.family].nodes} that may be used"
    try:
        yield from _failed_trial(coder, limits)
    except MediadError as error:  # it hung, or was killed
        yield error.what


def _failed_trial(coder: Coder, limits: Limits) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="mediad-trial-", dir=limits.scratch) as name:
        folder = Path(name)
        clip, made = folder / "clip", folder / "made"
        drawn = (
            "-f",
            "lavfi",
            "-i",
            _TRIAL,
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "mpeg4",
            "-q:v",
            "2",
            "-f",
            "mov",
        )
        if run([*FFMPEG, *drawn, str(clip)], limits, folder).returncode:
            yield "the trial clip could not be made"
        seen = probe(clip, limits)
        more = max(limits.memory_bytes, FAMILIES[coder.family].memory_bytes)
        command = [*FFMPEG, *before_input(coder), "-i", str(clip), "-map", "0:v:0", *untimed()]
        command += [*coding(coder, seen, _TRIAL_CRF, _BITRATE), str(made)]
        done = run(command, replace(limits, memory_bytes=more), folder)
        if done.returncode or not made.exists():
            last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
            yield f"the trial failed ({last[:120]})"
            return
        old, new = decoded(clip, seen, limits), decoded(made, seen, limits)
        if old is None or new is None or len(new.frames) != _TRIAL_FRAMES:
            yield "the trial did not come out whole"
        elif worst_db(old, new) < _FLOOR_DB:
            yield f"the trial shows something else (PSNR {worst_db(old, new)} dB)"
