"""Guards smaller videos: what is kept, what is refused, and that no poisoned coder gets anything through."""

import signal
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.adapters.video import _failure, render_video
from mediad.adapters.video_gates import judge_video
from mediad.adapters.video_probe import probe, run
from mediad.adapters.workers import Finished, Limits
from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters.films import ffmpeg, film, grown
from tests.adapters.poisoned import poisoned

RECIPE = Recipe("video-x265-crf28/1", Media.MOV, crf=20, encoder="libx265/ultrafast")
MP4 = Recipe("video-x265-crf28/1", Media.MP4, crf=20, encoder="libx265/ultrafast")
LIMITS = Limits()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("video") / "clip.mov")


def test_the_source_is_not_touched_and_nothing_is_left_over(clip: Path, tmp_path: Path) -> None:
    before, stat = clip.read_bytes(), clip.stat()
    render_video(clip, tmp_path / "new.mov", RECIPE, LIMITS)
    judge_video(clip, tmp_path / "new.mov", RECIPE, LIMITS)
    assert clip.read_bytes() == before
    assert clip.stat().st_mtime_ns == stat.st_mtime_ns
    assert [path.name for path in tmp_path.iterdir()] == ["new.mov"]


@pytest.mark.loss("DL7")
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
    recipe = Recipe("other/1", media, crf=20, encoder=encoder)
    render_video(source, target, recipe, LIMITS)
    assert probe(target, LIMITS).codec == codec
    assert judge_video(source, target, recipe, LIMITS).failed == ""


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
    fault = _failure(done, clip, probe(clip, LIMITS), LIMITS)
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


@pytest.mark.crash
@pytest.mark.timeout(300)
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


# Poisoned coders: each makes something that looks like a film, or nothing, or no end.

POISONS = {
    "truncates": """
if out:
    os.spawnv(os.P_WAIT, REAL, [REAL, *argv])
    os.truncate(out, os.path.getsize(out) * 6 // 10)
    sys.exit(0)""",
    "loses its last frames": "if out: real(before(out, '-frames:v', '50'))",
    "flips HDR": "if out: real(before(out, '-color_trc', 'smpte2084', '-color_primaries', 'bt2020'))",
    "turns the picture": "if out: real(before(out, '-vf', 'hflip'))",
    "turns it by 90 degrees": "if out: real(before(out, '-vf', 'transpose=1'))",
    "makes it bigger": "if out: real(before(out, '-crf', '0', '-c:v', 'libx264', '-tag:v', 'avc1'))",
    "writes black": "if out: real(before(out, '-vf', 'drawbox=color=black:thickness=fill'))",
    "changes the depth": "if out: real(before(out, '-pix_fmt', 'yuv420p10le'))",
    "moves frames": "if out: real(before(out, '-vf', 'setpts=PTS+gt(N\\\\,20)*300'))",
    "keeps a tenth of the quality": "if out: real(before(out, '-crf', '51'))",
    "exits with nothing": "if out: sys.exit(0)",
    "exits with an empty file": "if out: open(out, 'w').close(); sys.exit(0)",
    "hangs": "if out: time.sleep(600)",
    "fills the disk": """
if out:
    with open(out, 'wb') as file:
        while True:
            file.write(bytes(1 << 20))""",
    "crashes": "if out: os.abort()",
    "floods its messages": """
if out:
    while True:
        os.write(2, b'warning: ' * 1000)""",
}


@pytest.mark.loss("DL6")
@pytest.mark.parametrize("poison", POISONS)
def test_nothing_of_a_poisoned_coder_is_accepted(
    poison: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, POISONS[poison])
    before, target = blake3(clip.read_bytes()).hexdigest(), tmp_path / "new.mov"
    patience = Limits(wall_s=4, cpu_s=20) if poison == "hangs" else LIMITS
    began = time.monotonic()
    try:
        making = render_video(clip, target, RECIPE, patience)
    except Refused as refused:
        codes = [refused.code]
    else:
        judged = (judge_video(clip, target, RECIPE, LIMITS, seen) for seen in (making, None))
        codes = [found.failed for found in judged]
    assert all(code.startswith("compress.") for code in codes)
    assert target.exists() == (len(codes) == 2), "what is refused leaves nothing"
    assert blake3(clip.read_bytes()).hexdigest() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"bin", "new.mov"}, "nothing is left over"
    assert time.monotonic() - began < 60


def test_a_full_disk_is_for_the_operator_and_not_the_film_s_fault(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = "if out: sys.exit('av_interleaved_write_frame(): No space left on device')"
    poisoned(tmp_path / "bin", monkeypatch, full)
    with pytest.raises(NeedsOperator) as fault:
        render_video(clip, tmp_path / "new.mov", RECIPE, LIMITS)
    assert fault.value.code == "space.full"


# Dolby Vision, when its loss is allowed


def with_dolby(source: Path, target: Path, compatible: int) -> Path:
    """The same film, its picture said to have a layer of Dolby Vision over it; moov stands at the end."""
    part = struct.pack(">I4s5B19x", 32, b"dvvC", 1, 0, 16, 37, compatible << 4)
    content = grown(source.read_bytes(), ("moov", "trak", "mdia", "minf", "stbl", "stsd"), part)
    at = content.index(b"hvc1") - 4
    size = int.from_bytes(content[at : at + 4], "big") + len(part)
    target.write_bytes(content[:at] + struct.pack(">I", size) + content[at + 4 :])
    return target


def test_dolby_vision_goes_only_when_asked_and_what_is_below_stays(tmp_path: Path) -> None:
    options = ("-c:v", "libx265", "-x265-params", "log-level=error:pools=1", "-tag:v", "hvc1")
    source = film(tmp_path / "plain.mov", *options, "-preset", "ultrafast", "-crf", "4")
    dolby = with_dolby(source, tmp_path / "dolby.mov", 4)
    with pytest.raises(Refused) as refused:
        render_video(dolby, tmp_path / "new.mov", RECIPE, LIMITS)
    assert refused.value.code == "compress.dolby_vision"
    asked = replace(RECIPE, dolby_vision=True)
    making = render_video(dolby, tmp_path / "new.mov", asked, LIMITS)
    assert judge_video(dolby, tmp_path / "new.mov", asked, LIMITS, making).failed == ""
    assert b"dvvC" not in (tmp_path / "new.mov").read_bytes()
    alone = with_dolby(source, tmp_path / "alone.mov", 0)  # nothing to see without it
    with pytest.raises(Refused):
        render_video(alone, tmp_path / "none.mov", asked, LIMITS)


@pytest.mark.crash
def test_a_film_in_4k_fits_into_the_memory_it_is_given(tmp_path: Path) -> None:
    """Forty frames: x265 and its lookahead hold as many as they ever do."""
    source, target = tmp_path / "large.mp4", tmp_path / "new.mp4"
    picture = "testsrc2=size=3840x2160:rate=16:duration=2.5,noise=alls=6:allf=t"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", source)
    usual = replace(MP4, crf=28, encoder="libx265")
    making = render_video(source, target, usual, LIMITS)
    assert judge_video(source, target, usual, LIMITS, making).failed == ""
