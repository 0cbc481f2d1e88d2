"""What must be true of a house between any two moments, read from one snapshot of its journal and from its folders."""

import sqlite3
from collections import Counter

from mediad.journal import chain, queries
from mediad.journal.person_side import _as_of
from mediad.journal.whole import listed
from mediad.model import Asset, AssetId, Digest, OriginalId, Place, Site, SiteKey
from mediad.state import State
from tests.machine.house import House

SEALS = "SELECT seq, chain FROM history ORDER BY seq"


class Truths:
    """Remembers every seal it has seen: the history may only grow."""

    def __init__(self) -> None:
        self._seals: list[tuple[int, bytes]] = []

    def look(self, house: House) -> None:
        assert house.lost() == []
        assert house.wrongs == []
        db = sqlite3.connect(
            f"file:{house.folder / 'journal.db'}?mode=ro", uri=True, isolation_level=None
        )
        try:
            db.execute("BEGIN")
            has_grown = self._history_only_grows(db)
            tallies_are_the_rows(db)
            _one_state_a_lane(db)
            _who_is_stopped_knows_why(db)
            _the_archive_has_what_it_is_said_to_have(db, house)
            if has_grown:
                _the_history_leads_here(db, house)
        finally:
            db.close()

    def _history_only_grows(self, db: sqlite3.Connection) -> bool:
        now = [(seq, bytes(seal)) for seq, seal in db.execute(SEALS)]
        known = len(self._seals)
        assert now[:known] == self._seals
        last_seq, last_seal = self._seals[-1] if self._seals else (0, chain.GENESIS)
        audit, _, is_end = chain.page(db, last_seq, last_seal, {})
        assert is_end
        assert audit.broken_at is None, audit
        self._seals = now
        return len(now) > known


def tallies_are_the_rows(db: sqlite3.Connection) -> None:
    counts = queries.counts(db)
    standing = Counter(db.execute("SELECT state, mark FROM standing").fetchall())
    assert dict(counts.standing) == standing
    conditions = Counter(c for (c,) in db.execute("SELECT condition FROM asset"))
    assert {c: n for c, n in counts.conditions.items() if n} == conditions
    stages = Counter(db.execute("SELECT stage, skipped FROM history").fetchall())
    assert {s: n for s, n in counts.done.items() if n} == {
        s: n for (s, k), n in stages.items() if not k
    }
    assert {s: n for s, n in counts.skipped.items() if n} == {
        s: n for (s, k), n in stages.items() if k
    }
    sql = "SELECT coalesce(sum(size), 0) FROM original"
    assert (counts.original_bytes,) == db.execute(sql).fetchone()
    sql = (
        "SELECT coalesce(sum(r.size), 0), coalesce(sum(o.size), 0) - coalesce(sum(r.size), 0)"
        " FROM rendition r JOIN original o ON o.id = r.original"
    )
    assert (counts.rendition_bytes, counts.saved_bytes) == db.execute(sql).fetchone()


def _one_state_a_lane(db: sqlite3.Connection) -> None:
    rows = db.execute("SELECT asset, lane, state FROM standing").fetchall()
    assert len({(asset, lane) for asset, lane, _ in rows}) == len(rows)
    assert all(State(state).lane.value == lane for _, lane, state in rows)
    nowhere = db.execute(
        "SELECT id FROM asset WHERE condition <> 'absorbed' AND id NOT IN"
        " (SELECT asset FROM standing WHERE lane = 'intake')"
    )
    assert nowhere.fetchall() == []
    absorbed = db.execute(
        "SELECT id FROM asset WHERE absorbed_by IS NOT NULL"
        " AND (condition <> 'absorbed' OR id IN (SELECT asset FROM standing))"
    )
    assert absorbed.fetchall() == []


def _who_is_stopped_knows_why(db: sqlite3.Connection) -> None:
    """Nobody waits for a person without a question to that person."""
    mute = "SELECT asset, state, mark FROM standing WHERE mark IN ('held', 'failed') AND (why = '' OR code = '')"
    assert db.execute(mute).fetchall() == []
    odd = db.execute(
        "SELECT asset, why FROM standing WHERE code LIKE 'bug.%' OR code = 'engine.no_effect'"
    )
    assert odd.fetchall() == []


def _the_archive_has_what_it_is_said_to_have(db: sqlite3.Connection, house: House) -> None:
    for key, digest in db.execute("SELECT key, digest FROM copy WHERE site = 'archive'"):
        place = Place(Site.ARCHIVE, SiteKey(key))
        if place not in house.spoilt:
            assert place in house.files.files, place
            assert house.files.files[place].digest == Digest(digest.hex()), place


def _the_history_leads_here(db: sqlite3.Connection, house: House) -> None:
    """Played again from its first row, it gives what is."""
    ids = [AssetId(i) for (i,) in db.execute("SELECT id FROM asset")]
    for now in listed(db, ids):
        found = _as_of(db, now.asset.id, 1 << 62, house.settings.law())
        assert found is not None
        then = found[0]
        assert then.position == now.position, now.asset.id
        assert set(then.asset.copies) == set(now.asset.copies), now.asset.id
        assert then.asset.captured == now.asset.captured
        assert _digests(then.asset) == _digests(now.asset)


def _digests(asset: Asset) -> dict[OriginalId, Digest]:
    return {o.id: o.digest for o in asset.originals if o.digest is not None}
