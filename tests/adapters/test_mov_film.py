"""Guards the reading of films: exact where it answers, NotUnderstood where it cannot be exact."""

import struct
from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.mov_film import MAX_UNCLAIMED_BYTES, check, movie, times
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


def grown(content: bytes, path: tuple[bytes, ...], addition: bytes) -> bytes:
    """`addition` at the end of a box of moov, the sizes of all that hold it put right."""
    out, start, end = bytearray(content), 0, len(content)
    for kind in path:
        at = content.index(kind, start, end) - 4
        size = int.from_bytes(content[at : at + 4], "big")
        out[at : at + 4] = struct.pack(">I", size + len(addition))
        start, end = at + 8, at + size
    return bytes(out[:end]) + addition + bytes(out[end:])


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


MOOV = (b"moov",)
TRAK = (*MOOV, b"trak")
STBL = (*TRAK, b"mdia", b"minf", b"stbl")


@pytest.mark.parametrize(
    ("path", "addition", "reason"),
    [
        (MOOV, box(b"mvex"), "fragments"),
        (MOOV, box(b"gps ", bytes(16)), "gps"),
        (MOOV, box(b"cmov", bytes(16)), "cmov"),
        (MOOV, box(b"meta", box(b"iloc", bytes(8))), "places of their own"),
        (TRAK, box(b"meta", box(b"iloc", bytes(8))), "places of their own"),
        (STBL, box(b"senc", bytes(8)), "encrypted"),
        (STBL, box(b"subs", bytes(8)), "subs"),
        (STBL, box(b"stsz", bytes(12)), "2 b'stsz'"),
        (STBL, box(b"co64", bytes(8)), "chunk offsets"),
        (TRAK, box(b"mdia"), "2 b'mdia'"),
    ],
)
def test_additions_that_are_not_understood_are_refused(
    path: tuple[bytes, ...], addition: bytes, reason: str, clip: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(grown(clip.read_bytes(), path, addition))
    with pytest.raises(NotUnderstood, match=reason):
        checked(other)


def test_a_harmless_addition_is_not_refused(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(grown(clip.read_bytes(), MOOV, box(b"uuid", bytes(32))))
    checked(other)


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


def test_media_that_no_track_speaks_for_is_not_thrown_away(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    whole = clip.read_bytes()
    other.write_bytes(whole + box(b"mdat", b"g" * MAX_UNCLAIMED_BYTES))
    checked(other)
    other.write_bytes(whole + box(b"mdat", b"g" * (MAX_UNCLAIMED_BYTES + 1)))
    with pytest.raises(NotUnderstood, match="belong to no track"):
        checked(other)


def test_unknown_boxes_beside_the_film_are_refused(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(clip.read_bytes() + box(b"inst", b"panorama"))
    with pytest.raises(NotUnderstood, match="inst"):
        checked(other)


def test_pictures_in_layers_are_refused(tmp_path: Path) -> None:
    """A second eye or an alpha plane, which a coder would drop without a word."""
    source = tmp_path / "clip.mov"
    film(source, "-c:v", "libx265", "-x265-params", "log-level=error:pools=1", "-tag:v", "hvc1")
    checked(source)
    content = bytearray(source.read_bytes())
    unit = content.index(b"hvcC") + 4 + 23 + 5  # the head of the first parameter set
    content[unit + 1] |= 8  # layer 1
    source.write_bytes(content)
    with pytest.raises(NotUnderstood, match="layers"):
        checked(source)


def test_plain_sound_is_measured_whatever_its_description(tmp_path: Path) -> None:
    for codec in ("pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_s8"):
        source = film(tmp_path / f"{codec}.mov", sound=codec)
        checked(source)
        turned = tmp_path / "m.mov"
        ffmpeg("-i", source, "-map", "0:a", "-map", "0:v", "-c", "copy", turned)
        checked(turned)
