"""
Clean: our working disk gets its space back, when the bytes are verified elsewhere at this very moment.

Working copies go some hours after everything else is done, duplicates after their days. Where the only copies are too
few, nothing is wrong and nothing goes: it waits and says why. Where a copy that was verified once no longer is, a
person is told.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import (
    Asset,
    Copy,
    Digest,
    Evidence,
    OriginalId,
    Place,
    Placement,
    Site,
)
from mediad.policy.deletion import (
    ANNOUNCED,
    COUNTED,
    Warrant,
    made_from,
    warrant_for_duplicate,
    warrant_for_spool,
)
from mediad.policy.phone import Truth, judge
from mediad.ports import Ports, Sighting
from mediad.stages import lots
from mediad.stages.listing import files_of, listed, places_of
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict, Wait
from mediad.state import State

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Facts:
    there: tuple[Place, ...]  # of what is to go: what is still there
    now: int
    due: int
    min_copies: int
    required: frozenset[Site]
    remembered: tuple[Copy, ...] = ()  # the copies that were verified once
    fresh: tuple[
        Copy, ...
    ] = ()  # those of them that were read back just now, or are announced by the phone
    sent: tuple[Placement, ...] = ()  # what of them went to the phone
    made_from: Mapping[Digest, Collection[Digest]] = field(
        default_factory=dict
    )  # the keeper's renditions


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    sights = await lots.sight(io.files, [_going(a) for a in assets])
    holders = [await _holder(a, io) for a in assets]
    facts = [
        s if isinstance(s, MediadError) else _facts(a, s, h, io)
        for a, s, h in zip(assets, sights, holders, strict=True)
    ]
    asked = lots.each(_asked, facts)
    places = lots.each(lambda copies: [c.place for c in copies], asked)
    read = await lots.reread(io.files, places)
    verified = lots.each(lambda pair: _verified(*pair), lots.pair(facts, read))
    return await _with_phone(verified, io)


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.there:
        gone = Evidence("stat", facts.now, gone=tuple(_going(asset)))
        return Done(gone, State.CLEANED)
    if facts.now < facts.due:
        # No longer than a day: the rule for its hours may be another one by then.
        return Wait(min(facts.due, facts.now + DAY_MS), "the working copy is kept for a while")
    try:
        warrant = _warrant(asset, facts)
    except Refused as refused:
        spoilt = [c.place for c in _readable(facts) if not _is_confirmed(c, facts)]
        if not spoilt:
            return Wait(facts.now + DAY_MS, refused.what)
        return Refuse(
            "clean.copy_lost",
            f"{asset.name} stays: what was verified as {_named(spoilt)} is not there now with the same bytes",
            "look at that copy; when it is whole again, or verified anew, `mediactl retry`",
        )
    return Act(f"remove {len(warrant.places)} working files of {asset.name}, verified elsewhere")


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    return await io.files.remove([_warrant(a, f) for a, f in zip(assets, facts, strict=True)])


# -- what is seen -------------------------------------------------------------------------------


def _is_duplicate(asset: Asset) -> bool:
    return asset.keeper is not None


def _going(asset: Asset) -> list[Place]:
    if _is_duplicate(asset):
        return [c.place for c in asset.copies if c.place.site is Site.DUPLICATES]
    return [Place(Site.SPOOL, o.spool_key) for o in asset.originals if o.digest]


async def _holder(asset: Asset, io: Ports) -> Asset | None:
    """Whose copies count: its own, or those of the asset it is a duplicate of."""
    if asset.keeper is None:
        return asset
    keeper = await io.ledger.keeper(asset.id)
    return keeper.asset if keeper else None


def _facts(asset: Asset, sights: lots.Seen, holder: Asset | None, io: Ports) -> Facts:
    settings, now = io.settings, io.clock.now()
    going = _going(asset)
    if _is_duplicate(asset):
        patience = int(settings.dedup.keep_days * DAY_MS)
    else:
        patience = int(settings.clean.after_hours * HOUR_MS)
    since = max((c.verified_at for c in asset.copies), default=asset.seen_at)
    if since > now + DAY_MS:  # written while the clock was wrong: its hours cannot be counted
        since = now - patience
    return Facts(
        there=tuple(p for p, s in zip(going, sights, strict=True) if s is not None),
        now=now,
        due=since + patience,
        min_copies=settings.safety.min_copies,
        required=frozenset() if "archive" in settings.off() else frozenset({Site.ARCHIVE}),
        remembered=tuple(c for c in holder.copies if c.place.site in COUNTED) if holder else (),
        sent=holder.placements if holder else (),
        made_from=made_from(holder) if holder else {},
    )


def _asked(facts: Facts) -> tuple[Copy, ...]:
    """Nothing is read before its time: a read-back of the archive is not free."""
    return _readable(facts) if _is_due(facts) else ()


def _is_due(facts: Facts) -> bool:
    return bool(facts.there) and facts.now >= facts.due


def _readable(facts: Facts) -> tuple[Copy, ...]:
    """What lies in the shared folder says nothing of the phone, and is meant to go from there one day."""
    return tuple(c for c in facts.remembered if c.place.site is not Site.PHONE)


def _verified(facts: Facts, read: Sequence[Sighting | None]) -> Facts:
    fresh = [
        replace(c, verified_at=facts.now, method=s.method)
        for c, s in zip(_asked(facts), read, strict=True)
        if s is not None and s.digest == c.digest
    ]
    return replace(facts, fresh=tuple(fresh))


async def _with_phone(facts: Sequence[Facts | MediadError], io: Ports) -> list[Facts | MediadError]:
    """With the copies that the phone announces at this moment. A phone that cannot be asked has none."""
    if "verify" in io.settings.off():
        return list(facts)
    asked = [() if isinstance(f, MediadError) else _on_phone(f) for f in facts]
    if not any(asked):
        return list(facts)
    try:
        confirmed = await _confirmed([p for ps in asked for p in ps], io)
    except (Retryable, NeedsOperator, Refused):
        return list(facts)
    return lots.each(lambda f: _announced(f, confirmed), facts)


def _on_phone(facts: Facts) -> tuple[Placement, ...]:
    keys = {c.place.key for c in facts.remembered if c.place.site is Site.PHONE}
    return tuple(p for p in facts.sent if p.key in keys) if _is_due(facts) else ()


async def _confirmed(sent: Sequence[Placement], io: Ports) -> frozenset[tuple[OriginalId, Place]]:
    link = await io.phone.link()
    seen = await lots.sight(io.files, [[p] for p in places_of(sent)])
    files = lots.each(lambda pair: files_of([pair[0]], pair[1]), lots.pair(list(sent), seen))
    return frozenset(
        (f.placement.original, f.place)
        for group in await listed(files, io)
        for f in (() if isinstance(group, MediadError) else group)
        if judge(f.placement, f.said, f.there, link.short).truth is Truth.CONFIRMED
    )


def _announced(facts: Facts, confirmed: frozenset[tuple[OriginalId, Place]]) -> Facts:
    there = tuple(
        replace(c, verified_at=facts.now, method=ANNOUNCED)
        for c in facts.remembered
        if (c.original, c.place) in confirmed
    )
    return replace(facts, fresh=(*facts.fresh, *there))


# -- what it means ------------------------------------------------------------------------------


def _warrant(asset: Asset, facts: Facts) -> Warrant:
    least, required = facts.min_copies, facts.required
    if _is_duplicate(asset):
        return warrant_for_duplicate(asset, facts.fresh, least, required, facts.made_from)
    return warrant_for_spool(asset, facts.fresh, least, required)


def _is_confirmed(copy: Copy, facts: Facts) -> bool:
    return any((c.place, c.digest) == (copy.place, copy.digest) for c in facts.fresh)


def _named(places: Sequence[Place]) -> str:
    return ", ".join(f"{p.site}/{p.key}" for p in places)


STAGE: Final = Stage(
    "clean",
    frozenset({State.CLEANABLE}),
    "copy",
    look,
    decide,
    act,
    needs=frozenset({"archive"}),
    lot_files=64,
    destructive=True,
)
