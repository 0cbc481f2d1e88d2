"""Guards that a HEIC's rendition is smaller, honest and complete, and that damage is never re-coded."""

from pathlib import Path

import pytest

from mediad.adapters import photo_heic
from mediad.adapters.heic_graft import coded_tiles, graft
from mediad.adapters.heic_still import parse
from mediad.adapters.photo_gates import Failed
from mediad.adapters.workers import Limits
from mediad.errors import Refused
from mediad.policy.recipes_photo import heic_crf
from tests.adapters import stills

LIMITS = Limits(wall_s=60.0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.heic"
    path.write_bytes(stills.heic())
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.heic"


def stopped(source: Path, target: Path) -> str:
    with pytest.raises(Failed) as no:
        photo_heic.judge(source, target, 24, target.parent, LIMITS)
    return no.value.code


def test_a_rendition_is_smaller_and_passes_every_gate(source: Path, target: Path) -> None:
    figures = photo_heic.render(source, target, 24, LIMITS)
    assert figures["encoder"] == "libx265"
    assert target.stat().st_size < source.stat().st_size * 0.9
    assert photo_heic.judge(source, target, 24, target.parent, LIMITS)["worst_block"]
    made = parse(target.read_bytes())
    configuration = made.properties[made.configuration - 1]
    assert made.data[configuration.body + 1] & 0x1F == 1, "the Main profile, as the brand promises"


@pytest.mark.parametrize("quality", [79, 75, 65, 50, 30])
def test_the_floor_is_that_of_the_quality_which_chose_the_rate_factor(quality: int) -> None:
    assert abs(photo_heic.quality_like(heic_crf(quality)) - quality) <= 2


def test_an_unknown_structure_is_left_as_it_is(source: Path, target: Path) -> None:
    source.write_bytes(stills.heic().replace(b"iinf", b"iinx"))
    with pytest.raises(Refused) as no:
        photo_heic.render(source, target, 20, LIMITS)
    assert no.value.code == "compress.not_understood"
    assert not target.exists()


def test_a_damaged_tile_is_left_as_it_is(source: Path, target: Path) -> None:
    still = parse(stills.heic())
    tile = still.locations[still.tiles[0]].extents[0]
    rotten = bytearray(still.data)
    rotten[tile.start + 5000 : tile.end] = b"\xff" * (tile.end - tile.start - 5000)
    source.write_bytes(rotten)
    with pytest.raises(Refused) as no:
        photo_heic.render(source, target, 20, LIMITS)
    assert no.value.code == "compress.source_damaged"


def test_what_would_grow_is_left_as_it_is(source: Path, target: Path) -> None:
    source.write_bytes(stills.heic(quality=5))
    with pytest.raises(Refused) as no:
        photo_heic.render(source, target, 14, LIMITS)
    assert no.value.code == "compress.larger"


def test_another_picture_is_stopped(source: Path, target: Path) -> None:
    coarse = parse(stills.heic(quality=40))
    target.write_bytes(graft(parse(stills.heic()), coded_tiles(coarse)))
    photo_heic.judge(source, target, 24, target.parent, LIMITS)
    target.write_bytes(graft(parse(stills.heic()), coded_tiles(parse(stills.black_heic()))))
    assert stopped(source, target) == "compress.picture"


def test_a_poisoned_rendition_is_stopped(source: Path, target: Path) -> None:
    made = graft(parse(stills.heic()), coded_tiles(parse(stills.heic(quality=40))))
    target.write_bytes(b"")
    assert stopped(source, target) == "compress.unreadable"
    target.write_bytes(made[: len(made) // 2])
    assert stopped(source, target) == "compress.unreadable"
    target.write_bytes(made.replace(b"Maker of", b"MAKER of"))
    assert stopped(source, target) == "compress.tags"
    target.write_bytes(stills.heic())
    assert stopped(source, target) == "compress.larger"
    rotten = bytearray(made)
    for at in range(len(made) // 2, len(made) - 100, 97):
        rotten[at] ^= 0x55
    target.write_bytes(rotten)
    assert stopped(source, target) in {"compress.unreadable", "compress.picture"}


@pytest.mark.slow
def test_a_real_photo_with_a_gain_map_shrinks_and_passes(shared_media: Path, target: Path) -> None:
    source = shared_media / "heic_hdr_gainmap/aux_YCbCr.heic"
    photo_heic.render(source, target, 24, LIMITS)
    assert photo_heic.judge(source, target, 24, target.parent, LIMITS)["source_digest"]


@pytest.mark.slow
def test_real_bit_rot_is_left_as_it_is(shared_media: Path, target: Path) -> None:
    with pytest.raises(Refused) as no:
        photo_heic.render(shared_media / "edge/bitrot.heic", target, 20, LIMITS)
    assert no.value.code == "compress.source_damaged"
