"""
The truth ladder in words: what is known of an asset on its way over the phone to Google Photos. Pure.

Promises never to say more than somebody saw: an asset stands on a rung when every file of it does.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from mediad.config import Settings
from mediad.model import Asset, OriginalId, Place, Rung, Site, Witness
from mediad.policy.sending import placement_of
from mediad.service.answers import PhoneDoc, PlacementDoc, WitnessDoc
from mediad.service.words import iso, path_of

NOT_PROVEN: Final = "not proven"
_LADDER: Final = tuple(Rung)


def highest(witnesses: tuple[Witness, ...], original: OriginalId) -> Rung | None:
    """The highest rung that was ever seen for one file."""
    seen = {w.rung for w in witnesses if w.original == original}
    return max(seen, key=_LADDER.index, default=None)


def rung_of(asset: Asset) -> Rung | None:
    """The highest rung that every file of the asset has reached; one file that lags behind holds it down."""
    rungs = [highest(asset.witnesses, original) for original in _files(asset)]
    if not rungs or None in rungs:
        return None
    return min((r for r in rungs if r), key=_LADDER.index)


def _files(asset: Asset) -> list[OriginalId]:
    """Those that were sent; of what was never sent, those of which something was seen all the same."""
    placed = [p.original for p in asset.placements]
    return placed or sorted({w.original for w in asset.witnesses})


def phone_doc(asset: Asset, settings: Settings) -> PhoneDoc:
    primary = next(
        (p for o in asset.originals for p in asset.placements if p.original == o.id), None
    )
    rung = rung_of(asset)
    return {
        "rung": rung.value if rung else None,
        "batch": primary.batch if primary else None,
        "key": primary.key if primary else None,
        "version": (primary.version or None) if primary else None,
        "files": list(_placements(asset, settings)),
        "witnesses": [_witness(w) for w in sorted(asset.witnesses, key=_in_order)],
        "google": google(asset),
    }


def _in_order(witness: Witness) -> tuple[int, int]:
    return witness.at, _LADDER.index(witness.rung)


def _placements(asset: Asset, settings: Settings) -> Iterator[PlacementDoc]:
    names = {o.id: o.name for o in asset.originals}
    for placement in asset.placements:
        rung = highest(asset.witnesses, placement.original)
        yield {
            "original": placement.original,
            "film": placement.film,
            "name": names.get(placement.original, placement.key),
            "batch": placement.batch,
            "key": placement.key,
            "path": path_of(Place(Site.PHONE, placement.key), settings),
            "version": placement.version or None,
            "blake3": placement.digest,
            "size": placement.size,
            "rung": rung.value if rung else None,
        }


def _witness(witness: Witness) -> WitnessDoc:
    return {
        "rung": witness.rung.value,
        "at": iso(witness.at),
        "how": witness.how,
        "original": witness.original,
        "detail": dict(witness.detail),
    }


def google(asset: Asset) -> str:
    """What is known of Google Photos: proven, by whom and how; or that nothing is."""
    files = _files(asset)
    seen = _latest(asset, Rung.GOOGLE_HAS)
    having = [original for original in files if original in seen]
    if not having:
        return NOT_PROVEN
    told = "; ".join(dict.fromkeys(_told(seen[original]) for original in having))
    if len(having) < len(files):
        return f"{NOT_PROVEN} for {len(files) - len(having)} of {len(files)} files; for the rest: {told}"
    return f"proven {told}"


def _told(witness: Witness) -> str:
    detail = witness.detail
    at = iso(witness.at)
    match witness.how:
        case "by-hand":
            return (
                f"by the word of {detail.get('who', 'somebody')} at {at}: {detail.get('why', '')}"
            )
        case "takeout":
            return f"by the Takeout export {detail.get('source', '')}, read at {at}"
        case "helper":
            return f"by the helper on the phone, seen at {at}"
        case _:
            return f"by the evidence file {detail.get('source', '')}, seen at {at}"


def _latest(asset: Asset, rung: Rung) -> Mapping[OriginalId, Witness]:
    ordered = sorted((w for w in asset.witnesses if w.rung is rung), key=lambda w: w.at)
    return {w.original: w for w in ordered}


def _joined(asset: Asset) -> Iterator[str]:
    """A motion photo is a file of its own: whatever is known of it says nothing of its halves' own bytes."""
    names = {o.id: o.name for o in asset.originals}
    for placement in dict.fromkeys(placement_of(asset, o.id) for o in asset.originals):
        if placement is not None and placement.film is not None:
            halves = " and ".join(names.get(half, "?") for half in placement.halves)
            yield f"{placement.key} is one motion photo made of {halves}: neither original went as it is"


_SAID: Final = {
    Rung.INDEXED: "Syncthing on this machine lists exactly these bytes, seen {at}",
    Rung.PHONE_HAS: "the phone {has} these bytes, seen {at} ({how})",
    Rung.PHONE_HASH: "the helper on the phone has hashed the file there, the same bytes, seen {at}",
    Rung.PHONE_FREED: "the phone has removed its copy since, seen {at}",
    Rung.PHONE_CHANGED: "the phone has other bytes under that name since, seen {at}",
}


def sentences(asset: Asset) -> Iterator[str]:
    """One a rung that was reached; nothing for what was never on its way to the phone."""
    files = _files(asset)
    if not files:
        return
    yield from _joined(asset)
    is_over = any(w.rung in {Rung.PHONE_FREED, Rung.PHONE_CHANGED} for w in asset.witnesses)
    for rung, text in _SAID.items():
        seen = _latest(asset, rung)
        having = [seen[original] for original in files if original in seen]
        if having:
            last = max(having, key=lambda w: w.at)
            some = f" ({len(having)} of {len(files)} files)" if len(having) < len(files) else ""
            yield text.format(has="had" if is_over else "has", at=iso(last.at), how=last.how) + some
    yield f"Google Photos: {google(asset)}"
