"""
How much structure a photo's rendition lost, beside what plain JPEG would have lost of the same photo.

SSIM alone says little across photos: 0.90 is as good as it gets for grass, and a ruin for a sky. So there is a witness:
the same samples through Pillow's own coder, well below the recipe's quality. No honest coder at that quality does
worse; of 31 real photos the worst one lost as much as the witness did.
"""

import io
from typing import Final, NamedTuple

from PIL import Image, ImageMath

_SIDE: Final = 256
_SAMPLES: Final = 3
_BLOCK: Final = 8
_STEPS_BELOW: Final = 25  # of quality, the witness
_WORST_QUALITY: Final = 5
_MORE: Final = 1.5  # times what the witness lost is too much
_UNSEEN: Final = 0.05  # below that nobody sees a loss, whatever the witness kept
_C1: Final = (0.01 * 255) ** 2  # SSIM's own constants, for 8 bits
_C2: Final = (0.03 * 255) ** 2


class Score(NamedTuple):
    """SSIM of the luma in three samples along the diagonal, and the least that is good enough for this photo."""

    ssim: float
    least: float

    @property
    def is_enough(self) -> bool:
        return self.ssim >= self.least


def score(source: Image.Image, candidate: Image.Image, quality: int) -> Score:
    """`quality` as the recipe has it, on Pillow's scale. Both pictures have the same size."""
    low = max(_WORST_QUALITY, quality - _STEPS_BELOW)
    parts = _places(source.size)
    lost = witnessed = 0.0
    for part in parts:
        old, new = source.crop(part).convert("L"), candidate.crop(part).convert("L")
        lost += 1 - ssim(old, new)
        witnessed += 1 - ssim(old, _coarsened(old, low))
    allowed = max(_UNSEEN, _MORE * witnessed / len(parts))
    return Score(round(1 - lost / len(parts), 4), round(1 - allowed, 4))


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Of two gray pictures, the mean over blocks of 8 by 8 pixels."""
    x, y = one.convert("F"), other.convert("F")
    of = ImageMath.lambda_eval
    found = of(
        lambda v: (
            (2 * v["x"] * v["y"] + _C1)
            * (2 * (v["xy"] - v["x"] * v["y"]) + _C2)
            / (
                (v["x"] * v["x"] + v["y"] * v["y"] + _C1)
                * (v["xx"] - v["x"] * v["x"] + v["yy"] - v["y"] * v["y"] + _C2)
            )
        ),
        x=x.reduce(_BLOCK),
        y=y.reduce(_BLOCK),
        xx=of(lambda v: v["x"] * v["x"], x=x).reduce(_BLOCK),
        yy=of(lambda v: v["y"] * v["y"], y=y).reduce(_BLOCK),
        xy=of(lambda v: v["x"] * v["y"], x=x, y=y).reduce(_BLOCK),
    )
    mean = found.reduce(found.size).getpixel((0, 0))
    return float(mean) if isinstance(mean, int | float) else 0.0


def _places(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    width, height = size
    wide, high = min(_SIDE, width), min(_SIDE, height)
    corners = [
        ((width - wide) * n // (_SAMPLES - 1), (height - high) * n // (_SAMPLES - 1))
        for n in range(_SAMPLES)
    ]
    return [(left, top, left + wide, top + high) for left, top in corners]


def _coarsened(gray: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    gray.save(out, "JPEG", quality=quality)
    image = Image.open(out, formats=["JPEG"])
    image.load()
    return image
