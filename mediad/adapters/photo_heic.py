"""
Renditions of HEICs: the tiles of the primary picture through ffmpeg's libx265, everything else as it is.

Runs in a photo worker only. ffmpeg decodes the tiles strictly: libheif shows a cut or rotten file without a word.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pillow_heif
from blake3 import blake3
from PIL import Image

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.heic_graft import coded_tiles, graft, kept
from mediad.adapters.heic_still import parse
from mediad.adapters.photo_gates import DECODER_FAULTS, Failed, Likeness, check_alike
from mediad.adapters.workers import Finished, Limits, run_limited
from mediad.errors import Refused

_STRICT = (
    "ffmpeg", "-hide_banner", "-y", "-v", "error", "-nostdin", "-xerror", "-err_detect", "explode",
    "-protocol_whitelist", "file", "-threads", "1", "-f", "hevc", "-i",
)  # fmt: skip
_PIXELS = frozenset({"yuv420p", "yuvj420p"})
_COLOURS = {
    "color_primaries": "colorprim",
    "color_transfer": "transfer",
    "color_space": "colormatrix",
}

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
        ended = run_limited(
            [*_STRICT, str(tiles), "-an", "-fps_mode", "passthrough", *_encoder(crf, colours),
             "-f", "hevc", str(coded)],
            limits=limits, cwd=folder,
        )  # fmt: skip
        _check(ended)
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


def judge(source: Path, candidate: Path, folder: Path, limits: Limits) -> Mapping[str, object]:
    """Raises Failed at the first gate that is not passed. `folder` is for scratch."""
    original, made = source.read_bytes(), candidate.read_bytes()
    try:
        old, new = parse(original), parse(made)
        if kept(old) != kept(new):
            raise Failed("compress.tags", "something beside the picture is not the same")
        if len(made) >= len(original):
            raise Failed("compress.larger", "it is no smaller than the original")
        tiles = folder / "judged.hevc"
        tiles.write_bytes(coded_tiles(new))
        _check_decodes(tiles, len(old.tiles), folder, limits)
        alike = _compared(source, candidate)
    except NotUnderstood as why:
        raise Failed("compress.unreadable", str(why)) from None
    return {**alike.figures(), "source_digest": blake3(original).hexdigest()}


def _compared(source: Path, candidate: Path) -> Likeness:
    try:
        return check_alike(_picture(source), _picture(candidate))
    except DECODER_FAULTS as why:
        raise Failed("compress.unreadable", f"it cannot be decoded ({why})") from None


def _check_decodes(tiles: Path, count: int, folder: Path, limits: Limits) -> None:
    ended = run_limited(
        [*_STRICT, str(tiles), "-an", "-fps_mode", "passthrough", "-f", "framecrc", "-"],
        limits=limits,
        cwd=folder,
    )
    frames = [line for line in ended.stdout.splitlines() if not line.startswith(b"#")]
    if ended.returncode or ended.stderr.strip() or len(frames) != count:
        raise Failed("compress.unreadable", f"{len(frames)} of {count} tiles can be decoded")


def _encoder(crf: int, colours: Mapping[str, str]) -> list[str]:
    is_full = colours.get("color_range") == "pc"
    parameters = [
        "keyint=1:log-level=error:pools=1:frame-threads=1:info=0",
        f"range={'full' if is_full else 'limited'}",
        *(
            f"{own}={colours[name]}"
            for name, own in _COLOURS.items()
            if colours.get(name, "unknown") not in {"unknown", "reserved"}
        ),
    ]
    return [
        "-c:v", "libx265", "-preset", "fast", "-crf", str(crf), "-pix_fmt", colours["pix_fmt"],
        "-x265-params", ":".join(parameters),
    ]  # fmt: skip


def _colours(tiles: Path, limits: Limits) -> dict[str, str]:
    ended = run_limited(
        ["ffprobe", "-v", "error", "-protocol_whitelist", "file", "-f", "hevc",
         "-show_entries", "stream=pix_fmt,color_range," + ",".join(_COLOURS), "-of", "json", str(tiles)],
        limits=limits, cwd=tiles.parent,
    )  # fmt: skip
    _check(ended)
    try:
        stream = json.loads(ended.stdout)["streams"][0]
        found = {str(k): str(v) for k, v in stream.items()}
    except (ValueError, LookupError, AttributeError) as why:
        raise NotUnderstood(f"its tiles cannot be read: {why}") from None
    if found.get("pix_fmt") not in _PIXELS:
        raise NotUnderstood(f"its pixels are {found.get('pix_fmt')}")
    return found


def _check(ended: Finished) -> None:
    if ended.returncode < 0:
        raise Refused(
            f"the encoder crashed (signal {-ended.returncode}) on this file; it stays as it is",
            code="compress.crashed",
        )
    if ended.returncode or ended.stderr.strip():
        said = ended.stderr.strip().splitlines()
        raise Refused(
            f"a tile is damaged ({said[-1] if said else 'no reason given'}); it stays as it is",
            code="compress.source_damaged",
            remedy="if there is another copy of this photo, compare them",
        )


def _picture(path: Path) -> Image.Image:
    image = Image.open(path, formats=["HEIF"])
    image.load()
    return image
