"""
Copies are read again from their medium, and what is found is kept, told and acted on: one way for scrub and `verify`.

A copy that is not what it was is a copy no more, at once: no deletion anywhere can count on it. Its original's other
copies are read in the same breath, and only from one that has just given its bytes back is it healed, into a new file;
the bad one stays where it is. What cannot be asked (an absent mount) is not judged at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from mediad.engine import Engine
from mediad.errors import MediadError
from mediad.journal import Journal
from mediad.model import Asset, Copy, Evidence, Site
from mediad.policy.scrub import Damage, Fate, Found, Stored, again_after, fate_of, found
from mediad.ports import Files, Ports, Sighting
from mediad.state import State, Transition

log = structlog.get_logger()

ROT: Final = "scrub.rot"
_BACK: Final = {
    Site.ARCHIVE: Transition(State.ARCHIVED, "scrub", State.ARCHIVE_DUE),
    Site.LIBRARY: Transition(State.SORTED, "scrub", State.LIBRARY_DUE),
}
_READABLE: Final = frozenset({Site.ARCHIVE, Site.LIBRARY, Site.SPOOL, Site.DUPLICATES})


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one file that was to be read. `what` None: its site cannot be asked just now."""

    stored: Stored
    what: Found | None
    answer: Sighting | MediadError | None
    fate: Fate | None = None


class Rereader:
    def __init__(self, journal: Journal, engine: Engine) -> None:
        self._journal = journal
        self._engine = engine

    async def read(
        self, lot: Sequence[Stored], io: Ports, *, sha256: bool = False
    ) -> list[Reading]:
        """One after the other. Everything that was learnt is in the journal when this returns."""
        answers = await io.files.reread([s.place for s in lot], sha256=sha256)
        readings = [Reading(s, found(s, a), a) for s, a in zip(lot, answers, strict=True)]
        now = io.clock.now()
        whole = [
            (r.stored, r.answer.method)
            for r in readings
            if r.what is Found.WHOLE and isinstance(r.answer, Sighting)
        ]
        await self._journal.copies_read(whole, now)
        return [judged for r in readings for judged in await self._judged(r, io)]

    async def _judged(self, reading: Reading, io: Ports) -> list[Reading]:
        """With what came to light beside it: other copies of the same original that are bad, too."""
        stored, what = reading.stored, reading.what
        if what is None or what is Found.WHOLE:
            return [reading]
        if what is Found.UNREADABLE:
            await self._unreadable(reading, io.clock.now())
            return [replace(reading, fate=Fate.UNREADABLE)]
        asset = await self._journal.asset(stored.asset)
        if asset is None or not _is_known(asset, stored):  # it was moved or cleaned meanwhile
            return [replace(reading, what=None)]
        is_held, bad = await self._others(asset, stored, io.files)
        hurt = [
            replace(r, fate=fate_of(r.stored, r.what or what, is_held_elsewhere=is_held))
            for r in (reading, *bad)
        ]
        await self._tell(hurt, io.clock.now())
        return hurt

    async def _others(
        self, asset: Asset, stored: Stored, files: Files
    ) -> tuple[bool, list[Reading]]:
        """
        Does another copy give the same original back now? And which of them are not what they were, either?

        One that cannot be asked just now may well do so: nobody is told that all is lost because a mount is away. A
        second name of the same file (a hard link) reads as bad as the first, and so proves nothing.
        """
        keeper = await self._journal.asset(asset.keeper) if asset.keeper is not None else None
        digest = next((o.digest for o in asset.originals if o.id == stored.original), None)
        others = [
            c
            for a in (asset, keeper)
            if a is not None
            for c in a.copies
            if c.digest == digest and c.place.site in _READABLE and c.place != stored.place
        ]
        answers = await files.reread([c.place for c in others])
        read = [
            Reading(s, found(s, a), a)
            for s, a in zip((_stored(asset, c) for c in others), answers, strict=True)
        ]
        mine = {o.id for o in asset.originals}
        bad = [
            r
            for r in read
            if r.what in {Found.ROTTEN, Found.CHANGED, Found.MISSING} and r.stored.original in mine
        ]
        may_hold = {Found.WHOLE, Found.UNREADABLE, None}
        return any(r.what in may_hold for r in read), bad

    async def _tell(self, hurt: Sequence[Reading], now: int) -> None:
        damages = [_damage(r, r.fate or Fate.LOST, now) for r in hurt]
        back = [_BACK[d.place.site] for d in damages if _goes_back(d)]
        first = damages[0]
        evidence = Evidence(
            "read-back",
            now,
            note=f"read again: {_SAID[first.what]}",
            code=ROT,
            gone=tuple(d.place for d in damages),
        )
        await self._journal.damaged(damages, evidence, back)
        for d in damages:
            log.warning(
                "copy.damaged",
                asset=d.asset,
                site=d.place.site,
                key=d.place.key,
                what=d.what,
                fate=d.fate,
            )
        self._engine.wake()

    async def _unreadable(self, reading: Reading, now: int) -> None:
        """The medium's error says nothing of the bytes: the copy stays one, and is asked again later."""
        place = reading.stored.place
        known = [d for d in await self._journal.open_damage(1000) if d.place == place]
        tries = known[0].tries + 1 if known else 1
        fault = reading.answer if isinstance(reading.answer, MediadError) else None
        damage = _damage(
            reading, Fate.UNREADABLE, now, tries=tries, again_at=now + again_after(tries)
        )
        note = fault.what if fault else ""
        await self._journal.damaged(
            [damage], Evidence("read-back", now, note=note, code=fault.code if fault else ""), []
        )
        log.warning(
            "copy.unreadable", asset=damage.asset, site=place.site, key=place.key, tries=tries
        )


_SAID: Final = {
    Found.WHOLE: "as it was",
    Found.ROTTEN: "the file holds other bytes than were once verified, though nobody has written to it",
    Found.CHANGED: "somebody has written other bytes there than were once verified",
    Found.MISSING: "there is no file",
    Found.UNREADABLE: "it cannot be read",
}


def said(what: Found) -> str:
    """For a person."""
    return _SAID[what]


def _is_known(asset: Asset, stored: Stored) -> bool:
    held = [(c.place, c.digest) for c in asset.copies] + [
        (r.place, r.digest) for r in asset.renditions
    ]
    return (stored.place, stored.digest) in held


def _goes_back(damage: Damage) -> bool:
    """To be made anew; or, where nothing is left to make it from, to the stage that asks a person."""
    is_asked = damage.fate is Fate.LOST and damage.place.site is Site.ARCHIVE
    return damage.fate is Fate.HEALING or is_asked


def _stored(asset: Asset, copy: Copy) -> Stored:
    original = next((o for o in asset.originals if o.id == copy.original), asset.originals[0])
    return Stored(
        asset.id, copy.original, copy.place, copy.digest, original.size, original.mtime_ns,
        is_rendition=False, read_at=copy.verified_at,
    )  # fmt: skip


def _damage(
    reading: Reading, fate: Fate, now: int, *, tries: int = 1, again_at: int | None = None
) -> Damage:
    s, answer = reading.stored, reading.answer
    there = answer.digest if isinstance(answer, Sighting) else None
    ended_at = None if fate.is_open else now
    what = reading.what or Found.UNREADABLE
    return Damage(
        s.asset, s.original, s.place, s.digest, there, what, fate, now, again_at, tries, ended_at
    )
