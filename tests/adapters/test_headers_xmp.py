"""Guards sidecars and XMP: the date beside a picture, and files that only have the name of a sidecar."""

import json

import pytest

from mediad.adapters.headers_base import Header
from mediad.adapters.headers_xmp import read_sidecar, read_xmp
from mediad.model import Media
from tests.adapters.reading import dates

AAE = b'<?xml version="1.0"?><plist version="1.0"><dict><key>adjustmentBaseVersion</key></dict></plist>'


def test_xmp_is_read_as_attribute_and_as_element() -> None:
    form = Header(Media.JPEG)
    read_xmp(
        b'<rdf:Description exif:DateTimeOriginal="2018-10-27T13:27:23.53">'
        b"<photoshop:DateCreated>2018-10-27</photoshop:DateCreated>"
        b"<xmp:CreateDate>2018-10-27T13:27:23+02:00</xmp:CreateDate>",
        form,
    )
    assert dates(form) == {
        "xmp:DateTimeOriginal": "2018-10-27 13:27:23.53",
        "xmp:DateCreated": "2018-10-27",
        "xmp:CreateDate": "2018-10-27 13:27:23+02:00",
    }


def test_a_takeout_sidecar_knows_the_instant() -> None:
    said = {
        "title": "IMG_1.jpg",
        "photoTakenTime": {"timestamp": "1565000000", "formatted": "5 Aug 2019"},
    }
    form = read_sidecar(json.dumps(said).encode(), ".json")
    assert form is not None
    assert dates(form) == {"sidecar:DateTimeOriginal": "2019-08-05 10:13:20"}
    assert form.claims[0].is_utc


def test_an_exiftool_or_osxphotos_sidecar_knows_the_wall_clock() -> None:
    said = [{"SourceFile": "IMG_1.jpg", "EXIF:DateTimeOriginal": "2019:08:05 12:13:20"}]
    form = read_sidecar(json.dumps(said).encode(), ".json")
    assert form is not None
    assert dates(form) == {"sidecar:DateTimeOriginal": "2019:08:05 12:13:20"}


@pytest.mark.parametrize(
    ("content", "suffix", "is_sidecar"),
    [
        (AAE, ".aae", True), (b"bplist00...adjustmentData", ".aae", True), (b"<plist>", ".aae", False),
        (b"<x:xmpmeta/>", ".xmp", True), (b"<html/>", ".xmp", False),
        (b'{"name": "a shopping list"}', ".json", False), (b"{", ".json", False), (b"[" * 100_000, ".json", False),
        (b"[]", ".json", False), (b'"photoTakenTime"', ".json", False), (AAE, ".txt", False),
    ],
)  # fmt: skip
def test_name_and_content_must_agree(content: bytes, suffix: str, is_sidecar: bool) -> None:  # noqa: FBT001 - a table
    assert (read_sidecar(content, suffix) is not None) == is_sidecar
