"""Guards HEIC and AVIF: size, EXIF by its item, and every item inside the file."""

from pathlib import Path

import pytest

from mediad.model import Media
from tests.adapters import forge
from tests.adapters.reading import dates, read

CONTENT_ID = "71DCA213-5710-4A6C-BC6D-CE6306AEB8D8"


def test_the_form_is_filled_in(tmp_path: Path) -> None:
    form = read(tmp_path, forge.heic(forge.shot(offset="+02:00", content_id=CONTENT_ID)))
    assert (form.media, form.extension, form.width, form.height) == (Media.HEIC, ".heic", 400, 300)
    assert form.content_id == CONTENT_ID
    assert dates(form) == {"exif:DateTimeOriginal": "2024:07:14 18:03:22+02:00"}
    assert form.cut == ""


@pytest.mark.parametrize(
    ("brand", "media"), [(b"heix", Media.HEIC), (b"avif", Media.AVIF), (b"mif1", Media.HEIC)]
)
def test_the_brand_says_which(tmp_path: Path, brand: bytes, media: Media) -> None:
    assert read(tmp_path, forge.heic(brand=brand)).media is media


def test_an_item_behind_the_end_is_a_cut(tmp_path: Path) -> None:
    whole = forge.heic(forge.shot())
    assert read(tmp_path, whole[:-1]).cut
    assert read(tmp_path, whole[:150]).cut


def test_a_film_behind_the_picture_is_welcome_while_it_is_whole(tmp_path: Path) -> None:
    motion = forge.heic() + forge.box(b"mpvd", forge.movie(b"mp42"))
    assert read(tmp_path, motion).cut == ""
    assert "mpvd" in read(tmp_path, motion[:-10]).cut


def test_a_list_of_pieces_without_end_is_given_up(tmp_path: Path) -> None:
    whole = bytearray(forge.heic())
    at = whole.index(b"iloc") + 4
    whole[at + 4 : at + 8] = b"\0\0\xff\xff"  # 65535 items, numbers of no width
    form = read(tmp_path, bytes(whole[:at]) + bytes(4) + b"\0\0\xff\xff" + b"\xff" * 400)
    assert form.media is Media.HEIC
