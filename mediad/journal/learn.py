"""What a piece of evidence taught us, written beside the transition that it earned."""

import json
import sqlite3
from collections.abc import Callable

from mediad.journal.rows import blob, inspection_json, to_sql
from mediad.model import AssetId, Copy, Evidence, Original, Place, Rendition, Role
from mediad.state import State

Do = Callable[..., sqlite3.Cursor]


def apply(do: Do, asset: AssetId, evidence: Evidence, then: State) -> None:
    for original in evidence.originals:
        _original(do, original)
    for place in evidence.gone:
        _gone(do, asset, place)
    for copy in evidence.copies:
        _copy(do, copy)
    for rendition in evidence.renditions:
        _rendition(do, rendition)
    _asset(do, asset, evidence, then)


def _original(do: Do, original: Original) -> None:
    seen = original.inspection
    do(
        "UPDATE original SET role = ?, size = ?, mtime_ns = ?, digest = ?, media = ?,"
        " inspection = ?, content_id = ? WHERE id = ?",
        (
            original.role.value, original.size, original.mtime_ns, blob(original.digest),
            seen.media.value if seen and seen.media else None, inspection_json(seen),
            (seen.content_id or None) if seen else None, original.id,
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
        "INSERT INTO copy VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (original, site, key) DO UPDATE"
        " SET digest = excluded.digest, verified_at = excluded.verified_at,"
        " method = excluded.method",
        (
            copy.original, copy.place.site.value, to_sql(copy.place.key), blob(copy.digest),
            copy.verified_at, copy.method,
        ),
    )  # fmt: skip


def _rendition(do: Do, rendition: Rendition) -> None:
    """One row for each recipe: the place is where it is now."""
    do(
        "INSERT INTO rendition VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (original, recipe)"
        " DO UPDATE SET site = excluded.site, key = excluded.key, digest = excluded.digest,"
        " size = excluded.size, figures = excluded.figures",
        (
            rendition.original, rendition.recipe, rendition.place.site.value,
            to_sql(rendition.place.key), blob(rendition.digest), rendition.size,
            json.dumps(dict(rendition.figures), default=str),
        ),
    )  # fmt: skip


def _asset(do: Do, asset: AssetId, evidence: Evidence, then: State) -> None:
    facts: dict[str, object] = {}
    if evidence.kind_now:
        facts["kind"] = evidence.kind_now.value
    if evidence.captured:
        taken = evidence.captured
        facts |= {
            "captured_local": taken.local,
            "captured_offset": taken.offset,
            "captured_source": taken.source,
            "captured_at": taken.at,
        }
    if evidence.keeper is not None:
        facts["keeper"] = evidence.keeper
    if evidence.identity and then is not State.DUPLICATE:  # the keeper has it
        facts["identity"] = blob(evidence.identity)
    if facts:
        columns = ", ".join(f"{name} = ?" for name in facts)
        do(f"UPDATE asset SET {columns} WHERE id = ?", (*facts.values(), asset))  # noqa: S608 - names from above
