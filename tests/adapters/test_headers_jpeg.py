"""Guards JPEG: its size, its dates from every segment, and the one test of wholeness."""

from pathlib import Path

from mediad.model import Media
from tests.adapters import forge
from tests.adapters.reading import dates, read


def test_the_form_is_filled_in(tmp_path: Path) -> None:
    form = read(tmp_path, forge.jpeg(forge.shot(), width=4032, height=3024))
    assert (form.media, form.extension, form.width, form.height) == (Media.JPEG, ".jpg", 4032, 3024)
    assert dates(form) == {"exif:DateTimeOriginal": "2024:07:14 18:03:22"}
    assert form.cut == ""


def test_xmp_and_iptc_speak_too(tmp_path: Path) -> None:
    xmp = forge.segment(
        0xE1, b"http://ns.adobe.com/xap/1.0/\0<x xmp:CreateDate='2009-03-06T22:15:00+01:00'/>"
    )
    iptc = b"Photoshop 3.0\0" + b"\x1c\x02\x37\0\x0820191014" + b"\x1c\x02\x3c\0\x0b150020+0000"
    form = read(tmp_path, forge.jpeg(more=xmp + forge.segment(0xED, iptc)))
    assert dates(form) == {
        "xmp:CreateDate": "2009-03-06 22:15:00+01:00",
        "iptc:DateCreated": "2019-10-14 15:00:20+0000",
    }


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path: Path) -> None:
    thumbnail = forge.segment(0xE2, forge.jpeg())
    whole = forge.jpeg(more=thumbnail)
    assert read(tmp_path, whole).cut == ""
    assert read(tmp_path, whole[:-2]).cut == "the end of the picture is missing"
    assert "begins" in read(tmp_path, whole[:200]).cut


def test_a_large_picture_is_walked_in_pieces(tmp_path: Path) -> None:
    head, end = forge.jpeg()[:-2], b"\xff\xd9"
    for size in (256 * 1024 - len(head) - 1, 256 * 1024, 3_000_000):
        assert read(tmp_path, head + bytes(size) + end + b"trailer").cut == "", size
        assert read(tmp_path, head + bytes(size) + b"trailer").cut, size


def test_a_copy_that_stopped_and_was_filled_with_zeros_is_a_cut(tmp_path: Path) -> None:
    whole = forge.jpeg(forge.shot())
    assert read(tmp_path, whole[: len(whole) // 2].ljust(len(whole), b"\0")).cut


def test_stray_bytes_between_segments_are_stepped_over(tmp_path: Path) -> None:
    note = forge.segment(0xFE, b"a note")
    form = read(tmp_path, forge.jpeg(more=note + b"\0\0stray\xff\xff" + note))
    assert (form.cut, form.width) == ("", 64)
