"""
Renditions of HEICs: the tiles of the primary picture through ffmpeg's libx265, everything else as it is.

Runs in a photo worker only. ffmpeg decodes the tiles strictly: libheif shows a cut or rotten file without a word.
"""

import signal
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pillow_heif
from blake3 import blake3
from PIL import Image

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.heic_coder import (
    COLOURS,
    STRICT,
    UNNAMED,
    coding,
    colours_of,
    damaged,
    is_full,
    is_sound,
    last,
    ran,
    said,
)
from mediad.adapters.heic_graft import coded_tiles, graft, kept
from mediad.adapters.heic_still import parse
from mediad.adapters.heic_target import Fit, Tiles, aimed
from mediad.adapters.photo_gates import DECODER_FAULTS, Failed, compared
from mediad.adapters.photo_target import Aim, Aimed
from mediad.adapters.workers import Finished, Limits
from mediad.errors import NeedsOperator, Refused

pillow_heif.register_heif_opener()
pillow_heif.options.DECODE_THREADS = 1


def render(
    source: Path, target: Path, crf: int, limits: Limits, aim: Aim | None = None
) -> Mapping[str, object]:
    """
    Raises Refused(compress.*) when the source is better left as it is. Works in the folder of `target`.

    With `aim`, the rate factor is searched, and `crf` is for tiles that cannot be measured, or not in time.
    """
    original = source.read_bytes()
    stream = target.parent / "tiles.hevc"
    try:
        still = parse(original)
        stream.write_bytes(coded_tiles(still))
        colours = colours_of(stream, limits)
        smaller = replace(limits, file_bytes=len(original))  # ends as soon as it grows beyond
        code = partial(_coded, stream, len(still.tiles), colours, smaller)
        figures: Mapping[str, object] = {}
        if aim:
            tiles = Tiles.of_source(stream, len(still.tiles), colours, limits)
            fit = Fit(tiles, aim, stream.parent, limits)
            crf, coded = fit.searched(code, crf)
            figures = fit.figures
        else:
            coded = code(crf)
        result = graft(still, coded.read_bytes())
    except NotUnderstood as why:
        raise Refused(
            f"this HEIC is not of a kind that mediad re-codes ({why}); it stays as it is",
            code="compress.not_understood",
        ) from None
    if len(result) >= len(original):
        raise Refused("the rendition is no smaller; it stays as it is", code="compress.larger")
    target.write_bytes(result)
    return {"encoder": "libx265", "encoder_crf": crf, "tiles": len(still.tiles), **figures}


def _coded(stream: Path, count: int, colours: Mapping[str, str], limits: Limits, crf: int) -> Path:
    """All `count` tiles of a stream, as another stream beside it."""
    coded = stream.with_name("coded.hevc")
    ended = ran([*STRICT, str(stream), *coding(crf, colours), str(coded)], limits, stream.parent)
    _check_coded(ended, coded, stream, count, limits)
    return coded


def judge(
    source: Path, candidate: Path, crf: int, folder: Path, limits: Limits, aim: Aim | None = None
) -> Mapping[str, object]:
    """
    Raises Failed at the first gate that is not passed.

    `crf` and `aim` are what was asked for; `folder` is for scratch.
    """
    original, made = source.read_bytes(), candidate.read_bytes()
    try:
        old, new = parse(original), parse(made)
        if kept(old) != kept(new):
            raise Failed("compress.tags", "something beside the picture is not the same")
        if len(made) >= len(original):
            raise Failed("compress.larger", "it is no smaller than the original")
        before, after = folder / "before.hevc", folder / "after.hevc"
        before.write_bytes(coded_tiles(old))
        after.write_bytes(coded_tiles(new))
        _check_decodes(after, len(old.tiles), limits)
        colours = said(before, limits)
        _check_colours(colours, said(after, limits))
        wanted = None
        if aim:
            decoded = Tiles.of_source(before, len(old.tiles), colours, limits)
            wanted = aimed(decoded, decoded.coded_again(after), aim)
        figures = _compared(source, candidate, crf, wanted)
    except NotUnderstood as why:
        raise Failed("compress.unreadable", str(why)) from None
    return {**figures, "source_digest": blake3(original).hexdigest()}


def _compared(
    source: Path, candidate: Path, crf: int, wanted: Aimed | None
) -> Mapping[str, object]:
    try:
        old, new = _picture(source), _picture(candidate)
        return compared(old, new, quality_like(crf), aimed=wanted)
    except DECODER_FAULTS as why:
        raise Failed("compress.unreadable", f"it cannot be decoded ({why})") from None


def quality_like(crf: int) -> int:
    """The quality of a JPEG that looks like this rate factor: 18 is 75, 20 is 65."""
    return 75 - 5 * (crf - 18)


def _check_decodes(tiles: Path, count: int, limits: Limits) -> None:
    if not is_sound(tiles, count, limits):
        raise Failed("compress.unreadable", f"not all of its {count} tiles can be decoded")


def _check_colours(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """The tiles speak of colour too, beside the file's own words: a decoder may believe either."""
    if _meant(old) != _meant(new):
        raise Failed("compress.colour", "its tiles speak of other colours")


def _meant(seen: Mapping[str, str]) -> Mapping[str, str]:
    """Nothing said is the same as said to be unknown; what is not told to have its full range has the usual one."""
    named = {name: seen.get(name, "") for name in COLOURS if seen.get(name) not in UNNAMED}
    return {
        **named,
        "pix_fmt": seen.get("pix_fmt", ""),
        "range": "full" if is_full(seen) else "limited",
    }


def _check_coded(ended: Finished, coded: Path, tiles: Path, count: int, limits: Limits) -> None:
    """Which of the two was it, if it did not go well: the coder, or the source?"""
    words = ended.stderr.strip()
    if ended.returncode == 0 and not words and coded.exists():
        return
    if "Unknown encoder" in words:
        raise NeedsOperator(
            "ffmpeg has no encoder libx265; HEICs wait",
            code="compress.encoder",
            remedy="install a full ffmpeg",
        )
    if ended.returncode == -signal.SIGXFSZ or "File too large" in words:
        raise Refused(
            "the rendition would be no smaller; it stays as it is", code="compress.larger"
        )
    if ended.returncode < 0:
        raise Refused(
            f"the encoder crashed (signal {-ended.returncode}) on this file; it stays as it is",
            code="compress.crashed",
        )
    if not is_sound(tiles, count, limits):
        raise damaged(words)
    raise Refused(
        f"the encoder gave up ({last(words)}); the photo stays as it is",
        code="compress.encoder_failed",
    )


def _picture(path: Path) -> Image.Image:
    image = Image.open(path, formats=["HEIF"])
    image.load()
    return image
