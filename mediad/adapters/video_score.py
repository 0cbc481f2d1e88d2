"""
How much a picture lost: SSIM always; VMAF and XPSNR, which people agree with more, where this ffmpeg has them.

SSIM says little across films (the same figure is good for one and poor for another), so its floor is a gross one.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mediad.adapters.video_probe import Probe, run
from mediad.adapters.video_tool import filters
from mediad.adapters.workers import Limits

METRICS: Final = {"vmaf": "libvmaf", "xpsnr": "xpsnr"}  # to the name of ffmpeg's filter

# By rate factor, the floors of the usual tiers: light, medium, heavy.
_TIERS: Final = (24, 26)
_FLOORS: Final[Mapping[str, tuple[float, float, float]]] = {
    "ssim_db": (9.0, 8.5, 8.0),
    "vmaf": (80.0, 75.0, 70.0),
    "xpsnr_db": (29.0, 28.0, 27.0),
}
_RAW: Final = ("ffmpeg", "-hide_banner", "-v", "info", "-nostdin")
_XPSNR: Final = re.compile(r"XPSNR.*?y: *([\d.]+|inf)")
_BEST_DB: Final = 99.0


def scores(old: Path, new: Path, seen: Probe, limits: Limits) -> dict[str, float]:
    """Of decoded frames, one behind the other in two files. Empty where ffmpeg could not say."""
    pixels = seen.pixel_format.replace("yuvj", "yuv")
    size = f"{seen.width}x{seen.height}"
    shape = ("-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", "30")
    inputs = (*shape, "-i", str(new.absolute()), *shape, "-i", str(old.absolute()))
    return compared(inputs, limits)


def compared(inputs: tuple[str, ...], limits: Limits, begin: str = "") -> dict[str, float]:
    """
    Of the pictures of two inputs of ffmpeg, the candidate's first.

    `begin` is what a filter has to do to each before they can be compared.
    """
    with tempfile.TemporaryDirectory(prefix="mediad-score-", dir=limits.scratch) as name:
        folder = Path(name)
        found = {"ssim_db": _ssim(inputs, begin, folder, limits)}
        if has("vmaf"):
            found["vmaf"] = _vmaf(inputs, begin, folder, limits)
        if has("xpsnr"):
            found["xpsnr_db"] = _xpsnr(inputs, begin, folder, limits)
        return {name: score for name, score in found.items() if score is not None}


def below_floor(found: Mapping[str, float], crf: int) -> str:
    """The objection, "" when none. VMAF decides where it is known, then XPSNR, then SSIM."""
    tier = sum(crf > most for most in _TIERS)
    for name in ("vmaf", "xpsnr_db", "ssim_db"):
        if name in found:
            least = _FLOORS[name][tier]
            is_low = found[name] < least
            return f"it lost too much ({name} {found[name]:g}, least {least:g})" if is_low else ""
    return "its quality could not be measured"


def has(metric: str) -> bool:
    """Can this machine's ffmpeg tell it?"""
    return METRICS[metric] in filters()


def _asked(
    inputs: tuple[str, ...], begin: str, filtering: str, folder: Path, limits: Limits
) -> str | None:
    each = begin or "null"
    graph = f"[0:v]{each}[a];[1:v]{each}[b];[a][b]{filtering}"
    done = run([*_RAW, *inputs, "-lavfi", graph, "-f", "null", "-"], limits, folder)
    return None if done.returncode else done.stderr


def _ssim(inputs: tuple[str, ...], begin: str, folder: Path, limits: Limits) -> float | None:
    """Of the luma, in dB: 10 is 0.90, 20 is 0.99."""
    said = _asked(inputs, begin, "ssim", folder, limits)
    found = re.search(r"SSIM Y:[\d.]+ \(([\d.]+|inf)\)", said or "")
    return _decibels(found.group(1)) if found else None


def _vmaf(inputs: tuple[str, ...], begin: str, folder: Path, limits: Limits) -> float | None:
    said = _asked(inputs, begin, "libvmaf=log_fmt=json:log_path=vmaf", folder, limits)
    if said is None:
        return None
    pooled = json.loads((folder / "vmaf").read_text())["pooled_metrics"]["vmaf"]["mean"]
    return round(float(pooled), 2)


def _xpsnr(inputs: tuple[str, ...], begin: str, folder: Path, limits: Limits) -> float | None:
    found = _XPSNR.search(_asked(inputs, begin, "xpsnr", folder, limits) or "")
    return _decibels(found.group(1)) if found else None


def _decibels(text: str) -> float:
    return _BEST_DB if text == "inf" else round(float(text), 2)
