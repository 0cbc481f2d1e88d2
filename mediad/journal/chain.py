"""The seal of the history: each row's digest covers the row and the seal of the row before it."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from blake3 import blake3

from mediad.journal.rows import Audit

GENESIS: Final = bytes(32)
PAGE: Final = 20_000
_ROW: Final = "%d|%d|%d|%s|%s|%s|%d|%s"


def seal(before: bytes, row: Sequence[object]) -> bytes:
    """`row`: seq, asset, at, stage, from, to, skipped, evidence. Only the last may hold a bar: canonical text."""
    return blake3(before + (_ROW % tuple(row)).encode()).digest()


def verify(
    rows: Iterable[Sequence[Any]], before: bytes, seq: int, kept: Mapping[int, bytes]
) -> tuple[Audit, bytes]:
    """Follow the chain from the row after `seq`, whose seal was `before`. `kept`: seals from elsewhere, by row."""
    for *row, sealed in rows:
        if row[0] != seq + 1:
            return Audit(seq, seq + 1, f"history row {seq + 1} is missing"), before
        if seal(before, row) != sealed:
            return Audit(seq, seq + 1, f"history row {seq + 1} is not as it was written"), before
        if kept.get(seq + 1, sealed) != sealed:
            what = f"history row {seq + 1}, or one before it, was written anew: its seal is not the one that was kept"
            return Audit(seq, seq + 1, what), before
        seq, before = seq + 1, sealed
    return Audit(seq), before


def page(
    db: sqlite3.Connection, seq: int, sealed: bytes, kept: Mapping[int, bytes]
) -> tuple[Audit, bytes, bool]:
    """The next rows after `seq`; the last says whether the history ends here."""
    rows = db.execute(
        "SELECT seq, asset, at, stage, from_state, to_state, skipped, evidence, chain FROM history"
        " WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, PAGE),
    ).fetchall()
    audit, sealed = verify(rows, sealed, seq, kept)
    is_end = len(rows) < PAGE
    [told] = db.execute("SELECT coalesce(sum(done + skipped), 0) FROM tally_outcome").fetchone()
    if is_end and audit.broken_at is None and told != audit.rows:
        audit = Audit(audit.rows, audit.rows + 1, f"history ends early: {told} rows were written")
    if is_end and audit.broken_at is None and max(kept, default=0) > audit.rows:
        told = max(kept)
        audit = Audit(
            audit.rows, audit.rows + 1, f"history ends early: a seal of row {told} was kept"
        )
    return audit, sealed, is_end
