"""Guards what counts as looking the same, what as a burst, and which copy is told to be the better one."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Inspection,
    Kind,
    Media,
    Original,
    OriginalId,
    Role,
    SiteKey,
)
from mediad.policy.likeness import (
    APART,
    LOW_APART,
    Side,
    alike,
    band,
    better,
    is_burst,
    near_bands,
)
from mediad.ports.looks import Impression

SEEN = Impression(0x0123456789ABCDEF, 1 << 200, bytes(32), is_flat=False)


def changed(low: int = 0, bits: int = 0, tint: int = 0) -> Impression:
    """With so many bits the other way round, and another tint."""
    return replace(
        SEEN,
        low=SEEN.low ^ ((1 << low) - 1),
        bits=SEEN.bits ^ ((1 << bits) - 1),
        tint=bytes([tint] * 32),
    )


@pytest.mark.parametrize(
    ("other", "degree"),
    [
        (changed(), 100),
        (changed(low=LOW_APART, bits=APART, tint=12), 75),
        (changed(low=LOW_APART + 1), 0),
        (changed(bits=APART + 1), 0),
        (changed(tint=13), 0),
        (replace(SEEN, is_flat=True), 0),
    ],
)
def test_like_is_who_differs_little_in_all_of_it(other: Impression, degree: int) -> None:
    assert alike(SEEN, other) == alike(other, SEEN) == degree


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=LOW_APART))
def test_every_like_picture_shares_a_band_but_for_two_bits(low: int, apart: set[int]) -> None:
    other = low ^ sum(1 << bit for bit in apart)
    assert any(band(other, number) in words for number, words in near_bands(low))


def test_the_search_asks_for_no_more_words_than_that() -> None:
    low = random.Random(1).getrandbits(64)  # noqa: S311  # no secret
    found = dict(near_bands(low))
    assert [len(set(words)) for words in found.values()] == [137] * 4


def taken(at: int, local: str = "2024", source: str = "exif") -> Captured:
    return Captured(local, "", source, at)


def side(
    number: int,
    captured: Captured | None = None,
    *,
    size: int = 1000,
    wide: int = 4000,
    role: Role = Role.PRIMARY,
) -> Side:
    original = Original(
        OriginalId(number), role, "a", SiteKey("a"), SiteKey("a"), size, 1,
        inspection=Inspection(Media.JPEG, width=wide, height=3000, captured=captured),
    )  # fmt: skip
    asset = Asset(AssetId(number), "a", Kind.PHOTO, "folder", 1, (original,))
    return Side(asset, original)


FIRST = side(1, taken(0))


@pytest.mark.parametrize(
    ("other", "degree"),
    [
        (side(2, taken(300)), 99),
        (side(2, taken(3000)), 99),
        (side(2, taken(0)), 97),  # ten in one second, by a clock without fractions
    ],
)
def test_a_burst_is_two_shots_of_one_moment(other: Side, degree: int) -> None:
    assert is_burst(FIRST, other, degree)
    assert is_burst(other, FIRST, degree)


@pytest.mark.parametrize(
    ("other", "degree"),
    [
        (side(2, taken(3001)), 99),
        (side(2, taken(0)), 98),  # a copy of the very shot
        (side(2, taken(0, "2024.5")), 97),
        (side(2, taken(300), wide=2000), 99),  # no camera shrinks between two shots
        (side(2), 99),
        (side(2, taken(300, source="filename")), 99),
        (side(2, taken(300), role=Role.EDITED), 99),
    ],
)
def test_a_copy_is_no_burst(other: Side, degree: int) -> None:
    assert not is_burst(FIRST, other, degree)
    assert not is_burst(other, FIRST, degree)


def test_two_of_the_same_fraction_of_a_second_are_one_shot() -> None:
    one, other = (side(n, taken(0, "2024.5")) for n in (1, 2))
    assert not is_burst(one, other, 90)


def test_the_better_copy_has_more_pixels_then_a_date_then_more_bytes() -> None:
    large, small = side(1, taken(0)), side(2, taken(0), wide=2000, size=5000)
    assert better(small, large) == (
        large,
        ["asset 1 has more pixels (4000 x 3000, not 2000 x 3000)"],
    )
    dated, bare = side(1, taken(0), size=10), side(2, size=20)
    assert better(bare, dated)[0] == better(dated, bare)[0] == dated
    assert better(side(1), side(2, size=999)) == (
        side(1),
        ["asset 1 has more bytes (1000, not 999)"],
    )
    assert better(side(1), side(2)) == (None, [])


def test_what_speaks_for_the_other_copy_is_told_too() -> None:
    large, dated = side(1), side(2, taken(0), wide=2000)
    best, reasons = better(dated, large)
    assert best == large
    assert reasons == [
        "asset 1 has more pixels (4000 x 3000, not 2000 x 3000)",
        "asset 2 has the camera's date in it",
    ]


def test_an_unknown_size_is_not_held_against_anybody() -> None:
    unknown = replace(side(1), original=replace(side(1).original, inspection=None))
    assert better(unknown, side(2, taken(0)))[0] is not None
    assert better(unknown, side(2))[0] is None
