"""
Restore: what was cleaned away is back, from a copy that is read whole at this very moment.

By a person's order only (undo). The working copies come back to processing, a duplicate to duplicates, each with the
bytes and the time that it had. Whatever else lies under its name by now stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, Copy, Digest, Evidence, Original, Place, Site, SiteKey
from mediad.policy.grouping import taken
from mediad.policy.naming import aside_keys
from mediad.ports import Ports, Put, Sighting
from mediad.stages import lots
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict
from mediad.state import State

# What lies in the shared folder is on its way out, and is asked last.
SOURCES: Final = (Site.ARCHIVE, Site.LIBRARY, Site.DUPLICATES, Site.SPOOL, Site.PHONE)


@dataclass(frozen=True, slots=True)
class Facts:
    now: int
    targets: tuple[tuple[Place, ...], ...]  # of each original: where it may go back to, best first
    there: tuple[tuple[Sighting | None, ...], ...]  # what was read back there
    sources: tuple[tuple[Place, Digest], ...]  # copies that were read back whole just now


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    now = io.clock.now()
    targets = [targets_of(a) for a in assets]
    read = await lots.read_back(io.files, [[p for ps in mine for p in ps] for mine in targets])
    facts = lots.each(
        lambda pair: Facts(now, pair[0], _grouped(pair[0], pair[1]), ()),
        lots.pair(list(targets), read),
    )
    known = [await copies_of(a, io) for a in assets]
    wanted = lots.each(
        lambda pair: _asked(*pair), lots.pair(lots.pair(list(assets), facts), list(known))
    )
    answers = await lots.read_back(
        io.files, [w if isinstance(w, MediadError) else [c.place for c in w] for w in wanted]
    )
    found = lots.pair(lots.pair(facts, wanted), answers)
    return lots.each(lambda x: _with_sources(x[0][0], x[0][1], x[1]), found)


def decide(asset: Asset, facts: Facts) -> Verdict:
    originals = taken(asset)
    if not originals:
        return Refuse(
            "undo.nothing",
            f"nothing is known of the bytes of {asset.name}: there is nothing to bring back",
            "mediactl explain shows what is known of it",
        )
    for n, original in enumerate(originals):
        if not _is_back(original, facts.there[n]):
            refusal = _refusal(original, facts, n)
            if refusal is not None:
                return refusal
    missing = [o for o, seen in zip(originals, facts.there, strict=True) if not _is_back(o, seen)]
    if missing:
        return Act(
            f"bring {len(missing)} files of {asset.name} back from {_site(missing[0], facts)}"
        )
    return Done(Evidence("read-back", facts.now, copies=_copies(asset, facts)), State.CLEANABLE)


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    puts = [_puts(a, f) for a, f in zip(assets, facts, strict=True)]
    return [lots.look_again(e) for e in await lots.place_each(io.files.copy, puts)]


# -- what is seen -------------------------------------------------------------------------------


def targets_of(asset: Asset) -> tuple[tuple[Place, ...], ...]:
    """Where each original may go back to: its one name in processing, or its plain name and its own in duplicates."""
    if asset.keeper is None:
        return tuple((Place(Site.SPOOL, o.spool_key),) for o in taken(asset))
    return tuple(tuple(Place(Site.DUPLICATES, key) for key in _aside(o)) for o in taken(asset))


async def copies_of(asset: Asset, io: Ports) -> tuple[Copy, ...]:
    """Its own copies, and a duplicate's keeper's."""
    keeper = await io.ledger.keeper(asset.id) if asset.keeper is not None else None
    return (*asset.copies, *(keeper.asset.copies if keeper else ()))


def _aside(original: Original) -> tuple[SiteKey, ...]:
    wished = (original.shelf,) if original.shelf else ()
    return (*wished, *aside_keys(original))


def _grouped(
    targets: Sequence[Sequence[Place]], answers: Sequence[Sighting | None]
) -> tuple[tuple[Sighting | None, ...], ...]:
    rest = iter(answers)
    return tuple(tuple(next(rest) for _ in mine) for mine in targets)


def _asked(of: tuple[Asset, Facts], copies: Sequence[Copy]) -> list[Copy]:
    """The copies that are worth reading: of what is not back yet, the nearest first."""
    asset, facts = of
    missing = {
        o.digest for o, seen in zip(taken(asset), facts.there, strict=True) if not _is_back(o, seen)
    }
    usable = [c for c in copies if c.digest in missing and c.place.site in SOURCES]
    return sorted(usable, key=lambda c: SOURCES.index(c.place.site))


def _with_sources(facts: Facts, asked: Sequence[Copy], read: Sequence[Sighting | None]) -> Facts:
    whole = tuple(
        (c.place, c.digest)
        for c, seen in zip(asked, read, strict=True)
        if seen is not None and seen.digest == c.digest
    )
    return Facts(facts.now, facts.targets, facts.there, whole)


# -- what it means ------------------------------------------------------------------------------


def _is_back(original: Original, there: Sequence[Sighting | None]) -> bool:
    return any(s is not None and s.digest == original.digest for s in there)


def _free(facts: Facts, nth: int) -> Place | None:
    places = zip(facts.targets[nth], facts.there[nth], strict=True)
    return next((p for p, seen in places if seen is None), None)


def _source(original: Original, facts: Facts) -> Place | None:
    return next((p for p, digest in facts.sources if digest == original.digest), None)


def _refusal(original: Original, facts: Facts, nth: int) -> Refuse | None:
    if _free(facts, nth) is None:
        place = facts.targets[nth][0]
        return Refuse(
            "undo.taken",
            f"{place.site}/{place.key} holds other bytes by now; nothing was overwritten",
            "look at that file and move it away, then `mediactl retry`",
        )
    if _source(original, facts) is None:
        return Refuse(
            "undo.no_copy",
            f"no copy of {original.name} could be read whole just now: it cannot be brought back",
            "mediactl explain names the copies; when one of them is there again, `mediactl retry`",
        )
    return None


def _site(original: Original, facts: Facts) -> str:
    source = _source(original, facts)
    return source.site.value if source else "nowhere"


def _puts(asset: Asset, facts: Facts) -> list[Put]:
    puts = []
    for n, original in enumerate(taken(asset)):
        source, target = _source(original, facts), _free(facts, n)
        if not _is_back(original, facts.there[n]) and source is not None and target is not None:
            puts.append(Put(source, target, original.digest, original.mtime_ns, original.size))
    return puts


def _copies(asset: Asset, facts: Facts) -> tuple[Copy, ...]:
    """Of what is set aside the journal keeps where it lies; our own working copies it knows by their names."""
    found = (
        next(
            Copy(o.id, place, seen.digest, facts.now, seen.method)
            for place, seen in zip(places, there, strict=True)
            if seen is not None and seen.digest is not None and seen.digest == o.digest
        )
        for o, places, there in zip(taken(asset), facts.targets, facts.there, strict=True)
    )
    return tuple(found)


STAGE: Final = Stage(
    "restore",
    frozenset({State.RETURNING}),
    "copy",
    look,
    decide,
    act,
    needs=frozenset({"archive"}),
    lot_files=64,
)
