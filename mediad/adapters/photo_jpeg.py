"""
Renditions of JPEGs: decode strictly, code anew, graft; then judge what is on the disk against the source.

Runs in a photo worker only. jpegli decodes strictly (a warning is an error), which libjpeg as Pillow uses it does
not; without jpegli only the structure and Pillow's own errors tell of damage.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import PIL
from blake3 import blake3
from PIL import Image

from mediad.adapters import jpeg_graft
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.photo_gates import MAX_PIXELS, Failed, check_alike
from mediad.errors import NeedsOperator, Refused

jpegli: ModuleType | None = None  # no wheel for this machine: Pillow does it, with larger files
with suppress(ImportError):
    jpegli = import_module("pyjpegli")

# Where jpegli looks the same as Pillow does at the quality of its own scale (measured means of SSIMULACRA 2).
_SAME_LOOK: Final = ((0, 0), (65, 63), (75, 78), (85, 88), (100, 100))
_SUBSAMPLINGS: Final = {(1, 1): 0, (2, 1): 1}  # of the first colour, in Pillow's words; else 4:2:0


class Coded(NamedTuple):
    data: bytes
    figures: Mapping[str, object]


def jpegli_quality(quality: int) -> int:
    """The number for jpegli that gives what `quality` gives with Pillow."""
    for (low, low_own), (high, high_own) in pairwise(_SAME_LOOK):
        if quality <= high:
            return round(low_own + (quality - low) * (high_own - low_own) / (high - low))
    return _SAME_LOOK[-1][1]


def render(source: Path, target: Path, quality: int, encoder: str) -> Mapping[str, object]:
    """Raises Refused(compress.*) when the source is better left as it is."""
    original = source.read_bytes()
    try:
        plan = jpeg_graft.layout(original)
        coded = _coded(jpeg_graft.primary(original, plan), plan.frame, quality, encoder)
        result = jpeg_graft.graft(original, coded.data)
    except NotUnderstood as why:
        raise Refused(
            f"this JPEG is not of a kind that mediad re-codes ({why}); it stays as it is",
            code="compress.not_understood",
        ) from None
    if len(result) >= len(original):
        raise Refused("the rendition is no smaller; it stays as it is", code="compress.larger")
    target.write_bytes(result)
    return coded.figures


def judge(source: Path, candidate: Path) -> Mapping[str, object]:
    """Raises Failed at the first gate that is not passed."""
    original, made = source.read_bytes(), candidate.read_bytes()
    try:
        old = jpeg_graft.layout(original)
        new = jpeg_graft.layout(made)
        if old.frame[:2] != new.frame[:2]:
            raise Failed("compress.dimensions", "it has other dimensions")
        if jpeg_graft.kept(original, old) != jpeg_graft.kept(made, new):
            raise Failed("compress.tags", "its metadata is not the same")
        if original[old.end :] != made[new.end :]:
            raise Failed("compress.tags", "what follows the picture is not the same")
        if jpeg_graft.pictures_behind(original, old) != jpeg_graft.pictures_behind(made, new):
            raise Failed("compress.tags", "its further pictures cannot be found")
    except NotUnderstood as why:
        raise Failed("compress.unreadable", str(why)) from None
    if len(made) >= len(original):
        raise Failed("compress.larger", "it is no smaller than the original")
    try:
        alike = check_alike(
            _picture(jpeg_graft.primary(original, old)), _picture(jpeg_graft.primary(made, new))
        )
    except (OSError, SyntaxError, ValueError) as why:
        raise Failed("compress.unreadable", f"it cannot be decoded ({why})") from None
    return {**alike.figures(), "source_digest": blake3(original).hexdigest()}


def _coded(picture: bytes, frame: jpeg_graft.Frame, quality: int, encoder: str) -> Coded:
    pixels = frame.width * frame.height
    if pixels > MAX_PIXELS:
        raise Refused(f"{pixels // 1_000_000} Mpixel are too many", code="compress.too_large")
    if encoder == "jpegli" and jpegli is None:
        raise NeedsOperator(
            "pyjpegli is not installed and the configuration asks for it alone; photos wait",
            code="tool.missing",
            remedy='install pyjpegli, or set compress.photo.encoder = "auto"',
        )
    rgb = _strictly_decoded(picture)
    # jpegli as it is wrapped always halves the colour both ways; a picture with all of it keeps it.
    is_plain = len(frame.components) > 1 and frame.sampling[0] != (1, 1)
    if jpegli is not None and is_plain and encoder != "pillow":
        own = jpegli_quality(quality)
        data = jpegli.encode(rgb, frame.width, frame.height, own)
        return Coded(data, _made_by("jpegli", own, version("pyjpegli")))
    out = io.BytesIO()
    sampling = _SUBSAMPLINGS.get(frame.sampling[0], 2) if len(frame.components) > 1 else -1
    with _damage():
        image = _picture(picture)
    image.save(out, "JPEG", quality=quality, optimize=True, subsampling=sampling)
    return Coded(out.getvalue(), _made_by("pillow", quality, PIL.__version__))


def _made_by(encoder: str, quality: int, of_version: str) -> Mapping[str, object]:
    return {"encoder": encoder, "encoder_quality": quality, "encoder_version": of_version}


def _strictly_decoded(picture: bytes) -> bytes:
    """RGB, 8 bits; empty without jpegli."""
    if jpegli is None:
        return b""
    with _damage():
        rgb: bytes = jpegli.decode(picture, max_pixels=MAX_PIXELS)[0]
    return rgb


def _picture(data: bytes) -> Image.Image:
    """As stored: nothing is turned."""
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    image.load()
    return image


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError, RuntimeError) as why:
        raise Refused(
            f"the picture is damaged ({why}); it stays exactly as it is",
            code="compress.source_damaged",
            remedy="if there is another copy of this photo, compare them",
        ) from None
