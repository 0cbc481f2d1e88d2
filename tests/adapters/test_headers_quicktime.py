"""Guards films: Apple's own date before QuickTime's, the content id, and a cut that is one."""

import struct
from pathlib import Path

import pytest

from mediad.model import Media
from tests.adapters import forge
from tests.adapters.reading import dates, read

CONTENT_ID = "71DCA213-5710-4A6C-BC6D-CE6306AEB8D8"
CREATED = 3_804_000_000  # since 1904


def test_the_form_is_filled_in(tmp_path: Path) -> None:
    extra = forge.keys(creationdate="2024-07-14T18:03:22+0200", content_identifier=CONTENT_ID)
    form = read(tmp_path, forge.movie(created=CREATED, extra=extra))
    assert (form.media, form.width, form.height, form.duration_s) == (Media.MOV, 320, 240, 1.5)
    assert form.content_id == CONTENT_ID
    assert dates(form) == {
        "quicktime:CreateDate": "2024-07-16 18:40:00",
        "quicktime:CreationDate": "2024-07-14 18:03:22+0200",
    }
    assert form.claims[0].is_utc


def test_a_clock_that_was_never_set_claims_nothing(tmp_path: Path) -> None:
    assert dates(read(tmp_path, forge.movie(created=0))) == {}


@pytest.mark.parametrize("brand", [b"CAEP", b"niko", b"pana"])
def test_cameras_that_write_local_time_are_known(tmp_path: Path, brand: bytes) -> None:
    (claim,) = read(tmp_path, forge.movie(brand, created=CREATED)).claims
    assert not claim.is_utc


@pytest.mark.parametrize(
    ("brand", "media", "extension"),
    [(b"qt  ", Media.MOV, ".mov"), (b"mp42", Media.MP4, ".mp4"), (b"M4V ", Media.MP4, ".m4v"),
     (b"3gp5", Media.MP4, ".3gp"), (b"crx ", Media.RAW, ".cr3")],
)  # fmt: skip
def test_the_brand_says_what_it_is(
    tmp_path: Path, brand: bytes, media: Media, extension: str
) -> None:
    form = read(tmp_path, forge.movie(brand))
    assert (form.media, form.extension) == (media, extension)


def test_an_old_film_without_a_brand_is_quicktime(tmp_path: Path) -> None:
    whole = forge.movie()
    assert read(tmp_path, whole[int.from_bytes(whole[:4], "big") :]).media is Media.MOV


def test_a_box_that_claims_too_much_is_no_cut_while_the_samples_are_there(tmp_path: Path) -> None:
    whole = bytearray(forge.movie(b"mp42", is_index_first=True))
    at = whole.index(b"mdat") - 4
    whole[at : at + 4] = struct.pack(">I", 99_000)
    assert read(tmp_path, bytes(whole)).cut == ""
    assert "film goes on" in read(tmp_path, bytes(whole[:-1])).cut


def test_a_sample_table_behind_the_end_is_a_cut(tmp_path: Path) -> None:
    whole = bytearray(forge.movie())
    assert read(tmp_path, bytes(whole)).cut == ""
    index = whole.index(b"stco") + 12
    whole[index : index + 4] = struct.pack(">I", 5_000_000)
    assert "5002048" in read(tmp_path, bytes(whole)).cut


def test_a_film_without_its_index_is_cut(tmp_path: Path) -> None:
    whole = forge.movie()
    assert "moov" in read(tmp_path, whole[: whole.index(b"moov") - 4]).cut


def test_the_last_fragment_must_be_whole(tmp_path: Path) -> None:
    fragments = (
        forge.movie(b"mp42") + forge.box(b"moof", bytes(20)) + forge.box(b"mdat", bytes(500))
    )
    assert read(tmp_path, fragments).cut == ""
    assert "fragment" in read(tmp_path, fragments[:-5]).cut


def test_the_day_that_a_camera_writes_is_claimed(tmp_path: Path) -> None:
    day = b"2018-02-21T23:30:18+0100"
    user = forge.box(b"udta", forge.box(b"\xa9day", struct.pack(">HH", len(day), 0), day))
    assert dates(read(tmp_path, forge.movie(extra=user))) == {
        "quicktime:ContentCreateDate": "2018-02-21 23:30:18+0100"
    }


def test_the_place_that_a_phone_writes_is_a_witness(tmp_path: Path) -> None:
    place = b"+35.6894+139.6917/"
    user = forge.box(b"udta", forge.box(b"\xa9xyz", struct.pack(">HH", len(place), 0), place))
    told = dates(read(tmp_path, forge.movie(extra=user)))
    assert told == {"place:coordinates": "+35.6894+139.6917/"}


@pytest.mark.parametrize(("maker", "is_utc"), [(b"GoPro MET  ", False), (b"VideoHandler", True)])
def test_a_clock_that_runs_by_local_time_is_taken_for_one(
    tmp_path: Path, maker: bytes, *, is_utc: bool
) -> None:
    track = forge.box(b"trak", forge.box(b"mdia", forge.full(b"hdlr", bytes(20), maker)))
    index = forge.box(b"moov", forge.mvhd(created=3_800_000_000), track)
    film = forge.box(b"ftyp", b"mp41", bytes(4)) + index + forge.box(b"mdat", bytes(50))
    [claim] = read(tmp_path, film).claims
    assert (claim.tag, claim.is_utc) == ("quicktime:CreateDate", is_utc)


def item(kind: bytes, text: bytes) -> bytes:
    return forge.box(kind, forge.box(b"data", struct.pack(">II", 1, 0), text))


def test_apple_s_words_are_read_where_other_programs_put_them(tmp_path: Path) -> None:
    """Keys within the user data, as ffmpeg has them; iTunes' day needs no keys."""
    keys = forge.full(
        b"keys",
        struct.pack(">I", 2),
        forge.box(b"mdta", b"com.apple.quicktime.creationdate"),
        forge.box(b"mdta", b"com.apple.quicktime.content.identifier"),
    )
    said = item(struct.pack(">I", 1), b"2023-07-04T23:30:00+0900") + item(
        struct.pack(">I", 2), b"ABCD-1234"
    )
    handler = forge.full(b"hdlr", bytes(20))
    user = forge.box(b"udta", forge.full(b"meta", handler, keys, forge.box(b"ilst", said)))
    form = read(tmp_path, forge.movie(extra=user))
    assert dates(form) == {"quicktime:CreationDate": "2023-07-04 23:30:00+0900"}
    assert form.content_id == "ABCD-1234"
    for day, tag in (
        (b"2023-07-04T23:30:00Z", "quicktime:ContentCreateDate"),
        (b"2023-07-04", "quicktime:ContentCreateDay"),
    ):
        tunes = forge.full(b"meta", handler, forge.box(b"ilst", item(b"\xa9day", day)))
        assert list(dates(read(tmp_path, forge.movie(extra=forge.box(b"udta", tunes))))) == [tag]


def test_the_place_of_3gpp_is_a_witness_too(tmp_path: Path) -> None:
    place = (
        struct.pack(">IH", 0, 0)
        + b"Tokyo\0\1"
        + struct.pack(">iii", 9155000, 2338941, 0)
        + b"earth\0\0"
    )
    told = dates(read(tmp_path, forge.movie(extra=forge.box(b"udta", forge.box(b"loci", place)))))
    assert told == {"place:coordinates": "+35.6894+139.6942"}
    cut = forge.box(b"udta", forge.box(b"loci", place[:20]))
    assert dates(read(tmp_path, forge.movie(extra=cut))) == {}


def test_a_film_in_fragments_tells_its_length_elsewhere(tmp_path: Path) -> None:
    picture = forge.track(32, 4)
    extends = forge.box(b"mvex", forge.full(b"mehd", struct.pack(">I", 1200)))
    index = forge.box(b"moov", forge.mvhd(length=0), picture, extends)
    film = forge.box(b"ftyp", b"iso5", bytes(4)) + index + forge.box(b"mdat", bytes(50))
    assert read(tmp_path, film).duration_s == 2.0


def test_samples_in_another_file_are_no_cut_here(tmp_path: Path) -> None:
    elsewhere = forge.full(b"dref", struct.pack(">I", 1), forge.full(b"url ", b"file:///x\0"))
    table = forge.box(b"stbl", forge.full(b"stco", struct.pack(">II", 1, 1 << 30)))
    track = forge.box(
        b"trak", forge.box(b"mdia", forge.box(b"minf", forge.box(b"dinf", elsewhere), table))
    )
    assert read(tmp_path, forge.movie(extra=track)).cut == ""
