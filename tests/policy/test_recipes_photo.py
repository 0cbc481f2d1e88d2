"""Guards the numbers of photo recipes."""

import pytest

from mediad.config import Settings
from mediad.model import Inspection, Media
from mediad.policy.recipes import Untouched, recipe_for
from mediad.policy.recipes_photo import LIGHT_HEIC_TARGET, heic_crf
from mediad.policy.tiers import Tier
from mediad.ports import Recipe


@pytest.mark.parametrize(("quality", "crf"), [(79, 17), (75, 18), (65, 20), (30, 27), (10, 28)])
def test_a_heic_s_rate_factor_follows_the_quality(quality: int, crf: int) -> None:
    assert heic_crf(quality) == crf


def recipe(media: Media, tier: Tier, **photo: float) -> Recipe | Untouched:
    settings = Settings.model_validate({"root": "/nowhere", "compress": {"photo": photo}})
    return recipe_for(Inspection(media, extension=".x"), tier, settings, size=5_000_000)


@pytest.mark.parametrize("media", [Media.JPEG, Media.HEIC])
def test_a_target_is_in_the_recipe_and_in_its_name(media: Media) -> None:
    found = recipe(media, Tier.MEDIUM, medium_target=77.5, search_seconds=9)
    assert isinstance(found, Recipe)
    assert "-ssimulacra2-77.5/" in found.name
    assert (found.target, found.metric, found.search_s) == (77.5, "ssimulacra2", 9)


@pytest.mark.parametrize("media", [Media.JPEG, Media.HEIC])
def test_each_tier_has_its_own_target(media: Media) -> None:
    found = recipe(media, Tier.HEAVY, medium_target=77.5)
    assert isinstance(found, Recipe)
    assert (found.target, found.metric, found.search_s) == (0, "", 0)
    assert "ssimulacra2" not in found.name


def test_a_heic_is_pressed_as_hard_as_its_target_says_whatever_its_age() -> None:
    lower = LIGHT_HEIC_TARGET - 1
    assert isinstance(recipe(Media.HEIC, Tier.LIGHT, light_target=lower), Recipe)
    left = recipe(Media.HEIC, Tier.HEAVY, heavy_target=LIGHT_HEIC_TARGET)
    assert isinstance(left, Untouched)
    assert left.code == "compress.heic_light"
    assert "target" in left.why
