"""Guards that a wrong clock or a missing date never costs a photo its quality."""

import pytest

from mediad.policy.tiers import (
    HEAVY_FROM_MS,
    MEDIUM_FROM_MS,
    Tier,
    tier_for,
    told_for_albums,
    told_for_folder,
)

NOW = 1_800_000_000_000
DAY = 86_400_000


@pytest.mark.parametrize(
    ("captured_at", "tier"),
    [
        (NOW, Tier.LIGHT),
        (NOW - MEDIUM_FROM_MS + 1, Tier.LIGHT),
        (NOW - MEDIUM_FROM_MS, Tier.MEDIUM),
        (NOW - HEAVY_FROM_MS, Tier.MEDIUM),
        (NOW - HEAVY_FROM_MS - 1, Tier.HEAVY),
        (NOW - 20 * 365 * DAY, Tier.HEAVY),
    ],
)
def test_older_is_heavier(captured_at: int, tier: Tier) -> None:
    assert tier_for(captured_at, NOW) is tier


@pytest.mark.parametrize("captured_at", [None, NOW + 1, NOW * 2, 0, -1, 315_532_800_000])
def test_a_date_that_cannot_be_is_the_lightest(captured_at: int | None) -> None:
    assert tier_for(captured_at, NOW) is Tier.LIGHT


def test_a_clock_that_jumped_back_makes_everything_light() -> None:
    assert tier_for(NOW - 5 * 365 * DAY, 0) is Tier.LIGHT


def test_the_tier_moves_with_the_clock() -> None:
    ages = [0, 366 * DAY, 4 * 366 * DAY]
    assert [tier_for(NOW, NOW + age) for age in ages] == [Tier.LIGHT, Tier.MEDIUM, Tier.HEAVY]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("Trips/a.jpg", ("heavy", "Trips")),
        ("Trips/Rome/a.jpg", ("heavy", "Trips")),
        ("Trips/Japan/a.jpg", ("light", "Trips/Japan")),
        ("Trips/Japan/Kyoto/a.jpg", ("light", "Trips/Japan")),
        ("Trips/Japanese/a.jpg", ("heavy", "Trips")),
        ("Other/Trips/a.jpg", ("", "")),
        ("Trips", ("", "")),
        ("a.jpg", ("", "")),
        ("Fe\u0301te/a.jpg", ("keep", "F\u00e9te")),
    ],
)
def test_the_longest_folder_of_which_something_was_said_counts(
    key: str, told: tuple[str, str]
) -> None:
    folders = {"Trips": "heavy", "Trips/Japan": "light", "F\u00e9te": "keep"}
    assert told_for_folder(key, folders) == told


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ([], ("", "")),
        (["Other"], ("", "")),
        (["Other", "Cars"], ("heavy", "Cars")),
        (["Cars", "Wedding", "Rome"], ("keep", "Wedding")),
        (["Cars", "Rome"], ("light", "Rome")),
    ],
)
def test_of_several_albums_the_gentlest_rule_counts(
    inside: list[str], told: tuple[str, str]
) -> None:
    albums = {"Cars": "heavy", "Rome": "light", "Wedding": "keep"}
    assert told_for_albums(inside, albums) == told
