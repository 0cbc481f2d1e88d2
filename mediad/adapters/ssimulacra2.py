"""
SSIMULACRA 2: how much of a picture is missed by somebody who looks closely.

100: nothing; 90: nobody tells the two apart; 70: hard to notice; 50: medium; 30: poor. Jon Sneyers made it for JPEG XL;
figures and formulas are those of libjxl 0.11. With libjxl's own program this agrees on parts of real photos: 0.3 points
apart on average, two at most up to a score of 90, three above. The libraries that have it bring twice with them what
all of mediad weighs, so Pillow does the arithmetic: a tenth of a second for 384 by 384 pixels.
"""

from collections.abc import Mapping
from functools import partial
from math import exp
from typing import Any, Final, NamedTuple

from PIL import Image, ImageMath

LEAST_SIDE: Final = 256  # of a picture, in pixels

# What the six figures of a plane at a scale weigh: structure lost, edges that are new, edges that are gone, on average
# and again by the worst of it. libjxl's weights below 0.01 are left out, and with them whole planes: they move no
# score by as much.
_WEIGHTS: Final[Mapping[tuple[int, int], tuple[float, float, float, float, float, float]]] = {
    (0, 1): (0, 0, 0, 7.466890328078848, 0, 17.445833984131262),
    (1, 0): (0, 0, 0, 1.1041726426657346, 0, 0),
    (1, 1): (0, 0, 0, 6.683678146179332, 0, 1.027889937768264),
    (2, 0): (0, 0, 0, 1.8422455520539298, 11.441172603757666, 0),
    (2, 1): (225.20515300849274, 0, 0, 19.213238186143016, 0, 0),
    (3, 0): (0, 0, 0, 1.8787594979546387, 10.94906990605142, 0),
    (3, 1): (176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0),
    (3, 2): (0, 0, 0, 8.826982764996862, 23.19243343998926, 0),
    (4, 0): (0, 0.9677937080626833, 0, 0, 0.9981766977854967, 0),
    (4, 1): (0, 0, 0, 34.77906344483772, 44.835625328877896, 0),
    (4, 2): (
        95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0, 171.2667255897307, 0.9807858872435379,
    ),
}  # fmt: skip
_SCALES: Final = 5
_C2: Final = 0.0009

# How the three kinds of cone take red, green and blue.
_CONES: Final = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)
_BIAS: Final = 0.0037930732552754493
_CUBE_ROOT: Final = 1 / 3
_LINEAR: Final = [
    n / 255 / 12.92 if n <= 10 else ((n / 255 + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - as sRGB is defined
    for n in range(256)
]
_RADIUS: Final = 5
_SIGMA: Final = 1.5  # pixels
_BELL: Final = [exp(-(n**2) / (2 * _SIGMA**2)) for n in range(_RADIUS + 1)]
_TAPS: Final = [tap / (2 * sum(_BELL) - _BELL[0]) for tap in _BELL]

_math = ImageMath.lambda_eval


class _Plane(NamedTuple):
    """One of X, Y and B at one scale, with what is compared of it."""

    itself: Image.Image
    mean: Image.Image  # around each pixel
    square: Image.Image  # likewise, of the squares


class Reference:
    """What candidates are compared with: much of the work is done once for all of them."""

    def __init__(self, picture: Image.Image) -> None:
        """A picture of at least LEAST_SIDE each way; its colours are taken for sRGB."""
        self._planes = _planes(picture)

    def score(self, candidate: Image.Image) -> float:
        """Of a picture of the same size; at most 100, and below 0 for a ruin."""
        lost = 0.0
        for at, plane in _planes(candidate).items():
            figures = _figures(self._planes[at], plane)
            lost += sum(
                weight * figure for weight, figure in zip(_WEIGHTS[at], figures, strict=True)
            )
        lost *= 0.9562382616834844
        lost = (
            2.326765642916932 * lost
            - 0.020884521182843837 * lost**2
            + 6.248496625763138e-05 * lost**3
        )
        return float(100 - 10 * max(0.0, lost) ** 0.6276336467831387)


def _planes(picture: Image.Image) -> dict[tuple[int, int], _Plane]:
    """By scale, each half as large as the one before, and number of the plane."""
    light = [band.point(_LINEAR, "F") for band in picture.convert("RGB").split()]
    found = {}
    for scale in range(_SCALES):
        for number, plane in enumerate(_xyb(light)):
            if (scale, number) in _WEIGHTS:
                square = _blurred(_math(lambda v: v["a"] * v["a"], a=plane))
                found[scale, number] = _Plane(plane, _blurred(plane), square)
        light = [band.reduce(2) for band in light]
    return found


def _xyb(light: list[Image.Image]) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Red against green, light, and blue against light; all moved to where they are positive."""
    red, green, blue = light

    def taken(v: dict[str, Any], cone: tuple[float, float, float]) -> Any:
        absorbed = cone[0] * v["r"] + cone[1] * v["g"] + cone[2] * v["b"] + _BIAS
        return absorbed**_CUBE_ROOT - _BIAS**_CUBE_ROOT

    one, two, three = (_math(partial(taken, cone=cone), r=red, g=green, b=blue) for cone in _CONES)
    return (
        _math(lambda v: (v["a"] - v["b"]) * 7 + 0.42, a=one, b=two),
        _math(lambda v: (v["a"] + v["b"]) * 0.5 + 0.01, a=one, b=two),
        _math(lambda v: v["c"] - (v["a"] + v["b"]) * 0.5 + 0.55, a=one, b=two, c=three),
    )


def _blurred(plane: Image.Image) -> Image.Image:
    """By a bell; what lies outside is 0."""
    return _along(_along(plane, 1, 0), 0, 1)


def _along(plane: Image.Image, across: int, down: int) -> Image.Image:
    wide, high = plane.size
    room = Image.new("F", (wide + 2 * _RADIUS * across, high + 2 * _RADIUS * down))
    room.paste(plane, (_RADIUS * across, _RADIUS * down))

    def at(step: int) -> Image.Image:
        left, top = (_RADIUS + step) * across, (_RADIUS + step) * down
        return room.crop((left, top, left + wide, top + high))

    blurred: Image.Image = _math(
        lambda v: sum(
            (_TAPS[n] * (v[f"a{n}"] + v[f"b{n}"]) for n in range(1, _RADIUS + 1)),
            start=_TAPS[0] * v["a0"],
        ),
        **{f"a{n}": at(n) for n in range(_RADIUS + 1)},
        **{f"b{n}": at(-n) for n in range(1, _RADIUS + 1)},
    )
    return blurred


def _figures(old: _Plane, new: _Plane) -> list[float]:
    """Structure lost, edges that are new, edges that are gone: the mean of each, then the fourth root of that of ^4."""
    both = _blurred(_math(lambda v: v["a"] * v["b"], a=old.itself, b=new.itself))
    structure = _math(
        lambda v: v["max"](
            1
            - (1 - (v["m"] - v["n"]) * (v["m"] - v["n"]))
            * (2 * (v["mn"] - v["m"] * v["n"]) + _C2)
            / ((v["mm"] - v["m"] * v["m"]) + (v["nn"] - v["n"] * v["n"]) + _C2),
            0,
        ),
        m=old.mean, n=new.mean, mm=old.square, nn=new.square, mn=both,
    )  # fmt: skip
    edges = _math(
        lambda v: (1 + abs(v["b"] - v["n"])) / (1 + abs(v["a"] - v["m"])) - 1,
        a=old.itself, b=new.itself, m=old.mean, n=new.mean,
    )  # fmt: skip
    maps = (
        structure,
        _math(lambda v: v["max"](v["e"], 0), e=edges),
        _math(lambda v: v["max"](-v["e"], 0), e=edges),
    )
    fourth = [_math(lambda v: v["e"] ** 4, e=each) for each in maps]
    return [*map(_mean, maps), *(_mean(each) ** 0.25 for each in fourth)]


def _mean(plane: Image.Image) -> float:
    mean = plane.reduce(plane.size).getpixel((0, 0))
    return float(mean) if isinstance(mean, int | float) else 0.0
