"""Guards the gates of videos: an honest rendition passes each, a poisoned one is stopped by its own."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.adapters.mov_film import movie
from mediad.adapters.mov_graft import graft
from mediad.adapters.video import render_video
from mediad.adapters.video_gates import FLOOR_DB, Making, judge_video
from mediad.adapters.workers import Limits
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters.films import TURNED, UPRIGHT, coded, ffmpeg, film

RECIPE = Recipe("video-x265-crf20/1", Media.MOV, crf=20, encoder="libx265/ultrafast")
LIMITS = Limits()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("video") / "clip.mov")


@pytest.fixture(scope="session")
def making(clip: Path) -> Making:
    return render_video(clip, clip.with_name("honest.mov"), RECIPE, LIMITS)


@pytest.fixture(scope="session")
def honest(clip: Path, making: Making) -> Path:
    assert making.source.frames
    return clip.with_name("honest.mov")


def test_an_honest_rendition_passes_every_gate(clip: Path, honest: Path) -> None:
    judged = judge_video(clip, honest, RECIPE, LIMITS)
    assert (judged.failed, judged.why) == ("", "")
    assert judged.size == honest.stat().st_size < clip.stat().st_size
    assert judged.digest == blake3(honest.read_bytes()).hexdigest()
    assert judged.figures is not None
    assert judged.figures["frames"] == 60
    psnr = judged.figures["psnr_min_db"]
    assert isinstance(psnr, float)
    assert psnr > FLOOR_DB
    assert judged.figures["scored_frames"] == 24
    assert isinstance(judged.figures["ssim_db"], float)


def test_chapters_are_kept_and_no_objection(clip: Path, tmp_path: Path) -> None:
    words, source, target = tmp_path / "words", tmp_path / "source.mov", tmp_path / "target.mov"
    chapter = "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\ntitle={}\n"
    words.write_text(
        ";FFMETADATA1\n" + chapter.format(0, 900, "one") + chapter.format(900, 2400, "two")
    )
    ffmpeg("-i", clip, "-i", words, "-map", "0", "-map_chapters", "1", "-c", "copy", source)
    render_video(source, target, RECIPE, LIMITS)
    judged = judge_video(source, target, RECIPE, LIMITS)
    assert (judged.failed, judged.why) == ("", "")


def test_what_was_seen_of_the_source_on_the_way_is_what_is_seen_of_it_afresh(
    clip: Path, honest: Path, making: Making
) -> None:
    afresh = judge_video(clip, honest, RECIPE, LIMITS)
    spared = judge_video(clip, honest, RECIPE, LIMITS, making)
    assert spared.figures == {**(afresh.figures or {}), **making.figures}
    assert (spared.failed, spared.digest) == ("", afresh.digest)


def test_what_was_seen_on_the_way_must_fit_the_candidate(
    clip: Path, honest: Path, making: Making
) -> None:
    frames = making.source.frames
    for seen in (frames[:-1], ((frames[0][0] - 1, *frames[0][1:]), *frames[1:])):
        other = replace(making, source=replace(making.source, frames=seen))
        judged = judge_video(clip, honest, RECIPE, LIMITS, other)
        assert judged.failed in ("compress.frames", "compress.frame_times")


def test_a_picture_that_lost_too_much_is_stopped_by_the_floor(clip: Path, tmp_path: Path) -> None:
    poor = replace(RECIPE, crf=40)
    render_video(clip, tmp_path / "poor.mov", poor, LIMITS)
    judged = judge_video(clip, tmp_path / "poor.mov", poor, LIMITS)
    assert judged.failed in ("compress.score", "compress.picture")
    assert judged.why


def bigger(clip: Path, honest: Path, target: Path) -> None:
    target.write_bytes(
        honest.read_bytes() + struct.pack(">I4s", 9_000_000, b"free") + bytes(8_999_992)
    )
    assert target.stat().st_size > clip.stat().st_size


def nothing(_clip: Path, _honest: Path, target: Path) -> None:
    target.write_bytes(b"")


def cut_off(_clip: Path, honest: Path, target: Path) -> None:
    target.write_bytes(honest.read_bytes()[:-5000])


def garbled(_clip: Path, honest: Path, target: Path) -> None:
    """Noise over a frame in the middle of the film."""
    content = bytearray(honest.read_bytes())
    with honest.open("rb") as file:
        chunks = movie(file).video.chunks
    start, end = chunks[len(chunks) // 2]
    content[start:end] = b"\xff" * (end - start)
    target.write_bytes(content)


def silent(_clip: Path, honest: Path, target: Path) -> None:
    ffmpeg("-i", honest, "-map", "0:v", "-c", "copy", target)


def other_sound(_clip: Path, honest: Path, target: Path) -> None:
    """One bit of the tone: the tables say nothing about it."""
    content = bytearray(honest.read_bytes())
    with honest.open("rb") as file:
        (sound,) = (track for track in movie(file).tracks if track.handler == b"soun")
    content[sound.chunks[-1].start + 9] ^= 1
    target.write_bytes(content)


def unturned(_clip: Path, honest: Path, target: Path) -> None:
    content = honest.read_bytes()
    assert TURNED in content
    target.write_bytes(content.replace(TURNED, UPRIGHT))


def other_place(_clip: Path, honest: Path, target: Path) -> None:
    target.write_bytes(honest.read_bytes().replace(b"+47.", b"+00."))


def other_date(_clip: Path, honest: Path, target: Path) -> None:
    content = bytearray(honest.read_bytes())
    content[content.index(b"mvhd") + 8 + 3] = 77
    target.write_bytes(content)


def other_volume(_clip: Path, honest: Path, target: Path) -> None:
    content = bytearray(honest.read_bytes())
    content[content.index(b"mvhd") + 4 + 24] ^= 1
    target.write_bytes(content)


def uncut(_clip: Path, honest: Path, target: Path) -> None:
    """The edit list begins elsewhere: other frames are shown, all of them are there."""
    content = bytearray(honest.read_bytes())
    at = content.index(b"elst") + 4 + 8 + 4
    content[at : at + 4] = (int.from_bytes(content[at : at + 4], "big") + 512).to_bytes(4, "big")
    target.write_bytes(content)


def a_frame_held(clip: Path, _honest: Path, target: Path) -> None:
    """As many frames as before, but one of them stands still for half of the film."""
    options = ("-vf", "split[a][b];[a][b]freezeframes=first=20:last=50:replace=20")
    still = clip.with_name("still.mov")
    if not still.exists():
        ffmpeg("-noautorotate", "-ignore_editlist", "1", "-i", clip, "-map", "0:v", *options,
               "-vsync", "0", "-enc_time_base", "-1", "-c:v", "ffv1", "-f", "mov", still)  # fmt: skip
    graft(clip, coded(still, target.with_suffix(".part.mov")), target)


def shrunk(clip: Path, _honest: Path, target: Path) -> None:
    """From the middle on its frames are a quarter as large: what a decoder is told in the middle of the pictures."""
    halves: list[Path] = []
    for which, side in (("lt(n,36)", "iw"), ("gte(n,36)", "iw/2")):
        half = target.with_suffix(f".{len(halves)}.hevc")
        params = "log-level=error:pools=1:bframes=0:repeat-headers=1"
        ffmpeg("-noautorotate", "-ignore_editlist", "1", "-i", clip, "-map", "0:v", "-vsync", "0",
               "-vf", f"select='{which}',scale={side}:-2", "-c:v", "libx265", "-preset", "ultrafast",
               "-x265-params", params, half)  # fmt: skip
        halves.append(half)
    whole = target.with_suffix(".hevc")
    whole.write_bytes(b"".join(half.read_bytes() for half in halves))
    part = target.with_suffix(".part.mov")
    ffmpeg("-framerate", "25", "-i", whole, "-c", "copy", "-tag:v", "hvc1",
           "-video_track_timescale", "12800", part)  # fmt: skip
    graft(clip, part, target)


def black(clip: Path, _honest: Path, target: Path) -> None:
    options = ("-vf", "drawbox=color=black:thickness=fill")
    graft(clip, coded(clip, target.with_suffix(".part.mov"), *options), target)


def some_other_film(clip: Path, _honest: Path, target: Path) -> None:
    graft(clip, coded(clip, target.with_suffix(".part.mov"), "-vf", "hflip"), target)


def eight_bits(clip: Path, _honest: Path, target: Path) -> None:
    graft(clip, coded(clip, target.with_suffix(".part.mov"), "-pix_fmt", "yuv422p"), target)


def other_colours(clip: Path, _honest: Path, target: Path) -> None:
    options = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    graft(clip, coded(clip, target.with_suffix(".part.mov"), *options), target)


def shorter(clip: Path, _honest: Path, target: Path) -> None:
    options = ("-t", "2", "-map", "0", "-c:v", "libx264", "-crf", "30", "-c:a", "copy")
    ffmpeg("-noautorotate", "-i", clip, *options, target)


def smaller(clip: Path, _honest: Path, target: Path) -> None:
    ffmpeg("-noautorotate", "-i", clip, "-vf", "scale=96:72", "-c:a", "copy", target)


def stretched(_clip: Path, honest: Path, target: Path) -> None:
    """The second entry of the table of times: frames are shown later, nothing else changes."""
    content = bytearray(honest.read_bytes())
    at = content.index(b"ctts") + 12
    late = int.from_bytes(content[at + 4 : at + 8], "big")
    content[at + 4 : at + 8] = (late + 3).to_bytes(4, "big")
    target.write_bytes(content)


Poison = Callable[[Path, Path, Path], None]


@pytest.mark.parametrize(
    ("poison", "code"),
    [
        (bigger, "compress.bigger"),
        (nothing, "compress.damaged"),
        (cut_off, "compress.damaged"),
        (garbled, "compress.damaged"),
        (silent, "compress.streams"),
        (other_sound, "compress.streams"),
        (unturned, "compress.rotation"),
        (other_place, "compress.structure"),
        (other_date, "compress.tags"),
        (other_volume, "compress.structure"),
        (uncut, "compress.frame_times"),
        (a_frame_held, "compress.picture"),
        (shrunk, "compress.frame_times"),
        (black, "compress.picture"),
        (some_other_film, "compress.picture"),
        (eight_bits, "compress.colour"),
        (other_colours, "compress.colour"),
        (shorter, "compress.frames"),
        (smaller, "compress.dimensions"),
        (stretched, "compress.frame_times"),
    ],
)
def test_each_poison_is_stopped_by_its_own_gate(
    poison: Poison, code: str, clip: Path, honest: Path, tmp_path: Path
) -> None:
    target = tmp_path / "poisoned.mov"
    poison(clip, honest, target)
    judged = judge_video(clip, target, RECIPE, LIMITS)
    assert judged.failed == code, judged.why
    assert judged.why
