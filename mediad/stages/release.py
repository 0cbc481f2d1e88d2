"""
Release: what the phone no longer needs leaves the shared folder, when the bytes as taken are verified elsewhere.

By the rule of the person: once the phone has freed its own space, or some days after it had the files. A file that
somebody has removed from the folder is released too; the evidence says which it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError, Refused
from mediad.model import Asset, Copy, Evidence, Place, Rung, Site, Witness
from mediad.policy.deletion import KEPT, Warrant, warrant_for_shared
from mediad.policy.phone import Truth, judge, seen_of, testimony
from mediad.policy.sending import placements
from mediad.ports import PhoneLink, Ports, Sighting
from mediad.stages import lots
from mediad.stages.listing import File, Files, files_of, listed, places_of
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict, Wait
from mediad.state import State

DAY_MS: Final = 86_400_000
FREED: Final = "freed"


@dataclass(frozen=True, slots=True)
class Facts:
    files: Files
    now: int
    due: int | None  # UTC ms; None: nobody can say yet
    why: str  # it is not due
    required: frozenset[Site]
    freed: tuple[Witness, ...] = ()  # seen just now
    fresh: tuple[Copy, ...] = ()  # copies elsewhere that were read back just now

    @property
    def there(self) -> tuple[Place, ...]:
        return tuple(f.place for f in self.files if f.there is not None)

    @property
    def is_due(self) -> bool:
        return self.due is not None and self.now >= self.due


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    wanted = [placements(a) for a in assets]
    seen = await lots.sight(io.files, [places_of(ps) for ps in wanted])
    files = lots.each(lambda pair: files_of(*pair), lots.pair(wanted, seen))
    link = None
    if _rule(io) == FREED:
        link = await io.phone.link()
        asked = lots.each(lambda p: _unknown(*p), lots.pair(list(assets), files))
        files = [
            f if isinstance(f, MediadError) else s if isinstance(s, MediadError) else _told(f, s)
            for f, s in zip(files, await listed(asked, io), strict=True)
        ]
    facts = lots.each(lambda p: _facts(*p, link, io), lots.pair(list(assets), files))
    copies = lots.each(lambda p: _copies(*p), lots.pair(list(assets), facts))
    read = await lots.reread(io.files, lots.each(lambda cs: [c.place for c in cs], copies))
    checked = lots.pair(copies, read)
    return lots.each(lambda p: _verified(p[0], *p[1]), lots.pair(facts, checked))


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.there:
        return Done(_evidence(facts), State.RELEASED)
    if not facts.is_due:
        # No longer than a day: the rule may be another one by then.
        soon = facts.now + DAY_MS
        return Wait(soon if facts.due is None else min(facts.due, soon), facts.why)
    try:
        warrant = warrant_for_shared(asset, facts.fresh, facts.required)
    except Refused as refused:
        lost = [c for c in _counted(asset) if not _is_confirmed(c, facts)]
        if not lost:
            return Wait(facts.now + DAY_MS, refused.what)
        return Refuse(
            "phone.copy_lost",
            f"{asset.name} stays in pixel_sync: what was verified as {_named(lost)} is not there with the same bytes",
            "look at that copy; when it is whole again, or verified anew, `mediactl retry`",
        )
    return Act(
        f"remove {len(warrant.places)} files of {asset.name} from pixel_sync, verified elsewhere"
    )


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    warrants: list[Warrant] = [
        warrant_for_shared(a, f.fresh, f.required) for a, f in zip(assets, facts, strict=True)
    ]
    return await io.files.remove(warrants)


# -- what is seen -------------------------------------------------------------------------------


def _rule(io: Ports) -> str:
    return io.settings.phone.release


def _unknown(asset: Asset, files: Files) -> Files:
    """Of which it is not journalled yet that the phone has freed them."""
    return tuple(f for f in files if Rung.PHONE_FREED not in seen_of(f.placement, asset.witnesses))


def _told(files: Files, asked: Files) -> Files:
    known = {f.placement.key: f for f in asked}
    return tuple(known.get(f.placement.key, f) for f in files)


def _facts(asset: Asset, files: Files, link: PhoneLink | None, io: Ports) -> Facts:
    now = io.clock.now()
    off = "archive" in io.settings.off()
    freed = _freed_now(files, link, now)
    due, why = _due(asset, files, freed, io)
    required = frozenset() if off else frozenset({Site.ARCHIVE})
    return Facts(files, now, due, why, required, freed)


def _freed_now(files: Files, link: PhoneLink | None, now: int) -> tuple[Witness, ...]:
    if link is None:
        return ()
    return tuple(
        Witness(f.placement.original, rung, now, "deletion", testimony(link, f.placement.version))
        for f in files
        if judge(f.placement, f.said, f.there, link.short).truth is Truth.FREED
        for rung in (Rung.PHONE_HAS, Rung.PHONE_FREED)
    )


def _due(asset: Asset, files: Files, freed: Sequence[Witness], io: Ports) -> tuple[int | None, str]:
    rule = _rule(io)
    told = (*asset.witnesses, *freed)
    if rule == FREED:
        is_freed = all(Rung.PHONE_FREED in seen_of(f.placement, told) for f in files)
        return (0 if is_freed else None), "the phone still has it, as far as is known"
    had = [_had_at(f, told) for f in files]
    if not had or None in had:
        return None, "the phone is not known to have had all of it"
    days = int(rule.split()[1])
    due = max(at for at in had if at is not None) + days * DAY_MS
    return due, f"it stays in the shared folder for {days} days"


def _had_at(file: File, witnesses: Sequence[Witness]) -> int | None:
    """Since when the phone is known to have it."""
    mine = [
        w for w in witnesses if seen_of(file.placement, (w,)) & {Rung.PHONE_HAS, Rung.PHONE_FREED}
    ]
    return min((w.at for w in mine), default=None)


def _counted(asset: Asset) -> list[Copy]:
    """Where the bytes as taken were verified once, and still count."""
    return [c for c in asset.copies if c.place.site in KEPT]


def _copies(asset: Asset, facts: Facts) -> list[Copy]:
    """Nothing is read before its time: a read-back of the archive is not free."""
    return _counted(asset) if facts.there and facts.is_due else []


def _verified(facts: Facts, copies: Sequence[Copy], read: Sequence[Sighting | None]) -> Facts:
    fresh = [
        replace(c, verified_at=facts.now, method=s.method)
        for c, s in zip(copies, read, strict=True)
        if s is not None and s.digest == c.digest
    ]
    return replace(facts, fresh=tuple(fresh))


# -- what it means ------------------------------------------------------------------------------


def _is_confirmed(copy: Copy, facts: Facts) -> bool:
    return any((c.place, c.digest) == (copy.place, copy.digest) for c in facts.fresh)


def _evidence(facts: Facts) -> Evidence:
    before = "" if facts.is_due else ", before its time and not by mediad"
    return Evidence(
        "stat",
        facts.now,
        note=f"it is no longer in the shared folder{before}",
        gone=tuple(f.place for f in facts.files),
        witnesses=facts.freed,
    )


def _named(copies: Sequence[Copy]) -> str:
    return ", ".join(f"{c.place.site}/{c.place.key}" for c in copies)


STAGE: Final = Stage(
    "release",
    frozenset({State.ON_PHONE}),
    "copy",
    look,
    decide,
    act,
    needs=frozenset({"syncthing", "phone", "archive"}),
    lot_files=64,
    destructive=True,
)
