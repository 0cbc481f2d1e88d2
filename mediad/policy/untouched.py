"""
Kinds of file that are left as they are, by name.

A rendition of them would lose something (bits, frames, a second picture) that nobody could bring back, or there is
nothing to gain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mediad.model import Media


@dataclass(frozen=True, slots=True)
class Untouched:
    """The original itself goes to the library."""

    code: str
    why: str


PHOTOS: Final[Mapping[Media, str]] = {
    Media.RAW: "a RAW photo is the negative",
    Media.TIFF: "a TIFF may hold more than a rendition could",
    Media.PNG: "a PNG is exact, and may have more than 8 bits",
    Media.GIF: "a GIF may move, and is small",
    Media.WEBP: "a WebP is compressed well already, and may move",
    Media.AVIF: "an AVIF is compressed well already",
}
VIDEOS: Final[Mapping[Media, str]] = {
    Media.AVI: "an AVI does not say all that a rendition would have to keep",
    Media.MATROSKA: "a Matroska film may hold tracks that a rendition would lose",
    Media.MPEG: "an MPEG stream does not say all that a rendition would have to keep",
}
_SIDECARS: Final[Mapping[Media, str]] = {Media.SIDECAR: "a sidecar travels as it is"}
_ALL: Final = {**PHOTOS, **VIDEOS, **_SIDECARS}


def untouched(media: Media) -> Untouched | None:
    """None: there are recipes for this kind."""
    why = _ALL.get(media)
    return Untouched("compress.kind", why) if why else None
