"""
Renditions of JPEGs: decode strictly, code anew, graft; then judge what is on the disk against the source.

Runs in a photo worker only. jpegli decodes strictly (a warning is an error), which libjpeg as Pillow uses it does
not; without jpegli only the structure and Pillow's own errors tell of damage.
"""

import io
import os
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
from mediad.adapters.photo_gates import DECODER_FAULTS, EIGHTH, MAX_PIXELS, Failed, compared
from mediad.adapters.photo_target import Aim, Aimed, Box, Search, cells, chosen
from mediad.errors import NeedsOperator, Refused

jpegli: ModuleType | None = None  # no wheel for this machine: Pillow does it, with larger files
with suppress(ImportError):
    jpegli = import_module("pyjpegli")

# Where jpegli looks the same as Pillow does at the quality of its own scale (measured means of SSIMULACRA 2).
_SAME_LOOK: Final = ((0, 0), (65, 63), (75, 78), (85, 88), (100, 100))
_FINEST, _COARSEST = 95, 40  # qualities that are searched
_STDERR: Final = 2
_GRAY, _HALVED_ACROSS, _HALVED = -1, 1, 2
_SUBSAMPLINGS: Final[Mapping[tuple[tuple[float, float], ...], int]] = {
    ((1, 1), (1, 1), (1, 1)): 0,
    ((1, 1), (2, 1), (2, 1)): _HALVED_ACROSS,
    ((1, 1), (2, 2), (2, 2)): _HALVED,
}


class Coded(NamedTuple):
    data: bytes
    figures: Mapping[str, object]


class Decoded(NamedTuple):
    picture: Image.Image
    rgb: bytes  # the same, packed; empty without jpegli


class Seen(NamedTuple):
    """A source, read once and decoded strictly: what a judge in the same breath need not do again."""

    data: bytes
    plan: jpeg_graft.Layout
    picture: Image.Image


def jpegli_quality(quality: int) -> int:
    """The number for jpegli that gives what `quality` gives with Pillow."""
    for (low, low_own), (high, high_own) in pairwise(_SAME_LOOK):
        if quality <= high:
            return round(low_own + (quality - low) * (high_own - low_own) / (high - low))
    return _SAME_LOOK[-1][1]


def render(
    source: Path, target: Path, quality: int, encoder: str, aim: Aim | None = None
) -> tuple[Mapping[str, object], Seen]:
    """
    Raises Refused(compress.*) when the source is better left as it is.

    With `aim`, the quality is searched, and `quality` is for a picture that cannot be measured, or not in time.
    """
    original = source.read_bytes()
    try:
        plan = jpeg_graft.layout(original)
        step = _step(plan.frame)
        primary = jpeg_graft.primary(original, plan)
        decoded = _strictly_decoded(primary, plan.frame, encoder)
        found: Mapping[str, object] = {}
        if aim:
            quality, found = _searched(primary, decoded, (step, encoder), quality, aim)
        coded = _coded(decoded, step, quality, encoder)
        result = jpeg_graft.graft(original, coded.data)
    except NotUnderstood as why:
        raise Refused(
            f"this JPEG is not of a kind that mediad re-codes ({why}); it stays as it is",
            code="compress.not_understood",
        ) from None
    if len(result) >= len(original):
        raise Refused("the rendition is no smaller; it stays as it is", code="compress.larger")
    target.write_bytes(result)
    return {**coded.figures, **found}, Seen(original, plan, decoded.picture)


def judge(
    source: Path,
    candidate: Path,
    quality: int,
    seen: Seen | None = None,
    aim: Aim | None = None,
) -> Mapping[str, object]:
    """
    Raises Failed at the first gate that is not passed. The candidate is read from the disk and decoded to its end.

    `quality` is what was asked for. With `seen`, the source is not decoded a second time by the decoder that fed the
    coder, but looked at by the other.
    """
    original = seen.data if seen else source.read_bytes()
    made = candidate.read_bytes()
    try:
        old = seen.plan if seen else jpeg_graft.layout(original)
        new = jpeg_graft.layout(made)
        _check_structure(original, old, made, new)
    except NotUnderstood as why:
        raise Failed("compress.unreadable", str(why)) from None
    if len(made) >= len(original):
        raise Failed("compress.larger", "it is no smaller than the original")
    coded = jpeg_graft.primary(original, old)
    try:
        source_picture, eighth = _sights(coded, old, seen)
        picture = _picture(jpeg_graft.primary(made, new))
        aimed = _aimed(coded, picture, aim) if aim else None
        figures = compared(source_picture, picture, quality, eighth, aimed)
    except DECODER_FAULTS as why:
        raise Failed("compress.unreadable", f"it cannot be decoded ({why})") from None
    return {**figures, "source_digest": blake3(original).hexdigest()}


def _sights(
    coded: bytes, plan: jpeg_graft.Layout, seen: Seen | None
) -> tuple[Image.Image, Image.Image | None]:
    """The source's picture, and an eighth of it by another decoder than that."""
    if seen is None:
        return _picture(coded), None
    if (
        plan.is_progressive
    ):  # damage in one of its many scans may leave a picture that decoders see differently
        return _picture(coded), seen.picture.reduce(EIGHTH)
    return seen.picture, _eighth(coded, plan.frame)


def _eighth(coded: bytes, frame: jpeg_graft.Frame) -> Image.Image:
    """
    As a decoder makes it that leaves out what is finer: three times as quick as all of it.

    Of colours that are halved across only it would leave out too much.
    """
    if _step(frame) == _HALVED_ACROSS:
        return _picture(coded).reduce(EIGHTH)
    return _picture(coded, EIGHTH)


def _check_structure(
    original: bytes, old: jpeg_graft.Layout, made: bytes, new: jpeg_graft.Layout
) -> None:
    if old.frame[:2] != new.frame[:2]:
        raise Failed("compress.dimensions", "it has other dimensions")
    if old.frame.steps != new.frame.steps:
        raise Failed("compress.colour", "its colours are stored in another resolution")
    if jpeg_graft.kept(original, old) != jpeg_graft.kept(made, new):
        raise Failed("compress.tags", "its metadata is not the same")
    if original[old.end :] != made[new.end :]:
        raise Failed("compress.tags", "what follows the picture is not the same")
    if jpeg_graft.pictures_behind(original, old) != jpeg_graft.pictures_behind(made, new):
        raise Failed("compress.tags", "its further pictures cannot be found")


def _step(frame: jpeg_graft.Frame) -> int:
    """The subsampling in Pillow's words; -1: gray."""
    if len(frame.components) == 1:
        return _GRAY
    step = _SUBSAMPLINGS.get(frame.steps)
    if step is None:
        raise NotUnderstood("its colours are stored in an unusual resolution")
    return step


def _coded(decoded: Decoded, step: int, quality: int, encoder: str) -> Coded:
    # jpegli as it is wrapped always halves the colour both ways; a picture with more of it keeps it.
    if jpegli is not None and step == _HALVED and encoder != "pillow":
        own = jpegli_quality(quality)
        data = jpegli.encode(decoded.rgb, *decoded.picture.size, own)
        return Coded(data, _made_by("jpegli", own, version("pyjpegli")))
    out = io.BytesIO()
    decoded.picture.save(out, "JPEG", quality=quality, optimize=True, subsampling=step)
    return Coded(out.getvalue(), _made_by("pillow", quality, PIL.__version__))


def _windows(coded: bytes) -> list[Box]:
    """Where a picture is measured: in the same places whenever that is asked."""
    with Image.open(io.BytesIO(coded), formats=["JPEG"]) as image:
        size = image.size
        image.draft("L", (max(1, size[0] // 2), max(1, size[1] // 2)))
        return [cell.box for cell in chosen(cells(size, image.convert("L")))]


def _searched(
    coded: bytes, decoded: Decoded, how: tuple[int, str], quality: int, aim: Aim
) -> tuple[int, Mapping[str, object]]:
    """The quality to code with, and figures of the search. `how`: the subsampling and the encoder."""
    with _damage():
        # Decoders differ by more than a step of quality: the same one shows the source and what was made of it.
        boxes, whole = _windows(coded), _picture(coded)
    if not boxes:
        return quality, {"search": "it is too small to be measured"}
    parts = [decoded.picture.crop(box) for box in boxes]

    def made(part: int, below: int) -> Image.Image:
        alone = Decoded(parts[part], parts[part].tobytes())
        return _picture(_coded(alone, how[0], _FINEST - below, how[1]).data)

    search = Search([whole.crop(box) for box in boxes], aim)
    below, figures = search.run(made, 0, _FINEST - _COARSEST)
    return quality if below is None else _FINEST - below, figures


def _aimed(coded: bytes, candidate: Image.Image, aim: Aim) -> Aimed:
    """What a rendition has to reach, beside its source."""
    whole = _picture(coded)
    return Aimed(aim.target, [(whole.crop(box), candidate.crop(box)) for box in _windows(coded)])


def _made_by(encoder: str, quality: int, of_version: str) -> Mapping[str, object]:
    return {"encoder": encoder, "encoder_quality": quality, "encoder_version": of_version}


def _strictly_decoded(data: bytes, frame: jpeg_graft.Frame, encoder: str) -> Decoded:
    pixels = frame.width * frame.height
    if pixels > MAX_PIXELS:
        raise Refused(f"{pixels // 1_000_000} Mpixel are too many", code="compress.too_large")
    if encoder == "jpegli" and jpegli is None:
        raise NeedsOperator(
            "pyjpegli is not installed and the configuration asks for it alone; photos wait",
            code="tool.missing",
            remedy='install pyjpegli, or set compress.photo.encoder = "auto"',
        )
    with _damage():
        if jpegli is None:
            return Decoded(_picture(data), b"")
        with _heard():
            rgb, width, height = jpegli.decode(data, max_pixels=MAX_PIXELS)
        if len(frame.components) == 1:
            return Decoded(_picture(data), b"")
        return Decoded(Image.frombuffer("RGB", (width, height), rgb, "raw", "RGB", 0, 1), rgb)


def _picture(data: bytes, scale: int = 1) -> Image.Image:
    """As stored: nothing is turned. By `scale` smaller, as quickly as the format allows."""
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    if scale > 1:
        image.draft(image.mode, (max(1, image.width // scale), max(1, image.height // scale)))
    image.load()
    return image


@contextmanager
def _heard() -> Iterator[None]:
    """
    ValueError for any word of jpegli on standard error.

    Its wrapper counts warnings up to the last line of pixels; what is left over behind it tells of damage too.
    """
    said = os.memfd_create("said")
    own = os.dup(_STDERR)
    try:
        os.dup2(said, _STDERR)
        try:
            yield
        finally:
            os.dup2(own, _STDERR)
        if words := os.pread(said, 200, 0):
            raise ValueError(words.decode("ascii", "replace").strip().rpartition(": ")[2])
    finally:
        os.close(own)
        os.close(said)


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except DECODER_FAULTS as why:
        raise Refused(
            f"the picture is damaged ({why}); it stays exactly as it is",
            code="compress.source_damaged",
            remedy="if there is another copy of this photo, compare them",
        ) from None
