"""Recipes of videos: which coder with which rate factor, by the age of the video."""

from dataclasses import replace
from typing import Final

from mediad.config import Settings
from mediad.config.sections import CompressVideo
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
    if 0 < inspection.duration_s < MIN_VIDEO_S and not is_live_half:  # 0: its header does not say
        return Untouched("compress.small", f"it is shorter than {MIN_VIDEO_S:g} s")
    video = settings.compress.video
    crf, target = {
        Tier.LIGHT: (video.light_crf, video.light_target),
        Tier.MEDIUM: (video.medium_crf, video.medium_target),
        Tier.HEAVY: (video.heavy_crf, video.heavy_target),
    }[tier]
    encoder = _ENCODERS[video.codec]
    recipe = Recipe(
        _name(encoder, crf, target, video),
        media,
        crf=crf,
        encoder=encoder,
        extension=inspection.extension,
        hardware=video.hardware,
        dolby_vision=video.dolby_vision,
    )
    if not target:
        return recipe
    return replace(
        recipe, target=target, metric=video.target_metric, search_s=video.search_minutes * 60
    )


def _name(encoder: str, crf: int, target: float, video: CompressVideo) -> str:
    """All that decides what comes out: another name is another rendition."""
    more = (
        (f"-{video.target_metric}{target:g}", target),
        (f"-{video.hardware}", video.hardware != "off"),
        ("-nodovi", video.dolby_vision),
    )
    extras = "".join(word for word, is_so in more if is_so)
    return f"video-{encoder.removeprefix('lib')}-crf{crf}{extras}/{_VIDEO_VERSION}"
