"""
Sort: the library shows the asset under its date: the rendition where there is one, else the original.

A rendition is ours and moves; an original is copied, or its working copy is linked once the archive holds its own.
What lies in the library under another date or place than it has now, moves to its new one: all of the asset together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, Digest, Evidence, Original, Place, Rendition, Site, SiteKey
from mediad.policy.grouping import taken
from mediad.policy.naming import Member, candidates, library_name
from mediad.ports import Ports, Put, Sighting
from mediad.stages import lots
from mediad.stages.placing import Found, Wanted, copies_of, may_link, source_of, survey
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict
from mediad.state import State


@dataclass(frozen=True, slots=True)
class Facts:
    found: Found
    now: int
    # of each original: where it lies in the library now, whole, if that is not where it belongs
    astray: tuple[Place | None, ...] = ()
    # candidates that the library has and that still lie where they were made: a move that a power cut halved
    halved: tuple[Place, ...] = ()


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    template = io.settings.sort.template
    wanted = lots.each(lambda asset: _wanted(asset, template), assets)
    now = io.clock.now()
    facts = lots.each(lambda found: Facts(found, now), await survey(io.files, Site.LIBRARY, wanted))
    return await _with_halved(assets, await _with_astray(assets, facts, io), io)


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.found.keys:
        return Refuse(
            "library.taken",
            f"every name that {asset.name} may have in the library holds other bytes; nothing was overwritten",
            "look at those files in the library; move away what does not belong there, then `mediactl retry`",
        )
    if not facts.found.is_whole or any(facts.astray):
        return Act(f"place {asset.name} in the library as {facts.found.keys[0]}")
    if facts.halved:
        return Act(f"end the move of {asset.name} into the library: its first name is still there")
    return Done(_evidence(asset, facts), State.SORTED)


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    puts = [_puts(a, f) for a, f in zip(assets, facts, strict=True)]
    errors: list[MediadError | None] = [None] * len(assets)
    ways = ((io.files.move, _moved), (io.files.link, _linked), (io.files.copy, _copied))
    for place, is_meant in ways:
        chosen = [
            [p for p in ps if is_meant(a, p)] if e is None else []
            for a, ps, e in zip(assets, puts, errors, strict=True)
        ]
        if any(chosen):
            errors = [
                e or x for e, x in zip(errors, await lots.place_each(place, chosen), strict=True)
            ]
    await io.files.discard(
        [p for f, e in zip(facts, errors, strict=True) if e is None for p in f.halved]
    )
    return [lots.look_again(e) for e in errors]


def rendition_of(asset: Asset, original: Original) -> Rendition | None:
    """What stands for the original in the library; the last one made, should there be several."""
    return next((r for r in reversed(asset.renditions) if r.original == original.id), None)


def _wanted(asset: Asset, template: str) -> Wanted:
    originals = taken(asset)
    renditions = [rendition_of(asset, o) for o in originals]
    members = [
        Member(o, library_name(o, PurePosixPath(r.place.key).suffix if r else ""))
        for o, r in zip(originals, renditions, strict=True)
    ]
    digests = (r.digest if r else o.digest for o, r in zip(originals, renditions, strict=True))
    keys = candidates(asset, members, template)
    shelf = tuple(o.shelf for o in originals)
    return Wanted(tuple(d for d in digests if d), (shelf, *keys) if all(shelf) else keys)


async def _with_astray(
    assets: Sequence[Asset], facts: Sequence[Facts | MediadError], io: Ports
) -> list[Facts | MediadError]:
    """What the journal has under another key in the library is read where it is said to lie."""
    shelved = [
        f if isinstance(f, MediadError) else _elsewhere(a, f)
        for a, f in zip(assets, facts, strict=True)
    ]
    asked = lots.each(lambda places: [p for p, _ in places if p is not None], shelved)
    answers = await lots.read_back(io.files, asked)
    found = lots.pair(lots.pair(list(facts), shelved), answers)
    return lots.each(lambda x: _astray(x[0][0], x[0][1], x[1]), found)


def _elsewhere(asset: Asset, facts: Facts) -> list[tuple[Place | None, Digest | None]]:
    keys = facts.found.keys or (SiteKey(""),) * len(taken(asset))
    return [_shelved(asset, o, key) for o, key in zip(taken(asset), keys, strict=True)]


def _shelved(asset: Asset, original: Original, key: SiteKey) -> tuple[Place | None, Digest | None]:
    """Where the library has it now under another key, and the bytes that it has there; the last one told."""
    rendition = rendition_of(asset, original)
    digest = rendition.digest if rendition else original.digest
    known = [c.place for c in asset.copies if c.original == original.id]
    if rendition is not None:
        known = [rendition.place]
    other = [p for p in known if p.site is Site.LIBRARY and p.key != key]
    return (other[-1] if other and key else None), digest


async def _with_halved(
    assets: Sequence[Asset], facts: Sequence[Facts | MediadError], io: Ports
) -> list[Facts | MediadError]:
    made = lots.each(lambda pair: _made_for(*pair), lots.pair(list(assets), facts))
    there = lots.pair(made, await lots.sight(io.files, made))
    return lots.each(lambda x: _halved(x[0], *x[1]), lots.pair(list(facts), there))


def _halved(facts: Facts, made: Sequence[Place], seen: Sequence[Sighting | None]) -> Facts:
    return replace(facts, halved=tuple(p for p, s in zip(made, seen, strict=True) if s is not None))


def _made_for(asset: Asset, facts: Facts) -> tuple[Place, ...]:
    """Where the candidates that the library has were made, as far as the journal still has them there."""
    members = zip(taken(asset), facts.found.sightings, strict=True) if facts.found.keys else ()
    made = (rendition_of(asset, o) for o, seen in members if seen is not None)
    return tuple(r.place for r in made if r is not None and r.place.site is Site.SPOOL)


def _astray(
    facts: Facts,
    shelved: Sequence[tuple[Place | None, Digest | None]],
    read: Sequence[Sighting | None],
) -> Facts:
    """Only what still has its bytes: what somebody changed there is theirs, and stays where it is."""
    answers = iter(read)
    astray = tuple(
        place if place and (seen := next(answers)) and seen.digest == digest else None
        for place, digest in shelved
    )
    return replace(facts, astray=astray)


def _evidence(asset: Asset, facts: Facts) -> Evidence:
    placed = list(zip(taken(asset), facts.found.keys, strict=True))
    renditions = [
        (r, Place(Site.LIBRARY, key)) for o, key in placed if (r := rendition_of(asset, o))
    ]
    for_originals = [not rendition_of(asset, o) for o, _ in placed]
    copies = copies_of(taken(asset), Site.LIBRARY, facts.found, facts.now)
    return Evidence(
        "read-back",
        facts.now,
        copies=tuple(c for c, own in zip(copies, for_originals, strict=True) if own),
        gone=_left(asset, facts),
        renditions=tuple(replace(r, place=place) for r, place in renditions),
    )


def _left(asset: Asset, facts: Facts) -> tuple[Place, ...]:
    """Where the library had it before, as far as it is not there any more."""
    known = (*(c.place for c in asset.copies), *(r.place for r in asset.renditions))
    keys = set(facts.found.keys)
    return tuple(dict.fromkeys(p for p in known if p.site is Site.LIBRARY and p.key not in keys))


def _puts(asset: Asset, facts: Facts) -> list[Put]:
    puts = []
    astray = facts.astray or (None,) * len(facts.found.keys)
    found = zip(taken(asset), facts.found.keys, facts.found.sightings, astray, strict=True)
    for original, key, sighting, old in found:
        rendition = rendition_of(asset, original)
        target = Place(Site.LIBRARY, key)
        if old is not None:
            digest = rendition.digest if rendition else original.digest
            size = rendition.size if rendition else original.size
            puts.append(Put(old, target, digest, original.mtime_ns, size))
            continue
        if sighting is not None:
            continue
        if rendition:
            source, digest, size = rendition.place, rendition.digest, rendition.size
            puts.append(Put(source, target, digest, original.mtime_ns, size))
        else:
            source = source_of(asset, original, Site.LIBRARY)
            puts.append(Put(source, target, original.digest, original.mtime_ns, original.size))
    return puts


def _moved(asset: Asset, put: Put) -> bool:
    return put.source.site is Site.LIBRARY or any(r.place == put.source for r in asset.renditions)


def _linked(asset: Asset, put: Put) -> bool:
    return not _moved(asset, put) and may_link(asset, put)


def _copied(asset: Asset, put: Put) -> bool:
    return not _moved(asset, put) and not _linked(asset, put)


STAGE: Final = Stage(
    "sort",
    frozenset({State.COMPRESSED, State.KEPT}),
    "copy",
    look,
    decide,
    act,
    needs=frozenset({"library"}),
)
