"""Guards that a photo with a target is pressed as hard as its score allows, and never harder."""

import io
from itertools import count
from pathlib import Path

import pytest
from PIL import Image

from mediad.adapters import photo_jpeg, photo_target
from mediad.adapters.photo_gates import Failed, compared
from mediad.adapters.photo_target import SLACK, Aim, Aimed, Cell, Search, cells, chosen
from mediad.errors import Refused
from tests.adapters import stills

QUALITY = 75
WIDE = (800, 400)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jpg"
    path.write_bytes(stills.usual(stills.jpeg(stills.picture(*WIDE))))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.jpg"


def score_of(source: Path, target: Path, aim: Aim) -> float:
    score = photo_jpeg.judge(source, target, QUALITY, aim=aim)["ssimulacra2"]
    assert isinstance(score, float)
    return score


@pytest.mark.parametrize(("encoder", "asked"), [("jpegli", 60.0), ("pillow", 75.0)])
def test_the_rendition_is_the_coarsest_that_reaches_the_target(
    source: Path, target: Path, encoder: str, asked: float
) -> None:
    aim = Aim(asked, search_s=600)
    found, seen = photo_jpeg.render(source, target, QUALITY, encoder, aim)
    assert found["search"] == "done"
    score = photo_jpeg.judge(source, target, QUALITY, seen, aim)["ssimulacra2"]
    assert score == score_of(source, target, aim), "told again afresh, after a restart"
    assert isinstance(score, float)
    assert asked - SLACK <= score < asked + 3


def test_what_does_not_reach_the_target_is_not_accepted(source: Path, target: Path) -> None:
    photo_jpeg.render(source, target, 50, "auto")
    photo_jpeg.judge(source, target, 50)
    with pytest.raises(Failed) as no:
        photo_jpeg.judge(source, target, 50, aim=Aim(93, 600))
    assert no.value.code == "compress.score"
    assert "asked for" in no.value.why


def test_where_no_quality_reaches_it_the_original_stays(source: Path, target: Path) -> None:
    with pytest.raises(Refused) as no:
        photo_jpeg.render(source, target, QUALITY, "auto", Aim(99.5, 600))
    assert no.value.code == "compress.score"
    assert not target.exists()


def test_however_little_is_asked_for_there_is_a_least_quality(source: Path, target: Path) -> None:
    found, _ = photo_jpeg.render(source, target, QUALITY, "pillow", Aim(1, 600))
    assert (found["search"], found["encoder_quality"]) == ("done", 40)


def test_when_time_is_up_at_once_the_tier_s_quality_is_taken_and_judged_by_the_target(
    source: Path, target: Path
) -> None:
    aim = Aim(50, search_s=0)
    found, seen = photo_jpeg.render(source, target, QUALITY, "pillow", aim)
    assert (found["search"], found["encoder_quality"]) == ("time was up", QUALITY)
    photo_jpeg.judge(source, target, QUALITY, seen, aim)
    with pytest.raises(Failed):
        photo_jpeg.judge(source, target, QUALITY, seen, Aim(95, 0))


def test_when_time_is_up_the_best_answer_so_far_is_taken() -> None:
    part = stills.picture(384, 384)
    clock = count()
    search = Search([part], Aim(50, search_s=1.5), lambda: next(clock))
    found, figures = search.run(lambda *_: part, 0, 100)
    assert found == 50
    assert figures == {"search": "time was up", "search_tries": 1, "sample_ssimulacra2": 100.0}


def test_a_photo_too_small_to_be_measured_has_the_quality_of_its_tier(
    tmp_path: Path, target: Path
) -> None:
    source = tmp_path / "small.jpg"
    source.write_bytes(stills.jpeg(stills.picture(640, 250)))
    aim = Aim(93, 600)
    found, seen = photo_jpeg.render(source, target, QUALITY, "pillow", aim)
    assert found["encoder_quality"] == QUALITY
    assert "ssim" in photo_jpeg.judge(source, target, QUALITY, seen, aim)


@pytest.mark.parametrize("size", [(1, 900), (900, 1)])
def test_a_photo_may_be_one_pixel_wide(tmp_path: Path, target: Path, size: tuple[int, int]) -> None:
    source = tmp_path / "thin.jpg"
    source.write_bytes(stills.jpeg(stills.picture(*size)))
    found, seen = photo_jpeg.render(source, target, 40, "auto", Aim(70, 600))
    assert found["search"] == "it is too small to be measured"
    assert "ssim" in photo_jpeg.judge(source, target, 40, seen, Aim(70, 600))


def test_what_only_one_decoder_can_read_is_damaged(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "odd.jpg"
    source.write_bytes(stills.dressed(stills.jpeg(), stills.segment(0xE0, b"JFIF\0")))
    with pytest.raises(Refused) as no:
        photo_jpeg.render(source, target, QUALITY, "jpegli", Aim(70, 600))
    assert no.value.code == "compress.source_damaged"


def test_a_gray_photo_has_a_target_too(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "gray.jpg"
    source.write_bytes(stills.jpeg(stills.picture(*WIDE).convert("L")))
    photo_jpeg.render(source, target, QUALITY, "auto", Aim(70, 600))
    assert score_of(source, target, Aim(70, 600)) >= 70 - SLACK


def test_the_plainest_an_ordinary_and_the_busiest_part_are_measured() -> None:
    side = photo_target.SIDE
    image = Image.new("L", (3 * side + 40, side + 9), 90)
    image.paste(Image.effect_noise((side, side), 60), (side, 0))
    image.paste(Image.effect_noise((side, side), 9), (2 * side, 0))
    found = chosen(cells(image.size, image.reduce(2)))
    assert [cell.box[0] // side for cell in sorted(found)] == [0, 2, 1]
    assert all(cell.box[2] <= image.width and cell.box[3] <= image.height for cell in found)


@pytest.mark.parametrize(("size", "boxes"), [((255, 900), 0), ((256, 256), 1), ((400, 900), 2)])
def test_small_pictures_have_fewer_parts_or_none(size: tuple[int, int], boxes: int) -> None:
    half = Image.effect_noise((size[0] // 2, size[1] // 2), 20)
    assert len(chosen(cells(size, half))) == boxes


def test_equal_parts_are_chosen_the_same_way_every_time() -> None:
    alike = [Cell(0.0, n, (0, 0, 1, 1)) for n in range(9)]
    assert chosen(alike) == chosen(reversed(alike)) == [alike[0], alike[4], alike[8]]


def test_the_worst_part_counts() -> None:
    part = stills.picture(256, 256)
    out = io.BytesIO()
    part.save(out, "JPEG", quality=40)
    worse = Image.open(out)
    both = Aimed(0, [(part, part), (part, worse)])
    assert both.lowest() == Aimed(0, [(part, worse)]).lowest() < 90


def test_a_quarter_of_a_point_is_let_go_and_no_more() -> None:
    part = stills.picture(256, 256)
    out = io.BytesIO()
    part.save(out, "JPEG", quality=80)
    coded = Image.open(out)
    score = Aimed(0, [(part, coded)]).lowest()
    found = compared(part, coded, QUALITY, aimed=Aimed(score + 0.24, [(part, coded)]))
    assert found["ssimulacra2"] == round(score, 2)
    with pytest.raises(Failed) as no:
        compared(part, coded, QUALITY, aimed=Aimed(score + 0.26, [(part, coded)]))
    assert no.value.code == "compress.score"


def test_real_photos_look_in_the_whole_as_they_did_in_their_parts(
    shared_media: Path, target: Path
) -> None:
    source = shared_media / "jpeg_modes" / "xmp_test.jpg"
    aim = Aim(78, 600)
    found, seen = photo_jpeg.render(source, target, QUALITY, "auto", aim)
    judged = photo_jpeg.judge(source, target, QUALITY, seen, aim)
    assert judged["ssimulacra2"] == pytest.approx(found["sample_ssimulacra2"], abs=SLACK / 2)
