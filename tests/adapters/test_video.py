"""Guards smaller videos: an honest one passes every gate, a poisoned one is stopped by its own gate."""

import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.adapters.mov_film import movie
from mediad.adapters.mov_graft import graft
from mediad.adapters.video import FLOOR_DB, _failure, judge_video, probe, render_video
from mediad.adapters.video_probe import run
from mediad.adapters.workers import Finished, Limits
from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters.films import TURNED, UPRIGHT, coded, ffmpeg, film

RECIPE = Recipe("video-x265-crf28/1", Media.MOV, crf=28, encoder="libx265/ultrafast")
MP4 = Recipe("video-x265-crf28/1", Media.MP4, crf=28, encoder="libx265/ultrafast")
LIMITS = Limits()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("video") / "clip.mov")


@pytest.fixture(scope="session")
def honest(clip: Path) -> Path:
    target = clip.with_name("honest.mov")
    render_video(clip, target, RECIPE, LIMITS)
    return target


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


def test_the_source_is_not_touched_and_nothing_is_left_over(clip: Path, tmp_path: Path) -> None:
    before, stat = clip.read_bytes(), clip.stat()
    render_video(clip, tmp_path / "new.mov", RECIPE, LIMITS)
    judge_video(clip, tmp_path / "new.mov", RECIPE, LIMITS)
    assert clip.read_bytes() == before
    assert clip.stat().st_mtime_ns == stat.st_mtime_ns
    assert [path.name for path in tmp_path.iterdir()] == ["new.mov"]


def test_colours_hdr_words_and_depth_are_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "hdr.mp4", tmp_path / "new.mp4"
    master = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    film(
        source,
        *("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"),
        *("-x265-params", f"log-level=error:pools=1:master-display={master}:max-cll=900,200"),
        *("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"),
    )
    seen = probe(source, LIMITS)
    assert (seen.colour.mastering, seen.colour.light) == (master, "900,200")
    render_video(source, target, MP4, LIMITS)
    assert probe(target, LIMITS).colour == seen.colour
    assert judge_video(source, target, MP4, LIMITS).failed == ""


@pytest.mark.parametrize(
    ("encoder", "suffix", "codec"),
    [("libx264/ultrafast", ".mov", "h264"), ("libsvtav1", ".mp4", "av1")],
)
def test_other_encoders_pass_too(encoder: str, suffix: str, codec: str, tmp_path: Path) -> None:
    source, target = film(tmp_path / f"clip{suffix}"), tmp_path / f"new{suffix}"
    media = Media.MOV if suffix == ".mov" else Media.MP4
    recipe = Recipe("other/1", media, crf=30, encoder=encoder)
    render_video(source, target, recipe, LIMITS)
    assert probe(target, LIMITS).codec == codec
    assert judge_video(source, target, recipe, LIMITS).failed == ""


# Poison


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


# Refusing


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        (Recipe("x", Media.AVI, crf=28, encoder="libx265"), "compress.untouched_container"),
        (Recipe("x", Media.MOV, crf=28, encoder="libsvtav1"), "compress.av1_in_mov"),
    ],
)
def test_a_recipe_that_does_not_suit_is_refused(
    recipe: Recipe, code: str, clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as refused:
        render_video(clip, tmp_path / "new.mov", recipe, LIMITS)
    assert refused.value.code == code
    assert refused.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_encoder_is_asked_about(clip: Path, tmp_path: Path) -> None:
    recipe = Recipe("x", Media.MOV, crf=28, encoder="guess")
    with pytest.raises(NeedsOperator, match="guess"):
        render_video(clip, tmp_path / "new.mov", recipe, LIMITS)


@pytest.mark.parametrize(
    ("done", "code"),
    [
        (Finished(1, b"", "Unknown encoder 'libx265'"), "compress.encoder"),
        (Finished(1, b"", "av_interleaved_write_frame(): No space left on device"), "space.full"),
        (Finished(1, b"", "av_interleaved_write_frame(): File too large"), "compress.bigger"),
        (Finished(-signal.SIGXFSZ, b"", ""), "compress.bigger"),
        (Finished(-signal.SIGXCPU, b"", ""), "compress.timeout"),
        (Finished(-signal.SIGSEGV, b"", ""), "compress.encoder_failed"),
    ],
)
def test_each_way_to_fail_has_its_name(done: Finished, code: str, clip: Path) -> None:
    fault = _failure(done, clip, LIMITS)
    assert fault.code == code
    assert fault.remedy


def test_a_program_that_the_system_kills_says_nothing_about_the_video() -> None:
    with pytest.raises(Retryable) as retry:
        run(["sh", "-c", "kill -9 $$"], LIMITS)
    assert retry.value.code == "compress.killed"


def test_a_video_that_is_gone_is_looked_for_again(tmp_path: Path) -> None:
    with pytest.raises(Retryable):
        render_video(tmp_path / "gone.mov", tmp_path / "new.mov", RECIPE, LIMITS)


def test_a_preset_that_the_encoder_refuses_keeps_the_original(clip: Path, tmp_path: Path) -> None:
    recipe = Recipe("x", Media.MOV, crf=28, encoder="libx265/no-such-preset")
    with pytest.raises(Refused) as refused:
        render_video(clip, tmp_path / "new.mov", recipe, LIMITS)
    assert refused.value.code == "compress.encoder_failed"
    assert list(tmp_path.iterdir()) == []


def test_a_rotten_source_is_never_coded_again(clip: Path, tmp_path: Path) -> None:
    rotten = tmp_path / "rotten.mov"
    content = bytearray(clip.read_bytes())
    middle = content.index(b"mdat") + 100_000
    content[middle : middle + 20_000] = b"\xff" * 20_000
    rotten.write_bytes(content)
    with pytest.raises(Refused) as refused:
        render_video(rotten, tmp_path / "new.mov", RECIPE, LIMITS)
    assert refused.value.code == "compress.source_damaged"
    assert not (tmp_path / "new.mov").exists()


def test_a_short_film_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        render_video(film(tmp_path / "a.mov", "-t", "1"), tmp_path / "b.mov", RECIPE, LIMITS)
    assert refused.value.code == "compress.short"


def test_a_live_photo_becomes_smaller_and_passes(shared_media: Path, tmp_path: Path) -> None:
    source, target = shared_media / "edge/mov_named.mp4", tmp_path / "new.mov"
    recipe = Recipe("x", Media.MOV, crf=30, encoder="libx265/ultrafast")
    render_video(source, target, recipe, LIMITS)
    judged = judge_video(source, target, recipe, LIMITS)
    assert (judged.failed, judged.why) == ("", "")
    assert judged.size < source.stat().st_size * 0.6


def test_rot_in_a_real_film_is_found(shared_media: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        render_video(shared_media / "edge/bitrot.mov", tmp_path / "new.mov", RECIPE, LIMITS)
    assert refused.value.code == "compress.source_damaged"
