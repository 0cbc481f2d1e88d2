"""Guards that a wrong, spoilt or missing picture never passes for the original, and that an honest one does."""

import pytest
from PIL import Image, ImageDraw

from mediad.adapters.photo_gates import Failed, check_alike
from tests.adapters import stills


def spoilt_corner() -> Image.Image:
    image = stills.picture().copy()
    ImageDraw.Draw(image).rectangle((600, 440, 616, 456), fill="white")
    return image


@pytest.mark.parametrize("quality", [88, 75, 60, 40])
def test_an_honest_rendition_passes(quality: int) -> None:
    source = stills.decoded(stills.jpeg())
    alike = check_alike(source, stills.decoded(stills.jpeg(quality=quality)))
    assert alike.figures()["psnr_db"]


@pytest.mark.parametrize(
    ("candidate", "code"),
    [
        (Image.new("RGB", (640, 480)), "compress.picture"),
        (Image.new("RGB", (480, 640)), "compress.dimensions"),
        (stills.picture().convert("L"), "compress.dimensions"),
        (stills.picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT), "compress.picture"),
        (stills.picture().resize((20, 15)).resize((640, 480)), "compress.picture"),
        (Image.merge("RGB", stills.picture().split()[::-1]), "compress.picture"),
        (spoilt_corner(), "compress.picture"),
    ],
)
def test_another_picture_is_stopped(candidate: Image.Image, code: str) -> None:
    with pytest.raises(Failed) as no:
        check_alike(stills.picture(), candidate)
    assert no.value.code == code


def test_a_tiny_picture_is_compared_whole() -> None:
    assert check_alike(stills.picture(9, 5), stills.picture(9, 5)).worst_block == 0


def test_what_cannot_be_seen_does_not_count_and_what_is_seen_through_does() -> None:
    source, candidate = (stills.picture().convert("RGBA") for _ in range(2))
    ramp = Image.linear_gradient("L").resize(source.size)
    source.putalpha(ramp)
    candidate.putalpha(ramp)
    noisy = Image.merge("RGBA", (*stills.decoded(stills.jpeg(quality=60)).split(), ramp))
    check_alike(source, candidate)
    check_alike(source, noisy)
    candidate.putalpha(ramp.point(lambda v: min(255, v + 1)))
    with pytest.raises(Failed) as no:
        check_alike(source, candidate)
    assert no.value.code == "compress.picture"
