"""
May these files go? The one place that can say yes.

A warrant is made from copies that were read back for this very decision; the journal's memory is not evidence. It
names each file with the digest that was found elsewhere, and nothing else may be removed with it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mediad.errors import Refused
from mediad.model import Asset, AssetId, CloudRef, Copy, Digest, Place, Remote, Site
from mediad.policy.cloud_guard import Case, lacks

# Where a copy can stand in for the one that goes. Not incoming (the person's), not our own working areas.
COUNTED: Final = frozenset({Site.ARCHIVE, Site.LIBRARY, Site.PHONE})
# What may stand in for a file in the folder that is shared with the phone: there our working copy counts too.
KEPT: Final = frozenset({Site.ARCHIVE, Site.LIBRARY, Site.SPOOL})
ANNOUNCED: Final = (
    "syncthing"  # how a copy on the phone is seen; the folder that is shared proves nothing of it
)

_NAMES: Final = {
    Site.ARCHIVE: "the archive",
    Site.LIBRARY: "the library",
    Site.PHONE: "the phone",
    Site.SPOOL: "the working area",
    Site.DUPLICATES: "duplicates",
}


@dataclass(frozen=True, slots=True)
class Warrant:
    """Leave to remove one asset's files. Adapters ask for it by type; only this file makes one."""

    asset: Asset
    places: tuple[tuple[Place, Digest], ...]
    evidence: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class CloudWarrant:
    """Leave to move one photo to Recently Deleted, as it was looked up with this change tag. Made here only."""

    proved: Remote  # as it was looked up: what is found deleted must be this
    evidence: tuple[Copy, ...]
    assets: tuple[AssetId, ...]  # what it became here
    keepers: tuple[AssetId, ...]  # of these duplicates: what the bytes are kept by

    @property
    def ref(self) -> CloudRef:
        return self.proved.ref

    @property
    def change_tag(self) -> str:
        return self.proved.change_tag


def warrant_for_cloud(case: Case) -> CloudWarrant:
    """With every proof that policy/cloud_guard.py knows of; with one less there is none."""
    missing = lacks(case)
    if missing or case.fresh is None:
        raise Refused(
            f"{case.row.remote.name} stays in iCloud: {'; '.join(lack.why for lack in missing)}",
            code="icloud.not_safe",
            remedy="look at `mediactl explain`: when every proof is there, it goes by itself",
        )
    evidence = tuple(copy for held in case.held for copy in held.fresh)
    holders = list(dict.fromkeys(a for held in case.held for a in held.holders))
    mine = tuple(a for a in holders if a in case.row.assets)
    keepers = tuple(a for a in holders if a not in case.row.assets)
    return CloudWarrant(case.fresh, evidence, mine, keepers)


def warrant_for_spool(
    asset: Asset, fresh: Sequence[Copy], min_copies: int, required: Collection[Site] = ()
) -> Warrant:
    """Leave to remove the working copies: each original is verified elsewhere, `required` sites among the places."""
    places = tuple((Place(Site.SPOOL, o.spool_key), o.digest) for o in asset.originals if o.digest)
    return _warrant(asset, places, fresh, min_copies, required)


def warrant_for_duplicate(
    asset: Asset,
    fresh: Sequence[Copy],
    min_copies: int,
    required: Collection[Site] = (),
    made_from: Mapping[Digest, Collection[Digest]] = MappingProxyType({}),
) -> Warrant:
    """
    Leave to remove a set-aside duplicate: the keeper's own copies hold the same bytes now.

    `made_from`: renditions of the keeper's, by their digests, each with the digests of the originals that it was made
    from: of a motion photo two. Of such a one those originals must be held, each of them.
    """
    places = tuple((c.place, c.digest) for c in asset.copies if c.place.site is Site.DUPLICATES)
    return _warrant(asset, places, fresh, min_copies, required, made_from)


def made_from(holder: Asset) -> dict[Digest, Collection[Digest]]:
    """What mediad made of its originals, for the library or for the phone; never what came itself."""
    taken = {o.id: o.digest for o in holder.originals if o.digest}
    made = {r.digest: {r.original} for r in holder.renditions}
    made |= {p.digest: set(p.halves) for p in holder.placements}
    return {
        digest: {taken[o] for o in of}
        for digest, of in made.items()
        if of <= taken.keys() and digest not in taken.values()
    }


def warrant_for_shared(
    asset: Asset, fresh: Sequence[Copy], required: Collection[Site] = ()
) -> Warrant:
    """
    Leave to remove what lies in the folder that is shared with the phone.

    The bytes as taken are what must be kept elsewhere, a rendition there being none of them; of a motion photo those
    of both halves.
    """
    taken = {o.id: o.digest for o in asset.originals}
    usable = tuple(c for c in fresh if c.place.site in KEPT and c.digest == taken.get(c.original))
    places, missing = [], []
    for placement in asset.placements:
        place = Place(Site.PHONE, placement.key)
        places.append((place, placement.digest))
        for half in placement.halves:
            original = taken.get(half)
            if original is None or (lack := _missing(place, original, usable, 1, required)):
                missing.append(
                    lack if original else f"nothing is known of the bytes of {place.key}"
                )
    return _signed(asset, tuple(places), missing, usable)


def _warrant(
    asset: Asset,
    places: tuple[tuple[Place, Digest], ...],
    fresh: Sequence[Copy],
    min_copies: int,
    required: Collection[Site],
    made_from: Mapping[Digest, Collection[Digest]] = MappingProxyType({}),
) -> Warrant:
    usable = tuple(c for c in fresh if _counts(c))
    wanted = [(place, d) for place, digest in places for d in made_from.get(digest, (digest,))]
    missing = [
        m
        for place, digest in wanted
        if (m := _missing(place, digest, usable, min_copies, required))
    ]
    digests = {digest for _, digest in wanted}
    return _signed(asset, places, missing, tuple(c for c in usable if c.digest in digests))


def _signed(
    asset: Asset,
    places: tuple[tuple[Place, Digest], ...],
    missing: Sequence[str],
    evidence: tuple[Copy, ...],
) -> Warrant:
    if missing or not places:
        what = "; ".join(missing) or "nothing is known of its bytes"
        raise Refused(
            f"{asset.name} stays: {what}. Nothing was removed",
            code="clean.not_safe",
            remedy="look at `mediactl explain`: when the missing copies are verified, it goes by itself",
        )
    return Warrant(asset, places, evidence)


def _counts(copy: Copy) -> bool:
    if copy.place.site is Site.PHONE:
        return copy.method == ANNOUNCED
    return copy.place.site in COUNTED


def _missing(
    place: Place,
    digest: Digest,
    usable: Sequence[Copy],
    min_copies: int,
    required: Collection[Site],
) -> str:
    """What is still wanting before this one file may go, for a person; "" when nothing is."""
    found = {c.place for c in usable if c.digest == digest and c.place != place}
    wanted = max(1, min_copies)
    absent = sorted(_NAMES[s] for s in set(required) - {p.site for p in found})
    if absent:
        return f"no verified copy of {place.key} in {', '.join(absent)}"
    if len(found) < wanted:
        return f"{place.key} has {len(found)} verified copies elsewhere, {wanted} are wanted"
    return ""
