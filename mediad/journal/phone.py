"""
What is asked of the way over the phone: batches, names given, what waits for the phone, and what was witnessed.

However many files went over it, a question costs as much as what it answers, or as what is on its way just now.
"""

import heapq
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from mediad.journal.rows import (
    BatchMember,
    BatchRow,
    Mark,
    Placed,
    blob,
    from_sql,
    placement_from,
    to_sql,
    witness_from,
)
from mediad.journal.whole import WITNESSES
from mediad.model import AssetId, BatchId, Digest, SiteKey, Witness
from mediad.policy.phone_names import folded
from mediad.ports import OpenBatch
from mediad.state import Lane, State

Connection = sqlite3.Connection
_RUNNING: Final = tuple(m.value for m in Mark if m.runs)
_COLUMNS: Final = (
    "p.original, p.batch, p.key, p.digest, p.size, p.mtime_ns, p.version, p.blocks, p.film, o.asset"
)
_NEWEST: Final = (
    "(SELECT id FROM placement WHERE original = o.id ORDER BY batch DESC, id DESC LIMIT 1)"
)

# -- batches ----------------------------------------------------------------------------------------

# CROSS JOIN: in this order, whatever SQLite guesses of tables that it has no figures of.
PENDING = (
    "SELECT p.batch, count(*) FROM standing s CROSS JOIN original o ON o.asset = s.asset"  # noqa: S608 - words from above
    f" CROSS JOIN placement p ON p.id = {_NEWEST} CROSS JOIN batch b ON b.id = p.batch"
    " WHERE s.state = ? AND s.mark = ? AND coalesce(p.placed_at, b.made_at) >= ? GROUP BY p.batch"
)
FILES = "SELECT count(*) FROM placement WHERE batch = ?"
_EVER: Final = -1 << 62


def open_batches(db: Connection, stuck_before: int) -> list[OpenBatch]:
    """Asked of what stands on its way, so that the batches of years past cost nothing."""
    pending: Counter[int] = Counter()
    for state, since in ((State.BATCHED, _EVER), (State.PLACED, stuck_before)):
        for mark in _RUNNING:
            pending.update(dict(db.execute(PENDING, (state.value, mark, since)).fetchall()))
    return [
        OpenBatch(BatchId(batch), pending[batch], db.execute(FILES, (batch,)).fetchone()[0])
        for batch in sorted(pending)
    ]


NEXT_BATCH = "SELECT coalesce(max(id), 0) + 1 FROM batch"
BATCH = "SELECT id, made_at FROM batch WHERE id = ?"
BATCHES = "SELECT id, made_at FROM batch WHERE id < ? ORDER BY id DESC LIMIT ?"
PLACED_IN = (
    f"SELECT {_COLUMNS}, a.name FROM placement p JOIN original o ON o.id = p.original"  # noqa: S608 - words from above
    " JOIN asset a ON a.id = o.asset WHERE p.batch = ?"
)
STANDS = (
    "SELECT asset, state, mark, why, code, remedy FROM standing"
    " WHERE asset IN (SELECT value FROM json_each(?)) AND lane IN ('intake', 'phone')"
    " ORDER BY asset, lane"
)
WITNESSED = (
    "SELECT original, rung, at, how, detail FROM witness"
    " WHERE original IN (SELECT value FROM json_each(?2)) AND (batch = ?1 OR rung = 'google-has')"
    " ORDER BY original, at"
)


def next_batch(db: Connection) -> BatchId:
    return BatchId(db.execute(NEXT_BATCH).fetchone()[0])


def batches(db: Connection, before: BatchId | None, limit: int) -> list[BatchRow]:
    """The newest first."""
    below = 1 << 62 if before is None else before
    return [_batch(db, *row) for row in db.execute(BATCHES, (below, limit)).fetchall()]


def batch(db: Connection, number: BatchId) -> BatchRow | None:
    row = db.execute(BATCH, (number,)).fetchone()
    return _batch(db, *row) if row else None


def _batch(db: Connection, number: int, made_at: int) -> BatchRow:
    rows = sorted(db.execute(PLACED_IN, (number,)).fetchall(), key=lambda r: (r[9], r[0]))
    assets = sorted({r[9] for r in rows})
    # Of two rows of an asset the later counts: the phone's, or the intake's alone while a late half joins.
    stands = {r[0]: r[1:] for r in db.execute(STANDS, (_json(assets),))}
    seen = _by_original(db.execute(WITNESSED, (number, _json({r[0] for r in rows}))))
    return BatchRow(
        BatchId(number),
        made_at,
        tuple(
            _member(asset, list(files), stands[asset], seen)
            for asset, files in groupby(rows, key=lambda r: r[9])
        ),
    )


def _member(
    asset: AssetId,
    files: Sequence[Sequence[Any]],
    stands: Sequence[Any],
    seen: Mapping[int, Sequence[Witness]],
) -> BatchMember:
    state, mark, why, code, remedy = stands
    return BatchMember(
        asset=asset,
        name=from_sql(files[0][10]),
        placements=tuple(placement_from(r[:9]) for r in files),
        state=State(state),
        mark=Mark(mark),
        why=why,
        code=code,
        remedy=remedy,
        witnesses=tuple(w for r in files for w in seen.get(r[0], ())),
    )


def _by_original(rows: Iterable[Sequence[Any]]) -> Mapping[int, Sequence[Witness]]:
    seen: dict[int, list[Witness]] = defaultdict(list)
    for row in rows:
        seen[row[0]].append(witness_from(row))
    return seen


# -- names ------------------------------------------------------------------------------------------

GIVEN = "SELECT 1 FROM placement WHERE folded = ?"
UNDER = (
    f"SELECT {_COLUMNS} FROM placement p JOIN original o ON o.id = p.original"  # noqa: S608 - words from above
    f" WHERE p.folded = ? AND p.key = ? AND p.id = {_NEWEST}"
)


def names_given(db: Connection, keys: Sequence[SiteKey]) -> frozenset[SiteKey]:
    return frozenset(k for k in keys if db.execute(GIVEN, (to_sql(folded(k)),)).fetchone())


def placed_under(db: Connection, keys: Sequence[SiteKey]) -> dict[SiteKey, Placed]:
    """
    Under exactly these names; one that nobody gave is left out, and so is one that its file has no longer.

    What becomes of a file under the name that it had says nothing of it under the name that it has.
    """
    rows = [
        row
        for key in keys
        for row in db.execute(UNDER, (to_sql(folded(key)), to_sql(key))).fetchall()
    ]
    return {p.placement.key: p for p in _placed(db, rows)}


# -- whose bytes ------------------------------------------------------------------------------------

OF_BYTES = (
    "SELECT asset FROM original WHERE digest = ?1 UNION SELECT o.asset FROM placement p"
    " JOIN original o ON o.id = p.original WHERE p.digest = ?1"
)


def of_bytes(db: Connection, digests: Collection[Digest]) -> dict[Digest, list[AssetId]]:
    """The assets of which some original is these bytes, or was sent as these; unknown bytes are left out."""
    found = {
        d: [AssetId(a) for (a,) in db.execute(OF_BYTES, (blob(d),))] for d in dict.fromkeys(digests)
    }
    return {d: assets for d, assets in found.items() if assets}


# -- what is on its way -----------------------------------------------------------------------------

WAITING = (
    "SELECT asset FROM standing s WHERE state = ? AND mark = ? AND asset > ? AND EXISTS (SELECT 1"
    " FROM original o JOIN placement p ON p.original = o.id WHERE o.asset = s.asset)"
    " ORDER BY asset LIMIT ?"
)
PLACED_OF = (
    f"SELECT {_COLUMNS} FROM original o JOIN placement p ON p.id = {_NEWEST}"  # noqa: S608 - words from above
    " WHERE o.asset IN (SELECT value FROM json_each(?))"
)
ARRIVING = (
    "SELECT coalesce(sum(n), 0) FROM tally_standing WHERE state GLOB ? || '.*'"
    " AND mark IN (SELECT value FROM json_each(?))"
)


def awaited(db: Connection, states: Collection[State], after: AssetId, limit: int) -> list[Placed]:
    """Of `limit` assets that have placements; fewer only where there are no more. An asset's files stay together."""
    found = {
        a
        for s in states
        for mark in _RUNNING
        for (a,) in db.execute(WAITING, (s.value, mark, after, limit))
    }
    page = heapq.nsmallest(limit, found)
    rows = db.execute(PLACED_OF, (json.dumps(page),)).fetchall()
    return _placed(db, sorted(rows, key=lambda r: (r[9], r[0])))


def arriving(db: Connection) -> int:
    row = db.execute(ARRIVING, (Lane.INTAKE.value, json.dumps(_RUNNING))).fetchone()
    return int(row[0])


def _placed(db: Connection, rows: Sequence[Sequence[Any]]) -> list[Placed]:
    seen = _by_original(db.execute(WITNESSES, (_json({r[0] for r in rows}),)))
    return [
        Placed(AssetId(r[9]), placement_from(r[:9]), frozenset(w.rung for w in seen.get(r[0], ())))
        for r in rows
    ]


def _json(numbers: Iterable[int]) -> str:
    return json.dumps(sorted(numbers))
