"""Guards the impression of a picture: copies of it make the same one, other pictures do not."""

import io
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import combinations
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageEnhance, ImageOps

from mediad.adapters.likeness import looked
from mediad.errors import Refused, Retryable
from mediad.policy.likeness import alike
from mediad.ports.looks import Impression

SIZE = (640, 480)
Change = Callable[[Image.Image], Image.Image]


def scene(seed: int) -> Image.Image:
    """A picture with large shapes, small ones and some noise, as photos have."""
    chance = random.Random(seed)  # noqa: S311  # a picture, not a secret
    coarse = Image.frombytes("RGB", (5, 4), chance.randbytes(60)).resize(
        SIZE, Image.Resampling.BICUBIC
    )
    fine = Image.frombytes("RGB", (40, 30), chance.randbytes(3600)).resize(
        SIZE, Image.Resampling.BICUBIC
    )
    return Image.blend(coarse, fine, 0.25)


def cut(image: Image.Image, share: float) -> Image.Image:
    across, down = int(image.width * share / 2), int(image.height * share / 2)
    return image.crop((across, down, image.width - across, image.height - down))


def scaled(image: Image.Image, share: float) -> Image.Image:
    return image.resize(
        (int(image.width * share), int(image.height * share)), Image.Resampling.LANCZOS
    )


def lighter(image: Image.Image, by: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(by)


CHANGES: Sequence[Change] = (
    partial(scaled, share=0.5),
    partial(scaled, share=0.25),
    partial(cut, share=0.02),
    partial(cut, share=0.04),
    partial(lighter, by=1.1),
    partial(lighter, by=0.85),
)


def saved(folder: Path, image: Image.Image, how: str = "JPEG", **more: object) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}"
    image.save(path, how, **more)
    return path


def seen(path: Path, media: str = "jpeg") -> Impression:
    said = looked(path, media)
    low, bits, tint = said["low"], said["bits"], said["tint"]
    assert isinstance(low, int)
    return Impression(low, int(str(bits), 16), bytes.fromhex(str(tint)), bool(said["is_flat"]))


def test_copies_are_found_and_other_pictures_are_not(tmp_path: Path) -> None:
    """The quick form of `python -m bench near`."""
    pictures = [scene(n) for n in range(12)]
    taken = [seen(saved(tmp_path, p, quality=92)) for p in pictures]
    found = [
        bool(alike(mine, seen(saved(tmp_path, change(p), quality=40 + 10 * n))))
        for p, mine in zip(pictures, taken, strict=True)
        for n, change in enumerate(CHANGES)
    ]
    assert sum(found) / len(found) >= 0.95
    assert not [1 for one, other in combinations(taken, 2) if alike(one, other)]


@pytest.mark.parametrize(
    ("how", "media", "more"),
    [("PNG", "png", {}), ("WEBP", "webp", {"quality": 60}), ("TIFF", "tiff", {}), ("GIF", "gif", {}),
     ("AVIF", "avif", {"quality": 60}), ("JPEG", "jpeg", {"quality": 20})],
)  # fmt: skip
def test_another_format_looks_the_same(
    tmp_path: Path, how: str, media: str, more: Mapping[str, object]
) -> None:
    taken = seen(saved(tmp_path, scene(3), quality=95))
    assert alike(taken, seen(saved(tmp_path, scene(3), how, **more), media)) >= 90


def test_a_heic_and_the_jpeg_made_of_it_look_the_same(tmp_path: Path) -> None:
    pillow_heif.from_pillow(scene(4)).save(tmp_path / "a.heic", quality=60)
    assert (
        alike(seen(tmp_path / "a.heic", "heic"), seen(saved(tmp_path, scene(4), quality=80))) >= 95
    )


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_picture_is_looked_at_upright(tmp_path: Path, turn: int) -> None:
    """As the tag says: the same scene, whichever way the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = turn
    upright = saved(tmp_path, scene(5), quality=95)
    stored = saved(tmp_path, scene(5), quality=95, exif=exif)
    with Image.open(stored) as image:
        shown = saved(tmp_path, ImageOps.exif_transpose(image), quality=95)
    assert alike(seen(stored), seen(shown)) >= 97
    assert bool(alike(seen(stored), seen(upright))) == (turn == 1)


@pytest.mark.parametrize("light", [0, 128, 255])
def test_what_shows_nothing_is_like_nobody(tmp_path: Path, light: int) -> None:
    blank = saved(tmp_path, Image.new("RGB", SIZE, (light, light, light)))
    first, second = seen(blank), seen(blank)
    assert first.is_flat
    assert alike(first, second) == 0


def test_what_is_seen_through_has_a_ground_of_its_own(tmp_path: Path) -> None:
    clear = scene(6).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(SIZE))
    assert not seen(saved(tmp_path, clear, "PNG"), "png").is_flat
    palette = saved(tmp_path, scene(6).quantize(64), "PNG")
    assert alike(seen(palette, "png"), seen(saved(tmp_path, scene(6))))


@pytest.mark.parametrize("media", ["jpeg", "png", "heic", "webp", "gif", "tiff", "avif"])
def test_what_cannot_be_decoded_is_refused(tmp_path: Path, media: str) -> None:
    (tmp_path / "bad").write_bytes(b"no picture at all")
    with pytest.raises(Refused) as fault:
        looked(tmp_path / "bad", media)
    assert fault.value.code == "compress.unreadable"


def test_a_file_is_decoded_as_what_it_is_and_as_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        looked(saved(tmp_path, scene(1), "PNG"), "jpeg")
    with pytest.raises(Refused):
        looked(saved(tmp_path, scene(1), "PNG"), "raw")


def test_half_a_picture_is_no_picture(tmp_path: Path) -> None:
    out = io.BytesIO()
    scene(1).save(out, "JPEG")
    (tmp_path / "half").write_bytes(out.getvalue()[: len(out.getvalue()) // 2])
    with pytest.raises(Refused):
        looked(tmp_path / "half", "jpeg")


def test_depths_that_would_be_cut_are_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(Refused) as fault:
        looked(saved(tmp_path, Image.new("I;16", SIZE, 40_000), "PNG"), "png")
    assert fault.value.code == "compress.not_understood"


def test_a_file_that_has_gone_is_looked_at_later(tmp_path: Path) -> None:
    with pytest.raises(Retryable):
        looked(tmp_path / "gone", "jpeg")


@pytest.mark.parametrize("how", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_damage_is_refused_or_seen_and_nothing_else_comes_of_it(tmp_path: Path, how: str) -> None:
    """Bytes turned, taken out and put in: whatever a decoder makes of that, it is that photo's matter."""
    chance = random.Random(11)  # noqa: S311  # no secret
    whole = saved(tmp_path, scene(2).resize((96, 72)), how).read_bytes()
    path = tmp_path / "mutant"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        path.write_bytes(data)
        with suppress(Refused):
            assert len(str(looked(path, how.lower())["bits"])) == 64
