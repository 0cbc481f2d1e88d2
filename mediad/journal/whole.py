"""Whole assets from their rows: a handful of questions for any number of assets."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from mediad.journal.cloud import of_assets
from mediad.journal.rows import (
    Bundle,
    Condition,
    Listed,
    Mark,
    Standing,
    copy_from,
    digest,
    from_sql,
    placement_from,
    to_sql,
    witness_from,
)
from mediad.journal.said import inspection_from
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Digest,
    Kind,
    Original,
    OriginalId,
    Place,
    Rendition,
    Role,
    Site,
    SiteKey,
)
from mediad.state import Lane, Position, State

Connection = sqlite3.Connection

_ASSETS: Final = (
    "SELECT id, name, kind, source, seen_at, identity, captured_local, captured_offset,"
    " captured_source, captured_at, keeper, condition, absorbed_by"
    " FROM asset WHERE id IN (SELECT value FROM json_each(?))"
)
PLACEMENTS: Final = (  # the newest of an original comes last
    "SELECT original, batch, key, digest, size, mtime_ns, version, blocks, film FROM placement"
    " WHERE original IN (SELECT value FROM json_each(?)) ORDER BY original, batch, id"
)
# Of the files as they are placed now, and what Google is known to have whatever became of them since.
WITNESSES: Final = (
    "SELECT original, rung, at, how, detail FROM witness w"
    " WHERE original IN (SELECT value FROM json_each(?)) AND (rung = 'google-has'"
    " OR batch = (SELECT coalesce(max(batch), 0) FROM placement WHERE original = w.original))"
    " ORDER BY original, at"
)
# by a dictionary: an enum's own way to a member costs ten times as much
_STATES: Final = {s.value: s for s in State}
_KINDS: Final = {k.value: k for k in Kind}
_ROLES: Final = {r.value: r for r in Role}


def listed(db: Connection, ids: Sequence[AssetId]) -> list[Listed]:
    """Whole assets in the order asked for; those that do not exist are left out."""
    if not ids:
        return []
    wanted = json.dumps(ids)
    bundle = _bundle(db, wanted)
    standing: dict[int, list[Standing]] = defaultdict(list)
    for row in db.execute(
        "SELECT asset, lane, state, mark, due, attempts, why, code, remedy FROM standing"
        " WHERE asset IN (SELECT value FROM json_each(?))",
        (wanted,),
    ):
        standing[row[0]].append(_standing(row))
    found = {
        row[0]: Listed(
            _asset(row, bundle), Condition(row[11]), row[12], tuple(standing.get(row[0], ()))
        )
        for row in db.execute(_ASSETS, (wanted,))
    }
    return [found[i] for i in ids if i in found]


def placed(db: Connection, ids: Sequence[AssetId]) -> dict[AssetId, tuple[Asset, Position]]:
    """Whole assets and no more than where they stand: what a page of work needs."""
    if not ids:
        return {}
    wanted = json.dumps(ids)
    bundle = _bundle(db, wanted)
    states: dict[int, list[State]] = defaultdict(list)
    for asset, word in db.execute(
        "SELECT asset, state FROM standing WHERE asset IN (SELECT value FROM json_each(?))",
        (wanted,),
    ):
        states[asset].append(_STATES[word])
    return {
        row[0]: (_asset(row, bundle), frozenset(states[row[0]]))
        for row in db.execute(_ASSETS, (wanted,))
    }


def _asset(row: Sequence[Any], bundle: Bundle) -> Asset:
    return Asset(
        id=row[0],
        name=from_sql(row[1]),
        kind=_KINDS[row[2]],
        source=row[3],
        seen_at=row[4],
        originals=tuple(bundle.originals.get(row[0], ())),
        copies=tuple(bundle.copies.get(row[0], ())),
        renditions=tuple(bundle.renditions.get(row[0], ())),
        identity=digest(row[5]),
        captured=None if row[6] is None else Captured(*row[6:10]),
        keeper=row[10],
        placements=tuple(bundle.placements.get(row[0], ())),
        witnesses=tuple(bundle.witnesses.get(row[0], ())),
        remote=bundle.remotes.get(row[0]),
    )


def _bundle(db: Connection, wanted: str) -> Bundle:
    bundle = Bundle()
    owner: dict[int, int] = {}
    for row in db.execute(
        "SELECT id, role, name, source_key, spool_key, size, mtime_ns, digest, inspection, asset, shelf"
        " FROM original WHERE asset IN (SELECT value FROM json_each(?))"
        " ORDER BY role <> 'primary', id",
        (wanted,),
    ):
        owner[row[0]] = row[9]
        bundle.originals[row[9]].append(
            Original(
                OriginalId(row[0]), _ROLES[row[1]], from_sql(row[2]), SiteKey(from_sql(row[3])),
                SiteKey(from_sql(row[4])), row[5], row[6], digest(row[7]), inspection_from(row[8]),
                SiteKey(from_sql(row[10])),
            )
        )  # fmt: skip
    theirs = json.dumps(list(owner))
    for row in db.execute(
        "SELECT original, site, key, digest, verified_at, method FROM copy"
        " WHERE original IN (SELECT value FROM json_each(?))",
        (theirs,),
    ):
        bundle.copies[owner[row[0]]].append(copy_from(row))
    for row in db.execute(
        "SELECT original, recipe, site, key, digest, size, figures FROM rendition"
        " WHERE original IN (SELECT value FROM json_each(?))",
        (theirs,),
    ):
        bundle.renditions[owner[row[0]]].append(_rendition(row))
    bundle.remotes = of_assets(db, wanted)
    for placement in {row[0]: row for row in db.execute(PLACEMENTS, (theirs,))}.values():
        bundle.placements[owner[placement[0]]].append(placement_from(placement))
    for row in db.execute(WITNESSES, (theirs,)):
        bundle.witnesses[owner[row[0]]].append(witness_from(row))
    return bundle


def _rendition(row: Sequence[Any]) -> Rendition:
    place = Place(Site(row[2]), SiteKey(from_sql(row[3])))
    return Rendition(row[0], row[1], place, Digest(row[4].hex()), row[5], json.loads(row[6]))


def _standing(row: Sequence[Any]) -> Standing:
    return Standing(row[0], Lane(row[1]), State(row[2]), Mark(row[3]), *row[4:])


CLAIMED: Final = "SELECT 1 FROM copy WHERE site = ? AND key = ?"


def is_claimed(db: Connection, place: Place) -> bool:
    """Is a copy recorded there, whoever's it is?"""
    return db.execute(CLAIMED, (place.site, to_sql(place.key))).fetchone() is not None
