"""Guards what a motion photo says of its film: what it is, that it is whole, and when the still was taken."""

import io
from pathlib import Path

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.motion_film import MP4, QUICKTIME, UNKNOWN_US, Film, film_of
from tests.adapters import live
from tests.adapters.films import film


def read(tmp_path: Path, data: bytes) -> Film:
    path = tmp_path / "film.mov"
    path.write_bytes(data)
    with path.open("rb") as file:
        return film_of(file)


def test_the_moment_of_the_still_is_where_apples_track_of_it_begins(tmp_path: Path) -> None:
    data = live.film()
    assert read(tmp_path, data) == Film(QUICKTIME, len(data), 900_000)


@pytest.mark.parametrize(
    ("moment", "at_us"),
    [
        (None, UNKNOWN_US),
        (b"", 0),
        (live.edits((1, 0)), 0),
        (live.edits((100, live.EMPTY), (200, live.EMPTY), (1, 0)), 500_000),
        (live.edits((540, live.EMPTY)), UNKNOWN_US),  # it never begins
        (live.edits((540, live.EMPTY), (1, 7)), UNKNOWN_US),  # it begins within its sample
        (live.edits((841, live.EMPTY), (1, 0)), UNKNOWN_US),  # behind the end of the film
    ],
)
def test_a_moment_that_is_not_plainly_told_is_unknown(
    moment: bytes | None, at_us: int, tmp_path: Path
) -> None:
    assert read(tmp_path, live.film(moment)).still_at_us == at_us


def test_a_film_without_a_timescale_tells_no_moment(tmp_path: Path) -> None:
    assert read(tmp_path, live.film(scale=0)).still_at_us == UNKNOWN_US


@pytest.mark.parametrize(
    ("brand", "mime"), [(b"qt  ", QUICKTIME), (b"", QUICKTIME), (b"isom", MP4), (b"mp42", MP4)]
)
def test_apples_films_are_quicktime_and_all_others_mp4(
    brand: bytes, mime: str, tmp_path: Path
) -> None:
    assert read(tmp_path, live.film(brand=brand)).mime == mime


def test_a_film_as_ffmpeg_makes_it_is_understood(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mov")
    with path.open("rb") as file:
        assert film_of(file) == Film(QUICKTIME, path.stat().st_size, UNKNOWN_US)


def test_a_torn_film_is_refused_wherever_it_is_torn(tmp_path: Path) -> None:
    data = live.film()
    for size in range(0, len(data), 7):
        with pytest.raises(NotUnderstood):
            read(tmp_path, data[:size])


def test_a_film_whose_samples_are_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotUnderstood, match="not all there"):
        read(tmp_path, live.film(at=4000))
    with pytest.raises(NotUnderstood, match="not all there"):
        read(tmp_path, live.film(at=2))


def test_a_list_of_edits_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    cut = live.edits((540, live.EMPTY), (1, 0))
    with pytest.raises(NotUnderstood, match="cut off"):
        read(tmp_path, live.film(cut[:20] + b"\0\0\0\x09" + cut[24:]))


def test_what_is_no_film_is_refused() -> None:
    for data in (b"", b"#EXTM3U\nhttp://example.org/a.ts", bytes(400)):
        with pytest.raises((NotUnderstood, io.UnsupportedOperation)), io.BytesIO(data) as file:
            film_of(file)


def test_a_real_live_photos_film_tells_its_moment(shared_media: Path) -> None:
    """By exiftool, Track 5 of it begins after 0.90 s."""
    path = shared_media / "edge/mov_named.mp4"
    with path.open("rb") as file:
        assert film_of(file) == Film(QUICKTIME, path.stat().st_size, 900_000)
