"""
Where the originals of arriving assets are just now: where they were dropped, already taken, or set aside.

Taking and setting aside are renames which a crash may leave unrecorded; so a file is looked for in every place that it
may have got to, and what is found there is believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mediad.errors import MediadError
from mediad.model import Asset, Digest, Inspection, Original, Place, Site
from mediad.policy.naming import aside_keys
from mediad.ports import Files, Sighting
from mediad.stages import lots

ASIDE = (Site.QUARANTINE, Site.DUPLICATES)


@dataclass(frozen=True, slots=True)
class File:
    """One original as it was found. `place` None: nowhere, or something else has its name now."""

    original: Original
    place: Place | None
    sighting: Sighting | None
    quarantine: Place  # where it would go, should it have to
    duplicates: Place
    inspection: Inspection | None = None
    is_left_behind: bool = (
        False  # taken, but the name in incoming is still there (another file system)
    )

    @property
    def is_foreign(self) -> bool:
        """A link, a pipe, a socket, a device: there, but never opened."""
        return self.sighting is not None and not self.sighting.is_regular

    @property
    def is_changed(self) -> bool:
        """Not the file that the journal knows: somebody has written to it since."""
        return self.sighting is not None and not _is_same(self.original, self.sighting)

    @property
    def digest(self) -> Digest | None:
        return self.sighting.digest if self.sighting else None

    def is_at(self, site: Site) -> bool:
        return self.place is not None and self.place.site is site


async def find(files: Files, assets: Sequence[Asset]) -> list[tuple[File, ...] | MediadError]:
    """Stat only. Each asset's files in the order of its originals; no two are offered the same place aside."""
    sights = await lots.sight(files, [[p for o in a.originals for p in _places(o)] for a in assets])
    promised: set[Place] = set()
    return [
        s if isinstance(s, MediadError) else _files(a, s, promised)
        for a, s in zip(assets, sights, strict=True)
    ]


def _places(original: Original) -> tuple[Place, ...]:
    plain, own = aside_keys(original)
    aside = [Place(site, key) for site in ASIDE for key in (own, plain)]
    return Place(Site.SPOOL, original.spool_key), Place(Site.INCOMING, original.source_key), *aside


def _files(asset: Asset, sights: lots.Seen, promised: set[Place]) -> tuple[File, ...]:
    step = len(sights) // len(asset.originals)
    slices = (sights[n * step : (n + 1) * step] for n in range(len(asset.originals)))
    return tuple(_file(o, s, promised) for o, s in zip(asset.originals, slices, strict=True))


def _file(original: Original, sights: lots.Seen, promised: set[Place]) -> File:
    there = dict(zip(_places(original), sights, strict=True))
    spool, incoming, *aside = there
    place = next((p for p in there if _is_ours(original, p, there[p], own=aside[::2])), None)
    left = there[incoming]
    return File(
        original,
        place,
        there[place] if place else None,
        _free(there, original, aside[:2], promised),
        _free(there, original, aside[2:], promised),
        is_left_behind=place == spool and left is not None and _is_same(original, left),
    )


def _is_ours(
    original: Original, place: Place, sighting: Sighting | None, own: Sequence[Place]
) -> bool:
    """A plain name in quarantine may be another's; one that bears our number cannot."""
    if sighting is None or sighting.what == "folder":
        return False
    if place.site in {Site.SPOOL, Site.INCOMING} or place in own:
        return True
    return _is_same(original, sighting)


def _free(
    there: dict[Place, Sighting | None],
    original: Original,
    pair: Sequence[Place],
    promised: set[Place],
) -> Place:
    """The plain name if nobody has it and we should know our file by it again; else the one with our number."""
    own, plain = pair
    now = there[_places(original)[0]] or there[_places(original)[1]]
    may_be_plain = there[plain] is None and now is not None and _is_same(original, now)
    if not may_be_plain or plain in promised:
        return own
    promised.add(plain)
    return plain


def _is_same(original: Original, sighting: Sighting) -> bool:
    return (sighting.size, sighting.mtime_ns) == (original.size, original.mtime_ns)
