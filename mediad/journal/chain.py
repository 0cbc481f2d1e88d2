"""The seal of the history: each row's digest covers the row and the seal of the row before it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from blake3 import blake3

from mediad.journal.rows import Audit

GENESIS: Final = bytes(32)
_ROW: Final = "%d|%d|%d|%s|%s|%s|%d|%s"


def seal(before: bytes, row: Sequence[object]) -> bytes:
    """`row`: seq, asset, at, stage, from, to, skipped, evidence. Only the last may hold a bar: canonical text."""
    return blake3(before + (_ROW % tuple(row)).encode()).digest()


def verify(rows: Iterable[Sequence[Any]], before: bytes, seq: int) -> tuple[Audit, bytes]:
    """Follow the chain from the row after `seq`, whose seal was `before`."""
    for *row, sealed in rows:
        if row[0] != seq + 1:
            return Audit(seq, seq + 1, f"history row {seq + 1} is missing"), before
        if seal(before, row) != sealed:
            return Audit(seq, seq + 1, f"history row {seq + 1} is not as it was written"), before
        seq, before = seq + 1, sealed
    return Audit(seq), before
