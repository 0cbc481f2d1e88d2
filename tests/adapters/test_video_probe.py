"""Guards what is said of a video, and which videos are left as they are."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mediad.adapters.video_probe import Colour, probe, read_probe
from mediad.adapters.video_rules import suits
from mediad.adapters.workers import Limits
from mediad.errors import Refused
from tests.adapters.films import ffmpeg, film, probed


def test_a_film_is_described_as_it_is(tmp_path: Path) -> None:
    seen = probe(film(tmp_path / "clip.mov", "-color_primaries", "bt709"), Limits())
    assert (seen.codec, seen.width, seen.height, seen.frames) == ("h264", 192, 144, 60)
    assert abs(seen.rotation) == 90
    assert seen.duration_s == pytest.approx(2.4, abs=0.1)
    assert seen.colour.range == "tv"
    assert [stream.kind for stream in seen.streams] == ["video", "audio"]
    assert any("+47.1" in value for _, value in seen.tags)


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("a.avi", (), "compress.untouched_container"),
        ("a.mkv", (), "compress.untouched_container"),
        ("a.mpg", ("-c:v", "mpeg2video", "-c:a", "mp2"), "compress.untouched_container"),
        ("frag.mp4", ("-movflags", "+frag_keyframe+empty_moov"), "compress.fragmented"),
        ("lines.mov", ("-flags", "+ilme+ildct"), "compress.interlaced"),
        ("old.mov", ("-c:v", "mjpeg", "-bf", "0", "-pix_fmt", "yuvj420p"), "compress.codec"),
        ("pro.mov", ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"), "compress.prores"),
        ("full.mov", ("-pix_fmt", "yuv444p"), "compress.pixel_format"),
        ("sound.mov", ("-vn",), "compress.no_video"),
        ("brief.mov", ("-t", "1"), "compress.short"),
        ("quick.mov", ("-r", "120"), "compress.slow_motion"),
        ("slow.mp4", ("-metadata", "com.android.capture.fps=240"), "compress.slow_motion"),
    ],
)
def test_each_kind_is_known_by_its_content(
    name: str, options: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    assert suits(probe(film(tmp_path / name, *options), Limits())) == code


def test_of_a_film_that_begins_with_sound_the_first_picture_is_looked_at_all_the_same(
    tmp_path: Path,
) -> None:
    light = ("-c:v", "libx265", "-x265-params", "log-level=error:pools=1:max-cll=1000,400")
    late = film(tmp_path / "late.mov", *light, "-vf", "setpts=PTS+1/TB")
    assert probed(late, "-show_entries", "packet=codec_type").startswith("audio")
    assert probe(late, Limits()).colour.light == "1000,400"


def test_two_pictures_are_left_alone(tmp_path: Path) -> None:
    clip, both = film(tmp_path / "clip.mov"), tmp_path / "both.mov"
    ffmpeg("-i", clip, "-map", "0:v", "-map", "0:v", "-c", "copy", both)
    assert suits(probe(both, Limits())) == "compress.several_videos"


def test_a_name_says_nothing(tmp_path: Path) -> None:
    playlist = tmp_path / "evil.mov"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    assert suits(probe(playlist, Limits())) == "compress.untouched_container"
    hidden = film(tmp_path / "-i.mov").rename(tmp_path / "film.avi")
    assert suits(probe(hidden, Limits())) == ""


def test_a_film_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    torn = tmp_path / "torn.mov"
    torn.write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  \0\0\0\x10mdatjunkjunk")
    with pytest.raises(Refused) as refused:
        probe(torn, Limits())
    assert refused.value.code == "compress.unreadable"


@pytest.mark.parametrize(
    "whole",
    [
        {},
        {"streams": None, "format": []},
        {"streams": [1, {"codec_type": "video", "time_base": "1/x", "nb_frames": "many"}]},
        {"format": {"duration": "N/A", "tags": 7}},
    ],
)
def test_no_type_in_the_answer_is_believed(whole: Mapping[str, object]) -> None:
    assert suits(read_probe(whole, whole)) != ""


def test_hdr_words_are_told_as_x265_wants_them() -> None:
    light = {"side_data_type": "Content light level metadata", "max_content": 9, "max_average": 2}
    mastering = {
        "side_data_type": "Mastering display metadata",
        "red_x": "34000/50000",
        "red_y": "16000/50000",
        "green_x": "13250/50000",
        "green_y": "34500/50000",
        "blue_x": "7500/50000",
        "blue_y": "3000/50000",
        "white_point_x": "15635/50000",
        "white_point_y": "16450/50000",
        "min_luminance": "50/10000",
        "max_luminance": "10000000/10000",
    }
    video = {"codec_type": "video", "color_transfer": "smpte2084", "color_space": "unknown"}
    seen = read_probe({"streams": [video]}, {"frames": [{"side_data_list": [light, mastering]}]})
    assert seen.is_hdr
    assert seen.colour == Colour(
        "tv",
        "",
        "smpte2084",
        "",
        "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)",
        "9,2",
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("video_android/hdr10-video-with-sdr-container.mp4", "compress.dynamic_hdr"),
        ("video_android/video_dovi_1920x1080_60fps_dvav_09.mp4", "compress.dolby_vision"),
        ("video_android/pixel-motion-photo-2-hevc-tracks.mp4", "compress.several_videos"),
        ("video_general/sample_vvc.mp4", "compress.codec"),
        ("edge/mov_named.mp4", ""),
        ("video_iphone/video.mov", "compress.short"),
        ("video_android/sample_sef_slow_motion.mp4", "compress.slow_motion"),
    ],
)
def test_real_films_are_known(shared_media: Path, name: str, code: str) -> None:
    assert suits(probe(shared_media / name, Limits())) == code
