"""Guards that a HEIC with a target is pressed as hard as its score allows, and never harder."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mediad.adapters import photo_heic
from mediad.adapters.heic_coder import coding, colours_of, ran, raw
from mediad.adapters.heic_graft import coded_tiles
from mediad.adapters.heic_still import parse
from mediad.adapters.heic_target import Fit, Tiles
from mediad.adapters.photo_gates import Failed
from mediad.adapters.photo_target import Aim
from mediad.adapters.workers import Limits
from mediad.errors import NeedsOperator, Refused
from tests.adapters import stills
from tests.adapters.poisoned import poisoned

LIMITS = Limits(wall_s=120.0)
CRF = 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.heic"
    path.write_bytes(stills.heic(384, 256, 98))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.heic"


def judged(source: Path, target: Path, aim: Aim) -> float:
    found = photo_heic.judge(source, target, CRF, target.parent, LIMITS, aim)["ssimulacra2"]
    assert isinstance(found, float)
    return found


def test_the_rendition_reaches_the_target_and_hardly_more(source: Path, target: Path) -> None:
    aim = Aim(86.0, search_s=600)
    found = photo_heic.render(source, target, CRF, LIMITS, aim)
    assert found["search"] == "done"
    assert aim.target <= judged(source, target, aim) < aim.target + 3
    assert found["encoder_crf"] != CRF


def test_what_does_not_reach_the_target_is_not_accepted(source: Path, target: Path) -> None:
    photo_heic.render(source, target, 24, LIMITS)
    photo_heic.judge(source, target, 24, target.parent, LIMITS)
    with pytest.raises(Failed) as no:
        judged(source, target, Aim(95, 600))
    assert no.value.code == "compress.score"


def test_where_no_rate_factor_reaches_it_the_original_stays(source: Path, target: Path) -> None:
    with pytest.raises(Refused) as no:
        photo_heic.render(source, target, CRF, LIMITS, Aim(99.5, 600))
    assert no.value.code == "compress.score"
    assert not target.exists()


def test_when_time_is_up_at_once_the_tier_s_rate_factor_is_taken(
    source: Path, target: Path
) -> None:
    found = photo_heic.render(source, target, CRF, LIMITS, Aim(50, search_s=0))
    assert (found["search"], found["encoder_crf"]) == ("time was up", CRF)


def test_tiles_too_small_to_be_measured_have_the_rate_factor_of_the_tier(
    tmp_path: Path, target: Path
) -> None:
    source = tmp_path / "small.heic"
    source.write_bytes(stills.heic(320, 240, 98))
    found = photo_heic.render(source, target, 26, LIMITS, Aim(95, 600))
    assert found["encoder_crf"] == 26
    assert "ssim" in photo_heic.judge(source, target, 26, target.parent, LIMITS, Aim(95, 600))


NO_PARTS = r"""
if any(word.endswith("parts.hevc") for word in argv):
    os.write(2, b"no room")
    sys.exit(1)
"""


def test_where_a_part_cannot_be_coded_the_whole_is_tried_from_the_tier_s_rate_factor(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, NO_PARTS)
    found = photo_heic.render(source, target, CRF, LIMITS, Aim(40, 600))
    assert found["search"] == "a part could not be coded"
    assert (found["encoder_crf"], found["coded_whole"]) == (28, 2)


def test_a_picture_s_colours_are_as_they_are_shown(tmp_path: Path) -> None:
    """By libheif, which knows nothing of how they are read here."""
    source, stream = tmp_path / "source.heic", tmp_path / "tiles.hevc"
    source.write_bytes(stills.heic(384, 384, 98))
    still = parse(source.read_bytes())
    stream.write_bytes(coded_tiles(still))
    tiles = Tiles(stream, 1, colours_of(stream, LIMITS), LIMITS)
    (found,) = tiles.pictures(tiles.measured())
    shown = Image.open(source).convert("RGB")
    for at in ((10, 10), (200, 300), (370, 20)):
        pairs = zip(colour_at(found, at), colour_at(shown, at), strict=True)
        assert all(abs(one - other) <= 6 for one, other in pairs)


def colour_at(image: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    small = image.crop((at[0] - 4, at[1] - 4, at[0] + 4, at[1] + 4)).reduce(8).getpixel((0, 0))
    assert isinstance(small, tuple)
    return tuple(int(value) for value in small)


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """One tile, as large as what is measured of it."""
    path = tmp_path / "tiles.hevc"
    path.write_bytes(coded_tiles(parse(stills.heic(256, 256, 98))))
    return path


def tiles_of(stream: Path, count: int = 1) -> Tiles:
    return Tiles.of_source(stream, count, colours_of(stream, LIMITS), LIMITS)


def test_a_stream_with_less_than_it_should_have_is_refused(stream: Path) -> None:
    with pytest.raises(Refused) as no:
        tiles_of(stream, 2)
    assert no.value.code == "compress.source_damaged"


def test_a_stream_of_which_the_decoder_complains_is_refused(
    stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it makes a picture of it all the same."""
    colours = colours_of(stream, LIMITS)
    poisoned(tmp_path / "bin", monkeypatch, "os.write(2, b'there is a hole in it')")
    with pytest.raises(Refused) as no:
        Tiles.of_source(stream, 1, colours, LIMITS)
    assert no.value.code == "compress.source_damaged"
    assert "there is a hole in it" in no.value.what


def test_a_coder_s_fault_is_not_told_as_damage_of_the_photo(stream: Path) -> None:
    coded = stream.with_name("coded.hevc")
    coded.write_bytes(coded_tiles(parse(stills.heic())))
    with pytest.raises(Refused) as no:
        tiles_of(stream).coded_again(coded)
    assert no.value.code == "compress.unreadable"


def test_pixels_take_no_room_when_they_are_of_no_use_any_more(stream: Path) -> None:
    tiles = tiles_of(stream)
    assert tiles.pictures(tiles.measured())
    assert list(stream.parent.iterdir()) == [stream]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_not_told_as_damage_of_the_photo(stream: Path, small_disk: Path) -> None:
    """On which not even the words of a program find room."""
    there = small_disk / stream.name
    there.write_bytes(stream.read_bytes())
    with pytest.raises(NeedsOperator) as no:
        Tiles.of_source(there, 1, colours_of(stream, LIMITS), LIMITS)
    assert no.value.code == "space.full"
    (small_disk / "tiles.decoded").unlink()
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "more").write_bytes(bytes(1 << 20))
    with pytest.raises(NeedsOperator) as no:
        colours_of(there, LIMITS)
    assert no.value.code == "space.full"


@pytest.mark.parametrize(("quality", "last"), [(98, 28), (9, 14)])
def test_the_whole_is_coded_until_it_is_enough_or_cannot_be(
    stream: Path, quality: int, last: int
) -> None:
    made = coded_tiles(parse(stills.heic(256, 256, quality)))
    asked: list[int] = []

    def code(crf: int) -> Path:
        asked.append(crf)
        coded = stream.with_name("coded.hevc")
        coded.write_bytes(made)
        return coded

    fit = Fit(tiles_of(stream), Aim(70, 600), stream.parent, LIMITS)
    found, coded = fit.searched(code, CRF)
    assert (found, coded.read_bytes()) == (last, made)
    assert asked[-1] == last
    assert len(set(asked)) == len(asked)
    assert fit.figures["coded_whole"] == len(asked)


def test_what_was_enough_is_kept_when_a_coarser_one_is_not(stream: Path) -> None:
    sound, poor = (coded_tiles(parse(stills.heic(256, 256, quality))) for quality in (98, 9))
    asked: list[int] = []

    def code(crf: int) -> Path:
        asked.append(crf)
        coded = stream.with_name("coded.hevc")
        coded.write_bytes(sound if len(asked) == 1 else poor)
        return coded

    found, coded = Fit(tiles_of(stream), Aim(88, 600), stream.parent, LIMITS).searched(code, CRF)
    assert (asked, coded.read_bytes()) == ([found, asked[1]], sound), "nor is a finer one tried"
    assert asked[1] > found


@pytest.mark.parametrize(("spoken", "black"), [("tv", 16), ("pc", 0)])
def test_black_is_black_in_each_range(stream: Path, spoken: str, black: int) -> None:
    colours = {"pix_fmt": "yuv420p", "color_range": spoken}
    pixels = stream.with_name("pixels")
    pixels.write_bytes(bytes([black]) * 256**2 + bytes([128]) * (256**2 // 2))
    ran(
        [*raw((256, 256), colours), str(pixels), *coding(14, colours), str(stream)],
        LIMITS,
        stream.parent,
    )
    tiles = tiles_of(stream)
    (found,) = tiles.pictures(tiles.measured())
    assert colour_at(found, (100, 100)) == (0, 0, 0)
