"""Photos that look the same, as they are told of: how alike, whether of one burst, and which copy is the better one."""

from collections.abc import Sequence
from typing import Final

from mediad.journal import Listed
from mediad.journal.near import Near
from mediad.model import AssetId, OriginalId
from mediad.policy.likeness import Side, better, is_burst
from mediad.service.near_answers import NearDoc, PairDoc, PairsDoc
from mediad.service.parts import Parts

MOST_AT_ONCE: Final = 500
TOLD: Final = 5  # in a story; the document has all of them


class NearDesk:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def of_asset(self, asset: AssetId) -> list[NearDoc]:
        """The likest first; of one other asset only the likest two files."""
        found: dict[int, NearDoc] = {}
        if self._is_on():
            for pair in await self._parts.journal.near_of(asset):
                doc = _doc(pair if pair.of_one.asset.id == asset else _turned(pair))
                found.setdefault(doc["asset"], doc)
        return list(found.values())

    async def pairs(self, cursor: int | None, limit: int) -> PairsDoc:
        """Every pair, the newest first. A page may be short, or even empty: what was set aside since is left out."""
        if not self._is_on():
            return {"pairs": [], "cursor": None}
        page, rest = await self._parts.journal.near_pairs(cursor, min(limit, MOST_AT_ONCE))
        pairs = [_pair(p) for p in page]
        return {"pairs": pairs, "cursor": None if rest is None else str(rest)}

    def _is_on(self) -> bool:
        dedup = self._parts.loaded().settings.dedup
        return dedup.enabled and dedup.near


def sentences(near: Sequence[NearDoc]) -> list[str]:
    more = [f"and like {len(near) - TOLD} more: mediactl list --near"] if len(near) > TOLD else []
    return [*map(_sentence, near[:TOLD]), *more]


def _sentence(doc: NearDoc) -> str:
    other = f"asset {doc['asset']} ({doc['name']})"
    if doc["burst"]:
        return f"it is of the same burst as {other}: {doc['alike']} of 100 alike"
    best = f"; the better copy is asset {doc['better']}" if doc["better"] is not None else ""
    why = f" ({'; '.join(doc['reasons'])})" if doc["reasons"] else ""
    return (
        f"it looks like {other}: {doc['alike']} of 100 alike{best}{why}; nothing is done about it"
    )


def _pair(near: Near) -> PairDoc:
    return {**_doc(near), "of": near.of_one.asset.id, "of_name": near.of_one.asset.name}


def _doc(near: Near) -> NearDoc:
    one, other = _side(near.of_one, near.one), _side(near.of_other, near.other)
    burst = is_burst(one, other, near.alike)
    best, reasons = (None, ()) if burst else better(one, other)
    return {
        "asset": other.asset.id,
        "name": other.asset.name,
        "alike": near.alike,
        "burst": burst,
        "better": best.asset.id if best else None,
        "reasons": list(reasons),
    }


def _side(of: Listed, original: OriginalId) -> Side:
    return Side(of.asset, next(o for o in of.asset.originals if o.id == original))


def _turned(near: Near) -> Near:
    return Near(near.id, near.other, near.of_other, near.one, near.of_one, near.alike)
