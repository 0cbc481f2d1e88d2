"""What a piece of evidence taught us, written beside the transition that it earned."""

import json
import sqlite3
from collections.abc import Callable
from typing import Final

from mediad.journal import cloud_page
from mediad.journal.rows import blob, to_sql
from mediad.journal.said import inspection_json
from mediad.model import (
    AssetId,
    Captured,
    Copy,
    Evidence,
    Original,
    Place,
    Placement,
    Rendition,
    Role,
    Site,
    Witness,
)
from mediad.policy.phone_names import folded
from mediad.state import State

Do = Callable[..., sqlite3.Cursor]

# Only these may put another date in the place of one that a person has decided.
BY_PERSON: Final = frozenset({"redated", "taken back"})
PERSON: Final = "person"

PLACE: Final = (
    "INSERT INTO placement (original, batch, key, folded, digest, size, mtime_ns, version,"
    " blocks, placed_at, film) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folded) DO UPDATE"
    " SET original = excluded.original, batch = max(batch, excluded.batch),"
    " key = excluded.key, digest = excluded.digest, size = excluded.size,"
    " mtime_ns = excluded.mtime_ns, version = excluded.version, blocks = excluded.blocks,"
    " film = excluded.film,"
    " placed_at = CASE WHEN excluded.version = '' OR placed_at IS NULL"
    " OR excluded.batch > batch THEN excluded.placed_at ELSE placed_at END"
)
WITNESS: Final = (
    "INSERT INTO witness (original, at, rung, how, detail, batch) VALUES (?1, ?2, ?3, ?4, ?5,"
    " (SELECT coalesce(max(batch), 0) FROM placement WHERE original = ?1)) ON CONFLICT DO NOTHING"
)


def apply(do: Do, asset: AssetId, evidence: Evidence, then: State | None) -> None:
    """`then`: where the asset goes with it; None: nowhere."""
    for original in evidence.originals:
        _original(do, original)
    for place in evidence.gone:
        _gone(do, asset, place)
    for copy in evidence.copies:
        _copy(do, copy)
    for rendition in evidence.renditions:
        _rendition(do, rendition, evidence.at)
    for placement in evidence.placements:
        _placement(do, placement, evidence.at)
    for witness in evidence.witnesses:
        _witness(do, witness)
    for fact in evidence.remotes:
        cloud_page.learn(do, fact)
    _asset(do, asset, evidence, then)


def _original(do: Do, original: Original) -> None:
    seen = original.inspection
    do(
        "UPDATE original SET role = ?, size = ?, mtime_ns = ?, digest = ?, media = ?,"
        " inspection = ?, content_id = ?, shelf = ? WHERE id = ?",
        (
            original.role.value, original.size, original.mtime_ns, blob(original.digest),
            seen.media.value if seen and seen.media else None, inspection_json(seen),
            (seen.content_id or None) if seen else None, to_sql(original.shelf), original.id,
        ),
    )  # fmt: skip
    if original.role is Role.PRIMARY:
        do(
            "UPDATE asset SET name = ?2 WHERE id = (SELECT asset FROM original WHERE id = ?1)"
            " AND name <> ?2",
            (original.id, to_sql(original.name)),
        )


def _gone(do: Do, asset: AssetId, place: Place) -> None:
    for table in ("copy", "rendition"):
        do(
            f"DELETE FROM {table} WHERE site = ? AND key = ?"  # noqa: S608 - two literals
            " AND original IN (SELECT id FROM original WHERE asset = ?)",
            (place.site.value, to_sql(place.key), asset),
        )


def _copy(do: Do, copy: Copy) -> None:
    do(
        "INSERT INTO copy (original, site, key, digest, verified_at, method)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (original, site, key) DO UPDATE"
        " SET digest = excluded.digest, verified_at = excluded.verified_at,"
        " method = excluded.method",
        (
            copy.original, copy.place.site.value, to_sql(copy.place.key), blob(copy.digest),
            copy.verified_at, copy.method,
        ),
    )  # fmt: skip


def _rendition(do: Do, rendition: Rendition, at: int) -> None:
    """One row for each recipe: the place is where it is now. What is told of the library was read back there."""
    do(
        "INSERT INTO rendition (original, recipe, site, key, digest, size, figures, read_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (original, recipe)"
        " DO UPDATE SET site = excluded.site, key = excluded.key, digest = excluded.digest,"
        " size = excluded.size, figures = excluded.figures, read_at = excluded.read_at, read_how = NULL",
        (
            rendition.original, rendition.recipe, rendition.place.site.value,
            to_sql(rendition.place.key), blob(rendition.digest), rendition.size,
            json.dumps(dict(rendition.figures), default=str),
            at if rendition.place.site is Site.LIBRARY else None,
        ),
    )  # fmt: skip


def _placement(do: Do, placement: Placement, at: int) -> None:
    """
    One row for each name that was ever given. Told again, it is as it is known now, in the newest of its batches.

    The schema keeps a name from going to another original, and from standing for other bytes.
    """
    do("INSERT INTO batch VALUES (?, ?) ON CONFLICT (id) DO NOTHING", (placement.batch, at))
    key = to_sql(placement.key)
    do(
        PLACE,
        (
            placement.original, placement.batch, key, to_sql(folded(placement.key)),
            blob(placement.digest), placement.size, placement.mtime_ns, placement.version,
            placement.blocks, at if placement.version else None, placement.film,
        ),
    )  # fmt: skip


def _witness(do: Do, witness: Witness) -> None:
    """With the batch that it was seen of: what was true of a file says nothing of it once it is placed anew."""
    detail = json.dumps(dict(witness.detail), sort_keys=True, default=str)
    do(
        WITNESS,
        (witness.original, witness.at, witness.rung.value, witness.how, detail),
    )


def _asset(do: Do, asset: AssetId, evidence: Evidence, then: State | None) -> None:
    facts: dict[str, object] = {}
    if evidence.kind_now:
        facts["kind"] = evidence.kind_now.value
    if evidence.keeper is not None:
        facts["keeper"] = evidence.keeper
    if evidence.identity and then is not State.DUPLICATE:  # the keeper has it
        facts["identity"] = blob(evidence.identity)
    if evidence.captured:
        _captured(do, asset, evidence.captured, is_order=evidence.kind in BY_PERSON)
    if facts:
        columns = ", ".join(f"{name} = ?" for name in facts)
        do(f"UPDATE asset SET {columns} WHERE id = ?", (*facts.values(), asset))  # noqa: S608 - names from above


def _captured(do: Do, asset: AssetId, taken: Captured, *, is_order: bool) -> None:
    """What a person has decided stays, whatever a later look into the files believes. An empty one: none is known."""
    values = (taken.local, taken.offset, taken.source, taken.at) if taken.local else (None,) * 4
    do(
        "UPDATE asset SET captured_local = ?, captured_offset = ?, captured_source = ?,"
        " captured_at = ? WHERE id = ? AND (? OR captured_source IS NOT ?)",
        (*values, asset, is_order, PERSON),
    )
