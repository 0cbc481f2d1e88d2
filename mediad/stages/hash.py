"""
Hash: the originals are ours: taken by a rename, read whole, recognised or set aside.

First they are moved out of reach of whoever dropped them, then they are read; what turns out to have changed
meanwhile goes back to settle. An exact duplicate goes to duplicates/, and so does a rendition of mediad's own that has
come back; what is no media goes to quarantine/. Each has its reason; one sound half is enough for a shot to go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from blake3 import blake3

from mediad.errors import MediadError
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Copy,
    Digest,
    Evidence,
    Inspection,
    Original,
    Place,
    Site,
)
from mediad.policy.dates import cloud_claim, resolve
from mediad.policy.grouping import is_sidecar, kind_of, roles
from mediad.ports import Ports, Put
from mediad.stages import lots, returned
from mediad.stages.finding import File, find, lost
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict, Wait
from mediad.state import State

NOT_MEDIA: Final = "intake.not_media"
REMEDIES: Final = {
    NOT_MEDIA: "if it is a photo or film, keep it elsewhere: mediad does not know its format",
    "intake.too_many_pixels": "if it is a real photograph, raise ingest.max_megapixels and drop it again",
    "intake.vanished": "if it should be taken, drop it into incoming again",
    "icloud.gone": "if it should be here, look into Recently Deleted on the phone",
}
REMEDY: Final = "copy it once more from where it came, and drop that into incoming"


@dataclass(frozen=True, slots=True)
class Facts:
    files: tuple[File, ...]  # with digests once all of them are ours
    now: int
    keeper: AssetId | None = None
    made: returned.Made | None = None  # by mediad itself, from another asset
    is_dedup_on: bool = True
    captured: Captured | None = None
    captured_note: str = ""

    @property
    def present(self) -> tuple[File, ...]:
        return tuple(f for f in self.files if f.place is not None)


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    now, dedup = io.clock.now(), io.settings.dedup.enabled
    found = await _with_twins(await find(io.files, assets), io)
    facts = lots.each(lambda fs: Facts(fs, now, is_dedup_on=dedup), found)
    facts = await _read(facts, io)
    facts = await _inspected(facts, io)
    return await _recognised(assets, facts, io)


def decide(asset: Asset, facts: Facts) -> Verdict:
    if refusal := _lost(facts):
        return refusal
    if back := _not_as_it_came(asset, facts):
        return back
    if not _is_read(facts):
        return Act(f"take {asset.name} from incoming")
    site = _belongs(facts)
    if site is Site.SPOOL and facts.made and facts.made.is_held is None:
        return Wait(facts.now + returned.PATIENCE_MS, f"{asset.name} is {facts.made.note}")
    if any(not f.is_at(site) for f in facts.present):
        return Act(f"set {asset.name} aside in {site}")
    return _done(asset, facts, site)


def _lost(facts: Facts) -> Refuse | None:
    """What was read once, is not there to be read again when a half comes late, or is not what it was."""
    if gone := lost(facts.files):
        return gone
    changed = next((f.original for f in facts.present if _is_another(f)), None)
    if changed is not None and _is_read(facts):
        return Refuse(
            "intake.changed",
            f"the working copy of {changed.name} has other bytes than when it was taken in, and goes nowhere; its other"
            " copies were not touched",
            "put the right file back into processing under its name there, or move this one into incoming, where it"
            " is a file of its own; then `mediactl retry`",
        )
    return None


def _not_as_it_came(asset: Asset, facts: Facts) -> Done | None:
    """It has vanished, or somebody has written to it, since the stage before this one saw it."""
    if _is_fetched(asset) and (why := _lacking(asset, facts)):
        return Done(Evidence("stat", facts.now, note=why), State.LISTED)
    if not facts.present:
        return Done(_vanished(asset, facts.now), State.QUARANTINED)
    if any(_is_unsettled(asset, f) for f in facts.present):
        changed = Evidence("stat", facts.now, note="it changed again before it was taken")
        return Done(changed, State.SEEN)
    return None


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the shape of a stage
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[MediadError | None]:
    errors = await lots.place_each(io.files.move, [_puts(f) for f in facts])
    return [lots.look_again(e) for e in errors]


def identity_of(originals: Sequence[Original]) -> Digest | None:
    """One digest for the whole shot: that of its only file, or one over its photos and films in whatever order."""
    if len(originals) == 1:
        return originals[0].digest
    digests = sorted(media_digests(originals))
    return Digest(blake3("".join(digests).encode()).hexdigest()) if digests else None


def media_digests(originals: Sequence[Original]) -> list[Digest]:
    return [o.digest for o in originals if o.digest and not is_sidecar(o)]


# -- what is seen -------------------------------------------------------------------------------


async def _with_twins(
    found: Sequence[tuple[File, ...] | MediadError], io: Ports
) -> list[tuple[File, ...] | MediadError]:
    """What lies on a shelf under our plain name and is nobody's is ours, from before a crash: set aside to there."""
    twins = [t for fs in found if not isinstance(fs, MediadError) for f in fs for t in f.twins]
    claimed = await io.ledger.claimed(twins) if twins else frozenset()
    return lots.each(lambda fs: tuple(_resumed(f, claimed) for f in fs), found)


def _resumed(file: File, claimed: frozenset[Place]) -> File:
    own = {p.site: p for p in file.twins if p not in claimed}
    return replace(
        file,
        quarantine=own.get(Site.QUARANTINE, file.quarantine),
        duplicates=own.get(Site.DUPLICATES, file.duplicates),
    )


async def _read(facts: Sequence[Facts | MediadError], io: Ports) -> list[Facts | MediadError]:
    """The digests, of assets that are out of everybody's reach."""
    ours = lots.each(lambda f: f.present if _is_taken(f) else (), facts)
    asked = lots.each(lambda fs: [f.place for f in fs if f.place], ours)
    read = await lots.read_back(io.files, asked)
    return lots.each(lambda pair: _with_digests(*pair), lots.pair(facts, read))


def _with_digests(facts: Facts, read: lots.Seen) -> Facts:
    if not read:
        return facts
    fresh = dict(zip((f.original.id for f in facts.present), read, strict=True))
    files = tuple(
        replace(f, sighting=fresh[f.original.id]) if fresh.get(f.original.id) is not None else f
        for f in facts.files
    )
    return replace(facts, files=files)


async def _inspected(facts: Sequence[Facts | MediadError], io: Ports) -> list[Facts | MediadError]:
    """Settle has inspected what was dropped; what came another way is inspected here."""
    asked = lots.each(lambda f: [(x.place, x.original.name) for x in _unread(f) if x.place], facts)
    answers = await lots.spread(io.inspector.inspect, asked)
    return lots.each(lambda pair: _with_inspections(*pair), lots.pair(facts, answers))


def _unread(facts: Facts) -> list[File]:
    if not _is_read(facts):
        return []
    return [f for f in facts.present if f.original.inspection is None]


def _with_inspections(facts: Facts, answers: Sequence[Inspection]) -> Facts:
    fresh = dict(zip((f.original.id for f in _unread(facts)), answers, strict=True))
    files = tuple(
        replace(f, inspection=fresh.get(f.original.id, f.original.inspection)) for f in facts.files
    )
    return replace(facts, files=files)


async def _recognised(
    assets: Sequence[Asset], facts: Sequence[Facts | MediadError], io: Ports
) -> list[Facts | MediadError]:
    """Of what has been read: who had these bytes before, and when they were taken."""
    known = {
        a.id: _known(f)
        for a, f in zip(assets, facts, strict=True)
        if isinstance(f, Facts) and _is_read(f)
    }
    asked = [(a, digests) for a, ours in known.items() if (digests := media_digests(ours))]
    answers = await io.ledger.keepers_of(asked) if asked else ()
    keepers = {a: keeper for (a, _), keeper in zip(asked, answers, strict=True)}
    dropped = {a.id for a in assets if a.source == "folder"}  # what iCloud lists is judged there
    is_new = [q for q in asked if keepers[q[0]] is None and q[0] in dropped]
    made = await returned.recognised(is_new if io.settings.dedup.enabled else [], io)
    return [
        _with_date(replace(f, keeper=keepers.get(a.id), made=made.get(a.id)), known[a.id], a)
        if isinstance(f, Facts) and a.id in known
        else f
        for a, f in zip(assets, facts, strict=True)
    ]


def _with_date(facts: Facts, originals: Sequence[Original], asset: Asset) -> Facts:
    captured, note = resolve(originals, now=facts.now, cloud=cloud_claim(asset.remote))
    return replace(facts, captured=captured, captured_note=note)


# -- what it means ------------------------------------------------------------------------------


def _is_taken(facts: Facts) -> bool:
    return bool(facts.present) and not any(
        f.is_at(Site.INCOMING) or f.is_left_behind or f.is_foreign for f in facts.present
    )


def _is_read(facts: Facts) -> bool:
    return _is_taken(facts) and all(f.digest is not None for f in facts.present)


def _is_another(file: File) -> bool:
    """Its disk gives other bytes by now."""
    return file.original.digest is not None and file.digest != file.original.digest


def _is_fetched(asset: Asset) -> bool:
    """Has it come from iCloud just now? One that a half has joined since is settled like any other."""
    return asset.source == "icloud" and all(o.digest is None for o in asset.originals)


def _lacking(asset: Asset, facts: Facts) -> str:
    """What was fetched and lies no longer as it was fetched, while none of it is out of everybody's reach yet."""
    proved = {f.original for f in asset.remote.files if f.is_proved} if asset.remote else set()
    for file in facts.files:
        if file.place is None and file.original.id in proved:
            return f"{file.original.name} vanished from incoming before it was taken: it is fetched again"
        if file.is_foreign or (file.is_at(Site.INCOMING) and file.is_changed):
            return f"{file.original.name} was changed by someone else after it was fetched"
    return ""


def _is_unsettled(asset: Asset, file: File) -> bool:
    """Not as settle left it. What iCloud's own source downloads, nobody else writes to."""
    may_change = asset.source == "folder" and (file.is_at(Site.INCOMING) or file.is_at(Site.SPOOL))
    return file.is_foreign or (may_change and file.is_changed)


def _known(facts: Facts) -> tuple[Original, ...]:
    """The originals with all that is known of them now, the primary first."""
    return roles(
        [replace(f.original, digest=f.digest, inspection=f.inspection) for f in facts.files]
    )


def _is_sound(original: Original) -> bool:
    seen = original.inspection
    return (
        seen is not None and seen.media is not None and not seen.flaw and not is_sidecar(original)
    )


def _belongs(facts: Facts) -> Site:
    if not any(_is_sound(o) for o in _known(facts)):
        return Site.QUARANTINE
    is_known = facts.keeper is not None or (facts.made is not None and facts.made.is_held)
    return Site.DUPLICATES if is_known and facts.is_dedup_on else Site.SPOOL


def _done(asset: Asset, facts: Facts, site: Site) -> Done:
    originals = _known(facts)
    code, note, remedy = _flaw(originals)
    evidence = Evidence(
        "read-back",
        facts.now,
        note=note or facts.captured_note,
        code=code,
        remedy=remedy,
        copies=_copies(facts),
        originals=originals,
        kind_now=kind_of(originals),
        captured=facts.captured,
    )
    match site:
        case Site.QUARANTINE:
            return Done(evidence, State.QUARANTINED)
        case Site.DUPLICATES:
            gone = tuple(Place(Site.SPOOL, o.spool_key) for o in asset.originals)
            return Done(replace(_known_already(facts, evidence), gone=gone), State.DUPLICATE)
        case _:
            identity = identity_of(originals) if facts.keeper is None else None
            if facts.made:
                evidence = replace(evidence, note=facts.made.note)
            return Done(replace(evidence, identity=identity), State.HASHED)


def _known_already(facts: Facts, evidence: Evidence) -> Evidence:
    if facts.made is None:
        note = f"the same bytes as asset {facts.keeper}"
        return replace(evidence, note=note, keeper=facts.keeper)
    figures = {"rendition_of": facts.made.source}
    return replace(evidence, note=facts.made.note, keeper=facts.made.source, figures=figures)


def _vanished(asset: Asset, now: int) -> Evidence:
    note = f"{asset.name} vanished from incoming before it was taken: moved, renamed or deleted by someone else"
    code = "intake.vanished"
    if asset.source == "icloud":
        note = f"iCloud had no file of {asset.name} any more when it was to be fetched"
        code = "icloud.gone"
    return Evidence("stat", now, note=note, code=code, remedy=REMEDIES[code])


def _flaw(originals: Sequence[Original]) -> tuple[str, str, str]:
    """The first thing that is wrong with any of them: code, sentence, remedy."""
    for original in originals:
        seen = original.inspection
        code = (seen.flaw or (NOT_MEDIA if seen.media is None else "")) if seen else NOT_MEDIA
        if code:
            detail = (
                seen.flaw_detail if seen else ""
            ) or "it is no photo or film that mediad knows"
            return code, f"{original.name}: {detail}", REMEDIES.get(code, REMEDY)
    return "", "", ""


def _copies(facts: Facts) -> tuple[Copy, ...]:
    return tuple(
        Copy(f.original.id, f.place, f.digest, facts.now, f.sighting.method)
        for f in facts.present
        if f.place and f.sighting and f.digest
    )


def _puts(facts: Facts) -> list[Put]:
    """Into our hands while anything is still in incoming; after that to where it belongs."""
    site = _belongs(facts) if _is_read(facts) else Site.SPOOL
    puts = []
    for file in facts.present:
        target = _target(file, site)
        source = file.place
        if file.is_left_behind:
            source = Place(Site.INCOMING, file.original.source_key)
        if file.sighting and source and source != target and not file.is_foreign:
            seen = file.sighting
            puts.append(Put(source, target, file.digest, seen.mtime_ns, seen.size))
    return puts


def _target(file: File, site: Site) -> Place:
    match site:
        case Site.QUARANTINE:
            return file.quarantine
        case Site.DUPLICATES:
            return file.duplicates
        case _:
            return Place(Site.SPOOL, file.original.spool_key)


STAGE: Final = Stage(
    "hash",
    frozenset({State.SETTLED, State.DOWNLOADED}),
    "hash",
    look,
    decide,
    act,
)
