"""What a video is, as ffprobe and its own boxes tell it. Whether it is made smaller is for video_rules to say."""

import json
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from mediad.adapters.bmff import FileView, NotUnderstood, boxes
from mediad.adapters.mov_check import DolbyVision, Encrypted, Spatial
from mediad.adapters.mov_film import Fragmented, SeveralDescriptions
from mediad.adapters.mov_graft import graftable
from mediad.adapters.workers import Finished, Limits, killed, run_limited
from mediad.errors import Refused

_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_NAMED: Mapping[type[NotUnderstood], str] = {
    Fragmented: "compress.fragmented",
    Encrypted: "compress.encrypted",
    Spatial: "compress.spatial",
    SeveralDescriptions: "compress.several_descriptions",
    DolbyVision: "compress.dolby_vision",
}
_SEF_BYTES = 1 << 16
_CAPTURED_FPS = "com.android.capture.fps"
_SLOWED = 1.5  # filmed so much faster than it is shown
_LIVE = "com.apple.quicktime.content.identifier"

# ffprobe -f mov forces the demuxer and no protocol but file: text that is named .mov reaches no playlist reader.
_PROBE = ("ffprobe", "-v", "error", "-f", "mov", "-protocol_whitelist", "file", "-of", "json")
_FIRST = ("-show_frames", "-read_intervals", "%+#1")  # what comes of the first packet


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
    flaw: str = ""  # why its structure cannot be kept; "" when it can
    flaw_code: str = ""  # of a flaw that has a name
    videos: int = 0
    codec: str = ""
    pixel_format: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    timescale: int = 0
    frames: int = 0
    duration_s: float = 0.0
    frames_a_second: float = 0.0
    is_marked_slow: bool = False  # it says that it was filmed to be shown slowed down
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


def probe(source: Path, limits: Limits) -> Probe:
    """
    Look at a video without decoding more than its first frame.

    Raises Refused(compress.unreadable) when ffprobe cannot make sense of a MOV or MP4.
    """
    if not _is_iso(source):
        return Probe()
    flaw, code = _flaw(source)
    if code == "compress.fragmented":
        return Probe(is_iso=True, flaw=flaw, flaw_code=code)
    whole = _asked(source, limits, "-show_format", "-show_streams", *_FIRST)
    first = whole  # of the picture in most films, but some begin with sound
    if not _has_picture(whole):
        first = _asked(source, limits, "-select_streams", "v:0", *_FIRST)
    seen = read_probe(whole, first)
    is_dolby = code == "compress.dolby_vision"
    return replace(
        seen,
        flaw="" if is_dolby else flaw,
        flaw_code="" if is_dolby else code,
        is_dolby_vision=seen.is_dolby_vision or is_dolby,
        is_marked_slow=seen.is_marked_slow or _has_slow_part(source),
    )


def _has_picture(answer: Mapping[str, object]) -> bool:
    """Is there a frame of the track that counts, the first of pictures?"""
    videos = (s for s in _list(answer.get("streams")) if s.get("codec_type") == "video")
    first = next(videos, {}).get("index")
    return any(frame.get("stream_index") == first for frame in _list(answer.get("frames")))


def _flaw(source: Path) -> tuple[str, str]:
    """Why its structure cannot be kept, with the code of what has a name."""
    try:
        graftable(source)
    except NotUnderstood as error:
        return str(error), next(
            (code for kind, code in _NAMED.items() if isinstance(error, kind)), ""
        )
    return "", ""


def _has_slow_part(source: Path) -> bool:
    """Samsung writes behind the film which part of it is to be shown slowly."""
    with source.open("rb") as file:
        view = FileView(file.fileno())
        try:
            last = [box for box in boxes(view, 0, len(view)) if box.type == b"sefd"]
        except NotUnderstood:
            return False
        return any(
            b"SlowMotion" in view[box.body : min(box.end, box.body + _SEF_BYTES)] for box in last
        )


def threads() -> int:
    """All cores, at the lowest priority that the workers have; more than four gain little at these sizes."""
    return max(1, min(4, len(os.sched_getaffinity(0))))


def _is_iso(source: Path) -> bool:
    with source.open("rb") as file:
        view = FileView(file.fileno())
        return len(view) >= 8 and view[4:8] in _FIRST_BOXES  # noqa: PLR2004 - one box header


def run(argv: Sequence[str], limits: Limits, cwd: Path | None = None) -> Finished:
    """One program to its end. Raises Retryable when the system killed it: that says nothing about the video."""
    done = run_limited(
        argv, limits=limits, cwd=cwd or limits.scratch or Path(tempfile.gettempdir())
    )
    if done.returncode == -signal.SIGKILL:
        raise killed(argv[0])
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


def read_probe(whole: Mapping[str, object], first: Mapping[str, object]) -> Probe:
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
    rate = _ratio(_text(video, "avg_frame_rate"))
    return Probe(
        is_iso=True,
        videos=len(videos),
        codec=_text(video, "codec_name"),
        pixel_format=_text(video, "pix_fmt"),
        width=_number(video, "width"),
        height=_number(video, "height"),
        rotation=next((_number(extra, "rotation") for extra in extras if "rotation" in extra), 0),
        timescale=int(timed[2:]) if timed.startswith("1/") and timed[2:].isdigit() else 0,
        frames=_number(video, "nb_frames"),
        duration_s=_decimal(container, "duration"),
        frames_a_second=rate,
        is_marked_slow=_filmed_at(tags) > _SLOWED * max(1.0, rate),
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


def _decimal(holder: Mapping[str, object], key: str) -> float:
    try:
        return float(_text(holder, key) or "0")
    except ValueError:
        return 0.0


def _ratio(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        return 0.0


def _filmed_at(tags: Sequence[tuple[str, str]]) -> float:
    """Frames a second in the world, where a phone says so."""
    return _decimal(dict(tags), _CAPTURED_FPS)
