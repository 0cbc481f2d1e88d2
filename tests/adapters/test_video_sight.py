"""Guards what is seen of a film: every frame with its time, whole frames the same however they are found."""

from itertools import pairwise
from pathlib import Path

import pytest

from mediad.adapters.video_probe import probe
from mediad.adapters.video_sight import Sight, decoded, whole_frames, windows_of, worst_db
from mediad.adapters.workers import Limits
from tests.adapters.films import ffmpeg, film

LIMITS = Limits()
FRAME_BYTES = 192 * 144 * 3 // 2


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("sight") / "clip.mov")


def test_every_frame_is_seen_with_its_time(clip: Path) -> None:
    sight = decoded(clip, probe(clip, LIMITS), LIMITS)
    assert sight is not None
    ticks = [tick for tick, _, _ in sight.frames]
    assert len(ticks) == len(sight.pictures) == 60
    assert {b - a for a, b in pairwise(ticks)} == {512}
    assert {(wide, high) for _, wide, high in sight.frames} == {(192 * 3, 144 * 3)}
    assert sight.complaint == ""
    assert worst_db(sight, sight) == 99.0


def test_the_worst_picture_counts_and_half_a_picture_is_none() -> None:
    gray, near, half = bytes([100] * 4096), bytes([110] * 4096), bytes([100] * 2048)
    assert worst_db(Sight((), (gray, gray)), Sight((), (gray, near))) == 28.1  # 20 log(255 / 10)
    assert worst_db(Sight((), (gray,)), Sight((), (half,))) == 0.0


def test_frames_that_an_edit_list_hides_are_seen_too(clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mov"
    ffmpeg("-ss", "1.1", "-i", clip, "-c", "copy", cut)
    seen = probe(cut, LIMITS)
    sight = decoded(cut, seen, LIMITS)
    assert sight is not None
    assert len(sight.frames) == seen.frames


def test_whole_frames_are_the_same_from_the_start_and_from_a_sync_point(
    clip: Path, tmp_path: Path
) -> None:
    seen = probe(clip, LIMITS)
    windows = windows_of(clip, seen)
    assert [window.first for window in windows] == [12, 24, 48]  # a sync point every 12 frames
    assert decoded(clip, seen, LIMITS, windows, tmp_path / "whole") is not None
    alone = whole_frames(clip, seen, windows, LIMITS)
    assert alone == (tmp_path / "whole").read_bytes()
    assert len(alone) == FRAME_BYTES * sum(window.frames for window in windows)


def test_a_film_with_one_sync_point_is_looked_at_from_its_start(tmp_path: Path) -> None:
    lone = film(tmp_path / "lone.mov", "-g", "999")
    assert [window.first for window in windows_of(lone, probe(lone, LIMITS))] == [0]


def test_a_damaged_film_is_not_seen(clip: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.mov"
    content = bytearray(clip.read_bytes())
    middle = content.index(b"mdat") + 100_000
    content[middle : middle + 20_000] = b"\xff" * 20_000
    torn.write_bytes(content)
    assert decoded(torn, probe(torn, LIMITS), LIMITS) is None
