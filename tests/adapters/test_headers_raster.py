"""Guards PNG, GIF, WebP and AVI: size, dates, and an end that must be there."""

from pathlib import Path

import pytest

from mediad.model import Media
from tests.adapters import forge
from tests.adapters.reading import dates, read


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"Tue, 04 Jul 2023 23:30:10 +0200", "2023-07-04 23:30:10+02:00"),
        (b"4 Jul 2023 23:30:10 GMT", "2023-07-04 23:30:10+00:00"),
        (b"2023:07:04 23:30:10", "2023:07:04 23:30:10"),
        (b"yesterday, at noon", "yesterday, at noon"),
    ],
)
def test_a_png_may_be_dated_like_a_letter(tmp_path: Path, said: bytes, meant: str) -> None:
    form = read(tmp_path, forge.png(forge.chunk(b"tEXt", b"Creation Time\0" + said)))
    assert dates(form) == {"png:CreationTime": meant}


def test_a_png_tells_its_size_and_dates(tmp_path: Path) -> None:
    more = (
        forge.chunk(b"eXIf", forge.shot()),
        forge.chunk(b"tEXt", b"Creation Time\x002020-01-02T03:04:05"),
    )
    form = read(tmp_path, forge.png(*more, width=40, height=30))
    assert (form.media, form.width, form.height, form.cut) == (Media.PNG, 40, 30, "")
    assert dates(form)["exif:DateTimeOriginal"] == "2024:07:14 18:03:22"
    assert dates(form)["png:CreationTime"] == "2020-01-02 03:04:05"


def test_a_png_with_something_behind_its_end_is_whole(tmp_path: Path) -> None:
    assert read(tmp_path, forge.png() + b"more").cut == ""
    assert "IEND" in read(tmp_path, forge.png()[:-12] + b"more").cut


@pytest.mark.parametrize("trailer", [b";", b"", b";\0\0\0"])
def test_a_gif_may_lack_its_trailer_but_no_part_of_a_frame(tmp_path: Path, trailer: bytes) -> None:
    whole = forge.gif(trailer=trailer)
    form = read(tmp_path, whole)
    assert (form.media, form.width, form.height, form.cut) == (Media.GIF, 9, 7, "")
    assert read(tmp_path, forge.gif(trailer=b"")[:-3]).cut


def test_a_webp_tells_its_size_and_date(tmp_path: Path) -> None:
    form = read(tmp_path, forge.webp(forge.shot()))
    assert (form.media, form.width, form.height) == (Media.WEBP, 100, 50)
    assert "exif:DateTimeOriginal" in dates(form)
    assert "it should have" in read(tmp_path, forge.webp()[:-3]).cut


def test_a_simple_webp_tells_its_size_in_the_picture(tmp_path: Path) -> None:
    lossy = forge.riff(
        b"WEBP", forge.part(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x40\x01\xf0\0" + bytes(40))
    )
    assert (read(tmp_path, lossy).width, read(tmp_path, lossy).height) == (320, 240)
    bits = (319 | 239 << 14).to_bytes(4, "little")
    lossless = forge.riff(b"WEBP", forge.part(b"VP8L", b"\x2f" + bits + bytes(40)))
    assert (read(tmp_path, lossless).width, read(tmp_path, lossless).height) == (320, 240)


@pytest.mark.parametrize(
    ("date", "wanted"),
    [(b"Mon Mar 10 15:04:43 2003\n\0", "2003-03-10 15:04:43"), (b"2005:08:17 11:42:43\0", "2005:08:17 11:42:43")],
)  # fmt: skip
def test_an_avi_tells_size_length_and_date(tmp_path: Path, date: bytes, wanted: str) -> None:
    form = read(tmp_path, forge.avi(date))
    assert (form.media, form.width, form.height, form.duration_s) == (Media.AVI, 320, 240, 2.0)
    assert dates(form) == {"riff:DateTimeOriginal": wanted}
