"""
Sort: the library shows the asset under its date: the rendition where there is one, else the original.

A rendition is ours and moves; an original is copied, or its working copy is linked once the archive holds its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, Evidence, Original, Place, Rendition, Site
from mediad.policy.grouping import taken
from mediad.policy.naming import Member, candidates, library_name
from mediad.ports import Ports, Put
from mediad.stages import lots
from mediad.stages.placing import Found, Wanted, copies_of, may_link, source_of, survey
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict
from mediad.state import State


@dataclass(frozen=True, slots=True)
class Facts:
    found: Found
    now: int


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    template = io.settings.sort.template
    wanted = lots.each(lambda asset: _wanted(asset, template), assets)
    now = io.clock.now()
    return lots.each(lambda found: Facts(found, now), await survey(io.files, Site.LIBRARY, wanted))


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.found.keys:
        return Refuse(
            "library.taken",
            f"every name that {asset.name} may have in the library holds other bytes; nothing was overwritten",
            "look at those files in the library; move away what does not belong there, then `mediactl retry`",
        )
    if not facts.found.is_whole:
        return Act(f"place {asset.name} in the library as {facts.found.keys[0]}")
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
    return Wanted(tuple(d for d in digests if d), candidates(asset, members, template))


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
        renditions=tuple(replace(r, place=place) for r, place in renditions),
    )


def _puts(asset: Asset, facts: Facts) -> list[Put]:
    puts = []
    found = zip(taken(asset), facts.found.keys, facts.found.sightings, strict=True)
    for original, key, sighting in found:
        rendition = rendition_of(asset, original)
        if sighting is not None:
            continue
        target = Place(Site.LIBRARY, key)
        if rendition:
            source, digest, size = rendition.place, rendition.digest, rendition.size
            puts.append(Put(source, target, digest, original.mtime_ns, size))
        else:
            source = source_of(asset, original, Site.LIBRARY)
            puts.append(Put(source, target, original.digest, original.mtime_ns, original.size))
    return puts


def _moved(asset: Asset, put: Put) -> bool:
    return any(r.place == put.source for r in asset.renditions)


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
