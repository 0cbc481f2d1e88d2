"""The journal's methods for the health of the copies: readings in, questions out. Journal is one of these."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mediad.errors import Bug, Retryable
from mediad.journal import health
from mediad.journal.db import Readers
from mediad.journal.rows import Step
from mediad.journal.scribe import Scribe
from mediad.model import AssetId, Evidence, Site, SiteKey
from mediad.policy.scrub import Damage, Day, Fate, Progress, Stored
from mediad.state import Transition

T = TypeVar("T")


class HealthSide:
    _readers: Readers
    _scribe: Scribe
    _connection: sqlite3.Connection

    async def _all(self, items: Sequence[Callable[[], T]]) -> list[T]:
        raise NotImplementedError

    # -- writing ----------------------------------------------------------------------------------

    async def copies_read(
        self, whole: Sequence[tuple[Stored, str]], at: int, spent: Day | None = None
    ) -> None:
        """These were read whole just now, each with how; and what that took of the day's budget, if it counts."""
        do = self._connection.execute
        marks = [partial(health.mark_read, do, stored, at, how) for stored, how in whole]
        await self._all([*marks, *([partial(health.spend, do, spent)] if spent else [])])

    async def damaged(
        self, damages: Sequence[Damage], evidence: Evidence, back: Sequence[Transition]
    ) -> None:
        """
        An original's copies are not what they were: kept, taught and told in one transaction.

        Each of `back` that its asset stands at sends that lane back; where none does, the evidence is kept alone.
        """
        await self._all([partial(self._hurt, damages, evidence, back)])

    async def settle_damage(self, at: int) -> list[SiteKey]:
        """What was healed meanwhile is over. Returns the names of the new files."""
        found = await self._readers.ask(health.healed)
        do = self._connection.execute
        await self._all([partial(health.end_damage, do, n, at, key) for n, key in found])
        return [key for _, key in found]

    def _hurt(
        self, damages: Sequence[Damage], evidence: Evidence, back: Sequence[Transition]
    ) -> None:
        do = self._connection.execute
        for damage in damages:
            health.keep_damage(do, damage)
        asset = self._owner(damages[0])
        told = evidence
        for step in back:
            try:
                self._scribe.record(Step(asset, step, told))
            except Retryable:  # it stands elsewhere, and nothing was written
                continue
            told = replace(evidence, gone=())
        if told is evidence:
            self._scribe.witness(asset, evidence)

    def _owner(self, damage: Damage) -> AssetId:
        """It may have joined another asset since it was read."""
        row = self._connection.execute(
            "SELECT asset FROM original WHERE id = ?", (damage.original,)
        ).fetchone()
        if row is None:
            raise Bug(f"there is no original {damage.original}", code="journal.unlawful")
        return AssetId(row[0])

    # -- reading ----------------------------------------------------------------------------------

    async def stale_copies(
        self, before: int, sites: Collection[Site], now: int, limit: int
    ) -> list[Stored]:
        """What nobody has read whole since `before` at these sites, the longest unread first."""
        return await self._readers.ask(lambda db: health.stale(db, before, sites, now, limit))

    async def stored_at(self, site: Site, after: SiteKey, limit: int) -> list[Stored]:
        """All that lies at a site under its next `limit` names, in their order."""
        return await self._readers.ask(lambda db: health.page(db, site, after, limit))

    async def scrub_day(self, number: int) -> Day:
        return await self._readers.ask(lambda db: health.day(db, number))

    async def scrub_days(self, limit: int = 7) -> list[Day]:
        return await self._readers.ask(lambda db: health.days(db, limit))

    async def scrub_progress(self, before: int, sites: Collection[Site]) -> Progress:
        """Counts every copy: a second or two at a million assets, on a reader's own thread."""
        return await self._readers.ask(lambda db: health.progress(db, before, sites))

    async def open_damage(self, limit: int = 100) -> list[Damage]:
        return await self._readers.ask(lambda db: health.open_damage(db, limit))

    async def latest_damage(self, limit: int = 20) -> list[Damage]:
        return await self._readers.ask(lambda db: health.latest_damage(db, limit))

    async def damage_tally(self) -> dict[Fate, int]:
        return await self._readers.ask(health.tally)
