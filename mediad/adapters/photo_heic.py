"""
Renditions of HEICs: the tiles of the primary picture through ffmpeg's libx265, everything else as it is.

Runs in a photo worker only. ffmpeg decodes the tiles strictly: libheif shows a cut or rotten file without a word.
"""

import errno
import json
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pillow_heif
from blake3 import blake3
from PIL import Image

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.errnos import translate
from mediad.adapters.heic_graft import coded_tiles, graft, kept
from mediad.adapters.heic_still import parse
from mediad.adapters.photo_gates import DECODER_FAULTS, Failed, compared
from mediad.adapters.video_probe import run
from mediad.adapters.workers import Finished, Limits
from mediad.errors import NeedsOperator, Refused
from mediad.model import Site

_STRICT = (
    "ffmpeg", "-hide_banner", "-y", "-v", "error", "-nostdin", "-xerror", "-err_detect", "explode",
    "-protocol_whitelist", "file", "-threads", "1", "-f", "hevc", "-i",
)  # fmt: skip
# Every tile stands alone. `keyint=1` would do that too, and make x265 claim a profile that not every phone decodes.
_ALONE = ("-force_key_frames", "expr:1", "-forced-idr", "1")
_PIXELS = frozenset({"yuv420p", "yuvj420p"})
_COLOURS = {
    "color_primaries": "colorprim",
    "color_transfer": "transfer",
    "color_space": "colormatrix",
}
_UNNAMED = frozenset({None, "unknown", "reserved"})

pillow_heif.register_heif_opener()
pillow_heif.options.DECODE_THREADS = 1


def render(source: Path, target: Path, crf: int, limits: Limits) -> Mapping[str, object]:
    """Raises Refused(compress.*) when the source is better left as it is. Works in the folder of `target`."""
    original = source.read_bytes()
    folder = target.parent
    tiles, coded = folder / "tiles.hevc", folder / "coded.hevc"
    try:
        still = parse(original)
        tiles.write_bytes(coded_tiles(still))
        colours = _colours(tiles, limits)
        ended = run(
            [*_STRICT, str(tiles), "-an", "-fps_mode", "passthrough", *_encoder(crf, colours),
             "-f", "hevc", str(coded)],
            replace(limits, file_bytes=len(original)), folder,  # it ends as soon as it grows beyond
        )  # fmt: skip
        _check_coded(ended, coded, tiles, len(still.tiles), limits)
        result = graft(still, coded.read_bytes())
    except NotUnderstood as why:
        raise Refused(
            f"this HEIC is not of a kind that mediad re-codes ({why}); it stays as it is",
            code="compress.not_understood",
        ) from None
    if len(result) >= len(original):
        raise Refused("the rendition is no smaller; it stays as it is", code="compress.larger")
    target.write_bytes(result)
    return {"encoder": "libx265", "encoder_crf": crf, "tiles": len(still.tiles)}


def judge(
    source: Path, candidate: Path, crf: int, folder: Path, limits: Limits
) -> Mapping[str, object]:
    """
    Raises Failed at the first gate that is not passed.

    `crf` is what was asked for; `folder` is for scratch.
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
        _check_colours(_said(before, limits), _said(after, limits))
        figures = _compared(source, candidate, crf)
    except NotUnderstood as why:
        raise Failed("compress.unreadable", str(why)) from None
    return {**figures, "source_digest": blake3(original).hexdigest()}


def _compared(source: Path, candidate: Path, crf: int) -> Mapping[str, object]:
    try:
        return compared(_picture(source), _picture(candidate), quality_like(crf))
    except DECODER_FAULTS as why:
        raise Failed("compress.unreadable", f"it cannot be decoded ({why})") from None


def quality_like(crf: int) -> int:
    """The quality of a JPEG that looks like this rate factor: 18 is 75, 20 is 65."""
    return 75 - 5 * (crf - 18)


def _check_decodes(tiles: Path, count: int, limits: Limits) -> None:
    if not _is_sound(tiles, count, limits):
        raise Failed("compress.unreadable", f"not all of its {count} tiles can be decoded")


def _is_sound(tiles: Path, count: int, limits: Limits) -> bool:
    """So many tiles, each decoded to its end without a word from the decoder."""
    ended = run(
        [*_STRICT, str(tiles), "-an", "-fps_mode", "passthrough", "-f", "framecrc", "-"],
        limits,
        tiles.parent,
    )
    frames = [line for line in ended.stdout.splitlines() if not line.startswith(b"#")]
    return ended.returncode == 0 and not ended.stderr.strip() and len(frames) == count


def _check_colours(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """The tiles speak of colour too, beside the file's own words: a decoder may believe either."""
    if _meant(old) != _meant(new):
        raise Failed("compress.colour", "its tiles speak of other colours")


def _meant(said: Mapping[str, str]) -> Mapping[str, str]:
    """Nothing said is the same as said to be unknown; what is not told to have its full range has the usual one."""
    named = {name: said.get(name, "") for name in _COLOURS if said.get(name) not in _UNNAMED}
    is_full = said.get("color_range") == "pc"
    return {**named, "pix_fmt": said.get("pix_fmt", ""), "range": "full" if is_full else "limited"}


def _encoder(crf: int, colours: Mapping[str, str]) -> list[str]:
    is_full = colours.get("color_range") == "pc"
    parameters = [
        "bframes=0:ref=1:rc-lookahead=0:cutree=0:scenecut=0:open-gop=0",
        "log-level=error:pools=1:frame-threads=1:info=0",
        f"range={'full' if is_full else 'limited'}",
        *(
            f"{own}={colours[name]}"
            for name, own in _COLOURS.items()
            if colours.get(name) not in _UNNAMED
        ),
    ]
    return [
        "-c:v", "libx265", "-preset", "fast", "-crf", str(crf), "-pix_fmt", colours["pix_fmt"],
        *_ALONE, "-x265-params", ":".join(parameters),
    ]  # fmt: skip


def _colours(tiles: Path, limits: Limits) -> dict[str, str]:
    """Of a source that may be coded anew."""
    said = _said(tiles, limits)
    if said.get("pix_fmt") not in _PIXELS:
        raise NotUnderstood(f"its pixels are {said.get('pix_fmt')}")
    return said


def _said(tiles: Path, limits: Limits) -> dict[str, str]:
    """What coded tiles say of their pixels and colours."""
    ended = run(
        ["ffprobe", "-v", "error", "-protocol_whitelist", "file", "-f", "hevc",
         "-show_entries", "stream=pix_fmt,color_range," + ",".join(_COLOURS), "-of", "json", str(tiles)],
        limits, tiles.parent,
    )  # fmt: skip
    if ended.returncode or ended.stderr.strip():
        raise _damaged(ended.stderr.strip())
    try:
        stream = json.loads(ended.stdout)["streams"][0]
        return {str(k): str(v) for k, v in stream.items()}
    except (ValueError, LookupError, AttributeError) as why:
        raise NotUnderstood(f"its tiles cannot be read: {why}") from None


def _check_coded(ended: Finished, coded: Path, tiles: Path, count: int, limits: Limits) -> None:
    """Which of the three was it, if it did not go well: the machine, the coder, or the source?"""
    said = ended.stderr.strip()
    if ended.returncode == 0 and not said and coded.exists():
        return
    if "No space left" in said:
        raise translate(OSError(errno.ENOSPC, ""), Site.SPOOL, "")
    if "Unknown encoder" in said:
        raise NeedsOperator(
            "ffmpeg has no encoder libx265; HEICs wait",
            code="compress.encoder",
            remedy="install a full ffmpeg",
        )
    if ended.returncode == -signal.SIGXFSZ or "File too large" in said:
        raise Refused(
            "the rendition would be no smaller; it stays as it is", code="compress.larger"
        )
    if ended.returncode == -signal.SIGXCPU:
        raise Refused("coding it took too long; it stays as it is", code="compress.timeout")
    if ended.returncode < 0:
        raise Refused(
            f"the encoder crashed (signal {-ended.returncode}) on this file; it stays as it is",
            code="compress.crashed",
        )
    if not _is_sound(tiles, count, limits):
        raise _damaged(said)
    raise Refused(
        f"the encoder gave up ({_last(said)}); the photo stays as it is",
        code="compress.encoder_failed",
    )


def _damaged(said: str) -> Refused:
    return Refused(
        f"a tile is damaged ({_last(said)}); it stays as it is",
        code="compress.source_damaged",
        remedy="if there is another copy of this photo, compare them",
    )


def _last(said: str) -> str:
    return (said.splitlines() or ["no reason given"])[-1]


def _picture(path: Path) -> Image.Image:
    image = Image.open(path, formats=["HEIF"])
    image.load()
    return image
