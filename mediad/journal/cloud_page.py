"""
What iCloud says, written down: a page's assets, files, albums and token, in one item of the writer.

Nothing here takes a deletion in iCloud for more than a word about iCloud: no file and no original goes by it.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from blake3 import blake3

from mediad.journal.rows import CloudPage, from_sql, to_sql
from mediad.model import CloudRef, Kind, Remote, RemoteFact, RemoteFile, Resource, Role, SiteKey
from mediad.policy.naming import safe_name, split
from mediad.ports import Zone

Do = Callable[..., sqlite3.Cursor]

ROLES: Final = {
    Resource.ORIGINAL: Role.PRIMARY,
    Resource.ALTERNATIVE: Role.RAW,
    Resource.LIVE_VIDEO: Role.LIVE_VIDEO,
    Resource.EDITED: Role.EDITED,
    Resource.EDITED_VIDEO: Role.EDITED,
}
BETWEEN: Final = "-IN-"  # an asset and its album, in the name of its place there
_FIRST: Final = tuple(ROLES)  # an asset's files in this order; the first is its primary

_ASSET: Final = (
    "INSERT INTO cloud_asset (zone, record, master, change_tag, name, taken_at, added_at, offset_s,"
    " is_favourite, is_hidden, is_deleted, is_ours, kind, flaw, why, is_gone, seen_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?11, ?16)"
    " ON CONFLICT (zone, record) DO UPDATE SET master = excluded.master,"
    " change_tag = excluded.change_tag, name = excluded.name, taken_at = excluded.taken_at,"
    " added_at = excluded.added_at, offset_s = excluded.offset_s,"
    " is_favourite = excluded.is_favourite, is_hidden = excluded.is_hidden,"
    " is_deleted = excluded.is_deleted, is_ours = excluded.is_ours, kind = excluded.kind,"
    " flaw = excluded.flaw, why = excluded.why, is_gone = excluded.is_gone,"
    " seen_at = excluded.seen_at"
)
_FILE: Final = (
    "INSERT INTO cloud_file (zone, record, resource, fingerprint, name, size, is_current, is_proved)"
    " VALUES (?, ?, ?, ?, ?, ?, 1, 0) ON CONFLICT (zone, record, resource, fingerprint)"
    " DO UPDATE SET name = excluded.name, size = excluded.size, is_current = 1"
)
_BIND: Final = (
    "UPDATE cloud_file SET original = ? WHERE zone = ? AND record = ? AND resource = ?"
    " AND fingerprint = ?"
)
_PROVED: Final = (
    "UPDATE cloud_file SET is_proved = ? WHERE zone = ? AND record = ? AND resource = ?"
    " AND fingerprint = ? AND original IS NOT NULL"
)


class Due(NamedTuple):
    """Files of an asset in iCloud that are to be fetched, as one asset of ours."""

    ref: CloudRef
    name: str
    kind: Kind
    mtime_ns: int
    files: tuple[RemoteFile, ...]  # the primary first


def write(do: Do, page: CloudPage, now: int) -> list[Due]:
    """All of the page but the assets of ours that follow from it: those are returned."""
    _zone(do, page.zone)
    for album in page.delta.albums:
        do(
            "INSERT INTO cloud_album VALUES (?, ?, ?, ?) ON CONFLICT (zone, record) DO UPDATE"
            " SET name = excluded.name, is_gone = excluded.is_gone",
            (*_names(album.zone, album.record, album.name), album.is_gone),
        )
    for member in page.delta.members:
        do(
            "INSERT OR REPLACE INTO cloud_member VALUES (?, ?, ?, ?)",
            _names(member.zone, member.record, member.asset, member.album),
        )
    for record in page.delta.members_gone:
        do("DELETE FROM cloud_member WHERE zone = ? AND record = ?", _names(page.zone.name, record))
    _vetoed(do, page)
    due = [d for remote, why in page.taken if (d := _remote(do, remote, why, now))]
    for ref in page.delta.gone:
        do("UPDATE cloud_asset SET is_gone = 1 WHERE zone = ? AND record = ?", _names(*ref))
    _progress(do, page)
    return due


def source_key(ref: CloudRef, name: str) -> SiteKey:
    """Below incoming/: a folder that no other asset of iCloud has, and a harmless name."""
    short = safe_name("".join(c for c in ref.record[:8] if c.isascii() and c.isalnum()) or "asset")
    own = blake3(f"{ref.zone}\n{ref.record}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return SiteKey(f".icloud/{short}-{own}/{safe_name(name)}")


def numbered(key: SiteKey, number: int) -> SiteKey:
    """The key that nobody else has, where its own was given before."""
    folder, _, name = key.rpartition("/")
    stem, extension = split(name)
    return SiteKey(f"{folder}/{number}-{stem}{extension}")


def bind(do: Do, ref: CloudRef, file: RemoteFile, original: int) -> None:
    do(_BIND, (original, *_key(ref, file)))


def learn(do: Do, fact: RemoteFact) -> None:
    """What a stage saw of an asset in iCloud."""
    if seen := _seen(fact):
        columns = ", ".join(f"{name} = ?" for name in seen)
        do(
            f"UPDATE cloud_asset SET {columns} WHERE zone = ? AND record = ?",  # noqa: S608 - names from below
            (*seen.values(), *_names(*fact.ref)),
        )
    for is_proved, files in ((1, fact.proved), (0, fact.unproved)):
        for file in files:
            do(_PROVED, (is_proved, *_key(fact.ref, file)))


def _seen(fact: RemoteFact) -> dict[str, object]:
    seen: dict[str, object] = {}
    for name in ("marked_at", "deleted_at"):
        if (at := getattr(fact, name)) is not None:
            seen[name] = at or None
    if fact.recoverable_until is not None:
        seen["recoverable_until"] = fact.recoverable_until
    if fact.change_tag:
        seen["change_tag"] = to_sql(fact.change_tag)
    if fact.replacement is not None:
        seen["replacement_zone"], seen["replacement"] = _names(*fact.replacement)
    return seen


def finish_listing(do: Do, zone: str, at: int) -> None:
    """What changed since its first page comes with that page's token, unless we have read beyond it already."""
    do(
        "UPDATE cloud_zone SET token = coalesce(token, listing_token), listed_at = ?2,"
        " listing_at = NULL, listing_token = NULL, listing_rank = NULL, listing_hidden = NULL"
        " WHERE name = ?1",
        (to_sql(zone), at),
    )


def forget_token(do: Do, zone: str) -> None:
    """Apple takes it no more: the zone is listed anew, from the beginning."""
    do(
        "UPDATE cloud_zone SET token = NULL, listed_at = NULL, listing_at = NULL,"
        " listing_token = NULL, listing_rank = NULL, listing_hidden = NULL WHERE name = ?",
        _names(zone),
    )


def _zone(do: Do, zone: Zone) -> None:
    do(
        "INSERT INTO cloud_zone (name, owner) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
        " SET owner = excluded.owner WHERE excluded.owner <> ''",
        _names(zone.name, zone.owner),
    )


def _vetoed(do: Do, page: CloudPage) -> None:
    """Out of mediad's own album: its days there are void, even where it is back in it before a stage looks again."""
    pairs = [record.partition(BETWEEN) for record in page.delta.members_gone]
    mine = do("SELECT value FROM meta WHERE key LIKE 'cloud album %'").fetchall() if pairs else []
    ours = {from_sql(album) for (album,) in mine}
    for asset, _, album in pairs:
        if album in ours:
            do(
                "UPDATE cloud_asset SET marked_at = NULL WHERE zone = ? AND record = ?",
                _names(page.zone.name, asset),
            )


def _progress(do: Do, page: CloudPage) -> None:
    name = to_sql(page.zone.name)
    if page.token is not None:
        do("UPDATE cloud_zone SET token = ? WHERE name = ?", (to_sql(page.token), name))
    if page.listing is not None:
        on = page.listing
        do(
            "UPDATE cloud_zone SET listing_at = ?, listing_token = ?, listing_rank = ?,"
            " listing_hidden = ? WHERE name = ?",
            (on.at, to_sql(on.token), on.rank, on.hidden, name),
        )


def _remote(do: Do, remote: Remote, why: str, now: int) -> Due | None:
    """None: there is nothing of it to fetch that is not journalled."""
    ref = _names(*remote.ref)
    known = dict(
        do(
            "SELECT resource || ' ' || fingerprint, original FROM cloud_file"
            " WHERE zone = ? AND record = ?",
            ref,
        ).fetchall()
    )
    do(
        _ASSET,
        (
            *ref, *_names(remote.master, remote.change_tag, remote.name), remote.taken_at,
            remote.added_at, remote.offset_s, remote.is_favourite, remote.is_hidden,
            remote.is_deleted, remote.is_ours, remote.kind.value, remote.flaw, why, now,
        ),
    )  # fmt: skip
    do("UPDATE cloud_file SET is_current = 0 WHERE zone = ? AND record = ?", ref)
    for file in remote.files:
        do(_FILE, (*_key(remote.ref, file), to_sql(file.name), file.size))
    new = [f for f in remote.files if known.get(f"{f.resource.value} {f.fingerprint}") is None]
    if why or not new:
        return None
    return Due(
        remote.ref,
        remote.name,
        remote.kind,
        max(remote.taken_at, 0) * 1_000_000,
        tuple(sorted(new, key=lambda f: _FIRST.index(f.resource))),
    )


def _key(ref: CloudRef, file: RemoteFile) -> tuple[str | bytes, ...]:
    return (*_names(*ref), file.resource.value, to_sql(file.fingerprint))


def _names(*texts: str) -> tuple[str | bytes, ...]:
    return tuple(map(to_sql, texts))


def ignore(do: Do, fingerprints: Iterable[str]) -> None:
    for fingerprint in fingerprints:
        do("INSERT OR IGNORE INTO cloud_ignored VALUES (?)", _names(fingerprint))
