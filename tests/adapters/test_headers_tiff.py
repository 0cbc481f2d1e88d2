"""Guards EXIF: dates with their zones and fractions, Apple's content id, RAW told from TIFF, cut strips noticed."""

import struct
from pathlib import Path

import pytest

from mediad.adapters.headers_base import Header
from mediad.adapters.headers_tiff import read_exif
from mediad.model import Media
from tests.adapters import forge
from tests.adapters.forge import long, short, text
from tests.adapters.reading import dates, read

CONTENT_ID = "71DCA213-5710-4A6C-BC6D-CE6306AEB8D8"


def exif(block: bytes) -> Header:
    form = Header(Media.JPEG)
    read_exif(block, form)
    return form


def test_all_dates_are_claimed_each_with_its_own_zone() -> None:
    form = exif(
        forge.tiff(
            {0x0132: text("2024:08:01 09:00:00")},
            {
                0x9003: text("2024:07:14 18:03:22"), 0x9011: text("+02:00"), 0x9291: text("045"),
                0x9004: text("2024:07:14 18:03:23"),
            },
            {0x001D: text("2024:07:14"), 0x0007: (5, struct.pack(">6I", 16, 1, 3, 1, 2150, 100))},
        )
    )  # fmt: skip
    assert dates(form) == {
        "exif:DateTimeOriginal": "2024:07:14 18:03:22+02:00",
        "exif:CreateDate": "2024:07:14 18:03:23",
        "modified:ModifyDate": "2024:08:01 09:00:00",
        "exif:GPSDateTime": "2024:07:14 16:03:21",
    }
    assert form.claims[0].fraction == "045"


@pytest.mark.parametrize(
    ("first", "exif_zones"), [({0x9010: "+05:30"}, {}), ({}, {0x9012: "+05:30"})]
)
def test_a_zone_beside_another_date_of_the_same_moment_is_lent(
    first: dict[int, str], exif_zones: dict[int, str]
) -> None:
    moment = "2024:07:14 18:03:22"
    zones = {tag: text(zone) for tag, zone in (first | exif_zones).items()}
    same = {0x9003: text(moment), 0x9004: text(moment), **zones}
    assert (
        dates(exif(forge.tiff({0x0132: text(moment)}, same)))["exif:DateTimeOriginal"]
        == f"{moment}+05:30"
    )
    later = {0x9003: text(moment), 0x9004: text("2024:07:15 18:03:22"), **zones}
    saved = exif(forge.tiff({0x0132: text("2024:07:16 18:03:22")}, later))
    assert dates(saved)["exif:DateTimeOriginal"] == moment


def test_the_place_is_a_witness() -> None:
    def rationals(*numbers: int) -> tuple[int, bytes]:
        return 5, struct.pack(">6I", *numbers)

    gps = {
        1: text("S"), 2: rationals(33, 1, 52, 1, 1025, 100),
        3: text("E"), 4: rationals(151, 1, 12, 1, 0, 1),
    }  # fmt: skip
    assert dates(exif(forge.tiff({}, {}, gps))) == {"place:coordinates": "-33.8695+151.2000"}
    gps[4] = rationals(151, 1, 12, 0, 0, 1)
    assert dates(exif(forge.tiff({}, {}, gps))) == {}


def test_apples_content_id_is_found_in_the_maker_note() -> None:
    assert exif(forge.shot(content_id=CONTENT_ID)).content_id == CONTENT_ID


def test_the_maker_note_of_others_is_left_alone() -> None:
    assert exif(forge.tiff({}, {0x927C: (7, b"Nikon\0" + bytes(100))})).content_id == ""


@pytest.mark.parametrize("at", range(8, 120, 3))
def test_damage_costs_a_date_and_no_more(at: int) -> None:
    block = bytearray(forge.shot(content_id=CONTENT_ID))
    block[at : at + 3] = b"\xff\xff\xff"
    assert isinstance(exif(bytes(block)).claims, list)


def test_a_directory_that_points_at_itself_is_read_once(tmp_path: Path) -> None:
    looped = b"MM\0*\0\0\0\x08" + forge.ifd({0x0100: short(9), 0x0101: short(7)}, 8, following=8)
    form = read(tmp_path, looped)
    assert (form.media, form.width, form.height) == (Media.TIFF, 9, 7)


@pytest.mark.parametrize(
    ("make", "extension"), [("NIKON CORPORATION", ".nef"), ("SONY", ".arw"), ("Canon", ".cr2"), ("?", ".raw")]
)  # fmt: skip
def test_a_colour_filter_array_makes_it_a_raw(tmp_path: Path, make: str, extension: str) -> None:
    form = read(tmp_path, forge.tiff({0x010F: text(make), 0x0106: short(32803)}))
    assert (form.media, form.extension) == (Media.RAW, extension)


def test_a_dng_says_so_itself(tmp_path: Path) -> None:
    form = read(tmp_path, forge.tiff({0x010F: text("Canon"), 0xC612: (1, b"\1\4\0\0")}))
    assert (form.media, form.extension) == (Media.RAW, ".dng")


@pytest.mark.parametrize("tags", [(0x0111, 0x0117), (0x0144, 0x0145)])
def test_strips_and_tiles_behind_the_end_are_a_cut(tmp_path: Path, tags: tuple[int, int]) -> None:
    where, how_long = tags
    whole = forge.tiff({where: long(200), how_long: long(300)}).ljust(500, b"\0")
    assert read(tmp_path, whole).cut == ""
    assert "byte 500" in read(tmp_path, whole[:499]).cut
