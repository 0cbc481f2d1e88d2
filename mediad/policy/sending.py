"""
What goes to the phone of each original: its own bytes, or those of the rendition that stands for it.

The halves of a Live Photo may go as one file that is made of both (policy/motion.py): a motion photo.
"""

from typing import Final, NamedTuple

from mediad.model import (
    Asset,
    Digest,
    Kind,
    Media,
    Original,
    OriginalId,
    Place,
    Placement,
    Rendition,
    Site,
    SiteKey,
)
from mediad.policy.grouping import taken
from mediad.policy.naming import Member, library_name, split

# Where no bytes are taken from: what the phone is shown, and what was set aside.
_NO_SOURCES: Final = frozenset(
    {Site.CLOUD, Site.INCOMING, Site.PHONE, Site.DUPLICATES, Site.QUARANTINE}
)
# Raised when the code that joins two halves changes so that other bytes come of them.
_JOINED: Final = "motion-1"


class Sent(NamedTuple):
    original: Original
    digest: Digest
    size: int
    rendition: Rendition | None = None  # None: the original as it is
    film: Original | None = None  # it is a motion photo made of this original and of that one

    @property
    def member(self) -> Member:
        """With the name it would like: its extension tells what it is, as Android goes by nothing else."""
        extension = split(self.rendition.place.key)[1] if self.rendition else ""
        return Member(self.original, library_name(self.original, extension))


def sent(asset: Asset, *, renditions: bool) -> tuple[Sent, ...]:
    """What goes, sidecars and all; `renditions`: where there is one, it stands for its original."""
    made = {r.original: r for r in asset.renditions} if renditions else {}
    return tuple(
        Sent(o, r.digest, r.size, r) if (r := made.get(o.id)) else Sent(o, o.digest, o.size)
        for o in taken(asset)
        if o.digest
    )


def placement_of(asset: Asset, original: OriginalId) -> Placement | None:
    """Of the file that it is in, alone or with its other half."""
    mine = (p for p in reversed(asset.placements) if original in p.halves)
    return max(mine, key=lambda p: p.batch, default=None)


def placements(asset: Asset) -> tuple[Placement, ...]:
    """Every file's place in its batch; empty where an original has none: a shot goes whole or not at all."""
    found = [placement_of(asset, o.id) for o in taken(asset)]
    known = tuple(dict.fromkeys(p for p in found if p is not None))
    return known if None not in found else ()


def is_original(asset: Asset, placement: Placement) -> bool:
    """Are these the bytes as taken? A rendition or a motion photo on the phone is no copy of an original."""
    return placement.film is None and any(
        (o.id, o.digest) == (placement.original, placement.digest) for o in asset.originals
    )


def joined_at(still: Original) -> Place:
    """Where the motion photo lies that is made of this still and its film, until it is in the shared folder."""
    media = still.inspection.media if still.inspection else None
    extension = ".jpg" if media is Media.JPEG else ".heic"
    return Place(Site.SPOOL, SiteKey(f"renditions/{still.spool_key}.{_JOINED}{extension}"))


def sources(asset: Asset, original: OriginalId, digest: Digest) -> tuple[Place, ...]:
    """Where these bytes may be taken from, best first: our working copy, what was made here, then what is kept."""
    spool = [
        Place(Site.SPOOL, o.spool_key)
        for o in asset.originals
        if (o.id, o.digest) == (original, digest)
    ]
    made = [
        r.place for r in reversed(asset.renditions) if (r.original, r.digest) == (original, digest)
    ]
    kept = [c.place for c in asset.copies if (c.original, c.digest) == (original, digest)]
    found = (*spool, *made, *kept)
    if not found and asset.kind is Kind.LIVE_PHOTO:  # of neither an original nor a rendition
        found = tuple(joined_at(o) for o in asset.originals if o.id == original)
    return tuple(dict.fromkeys(p for p in found if p.site not in _NO_SOURCES))
