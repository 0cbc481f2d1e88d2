"""Guards the reading of films: exact where it answers, NotUnderstood where it cannot be exact."""

import struct
from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.mov_check import check
from mediad.adapters.mov_film import movie, times
from tests.adapters.films import ffmpeg, film, probed


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The media before moov, so that moov can grow without moving a chunk."""
    return film(tmp_path_factory.mktemp("film") / "clip.mov")


def checked(path: Path) -> None:
    with path.open("rb") as file:
        found = movie(file)
        check(found)
        times(found.video)


def test_tracks_chunks_and_times_are_those_of_ffprobe(clip: Path) -> None:
    with clip.open("rb") as file:
        found = movie(file)
        decoded, shown = times(found.video)
    packets = probed(clip, "-select_streams", "v:0", "-show_entries", "packet=size,pos")
    seen = [tuple(int(word) for word in line.split(",")[:2]) for line in packets.split()]
    assert list(found.video.sizes) == [size for size, _ in seen]
    assert {span.start for span in found.video.chunks} <= {at for _, at in seen}
    assert [track.handler for track in found.tracks] == [b"vide", b"soun"]
    assert decoded == sorted(decoded)
    assert sorted(shown) != shown  # frames are coded out of turn
    assert len(set(shown)) == 60


def at(content: bytearray, kind: bytes, offset: int, value: bytes) -> None:
    start = content.index(kind, content.index(b"moov")) + 4 + offset
    content[start : start + len(value)] = value


@pytest.mark.parametrize(
    ("kind", "offset", "value", "reason"),
    [
        (b"stsz", 8, b"\xff\xff\xff\xff", "samples"),
        (b"stsz", 4, b"\0\0\0\1", "mdat|bytes|belong"),
        (b"stts", 4, b"\x7f\xff\xff\xff", "rows"),
        (b"stts", 8, b"\0\0\0\7", "cover"),
        (b"stco", 4, b"\0\0\0\0", "does not add up|samples"),
        (b"stco", 8, b"\0\0\0\0", "outside of mdat"),
        (b"stco", 8, b"\xff\xff\xff\xf0", "outside of mdat"),
        (b"stsc", 8, b"\0\0\0\2", "does not add up"),
        (b"stsc", 16, b"\0\0\0\2", "descriptions"),
        (b"mdhd", 12, b"\0\0\0\0", "timescale"),
        (b"dref", 16, b"\0\0\0\0", "another file"),
        (b"stsd", 4, b"\0\0\0\2", "description"),
    ],
)
def test_numbers_that_do_not_add_up_are_refused(
    kind: bytes, offset: int, value: bytes, reason: str, tmp_path: Path, clip: Path
) -> None:
    content = bytearray(clip.read_bytes())
    at(content, kind, offset, value)
    other = tmp_path / "other.mov"
    other.write_bytes(content)
    with pytest.raises(NotUnderstood, match=reason):
        checked(other)


def test_plain_sound_is_measured_whatever_its_description(tmp_path: Path) -> None:
    for codec in ("pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_s8"):
        source = film(tmp_path / f"{codec}.mov", sound=codec)
        checked(source)
        turned = tmp_path / "m.mov"
        ffmpeg("-i", source, "-map", "0:a", "-map", "0:v", "-c", "copy", turned)
        checked(turned)


def test_a_chunk_that_ends_within_a_packet_of_sound_is_refused(tmp_path: Path) -> None:
    """QuickTime counts packed sound in single samples, 64 of them a packet."""
    source = film(tmp_path / "packed.mov", sound="pcm_s24le")
    content = bytearray(source.read_bytes())
    fixed, packed = content.rindex(b"stsz") + 8, content.rindex(b"stsd") + 4 + 44
    content[fixed : fixed + 4] = struct.pack(">I", 1)
    content[packed : packed + 4] = struct.pack(">I", 1_000_003)
    source.write_bytes(content)
    with pytest.raises(NotUnderstood, match="within a packet"):
        checked(source)
