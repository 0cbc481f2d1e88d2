"""
Which Live Photos go to the phone as one motion photo, which Google Photos shows moving.

Made for the phone alone: archive and library keep the two originals as they came. What went as two files stays two
files and what went as one stays one, whatever is configured later: else it would be in Google Photos twice.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from mediad.model import Asset, Digest, Kind, Media, Original, Role
from mediad.policy.sending import Sent, placement_of, sent, sources
from mediad.ports import Halves

_STILLS: Final = frozenset({Media.JPEG, Media.HEIC})
_FILMS: Final = frozenset({Media.MOV, Media.MP4})


class Pair(NamedTuple):
    """The two files that would go if they were not joined."""

    still: Sent
    film: Sent

    @property
    def size(self) -> int:
        return self.still.size + self.film.size


def pair_of(asset: Asset, sending: Sequence[Sent], *, wanted: bool) -> Pair | None:
    """The halves to be joined, if this asset is to go so. `wanted`: by the configuration."""
    stills = [s for s in sending if _is(s.original, Role.PRIMARY, _STILLS)]
    films = [s for s in sending if _is(s.original, Role.LIVE_VIDEO, _FILMS)]
    if asset.kind is not Kind.LIVE_PHOTO or len(stills) != 1 or len(films) != 1:
        return None
    pair = Pair(stills[0], films[0])
    mine = {s.original.id for s in pair}
    went = [p for p in asset.placements if p.original in mine]
    if any(p.film is None for p in went):
        return None
    return pair if wanted or went else None


def pair_that_went(asset: Asset) -> Pair | None:
    """
    The halves that its motion photo was made of, when that was given a name on the phone.

    Originals or renditions, whatever is to go by now: as large together as what was made of them, within what the one
    says of the other. A rendition is smaller than its original by far more than that.
    """
    pairs = [
        p for by in (False, True) if (p := pair_of(asset, sent(asset, renditions=by), wanted=False))
    ]
    went = [placement_of(asset, p.still.original.id) for p in pairs]
    found = [
        (abs(m.size - p.size), n) for n, (p, m) in enumerate(zip(pairs, went, strict=True)) if m
    ]
    return pairs[min(found)[1]] if found else None


def halves_of(asset: Asset, pair: Pair) -> Halves:
    """Where their bytes may be read."""
    still, film = (sources(asset, s.original.id, s.digest)[0] for s in pair)
    return Halves(still, pair.still.digest, film, pair.film.digest, pair.size)


def joined(sending: Sequence[Sent], pair: Pair, digest: Digest, size: int) -> tuple[Sent, ...]:
    """What goes instead: one file in the place of two, and whatever else belongs to the shot."""
    one = Sent(pair.still.original, digest, size, pair.still.rendition, pair.film.original)
    still, film = pair.still.original.id, pair.film.original.id
    return tuple(one if s.original.id == still else s for s in sending if s.original.id != film)


def _is(original: Original, role: Role, media: frozenset[Media]) -> bool:
    seen = original.inspection
    return original.role is role and seen is not None and seen.media in media and not seen.flaw
