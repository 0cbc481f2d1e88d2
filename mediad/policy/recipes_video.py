"""Recipes of videos: which coder with which rate factor, by the age of the video."""

from typing import Final

from mediad.config import Settings
from mediad.model import Inspection, Media
from mediad.policy.tiers import Tier
from mediad.policy.untouched import Untouched
from mediad.ports import Recipe

MIN_VIDEO_S: Final = 2.0

# Raised when the code that makes renditions changes so that the old ones are no longer what it would make.
_VIDEO_VERSION: Final = 1

_ENCODERS: Final = {"hevc": "libx265", "h264": "libx264", "av1": "libsvtav1"}


def video_recipe(
    inspection: Inspection, media: Media, tier: Tier, settings: Settings, *, is_live_half: bool
) -> Recipe | Untouched:
    """Half of a Live Photo is never too short: both halves are judged together."""
    if inspection.duration_s < MIN_VIDEO_S and not is_live_half:
        return Untouched("compress.small", f"it is shorter than {MIN_VIDEO_S:g} s")
    video = settings.compress.video
    crf = {Tier.LIGHT: video.light_crf, Tier.MEDIUM: video.medium_crf, Tier.HEAVY: video.heavy_crf}
    encoder = _ENCODERS[video.codec]
    return Recipe(
        f"video-{encoder.removeprefix('lib')}-crf{crf[tier]}/{_VIDEO_VERSION}",
        media,
        crf=crf[tier],
        encoder=encoder,
        extension=inspection.extension,
    )
