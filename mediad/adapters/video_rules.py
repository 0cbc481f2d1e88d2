"""Which videos are made smaller and which are left as they are, each kind by its name. Pure: it judges a Probe."""

from collections.abc import Mapping
from typing import Final

from mediad.adapters.video_probe import Probe
from mediad.model import Media
from mediad.ports import Recipe

SHORTEST_S: Final = 2.0  # nothing to gain below, but by Live Photos, which come by the thousand
SLOW_MOTION_FPS: Final = 100.0  # phones film 120 or 240 a second for nothing else

WHY: Final[Mapping[str, str]] = {
    "compress.untouched_container": "only MOV and MP4 videos are made smaller; other containers are left as they are",
    "compress.no_video": "there is no picture track in it",
    "compress.several_videos": "it has several picture tracks (cinematic, two lenses), and one would be lost",
    "compress.spatial": "it is spatial: its second eye lies in a layer that would be lost",
    "compress.dolby_vision": "its Dolby Vision layer would be lost",
    "compress.dynamic_hdr": "its scene-by-scene HDR10+ data would be lost",
    "compress.slow_motion": "it is slow motion, and how it is slowed down stands outside of its picture",
    "compress.prores": "it is ProRes, made to be edited; coding it again would spoil that",
    "compress.codec": "only H.264 and HEVC are coded again; the gain from others is small or their loss is not",
    "compress.encrypted": "it is encrypted",
    "compress.interlaced": "it is interlaced, and coding it again would harm it",
    "compress.pixel_format": "its pixel format is not one that can be kept exactly",
    "compress.fragmented": "it is a film in fragments",
    "compress.several_descriptions": "its picture changes its coding on the way",
    "compress.structure": "its inner structure is not one that can be kept exactly",
    "compress.av1_in_mov": "AV1 has no place in a MOV film; MP4 films can hold it",
    "compress.hdr_needs_x265": "its HDR is kept whole by libx265 only",
    "compress.short": "it is shorter than two seconds, so there is little to gain",
}

_CODECS = frozenset({"h264", "hevc"})
_PIXEL_FORMATS = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv420p10le", "yuv422p10le"}
)
_SVT_FORMATS = frozenset({"yuv420p", "yuv420p10le"})


def suits(probe: Probe, *, dolby_vision: bool = False) -> str:
    """Why this video is left as it is; "" when it may be made smaller. `dolby_vision`: its layer may be lost."""
    reasons = (
        ("compress.untouched_container", not probe.is_iso),
        ("compress.fragmented", probe.flaw_code == "compress.fragmented"),
        ("compress.encrypted", probe.flaw_code == "compress.encrypted"),
        ("compress.no_video", probe.videos == 0),
        ("compress.several_videos", probe.videos > 1),
        ("compress.spatial", probe.flaw_code == "compress.spatial"),
        ("compress.dolby_vision", probe.is_dolby_vision and not dolby_vision),
        ("compress.dynamic_hdr", probe.is_dynamic_hdr),
        ("compress.prores", probe.codec == "prores"),
        ("compress.codec", probe.codec not in _CODECS),
        ("compress.interlaced", probe.is_interlaced),
        ("compress.pixel_format", probe.pixel_format not in _PIXEL_FORMATS),
        ("compress.slow_motion", _is_slow_motion(probe)),
        (probe.flaw_code or "compress.structure", bool(probe.flaw) or probe.timescale == 0),
        ("compress.short", probe.duration_s < SHORTEST_S and not probe.is_live),
    )
    return next((code for code, is_so in reasons if is_so), "")


def suits_recipe(seen: Probe, recipe: Recipe) -> str:
    """Likewise, for what this recipe would make of it."""
    is_av1 = recipe.encoder.partition("/")[0] == "libsvtav1"
    is_x265 = recipe.encoder.partition("/")[0] == "libx265"
    reasons = (
        ("compress.untouched_container", recipe.media not in (Media.MOV, Media.MP4)),
        ("compress.av1_in_mov", is_av1 and recipe.media is Media.MOV),
        ("compress.pixel_format", is_av1 and seen.pixel_format not in _SVT_FORMATS),
        ("compress.hdr_needs_x265", seen.is_hdr and not is_x265),
    )
    of_kind = suits(seen, dolby_vision=recipe.dolby_vision)
    return of_kind or next((code for code, is_so in reasons if is_so), "")


def _is_slow_motion(probe: Probe) -> bool:
    return probe.is_marked_slow or probe.frames_a_second >= SLOW_MOTION_FPS
