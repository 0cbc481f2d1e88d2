"""
Tiers: the older a capture, the harder its rendition may be pressed, unless a person says otherwise for its folder.

Quality lost in the library is a nuisance where the age was wrong, so every doubt (no date, a date to come, a date
from before there were digital cameras, as a camera with an empty clock writes it) is the lightest tier.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

_YEAR_MS: Final = 365_250 * 86_400  # 365.25 days
MEDIUM_FROM_MS: Final = _YEAR_MS
KEEP: Final = "keep"  # said of a folder instead of a tier
HEAVY_FROM_MS: Final = 3 * _YEAR_MS
_PLAUSIBLE_FROM: Final = 788_918_400_000  # 1995-01-01; cameras without a battery say 1970, 1980 …


class Tier(StrEnum):
    LIGHT = "light"  # younger than a year
    MEDIUM = "medium"
    HEAVY = "heavy"  # older than three years


_GENTLEST: Final = (KEEP, *Tier)


def tier_for(captured_at: int | None, now: int) -> Tier:
    """Both in UTC ms. Exactly one year old is medium, exactly three years old still is."""
    if captured_at is None or not _PLAUSIBLE_FROM <= captured_at <= now:
        return Tier.LIGHT
    age = now - captured_at
    if age < MEDIUM_FROM_MS:
        return Tier.LIGHT
    return Tier.HEAVY if age > HEAVY_FROM_MS else Tier.MEDIUM


def told_for_folder(source_key: str, folders: Mapping[str, str]) -> tuple[str, str]:
    """
    What a person said of the folder that a file came in, and that folder; both empty: nothing.

    The longest folder counts.
    """
    said = {unicodedata.normalize("NFC", name): name for name in folders}
    for folder in PurePosixPath(unicodedata.normalize("NFC", source_key)).parents:
        if name := said.get(str(folder)):
            return folders[name], name
    return "", ""


def told_for_albums(inside: Iterable[str], albums: Mapping[str, str]) -> tuple[str, str]:
    """Likewise of the albums, by name, that a photo is in. The gentlest counts."""
    said = [(_GENTLEST.index(albums[name]), name) for name in inside if name in albums]
    return (albums[min(said)[1]], min(said)[1]) if said else ("", "")
