"""Guards all that a film says beside its picture: it is the same afterwards, but for a short written list."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from mediad.adapters import video_rules
from mediad.adapters.mov_film import Node, movie
from mediad.adapters.video import render_video
from mediad.adapters.video_gates import judge_video
from mediad.adapters.video_probe import probe
from mediad.adapters.video_rules import suits
from mediad.adapters.workers import Limits
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters import tags
from tests.adapters.films import UPRIGHT, ffmpeg, film, times

LIMITS = Limits()
RECIPE = Recipe("x", Media.MOV, crf=20, encoder="libx265/ultrafast")
MIRRORED = struct.pack(">9i", -1 << 16, 0, 0, 0, 1 << 16, 0, 192 << 16, 0, 1 << 30)


def differences(source: Path, target: Path) -> list[str]:
    """What exiftool tells otherwise, without the written list."""
    return tags.differences(source, target, tags.OF_A_FILM)


def rendered(source: Path, target: Path, recipe: Recipe = RECIPE) -> Path:
    making = render_video(source, target, recipe, LIMITS)
    judged = judge_video(source, target, recipe, LIMITS, making)
    assert (judged.failed, judged.why) == ("", "")
    return target


def talkative(path: Path) -> Path:
    """Two tones, uneven frames, square pixels that are none, and all that an iPhone writes into its keys."""
    uneven = "testsrc2=size=192x144:rate=50:duration=2.4,noise=alls=6:allf=t,select='gt(mod(n*n\\,7)\\,1)'"
    keys = {
        "com.apple.quicktime.creationdate": "2024-07-14T18:03:22+0200",
        "com.apple.quicktime.location.ISO6709": "+47.1234-008.5678+412.000/",
        "com.apple.quicktime.content.identifier": "9B2D7A5E-5C1F-4B1B-9E0B-2B6F1C9D7A11",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 15 Pro",
        "creation_time": "2024-07-14T16:03:22Z",
    }
    words = [word for key, value in keys.items() for word in ("-metadata", f"{key}={value}")]
    plain = film(
        path.with_name("plain.mov"), "-vsync", "vfr", "-aspect", "16:9", "-map", "0", "-map", "1", "-map", "1",
        "-metadata:s:a:1", "language=deu", *words, picture=uneven,
    )  # fmt: skip
    ffmpeg("-ss", "0.2", "-i", plain, "-map", "0", "-c", "copy", *words,
           "-movflags", "+use_metadata_tags", path)  # fmt: skip
    content = path.read_bytes()
    head = content.index(b"tkhd") + 4
    path.write_bytes(content[: head + 40] + MIRRORED + content[head + 76 :])
    return path


def test_everything_that_a_phone_says_is_kept(tmp_path: Path) -> None:
    source, target = talkative(tmp_path / "said.mov"), tmp_path / "new.mov"
    rendered(source, target)
    [said] = tags.tags(source)
    assert len(said) > 90
    words = " ".join(map(str, said.values()))
    for part in ("2024:07:14 18:03:22+02:00", "9B2D7A5E", "iPhone 15 Pro", "47"):
        assert part in words
    assert differences(source, target) == []
    assert times(source) == times(target)
    assert len(set(times(source))) > 60
    kinds = [stream.kind for stream in probe(target, LIMITS).streams]
    assert kinds.count("audio") == 2
    assert MIRRORED in target.read_bytes()


def moov_with_long_numbers(source: Path, target: Path) -> Path:
    """The same film with 64-bit times, durations, edits and chunk offsets, and a 64-bit mdat; moov at its end."""
    with source.open("rb") as file:
        film_ = movie(file)
        content = source.read_bytes()
    moov = next(box for box in film_.top if box.type == b"moov")
    mdat = next(box for box in film_.top if box.type == b"mdat")
    assert moov.end == len(content)
    assert content[mdat.start - 4 : mdat.start] == b"wide"
    for trak in (node for node in film_.moov.children or () if node.type == b"trak"):
        lengthen(trak)
    front = content[: mdat.start - 8] + struct.pack(">I4sQ", 1, b"mdat", mdat.end - mdat.start + 8)
    target.write_bytes(front + content[mdat.body : moov.start] + film_.moov.whole())
    return target


def lengthen(node: Node) -> None:
    for child in node.children or ():
        lengthen(child)
        old = child.payload
        match child.type:
            case b"mdhd":
                created, changed, scale, duration = struct.unpack(">4I", old[4:20])
                new = struct.pack(">BxxxQQIQ", 1, created, changed, scale, duration) + old[20:]
            case b"tkhd":
                created, changed, number, _, duration = struct.unpack(">5I", old[4:24])
                new = old[:4] + struct.pack(">QQIIQ", created, changed, number, 0, duration)
                new = b"\1" + new[1:] + old[24:]
            case b"edts":
                rows = list(struct.iter_unpack(">IiI", old[16:]))
                packed = b"".join(struct.pack(">QqI", *row) for row in rows)
                head = struct.pack(">I4sBxxxI", 16 + len(packed), b"elst", 1, len(rows))
                new = head + packed
            case b"stco":
                places = [at for (at,) in struct.iter_unpack(">I", old[8:])]
                child.type = b"co64"
                new = old[:8] + struct.pack(f">{len(places)}Q", *places)
            case _:
                new = old
        child.payload = new


def test_long_numbers_are_understood_and_kept(tmp_path: Path) -> None:
    source = moov_with_long_numbers(film(tmp_path / "short.mov"), tmp_path / "long.mov")
    assert suits(probe(source, LIMITS)) == ""
    assert b"co64" in source.read_bytes()
    target = rendered(source, tmp_path / "new.mov")
    assert times(target) == times(source)
    assert differences(source, target) == []


def test_a_table_of_sizes_that_is_packed_is_left_alone(tmp_path: Path) -> None:
    source, packed = film(tmp_path / "clip.mov"), tmp_path / "packed.mov"
    with source.open("rb") as file:
        film_ = movie(file)
    moov = next(box for box in film_.top if box.type == b"moov")
    table = film_.video.stbl.only(b"stsz")
    sizes = film_.video.sizes
    table.type = b"stz2"
    table.payload = struct.pack(f">III{len(sizes)}H", 0, 16, len(sizes), *sizes)
    packed.write_bytes(source.read_bytes()[: moov.start] + film_.moov.whole())
    assert suits(probe(packed, LIMITS)) == "compress.structure"


def test_hybrid_log_gamma_in_ten_bits_is_kept(tmp_path: Path) -> None:
    source = film(
        tmp_path / "hlg.mov", "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1",
        "-x265-params", "log-level=error:pools=1", "-color_primaries", "bt2020",
        "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc",
    )  # fmt: skip
    target = rendered(source, tmp_path / "new.mov")
    colour = probe(target, LIMITS).colour
    assert (colour.transfer, colour.primaries) == ("arib-std-b67", "bt2020")
    assert probe(target, LIMITS).pixel_format == "yuv420p10le"


REAL = (
    "video_iphone/quicktime-hvc1.mov",  # turned, timed metadata
    "video_iphone/bt601.mov",
    "video_android/with-gps.mp4",
    "video_android/h265_with_metadata_track.mp4",
)
LONG = (
    "edge/mov_named.mp4",  # a Live Photo of an iPhone 15 Pro: aperture, three tracks of timed metadata
    "video_iphone/video.mov",
    "video_android/internal_emulator_transformer_output_270_rotated.mp4",
    "video_general/earth.mov",
    "video_general/sample_640x360.mov",
)


def real_film(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short: what is kept does not depend on whether it is worth the work."""
    monkeypatch.setattr(video_rules, "SHORTEST_S", 0.05)
    making = render_video(source, target, replace(RECIPE, crf=28), LIMITS)
    judged = judge_video(source, target, replace(RECIPE, crf=28), LIMITS, making)
    assert judged.failed in ("", "compress.bigger"), judged.why
    assert differences(source, target) == []


@pytest.mark.parametrize("name", REAL)
def test_a_real_film_keeps_all_that_it_says(
    name: str, shared_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_film(shared_media / name, tmp_path / f"new{Path(name).suffix}", monkeypatch)


@pytest.mark.crash
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", LONG)
def test_a_longer_real_film_keeps_all_that_it_says(
    name: str, shared_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_film(shared_media / name, tmp_path / f"new{Path(name).suffix}", monkeypatch)


def test_an_upright_film_is_not_mirrored(tmp_path: Path) -> None:
    """That the comparison can fail: the matrix is part of what exiftool tells."""
    source = talkative(tmp_path / "said.mov")
    other = tmp_path / "other.mov"
    other.write_bytes(source.read_bytes().replace(MIRRORED, UPRIGHT))
    assert differences(source, other) == [
        "Composite:Rotation",
        "Track1:MatrixStructure",
    ]
