"""Guards that a coder which kept much less than it was asked for is seen, and that an honest one is believed."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from mediad.adapters.photo_gates import Failed, compared
from mediad.adapters.photo_score import score, ssim
from tests.adapters import stills


def coded(image: Image.Image, quality: int, form: str = "JPEG") -> Image.Image:
    out = io.BytesIO()
    image.save(out, form, quality=quality)
    return Image.open(out)


def noise() -> Image.Image:
    return Image.effect_noise((640, 480), 20).convert("RGB")


def test_a_picture_is_like_itself_and_unlike_another() -> None:
    gray = stills.picture().convert("L")
    assert ssim(gray, gray) == pytest.approx(1)
    assert ssim(gray, gray.point(lambda v: 255 - v)) < 0.6
    assert ssim(gray, gray.filter(ImageFilter.GaussianBlur(4))) < 0.95


@pytest.mark.parametrize("quality", [85, 75, 65, 40])
@pytest.mark.parametrize("image", [stills.picture(), noise(), stills.picture().convert("L")])
def test_an_honest_coder_is_believed(image: Image.Image, quality: int) -> None:
    assert score(image, coded(image, quality), quality).is_enough
    assert "ssim" in compared(image, coded(image, quality), quality)


@pytest.mark.parametrize("quality", [85, 75, 65])
@pytest.mark.parametrize("image", [stills.picture(), noise()])
def test_a_tenth_of_the_quality_is_seen(image: Image.Image, quality: int) -> None:
    assert not score(image, coded(image, quality // 10), quality).is_enough


def test_a_blurred_picture_is_seen_though_it_is_the_same_picture() -> None:
    image = noise()
    with pytest.raises(Failed) as no:
        compared(image, image.filter(ImageFilter.GaussianBlur(0.8)), 75)
    assert no.value.code == "compress.score"


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (300, 9), (255, 257)])
def test_small_and_odd_pictures_have_a_score(size: tuple[int, int]) -> None:
    image = stills.picture().resize(size)
    assert score(image, coded(image, 75), 75).is_enough
    flat = Image.new("RGB", size, "navy")
    assert score(flat, coded(flat, 75), 75).ssim == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("quality", [85, 75, 65])
def test_real_photos_are_believed(shared_media: Path, quality: int) -> None:
    """The nearest of 31 photos to its floor: grass and grain."""
    for name in ("jpeg_camera/Samsung SM-G935L (Galaxy S7 Edge).jpg", "jpeg_modes/xmp_test.jpg"):
        with Image.open(shared_media / name) as image:
            image.load()
            assert score(image, coded(image, quality), quality).is_enough
