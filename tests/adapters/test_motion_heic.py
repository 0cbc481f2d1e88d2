"""Guards the HEIC half of a motion photo: every item byte for byte, found where it is now, and a film that is found."""

import io
from pathlib import Path

import pytest
from PIL import Image

from mediad.adapters.bmff import NotUnderstood, boxes
from mediad.adapters.heic_graft import item
from mediad.adapters.heic_still import Still, parse
from mediad.adapters.motion_film import MP4, QUICKTIME, Film
from mediad.adapters.motion_heic import head_of, told_of
from mediad.adapters.motion_xmp import Told
from tests.adapters import stills

FILM = Film(QUICKTIME, 1234, 900_000)
TOLD = Told("image/heic", QUICKTIME, 1234, 8, 900_000)
OWN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:a="b" a:note="kept"/></rdf:RDF></x:xmpmeta>'
)


def with_xmp(words: bytes = OWN) -> bytes:
    out = io.BytesIO()
    stills.picture(320, 240).save(out, "HEIF", quality=80, chroma="420", xmp=words)
    return out.getvalue()


def items(still: Still) -> dict[int, bytes]:
    return {n: item(still, n) for n, at in still.locations.items() if at.is_in_file}


def check_same(still: bytes, head: bytes) -> None:
    """All but the packet: items, properties and what they belong to, and the media boxes themselves."""
    old, new = parse(still), parse(head[:-8])
    before, after = items(old), items(new)
    changed = {n for n in after if before.get(n) != after[n]}
    assert len(changed) == 1
    assert changed.isdisjoint(old.tiles)
    assert {n: b for n, b in before.items() if n not in changed} == {
        n: b for n, b in after.items() if n not in changed
    }
    assert (old.primary, old.tiles, old.uses) == (new.primary, new.tiles, new.uses)
    assert [still[p.start : p.end] for p in old.properties] == [
        new.data[p.start : p.end] for p in new.properties
    ]
    media = [still[b.start : b.end] for b in old.tops if b.type == b"mdat"]
    assert [new.data[b.start : b.end] for b in new.tops if b.type == b"mdat"][:-1] == media


def test_the_film_is_told_of_and_nothing_else_is_changed() -> None:
    still = stills.heic()
    head = head_of(still, FILM)
    assert told_of(head) == TOLD
    check_same(still, head)


def test_xmp_that_was_there_is_added_to() -> None:
    still = with_xmp()
    head = head_of(still, FILM)
    assert told_of(head) == TOLD
    check_same(still, head)
    assert b'a:note="kept"' in head[len(still) :]


def test_the_picture_looks_the_same_to_another_reader() -> None:
    for still in (stills.heic(), with_xmp()):
        whole = head_of(still, FILM) + bytes(FILM.size)
        assert _pixels(whole) == _pixels(still)


def _pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).tobytes()


def test_the_film_is_the_content_of_the_last_box() -> None:
    whole = head_of(stills.heic(), FILM) + bytes(FILM.size)
    last = list(boxes(whole, 0, len(whole)))[-1]
    assert (last.type, last.end - last.body, last.end) == (b"mpvd", FILM.size, len(whole))


def test_a_film_of_more_than_four_gigabytes_has_a_long_header() -> None:
    head = head_of(stills.heic(), Film(MP4, 5 << 30, -1))
    assert told_of(head) == Told("image/heic", MP4, 5 << 30, 16, -1)


def test_what_is_a_motion_photo_already_is_refused() -> None:
    head = head_of(stills.heic(), FILM)
    with pytest.raises(NotUnderstood, match="already"):
        head_of(head + bytes(FILM.size), FILM)
    with pytest.raises(NotUnderstood, match="already"):
        head_of(head[:-8], FILM)


def test_xmp_that_is_not_understood_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="XMP"):
        head_of(with_xmp(b"<x:xmpmeta/>"), FILM)


def test_a_still_alone_tells_of_no_film() -> None:
    for data in (stills.heic(), stills.heic() + b"\0\0\4\xdampvd"):
        with pytest.raises(NotUnderstood, match="not a motion photo"):
            told_of(data)


def test_a_torn_still_is_refused() -> None:
    data = stills.heic()
    for size in range(0, len(data), max(1, len(data) // 60)):
        with pytest.raises((NotUnderstood, IndexError)) as caught:
            head_of(data[:size], FILM)
        assert caught.type is NotUnderstood


def test_spoilt_descriptions_are_refused_and_nothing_else_is_raised() -> None:
    """Each byte of the description once: the film is told of and all is found, or it is refused."""
    data = stills.heic()
    meta = parse(data).meta
    for at in range(meta.start, min(meta.end, meta.start + 1200)):
        spoilt = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        try:
            head = head_of(spoilt, FILM)
        except NotUnderstood:
            continue
        assert told_of(head) == TOLD


def test_every_real_heic_is_told_of_its_film_or_refused_for_a_reason(shared_media: Path) -> None:
    made = 0
    for path in sorted(shared_media.glob("heic_*/*")):
        still = path.read_bytes()
        try:
            head = head_of(still, FILM)
        except NotUnderstood:
            continue
        check_same(still, head)
        assert told_of(head) == TOLD
        made += 1
    assert made >= 6


def test_a_phones_own_motion_photo_is_read_as_it_says(shared_media: Path) -> None:
    data = (shared_media / "heic_special/sample_MP.heic").read_bytes()
    last = list(boxes(data, 0, len(data)))[-1]
    told = told_of(data[: last.body])
    assert told == Told("image/heic", MP4, last.end - last.body, last.body - last.start, 0)
