"""
The impression that a photo makes, from its decoded picture. Runs in a photo worker only.

A perceptual hash: the light in 64 by 64 means, its cosine transform, and which of the long waves are stronger than
their median. Sizes, formats, qualities and light change few of these bits, another picture changes half of them.
"""

import warnings
from collections.abc import Mapping
from math import cos, pi, sqrt
from mmap import mmap
from operator import mul
from pathlib import Path
from statistics import median, pstdev
from typing import Final

from PIL import Image

from mediad.adapters.errnos import MEANINGS, translate
from mediad.adapters.photo_gates import DECODER_FAULTS
from mediad.errors import Refused
from mediad.model import Media, Site

_FORMATS: Final[Mapping[Media, tuple[str, ...]]] = {
    Media.JPEG: ("JPEG", "MPO"),
    Media.HEIC: ("HEIF",),
    Media.AVIF: ("AVIF",),
    Media.PNG: ("PNG",),
    Media.GIF: ("GIF",),
    Media.WEBP: ("WEBP",),
    Media.TIFF: ("TIFF",),
}
_DRAFT: Final = (256, 256)  # a JPEG is decoded at an eighth of its size where that is enough
_SIDE: Final = 64
_WAVES: Final = 16
_LONG: Final = 8
_TINTS: Final = (4, 4)
_ORIENTATION: Final = 0x0112
_DEEP: Final = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})  # Pillow would cut these
_GREY: Final = (128, 128, 128, 255)
_LEAST_SPREAD: Final = 5.0  # of 255: below that there is nothing to be seen
_LEAST_WAVES: Final = 0.5
_ROOM_BYTES: Final = 256 << 20  # of addresses; what a worker may use is four times as much at least
_TURNS: Final[Mapping[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_COSINES: Final = [
    [cos(pi * (2 * x + 1) * wave / (2 * _SIDE)) for x in range(_SIDE)]
    for wave in range(1, _WAVES + 1)
]


def looked(path: Path, media: str) -> dict[str, object]:
    """
    The impression as it goes through a pipe.

    Raises Refused(compress.*) where the picture has none: that is a decoder's own word about the file. What the system
    says is raised as it is anywhere else, and MemoryError where there is no room to tell.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of odd tags; a bomb is another warning
            small = _small(path, Media(media))
    except DECODER_FAULTS as why:
        if isinstance(why, OSError) and why.errno in MEANINGS:
            raise translate(why, Site.SPOOL, path.name) from None
        said = type(why).__name__
    else:
        return impression(small)
    _have_room()
    raise Refused(
        f"it cannot be decoded ({said}), and is compared with nothing", code="compress.unreadable"
    )


def _have_room() -> None:
    """Short of memory, decoders say anything of a file: that their input is damaged, that it is none of theirs."""
    try:
        mmap(-1, _ROOM_BYTES).close()
    except OSError:
        raise MemoryError from None


def _small(path: Path, media: Media) -> Image.Image:
    if media is Media.HEIC:
        import pillow_heif  # noqa: PLC0415 - a worker for JPEGs never holds libheif

        pillow_heif.register_heif_opener(thumbnails=False)
    with Image.open(path, formats=_FORMATS[media]) as image:
        if image.mode in _DEEP:
            raise Refused(
                f"pictures of mode {image.mode} are not looked at", code="compress.not_understood"
            )
        image.draft("RGB", _DRAFT)
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
        small = _opaque(image).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return small.transpose(turn) if turn is not None else small


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = Image.new("RGBA", seen.size, _GREY)
    ground.alpha_composite(seen)
    return ground.convert("RGB")


def impression(small: Image.Image) -> dict[str, object]:
    """Of a picture of 64 by 64 in RGB."""
    light, blue, red = small.convert("YCbCr").split()
    points = light.tobytes()
    waves = _transformed([points[n : n + _SIDE] for n in range(0, len(points), _SIDE)])
    every = [w for row in waves for w in row]
    long = [w for row in waves[:_LONG] for w in row[:_LONG]]
    strength = sqrt(sum(w * w for w in every)) / _SIDE / _SIDE
    tint = b"".join(c.resize(_TINTS, Image.Resampling.BOX).tobytes() for c in (blue, red))
    return {
        "low": _stronger(long),
        "bits": f"{_stronger(every):064x}",
        "tint": tint.hex(),
        "is_flat": pstdev(points) < _LEAST_SPREAD or strength < _LEAST_WAVES,
    }


def _transformed(rows: list[bytes]) -> list[list[float]]:
    """The long waves of the cosine transform, without the mean: how light it is says nothing."""
    across = [[sum(map(mul, row, wave)) for row in rows] for wave in _COSINES]
    return [[sum(map(mul, column, wave)) for column in across] for wave in _COSINES]


def _stronger(waves: list[float]) -> int:
    middle = median(waves)
    return sum(1 << n for n, wave in enumerate(waves) if wave > middle)
