"""What is asked and kept of the copies' health: who has not been read for long, what was found, what has been spent."""

import heapq
import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from mediad.journal.rows import blob, digest, from_sql, to_sql
from mediad.model import AssetId, Digest, OriginalId, Place, Site, SiteKey
from mediad.policy.scrub import DAY_MS, Damage, Day, Fate, Found, Progress, Stored

Connection = sqlite3.Connection
Do = Callable[..., sqlite3.Cursor]

_COPY: Final = (
    "SELECT o.asset, c.original, c.site, c.key, c.digest, o.size, o.mtime_ns, 0,"
    " coalesce(c.read_at, c.verified_at)"
)
_RENDITION: Final = "SELECT o.asset, r.original, r.site, r.key, r.digest, r.size, o.mtime_ns, 1, coalesce(r.read_at, 0)"
_COPIES: Final = "JOIN original o ON o.id = c.original"
_RENDITIONS: Final = "JOIN original o ON o.id = r.original"
_PATIENT: Final = (  # not what could not be read a while ago, and whose next try is not yet due
    "NOT EXISTS (SELECT 1 FROM damage d WHERE d.site = {0}.site AND d.key = {0}.key"
    " AND d.ended_at IS NULL AND d.again_at > ?4)"
)
# Long unread, or read at a time that is yet to come: then the clock was wrong.
STALE_COPIES: Final = (
    f"{_COPY} FROM copy c INDEXED BY copy_stale {_COPIES} WHERE c.site <> 'phone'"  # noqa: S608 - words from above
    " AND coalesce(c.read_at, c.verified_at) BETWEEN ?1 AND ?2"
    f" AND +c.site IN (SELECT value FROM json_each(?3)) AND {_PATIENT.format('c')}"
    " ORDER BY coalesce(c.read_at, c.verified_at) LIMIT ?5"
)
STALE_RENDITIONS: Final = (
    f"{_RENDITION} FROM rendition r INDEXED BY rendition_stale {_RENDITIONS} WHERE r.site = 'library'"  # noqa: S608 - as above
    " AND coalesce(r.read_at, 0) BETWEEN ?1 AND ?2"
    f" AND +r.site IN (SELECT value FROM json_each(?3)) AND {_PATIENT.format('r')}"
    " ORDER BY coalesce(r.read_at, 0) LIMIT ?5"
)
KEYS: Final = (
    "SELECT key FROM (SELECT key FROM copy WHERE site = ?1 AND key > ?2"
    " UNION SELECT key FROM rendition WHERE site = ?1 AND key > ?2) ORDER BY key LIMIT ?3"
)
UNDER: Final = (
    f"{_COPY} FROM copy c {_COPIES} WHERE c.site = ?1 AND c.key IN (SELECT value FROM json_each(?2))"  # noqa: S608 - as above
    f" UNION ALL {_RENDITION} FROM rendition r {_RENDITIONS} WHERE r.site = ?1"
    " AND r.key IN (SELECT value FROM json_each(?2))"
)
UNDER_ONE: Final = (
    f"{_COPY} FROM copy c {_COPIES} WHERE c.site = ?1 AND c.key = ?2"
    f" UNION ALL {_RENDITION} FROM rendition r {_RENDITIONS} WHERE r.site = ?1 AND r.key = ?2"
)
_FAR: Final = (
    "count(*), coalesce(sum(size), 0), coalesce(sum(at <= ?2), 0),"
    " coalesce(sum(iif(at <= ?2, size, 0)), 0), min(nullif(at, 0))"
)
PROGRESS: Final = (
    f"SELECT {_FAR} FROM (SELECT o.size AS size, coalesce(c.read_at, c.verified_at) AS at FROM copy c {_COPIES}"  # noqa: S608 - words from above
    " WHERE c.site <> 'phone' AND c.site IN (SELECT value FROM json_each(?1))"
    " UNION ALL SELECT r.size, coalesce(r.read_at, 0) FROM rendition r WHERE r.site = 'library'"
    " AND r.site IN (SELECT value FROM json_each(?1)))"
)
_DAMAGE: Final = (
    "SELECT d.id, o.asset, d.original, d.site, d.key, d.digest, d.found, d.what, d.state, d.seen_at, d.again_at,"
    " d.tries, d.ended_at, d.healed_key FROM damage d JOIN original o ON o.id = d.original"
)
OPEN: Final = f"{_DAMAGE} WHERE d.ended_at IS NULL ORDER BY d.id LIMIT ?"
LATEST: Final = f"{_DAMAGE} ORDER BY d.id DESC LIMIT ?"
# A new file of the original at that site: under another name, or verified under this one since.
HEALED: Final = (
    "SELECT d.id, (SELECT c.key FROM copy c WHERE c.original = d.original AND c.site = d.site"
    " AND (c.key <> d.key OR c.verified_at >= d.seen_at)"
    " UNION ALL SELECT r.key FROM rendition r WHERE r.original = d.original AND r.site = d.site"
    " AND r.key <> d.key LIMIT 1) AS healed"
    " FROM damage d WHERE d.ended_at IS NULL AND d.state IN ('healing', 'lost') AND healed IS NOT NULL"
)
TALLY: Final = "SELECT state, count(*) FROM damage GROUP BY state"


def stale(
    db: Connection, before: int, sites: Collection[Site], now: int, limit: int
) -> list[Stored]:
    """The longest unread first. What was read at a time to come counts as never read."""
    where = json.dumps(sorted(sites))
    to_come = (now + DAY_MS, 1 << 62)
    pages = [
        db.execute(sql, (*span, where, now, limit)).fetchall()
        for span in (to_come, (-1, before))
        for sql in (STALE_COPIES, STALE_RENDITIONS)
    ]
    early = heapq.merge(*pages[2:], key=lambda row: int(row[8]))
    return [_stored(row) for row in [*pages[0], *pages[1], *early][:limit]]


def page(db: Connection, site: Site, after: SiteKey, limit: int) -> list[Stored]:
    """All that lies at a site under its next keys, in their order."""
    keys = [k for (k,) in db.execute(KEYS, (site.value, to_sql(after), limit))]
    texts = json.dumps([k for k in keys if isinstance(k, str)])
    rows = db.execute(UNDER, (site.value, texts)).fetchall()
    for odd in (k for k in keys if isinstance(k, bytes)):
        rows += db.execute(UNDER_ONE, (site.value, odd)).fetchall()
    order = {key: n for n, key in enumerate(keys)}
    return [_stored(row) for row in sorted(rows, key=lambda row: order[row[3]])]


def progress(db: Connection, before: int, sites: Collection[Site]) -> Progress:
    row = db.execute(PROGRESS, (json.dumps(sorted(sites)), before)).fetchone()
    return Progress(*row)


def days(db: Connection, limit: int) -> list[Day]:
    """The last ones, the newest first."""
    sql = "SELECT day, ms, bytes, copies FROM scrub_day ORDER BY day DESC LIMIT ?"
    return [Day(*row) for row in db.execute(sql, (limit,))]


def day(db: Connection, number: int) -> Day:
    row = db.execute(
        "SELECT day, ms, bytes, copies FROM scrub_day WHERE day = ?", (number,)
    ).fetchone()
    return Day(*row) if row else Day(number)


def open_damage(db: Connection, limit: int) -> list[Damage]:
    return [_damage(row) for row in db.execute(OPEN, (limit,))]


def latest_damage(db: Connection, limit: int) -> list[Damage]:
    return [_damage(row) for row in db.execute(LATEST, (limit,))]


def tally(db: Connection) -> dict[Fate, int]:
    """How many there ever were, by what became of them."""
    return {Fate(state): n for state, n in db.execute(TALLY)}


def healed(db: Connection) -> list[tuple[int, SiteKey]]:
    return [(number, SiteKey(from_sql(key))) for number, key in db.execute(HEALED)]


# -- writing, in the writer's thread --------------------------------------------------------------


def mark_read(do: Do, stored: Stored, at: int, how: str) -> None:
    """Seen whole: every row that this file stands for, and an unreadable one is readable again."""
    place = (stored.place.site.value, to_sql(stored.place.key))
    for table in ("copy", "rendition"):
        do(
            f"UPDATE {table} SET read_at = ?, read_how = ? WHERE site = ? AND key = ? AND digest = ?",  # noqa: S608 - two literals
            (at, how, *place, blob(stored.digest)),
        )
    do(
        "UPDATE damage SET state = 'over', again_at = NULL, ended_at = ? WHERE site = ? AND key = ?"
        " AND ended_at IS NULL AND state = 'unreadable'",
        (at, *place),
    )


def spend(do: Do, spent: Day) -> None:
    do(
        "INSERT INTO scrub_day VALUES (?, ?, ?, ?) ON CONFLICT (day) DO UPDATE SET ms = ms + excluded.ms,"
        " bytes = bytes + excluded.bytes, copies = copies + excluded.copies",
        spent,
    )


def keep_damage(do: Do, damage: Damage) -> None:
    """One open row a place: met again it is as it was met last."""
    place = (damage.place.site.value, to_sql(damage.place.key))
    known = do(
        "SELECT id FROM damage WHERE site = ? AND key = ? AND ended_at IS NULL", place
    ).fetchone()
    facts = (
        blob(damage.found), damage.what.value, damage.fate.value, damage.again_at, damage.tries,
        damage.ended_at,
    )  # fmt: skip
    if known:
        do(
            "UPDATE damage SET found = ?, what = ?, state = ?, again_at = ?, tries = ?, ended_at = ? WHERE id = ?",
            (*facts, known[0]),
        )
        return
    do(
        "INSERT INTO damage (found, what, state, again_at, tries, ended_at, original, site, key, digest, seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*facts, damage.original, *place, blob(damage.digest), damage.seen_at),
    )


def end_damage(do: Do, number: int, at: int, key: SiteKey) -> None:
    do(
        "UPDATE damage SET state = 'healed', ended_at = ?, healed_key = ? WHERE id = ?",
        (at, to_sql(key), number),
    )


def _stored(row: Sequence[Any]) -> Stored:
    asset, original, site, key, held, size, mtime_ns, is_rendition, at = row
    place = Place(Site(site), SiteKey(from_sql(key)))
    return Stored(
        AssetId(asset), OriginalId(original), place, Digest(held.hex()), size, mtime_ns,
        bool(is_rendition), at,
    )  # fmt: skip


def _damage(row: Sequence[Any]) -> Damage:
    (
        _,
        asset,
        original,
        site,
        key,
        held,
        there,
        what,
        fate,
        seen_at,
        again_at,
        tries,
        ended_at,
        to,
    ) = row
    return Damage(
        AssetId(asset), OriginalId(original), Place(Site(site), SiteKey(from_sql(key))), Digest(held.hex()),
        digest(there), Found(what), Fate(fate), seen_at, again_at, tries, ended_at, from_sql(to or ""),
    )  # fmt: skip
