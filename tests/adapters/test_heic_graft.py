"""Guards that a HEIC keeps everything but its tiles, and that the tiles are found where they went."""

import io
from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.heic_graft import coded_tiles, graft, item, kept
from mediad.adapters.heic_still import Still, parse
from tests.adapters import stills

START = b"\0\0\0\1"


def units(stream: bytes) -> list[bytes]:
    return stream.split(b"\0\0\1")[1:]


def longer(stream: bytes) -> bytes:
    """The same pictures with one more slice each, so that every place in the file moves."""
    slices = [u.rstrip(b"\0") for u in units(stream)]
    out = b""
    for unit in slices:
        out += START + unit
        if unit[0] >> 1 & 63 in {19, 20}:
            out += START + unit[:2] + bytes([unit[2] & 0x7F]) + unit[3:40]
    return out


def check_kept(old: Still, made: bytes) -> Still:
    new = parse(made)
    assert kept(old) == kept(new)
    return new


def test_the_same_tiles_give_the_same_picture() -> None:
    old = parse(stills.heic())
    made = graft(old, coded_tiles(old))
    check_kept(old, made)
    assert stills.decoded(made).tobytes() == stills.decoded(stills.heic()).tobytes()


def test_other_items_are_found_where_they_went() -> None:
    old = parse(stills.heic())
    new = check_kept(old, graft(old, longer(coded_tiles(old))))
    exif = next(n for n, kind in new.kinds.items() if kind == b"Exif")
    assert b"Maker of the tests" in item(new, exif)
    assert len(item(new, new.tiles[0])) > len(item(old, old.tiles[0]))


def test_a_picture_whose_length_its_xmp_states_is_left_as_it_is() -> None:
    out = io.BytesIO()
    said = b"<x:xmpmeta><Item:Length>%d</Item:Length><Item:Semantic>Primary</Item:Semantic></x:xmpmeta>"
    for length in (0, 123):
        stills.picture().save(out, "HEIF", quality=60, chroma="420", xmp=said % length)
        still = parse(out.getvalue())
        out = io.BytesIO()
        if length:
            with pytest.raises(NotUnderstood, match="length of the picture"):
                graft(still, coded_tiles(still))
        else:
            check_kept(still, graft(still, coded_tiles(still)))


def test_tiles_of_another_picture_keep_the_rest() -> None:
    old = parse(stills.heic())
    other = parse(stills.heic(quality=20))
    made = graft(old, coded_tiles(other))
    check_kept(old, made)
    assert stills.decoded(made).tobytes() == stills.decoded(other.data).tobytes()
    assert len(made) < len(old.data)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"", "no parameters"),
        (b"nothing", "no parameters"),
        (START + b"\x02\x01\x80", "kind 1"),
        (START, "not all there"),
    ],
)
def test_a_stream_that_is_none_is_refused(stream: bytes, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        graft(parse(stills.heic()), stream)


def of_profile(stream: bytes, profile: int) -> bytes:
    """The same pictures, said to be coded by another profile."""
    said = [bytes([*u[:3], profile, *u[4:]]) if u[0] >> 1 & 63 == 33 else u for u in units(stream)]
    return b"".join(START + unit.rstrip(b"\0") for unit in said)


def test_a_profile_that_not_every_reader_knows_is_refused() -> None:
    """Main Intra is one of the format range extensions; the brand 'heic' promises Main."""
    main = parse(graft(parse(stills.heic()), of_profile(coded_tiles(parse(stills.heic())), 1)))
    with pytest.raises(NotUnderstood, match="not every reader"):
        graft(main, of_profile(coded_tiles(main), 4))
    assert graft(main, of_profile(coded_tiles(main), 3))


def test_a_tile_too_many_or_too_few_is_refused() -> None:
    old = parse(stills.heic())
    stream = coded_tiles(old)
    with pytest.raises(NotUnderstood, match="1 tiles became 2"):
        graft(old, stream + stream)


def test_tiles_coded_differently_are_refused() -> None:
    old = parse(stills.heic())
    other = coded_tiles(parse(stills.heic(320, 240)))
    with pytest.raises(NotUnderstood, match="differently"):
        graft(old, coded_tiles(old) + other)


def test_real_photos_keep_gain_map_depth_and_film(shared_media: Path) -> None:
    seen = 0
    for path in sorted(shared_media.glob("heic_*/*")):
        data = path.read_bytes()
        try:
            old = parse(data)
        except NotUnderstood:
            continue
        made = graft(old, coded_tiles(old))
        assert len(made) == len(data)
        new = check_kept(old, made)
        assert [item(old, t) for t in old.tiles] == [item(new, t) for t in new.tiles]
        seen += 1
    assert seen >= 9


def test_a_real_grid_keeps_everything_when_its_tiles_change_size(shared_media: Path) -> None:
    for name in ("heic_hdr_gainmap/aux_YCbCr.heic", "heic_hdr_gainmap/iphone_15_pro.heic"):
        old = parse((shared_media / name).read_bytes())
        new = check_kept(old, graft(old, longer(coded_tiles(old))))
        assert len(new.data) > len(old.data)
