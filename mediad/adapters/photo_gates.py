"""
The gates that a photo's rendition passes before it may stand in for the original.

They are gross on purpose: not a score of beauty, but proof that it is the same picture, whole. Means over 8 by 8
pixels hardly move in any sane encoding, so one spoilt block shows among millions; sharpness is looked at in samples,
and a coder that kept much less of it than it was asked for is stopped too (photo_score).
"""

import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log10
from typing import Final

from PIL import Image, ImageChops, ImageStat

from mediad.adapters.photo_score import score
from mediad.adapters.photo_target import METRIC, SLACK, Aimed

MAX_PIXELS: Final = 220_000_000
WORST_BLOCK: Final = (
    32  # of 255: the mean of a block of 8 by 8 pixels that moved most; 9 was the worst seen
)
MEAN_BLOCK: Final = 4.0  # likewise, on average over the picture
MIN_PSNR_DB: Final = 18.0  # of the samples; honest renditions of photos reach 28, of pure noise 21

# What decoders throw at those who feed them damage.
DECODER_FAULTS: Final = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
    struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

EIGHTH: Final = 8  # the side of a block
_SAMPLE: Final = 512
_FULL: Final = 255.0

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Failed(Exception):
    """A gate that was not passed."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


@dataclass(frozen=True, slots=True)
class Likeness:
    worst_block: float
    mean_block: float
    psnr_db: float

    def told(self) -> str:
        return (
            f"worst block {self.worst_block:g}, mean {self.mean_block:.2f}, {self.psnr_db:.1f} dB"
        )

    def figures(self) -> Mapping[str, object]:
        return {
            "worst_block": round(self.worst_block, 1),
            "mean_block": round(self.mean_block, 3),
            "psnr_db": round(min(self.psnr_db, 99.0), 2),
        }


def compared(
    source: Image.Image,
    candidate: Image.Image,
    quality: int,
    witness: Image.Image | None = None,
    aimed: Aimed | None = None,
) -> Mapping[str, object]:
    """
    The figures of a rendition that is the same picture (`check_alike`), and good enough.

    For its recipe's quality, or, with `aimed`, for the score that was asked for.
    """
    alike = check_alike(source, candidate, witness)
    if aimed and aimed.pairs:
        return {**alike.figures(), **_reached(aimed)}
    found = score(source, candidate, quality)
    if not found.is_enough:
        raise Failed(
            "compress.score", f"it lost too much (SSIM {found.ssim:g}, least {found.least:g})"
        )
    return {**alike.figures(), "ssim": found.ssim, "ssim_least": found.least}


def _reached(aimed: Aimed) -> Mapping[str, object]:
    found, least = aimed.lowest(), aimed.target - SLACK
    if found < least:
        raise Failed(
            "compress.score",
            f"it does not look as good as asked for ({METRIC} {found:.1f}, least {least:g})",
        )
    return {METRIC: round(found, 2), f"{METRIC}_least": least}


def check_alike(
    source: Image.Image, candidate: Image.Image, witness: Image.Image | None = None
) -> Likeness:
    """
    Raises Failed when it is another picture, a spoilt one, or none.

    `witness` is an eighth of the source by another decoder than the one that gave `source`.
    """
    if source.size != candidate.size:
        raise Failed("compress.dimensions", f"it is {candidate.size} instead of {source.size}")
    if source.mode != candidate.mode:
        raise Failed("compress.dimensions", f"it is {candidate.mode} instead of {source.mode}")
    source, candidate = _opaque(source, candidate)
    small, made = source.reduce(EIGHTH), candidate.reduce(EIGHTH)
    if witness is not None:
        _check_agreed(small, witness, source.size, "two decoders see different pictures in it")
        _check_agreed(made, witness, source.size, "another decoder sees something else in it")
    alike = Likeness(*_moved(small, made), _psnr(source, candidate))
    if alike.worst_block > WORST_BLOCK or alike.mean_block > MEAN_BLOCK:
        raise Failed("compress.picture", f"a part of it shows something else ({alike.told()})")
    if alike.psnr_db < MIN_PSNR_DB:
        raise Failed("compress.picture", f"it is spoilt ({alike.told()})")
    return alike


def _opaque(source: Image.Image, candidate: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Without what they show through, which is not coded again: colours that nobody sees would count for too much."""
    if source.mode != "RGBA":
        return source, candidate
    if ImageChops.difference(source.getchannel("A"), candidate.getchannel("A")).getbbox():
        raise Failed("compress.picture", "it can be seen through elsewhere")
    old, new = (Image.merge("RGB", image.split()[:3]) for image in (source, candidate))
    return old, new


def _check_agreed(
    small: Image.Image, witness: Image.Image, size: tuple[int, int], why: str
) -> None:
    """What lies beyond the last whole block is not looked at: a file may hold anything there."""
    whole = (0, 0, size[0] // EIGHTH, size[1] // EIGHTH)
    if not whole[2] or not whole[3]:
        return
    worst, mean = _moved(small.crop(whole), witness.crop(whole))
    if worst > WORST_BLOCK or mean > MEAN_BLOCK:
        raise Failed("compress.picture", why)


def _moved(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """By how much the pixels differ, at most and on average."""
    stat = ImageStat.Stat(ImageChops.difference(one, other))
    return max(high for _, high in stat.extrema), max(stat.mean)


def _psnr(source: Image.Image, candidate: Image.Image) -> float:
    """Of three samples along the diagonal, together."""
    width, height = source.size
    wide, high = min(_SAMPLE, width), min(_SAMPLE, height)
    squares = 0.0
    count = 0
    for n in range(3):
        left, top = (width - wide) * n // 2, (height - high) * n // 2
        part = (left, top, left + wide, top + high)
        stat = ImageStat.Stat(ImageChops.difference(source.crop(part), candidate.crop(part)))
        squares += sum(stat.sum2)
        count += sum(stat.count)
    return 10 * log10(_FULL**2 * count / squares) if squares else inf
