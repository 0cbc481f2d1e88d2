"""Recipes of photos: which coder with which quality, by the age of the photo."""

from dataclasses import replace
from typing import Final

from mediad.config import Settings
from mediad.model import Inspection, Media
from mediad.policy.tiers import Tier
from mediad.policy.untouched import Untouched
from mediad.ports import Recipe

MIN_PHOTO_BYTES: Final = 200_000
LIGHT_HEIC_QUALITY: Final = 80  # from here on up a HEIC has nothing to give but CPU time
LIGHT_HEIC_TARGET: Final = 82.0  # likewise, as SSIMULACRA 2
PHOTO_METRIC: Final = "ssimulacra2"

# Raised when the code that makes renditions changes so that the old ones are no longer what it would make.
_PHOTO_VERSION: Final = 2  # keeps 4:2:2 and 4:4:4
_HEIC_VERSION: Final = 2  # in the Main profile, as the brand 'heic' promises


def photo_recipe(
    inspection: Inspection,
    media: Media,
    tier: Tier,
    settings: Settings,
    *,
    size: int,
    is_live_half: bool,
) -> Recipe | Untouched:
    """`size` in bytes. Half of a Live Photo is never too small: both halves are judged together."""
    if size < MIN_PHOTO_BYTES and not is_live_half:
        return Untouched("compress.small", f"it is smaller than {MIN_PHOTO_BYTES // 1000} kB")
    quality, target = _wanted(tier, settings)
    recipe = (
        _heic(inspection, quality, target)
        if media is Media.HEIC
        else _jpeg(inspection, quality, target, settings)
    )
    if isinstance(recipe, Untouched) or not target:
        return recipe
    seconds = settings.compress.photo.search_seconds
    return replace(recipe, target=target, metric=PHOTO_METRIC, search_s=seconds)


def heic_crf(quality: int) -> int:
    """The rate factor of x265 that looks like this quality of a JPEG: 75 is 18, 65 is 20."""
    return max(14, min(28, round(18 + (75 - quality) / 5)))


def _jpeg(inspection: Inspection, quality: int, target: float, settings: Settings) -> Recipe:
    encoder = settings.compress.photo.encoder
    return Recipe(
        f"photo-{encoder}-q{quality}{_aimed(target)}/{_PHOTO_VERSION}",
        Media.JPEG,
        quality=quality,
        encoder=encoder,
        extension=inspection.extension,
    )


def _heic(inspection: Inspection, quality: int, target: float) -> Recipe | Untouched:
    if target >= LIGHT_HEIC_TARGET:
        return Untouched("compress.heic_light", "a HEIC would save little at this target")
    if not target and quality >= LIGHT_HEIC_QUALITY:
        return Untouched("compress.heic_light", "a young HEIC would save little at this quality")
    crf = heic_crf(quality)
    return Recipe(
        f"photo-heic-crf{crf}{_aimed(target)}/{_HEIC_VERSION}",
        Media.HEIC,
        crf=crf,
        encoder="libx265",
        extension=inspection.extension,
    )


def _aimed(target: float) -> str:
    """In the name of a recipe."""
    return f"-{PHOTO_METRIC}-{target:g}" if target else ""


def _wanted(tier: Tier, settings: Settings) -> tuple[int, float]:
    """The quality, and the score to search it for; 0: none."""
    photo = settings.compress.photo
    return {
        Tier.LIGHT: (photo.light_quality, photo.light_target),
        Tier.MEDIUM: (photo.medium_quality, photo.medium_target),
        Tier.HEAVY: (photo.heavy_quality, photo.heavy_target),
    }[tier]
