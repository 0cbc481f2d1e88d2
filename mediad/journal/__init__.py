"""What was seen, in order, and where every asset stands: the only package that knows SQLite."""

from mediad.journal.backup import name_at, restore, rotate
from mediad.journal.journal import Journal
from mediad.journal.lock import Lock
from mediad.journal.migrate import WITNESS
from mediad.journal.rows import (
    BY_HAND,
    OFF,
    Arrival,
    Audit,
    BatchMember,
    BatchRow,
    CloudCounts,
    Committed,
    Condition,
    Counts,
    HistoryRow,
    Intent,
    Listed,
    Listing,
    Mark,
    Park,
    Placed,
    Reason,
    Run,
    Standing,
    Step,
    Tally,
    Work,
    ZoneRow,
)

__all__ = [
    "BY_HAND", "OFF", "WITNESS", "Arrival", "Audit", "BatchMember", "BatchRow", "CloudCounts", "Committed",
    "Condition", "Counts", "HistoryRow", "Intent", "Journal", "Listed", "Listing", "Lock", "Mark", "Park", "Placed",
    "Reason", "Run", "Standing", "Step", "Tally", "Work", "ZoneRow", "name_at", "restore", "rotate",
]  # fmt: skip
