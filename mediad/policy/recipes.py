"""
Recipes: which rendition is made of what, and why most kinds of file are left as they are.

What is left alone is left alone because a rendition would lose something (bits, frames, a second picture) that nobody
could bring back, or because there is nothing to gain.
"""

from dataclasses import dataclass
from typing import Final

from mediad.config import Settings
from mediad.model import Inspection, Media
from mediad.policy.tiers import Tier
from mediad.ports import Recipe

MIN_PHOTO_BYTES: Final = 200_000
MIN_VIDEO_S: Final = 2.0
LIGHT_HEIC_QUALITY: Final = 80  # from here on up a HEIC has nothing to give but CPU time

# Raised when the code that makes renditions changes so that the old ones are no longer what it would make.
_PHOTO_VERSION: Final = 1
_HEIC_VERSION: Final = 1
_VIDEO_VERSION: Final = 1

_ENCODERS: Final = {"hevc": "libx265", "h264": "libx264", "av1": "libsvtav1"}
_UNTOUCHED: Final = {
    Media.RAW: "a RAW photo is the negative",
    Media.TIFF: "a TIFF may hold more than a rendition could",
    Media.PNG: "a PNG is exact, and may have more than 8 bits",
    Media.GIF: "a GIF may move, and is small",
    Media.WEBP: "a WebP is compressed well already, and may move",
    Media.AVIF: "an AVIF is compressed well already",
    Media.AVI: "an AVI does not say all that a rendition would have to keep",
    Media.MATROSKA: "a Matroska film may hold tracks that a rendition would lose",
    Media.MPEG: "an MPEG stream does not say all that a rendition would have to keep",
    Media.SIDECAR: "a sidecar travels as it is",
}


@dataclass(frozen=True, slots=True)
class Untouched:
    """The original itself goes to the library."""

    code: str
    why: str


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
    if media in _UNTOUCHED:
        return Untouched("compress.kind", _UNTOUCHED[media])
    if media.is_video:
        if inspection.duration_s < MIN_VIDEO_S and not is_live_half:
            return Untouched("compress.small", f"it is shorter than {MIN_VIDEO_S:g} s")
        return _film(inspection, media, tier, settings)
    if size < MIN_PHOTO_BYTES and not is_live_half:
        return Untouched("compress.small", f"it is smaller than {MIN_PHOTO_BYTES // 1000} kB")
    quality = _quality(tier, settings)
    return (
        _heic(inspection, quality) if media is Media.HEIC else _jpeg(inspection, quality, settings)
    )


def heic_crf(quality: int) -> int:
    """The rate factor of x265 that looks like this quality of a JPEG: 75 is 18, 65 is 20."""
    return max(14, min(28, round(18 + (75 - quality) / 5)))


def _jpeg(inspection: Inspection, quality: int, settings: Settings) -> Recipe:
    encoder = settings.compress.photo.encoder
    return Recipe(
        f"photo-{encoder}-q{quality}/{_PHOTO_VERSION}",
        Media.JPEG,
        quality=quality,
        encoder=encoder,
        extension=inspection.extension,
    )


def _heic(inspection: Inspection, quality: int) -> Recipe | Untouched:
    if quality >= LIGHT_HEIC_QUALITY:
        return Untouched("compress.heic_light", "a young HEIC would save little at this quality")
    crf = heic_crf(quality)
    return Recipe(
        f"photo-heic-crf{crf}/{_HEIC_VERSION}",
        Media.HEIC,
        crf=crf,
        encoder="libx265",
        extension=inspection.extension,
    )


def _film(inspection: Inspection, media: Media, tier: Tier, settings: Settings) -> Recipe:
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


def _quality(tier: Tier, settings: Settings) -> int:
    photo = settings.compress.photo
    return {
        Tier.LIGHT: photo.light_quality,
        Tier.MEDIUM: photo.medium_quality,
        Tier.HEAVY: photo.heavy_quality,
    }[tier]
