"""The ffmpeg of this machine: which version, what it has, and the words that versions disagree about."""

import re
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Final

from mediad.adapters.video_probe import run
from mediad.adapters.workers import Limits

FFMPEG: Final = ("ffmpeg", "-hide_banner", "-y", "-v", "error", "-nostdin")
STRICT: Final = ("-xerror", "-err_detect", "explode", "-f", "mov", "-protocol_whitelist", "file")

_NEWEST: Final = (99, 0)  # what is built from the sources of the day has no number
_WITH_NAMES: Final = (7, 0)  # of time bases
_WITH_CROPPING: Final = (7, 1)


def version() -> tuple[int, int]:
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", _said("-version"))
    return (int(found.group(1)), int(found.group(2))) if found else _NEWEST


def untimed() -> tuple[str, ...]:
    """Frames keep the times they have."""
    base = "demux" if version() >= _WITH_NAMES else "-1"
    return "-fps_mode", "passthrough", "-enc_time_base", base


def uncut() -> tuple[str, ...]:
    """Of an input: all of each frame as it is coded, not turned, and every frame whatever the edit list says."""
    cropping = ("-apply_cropping", "codec") if version() >= _WITH_CROPPING else ()
    return "-noautorotate", *cropping, "-ignore_editlist", "1"


def encoders() -> frozenset[str]:
    return _names("-encoders")


def filters() -> frozenset[str]:
    return _names("-filters")


def _names(question: str) -> frozenset[str]:
    """Each row of a list: flags, name, what it is."""
    rows = (line.split(maxsplit=2) for line in _said(question).splitlines())
    return frozenset(row[1] for row in rows if len(row) == 3)  # noqa: PLR2004 - those three


def _said(question: str) -> str:
    program = shutil.which("ffmpeg")
    return _asked(program, Path(program).stat().st_mtime_ns, question) if program else ""


@lru_cache(maxsize=16)
def _asked(program: str, _changed_at: int, question: str) -> str:
    """Once for each ffmpeg: an upgrade is noticed."""
    done = run([program, "-hide_banner", question], Limits(cpu_s=30, wall_s=60))
    return done.stdout.decode("utf-8", "replace")
