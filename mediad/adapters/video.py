"""
Smaller videos that must prove themselves.

`render_video` codes the picture track again, with the same frames, times, pixels and colours, and grafts it into the
original film. `judge_video` decodes a candidate to its end and compares it with its source; it trusts nothing that
`render_video` did. Both only read the source. Programs run with limits (workers), with `-f mov` forced and no
protocol but files, so that text in a video's clothes reaches no playlist reader.
"""

import errno
import math
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blake3 import blake3

from mediad.adapters import mov_graft
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.errnos import faults_of, translate
from mediad.adapters.video_probe import WHY, Probe, Stream, probe, run, suits
from mediad.adapters.workers import Finished, Limits
from mediad.errors import MediadError, NeedsOperator, Refused
from mediad.model import Digest, Media, Site
from mediad.ports import Judgement, Recipe

__all__ = ["WHY", "Probe", "judge_video", "probe", "render_video", "suits"]

_FFMPEG = ("ffmpeg", "-hide_banner", "-y", "-v", "error", "-nostdin")
_STRICT = ("-xerror", "-err_detect", "explode", "-f", "mov", "-protocol_whitelist", "file")
_UNTIMED = ("-vsync", "0", "-enc_time_base", "-1")  # frames keep the times they have

_PRESETS = {"libx265": "fast", "libx264": "medium", "libsvtav1": "10"}
_TAGS = {"libx265": "hvc1", "libx264": "avc1", "libsvtav1": "av01"}
_SVT_FORMATS = frozenset({"yuv420p", "yuv420p10le"})

_SIDE = 64  # of the small gray pictures that are compared
_SAMPLES = 48
FLOOR_DB = 32.0  # a wrong or black picture is below 20, the worst of honest ones was 42
_READ_BYTES = 1 << 20


def render_video(source: Path, target: Path, recipe: Recipe, limits: Limits) -> None:
    """
    Write `target` (new, fsynced), or raise and leave nothing.

    `recipe.encoder` is libx265, libx264 or libsvtav1, with "/preset" when not the usual one. Refused(compress.*) says
    that this video is better left as it is; Retryable and NeedsOperator are about the machine, not about the video.
    """
    with faults_of(Site.SPOOL, source.name):
        seen = probe(source, limits)
        _check_suits(seen, recipe)
        _render(source, target, seen, recipe, _limits_for(seen, source, limits))


def _render(source: Path, target: Path, seen: Probe, recipe: Recipe, limits: Limits) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".video-") as folder:
        encoded = Path(folder) / "picture.mov"
        command = _encode_command(source, encoded, seen, recipe)
        done = run(command, limits, Path(folder))
        if done.returncode:
            raise _failure(done, source, limits)
        _graft(source, encoded, target)


def _check_suits(seen: Probe, recipe: Recipe) -> None:
    encoder = recipe.encoder.partition("/")[0]
    if encoder not in _PRESETS:
        raise _no_encoder(encoder)
    code = suits(seen) or _unsuited_to(encoder, seen, recipe.media)
    if code:
        detail = f" ({seen.flaw})" if code == "compress.structure" else ""
        raise Refused(
            f"the video is left as it is: {WHY[code]}{detail}",
            code=code,
            remedy="nothing needs to be done: the original is kept whole",
        )


def _no_encoder(encoder: str) -> NeedsOperator:
    return NeedsOperator(
        f"ffmpeg has no video encoder {encoder!r}; videos wait",
        code="compress.encoder",
        remedy="choose another compress.video.codec, or install a full ffmpeg",
    )


def _unsuited_to(encoder: str, seen: Probe, media: Media) -> str:
    is_av1 = encoder == "libsvtav1"
    reasons = (
        ("compress.untouched_container", media not in (Media.MOV, Media.MP4)),
        ("compress.av1_in_mov", is_av1 and media is Media.MOV),
        ("compress.pixel_format", is_av1 and seen.pixel_format not in _SVT_FORMATS),
        ("compress.hdr_needs_x265", seen.is_hdr and encoder != "libx265"),
    )
    return next((code for code, is_so in reasons if is_so), "")


def _limits_for(seen: Probe, source: Path, limits: Limits) -> Limits:
    """What this video needs, where that is more than the usual; never a file larger than the source and some."""
    wall_s = (
        60 + seen.frames * seen.megapixels * 2 / 3
    )  # ten times what x265 fast takes on one idle core
    return replace(
        limits,
        memory_bytes=max(limits.memory_bytes, (1 << 30) + int(seen.megapixels * 140e6)),
        cpu_s=max(limits.cpu_s, int(wall_s) * (_threads() + 2)),
        wall_s=max(limits.wall_s, wall_s),
        file_bytes=int(source.stat().st_size * 1.2) + (4 << 20),
    )


def _threads() -> int:
    """All cores, at the lowest priority that the workers have; more than four gain little at these sizes."""
    return max(1, min(4, len(os.sched_getaffinity(0))))


def _encode_command(source: Path, encoded: Path, seen: Probe, recipe: Recipe) -> list[str]:
    encoder, _, preset = recipe.encoder.partition("/")
    colour = seen.colour
    named = (
        ("-color_range", colour.range),
        ("-colorspace", colour.space),
        ("-color_trc", colour.transfer),
        ("-color_primaries", colour.primaries),
    )
    return [
        *(*_FFMPEG, *_STRICT, "-threads", "1", "-noautorotate", "-ignore_editlist", "1"),
        *("-i", str(source.absolute())),
        *("-map", "0:v:0", "-an", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"),
        *_UNTIMED,
        *("-c:v", encoder, "-preset", preset or _PRESETS[encoder], "-crf", str(recipe.crf)),
        *("-pix_fmt", seen.pixel_format),
        *(word for option, value in named if value for word in (option, value)),
        *_coder_options(encoder, seen),
        *("-tag:v", _TAGS[encoder], "-video_track_timescale", str(seen.timescale)),
        *("-f", "mp4" if encoder == "libsvtav1" else "mov", str(encoded)),  # MOV cannot hold AV1
    ]


def _coder_options(encoder: str, seen: Probe) -> list[str]:
    if encoder != "libx265":
        return ["-threads", str(_threads())]
    options = ["log-level=error", f"pools={_threads()}", "frame-threads=1"]
    if seen.colour.mastering:
        options.append(f"master-display={seen.colour.mastering}")
    if seen.colour.light:
        options.append(f"max-cll={seen.colour.light}")
    return ["-x265-params", ":".join(options)]


def _failure(done: Finished, source: Path, limits: Limits) -> MediadError:
    """Which of the three was it: the machine, the coder, or the source?"""
    if "No space left" in done.stderr:
        return translate(OSError(errno.ENOSPC, ""), Site.SPOOL, source.name)
    if "Unknown encoder" in done.stderr:
        return _no_encoder(done.stderr.partition("'")[2].partition("'")[0])
    if done.returncode == -signal.SIGXCPU:
        code, what = "compress.timeout", "coding the video took too long"
    elif done.returncode == -signal.SIGXFSZ or "File too large" in done.stderr:
        code, what = "compress.bigger", "the video would become larger"
    elif _decoded(source, 1 << 20, limits) is None:
        code, what = "compress.source_damaged", "the picture track is damaged"
    else:
        code, what = "compress.encoder_failed", "the coder gave up on the video"
    return Refused(
        f"{what}; the original is kept as it is",
        code=code,
        remedy="play it: if it is broken, look for a better copy at its source"
        if code == "compress.source_damaged"
        else "nothing needs to be done: the original is kept whole",
    )


def _graft(source: Path, encoded: Path, target: Path) -> None:
    try:
        mov_graft.graft(source, encoded, target)
    except NotUnderstood as error:
        raise Refused(
            f"the smaller picture does not fit the original film ({error}); the original is kept as it is",
            code="compress.structure",
            remedy="nothing needs to be done: the original is kept whole",
        ) from error


# Judging


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Every frame's time and size in bytes, as they are presented, and some of them as small gray pictures."""

    frames: tuple[str, ...]
    pictures: tuple[bytes, ...]
    complaint: str  # what the decoder grumbled on the way; allowed to foreign films only


def judge_video(source: Path, candidate: Path, recipe: Recipe, limits: Limits) -> Judgement:
    """
    Decode all of `candidate` and compare it with `source`: gate after gate, the first that says no is named.

    Raises only for the machine's own troubles (Retryable, NeedsOperator).
    """
    with faults_of(Site.SPOOL, candidate.name):
        before, after = source.stat().st_size, candidate.stat().st_size
        figures: dict[str, object] = {"source_bytes": before, "bytes": after, "crf": recipe.crf}
        failed, why = _objection(source, candidate, limits, figures)
        return Judgement(_digest(candidate), after, failed, why, figures)


def _objection(
    source: Path, candidate: Path, limits: Limits, figures: dict[str, object]
) -> tuple[str, str]:
    try:
        gates = _gates(source, candidate, limits, figures)
        return next(((code, why) for code, why in gates if why), ("", ""))
    except Refused as error:  # a program could not read it, or took too long
        return error.code, error.what


def _gates(
    source: Path, candidate: Path, limits: Limits, figures: dict[str, object]
) -> Iterator[tuple[str, str]]:
    """Each gate's code with its objection, "" when it has none; the cheap ones first."""
    if candidate.stat().st_size >= source.stat().st_size:
        yield "compress.bigger", "the candidate is not smaller than the original"
    old, new = probe(source, limits), probe(candidate, limits)
    yield from _same_words(old, new)
    yield "compress.streams", _streams_differ(source, candidate, new, limits)
    yield "compress.structure", _structure_differs(source, candidate)
    limits = _limits_for(old, source, limits)
    every = max(1, old.frames // _SAMPLES)
    shown = _decoded(candidate, every, limits)
    if shown is None or shown.complaint:
        yield "compress.damaged", "the candidate does not decode to its end"
    wanted = _decoded(source, every, limits)
    if shown is None or wanted is None:
        yield "compress.source_damaged", "the original does not decode to its end"
        return
    yield "compress.frames", _differs("frames", len(wanted.frames), len(shown.frames))
    is_same = wanted.frames == shown.frames
    yield "compress.frame_times", "" if is_same else "frames moved in time or changed their size"
    figures |= {"frames": len(shown.frames), "psnr_min_db": _worst_db(wanted, shown)}
    yield "compress.picture", _looks_different(wanted, shown)


def _same_words(old: Probe, new: Probe) -> Iterator[tuple[str, str]]:
    yield "compress.damaged", new.flaw or ("" if new.videos else "it has no picture track")
    size, new_size = (old.width, old.height), (new.width, new.height)
    yield "compress.dimensions", _differs("size", size, new_size)
    yield "compress.rotation", _differs("rotation", old.rotation, new.rotation)
    yield "compress.colour", _differs("pixel format", old.pixel_format, new.pixel_format)
    yield "compress.colour", _differs("colour", old.colour, new.colour)
    yield "compress.frames", _differs("number of frames", old.frames, new.frames)
    yield "compress.streams", _differs("tracks", _kinds(old.streams), _kinds(new.streams))
    yield "compress.duration", _durations_differ(old.streams, new.streams)
    yield "compress.tags", _differs("tags", _tags_of(old), _tags_of(new))


def _kinds(streams: Sequence[Stream]) -> list[tuple[str, str, str]]:
    return [
        (stream.kind, stream.time_base, "" if stream.kind == "video" else stream.codec)
        for stream in streams
    ]


def _durations_differ(old: Sequence[Stream], new: Sequence[Stream]) -> str:
    """More than one tick: of the track's own clock, or of the movie's, in which edit lists count (1/600 s)."""
    for before, after in zip(old, new, strict=True):
        timescale = int(before.time_base.partition("/")[2] or 1)
        if abs(before.ticks - after.ticks) > max(1, timescale // 600):
            return f"the duration of a track changed: {before.ticks} ticks became {after.ticks}"
    return ""


def _tags_of(seen: Probe) -> list[object]:
    """All but the name of the coder of the picture."""
    told: list[object] = [seen.tags]
    for stream in seen.streams:
        own = stream.kind == "video"
        told.append([tag for tag in stream.tags if not (own and tag[0] == "encoder")])
    return told


def _differs(what: str, old: object, new: object) -> str:
    return "" if old == new else f"the {what} changed: {old} became {new}"


def _streams_differ(source: Path, candidate: Path, new: Probe, limits: Limits) -> str:
    if new.is_video_alone:
        return ""
    old_hashes, new_hashes = (_stream_hashes(path, limits) for path in (source, candidate))
    return "" if old_hashes == new_hashes else "sound or timed data is not what it was"


def _stream_hashes(path: Path, limits: Limits) -> bytes:
    command = [
        *_FFMPEG,
        "-f",
        "mov",
        "-protocol_whitelist",
        "file,pipe",
        "-i",
        str(path.absolute()),
    ]
    command += ["-map", "0", "-map", "-0:v", "-copy_unknown", "-c", "copy"]
    command += ["-f", "streamhash", "-hash", "md5", "pipe:1"]
    done = run(command, limits)
    return done.stdout if done.returncode == 0 else b"unreadable: " + str(path).encode()


def _structure_differs(source: Path, candidate: Path) -> str:
    try:
        paths = mov_graft.changed(source, candidate)
    except NotUnderstood as error:
        return str(error)
    return f"changed beyond the picture: {', '.join(paths[:5])}" if paths else ""


def _decoded(path: Path, every: int, limits: Limits) -> _Decoded | None:
    """None: it does not decode to its end."""
    with tempfile.TemporaryDirectory(prefix="mediad-video-") as folder:
        times, pictures = Path(folder) / "times", Path(folder) / "pictures"
        small = f"select='not(mod(n,{every}))',scale={_SIDE}:{_SIDE}:flags=area,format=gray"
        done = run(
            [
                *(*_FFMPEG, *_STRICT, "-threads", str(_threads()), "-noautorotate"),
                *("-i", str(path.absolute())),
                *("-map", "0:v:0", *_UNTIMED, "-f", "framecrc", str(times)),
                *("-map", "0:v:0", *_UNTIMED, "-vf", small, "-f", "rawvideo", str(pictures)),
            ],
            limits,
            Path(folder),
        )
        if done.returncode:
            return None
        samples = tuple(_cut(pictures.read_bytes()))
        return _Decoded(tuple(_frame_lines(times)), samples, done.stderr.strip())


def _frame_lines(times: Path) -> Iterator[str]:
    """`0, dts, pts, duration, size, crc`: what must not change is the third and the fifth."""
    for line in times.read_text().splitlines():
        if not line.startswith("#"):
            words = line.split(",")
            yield f"{words[2].strip()} {words[4].strip()}"


def _cut(pictures: bytes) -> Iterator[bytes]:
    for start in range(0, len(pictures), _SIDE * _SIDE):
        yield pictures[start : start + _SIDE * _SIDE]


def _looks_different(old: _Decoded, new: _Decoded) -> str:
    worst = _worst_db(old, new)
    if len(old.pictures) != len(new.pictures) or worst < FLOOR_DB:
        return f"it shows something else (PSNR {worst} dB)"
    return ""


def _worst_db(old: _Decoded, new: _Decoded) -> float:
    pairs = zip(old.pictures, new.pictures, strict=False)
    return min((_psnr_db(a, b) for a, b in pairs), default=0.0)


def _psnr_db(old: bytes, new: bytes) -> float:
    error = sum((a - b) ** 2 for a, b in zip(old, new, strict=False)) / len(old)
    return round(10 * math.log10(255**2 / error), 1) if error else 99.0


def _digest(path: Path) -> Digest:
    hashed = blake3()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            hashed.update(part)
    return Digest(hashed.hexdigest())
