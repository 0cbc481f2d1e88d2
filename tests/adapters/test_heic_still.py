"""Guards that a HEIC is taken apart only when all of it adds up: no guess, and no untyped error on mangled bytes."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.heic_graft import coded_tiles, graft, kept
from mediad.adapters.heic_still import parse
from tests.adapters import stills


def why_not(data: bytes) -> str:
    with pytest.raises(NotUnderstood) as why:
        parse(data)
    return str(why.value)


def renamed(kind: bytes, to: bytes) -> bytes:
    assert kind in stills.heic()
    return stills.heic().replace(kind, to, 1)


def test_a_plain_picture_is_taken_apart() -> None:
    still = parse(stills.heic())
    assert len(still.tiles) == 1
    assert set(still.kinds.values()) == {b"hvc1", b"Exif"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a plain"),
        (stills.jpeg(), "box"),
        (stills.heic()[: len(stills.heic()) // 2], "says it has"),
        (stills.heic() + (8).to_bytes(4, "big") + b"moov", "not a plain"),
        (stills.heic() + b"stray bytes", "box"),
        (renamed(b"iinf", b"iinx"), "unknown parts"),
        (renamed(b"hvcC", b"xxxx"), "not coded alike"),
        (renamed(b"pixi", b"oinf"), "unknown properties"),
        (renamed(b"ipma", b"ipmx"), "unknown order"),
        (renamed(b"infe", b"infx"), "unknown way"),
    ],
)
def test_what_does_not_add_up_is_refused_with_a_reason(data: bytes, why: str) -> None:
    assert why in why_not(data)


def test_more_than_eight_bits_are_refused() -> None:
    data = bytearray(stills.heic())
    data[data.index(b"hvcC") + 4 + 17] |= 2  # ten bits of luma
    assert "8 bits" in why_not(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mangled_files_raise_nothing_but_not_understood(data: st.DataObject) -> None:
    original = bytearray(stills.heic())
    description = original.index(b"mdat")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, description) | st.integers(0, len(original) - 1))
        original[at] = data.draw(st.integers(0, 255))
    mangled = bytes(original[: data.draw(st.none() | st.integers(0, len(original)))])
    with suppress(NotUnderstood):
        still = parse(mangled)
        made = graft(still, coded_tiles(still))
        assert kept(parse(made)) == kept(still)


def test_real_photos_of_many_phones_are_understood(shared_media: Path) -> None:
    refusals = {}
    for path in sorted(p for p in shared_media.glob("heic_*/*") if p.stat().st_size):
        try:
            parse(path.read_bytes())
        except NotUnderstood as why:
            refusals[path.name] = str(why)
    assert refusals == {
        "bird_burst.heic": "not a plain HEIC picture",
        "cat.hif": "its colours have more than 8 bits, or are not 4:2:0",
        "spatial_photo.heic": "2 pictures in one file",
    }


def test_a_real_photo_cut_in_half_is_refused(shared_media: Path) -> None:
    assert "says it has" in why_not((shared_media / "edge/trunc50.heic").read_bytes())
