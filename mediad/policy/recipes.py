"""
Recipes: which rendition is made of what, and why most kinds of file are left as they are.

What is left alone (untouched.py) is left alone because a rendition would lose something that nobody could bring back,
or because there is nothing to gain; the others have their recipe of recipes_photo.py or recipes_video.py.
"""

from mediad.config import Settings
from mediad.model import Inspection
from mediad.policy.recipes_photo import photo_recipe
from mediad.policy.recipes_video import video_recipe
from mediad.policy.tiers import Tier
from mediad.policy.untouched import Untouched, untouched
from mediad.ports import Recipe

__all__ = ["Untouched", "recipe_for"]


def recipe_for(
    inspection: Inspection | None,
    tier: Tier,
    settings: Settings,
    *,
    size: int,
    is_live_half: bool = False,
) -> Recipe | Untouched:
    """`size` in bytes. Half of a Live Photo is never too small: both halves are judged together."""
    if inspection is None or inspection.media is None or inspection.flaw:
        why = inspection.flaw if inspection else "nobody looked inside"
        return Untouched("compress.unsound", f"it is not sound: {why or 'unknown'}")
    media = inspection.media
    left = untouched(media)
    if left:
        return left
    if media.is_video:
        return video_recipe(inspection, media, tier, settings, is_live_half=is_live_half)
    return photo_recipe(inspection, media, tier, settings, size=size, is_live_half=is_live_half)
