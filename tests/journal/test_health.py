"""Guards that the questions of a scrub cost the same at a million copies as at ten."""

import sqlite3
from pathlib import Path

import pytest

from mediad.journal import health
from mediad.journal.migrate import editions


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(tmp_path / "a.db")
    for edition in editions():
        db.executescript(edition.sql)
    return db


HOT = {
    "stale copies": (health.STALE_COPIES, (1, 2, '["archive"]', 3, 16)),
    "stale renditions": (health.STALE_RENDITIONS, (1, 2, '["library"]', 3, 16)),
    "keys": (health.KEYS, ("archive", "k", 16)),
    "under": (health.UNDER, ("archive", '["k"]')),
    "under one": (health.UNDER_ONE, ("archive", b"k")),
    "open": (health.OPEN, (10,)),
    "healed": (health.HEALED, ()),
}


@pytest.mark.parametrize("name", HOT)
def test_no_table_is_read_whole(db: sqlite3.Connection, name: str) -> None:
    sql, values = HOT[name]
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    scans = [p for p in plan if p.startswith("SCAN") and "json_each" not in p]
    harmless = {"SCAN d USING INDEX damage_open", "SCAN (subquery-2)", "SCAN d"}  # a few rows, ever
    assert not set(scans) - harmless, plan
    if name.startswith("stale"):
        assert not any("TEMP B-TREE" in p for p in plan), plan
