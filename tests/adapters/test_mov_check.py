"""Guards which films are taken apart: whatever is not understood whole is refused, by name where it has one."""

import struct
from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.mov_check import MAX_PADDING_BYTES, Encrypted, Spatial, check
from mediad.adapters.mov_film import Fragmented, SeveralDescriptions, movie, times
from mediad.adapters.video_probe import probe
from mediad.adapters.video_rules import suits
from mediad.adapters.workers import Limits
from tests.adapters.films import film, grown

MOOV = ("moov",)
TRAK = (*MOOV, "trak")
STBL = (*TRAK, "mdia", "minf", "stbl")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The media before moov, so that moov can grow without moving a chunk."""
    return film(tmp_path_factory.mktemp("film") / "clip.mov")


def checked(path: Path) -> None:
    with path.open("rb") as file:
        found = movie(file)
        check(found)
        times(found.video)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


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
    path: tuple[str, ...], addition: bytes, reason: str, clip: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(grown(clip.read_bytes(), path, addition))
    with pytest.raises(NotUnderstood, match=reason):
        checked(other)


def test_a_harmless_addition_is_not_refused(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(grown(clip.read_bytes(), MOOV, box(b"uuid", bytes(32))))
    checked(other)


def test_media_that_no_track_speaks_for_is_not_thrown_away(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    whole = clip.read_bytes()
    other.write_bytes(whole + box(b"mdat", bytes(MAX_PADDING_BYTES)))
    checked(other)
    for lost in (bytes(MAX_PADDING_BYTES + 1), bytes(99) + b"g"):
        other.write_bytes(whole + box(b"mdat", lost))
        with pytest.raises(NotUnderstood, match="belong to no track"):
            checked(other)


def test_what_stands_before_the_first_frame_is_no_padding_either(
    clip: Path, tmp_path: Path
) -> None:
    with clip.open("rb") as file:
        film = movie(file)
    at = next(b for b in film.top if b.type == b"mdat")
    whole = bytearray(clip.read_bytes())
    where = min(chunk.start for track in film.tracks for chunk in track.chunks)
    assert where == at.body
    moved = (
        whole[: at.start] + box(b"mdat", b"log." + bytes(whole[at.body : at.end])) + whole[at.end :]
    )
    for track in film.tracks:
        for kind in (b"stco", b"co64"):
            if (node := track.stbl.some(kind)) is not None:
                width = 4 if kind == b"stco" else 8
                table = moved.index(node.payload, at.end)
                for n in range(table + 8, table + len(node.payload), width):
                    place = int.from_bytes(moved[n : n + width], "big") + 4
                    moved[n : n + width] = place.to_bytes(width, "big")
    other = tmp_path / "other.mov"
    other.write_bytes(moved)
    with pytest.raises(NotUnderstood, match="belong to no track"):
        checked(other)


def test_a_signed_film_is_left_alone(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    c2pa = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    other.write_bytes(clip.read_bytes() + box(b"uuid", c2pa + bytes(99)))
    with pytest.raises(NotUnderstood, match="signed"):
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


def retyped(content: bytes, old: bytes, new: bytes) -> bytes:
    at = content.index(old, content.index(b"moov"))
    return content[:at] + new + content[at + len(old) :]


@pytest.mark.parametrize(
    ("old", "new", "kind", "code"),
    [
        (b"avc1", b"encv", Encrypted, "compress.encrypted"),
        (b"mp4a", b"enca", Encrypted, "compress.encrypted"),
        (b"pasp", b"vexu", Spatial, "compress.spatial"),
        (b"stsd\0\0\0\0\0\0\0\1", b"stsd\0\0\0\0\0\0\0\2", SeveralDescriptions, "compress.several_descriptions"),
    ],
)  # fmt: skip
def test_what_has_a_name_is_refused_by_it(
    old: bytes, new: bytes, kind: type[NotUnderstood], code: str, clip: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mov"
    other.write_bytes(retyped(clip.read_bytes(), old, new))
    with pytest.raises(kind):
        checked(other)
    assert suits(probe(other, Limits())) == code


def test_fragments_are_known_wherever_they_are(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mov"
    for content in (grown(clip.read_bytes(), MOOV, box(b"mvex")), clip.read_bytes() + box(b"moof")):
        other.write_bytes(content)
        with pytest.raises(Fragmented):
            checked(other)
