"""The questions that are asked of the journal; each runs on a reader's connection, in one snapshot."""

import heapq
import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from mediad.journal.rows import (
    Condition,
    Counts,
    HistoryRow,
    Intent,
    Listed,
    Mark,
    Run,
    Work,
    copy_from,
    from_sql,
    state,
    to_sql,
)
from mediad.journal.whole import listed, placed
from mediad.model import (
    Asset,
    AssetId,
    Copy,
    Digest,
    Site,
    SiteKey,
)
from mediad.policy.phone_names import folded
from mediad.ports import Kin, Partner
from mediad.state import WHEN_OFF, State, stage_of

Connection = sqlite3.Connection


def row_from(row: Sequence[Any]) -> HistoryRow:
    seq, asset, at, stage, was, now, evidence = row
    return HistoryRow(seq, asset, at, stage, state(was), state(now), json.loads(evidence))


# -- work -------------------------------------------------------------------------------------------

DUE = (
    "SELECT due, asset, state, attempts FROM standing"
    " WHERE state = ? AND due <= ? ORDER BY due, asset LIMIT ?"
)
NEXT_DUE = "SELECT min(due) FROM standing WHERE state = ? AND due IS NOT NULL"


def work(
    db: Connection, states: Collection[State], now: int, limit: int, busy: Collection[AssetId]
) -> list[Work]:
    """What is due, the longest due first, without those already in hand."""
    pages = [db.execute(DUE, (s.value, now, limit + len(busy))).fetchall() for s in states]
    due = [r for r in heapq.merge(*pages) if r[1] not in busy][:limit]
    found = placed(db, [r[1] for r in due])
    return [Work(*found[a], State(word), attempts) for _, a, word, attempts in due]


def standing_work(db: Connection, asset: AssetId) -> list[Work]:
    """Every lane that has something to do, whether due or not: for a plan."""
    return [
        Work(whole.asset, whole.position, s.state, s.attempts)
        for whole in listed(db, [asset])
        for s in whole.standing
        if s.mark is not Mark.FINAL
    ]


def next_due(db: Connection, states: Collection[State]) -> int | None:
    found = [db.execute(NEXT_DUE, (s.value,)).fetchone()[0] for s in states]
    return min((d for d in found if d is not None), default=None)


MARKED = "SELECT asset FROM standing WHERE state = ? AND mark = ?"


def marked(db: Connection, marks: Iterable[Mark], states: Iterable[State]) -> list[AssetId]:
    marks = list(marks)
    return sorted(
        {AssetId(a) for s in states for m in marks for (a,) in db.execute(MARKED, (s.value, m))}
    )


def to_reconsider(db: Connection, off: Collection[str]) -> list[AssetId]:
    """Whom a change of the configuration concerns: at a switched-off stage, or before a gate."""
    passing = [s for (s, stage) in WHEN_OFF if stage in off]
    open_marks = [m for m in Mark if m is not Mark.FINAL]
    return sorted({*marked(db, open_marks, passing), *marked(db, [Mark.GATED, Mark.READY], State)})


# -- one asset --------------------------------------------------------------------------------------

HISTORY = (
    "SELECT seq, asset, at, stage, from_state, to_state, evidence FROM history"
    " WHERE asset = ? AND seq > ? ORDER BY seq"
)
EVENTS = (
    "SELECT seq, asset, at, stage, from_state, to_state, evidence FROM history"
    " WHERE seq > ? ORDER BY seq LIMIT ?"
)
LATEST = "SELECT coalesce(max(seq), 0) FROM history"


def history(db: Connection, asset: AssetId, after: int) -> list[HistoryRow]:
    return [row_from(r) for r in db.execute(HISTORY, (asset, after))]


def events(db: Connection, after: int, limit: int) -> list[HistoryRow]:
    return [row_from(r) for r in db.execute(EVENTS, (after, limit))]


FIND_PLACE = (
    "SELECT asset FROM original WHERE source_key = ?1"
    " UNION SELECT asset FROM original WHERE spool_key = ?1"
    " UNION SELECT o.asset FROM copy c JOIN original o ON o.id = c.original"
    " WHERE c.site IN (SELECT value FROM json_each(?2)) AND c.key = ?1"
    " UNION SELECT o.asset FROM rendition r JOIN original o ON o.id = r.original"
    " WHERE r.site IN (SELECT value FROM json_each(?2)) AND r.key = ?1"
    " UNION SELECT o.asset FROM placement p JOIN original o ON o.id = p.original"
    " WHERE p.folded = ?3 AND p.key = ?1"
)
FIND_DIGEST = "SELECT DISTINCT asset FROM original WHERE digest BETWEEN ? AND ? LIMIT 50"
FIND_NAME = "SELECT DISTINCT asset FROM original WHERE name >= ?1 AND name < ?2 LIMIT 50"
_SITES = json.dumps([s.value for s in Site])
_SHORTEST_HASH = 6


def find(db: Connection, query: str) -> list[AssetId]:
    """By id, digest (or its first digits), path (whole, or below any site) or name (with or without ending)."""
    query = query.strip()
    return (
        _by_id(db, query.removeprefix("#"))
        or _by_digest(db, query.lower())
        or _by_path(db, query)
        or _by_name(db, query)
    )


def _by_id(db: Connection, text: str) -> list[AssetId]:
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - SQLite's integers
        return []
    return [AssetId(a) for (a,) in db.execute("SELECT id FROM asset WHERE id = ?", (int(text),))]


def _by_digest(db: Connection, text: str) -> list[AssetId]:
    if not _SHORTEST_HASH <= len(text) <= len(bytes(32).hex()) or text.strip("0123456789abcdef"):
        return []
    ends = (bytes.fromhex(text.ljust(64, "0")), bytes.fromhex(text.ljust(64, "f")))
    return [AssetId(a) for (a,) in db.execute(FIND_DIGEST, ends)]


def _by_path(db: Connection, text: str) -> list[AssetId]:
    parts = PurePosixPath(text).parts
    for start in range(len(parts)):  # the longest tail first: we do not know where the sites lie
        key = "/".join(parts[start:])
        asked = (to_sql(key), _SITES, to_sql(folded(key)))
        found = [AssetId(a) for (a,) in db.execute(FIND_PLACE, asked)]
        if found:
            return found
    return []


def _by_name(db: Connection, text: str) -> list[AssetId]:
    name = to_sql(PurePosixPath(text).name)
    if not name:
        return []
    after = name + "\U0010ffff" if isinstance(name, str) else name + b"\xff"
    return [AssetId(a) for (a,) in db.execute(FIND_NAME, (name, after))]


# -- lists and counts -------------------------------------------------------------------------------

PAGE_MARK = (
    "SELECT asset FROM standing WHERE state = ? AND mark = ? AND asset < ?"
    " ORDER BY asset DESC LIMIT ?"
)
# A duplicate stays one, whatever keeps its space in iCloud from being given back.
PAGE_REMADE = (
    "SELECT s.asset FROM standing s CROSS JOIN asset a ON a.id = s.asset"
    " WHERE s.state = ? AND s.mark = ? AND s.asset < ? AND a.condition IN ('duplicate', 'quarantined')"
    " ORDER BY s.asset DESC LIMIT ?"
)
PAGE_CONDITION = "SELECT id FROM asset WHERE condition = ? AND id < ? ORDER BY id DESC LIMIT ?"
OF_CONDITION = "SELECT id FROM asset WHERE id IN (SELECT value FROM json_each(?)) AND condition = ?"
PAGE_ALL = "SELECT id FROM asset WHERE id < ? ORDER BY id DESC LIMIT ?"
_NO_CURSOR = 1 << 62


def page(
    db: Connection, stage: str, word: str, since: int | None, cursor: int | None, limit: int
) -> list[Listed]:
    """The newest first; the next page's cursor is the id of this one's last."""
    below = cursor or _NO_CURSOR
    ids = _page_ids(db, stage, word, below, limit)
    found = listed(db, [AssetId(i) for i in ids])
    return [f for f in found if since is None or f.asset.seen_at >= since]


def _page_ids(db: Connection, stage: str, word: str, below: int, limit: int) -> list[int]:
    if word in set(Condition) and not (
        stage and word in set(Mark)
    ):  # failed before that very stage
        found = _of_condition(db, stage, word, below, limit)
        remade = _marked(db, PAGE_REMADE, State, [word], below, limit) if word in set(Mark) else ()
        return heapq.nlargest(limit, {*found, *remade})
    if not stage and not word:
        return [i for (i,) in db.execute(PAGE_ALL, (below, limit))]
    states = [s for s in State if (not stage or stage_of(s) == stage) and _fits(s, word)]
    marks = [m for m in Mark if word not in set(Mark) or m == word]
    return heapq.nlargest(limit, _marked(db, PAGE_MARK, states, marks, below, limit))


def _marked(
    db: Connection, sql: str, states: Iterable[str], marks: Iterable[str], below: int, limit: int
) -> set[int]:
    return {a for s, m in product(states, marks) for (a,) in db.execute(sql, (s, m, below, limit))}


def _of_condition(db: Connection, stage: str, word: str, below: int, limit: int) -> list[int]:
    """With a stage: of all assets in this condition those that stand before it, a page's worth at a time."""
    if not stage:
        return [i for (i,) in db.execute(PAGE_CONDITION, (word, below, limit))]
    found: list[int] = []
    while len(found) < limit:
        before = _page_ids(db, stage, "", below, limit)
        rows = db.execute(OF_CONDITION, (json.dumps(before), word))
        found += sorted((i for (i,) in rows), reverse=True)
        if len(before) < limit:
            break
        below = before[-1]
    return found[:limit]


def _fits(state: State, word: str) -> bool:
    return not word or word in set(Mark) or state == word


def counts(db: Connection) -> Counts:
    outcome = db.execute("SELECT stage, done, skipped FROM tally_outcome").fetchall()
    volume = dict(db.execute("SELECT what, n FROM tally_bytes"))
    return Counts(
        standing={
            (State(s), Mark(m)): n
            for s, m, n in db.execute("SELECT state, mark, n FROM tally_standing WHERE n > 0")
        },
        done={stage: done for stage, done, _ in outcome},
        skipped={stage: skipped for stage, _, skipped in outcome},
        conditions={Condition(c): n for c, n in db.execute("SELECT condition, n FROM tally_asset")},
        original_bytes=volume["originals"],
        rendition_bytes=volume["renditions"],
        saved_bytes=volume["shrunk"] - volume["renditions"],
    )


def codes_at(db: Connection, state: State) -> dict[str, int]:
    """How many lanes that stand there say each code."""
    sql = "SELECT code, count(*) FROM standing WHERE state = ? AND code <> '' GROUP BY code"
    return dict(db.execute(sql, (state.value,)).fetchall())


AWAITED = "SELECT source_key FROM original WHERE taken = 0"


def known_sources(db: Connection) -> set[SiteKey]:
    return {SiteKey(from_sql(k)) for (k,) in db.execute(AWAITED)}


def runs(db: Connection, limit: int) -> list[Run]:
    return [
        Run(number, started, finished, what, json.loads(counted), config)
        for number, started, finished, what, counted, config in db.execute(
            "SELECT id, started, finished, what, counts, config FROM run ORDER BY id DESC LIMIT ?",
            (limit,),
        )
    ]


def intents(db: Connection) -> list[Intent]:
    return [Intent(*r) for r in db.execute("SELECT asset, stage, at FROM intent ORDER BY at")]


COPIES_AT = (
    "SELECT original, site, key, digest, verified_at, method FROM copy"
    " WHERE site = ? AND key > ? ORDER BY key LIMIT ?"
)


def copies_at(db: Connection, site: Site, after: SiteKey, limit: int) -> list[Copy]:
    """A site's copies in pages, in the order of their keys."""
    return [copy_from(r) for r in db.execute(COPIES_AT, (site.value, to_sql(after), limit))]


# -- Ledger -----------------------------------------------------------------------------------------

KEEPER = (
    "SELECT a.id FROM original o JOIN asset a ON a.id = o.asset WHERE o.digest = ? AND a.id <> ?"
    " AND a.identity IS NOT NULL AND a.condition NOT IN ('duplicate', 'quarantined', 'absorbed')"
)
_STANDS = (
    " AND a.id <> ?2 AND a.identity IS NOT NULL"
    " AND a.condition NOT IN ('duplicate', 'quarantined', 'absorbed')"
)
# Made of it once: as a rendition of today, as what was sent to the phone, or a half that was left as it came.
MAKER = (
    "SELECT a.id FROM rendition r JOIN original o ON o.id = r.original JOIN asset a ON a.id = o.asset"  # noqa: S608 - words from above
    f" WHERE r.digest = ?1{_STANDS}"
    " UNION SELECT a.id FROM placement p JOIN original o ON o.id = p.original"
    f" JOIN asset a ON a.id = o.asset WHERE p.digest = ?1 AND o.digest <> p.digest{_STANDS}"
    f" UNION SELECT a.id FROM original o JOIN asset a ON a.id = o.asset WHERE o.digest = ?1{_STANDS}"
)
NEXT_KEEPER = "SELECT coalesce(absorbed_by, keeper) FROM asset WHERE id = ?"
BY_CONTENT = "SELECT asset FROM original WHERE content_id = ? AND asset <> ?"
BY_GROUP = (
    "SELECT o.asset FROM original o JOIN asset a ON a.id = o.asset"
    " WHERE o.group_key = ? AND o.asset <> ? AND a.seen_at > ?"
)


def keeper_of(db: Connection, asset: AssetId, digests: Sequence[Digest]) -> AssetId | None:
    """The first asset in good standing that has all of these bytes."""
    owners = [{a for (a,) in db.execute(KEEPER, (bytes.fromhex(d), asset))} for d in set(digests)]
    return min(set.intersection(*owners), default=None) if owners else None


def maker_of(db: Connection, asset: AssetId, digests: Sequence[Digest]) -> Asset | None:
    """The first asset in good standing from which mediad has made all of these bytes, or has them as they came."""
    owners = [{a for (a,) in db.execute(MAKER, (bytes.fromhex(d), asset))} for d in set(digests)]
    first = min(set.intersection(*owners), default=None) if owners else None
    found = listed(db, [first]) if first is not None else []
    return found[0].asset if found else None


def keeper(db: Connection, asset: AssetId) -> Partner | None:
    """The end of the way from a duplicate over its keeper, whatever that has joined or become since."""
    way = [asset]
    while True:
        row = db.execute(NEXT_KEEPER, (way[-1],)).fetchone()
        if row is None or row[0] in way:
            return None
        if row[0] is None:
            break
        way.append(AssetId(row[0]))
    found = listed(db, way[1:][-1:])
    return Partner(found[0].asset, found[0].position) if found else None


def partners(db: Connection, kin: Kin) -> list[Partner]:
    found = {a for c in kin.content_ids if c for (a,) in db.execute(BY_CONTENT, (c, kin.asset))}
    if kin.group_key:
        rows = db.execute(BY_GROUP, (to_sql(kin.group_key), kin.asset, kin.since))
        found |= {a for (a,) in rows}
    return [
        Partner(whole.asset, whole.position)
        for whole in listed(db, sorted(found))
        if whole.condition is not Condition.ABSORBED
    ]
