"""
Videos that must prove themselves: a candidate is decoded to its end and compared with its source, gate after gate.

Only one thing is believed of whoever made the candidate: what was seen of the source on the way (`Making`), so that a
source is asked and decoded once and not twice. Whole frames of the source are decoded afresh all the same.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from blake3 import blake3

from mediad.adapters import mov_graft, video_score
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.errnos import faults_of
from mediad.adapters.video_probe import Probe, Stream, probe, run
from mediad.adapters.video_sight import (
    Sight,
    Window,
    decoded,
    whole_frames,
    windows_of,
    worst_db,
)
from mediad.adapters.video_tool import FFMPEG
from mediad.adapters.workers import Limits
from mediad.errors import Refused
from mediad.model import Digest, Site
from mediad.ports import Judgement, Recipe

FLOOR_DB = 32.0  # a wrong or black picture is below 20, the worst of honest ones was 42
_READ_BYTES = 1 << 20
_MEGAPIXEL_BYTES = 180_000_000  # of addresses, for x265 with two frames at once


@dataclass(frozen=True, slots=True)
class Making:
    """What `render_video` saw of the source while it made a candidate, and figures of how it did that."""

    probe: Probe
    source: Sight
    figures: Mapping[str, object] = field(default_factory=dict)


def limits_for(seen: Probe, source: Path, limits: Limits) -> Limits:
    """What this video needs, where that is more than the usual; never a file larger than the source and some."""
    # Twenty times what x265 fast takes on one idle core.
    wall_s = min(60.0, limits.wall_s) + seen.frames * seen.megapixels * 4 / 3
    return replace(
        limits,
        memory_bytes=max(limits.memory_bytes, (1 << 30) + int(seen.megapixels * _MEGAPIXEL_BYTES)),
        cpu_s=max(limits.cpu_s, int(wall_s) * 6),
        wall_s=wall_s,
        file_bytes=int(source.stat().st_size * 1.2) + (4 << 20),
    )


def judge_video(
    source: Path, candidate: Path, recipe: Recipe, limits: Limits, making: Making | None = None
) -> Judgement:
    """
    Decode all of `candidate` and compare it with `source`: gate after gate, the first that says no is named.

    Raises only for the machine's own troubles (Retryable, NeedsOperator).
    """
    with faults_of(Site.SPOOL, candidate.name):
        before, after = source.stat().st_size, candidate.stat().st_size
        figures: dict[str, object] = {"source_bytes": before, "bytes": after, "crf": recipe.crf}
        figures |= making.figures if making else {}
        gates = _Gates(source, candidate, recipe, limits, making, figures)
        failed, why = _objection(gates)
        return Judgement(_digest(candidate), after, failed, why, figures)


def _objection(gates: "_Gates") -> tuple[str, str]:
    try:
        return next(((code, why) for code, why in gates.answers() if why), ("", ""))
    except Refused as error:  # a program could not read it, or took too long
        return error.code, error.what
    except NotUnderstood as error:
        return "compress.structure", str(error)


@dataclass(frozen=True, slots=True)
class _Gates:
    source: Path
    candidate: Path
    recipe: Recipe
    limits: Limits
    making: Making | None
    figures: dict[str, object]

    def answers(self) -> Iterator[tuple[str, str]]:
        """Each gate's code with its objection, "" when it has none; the cheap ones first."""
        if self.candidate.stat().st_size >= self.source.stat().st_size:
            yield "compress.bigger", "the candidate is not smaller than the original"
        old = self.making.probe if self.making else probe(self.source, self.limits)
        new = probe(self.candidate, self.limits)
        yield from _same_words(old, new)
        yield "compress.streams", _streams_differ(self.source, self.candidate, new, self.limits)
        yield "compress.structure", _structure_differs(self.source, self.candidate)
        moved = mov_graft.moved(self.source, self.candidate)
        yield "compress.frame_times", "frames are shown at other times" if moved else ""
        with tempfile.TemporaryDirectory(
            prefix="mediad-frames-", dir=self.limits.scratch
        ) as folder:
            yield from self._seen(old, new, Path(folder))

    def _seen(self, old: Probe, new: Probe, folder: Path) -> Iterator[tuple[str, str]]:
        limits = limits_for(old, self.source, self.limits)
        windows = windows_of(self.source, old)
        shown = decoded(self.candidate, new, limits, windows, folder / "new")
        if shown is None or shown.complaint:
            yield "compress.damaged", "the candidate does not decode to its end"
        wanted = self.making.source if self.making else decoded(self.source, old, limits)
        if shown is None or wanted is None:
            yield "compress.source_damaged", "the original does not decode to its end"
            return
        yield "compress.frames", _differs("frames", len(wanted.frames), len(shown.frames))
        is_same = _from_the_first(wanted) == _from_the_first(shown)
        yield (
            "compress.frame_times",
            "" if is_same else "frames moved in time or changed their size",
        )
        self.figures.update(frames=len(shown.frames), psnr_min_db=worst_db(wanted, shown))
        yield "compress.picture", _looks_different(wanted, shown)
        yield from self._scored(old, windows, folder, limits)

    def _scored(
        self, old: Probe, windows: Sequence[Window], folder: Path, limits: Limits
    ) -> Iterator[tuple[str, str]]:
        whole = whole_frames(self.source, old, windows, limits)
        (folder / "old").write_bytes(whole)
        if (
            len(whole) != (folder / "new").stat().st_size
        ):  # it cannot be entered there: from the start
            decoded(self.source, old, limits, windows, folder / "old")
        scores = video_score.scores(folder / "old", folder / "new", old, limits)
        self.figures.update(scores)
        self.figures["scored_frames"] = sum(window.frames for window in windows)
        yield "compress.score", video_score.below_floor(scores, self.recipe.crf)


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
        *(*FFMPEG, "-f", "mov", "-protocol_whitelist", "file,pipe"),
        *("-ignore_chapters", "1", "-i", str(path.absolute())),  # they are a track like any other
        *("-map", "0", "-map", "-0:v", "-copy_unknown", "-c", "copy"),
        *("-f", "streamhash", "-hash", "md5", "pipe:1"),
    ]
    done = run(command, limits)
    return done.stdout if done.returncode == 0 else b"unreadable: " + str(path).encode()


def _structure_differs(source: Path, candidate: Path) -> str:
    paths = mov_graft.changed(source, candidate)
    return f"changed beyond the picture: {', '.join(paths[:5])}" if paths else ""


def _from_the_first(sight: Sight) -> list[tuple[int, int, int]]:
    """When each frame is shown after the first, and its size; the coder may delay them all alike."""
    start = sight.frames[0][0] if sight.frames else 0
    return [(tick - start, wide, high) for tick, wide, high in sight.frames]


def _looks_different(old: Sight, new: Sight) -> str:
    worst = worst_db(old, new)
    if len(old.pictures) != len(new.pictures) or worst < FLOOR_DB:
        return f"it shows something else (PSNR {worst} dB)"
    return ""


def _digest(path: Path) -> Digest:
    hashed = blake3()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            hashed.update(part)
    return Digest(hashed.hexdigest())
