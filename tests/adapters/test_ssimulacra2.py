"""Guards that the score is the one that the metric's own program gives, and that it tells better from worse."""

import io
from collections.abc import Callable, Mapping

import pytest
from PIL import Image, ImageFilter

from mediad.adapters.ssimulacra2 import LEAST_SIDE, Reference


def drawn(width: int, height: int) -> Image.Image:
    """The same on every machine: nothing of chance, and no codec."""
    planes = [
        Image.effect_mandelbrot((width, height), corners, 100)
        for corners in ((-2, -1.5, 1, 1.5), (-0.8, -0.2, -0.6, 0.0), (-1.5, -1, 0.5, 1))
    ]
    ramp = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", [Image.blend(plane, ramp, 0.6) for plane in planes])


def blocks(image: Image.Image, side: int) -> Image.Image:
    return image.reduce(side).resize(image.size, Image.Resampling.NEAREST)


WORSE: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "the same": lambda image: image.copy(),
    "brighter": lambda image: image.point(lambda v: v + 3),
    "in steps": lambda image: image.point(lambda v: v // 12 * 12),
    "soft": lambda image: image.filter(ImageFilter.BoxBlur(1)),
    "sharper": lambda image: image.filter(
        ImageFilter.Kernel((3, 3), (0, -1, 0, -1, 6, -1, 0, -1, 0))
    ),
    "a fifth in blocks": lambda image: Image.blend(image, blocks(image, 8), 0.2),
    "in blocks": lambda image: blocks(image, 4),
    "without colour": lambda image: image.convert("L").convert("RGB"),
    "turned": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}

# As `ssimulacra2` of Debian 13's libjxl-devtools 0.11.2 has them, for the two files as PNG.
SAID = {
    (384, 384): (100.00, 85.74, 10.94, 47.04, -27.84, 79.11, 41.96, 8.58, -64.66),
    (301, 257): (100.00, 86.07, 21.41, 46.08, -25.69, 78.35, 22.04, 16.85, -64.24),
    (640, 480): (100.00, 85.82, 7.52, 47.05, -24.16, 78.35, 41.15, 5.01, -64.54),
}


@pytest.mark.parametrize("size", SAID)
def test_it_says_what_the_metric_s_own_program_says(size: tuple[int, int]) -> None:
    image = drawn(*size)
    reference = Reference(image)
    for (name, worse), said in zip(WORSE.items(), SAID[size], strict=True):
        found = reference.score(worse(image))
        assert found == pytest.approx(said, abs=0.5 if said > 20 else 3), name


def test_nothing_is_lost_of_the_same_picture() -> None:
    image = drawn(320, 256)
    assert Reference(image).score(image) == pytest.approx(100, abs=0.001)


def test_the_harder_a_picture_is_pressed_the_worse_it_is() -> None:
    image = drawn(LEAST_SIDE, LEAST_SIDE)
    reference = Reference(image)
    scores = []
    for quality in (95, 85, 70, 50, 30, 10):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        scores.append(reference.score(Image.open(out)))
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 50


def test_a_picture_in_gray_is_measured_too() -> None:
    gray = drawn(300, 300).convert("L")
    assert Reference(gray).score(gray.filter(ImageFilter.BoxBlur(1))) < 90
