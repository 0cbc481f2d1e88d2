"""The journal's methods for what looks alike. Journal is one of these."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from mediad.journal import near
from mediad.journal.db import Readers
from mediad.model import AssetId, OriginalId
from mediad.ports.looks import Impression

T = TypeVar("T")


class NearSide:
    _readers: Readers
    _connection: sqlite3.Connection

    async def _all(self, items: Sequence[Callable[[], T]]) -> list[T]:
        raise NotImplementedError

    async def unlooked(self, now: int, limit: int) -> list[near.Unlooked]:
        """Photos that nobody has looked at, whose time has come; the longest due first."""
        return await self._readers.ask(lambda db: near.due(db, now, limit))

    async def next_look(self) -> int | None:
        return await self._readers.ask(lambda db: db.execute(near.NEXT).fetchone()[0])

    async def look_later(self, photos: Sequence[near.Later]) -> None:
        do = self._connection.execute
        await self._all([partial(do, near.LATER, photo) for photo in photos])

    async def look_again(self, limit: int) -> int:
        """So many of those who were given up are due now. Returns how many there were."""
        given_up = await self._readers.ask(lambda db: db.execute(near.GIVEN, (limit,)).fetchall())
        do = self._connection.execute
        await self._all([partial(do, near.AGAIN, row) for row in given_up])
        return len(given_up)

    async def looked(self, original: OriginalId, seen: Impression | None) -> int:
        """What was seen of a photo; None: it cannot be looked at. Returns how many look like it."""
        pairs = []
        if seen is not None and not seen.is_flat:
            pairs = await self._readers.ask(lambda db: near.neighbours(db, original, seen))
        await self._all([partial(near.keep, self._connection.execute, original, seen, pairs)])
        return len(pairs)

    async def near_of(self, asset: AssetId) -> list[near.Near]:
        return await self._readers.ask(lambda db: near.of_asset(db, asset))

    async def near_pairs(
        self, before: int | None, limit: int
    ) -> tuple[list[near.Near], int | None]:
        """A page of pairs, the newest first, and where the next one begins; None: that was the last."""
        return await self._readers.ask(lambda db: near.page(db, before, limit))
