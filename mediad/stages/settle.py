"""
Settle: every file of an asset has stopped changing, and what belongs together has found together.

Only what stands still is opened. Of two halves the asset with the lower number is the host; the later one gives itself
to it, and the host does not go on while it can see a half still coming.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, AssetId, Evidence, Inspection, Site
from mediad.policy.grouping import (
    NAME_ONLY_MS,
    content_ids,
    is_sidecar_only,
    is_video_only,
    key_of,
    kind_of,
    lacks_partner,
    may_join,
    roles,
)
from mediad.policy.settle import NotYet, is_settled
from mediad.ports import Kin, Partner, Ports, Put
from mediad.stages import lots
from mediad.stages.finding import File, find, lost
from mediad.stages.verdict import Act, Done, Merge, Stage, Verdict, Wait
from mediad.state import State, may_rejoin

# How far back a file of the same name may be the other half of this one.
RECENT_MS: Final = 24 * 3_600_000
# How soon to look again whether the other half has come to rest. A film waits so much longer than a photo: the first
# to go on is in the journal then, and the other finds it there.
PEEK_MS: Final = 500
UNFINISHED: Final = frozenset({"intake.truncated", "intake.empty"})
VANISHED: Final = Inspection(
    None, flaw="intake.vanished", flaw_detail="it vanished before it was taken"
)


@dataclass(frozen=True, slots=True)
class Other:
    """Another asset that may be a part of the same shot, its files as they are now."""

    asset: Asset
    is_open: bool  # may still take a late half
    is_arriving: bool
    is_still: bool  # all its files have settled and are inspected


@dataclass(frozen=True, slots=True)
class Facts:
    files: tuple[File, ...]
    now: int
    settle_seconds: float
    group_ms: int
    others: tuple[Other, ...] = ()


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    facts = await _at_rest(assets, io)
    known = {a.id: f for a, f in zip(assets, facts, strict=True)}
    beside = _by_content_id(assets, known)
    partners = await _partners(assets, facts, beside, io)
    arriving = {p.asset.id: p.asset for ps in partners for p in ps if State.SEEN in p.position}
    strangers = [a for i, a in arriving.items() if i not in known]
    known |= dict(zip((a.id for a in strangers), await _at_rest(strangers, io), strict=True))
    return [
        f if isinstance(f, MediadError) else replace(f, others=_others(ps, known))
        for f, ps in zip(facts, partners, strict=True)
    ]


def decide(asset: Asset, facts: Facts) -> Verdict:
    if gone := lost(facts.files):
        return gone
    if all(f.place is None for f in facts.files):
        return Done(_vanished(asset, facts), State.QUARANTINED)
    present = [f for f in facts.files if f.place is not None and not f.is_foreign]
    if not present or any(f.is_at(Site.QUARANTINE) for f in facts.files):
        return _set_aside(asset, facts)
    not_yet = [s for f in present if isinstance(s := _stillness(f, facts), NotYet)]
    if not_yet:
        last = max(not_yet, key=lambda s: s.until)
        return Wait(last.until, last.why)
    return _company(_as_found(asset, facts), facts)


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the shape of a stage
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[MediadError | None]:
    """Set aside what is no file, or belongs to nothing."""
    return await lots.place_each(io.files.move, [_puts(f) for f in facts])


# -- what is seen -------------------------------------------------------------------------------


async def _at_rest(assets: Sequence[Asset], io: Ports) -> list[Facts | MediadError]:
    """Find every file, and read the headers of the assets whose files all stand still."""
    ingest = io.settings.ingest
    found = [
        f
        if isinstance(f, MediadError)
        else Facts(f, io.clock.now(), ingest.settle_seconds, int(ingest.group_seconds * 1000))
        for f in await find(io.files, assets)
    ]
    asked = [f if isinstance(f, MediadError) else _unread(f) for f in found]
    answers = await lots.spread(
        io.inspector.inspect,
        [
            a if isinstance(a, MediadError) else [(f.place, f.original.name) for f in a if f.place]
            for a in asked
        ],
    )
    return lots.each(_inspected, lots.pair(found, answers))


def _unread(facts: Facts) -> list[File]:
    present = [f for f in facts.files if f.place and not f.is_foreign]
    if any(isinstance(_stillness(f, facts), NotYet) for f in present):
        return []
    return [f for f in present if f.original.inspection is None or f.is_changed]


def _inspected(pair: tuple[Facts, tuple[Inspection, ...]]) -> Facts:
    facts, answers = pair
    fresh = dict(zip((f.original.id for f in _unread(facts)), answers, strict=True))
    files = (
        replace(f, inspection=fresh.get(f.original.id, f.original.inspection)) for f in facts.files
    )
    return replace(facts, files=tuple(files))


def _by_content_id(
    assets: Sequence[Asset], known: Mapping[AssetId, Facts | MediadError]
) -> Mapping[str, Sequence[Asset]]:
    """Of this lot: what was inspected a moment ago is not in the journal yet."""
    found: dict[str, list[Asset]] = {}
    for asset in assets:
        facts = known[asset.id]
        if isinstance(facts, Facts) and _is_still(facts):
            for content_id in content_ids(_as_found(asset, facts)):
                found.setdefault(content_id, []).append(asset)
    return found


async def _partners(
    assets: Sequence[Asset],
    facts: Sequence[Facts | MediadError],
    beside: Mapping[str, Sequence[Asset]],
    io: Ports,
) -> list[Sequence[Partner]]:
    """For each asset, in order; one that does not stand still is asked for nobody."""
    whole = {
        a.id: _as_found(a, f)
        for a, f in zip(assets, facts, strict=True)
        if isinstance(f, Facts) and _is_still(f)
    }
    since = io.clock.now() - RECENT_MS
    kin = [Kin(i, sorted(content_ids(a)), key_of(a.originals[0]), since) for i, a in whole.items()]
    answers = await io.ledger.partners_of(kin) if kin else ()
    found = {k.asset: _with_those_beside(k, f, beside) for k, f in zip(kin, answers, strict=True)}
    return [found.get(a.id, ()) for a in assets]


def _with_those_beside(
    kin: Kin, found: Sequence[Partner], beside: Mapping[str, Sequence[Asset]]
) -> Sequence[Partner]:
    partners = {p.asset.id: p for p in found}
    for other in (o for i in kin.content_ids for o in beside[i] if o.id != kin.asset):
        partners.setdefault(other.id, Partner(other, frozenset({State.SEEN})))
    return tuple(partners.values())


def _others(
    partners: Sequence[Partner], known: Mapping[AssetId, Facts | MediadError]
) -> tuple[Other, ...]:
    others = []
    for partner in partners:
        asset, position = partner.asset, partner.position
        facts = known.get(asset.id)
        is_arriving = State.SEEN in position
        if isinstance(facts, Facts) and is_arriving:
            asset, is_still = _as_found(asset, facts), _is_still(facts)
        else:
            is_still = not is_arriving
        others.append(Other(asset, may_rejoin(position), is_arriving, is_still))
    return tuple(others)


# -- what it means ------------------------------------------------------------------------------


def _stillness(file: File, facts: Facts) -> NotYet | None:
    if file.sighting is None or file.is_foreign:
        return None
    unfinished = file.inspection is not None and file.inspection.flaw in UNFINISHED
    found = is_settled(file.sighting, facts.now, facts.settle_seconds, looks_unfinished=unfinished)
    return found if isinstance(found, NotYet) else None


def _is_still(facts: Facts) -> bool:
    present = [f for f in facts.files if f.place is not None and not f.is_foreign]
    return bool(present) and all(
        f.inspection is not None and _stillness(f, facts) is None for f in present
    )


def _as_found(asset: Asset, facts: Facts) -> Asset:
    """The asset with what its files are now; one that vanished stays on the list, marked."""
    originals = []
    for file in facts.files:
        if file.sighting is None or file.is_foreign:
            originals.append(replace(file.original, inspection=VANISHED))
            continue
        size, mtime_ns = file.sighting.size, file.sighting.mtime_ns
        originals.append(
            replace(file.original, size=size, mtime_ns=mtime_ns, inspection=file.inspection)
        )
    return replace(asset, originals=tuple(originals))


def _company(whole: Asset, facts: Facts) -> Verdict:
    """Everything stands still: is this a part of another asset, or must it wait for a part of its own?"""
    fits = {o.asset.id: may_join(o.asset, whole) for o in facts.others if o.is_still}
    joinable = [o for o in facts.others if o.asset.id in fits and fits[o.asset.id].ok]
    hosts = [o.asset for o in joinable if o.is_open and _comes_before(o, whole)]
    if hosts:
        host = min(hosts, key=lambda h: _distance(h, whole))
        return Merge(host.id, _grouped(host, whole, fits[host.id].why, facts.now))
    coming = [o.asset for o in facts.others if o.is_arriving and (not o.is_still or o in joinable)]
    for other in coming:
        until = other.seen_at + facts.group_ms
        if facts.now < until:
            return Wait(
                min(until, facts.now + PEEK_MS),
                f"{other.name} may belong to it and is still arriving",
            )
    until = whole.seen_at + facts.group_ms + (PEEK_MS if is_video_only(whole) else 0)
    if lacks_partner(whole) and facts.now < until:
        return Wait(until, "its other half may still come")
    if is_sidecar_only(whole) and any(o.is_arriving for o in joinable):
        return Wait(facts.now + PEEK_MS, "the photo that it belongs to is about to join it")
    if is_sidecar_only(whole):
        return Act(f"set {whole.name} aside in quarantine: it belongs to no photo or film")
    settled = Evidence(
        "stat",
        facts.now,
        originals=roles(whole.originals),
        kind_now=kind_of(whole.originals),
    )
    return Done(settled, State.SETTLED)


def _comes_before(other: Other, whole: Asset) -> bool:
    """One that has already gone on hosts whoever comes late, whatever their numbers."""
    return not other.is_arriving or other.asset.id < whole.id


def _distance(host: Asset, guest: Asset) -> tuple[bool, int, AssetId]:
    """Proof before hints, what came together before what came long ago, then the first."""
    proved = bool(content_ids(host) & content_ids(guest))
    return not proved, abs(host.seen_at - guest.seen_at) // NAME_ONLY_MS, host.id


def _grouped(host: Asset, guest: Asset, why: str, now: int) -> Evidence:
    ours = {o.id for o in guest.originals}
    together = roles((*host.originals, *guest.originals))
    return Evidence("grouped", now, note=why, originals=tuple(o for o in together if o.id in ours))


# -- what is set aside --------------------------------------------------------------------------


def _set_aside(asset: Asset, facts: Facts) -> Verdict:
    if any(f.place is not None and not f.is_at(Site.QUARANTINE) for f in facts.files):
        return Act(f"set {asset.name} aside in quarantine: it is no file")
    foreign = next((f.sighting.what for f in facts.files if f.sighting and f.is_foreign), "")
    if foreign:
        note = f"{asset.name} is a {foreign}, no file; it was moved and never opened"
        code, remedy = "intake.not_a_file", "drop the file itself into incoming, not a link to it"
    else:
        note = f"{asset.name} came without the photo or film that it belongs to"
        code, remedy = "intake.sidecar_alone", "drop it into incoming again together with its photo"
    keys = [f.place.key for f in facts.files if f.place]
    figures = {"quarantine": keys}
    evidence = Evidence("stat", facts.now, note=note, code=code, remedy=remedy, figures=figures)
    return Done(evidence, State.QUARANTINED)


def _vanished(asset: Asset, facts: Facts) -> Evidence:
    return Evidence(
        "stat",
        facts.now,
        note=f"{asset.name} vanished from incoming before it was taken: moved, renamed or deleted by someone else",
        code="intake.vanished",
        remedy="if it should be taken, drop it into incoming again",
    )


def _puts(facts: Facts) -> list[Put]:
    return [
        Put(f.place, f.quarantine, f.digest, f.sighting.mtime_ns, f.sighting.size)
        for f in facts.files
        if f.place and f.sighting and not f.is_at(Site.QUARANTINE)
    ]


STAGE: Final = Stage(
    "settle", frozenset({State.SEEN}), "settle", look, decide, act, lot_bytes=1 << 40
)
