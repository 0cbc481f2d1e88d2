"""Guards the JPEG half of a motion photo: the same picture and segments, byte for byte, and a film that is found."""

from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.jpeg_graft import kept, layout, pictures_behind
from mediad.adapters.motion_film import QUICKTIME, Film
from mediad.adapters.motion_jpeg import head_of, told_of
from mediad.adapters.motion_xmp import Told
from tests.adapters import stills

FILM = Film(QUICKTIME, 1234, 900_000)
TOLD = Told("image/jpeg", QUICKTIME, 1234, 0, 900_000)
NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
OWN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:a="b" a:note="kept"/></rdf:RDF></x:xmpmeta>'
)
XMP = stills.segment(0xE1, NAMESPACE + OWN)
REST = (
    stills.ICC,
    stills.segment(0xED, b"Photoshop 3.0\0" + bytes(40)),
    stills.segment(0xFE, b"a comment"),
)


def without_xmp(data: bytes) -> list[bytes]:
    plan = layout(data)
    return [s for _, s in kept(data, plan) if not s.startswith(NAMESPACE, 4)]


def check_same(still: bytes, made: bytes) -> None:
    old, new = layout(still), layout(made)
    assert still[old.scan :] == made[new.scan :]
    assert without_xmp(still) == without_xmp(made)
    assert pictures_behind(still, old) == pictures_behind(made, new)


@pytest.mark.parametrize(
    "segments",
    [
        (),
        (stills.exif(),),
        (stills.exif(), XMP, *REST),
        (XMP, stills.exif(), *REST),
        (*REST, stills.exif()),
        (stills.exif(), *REST),
    ],
)
def test_the_film_is_told_of_and_nothing_else_is_changed(segments: tuple[bytes, ...]) -> None:
    still = stills.dressed(stills.jpeg(), *segments)
    made = head_of(still, FILM)
    assert told_of(made) == TOLD
    check_same(still, made)
    assert (b'a:note="kept"' in made) == (XMP in segments)


def test_where_there_was_no_xmp_it_stands_behind_exif() -> None:
    made = head_of(stills.dressed(stills.jpeg(), stills.exif(), stills.ICC), FILM)
    found = [made[s.start + 4 : s.start + 8] for s in layout(made).segments[:3]]
    assert found == [b"Exif", b"http", b"ICC_"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("first", ["XMP", "MPF"])
def test_further_pictures_are_found_and_counted_as_what_is_before_the_film(
    order: str, first: str
) -> None:
    still = stills.with_gain_map(order=order)
    if first == "MPF":
        plan = layout(still)
        mpf = next(s for s in plan.segments if still.startswith(b"MPF\0", s.start + 4))
        still = _with_xmp_behind(still, mpf.end)
    made = head_of(still, FILM)
    check_same(still, made)
    [gain] = pictures_behind(made, layout(made))
    assert stills.decoded(gain).size == (160, 120)
    assert told_of(made) == TOLD._replace(padding=len(gain))


def _with_xmp_behind(still: bytes, at: int) -> bytes:
    made = head_of(still, FILM)  # with a table that is put right already
    plan = layout(made)
    own = next(s for s in plan.segments if made.startswith(NAMESPACE, s.start + 4))
    size = own.end - own.start
    bare = still[:at] + made[own.start : own.end] + still[at:]
    mpf = bare.index(b"MPF\0") + 4
    order = "little" if bare[mpf : mpf + 2] == b"II" else "big"
    entry = mpf + 8 + 2 + 24 + 4
    moved = bytearray(bare)
    for place in (entry + 4, entry + 16 + 8):
        was = int.from_bytes(moved[place : place + 4], order)  # type: ignore[arg-type]
        moved[place : place + 4] = (was + size).to_bytes(4, order)  # type: ignore[arg-type]
    assert pictures_behind(bytes(moved), layout(bytes(moved)))
    return bytes(moved).replace(made[own.start : own.end], _plain(size))


def _plain(size: int) -> bytes:
    """XMP of its own, as long as the one it stands for."""
    room = size - 4 - len(NAMESPACE) - len(OWN)
    return stills.segment(0xE1, NAMESPACE + OWN + b" " * room)


def test_zeros_behind_the_picture_are_counted() -> None:
    made = head_of(stills.jpeg() + bytes(7), FILM)
    assert told_of(made).padding == 7


@pytest.mark.parametrize(
    ("still", "why"),
    [
        (stills.usual(), "behind the picture"),  # Samsung's looks for its place from the end
        (stills.jpeg() + b"unknown", "behind the picture"),
        (stills.with_gain_map() + stills.SAMSUNG, "behind the picture"),
        (stills.dressed(stills.jpeg(), XMP, XMP), "several"),
        (stills.dressed(stills.jpeg(), stills.segment(0xE1, NAMESPACE + b"<x")), "damaged"),
        (
            stills.dressed(stills.jpeg(), stills.segment(0xE1, NAMESPACE + OWN + b" " * 65_100)),
            "no room",
        ),
        (stills.jpeg()[:-200], "cut off"),
        (b"", "no JPEG"),
    ],
)
def test_what_cannot_have_a_film_behind_it_is_refused(still: bytes, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        head_of(still, FILM)


def test_what_is_a_motion_photo_already_is_refused() -> None:
    made = head_of(stills.jpeg(), FILM)
    with pytest.raises(NotUnderstood, match="already"):
        head_of(made, FILM)


def test_a_still_alone_tells_of_no_film() -> None:
    with pytest.raises(NotUnderstood, match="not a motion photo"):
        told_of(stills.jpeg())


def test_every_real_jpeg_is_told_of_its_film_or_refused_for_a_reason(shared_media: Path) -> None:
    made = 0
    for path in sorted([*shared_media.glob("jpeg_*/*"), *shared_media.glob("live_pair/*.jpg")]):
        still = path.read_bytes()
        try:
            head = head_of(still, FILM)
        except NotUnderstood:
            continue
        check_same(still, head)
        assert told_of(head)._replace(padding=0) == TOLD
        made += 1
    assert made >= 25


def test_googles_own_motion_photo_is_read_as_it_says(shared_media: Path) -> None:
    data = (shared_media / "jpeg_motion/pixel-motion-photo-shortened.jpg").read_bytes()
    told = told_of(data)
    assert told == Told("image/jpeg", "video/mp4", 8730, 0, 0)
    assert data[-told.film_bytes :][4:8] == b"ftyp"
