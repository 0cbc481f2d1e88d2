"""Guards the graft: only the picture's code is new; everything else of a film is what it was."""

import json
import os
import random
import struct
import subprocess
from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.mov_film import movie
from mediad.adapters.mov_graft import changed, graft, graftable
from tests.adapters.films import coded, ffmpeg, film, probed, times

IPHONE = "video_iphone/quicktime-hvc1.mov"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "clip.mov")


@pytest.fixture(scope="session")
def picture(clip: Path) -> Path:
    return coded(clip, clip.with_name("picture.mov"))


def hashes(path: Path) -> str:
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0",
        "-map",
        "-0:v",
        "-copy_unknown",
    ]
    command += ["-c", "copy", "-f", "streamhash", "-hash", "md5", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def grown_by(size: int, content: bytes, *path: str) -> bytes:
    """The sizes of these boxes, one in the other, put right for what stands in the last already."""
    out, start = bytearray(content), 0
    for kind in path:
        start = content.index(kind.encode(), start) - 4
        out[start : start + 4] = struct.pack(
            ">I", int.from_bytes(out[start : start + 4], "big") + size
        )
        start += 8
    return bytes(out)


def decodes(path: Path) -> bool:
    command = ["ffmpeg", "-v", "error", "-xerror", "-err_detect", "explode", "-i", str(path)]
    done = subprocess.run([*command, "-f", "null", "-"], check=False, capture_output=True)
    return done.returncode == 0 and not done.stderr


def same_but_for_the_picture(source: Path, target: Path) -> None:
    assert decodes(target)
    assert times(target) == times(source)
    assert hashes(target) == hashes(source)
    assert changed(source, target) == []


def test_the_picture_is_new_and_the_rest_is_kept(clip: Path, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.mov"
    os.utime(clip, ns=(1, 1_500_000_000_123_456_789))
    assert graft(clip, picture, target) == 60
    assert target.stat().st_mtime_ns == 1_500_000_000_123_456_789
    same_but_for_the_picture(clip, target)
    assert "hevc" in probed(target, "-select_streams", "v:0", "-show_entries", "stream=codec_name")
    assert target.stat().st_size < clip.stat().st_size


def test_a_film_cut_together_of_several_pieces_is_left_as_it_is(
    clip: Path, picture: Path, tmp_path: Path
) -> None:
    content = clip.read_bytes()
    at = content.index(b"elst") + 4
    count, row = content[at + 4 : at + 8], content[at + 8 : at + 20]
    assert count == b"\0\0\0\1"
    cut = tmp_path / "cut.mov"
    for first, is_several in ((struct.pack(">IiI", 500, -1, 1 << 16), False), (row, True)):
        twice = content[: at + 4] + b"\0\0\0\2" + first + content[at + 8 :]
        twice = grown_by(12, twice, "moov", "trak", "edts", "elst")
        cut.write_bytes(twice)
        target = tmp_path / f"{is_several}.mov"
        if is_several:
            with pytest.raises(NotUnderstood, match="several pieces"):
                graft(cut, picture, target)
        else:
            graft(cut, picture, target)
            same_but_for_the_picture(cut, target)


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
@pytest.mark.parametrize(
    ("name", "options", "sound"),
    [
        ("moov first", ["-movflags", "+faststart"], "aac"),
        ("no reordering", ["-bf", "0"], "aac"),
        ("plain sound", [], "pcm_s16le"),
        ("no edit list", ["-use_editlist", "0"], "aac"),
    ],
)
def test_films_of_many_shapes_keep_their_times_and_sound(
    name: str, options: list[str], sound: str, suffix: str, tmp_path: Path
) -> None:
    if sound.startswith("pcm") and suffix == ".mp4":
        pytest.skip("MP4 has no plain sound")
    source = film(tmp_path / f"{name}{suffix}", *options, sound=sound)
    target = tmp_path / f"new{suffix}"
    graft(source, coded(source, tmp_path / "picture.mov"), target)
    same_but_for_the_picture(source, target)


def test_frames_at_uneven_times_stay_where_they_are(tmp_path: Path) -> None:
    uneven = "testsrc2=size=192x144:rate=50:duration=2.4,select='gt(mod(n*n\\,7)\\,1)'"
    source = film(tmp_path / "uneven.mov", "-vsync", "vfr", picture=uneven)
    target = tmp_path / "new.mov"
    graft(source, coded(source, tmp_path / "picture.mov"), target)
    assert len(set(times(source))) > 60
    same_but_for_the_picture(source, target)


def test_a_film_cut_by_an_edit_list_stays_cut(clip: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "cut.mov", tmp_path / "new.mov"
    ffmpeg("-ss", "0.7", "-i", clip, "-c", "copy", source)
    graft(source, coded(source, tmp_path / "picture.mov"), target)
    same_but_for_the_picture(source, target)


@pytest.mark.parametrize(
    ("coder", "preset", "tag", "suffix"),
    [("libx264", "ultrafast", "avc1", ".mov"), ("libsvtav1", "10", "av01", ".mp4")],
)
def test_other_coders_can_be_grafted(
    coder: str, preset: str, tag: str, suffix: str, tmp_path: Path
) -> None:
    source, target = film(tmp_path / f"film{suffix}"), tmp_path / f"new{suffix}"
    options = ("-c:v", coder, "-preset", preset, "-tag:v", tag, "-f", suffix[1:])
    graft(source, coded(source, tmp_path / f"picture{suffix}", *options), target)
    same_but_for_the_picture(source, target)


@pytest.mark.parametrize("frames", ["59", "30"])
def test_a_picture_with_other_frames_is_refused(clip: Path, frames: str, tmp_path: Path) -> None:
    fewer = coded(clip, tmp_path / "fewer.mov", "-frames:v", frames)
    with pytest.raises(NotUnderstood, match="60 frames became"):
        graft(clip, fewer, tmp_path / "new.mov")
    assert not (tmp_path / "new.mov").exists()


def test_a_picture_with_other_times_is_refused(clip: Path, tmp_path: Path) -> None:
    moved = coded(clip, tmp_path / "moved.mov", "-vf", "setpts=PTS+gt(N\\,20)*200")
    with pytest.raises(NotUnderstood, match="moved in time"):
        graft(clip, moved, tmp_path / "new.mov")


def test_a_picture_of_another_clock_or_size_is_refused(clip: Path, tmp_path: Path) -> None:
    other = coded(clip, tmp_path / "clock.mov", timescale="600")
    with pytest.raises(NotUnderstood, match="timescale"):
        graft(clip, other, tmp_path / "new.mov")
    small = coded(clip, tmp_path / "small.mov", "-vf", "scale=96:72")
    with pytest.raises(NotUnderstood, match="size"):
        graft(clip, small, tmp_path / "new.mov")


def test_an_existing_target_is_never_overwritten(clip: Path, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.mov"
    target.write_bytes(b"somebody's only film")
    with pytest.raises(FileExistsError):
        graft(clip, picture, target)
    assert target.read_bytes() == b"somebody's only film"


def test_what_stood_behind_the_media_stays_at_the_end(
    clip: Path, picture: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "source.mov", tmp_path / "new.mov"
    trailer = struct.pack(">I4s", 24, b"sefd") + b"slow motion SEFT"
    source.write_bytes(clip.read_bytes() + trailer)
    graft(source, picture, target)
    assert target.read_bytes().endswith(trailer)
    assert changed(source, target) == []


def test_a_change_beyond_the_picture_is_noticed(clip: Path, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.mov"
    graft(clip, picture, target)
    content = target.read_bytes()
    for word, path in ((b"+47.1", "udta"), (b"mvhd", "mvhd"), (b"soun", "hdlr")):
        at = content.index(word)
        torn = content[: at + 5] + bytes([content[at + 5] ^ 1]) + content[at + 6 :]
        other = tmp_path / f"{path}.mov"
        other.write_bytes(torn)
        assert any(path in where for where in changed(clip, other)), path


def tags(path: Path) -> dict[str, object]:
    command = ["exiftool", "-j", "-G1", "-a", "-ee", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0]
    of_code = ("System:", "File:", "SourceFile", "Composite:AvgBitrate", "QuickTime:MediaData")
    named = ("CompressorID", "CompressorName", "VendorID", "Compressor")
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(of_code) and not key.rpartition(":")[2].startswith(named)
    }


def test_an_iphone_film_keeps_every_tag(shared_media: Path, tmp_path: Path) -> None:
    source, target = shared_media / IPHONE, tmp_path / "new.mov"
    graft(source, coded(source, tmp_path / "picture.mov", timescale="600"), target)
    same_but_for_the_picture(source, target)
    before, after = tags(source), tags(target)
    assert len(before) > 60
    assert {key: after.get(key) for key in before} == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("video_android/pixel-motion-photo-2-hevc-tracks.mp4", "2 video tracks"),
        ("video_android/video_dovi_1920x1080_60fps_dvav_09.mp4", "Dolby Vision"),
        ("video_general/sample_vvc.mp4", "vvc1"),
        ("video_general/sample_mdat_too_long.mp4", "mdat"),
        ("video_general/issue_ghsa_crmj_qh74_2r36_poc.mov", "box"),
        ("edge/trunc50.mov", "mdat"),
        ("edge/zero.mov", "0 moov"),
    ],
)
def test_what_is_not_understood_whole_is_refused(
    shared_media: Path, name: str, reason: str
) -> None:
    with pytest.raises(NotUnderstood, match=reason):
        graftable(shared_media / name)


def test_no_mutation_raises_anything_else(tmp_path: Path) -> None:
    tiny = "testsrc2=size=64x48:rate=25:duration=0.4"
    clip = film(tmp_path / "clip.mov", "-t", "0.4", picture=tiny)
    picture = coded(clip, tmp_path / "picture.mov")
    chance = random.Random(11)  # noqa: S311 - a repeatable choice of bytes, no secret
    whole = clip.read_bytes()
    with clip.open("rb") as file:
        moov = next(box for box in movie(file).top if box.type == b"moov")
    torn, target = tmp_path / "torn.mov", tmp_path / "new.mov"
    refused = 0
    for _ in range(1500):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(moov.start, moov.end)
            width = chance.choice([1, 2, 4])
            content[at : at + width] = chance.choice(
                [bytes(width), b"\xff" * width, b"\x7f" * width, chance.randbytes(width)]
            )
        torn.write_bytes(content[: len(whole)])
        try:
            graft(torn, picture, target)
        except NotUnderstood:
            refused += 1
            assert not target.exists()
        else:
            target.unlink()
    assert refused > 300
