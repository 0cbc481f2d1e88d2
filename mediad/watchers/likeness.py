"""
Looks at every photo once, and has the journal find those that look the same. It only tells: nothing goes by it.

One photo after the other, and only while the pipeline has nothing to do. Where a photo cannot be looked at just now it
comes to its turn again later; where it cannot be decoded it is like nobody.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import anyio
import structlog

from mediad.engine import Engine
from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Journal
from mediad.journal.near import Unlooked
from mediad.model import Media, OriginalId, Place, Site
from mediad.policy.problems import Problems
from mediad.ports import Clock, Ports, Sighting
from mediad.ports.looks import Looker

log = structlog.get_logger()

IDLE_S: Final = 5.0  # nobody is to be looked at
BUSY_S: Final = 2.0
AGAIN_MS: Final = 3_600_000
PATIENCE_S: Final = 30.0  # for a stat; a site that hangs is asked again later
SLOWEST_S: Final = 300.0  # one photo: found, fetched, decoded
PAGE: Final = 64
# Where a photo is taken from: the nearest first, the archive last.
SOURCES: Final = (Site.SPOOL, Site.LIBRARY, Site.ARCHIVE)


class Likeness:
    def __init__(
        self,
        journal: Journal,
        engine: Engine,
        problems: Problems,
        ports: Callable[[], Ports],
        looker: Looker,
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._problems = problems
        self._ports = ports
        self._looker = looker

    async def run(self, clock: Clock) -> None:
        """For ever. `clock` is its heart: it hears of every photo."""
        while True:
            await clock.sleep(await self.turn(clock))

    async def turn(self, clock: Clock) -> float:
        """A page of photos at most. Returns after how many seconds to come again."""
        try:
            return await self._page(clock)
        except Bug:
            raise
        except MediadError as fault:  # the journal does not answer
            self._engine.link_is_down(fault.site or "journal", fault)
            return IDLE_S

    async def _page(self, clock: Clock) -> float:
        page = await self._journal.unlooked(clock.now(), PAGE) if self._is_on() else []
        later: list[OriginalId] = []
        rest_s = 0.0 if len(page) == PAGE else IDLE_S
        for photo in page:
            if not self._is_on() or self._is_busy():
                rest_s = BUSY_S
                break
            if not await self._look(photo):
                later.append(photo.original)
            await clock.sleep(0)
        if later:  # there may be a whole library of them: a page at a time, and no haste
            await self._journal.look_later(later, clock.now() + AGAIN_MS)
            rest_s = rest_s or IDLE_S
        if rest_s == IDLE_S:
            await self._looker.rest()
        return rest_s

    def _is_on(self) -> bool:
        settings = self._ports().settings
        return settings.dedup.enabled and settings.dedup.near

    def _is_busy(self) -> bool:
        return any(self._engine.running(stage) for stage in self._engine.stages())

    async def _look(self, photo: Unlooked) -> bool:
        """False: not just now."""
        seen, media = None, _media(photo)
        if media is not None and not photo.is_aside:
            try:
                place = await self._place(photo)
                if place is None:
                    return False
                seen = await self._looker.look(place, media)
            except Refused as no:
                log.info("photo.not_looked_at", asset=photo.of.asset.id, code=no.code, why=no.what)
            except (Retryable, NeedsOperator):
                return False
        await self._journal.looked(photo.original, seen)
        return True

    async def _place(self, photo: Unlooked) -> Place | None:
        """Where its bytes are, or a rendition's, which looks the same; None: nowhere that can be read now."""
        places = [p for p in _places(photo) if self._problems.about(p.site) is None]
        seen: Sequence[Sighting | MediadError | None] = [None] * len(places)
        with anyio.move_on_after(PATIENCE_S):
            seen = await self._ports().files.sight(places)
        for place, sighting in zip(places, seen, strict=True):
            if isinstance(sighting, Sighting) and sighting.is_regular:
                return place
        return None


def _media(photo: Unlooked) -> Media | None:
    [original] = [o for o in photo.of.asset.originals if o.id == photo.original]
    return original.inspection.media if original.inspection else None


def _places(photo: Unlooked) -> Iterator[Place]:
    asset = photo.of.asset
    [original] = [o for o in asset.originals if o.id == photo.original]
    there = [
        c.place for c in asset.copies if (c.original, c.digest) == (original.id, original.digest)
    ]
    there += [r.place for r in asset.renditions if r.original == original.id]
    for site in SOURCES:
        yield from (p for p in there if p.site is site)
