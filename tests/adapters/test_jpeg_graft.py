"""Guards that a JPEG keeps every byte that is not its coded picture, and that a mangled one is never guessed at."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mediad.adapters import jpeg_graft
from mediad.adapters.bmff import NotUnderstood
from tests.adapters import stills

CODED = stills.jpeg(quality=60)
XMP = b"http://ns.adobe.com/xap/1.0/\0"
JUMBF = b"JP\0\1\0\0\0\1\0\0\0\x20"


def grafted(original: bytes, coded: bytes = CODED) -> bytes:
    made = jpeg_graft.graft(original, coded)
    old, new = jpeg_graft.layout(original), jpeg_graft.layout(made)
    assert jpeg_graft.kept(original, old) == jpeg_graft.kept(made, new)
    assert original[old.end :] == made[new.end :]
    assert jpeg_graft.pictures_behind(original, old) == jpeg_graft.pictures_behind(made, new)
    return made


def refused(data: bytes, coded: bytes = CODED) -> str:
    with pytest.raises(NotUnderstood) as why:
        jpeg_graft.graft(data, coded)
    return str(why.value)


def test_everything_but_the_picture_is_kept_byte_for_byte() -> None:
    made = grafted(stills.usual())
    assert stills.SAMSUNG in made
    assert b"a comment" in made
    assert len(made) < len(stills.usual())


def test_the_picture_is_exactly_the_coded_one() -> None:
    made = grafted(stills.usual())
    assert stills.decoded(made).tobytes() == stills.decoded(CODED).tobytes()


def test_pixels_and_orientation_stay_as_they_are_stored() -> None:
    image = stills.decoded(grafted(stills.usual()))
    assert image.size == (640, 480)
    assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_gain_map_is_found_where_it_went(order: str) -> None:
    gain = stills.jpeg(stills.picture(160, 120), quality=80)
    made = grafted(stills.with_gain_map(order=order))
    assert jpeg_graft.pictures_behind(made, jpeg_graft.layout(made)) == [gain]


def test_fill_bytes_in_the_header_do_not_shift_the_gain_map() -> None:
    original = stills.with_gain_map()
    gain = jpeg_graft.pictures_behind(original, jpeg_graft.layout(original))
    base = original.index(b"MPF\0") - 4
    at = original.index((len(original) - len(gain[0]) - base - 8).to_bytes(4, "little"))
    table = original.index(b"MPF\0") - 4
    shifted = bytearray(original[:table] + b"\xff\xff" + original[table:])
    offset = len(shifted) - len(gain[0]) - shifted.index(b"MPF\0") - 4
    shifted[at + 2 : at + 6] = offset.to_bytes(4, "little")
    assert jpeg_graft.pictures_behind(grafted(bytes(shifted)), _layout_of(bytes(shifted))) == gain


def _layout_of(original: bytes) -> jpeg_graft.Layout:
    return jpeg_graft.layout(jpeg_graft.graft(original, CODED))


def test_progressive_and_restarted_pictures_are_understood() -> None:
    assert grafted(stills.jpeg(progressive=True))
    assert grafted(stills.jpeg(optimize=True))


def test_a_restart_marker_too_many_is_left_out_for_strict_decoders() -> None:
    data = stills.jpeg()
    odd = data[:-2] + b"\xff\xd0\xff\xd9"
    assert jpeg_graft.primary(odd, jpeg_graft.layout(odd)) == data


def test_fill_bytes_are_left_out_for_strict_decoders_too() -> None:
    data = stills.jpeg()
    scan = data.index(b"\xff\xda")
    filled = (
        data[:2]
        + b"\xff\xff\xff"
        + data[2:scan]
        + b"\xff\xff"
        + data[scan:-2]
        + b"\xff\xff\xff\xd9"
    )
    assert jpeg_graft.primary(filled, jpeg_graft.layout(filled)) == data
    assert grafted(filled)


def test_a_preview_behind_the_picture_that_the_maker_s_note_finds_is_not_moved() -> None:
    """As Sony has it, beside an MPF table: a place counted from the start of EXIF."""
    preview = stills.jpeg(stills.picture(160, 120), quality=80)
    plain = stills.with_gain_map(gain=preview)
    assert grafted(plain)
    size = len(stills.segment(0xE1, b"Exif\0\0" + bytes(60)))
    for base in (0, 2 + 10):
        place = len(plain) + size - len(preview) - base
        for order in "<>":
            note = struct.pack(order + "HHII", 0x2001, 7, len(preview), place)
            exif = stills.segment(0xE1, b"Exif\0\0" + note.ljust(60, b"\0"))
            assert "maker's note" in refused(plain[:2] + exif + plain[2:])


def test_exif_that_would_have_to_move_is_not_moved() -> None:
    data = stills.jpeg()
    for before in (b"\xff\xff", stills.segment(0xDB, bytes(65))):
        assert "in front" in refused(data[:2] + before + stills.exif() + data[2:])


def test_gray_stays_gray() -> None:
    gray = stills.jpeg(stills.picture().convert("L"))
    coded = stills.jpeg(stills.picture().convert("L"), quality=50)
    assert stills.decoded(grafted(gray, coded)).mode == "L"
    assert refused(gray) == "the coder gave back another picture"


def test_the_coder_s_own_segments_are_dropped_and_the_original_s_kept() -> None:
    adobe = stills.segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
    made = grafted(stills.dressed(stills.jpeg(), adobe), stills.dressed(CODED, stills.exif(3)))
    assert adobe in made
    assert b"Exif" not in made


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (stills.jpeg()[:5000], "cut off"),
        (stills.jpeg()[:100], "fit"),
        (b"", "no JPEG"),
        (b"\x89PNG", "no JPEG"),
        (stills.jpeg(stills.picture().convert("CMYK"), sampling=0), "4 colours"),
        (stills.dressed(stills.jpeg(), stills.segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")), "YCbCr"),
        (stills.jpeg() + b"something that follows", "unknown bytes"),
        (stills.jpeg() + stills.jpeg(), "unknown bytes"),
        (stills.dressed(stills.jpeg(), stills.segment(0xDE, b"hierarchical")), "unusual"),
        (stills.dressed(stills.jpeg(), stills.segment(0xE2, b"MPF\0??")), "no header"),
        (stills.dressed(stills.jpeg(), stills.segment(0xE2, b"MPF\0II*\0" + b"\xff" * 9)), "cut off"),
        (stills.with_gain_map()[:-9], "beyond the file"),
        (
            stills.dressed(
                stills.jpeg(),
                stills.segment(0xE1, XMP + b'<Item Item:Semantic="Primary" Item:Length="12345"/>'),
            ),
            "length",
        ),
        (stills.dressed(stills.jpeg(), stills.segment(0xEB, JUMBF + b"jumb..jumdc2pa")), "signed"),
        (stills.dressed(stills.jpeg(), stills.segment(0xEB, JUMBF + b"RESI")), "second layer"),
        (stills.dressed(stills.jpeg(), *2 * [stills.segment(0xDD, b"\0\1")]), "restart"),
        (stills.jpeg()[:-2] + stills.segment(0xDD, b"\0\1") + b"\xff\xd9", "restart"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_a_reason(data: bytes, why: str) -> None:
    assert why in refused(data)


def test_a_motion_photo_keeps_its_film() -> None:
    xmp = stills.segment(0xE1, XMP + b'<x GCamera:MicroVideoOffset="9"/>')
    film = b"\0\0\0\x08ftypmp42" * 50
    assert grafted(stills.dressed(stills.jpeg(), xmp, trailer=film)).endswith(film)


def test_another_picture_size_is_refused() -> None:
    assert "another picture" in refused(stills.jpeg(), stills.jpeg(stills.picture(320, 240)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mangled_files_raise_nothing_but_not_understood(data: st.DataObject) -> None:
    original = bytearray(data.draw(st.sampled_from([stills.usual(), stills.with_gain_map()])))
    header = jpeg_graft.layout(bytes(original)).scan + 40
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, header) | st.integers(0, len(original) - 1))
        original[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(original)))
    mangled = bytes(original[:cut])
    with suppress(NotUnderstood):
        grafted(mangled)


def test_real_photos_keep_everything(shared_media: Path) -> None:
    refusals = {}
    for path in sorted(shared_media.glob("jpeg_*/*.jpg")):
        original = path.read_bytes()
        try:
            frame = jpeg_graft.layout(original).frame
            mode = "L" if len(frame.components) == 1 else "RGB"
            grafted(original, stills.jpeg(Image.new(mode, frame[:2], "gray"), quality=5))
        except NotUnderstood as why:
            refusals[path.name] = str(why)
    assert set(refusals) == {
        "issue-metadata-extractor-65.jpg",  # CMYK
        "pil_sample_cmyk.jpg",
        "sugarshack_bad_mpo_header.jpg",
        "issue_ghsa_hrw9_ggg3_3r4r_poc.jpg",  # no JPEG at all
    }
