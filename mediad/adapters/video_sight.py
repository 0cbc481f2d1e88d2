"""
What a decoder sees in a film: each frame's time and size, small gray pictures of some of them, whole frames of a few.

Programs run with limits (workers), with `-f mov` forced and no protocol but files, so that text in a video's clothes
reaches no playlist reader. Edit lists are ignored, so that every frame of a film is seen; what they cut is compared
where they stand (mov_graft).
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mediad.adapters.mov_film import movie, shown
from mediad.adapters.video_probe import Probe, run, threads
from mediad.adapters.video_tool import FFMPEG, STRICT, uncut, untimed
from mediad.adapters.workers import Limits

_SIDE = 64  # of the small gray pictures that are compared
_SAMPLES = 48
_PLACES = (1 / 6, 1 / 2, 5 / 6)  # of a film, where whole frames are looked at
_MOST_A_PLACE = 8
_WHOLE_BYTES = 96 << 20  # of all whole frames of one film
_SAME_DB = 99.0
# Or frames that change their size on the way would be scaled back to that of the first, unseen, and raw frames would be
# "coded" by threads that do nothing but take memory.
_OUTPUT = ("-noautoscale", "-threads", "1")


@dataclass(frozen=True, slots=True)
class Sight:
    """All frames, as they are presented. `complaint` is what the decoder grumbled on the way."""

    # presentation time in ticks of the track; bytes of two decoded rows, of two columns: how wide and high
    frames: tuple[tuple[int, int, int], ...]
    pictures: tuple[bytes, ...]
    complaint: str = ""


class Window(NamedTuple):
    """Neighbouring frames: those from this place (counted as they are presented), which is shown at this tick."""

    first: int
    frames: int
    tick: int


def looking(seen: Probe, folder: Path) -> list[str]:
    """The outputs of an ffmpeg command that make a Sight of its only input; `sight_in` reads them."""
    small = f"select='not(mod(n,{_every(seen)}))',scale={_SIDE}:{_SIDE}:flags=area,format=gray"
    output = ("-map", "0:v:0", *_OUTPUT, *untimed())
    outputs = (
        ("crop=iw:2", "framecrc", "rows"),  # parts, because whole frames take long to add up
        ("crop=2:ih", "framecrc", "columns"),
        (small, "rawvideo", "pictures"),
    )
    return [
        word
        for filtering, kind, name in outputs
        for word in (*output, "-vf", filtering, "-f", kind, str(folder / name))
    ]


def sight_in(folder: Path, complaint: str) -> Sight | None:
    """None: ffmpeg said that all was well and left nothing to look at."""
    if not all((folder / name).exists() for name in ("rows", "columns", "pictures")):
        return None
    small = (folder / "pictures").read_bytes()
    pictures = (small[at : at + _SIDE * _SIDE] for at in range(0, len(small), _SIDE * _SIDE))
    rows, columns = (_frames(folder / name) for name in ("rows", "columns"))
    frames = ((tick, wide, high) for (tick, wide), (_, high) in zip(rows, columns, strict=False))
    return Sight(tuple(frames), tuple(pictures), complaint.strip())


def decoded(
    path: Path,
    seen: Probe,
    limits: Limits,
    windows: Sequence[Window] = (),
    whole: Path | None = None,
) -> Sight | None:
    """
    Decode all of it. None: it does not decode to its end.

    `whole` becomes the frames of `windows`, one behind the other, in the film's own pixel format.
    """
    with tempfile.TemporaryDirectory(prefix="mediad-video-", dir=limits.scratch) as name:
        folder = Path(name)
        command = [*FFMPEG, *_of(path, threads()), *looking(seen, folder)]
        if whole:
            chosen = "+".join(f"between(n,{w.first},{w.first + w.frames - 1})" for w in windows)
            command += ["-map", "0:v:0", *_OUTPUT, *untimed(), "-vf", f"select='{chosen}'"]
            command += ["-f", "rawvideo", str(whole)]
        done = run(command, _room(limits), folder)
        return None if done.returncode else sight_in(folder, done.stderr)


def whole_frames(path: Path, seen: Probe, windows: Sequence[Window], limits: Limits) -> bytes:
    """The decoded frames of these windows alone, found by their times; fewer where the decoder gives fewer."""
    with tempfile.TemporaryDirectory(prefix="mediad-video-", dir=limits.scratch) as name:
        folder = Path(name)
        parts = [folder / str(number) for number in range(len(windows))]
        command = [*FFMPEG]
        for window in windows:
            # Not a moment too early, or the decoder starts one sync point before.
            start = window.tick * 1_000_000 // seen.timescale
            command += _of(path, 1, "-seek_timestamp", "1", "-ss", f"{start}us", "-copyts")
        for number, (window, part) in enumerate(zip(windows, parts, strict=True)):
            command += ["-map", f"{number}:v:0", *_OUTPUT, *untimed()]
            command += ["-frames:v", str(window.frames), "-f", "rawvideo", str(part)]
        run(command, _room(limits), folder)
        return b"".join(part.read_bytes() for part in parts if part.exists())


def windows_of(source: Path, seen: Probe) -> list[Window]:
    """Where to look at whole frames: at sync points, from which a decoder needs nothing that was before."""
    with source.open("rb") as file:
        ticks, points = shown(movie(file).video)
    frame_bytes = seen.width * seen.height * (6 if seen.pixel_format.endswith("10le") else 3)
    most = max(1, min(_MOST_A_PLACE, _WHOLE_BYTES // len(_PLACES) // max(1, frame_bytes)))
    wanted = (min(points, key=lambda at: abs(at - len(ticks) * place)) for place in _PLACES)
    chosen = sorted(set(wanted))
    ends = [*chosen[1:], len(ticks)]
    return [
        Window(at, min(most, end - at), ticks[at]) for at, end in zip(chosen, ends, strict=True)
    ]


def worst_db(old: Sight, new: Sight) -> float:
    pairs = zip(old.pictures, new.pictures, strict=False)
    return min((_psnr_db(a, b) for a, b in pairs), default=0.0)


def _psnr_db(old: bytes, new: bytes) -> float:
    if len(old) != len(new):
        return 0.0
    error = math.dist(old, new) ** 2 / len(old)
    return round(10 * math.log10(255**2 / error), 1) if error else _SAME_DB


def _every(seen: Probe) -> int:
    return max(1, seen.frames // _SAMPLES)


def _of(path: Path, decoders: int, *begin: str) -> list[str]:
    """One input of ffmpeg; several decoders run ahead, and what they do is lost where a few frames are wanted."""
    source = ("-i", str(path.absolute()))
    return [*STRICT, "-threads", str(decoders), *uncut(), *begin, *source]


def _room(limits: Limits) -> Limits:
    """Decoded frames are larger than any film."""
    return replace(limits, file_bytes=max(limits.file_bytes, 10 * _WHOLE_BYTES))


def _frames(times: Path) -> Iterator[tuple[int, int]]:
    """`0, dts, pts, duration, size, crc`: what must not change is the third and the fifth."""
    for line in times.read_text().splitlines():
        if not line.startswith("#"):
            words = line.split(",")
            yield int(words[2]), int(words[4])
