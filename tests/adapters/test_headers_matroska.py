"""Guards Matroska and WebM: date, length and size from the head; a segment that is longer than the file is a cut."""

from pathlib import Path

from mediad.model import Media
from tests.adapters import forge
from tests.adapters.reading import dates, read

SUMMER_2024 = 742_672_800 * 10**9  # since 2001


def test_the_form_is_filled_in(tmp_path: Path) -> None:
    form = read(tmp_path, forge.matroska(nanoseconds=SUMMER_2024))
    assert (form.media, form.extension) == (Media.MATROSKA, ".mkv")
    assert (form.width, form.height, form.duration_s) == (1280, 720, 2.5)
    assert dates(form) == {"matroska:DateUTC": "2024-07-14 18:00:00"}
    assert form.cut == ""


def test_webm_has_its_own_extension(tmp_path: Path) -> None:
    assert read(tmp_path, forge.matroska(b"webm")).extension == ".webm"


def test_a_missing_end_is_a_cut(tmp_path: Path) -> None:
    assert "film goes on" in read(tmp_path, forge.matroska()[:-1]).cut


def test_a_segment_of_unknown_length_is_no_cut(tmp_path: Path) -> None:
    whole = bytearray(forge.matroska())
    at = whole.index(b"\x18\x53\x80\x67") + 4
    whole[at : at + 4] = b"\x1f\xff\xff\xff"
    form = read(tmp_path, bytes(whole))
    assert (form.cut, form.width) == ("", 1280)
