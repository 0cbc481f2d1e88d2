"""
Finding the place of an asset on a shelf that many share: the first key that is free, or already holds these bytes.

What lies under a key is read back, never guessed: a file of the same name with other bytes is somebody else's
photograph, and the next key of the asset's own list is tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mediad.errors import MediadError
from mediad.model import Asset, Copy, Digest, Original, Place, Site, SiteKey
from mediad.policy.grouping import taken
from mediad.ports import Files, Put, Sighting


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to lie on the shelf: each member's digest, and the keys it may lie under, best first."""

    digests: tuple[Digest, ...]
    candidates: Sequence[tuple[SiteKey, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """The keys that an asset has or can have, and what was read back from under them. No keys: all are taken."""

    keys: tuple[SiteKey, ...] = ()
    sightings: tuple[Sighting | None, ...] = ()

    @property
    def is_whole(self) -> bool:
        return bool(self.keys) and all(s is not None for s in self.sightings)


async def survey(
    files: Files, site: Site, wanted: Sequence[Wanted | MediadError]
) -> list[Found | MediadError]:
    found: dict[int, Found | MediadError] = {
        n: w for n, w in enumerate(wanted) if isinstance(w, MediadError)
    }
    wishes = {n: w for n, w in enumerate(wanted) if isinstance(w, Wanted)}
    for nth in range(max((len(w.candidates) for w in wishes.values()), default=0)):
        open_ = {n: w for n, w in wishes.items() if n not in found and nth < len(w.candidates)}
        places = [Place(site, k) for w in open_.values() for k in w.candidates[nth]]
        answers = iter(await files.read_back(places) if places else ())
        for n, wish in open_.items():
            keys = wish.candidates[nth]
            judged = judge(wish.digests, keys, [next(answers) for _ in keys])
            if judged is not None:
                found[n] = judged
    return [found.get(n, Found()) for n in range(len(wanted))]


def judge(
    digests: Sequence[Digest],
    keys: tuple[SiteKey, ...],
    answers: Sequence[Sighting | MediadError | None],
) -> Found | MediadError | None:
    """May these keys be the asset's? None: other bytes are under one of them."""
    sightings: list[Sighting | None] = []
    for wanted, answer in zip(digests, answers, strict=True):
        if isinstance(answer, MediadError):
            return answer
        if answer is not None and answer.digest != wanted:
            return None
        sightings.append(answer)
    return Found(keys, tuple(sightings))


def source_of(asset: Asset, original: Original, target: Site) -> Place:
    """Where the bytes are taken from: our working copy, else another verified copy; what the phone is shown, last."""
    spool = Place(Site.SPOOL, original.spool_key)
    others = _sources(asset, original, target)
    return others[0] if others and spool not in others else spool


def may_link(asset: Asset, put: Put) -> bool:
    """
    A second name shares its bytes with the first: what befalls the one befalls the other.

    So only our working copy gets one, and only once the archive holds bytes of its own.
    """
    archived = {c.digest for c in asset.copies if c.place.site is Site.ARCHIVE}
    return put.source.site is Site.SPOOL and put.digest in archived


def is_lost(asset: Asset, found: Found, target: Site) -> bool:
    """Is a member neither on the shelf nor anywhere that we know of? No number of tries brings it back."""
    members = zip(taken(asset), found.sightings, strict=True)
    return any(s is None and not _sources(asset, o, target) for o, s in members)


def _sources(asset: Asset, original: Original, target: Site) -> list[Place]:
    copies = [c.place for c in asset.copies if c.original == original.id]
    usable = [p for p in copies if p.site not in {target, Site.DUPLICATES, Site.QUARANTINE}]
    return sorted(usable, key=lambda place: place.site is Site.PHONE)


def copies_of(
    originals: Sequence[Original], site: Site, found: Found, now: int
) -> tuple[Copy, ...]:
    """The evidence: every original, read back whole under its key."""
    return tuple(
        Copy(o.id, Place(site, key), s.digest, now, s.method)
        for o, key, s in zip(originals, found.keys, found.sightings, strict=True)
        if s is not None and s.digest is not None
    )
