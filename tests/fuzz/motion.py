"""The readers of what a motion photo is made of: a still, its film, and the XMP that tells of both."""

from pathlib import Path
from typing import Final

from mediad.adapters import motion_heic, motion_jpeg
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.motion_film import QUICKTIME, Film, film_of
from mediad.adapters.motion_xmp import Told, packet, told_in
from tests.adapters import live, stills

FILM: Final = Film(QUICKTIME, 1234, 900_000)
TOLD: Final = Told("image/heic", QUICKTIME, 1234, 8, 900_000)
XMP: Final = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:a="b" a:note="kept"/></rdf:RDF></x:xmpmeta>'
)
NOTES: Final = XMP.replace(b"kept", b"kept " * 600)  # where a word more or less does no harm
SEGMENT: Final = stills.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)


def jpegs() -> list[bytes]:
    small = stills.jpeg(stills.picture(64, 48))
    return [stills.dressed(small, stills.exif(), SEGMENT), stills.with_gain_map(small, gain=small)]


def heics() -> list[bytes]:
    return [stills.heic(64, 64)]


def films() -> list[bytes]:
    return [live.film(), live.film(None, brand=b"isom")]


def join_jpeg(content: bytes, _: Path) -> bool:
    """Was it read? What is made of it tells of its film, whatever it was."""
    try:
        head = motion_jpeg.head_of(content, FILM)
    except NotUnderstood:
        return False
    assert motion_jpeg.told_of(head).film_bytes == FILM.size
    return True


def join_heic(content: bytes, _: Path) -> bool:
    try:
        head = motion_heic.head_of(content, FILM)
    except NotUnderstood:
        return False
    assert motion_heic.told_of(head) == TOLD
    return True


def read_film(content: bytes, folder: Path) -> bool:
    path = folder / "film"
    path.write_bytes(content)
    try:
        with path.open("rb") as file:
            found = film_of(file)
    except NotUnderstood:
        return False
    assert found.size == len(content)
    assert found.still_at_us >= -1
    return True


def add_to_xmp(content: bytes, _: Path) -> bool:
    try:
        made = packet(TOLD, content)
    except NotUnderstood:
        return False
    assert told_in(made) == TOLD
    return True
