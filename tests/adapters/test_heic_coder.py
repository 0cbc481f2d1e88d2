"""Guards that tiles are read strictly, and coded with the colours that they had."""

from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.heic_coder import (
    STRICT,
    coding,
    colours_of,
    decoding,
    is_full,
    is_sound,
    last,
    ran,
    raw,
    said,
)
from mediad.adapters.heic_graft import coded_tiles
from mediad.adapters.heic_still import parse
from mediad.adapters.video_probe import run
from mediad.adapters.workers import Limits
from mediad.errors import Refused
from tests.adapters import stills

LIMITS = Limits(wall_s=60.0)


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    path = tmp_path / "tiles.hevc"
    path.write_bytes(coded_tiles(parse(stills.heic())))
    return path


def test_what_is_coded_has_the_size_and_the_colours_of_what_was_decoded(tiles: Path) -> None:
    colours = colours_of(tiles, LIMITS)
    assert (colours["width"], colours["height"]) == ("640", "480")
    pixels, coded = tiles.with_name("pixels"), tiles.with_name("coded.hevc")
    named = {**colours, "color_primaries": "smpte432", "color_space": "smpte170m"}
    run([*STRICT, str(tiles), *decoding(), str(pixels)], LIMITS, tiles.parent)
    assert pixels.stat().st_size == 640 * 480 * 3 // 2
    command = [*raw((640, 480), named), str(pixels), *coding(24, named), str(coded)]
    assert run(command, LIMITS, tiles.parent).returncode == 0
    again = said(coded, LIMITS)
    for name in ("width", "height", "pix_fmt", "color_primaries", "color_space"):
        assert again[name] == named[name], name
    assert is_full(again) == is_full(named)


def test_each_tile_is_counted_and_decoded_to_its_end(tiles: Path) -> None:
    assert is_sound(tiles, 1, LIMITS)
    assert not is_sound(tiles, 2, LIMITS)
    data = tiles.read_bytes()
    tiles.write_bytes(data[: len(data) // 2])
    assert not is_sound(tiles, 1, LIMITS)


def test_what_is_no_hevc_is_damaged(tiles: Path) -> None:
    tiles.write_bytes(b"no tiles at all" * 99)
    with pytest.raises(Refused) as no:
        said(tiles, LIMITS)
    assert no.value.code == "compress.source_damaged"


def test_other_pixels_are_not_coded(tiles: Path) -> None:
    pixels, coded = tiles.with_name("pixels"), tiles.with_name("coded.hevc")
    pixels.write_bytes(bytes(64 * 64 * 3))
    other = {"pix_fmt": "yuv444p"}
    run([*raw((64, 64), other), str(pixels), *coding(30, other), str(coded)], LIMITS, tiles.parent)
    with pytest.raises(NotUnderstood):
        colours_of(coded, LIMITS)


def test_who_uses_all_of_its_time_up_took_too_long(tmp_path: Path) -> None:
    with pytest.raises(Refused) as no:
        ran(["sh", "-c", "while :; do :; done"], Limits(cpu_s=1, wall_s=60.0), tmp_path)
    assert no.value.code == "compress.timeout"


def test_the_last_thing_a_program_said_is_told() -> None:
    assert last("one\ntwo") == "two"
    assert last("") == "no reason given"
