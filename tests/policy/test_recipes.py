"""Guards which files get a rendition at all, and with which numbers."""

from collections.abc import Mapping

import pytest

from mediad.config import Settings
from mediad.model import Inspection, Media
from mediad.policy.recipes import Untouched, recipe_for
from mediad.policy.recipes_photo import MIN_PHOTO_BYTES
from mediad.policy.tiers import Tier
from mediad.ports import Recipe

BIG = 5_000_000
KNOWN = {Media.JPEG: ".jpg", Media.HEIC: ".heic", Media.MOV: ".mov", Media.MP4: ".mp4"}


def settings(**compress: Mapping[str, object]) -> Settings:
    return Settings.model_validate({"root": "/nowhere", "compress": compress})


def recipe(
    media: Media,
    tier: Tier = Tier.MEDIUM,
    size: int = BIG,
    *,
    duration_s: float = 10.0,
    is_live_half: bool = False,
    of: Settings | None = None,
) -> Recipe | Untouched:
    seen = Inspection(media, extension=KNOWN.get(media, ".x"), duration_s=duration_s)
    return recipe_for(seen, tier, of or settings(), size=size, is_live_half=is_live_half)


def made(found: Recipe | Untouched) -> Recipe:
    assert isinstance(found, Recipe)
    return found


def code_of(found: Recipe | Untouched) -> str:
    assert isinstance(found, Untouched)
    assert found.why
    return found.code


@pytest.mark.parametrize(
    ("media", "tier", "name"),
    [
        (Media.JPEG, Tier.LIGHT, "photo-auto-q85/2"),
        (Media.JPEG, Tier.MEDIUM, "photo-auto-q75/2"),
        (Media.JPEG, Tier.HEAVY, "photo-auto-q65/2"),
        (Media.HEIC, Tier.MEDIUM, "photo-heic-crf18/2"),
        (Media.HEIC, Tier.HEAVY, "photo-heic-crf20/2"),
        (Media.MOV, Tier.LIGHT, "video-x265-crf24/1"),
        (Media.MP4, Tier.MEDIUM, "video-x265-crf26/1"),
        (Media.MOV, Tier.HEAVY, "video-x265-crf28/1"),
    ],
)
def test_each_kind_and_age_has_its_recipe(media: Media, tier: Tier, name: str) -> None:
    found = made(recipe(media, tier))
    assert (found.name, found.media, found.extension) == (name, media, KNOWN[media])


def test_the_numbers_are_the_person_s() -> None:
    mine = settings(
        photo={"light_quality": 91, "encoder": "pillow"}, video={"heavy_crf": 31, "codec": "av1"}
    )
    photo = made(recipe(Media.JPEG, Tier.LIGHT, of=mine))
    assert (photo.name, photo.quality, photo.encoder) == ("photo-pillow-q91/2", 91, "pillow")
    film = made(recipe(Media.MOV, Tier.HEAVY, of=mine))
    assert (film.name, film.crf, film.encoder) == ("video-svtav1-crf31/1", 31, "libsvtav1")


def test_a_young_heic_has_nothing_to_give() -> None:
    assert code_of(recipe(Media.HEIC, Tier.LIGHT)) == "compress.heic_light"


@pytest.mark.parametrize("media", sorted(set(Media) - set(KNOWN)))
def test_every_other_kind_is_left_as_it_is(media: Media) -> None:
    assert code_of(recipe(media)) == "compress.kind"


def test_small_ones_are_left_as_they_are_unless_half_of_a_live_photo() -> None:
    assert code_of(recipe(Media.JPEG, size=MIN_PHOTO_BYTES - 1)) == "compress.small"
    made(recipe(Media.JPEG, size=MIN_PHOTO_BYTES))
    made(recipe(Media.JPEG, size=1000, is_live_half=True))
    assert code_of(recipe(Media.MOV, duration_s=1.9)) == "compress.small"
    made(recipe(Media.MOV, duration_s=1.9, is_live_half=True))


@pytest.mark.parametrize(
    "seen",
    [None, Inspection(None), Inspection(Media.JPEG, flaw="intake.truncated", flaw_detail="cut")],
)
def test_what_is_not_sound_is_left_as_it_is(seen: Inspection | None) -> None:
    found = recipe_for(seen, Tier.HEAVY, settings(), size=BIG)
    assert code_of(found) == "compress.unsound"
