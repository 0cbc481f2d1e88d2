"""The journal's methods for a person's questions and orders: its seals, its past, and what is taken back."""

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from mediad.errors import MediadError
from mediad.journal import chain, past
from mediad.journal.cloud_side import CloudSide
from mediad.journal.hand import Hand
from mediad.journal.queries import row_from
from mediad.journal.rows import Audit, HistoryRow, Listed
from mediad.journal.whole import listed
from mediad.model import AssetId, Evidence
from mediad.policy.undoing import UNDOABLE
from mediad.state import Position, Workflow

FAMILY: Final = (
    "WITH RECURSIVE family (id) AS (SELECT ?1 UNION"
    " SELECT a.id FROM asset a JOIN family f ON a.absorbed_by = f.id) SELECT id FROM family"
)
ROWS_OF: Final = (
    "SELECT seq, asset, at, stage, from_state, to_state, evidence FROM history"
    " WHERE asset IN (SELECT value FROM json_each(?)) AND at <= ? ORDER BY seq"
)
LATELY: Final = (
    "SELECT seq, asset, at, stage, from_state, to_state, evidence FROM history"
    " WHERE seq < ?1 AND at >= ?2 AND (stage IN (SELECT value FROM json_each(?3)) OR skipped = 1)"
    " ORDER BY seq DESC LIMIT ?4"
)
HEAD: Final = "SELECT seq, chain FROM history ORDER BY seq DESC LIMIT 1"
DATED: Final = (
    "SELECT id FROM asset WHERE id > ?1 AND EXISTS (SELECT 1 FROM standing s WHERE"
    " s.asset = asset.id AND s.state = 'intake.hashed')"
    " AND (?2 IS NULL OR captured_source IN (SELECT value FROM json_each(?2)))"
    " AND (?3 IS NULL OR captured_local >= ?3) AND (?4 IS NULL OR captured_local < ?4)"
    " AND (?5 IS NULL OR id IN (SELECT value FROM json_each(?5))) ORDER BY id LIMIT ?6"
)


class PersonSide(CloudSide):
    _hand: Hand

    # -- orders -----------------------------------------------------------------------------------

    async def rearrange(
        self, orders: Sequence[tuple[AssetId, Evidence]]
    ) -> list[Position | MediadError]:
        """Another date or place for each; one that cannot have it fails alone."""
        return await self._each([partial(self._hand.rearrange, *o) for o in orders])

    async def _each(self, items: Sequence[Callable[[], Any]]) -> list[Any]:
        raise NotImplementedError

    # -- the seals --------------------------------------------------------------------------------

    async def head(self) -> tuple[int, bytes]:
        """The last row and its seal: whoever keeps them elsewhere will notice if the history ever ends before it."""
        row = await self._readers.ask(lambda db: db.execute(HEAD).fetchone())
        return (row[0], row[1]) if row else (0, chain.GENESIS)

    async def audit(
        self,
        after: tuple[int, bytes] = (0, chain.GENESIS),
        most: int | None = None,
        heads: Collection[tuple[int, bytes]] = (),
    ) -> Audit:
        """
        Follow the seals from one row on, and name the first row that is not as it was written.

        A page at a time, so that neither memory nor the log of writes grows with it. `heads`: seals that were kept
        elsewhere; the history must still have each of them.
        """
        (seq, sealed), kept = after, dict(heads)
        start = seq
        while True:
            audit, sealed, is_end = await self._readers.ask(
                partial(chain.page, seq=seq, sealed=sealed, kept=kept)
            )
            seq = audit.rows
            if is_end or audit.broken_at is not None or (most and seq - start >= most):
                return replace(audit, seal=sealed, is_end=is_end)

    # -- the past ---------------------------------------------------------------------------------

    async def as_of(
        self, asset: AssetId, at: int, law: Workflow
    ) -> tuple[Listed, list[HistoryRow]] | None:
        """The asset as it was known then, and the rows that say so; None: nothing was known of it yet."""
        return await self._readers.ask(lambda db: _as_of(db, asset, at, law))

    async def done_lately(self, before: int, since: int, limit: int) -> list[HistoryRow]:
        """What can be taken back, or takes back, the newest first: rows before this one, not older than that time."""
        words = json.dumps(sorted(UNDOABLE))
        rows = await self._readers.ask(
            lambda db: db.execute(LATELY, (before, since, words, limit)).fetchall()
        )
        return [row_from(r) for r in rows]

    async def dated(
        self,
        after: AssetId,
        limit: int,
        *,
        sources: Collection[str] | None = None,
        since: str | None = None,
        until: str | None = None,
        ids: Collection[AssetId] | None = None,
    ) -> list[Listed]:
        """Assets that are taken in, by id, whose date comes from there and lies then."""
        asked = (
            after,
            None if sources is None else json.dumps(sorted(sources)),
            since,
            until,
            None if ids is None else json.dumps(sorted(ids)),
            limit,
        )
        return await self._readers.ask(
            lambda db: listed(db, [AssetId(a) for (a,) in db.execute(DATED, asked)])
        )


def _as_of(
    db: sqlite3.Connection, asset: AssetId, at: int, law: Workflow
) -> tuple[Listed, list[HistoryRow]] | None:
    ids = [AssetId(i) for (i,) in db.execute(FAMILY, (asset,))]
    rows = [row_from(r) for r in db.execute(ROWS_OF, (json.dumps(ids), at))]
    family = listed(db, ids)
    known = past.replay(rows, law).get(asset)
    now = next((x for x in family if x.asset.id == asset), None)
    if known is None or now is None:
        return None
    then = past.as_known(now, known, law, [x.asset for x in family], at)
    return then, [r for r in rows if r.asset == asset]
