"""
Where the originals of arriving assets are just now: where they were dropped, already taken, or set aside.

Taking and setting aside are renames which a crash may leave unrecorded; so a file is looked for in every place that it
may have got to, and what is found there is believed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mediad.errors import MediadError
from mediad.model import Asset, Digest, Inspection, Original, Place, Site
from mediad.policy.naming import aside_keys
from mediad.ports import Files, Sighting
from mediad.stages import lots
from mediad.stages.verdict import Refuse

ASIDE: Final = (Site.QUARANTINE, Site.DUPLICATES)
Places: TypeAlias = tuple[Place, ...]


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
    twins: Places = ()  # plain names aside under which lies what may be a copy of ours

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
    places = [[_places(o) for o in a.originals] for a in assets]
    sights = await lots.sight(files, [[p for ps in mine for p in ps] for mine in places])
    promised: set[Place] = set()
    return [
        s if isinstance(s, MediadError) else _files(a, mine, s, promised)
        for a, mine, s in zip(assets, places, sights, strict=True)
    ]


def lost(files: Sequence[File]) -> Refuse | None:
    """What was ours already, and is to be read again, has to be somewhere."""
    gone = next((f.original for f in files if f.place is None and f.original.digest), None)
    if gone is None:
        return None
    return Refuse(
        "intake.lost",
        f"the working copy of {gone.name} is no longer in processing; its other copies were not touched",
        "put the file back, or drop it into incoming again, then `mediactl retry`",
    )


def _places(original: Original) -> Places:
    """Working copy, drop folder, then each shelf aside under our own name and under the plain one."""
    plain, own = aside_keys(original)
    aside = [Place(site, key) for site in ASIDE for key in (own, plain)]
    return Place(Site.SPOOL, original.spool_key), Place(Site.INCOMING, original.source_key), *aside


def _files(
    asset: Asset, places: Sequence[Places], sights: lots.Seen, promised: set[Place]
) -> tuple[File, ...]:
    rest = iter(sights)
    return tuple(
        _file(o, {p: next(rest) for p in mine}, promised)
        for o, mine in zip(asset.originals, places, strict=True)
    )


def _file(original: Original, there: Mapping[Place, Sighting | None], promised: set[Place]) -> File:
    spool, incoming, *aside = there
    own = aside[::2]
    left = there[incoming]
    # Already set aside under our own number: what has its old name in incoming by now is a file of its own.
    is_new = left is not None and not _is_same(original, left)
    order = [spool, *own, incoming, *aside] if is_new else list(there)
    place = next((p for p in order if _is_ours(original, p, there[p], own=own)), None)
    now = there[spool] or left
    is_known = now is not None and _is_same(original, now)  # by its stat, wherever we meet it again
    return File(
        original,
        place,
        there[place] if place else None,
        _free(there, aside[:2], promised, is_known=is_known),
        _free(there, aside[2:], promised, is_known=is_known),
        is_left_behind=place == spool and left is not None and _is_same(original, left),
        twins=_twins(original, there) if place == spool else (),
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


def _twins(original: Original, there: Mapping[Place, Sighting | None]) -> Places:
    """
    Where a crash came between the copy on the shelf and the removal of ours, or a power cut brought the old name back.

    Another's file may look the same by its stat: only who knows what is recorded can tell.
    """
    plain = list(there)[3::2]
    return tuple(p for p in plain if (s := there[p]) is not None and _is_same(original, s))


def _free(
    there: Mapping[Place, Sighting | None],
    pair: Sequence[Place],
    promised: set[Place],
    *,
    is_known: bool,
) -> Place:
    """The plain name if nobody has it and we should know our file by it again; else the one with our number."""
    own, plain = pair
    if there[plain] is not None or not is_known or plain in promised:
        return own
    promised.add(plain)
    return plain


def _is_same(original: Original, sighting: Sighting) -> bool:
    return (sighting.size, sighting.mtime_ns) == (original.size, original.mtime_ns)
