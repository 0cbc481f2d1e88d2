"""Guards the first look: content decides, a right extension stays, and what is no media is called by its name."""

import pytest

from mediad.adapters.sniff import extension_for, sniff, what_else
from mediad.model import Media
from tests.adapters import forge

TS = b"".join(b"\x47" + bytes(187) for _ in range(6))
M2TS = b"".join(bytes(4) + b"\x47" + bytes(187) for _ in range(6))


@pytest.mark.parametrize(
    ("content", "media", "extension"),
    [
        (forge.jpeg(), Media.JPEG, ".jpg"), (forge.heic(), Media.HEIC, ".heic"),
        (forge.heic(brand=b"avif"), Media.AVIF, ".avif"),
        (forge.png(), Media.PNG, ".png"), (forge.gif(), Media.GIF, ".gif"), (forge.webp(), Media.WEBP, ".webp"),
        (forge.avi(), Media.AVI, ".avi"), (forge.tiff({0x100: forge.short(1)}), Media.TIFF, ".tif"),
        (forge.raf(b""), Media.RAW, ".raf"), (forge.movie(), Media.MOV, ".mov"),
        (forge.movie(b"isom"), Media.MP4, ".mp4"),
        (forge.matroska(), Media.MATROSKA, ".mkv"), (b"\0\0\1\xba" + bytes(20), Media.MPEG, ".mpg"),
        (TS, Media.MPEG, ".ts"),
        (M2TS, Media.MPEG, ".m2ts"),
    ],
)  # fmt: skip
def test_content_says_what_it_is(content: bytes, media: Media, extension: str) -> None:
    known = sniff(content)
    assert known is not None
    assert (known[0].media, known[0].extension) == (media, extension)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"hello", "text"), (b"<!doctype html>", "web page"), (b"%PDF-1.7", "PDF"), (b"ID3\4", "sound"),
        (forge.box(b"ftyp", b"M4A ", bytes(4)), "sound"), (b"\0\0\0\x0cJXL \r\n", "JPEG XL"), (bytes(99), "zero bytes"),
        (b"\xd0\xcf\x11\xe0", "thumbnail store"), (b"RIFF\0\0\0\0WAVEfmt ", "no kind"), (b"\x01\x02\x03", "no kind"),
        (b"", "zero bytes"),
    ],
)  # fmt: skip
def test_what_is_no_media_is_called_by_its_name(content: bytes, what: str) -> None:
    assert sniff(content) is None
    assert what in what_else(content)


@pytest.mark.parametrize(
    ("right", "name", "wanted"),
    [
        (".jpg", "a.JPEG", ".jpeg"), (".jpg", "a.HEIC", ".jpg"), (".jpg", "a", ".jpg"), (".heic", "a.hif", ".hif"),
        (".mp4", "a.M4V", ".m4v"), (".mov", "a.mp4", ".mov"), (".m2ts", "a.MTS", ".mts"), (".raw", "a.X3F", ".x3f"),
    ],
)  # fmt: skip
def test_an_extension_that_is_right_stays(right: str, name: str, wanted: str) -> None:
    assert extension_for(right, name) == wanted
