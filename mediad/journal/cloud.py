"""
What is asked of iCloud as the journal knows it: rows, how far the zones are read, and how complete the archive is.

An asset of ours finds what it is in iCloud by its originals; so it does after two assets have become one.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from mediad.journal.rows import OFF, CloudCounts, Listing, Reason, Tally, ZoneRow, from_sql, to_sql
from mediad.model import (
    AssetId,
    CloudRef,
    Kind,
    Remote,
    RemoteFile,
    Resource,
    Site,
)
from mediad.ports import RemoteRow, SelfTest, Zone

Connection = sqlite3.Connection

_COLUMNS: Final = (
    "zone, record, master, change_tag, name, taken_at, added_at, offset_s, is_favourite, is_hidden,"
    " is_deleted, is_ours, kind, flaw, why, is_gone, marked_at, deleted_at, recoverable_until,"
    " replacement_zone, replacement"
)
ROW: Final = f"SELECT {_COLUMNS} FROM cloud_asset WHERE zone = ? AND record = ?"  # noqa: S608 - words from above
OF_MASTER: Final = (
    f"SELECT {_COLUMNS} FROM cloud_asset WHERE zone = ? AND master = ? ORDER BY record"  # noqa: S608 - words from above
)
LEFT: Final = (
    f"SELECT {_COLUMNS} FROM cloud_asset WHERE why <> '' AND zone = ? AND record > ?"  # noqa: S608 - words from above
    " ORDER BY record LIMIT ?"
)
FILES: Final = (
    "SELECT f.resource, f.name, f.size, f.fingerprint, f.original, f.is_proved, f.is_current, o.asset"
    " FROM cloud_file f LEFT JOIN original o ON o.id = f.original"
    " WHERE f.zone = ? AND f.record = ?"
)
ALBUMS: Final = (
    "SELECT m.album FROM cloud_member m LEFT JOIN cloud_album a ON a.zone = m.zone"
    " AND a.record = m.album WHERE m.zone = ? AND m.asset = ? AND coalesce(a.is_gone, 0) = 0"
    " ORDER BY m.album"
)
OF_ASSETS: Final = (
    "SELECT DISTINCT o.asset, f.zone, f.record FROM original o JOIN cloud_file f ON f.original = o.id"
    " WHERE o.asset IN (SELECT value FROM json_each(?)) ORDER BY o.asset, o.role <> 'primary', o.id"
)
UNSEEN: Final = (
    "SELECT zone, record FROM cloud_asset WHERE zone = ? AND seen_at < ? AND is_gone = 0 LIMIT ?"
)
# What is left there for want of anything to fetch, and not by a person's choice.
_UNFIT: Final = "(why = flaw OR NOT EXISTS (SELECT 1 FROM cloud_file f WHERE f.zone = c.zone AND f.record = c.record))"
COUNTS: Final = (
    "SELECT count(*), sum(is_gone = 0 AND why = ''),"  # noqa: S608 - words from above
    f" sum(is_gone = 0 AND why <> '' AND NOT {_UNFIT}), sum(is_gone = 0 AND why <> '' AND {_UNFIT}),"
    " sum(is_gone = 1), sum(is_gone = 0 AND marked_at IS NOT NULL AND deleted_at IS NULL),"
    " sum(deleted_at IS NOT NULL), sum(deleted_at IS NOT NULL AND recoverable_until > ?)"
    " FROM cloud_asset c"
)
_RESOURCES: Final = {r.value: r for r in Resource}
_KINDS: Final = {k.value: k for k in Kind}


# -- rows -------------------------------------------------------------------------------------------


def remotes(db: Connection, refs: Iterable[CloudRef]) -> dict[CloudRef, RemoteRow]:
    found = (db.execute(ROW, _names(*ref)).fetchone() for ref in dict.fromkeys(refs))
    return {row.remote.ref: row for r in found if r for row in [_row(db, r)]}


def of_master(db: Connection, zone: str, master: str) -> list[RemoteRow]:
    rows = db.execute(OF_MASTER, _names(zone, master)).fetchall()
    return [_row(db, r) for r in rows]


def left(db: Connection, zone: str, after: str, limit: int) -> list[RemoteRow]:
    """What is not fetched, by record name."""
    rows = db.execute(LEFT, (*_names(zone, after), limit)).fetchall()
    return [_row(db, r) for r in rows]


def unseen(db: Connection, zone: str, since: int, limit: int) -> list[CloudRef]:
    """Of what is there as far as we know: what no page has named since then."""
    rows = db.execute(UNSEEN, (to_sql(zone), since, limit)).fetchall()
    return [CloudRef(from_sql(z), from_sql(r)) for z, r in rows]


def of_assets(db: Connection, wanted: str) -> dict[int, Remote]:
    """For whole assets: what each of them is in iCloud, after its primary. `wanted`: their ids as JSON."""
    refs: dict[int, CloudRef] = {}
    for asset, zone, record in db.execute(OF_ASSETS, (wanted,)).fetchall():
        refs.setdefault(asset, CloudRef(from_sql(zone), from_sql(record)))
    rows = remotes(db, refs.values()) if refs else {}
    return {asset: rows[ref].remote for asset, ref in refs.items()}


def _row(db: Connection, row: Sequence[Any]) -> RemoteRow:
    ref = CloudRef(from_sql(row[0]), from_sql(row[1]))
    files = db.execute(FILES, _names(*ref)).fetchall()
    albums = [from_sql(a) for (a,) in db.execute(ALBUMS, _names(*ref))]
    return RemoteRow(
        Remote(
            ref=ref,
            master=from_sql(row[2]),
            change_tag=from_sql(row[3]),
            name=from_sql(row[4]),
            taken_at=row[5],
            added_at=row[6],
            offset_s=row[7],
            is_favourite=bool(row[8]),
            is_hidden=bool(row[9]),
            is_deleted=bool(row[10]),
            is_ours=bool(row[11]),
            kind=_KINDS[row[12]],
            files=tuple(_file(f) for f in sorted(files, key=_nth) if f[6]),
            albums=tuple(albums),
            flaw=row[13],
        ),
        why=row[14],
        assets=tuple(sorted({AssetId(f[7]) for f in files if f[7] is not None})),
        is_gone=bool(row[15]),
        marked_at=row[16],
        deleted_at=row[17],
        recoverable_until=row[18],
        replacement=None if row[20] is None else CloudRef(from_sql(row[19]), from_sql(row[20])),
    )


def _nth(row: Sequence[Any]) -> int:
    return list(_RESOURCES).index(row[0])


def _file(row: Sequence[Any]) -> RemoteFile:
    resource, name, size, fingerprint, original, is_proved = row[:6]
    return RemoteFile(
        _RESOURCES[resource], from_sql(name), size, from_sql(fingerprint), original, bool(is_proved)
    )


# -- how far it is read, and what to do with what ----------------------------------------------------


def zones(db: Connection) -> dict[str, ZoneRow]:
    rows = db.execute(
        "SELECT name, owner, token, listing_at, listing_token, listing_rank, listing_hidden,"
        " listed_at FROM cloud_zone ORDER BY name"
    ).fetchall()
    return {zone.zone.name: zone for zone in map(_zone, rows)}


def _zone(row: Sequence[Any]) -> ZoneRow:
    name, owner, token, at, first, rank, hidden, listed_at = row
    return ZoneRow(
        Zone(from_sql(name), from_sql(owner)),
        None if token is None else from_sql(token),
        None if at is None else Listing(at, from_sql(first), rank, bool(hidden)),
        listed_at,
    )


def token(db: Connection) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE key = 'cloud token'").fetchone()
    return from_sql(row[0]) if row and row[0] else None


def filters(db: Connection) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = 'cloud filters'").fetchone()
    return str(row[0]) if row else ""


def ignored(db: Connection, fingerprints: Collection[str]) -> frozenset[str]:
    sql = "SELECT 1 FROM cloud_ignored WHERE fingerprint = ?"
    return frozenset(f for f in fingerprints if db.execute(sql, _names(f)).fetchone())


def album_names(db: Connection, zone: str) -> dict[str, str]:
    """By record name; two albums may have one name."""
    sql = "SELECT record, name FROM cloud_album WHERE zone = ? AND is_gone = 0"
    return {from_sql(r): from_sql(n) for r, n in db.execute(sql, _names(zone))}


def albums_of(db: Connection, refs: Iterable[CloudRef]) -> dict[CloudRef, frozenset[str]]:
    """Record names of the albums that each is in, listed here or not."""
    return {
        ref: frozenset(from_sql(a) for (a,) in db.execute(ALBUMS, _names(*ref)))
        for ref in dict.fromkeys(refs)
    }


def album_for(db: Connection, zone: str, name: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (album_key(zone, name),)).fetchone()
    return from_sql(row[0]) if row else None


def album_key(zone: str, name: str) -> str:
    return "cloud album " + json.dumps([zone, name])


def deletions_since(db: Connection, at: int) -> int:
    sql = "SELECT count(*) FROM cloud_asset WHERE deleted_at >= ?"
    return int(db.execute(sql, (at,)).fetchone()[0])


def count(db: Connection) -> int:
    return int(db.execute("SELECT count(*) FROM cloud_asset WHERE is_gone = 0").fetchone()[0])


def counts(db: Connection, now: int) -> CloudCounts:
    return CloudCounts(*(int(n or 0) for n in db.execute(COUNTS, (now,)).fetchone()))


def selftest(db: Connection) -> SelfTest | None:
    row = db.execute("SELECT value FROM meta WHERE key = 'selftest'").fetchone()
    return SelfTest(**json.loads(row[0])) if row else None


# -- how complete it is -------------------------------------------------------------------------------

# A file is archived when anybody's bytes like these are: those of the asset that it is a duplicate of, too.
_HELD: Final = (
    "EXISTS (SELECT 1 FROM original t CROSS JOIN copy c ON c.original = t.id AND c.site = ?1"
    " AND c.digest = t.digest WHERE t.digest = o.digest)"
)
_FACTS: Final = (
    "SELECT c.zone, c.record,"  # noqa: S608 - words from above
    " CASE WHEN c.taken_at = 0 THEN '' ELSE strftime('%Y-%m',"
    " c.taken_at / 1000 + coalesce(c.offset_s, 0), 'unixepoch') END AS month,"
    " c.kind, c.why, c.flaw, c.is_gone, count(f.resource) AS files, count(o.id) AS ours,"
    f" coalesce(sum({_HELD}), 0) AS held, min(CASE WHEN {_HELD} THEN NULL ELSE o.asset END) AS lacking"
    " FROM cloud_asset c LEFT JOIN cloud_file f ON f.zone = c.zone AND f.record = c.record"
    " AND f.is_current = 1 LEFT JOIN original o ON o.id = f.original"
)
# Where an asset that is not archived stands: what is wrong with it before what is only unfinished.
_STANDS: Final = (
    " LEFT JOIN standing s ON s.asset = x.lacking AND s.lane = (SELECT lane FROM standing"
    " WHERE asset = x.lacking AND lane IN ('intake', 'archive')"
    " ORDER BY mark = 'final' AND lane = 'intake', lane = 'intake' DESC LIMIT 1)"
)
COMPLETENESS: Final = (
    "SELECT month, kind, files > 0 AND held = files AND x.flaw = '' AS is_archived, x.why, x.flaw, is_gone,"  # noqa: S608 - words from above
    " s.state, s.mark, s.code, count(*)"
    f" FROM ({_FACTS} GROUP BY c.zone, c.record) x {_STANDS}"
    " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
)
MISSING: Final = (
    "WITH some AS (SELECT * FROM cloud_asset WHERE (zone, record) > (?2, ?3)"  # noqa: S608 - words from above
    " ORDER BY zone, record LIMIT ?4)"
    " SELECT x.zone, x.record, files = 0 OR held < files OR x.flaw <> '', x.why, x.flaw, is_gone,"
    " s.state, s.mark, s.code, s.why"
    f" FROM ({_FACTS.replace('cloud_asset c', 'some c')} GROUP BY c.zone, c.record) x {_STANDS}"
    " ORDER BY x.zone, x.record"
)
_SLICE: Final = (
    500  # rows looked through at a time: a page costs what it shows, not what the library holds
)


def completeness(db: Connection, site: Site) -> list[Tally]:
    """What iCloud has or had, by month and kind, counted by what keeps it from being at `site`."""
    rows = db.execute(COMPLETENESS, (site.value,)).fetchall()
    return [
        Tally(
            month or "",
            _KINDS[kind],
            bool(is_archived),
            Reason(why, flaw, bool(is_gone), state or "", mark or "", code or ""),
            n,
        )
        for month, kind, is_archived, why, flaw, is_gone, state, mark, code, n in rows
    ]


def missing(
    db: Connection, site: Site, after: CloudRef, limit: int
) -> list[tuple[RemoteRow, Reason]]:
    """Every asset of iCloud that is not whole at `site`, by zone and record name."""
    found: list[tuple[CloudRef, Reason]] = []
    while len(found) < limit:
        rows = db.execute(MISSING, (site.value, *_names(*after), _SLICE)).fetchall()
        if not rows:
            break
        for row in rows:
            after = CloudRef(from_sql(row[0]), from_sql(row[1]))
            if row[2]:
                found.append((after, _reason(row[3:])))
    known = remotes(db, [ref for ref, _ in found[:limit]])
    return [(known[ref], why) for ref, why in found[:limit]]


def _reason(row: Sequence[Any]) -> Reason:
    why, flaw, is_gone, state, mark, code, text = row
    return Reason(why, flaw, bool(is_gone), state or "", mark or "", code or "", text or "")


def _names(*texts: str) -> tuple[str | bytes, ...]:
    return tuple(map(to_sql, texts))


# Whose iCloud lane has ended, though nobody ever moved them to Recently Deleted.
_PASSED = (
    "SELECT DISTINCT o.asset FROM cloud_asset c JOIN cloud_file f ON f.zone = c.zone AND f.record = c.record"
    " JOIN original o ON o.id = f.original"
    " JOIN standing s ON s.asset = o.asset AND s.lane = 'cloud' AND s.state = 'cloud.deleted'"
    " WHERE c.deleted_at IS NULL AND c.is_gone = 0 AND c.is_deleted = 0"
)
_LAST_WORD = (
    "SELECT json_extract(evidence, '$.kind') FROM history WHERE asset = ? AND to_state = 'cloud.deleted'"
    " ORDER BY seq DESC LIMIT 1"
)


def passed_by(db: sqlite3.Connection) -> list[AssetId]:
    """The assets that iCloud still has, and whose lane has only passed because deleting was switched off."""
    return [
        AssetId(asset)
        for (asset,) in db.execute(_PASSED).fetchall()
        if db.execute(_LAST_WORD, (asset,)).fetchone() == (OFF,)
    ]
