"""
How the tiles of a HEIC are read and coded by ffmpeg, strictly: libheif shows a cut or rotten file without a word.

A stream here is HEVC with every tile a picture that stands alone.
"""

import errno
import json
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.errnos import faults_of
from mediad.adapters.video_probe import run
from mediad.adapters.workers import Finished, Limits
from mediad.errors import Refused
from mediad.model import Site

_COMMAND: Final = (
    "ffmpeg", "-hide_banner", "-y", "-v", "error", "-nostdin", "-xerror", "-err_detect", "explode",
    "-protocol_whitelist", "file", "-threads", "1",
)  # fmt: skip
STRICT: Final = (*_COMMAND, "-f", "hevc", "-i")
# Every tile stands alone. `keyint=1` would do that too, and make x265 claim a profile that not every phone decodes.
_ALONE: Final = ("-force_key_frames", "expr:1", "-forced-idr", "1")
_EACH: Final = ("-an", "-fps_mode", "passthrough")
_PIXELS: Final = frozenset({"yuv420p", "yuvj420p"})
COLOURS: Final[Mapping[str, str]] = {
    "color_primaries": "colorprim",
    "color_transfer": "transfer",
    "color_space": "colormatrix",
}
UNNAMED: Final = frozenset({None, "unknown", "reserved"})
_ROOM: Final = 1 << 20  # bytes; a disk with less is full


def ran(argv: Sequence[str], limits: Limits, folder: Path) -> Finished:
    """A program that works in `folder`. Raises what befell it that neither it nor the file is to blame for."""
    ended = run(argv, limits, folder)
    if ended.returncode or ended.stderr.strip():
        check_room(folder, ended.stderr)
        if ended.returncode == -signal.SIGXCPU:
            raise Refused(
                "decoding or coding it took too long; it stays as it is", code="compress.timeout"
            )
    return ended


def check_room(folder: Path, words: str = "") -> None:
    """NeedsOperator on a full disk. `words` of a program do not always tell: they too found no room."""
    with faults_of(Site.SPOOL):
        if "No space left" in words:
            raise OSError(errno.ENOSPC, "")
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_ROOM))


def coding(crf: int, colours: Mapping[str, str]) -> list[str]:
    """Options of ffmpeg for the output: HEVC with the colours of the source."""
    parameters = [
        "bframes=0:ref=1:rc-lookahead=0:cutree=0:scenecut=0:open-gop=0",
        "log-level=error:pools=1:frame-threads=1:info=0",
        f"range={'full' if is_full(colours) else 'limited'}",
        *(
            f"{own}={colours[name]}"
            for name, own in COLOURS.items()
            if colours.get(name) not in UNNAMED
        ),
    ]
    return [
        *_EACH, "-c:v", "libx265", "-preset", "fast", "-crf", str(crf), "-pix_fmt", colours["pix_fmt"],
        *_ALONE, "-x265-params", ":".join(parameters), "-f", "hevc",
    ]  # fmt: skip


def decoding() -> list[str]:
    """Options of ffmpeg for the output: the pixels as they are, one tile behind the other."""
    return [*_EACH, "-f", "rawvideo"]


def raw(size: tuple[int, int], colours: Mapping[str, str]) -> list[str]:
    """A command of ffmpeg up to its input: pixels as `decoding` leaves them, each picture of this size."""
    across, down = size
    shape = ("-pix_fmt", colours["pix_fmt"], "-s", f"{across}x{down}", "-r", "25")
    return [*_COMMAND, "-f", "rawvideo", *shape, "-i"]


def colours_of(tiles: Path, limits: Limits) -> dict[str, str]:
    """Of a source that may be coded anew."""
    seen = said(tiles, limits)
    if seen.get("pix_fmt") not in _PIXELS:
        raise NotUnderstood(f"its pixels are {seen.get('pix_fmt')}")
    return seen


def is_full(colours: Mapping[str, str]) -> bool:
    """Black is 0; what is not told to be so has the usual range, which begins at 16."""
    return colours.get("color_range") == "pc"


def said(tiles: Path, limits: Limits) -> dict[str, str]:
    """What coded tiles say of their pixels and colours, in ffprobe's words."""
    asked = ",".join(("width", "height", "pix_fmt", "color_range", *COLOURS))
    ended = ran(
        ["ffprobe", "-v", "error", "-protocol_whitelist", "file", "-f", "hevc",
         "-show_entries", f"stream={asked}", "-of", "json", str(tiles)],
        limits, tiles.parent,
    )  # fmt: skip
    if ended.returncode or ended.stderr.strip():
        raise damaged(ended.stderr.strip())
    try:
        stream = json.loads(ended.stdout)["streams"][0]
        return {str(k): str(v) for k, v in stream.items()}
    except (ValueError, LookupError, AttributeError) as why:
        check_room(tiles.parent)  # ffprobe does not mind that nobody hears it
        raise NotUnderstood(f"its tiles cannot be read: {why}") from None


def is_sound(tiles: Path, count: int, limits: Limits) -> bool:
    """So many tiles, each decoded to its end without a word from the decoder."""
    ended = ran([*STRICT, str(tiles), *_EACH, "-f", "framecrc", "-"], limits, tiles.parent)
    frames = [line for line in ended.stdout.splitlines() if not line.startswith(b"#")]
    return ended.returncode == 0 and not ended.stderr.strip() and len(frames) == count


def damaged(words: str) -> Refused:
    """A tile is, as a decoder says."""
    return Refused(
        f"a tile is damaged ({last(words)}); it stays as it is",
        code="compress.source_damaged",
        remedy="if there is another copy of this photo, compare them",
    )


def last(words: str) -> str:
    """Of what a program said."""
    return (words.splitlines() or ["no reason given"])[-1]
