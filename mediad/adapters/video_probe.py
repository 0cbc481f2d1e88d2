"""
What a video is, as ffprobe and its own boxes tell it, and whether it can be made smaller without losing anything.

`suits` is the whole policy and pure: "" or the stable code of why a video is left as it is; WHY has the sentences.
"""

import json
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from mediad.adapters.bmff import FileView, NotUnderstood
from mediad.adapters.mov_film import Fragmented
from mediad.adapters.mov_graft import graftable
from mediad.adapters.workers import Finished, Limits, run_limited
from mediad.errors import Refused, Retryable

SHORTEST_S = 2.0  # nothing to gain below, but by Live Photos, which come by the thousand

WHY: Mapping[str, str] = {
    "compress.untouched_container": "only MOV and MP4 videos are made smaller; other containers are left as they are",
    "compress.no_video": "there is no picture track in it",
    "compress.several_videos": "it has several picture tracks (cinematic, spatial, two lenses), and one would be lost",
    "compress.dolby_vision": "its Dolby Vision layer would be lost",
    "compress.dynamic_hdr": "its scene-by-scene HDR10+ data would be lost",
    "compress.codec": "only H.264 and HEVC are coded again; the gain from others is small or their loss is not",
    "compress.interlaced": "it is interlaced, and coding it again would harm it",
    "compress.pixel_format": "its pixel format is not one that can be kept exactly",
    "compress.fragmented": "it is a film in fragments",
    "compress.structure": "its inner structure is not one that can be kept exactly",
    "compress.av1_in_mov": "AV1 has no place in a MOV film; MP4 films can hold it",
    "compress.hdr_needs_x265": "its HDR is kept whole by libx265 only",
    "compress.short": "it is shorter than two seconds, so there is little to gain",
}

_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_CODECS = frozenset({"h264", "hevc"})
_PIXEL_FORMATS = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv420p10le", "yuv422p10le"}
)
_LIVE = "com.apple.quicktime.content.identifier"

# ffprobe -f mov forces the demuxer and no protocol but file: text that is named .mov reaches no playlist reader.
_PROBE = ("ffprobe", "-v", "error", "-f", "mov", "-protocol_whitelist", "file", "-of", "json")


@dataclass(frozen=True, slots=True)
class Stream:
    """One track as ffprobe sees it; what must be the same before and after."""

    kind: str
    codec: str
    ticks: int
    time_base: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Colour:
    """The words of ffprobe, "" for what is not told."""

    range: str = ""
    space: str = ""
    transfer: str = ""
    primaries: str = ""
    mastering: str = ""  # as x265 wants it: G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)
    light: str = ""  # max_content,max_average


@dataclass(frozen=True, slots=True)
class Probe:
    is_iso: bool = False  # MOV or MP4, by content
    is_fragmented: bool = False
    flaw: str = ""  # why its structure cannot be kept; "" when it can
    videos: int = 0
    codec: str = ""
    pixel_format: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    timescale: int = 0
    frames: int = 0
    duration_s: float = 0.0
    colour: Colour = Colour()
    is_interlaced: bool = False
    is_dolby_vision: bool = False
    is_dynamic_hdr: bool = False
    is_live: bool = False  # the movie half of a Live Photo
    streams: tuple[Stream, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def is_hdr(self) -> bool:
        return self.colour.transfer in ("smpte2084", "arib-std-b67")

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6

    @property
    def is_video_alone(self) -> bool:
        return all(stream.kind == "video" for stream in self.streams)


def suits(probe: Probe) -> str:
    """Why this video is left as it is; "" when it may be made smaller."""
    reasons = (
        ("compress.untouched_container", not probe.is_iso),
        ("compress.fragmented", probe.is_fragmented),
        ("compress.no_video", probe.videos == 0),
        ("compress.several_videos", probe.videos > 1),
        ("compress.dolby_vision", probe.is_dolby_vision),
        ("compress.dynamic_hdr", probe.is_dynamic_hdr),
        ("compress.codec", probe.codec not in _CODECS),
        ("compress.interlaced", probe.is_interlaced),
        ("compress.pixel_format", probe.pixel_format not in _PIXEL_FORMATS),
        ("compress.structure", bool(probe.flaw) or probe.timescale == 0),
        ("compress.short", probe.duration_s < SHORTEST_S and not probe.is_live),
    )
    return next((code for code, is_so in reasons if is_so), "")


def probe(source: Path, limits: Limits) -> Probe:
    """
    Look at a video without decoding more than its first frame.

    Raises Refused(compress.unreadable) when ffprobe cannot make sense of a MOV or MP4.
    """
    if not _is_iso(source):
        return Probe()
    try:
        graftable(source)
    except Fragmented:
        return Probe(is_iso=True, is_fragmented=True)
    except NotUnderstood as error:
        flaw = str(error)
    else:
        flaw = ""
    whole = _asked(source, limits, "-show_format", "-show_streams")
    first = _asked(
        source, limits, "-select_streams", "v:0", "-show_frames", "-read_intervals", "%+#1"
    )
    return read_probe(whole, first, flaw)


def _is_iso(source: Path) -> bool:
    with source.open("rb") as file:
        view = FileView(file.fileno())
        return len(view) >= 8 and view[4:8] in _FIRST_BOXES  # noqa: PLR2004 - one box header


def run(argv: Sequence[str], limits: Limits, cwd: Path | None = None) -> Finished:
    """One program to its end. Raises Retryable when the system killed it: that says nothing about the video."""
    done = run_limited(argv, limits=limits, cwd=cwd or Path(tempfile.gettempdir()))
    if done.returncode == -signal.SIGKILL:
        raise Retryable(
            f"the system stopped {argv[0]} (out of memory?); the original is untouched",
            code="compress.killed",
            remedy="give the machine more memory, or code fewer videos at once",
        )
    return done


def _asked(source: Path, limits: Limits, *question: str) -> Mapping[str, object]:
    done = run([*_PROBE, *question, str(source.absolute())], limits)
    try:
        answer = json.loads(done.stdout.decode("utf-8", "surrogateescape"))
    except ValueError:
        answer = None
    if done.returncode or not isinstance(answer, dict):
        raise Refused(
            "ffprobe cannot read the video; it is left as it is",
            code="compress.unreadable",
            remedy="play it: if it is broken, look for a better copy at its source",
        )
    return answer


def read_probe(whole: Mapping[str, object], first: Mapping[str, object], flaw: str) -> Probe:
    """The answers of ffprobe (streams and format; the first frame) as one Probe. Believes no type."""
    streams = _list(whole.get("streams"))
    videos = [stream for stream in streams if stream.get("codec_type") == "video"]
    video = videos[0] if videos else {}
    frame = next(iter(_list(first.get("frames"))), {})
    container = _map(whole.get("format"))
    extras = [*_list(video.get("side_data_list")), *_list(frame.get("side_data_list"))]
    kinds = {_text(extra, "side_data_type") for extra in extras}
    tags = _tags(container)
    timed = _text(video, "time_base")
    return Probe(
        is_iso=True,
        flaw=flaw,
        videos=len(videos),
        codec=_text(video, "codec_name"),
        pixel_format=_text(video, "pix_fmt"),
        width=_number(video, "width"),
        height=_number(video, "height"),
        rotation=next((_number(extra, "rotation") for extra in extras if "rotation" in extra), 0),
        timescale=int(timed[2:]) if timed.startswith("1/") and timed[2:].isdigit() else 0,
        frames=_number(video, "nb_frames"),
        duration_s=_seconds(container),
        colour=_colour(video, extras),
        is_interlaced=_text(video, "field_order") not in ("", "unknown", "progressive")
        or _number(frame, "interlaced_frame") != 0,
        is_dolby_vision=any(kind.startswith(("DOVI", "Dolby Vision")) for kind in kinds),
        is_dynamic_hdr=any("HDR Dynamic" in kind for kind in kinds),
        is_live=any(key == _LIVE for key, _ in tags),
        streams=tuple(_stream(stream) for stream in streams),
        tags=tags,
    )


def _stream(stream: Mapping[str, object]) -> Stream:
    codec = _text(stream, "codec_name") or _text(stream, "codec_tag_string")
    ticks, base = _number(stream, "duration_ts"), _text(stream, "time_base")
    return Stream(_text(stream, "codec_type"), codec, ticks, base, _tags(stream))


def _tags(holder: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, str(value)) for key, value in _map(holder.get("tags")).items()))


def _colour(video: Mapping[str, object], extras: Sequence[Mapping[str, object]]) -> Colour:
    def told(name: str) -> str:
        word = _text(video, name)
        return "" if word in ("unknown", "reserved") else word

    mastering = next((_mastering(extra) for extra in extras if "red_x" in extra), "")
    light = next(
        (
            f"{_number(e, 'max_content')},{_number(e, 'max_average')}"
            for e in extras
            if "max_content" in e
        ),
        "",
    )
    usual = "pc" if _text(video, "pix_fmt").startswith("yuvj") else "tv"  # when it is not told
    return Colour(
        told("color_range") or usual,
        told("color_space"),
        told("color_transfer"),
        told("color_primaries"),
        mastering,
        light,
    )


def _mastering(extra: Mapping[str, object]) -> str:
    def units(name: str, per: int) -> str:
        try:
            return str(round(Fraction(_text(extra, name)) * per))
        except (ValueError, ZeroDivisionError):
            return "0"

    points = (("G", "green"), ("B", "blue"), ("R", "red"), ("WP", "white_point"))
    told = "".join(
        f"{mark}({units(f'{name}_x', 50_000)},{units(f'{name}_y', 50_000)})"
        for mark, name in points
    )
    return f"{told}L({units('max_luminance', 10_000)},{units('min_luminance', 10_000)})"


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Mapping[str, object]]:
    return [_map(item) for item in value] if isinstance(value, list) else []


def _text(holder: Mapping[str, object], key: str) -> str:
    return str(holder.get(key, ""))


def _number(holder: Mapping[str, object], key: str) -> int:
    try:
        return int(_text(holder, key) or "0")
    except ValueError:
        return 0


def _seconds(holder: Mapping[str, object]) -> float:
    try:
        return float(_text(holder, "duration") or "0")
    except ValueError:
        return 0.0
