"""
Looks at every photo once, and has the journal find those that look the same. It only tells: nothing goes by it.

One photo after the other, and only while the pipeline has nothing to do and is not paused. Where a photo cannot be
looked at just now it comes to its turn again later, each time later than before, and in the end after the next start
only. Where its bytes lie nowhere it waits for news of a copy; where it cannot be decoded it is like nobody.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import anyio
import structlog

from mediad.engine import Engine
from mediad.errors import Bug, MediadError, Refused, Retryable
from mediad.journal import Journal
from mediad.journal.near import GIVEN_UP, NOWHERE, Later, Unlooked
from mediad.model import Media, Place, Site
from mediad.policy.problems import Problems
from mediad.ports import Clock, Ports, Sighting
from mediad.ports.looks import Looker

log = structlog.get_logger()

IDLE_S: Final = 5.0  # nobody is to be looked at
BUSY_S: Final = 2.0
AGAIN_MS: Final = 3_600_000  # after the first try that came to nothing; then twice that, and so on
LONGEST_MS: Final = 24 * AGAIN_MS
TRIES: Final = 8  # in five days; then it is given up until the next start
PATIENCE_S: Final = 30.0  # for a stat; a site that hangs is asked again later
SLOWEST_S: Final = 300.0  # one photo: found, fetched, decoded
PAGE: Final = 64
ROUSED: Final = 1000  # of those who were given up, in one write

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
        self._is_roused = False

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
        if not self._may_look():
            await self._looker.rest()
            return IDLE_S
        if not self._is_roused:
            self._is_roused = await self._journal.look_again(ROUSED) < ROUSED
        page = await self._journal.unlooked(clock.now(), PAGE)
        later: list[Later] = []
        rest_s = 0.0 if len(page) == PAGE else IDLE_S
        for photo in page:
            if not self._may_look() or self._is_busy():
                rest_s = BUSY_S
                break
            if again := await self._look(photo, clock.now()):
                later.append(again)
            await clock.sleep(0)
        if later:  # there may be a whole library of them: a page at a time, and no haste
            await self._journal.look_later(later)
            rest_s = rest_s or IDLE_S
        if rest_s == IDLE_S:
            await self._looker.rest()
        return rest_s

    def _may_look(self) -> bool:
        rules = self._ports().settings.dedup
        return rules.enabled and rules.near and not self._engine.is_paused

    def _is_busy(self) -> bool:
        return any(self._engine.running(stage) for stage in self._engine.stages())

    async def _look(self, photo: Unlooked, now: int) -> Later | None:
        """None: that was it."""
        seen, media = None, _media(photo)
        if media is not None and not photo.is_aside:
            try:
                place = await self._place(photo)
                if place is None:
                    return Later(photo.original, NOWHERE)
                seen = await self._looker.look(place, media)
            except Refused as no:
                log.info("photo.not_looked_at", asset=photo.of.asset.id, code=no.code, why=no.what)
            except Bug:
                raise
            except MediadError as fault:
                return _again(photo, fault, now)
        await self._journal.looked(photo.original, seen)
        return None

    async def _place(self, photo: Unlooked) -> Place | None:
        """Where its bytes are, or a rendition's, which looks the same; None: nowhere, as far as anybody knows."""
        places = list(_places(photo))
        asked = [p for p in places if self._problems.about(p.site) is None]
        seen: Sequence[Sighting | MediadError | None] = [_away()] * len(asked)
        with anyio.move_on_after(PATIENCE_S):
            seen = await self._ports().files.sight(asked)
        for place, sighting in zip(asked, seen, strict=True):
            if isinstance(sighting, Sighting) and sighting.is_regular:
                return place
        for fault in seen:
            if isinstance(fault, MediadError):  # whatever is refused here, no picture was judged
                raise Retryable(fault.what, code=fault.code, site=fault.site)
        if away := [p.site for p in places if p not in asked]:
            raise Retryable("a site has a problem", site=away[0].value)
        return None


def _again(photo: Unlooked, fault: MediadError, now: int) -> Later:
    """What befalls a whole site does not count: it is told of as a problem, and its end is waited for."""
    if fault.site:
        return Later(photo.original, now + AGAIN_MS, photo.tries)
    tries = photo.tries + 1
    log.info("photo.looked_at_later", asset=photo.of.asset.id, code=fault.code, tries=tries)
    if tries >= TRIES:
        return Later(photo.original, GIVEN_UP, tries)
    return Later(photo.original, now + min(AGAIN_MS << (tries - 1), LONGEST_MS), tries)


def _away() -> MediadError:
    return Retryable("a disk does not answer; the photo is looked at later", code="io.unreachable")


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
