"""
What mediad made itself and somebody has dropped: a rendition, known by its digest and by nothing else.

It may stand aside as a duplicate only while the originals that it was made from are seen to be held. Where they are
not, the rendition may be all that is left of the picture, and is taken in like any other file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, AssetId, Copy, Digest, Original, Site
from mediad.policy.grouping import is_sidecar
from mediad.ports import Ports, Sighting

# Where an original counts as held: not in incoming, which is the person's, and not on the phone, which may let go.
HELD: Final = frozenset({Site.ARCHIVE, Site.LIBRARY, Site.SPOOL})
PATIENCE_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Made:
    """These bytes were made from the originals of another asset. `is_held` None: where they lie cannot be asked now."""

    source: AssetId
    is_held: bool | None

    @property
    def note(self) -> str:
        if self.is_held is None:
            return f"{self._what}; where its original lies cannot be looked at just now"
        if self.is_held:
            return self._what
        return f"{self._what}, of whose original no copy is seen any more: it is taken in by itself"

    @property
    def _what(self) -> str:
        return f"a rendition that mediad made of asset {self.source}"


async def recognised(
    asked: Sequence[tuple[AssetId, Sequence[Digest]]], io: Ports
) -> Mapping[AssetId, Made]:
    """Those of these whose every file mediad made, or has as an original, of one other asset."""
    sources = await io.ledger.makers_of(asked) if asked else ()
    found = [(a, s) for (a, _), s in zip(asked, sources, strict=True) if s is not None]
    copies = [c for _, source in found for c in _copies(source)]
    answers = iter(await io.files.sight([c.place for c in copies]) if copies else ())
    return {
        asset: Made(source.id, _is_held(source, [(c, next(answers)) for c in _copies(source)]))
        for asset, source in found
    }


def _copies(asset: Asset) -> list[Copy]:
    return [c for c in asset.copies if c.place.site in HELD]


def _is_held(
    source: Asset, seen: Sequence[tuple[Copy, Sighting | MediadError | None]]
) -> bool | None:
    """By stat: nothing goes by this answer, and whoever removes the rendition one day reads the original first."""
    wanted = [o for o in source.originals if o.digest and not is_sidecar(o)]
    answers = {_is_there(o, seen) for o in wanted}
    if False in answers or not wanted:
        return False
    return None if None in answers else True


def _is_there(
    original: Original, seen: Sequence[tuple[Copy, Sighting | MediadError | None]]
) -> bool | None:
    mine = [s for c, s in seen if (c.original, c.digest) == (original.id, original.digest)]
    if any(isinstance(s, Sighting) and s.is_regular and s.size == original.size for s in mine):
        return True
    return None if any(isinstance(s, MediadError) for s in mine) else False
