"""Is everything that iCloud has at home, and proved? Month by kind, and each that is missing with its reason."""

from typing import Final

from mediad.errors import Refused
from mediad.journal import Journal, Reason
from mediad.model import CloudRef, Remote
from mediad.policy.completeness import grid, reason, total
from mediad.ports import RemoteRow
from mediad.service.cloud_answers import CompletenessDoc, MissingAssetDoc
from mediad.service.words import iso

PAGE: Final = 200
MOST: Final = 1000
_BETWEEN: Final = "/"  # a zone's name has none
_MINUTE: Final = 60_000


async def completeness(journal: Journal, cursor: str, limit: int) -> CompletenessDoc:
    """The grid is of everything; what is missing comes in pages, in the order of the record names."""
    _, zones = await journal.cloud_tokens()
    unlisted = sorted(name for name, zone in zones.items() if zone.listed_at is None)
    cells = grid(await journal.completeness())
    whole = total(cells)
    most = min(limit, MOST)
    page = await journal.missing(_after(cursor), most) if most else []
    last = page[-1][0].remote.ref if page and len(page) == most else None
    return {
        "complete": bool(zones) and not unlisted and whole.archived == whole.listed,
        "unlisted": unlisted,
        "grid": [
            {
                "month": c.month, "kind": c.kind.value, "listed": c.listed, "journalled": c.journalled,
                "archived": c.archived, "reasons": dict(c.missing),
            }
            for c in cells
        ],
        "sums": {
            "listed": whole.listed, "journalled": whole.journalled, "archived": whole.archived,
            "missing": whole.listed - whole.archived, "reasons": dict(whole.missing),
        },
        "missing": [_missing(*row) for row in page],
        "cursor": None if last is None else f"{last.zone}{_BETWEEN}{last.record}",
    }  # fmt: skip


def _after(cursor: str) -> CloudRef:
    zone, between, record = cursor.partition(_BETWEEN)
    if cursor and not (zone and between):
        raise Refused(
            f"{cursor!r} is no cursor",
            code="request.cursor",
            remedy="give back what the last page gave",
        )
    return CloudRef(zone, record)


def _missing(row: RemoteRow, why: Reason) -> MissingAssetDoc:
    remote = row.remote
    return {
        "zone": remote.ref.zone,
        "record": remote.ref.record,
        "name": remote.name,
        "month": _month(remote),
        "kind": remote.kind.value,
        "asset": row.assets[0] if row.assets else None,
        "why": reason(why),
        "code": why.code,
        "detail": why.text,
    }


def _month(remote: Remote) -> str:
    """By the clock on the wall where it was taken, as the grid has it."""
    if not remote.taken_at:
        return ""
    return iso(remote.taken_at // _MINUTE * _MINUTE + (remote.offset_s or 0) * 1000)[:7]
