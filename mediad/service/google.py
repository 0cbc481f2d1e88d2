"""
What Google Photos has: only ever by somebody's word or by a list of digests, kept with who said so and how.

A digest that is one of ours proves something of the file that has it; a name or a size alone proves nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from mediad.errors import Refused
from mediad.journal import Placed
from mediad.model import Asset, AssetId, Digest, Evidence, OriginalId, Place, Rung, SiteKey, Witness
from mediad.service.parts import Parts
from mediad.service.phone_answers import CandidateDoc, ConfirmedDoc, EvidenceDoc
from mediad.service.words import path_of

MOST: Final = 1000  # entries at once
HOWS: Final = ("takeout", "evidence-file", "helper")
# What a list may say of a file, and which rung that is.
STATES: Final[Mapping[str, Rung]] = {
    "phone-hash": Rung.PHONE_HASH,
    "google-has": Rung.GOOGLE_HAS,
    "backed-up": Rung.GOOGLE_HAS,  # as Google Photos' own database on the phone has it
}
_HEX: Final = frozenset("0123456789abcdef")
_DIGEST_LEN: Final = 64
_FACTS: Final = ("name", "sha256", "sha1")  # of an entry, kept beside the witness


class Entry(NamedTuple):
    """One line of a list, checked."""

    name: str
    digest: Digest
    rung: Rung
    at: int
    detail: Mapping[str, object]


class Google:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def confirm(self, assets: Sequence[AssetId], who: str, why: str) -> ConfirmedDoc:
        """By a person's word: every file of these assets that was ever sent to the phone."""
        if not (who.strip() and why.strip()):
            raise Refused(
                "a word needs a name and a reason: both are kept for ever",
                code="google.nobody",
                remedy='--who "your name" --why "how you know"',
            )
        now = self._parts.ports().clock.now()
        rows: list[tuple[AssetId, Evidence]] = []
        already = 0
        for asset in await self._sent(assets):
            has = _having(asset, Rung.GOOGLE_HAS)
            new = tuple(
                Witness(p.original, Rung.GOOGLE_HAS, now, "by-hand", {"who": who, "why": why, "digest": p.digest})
                for p in asset.placements if p.original not in has
            )  # fmt: skip
            already += len(asset.placements) - len(new)
            if new:
                note = f"{who} says that Google Photos has it: {why}"
                rows.append((asset.id, Evidence("by-hand", now, note=note, witnesses=new)))
        if rows:
            await self._parts.journal.witness(rows)
        return {
            "confirmed": [asset for asset, _ in rows],
            "files": sum(len(evidence.witnesses) for _, evidence in rows),
            "already": already,
        }

    async def _sent(self, assets: Sequence[AssetId]) -> list[Asset]:
        """All of them, or Refused: nobody can say of a file that never left that it has arrived."""
        wanted = list(dict.fromkeys(assets))
        found = [x.asset for x in await self._parts.journal.listed(wanted)]
        if len(found) < len(wanted):
            missing = sorted(set(wanted) - {asset.id for asset in found})
            raise Refused(
                f"there is no asset {missing[0]}; nothing was recorded",
                code="asset.unknown",
                remedy="mediactl list shows what there is",
            )
        for asset in found:
            if not asset.placements:
                raise Refused(
                    f"{asset.name} was never sent to the phone; nothing was recorded",
                    code="google.never_sent",
                    remedy="mediactl explain shows where it stands",
                )
        return found

    async def take(
        self, how: str, source: str, entries: Sequence[Mapping[str, Any]]
    ) -> EvidenceDoc:
        """A page of a list: what it proves is recorded, what is known is left, the rest is said."""
        if how not in HOWS or len(entries) > MOST:
            raise Refused(
                f"a list is one of {', '.join(HOWS)}, with at most {MOST} entries at once",
                code="google.list",
                remedy="mediactl google import does this",
            )
        now = self._parts.ports().clock.now()
        report: EvidenceDoc = {
            "matched": 0, "already": 0, "unknown": 0, "refused": [], "assets": [],
        }  # fmt: skip
        good: list[Entry] = []
        for said in entries:
            entry = _entry(said, how, now)
            if isinstance(entry, Entry):
                good.append(entry)
            else:
                report["refused"].append({"name": str(said.get("name", "")), "why": entry})
        await self._record(how, source, good, report)
        return report

    async def _record(
        self, how: str, source: str, entries: Sequence[Entry], report: EvidenceDoc
    ) -> None:
        owners = await self._parts.journal.of_bytes([e.digest for e in entries])
        ids = {asset for found in owners.values() for asset in found}
        assets = {x.asset.id: x.asset for x in await self._parts.journal.listed(ids)}
        told: set[tuple[OriginalId, Rung]] = set()
        new: dict[AssetId, list[Witness]] = {}
        for entry in entries:
            matches = [
                (asset, original)
                for asset in owners.get(entry.digest, ())
                for original in _proved(assets[asset], entry)
            ]
            fresh = [
                (asset, original)
                for asset, original in matches
                if (original, entry.rung) not in told
                and original not in _having(assets[asset], entry.rung)
            ]
            report["matched" if fresh else "already" if matches else "unknown"] += 1
            for asset, original in fresh:
                told.add((original, entry.rung))
                detail = {**entry.detail, "digest": entry.digest, "source": source}
                new.setdefault(asset, []).append(
                    Witness(original, entry.rung, entry.at, how, detail)
                )
        now = self._parts.ports().clock.now()
        rows = [
            (asset, Evidence(how, now, note=f"told by {source}", witnesses=tuple(seen)))
            for asset, seen in sorted(new.items())
        ]
        if rows:
            await self._parts.journal.witness(rows)
        report["assets"] = [asset for asset, _ in rows]

    async def candidates(self, names: Sequence[str]) -> list[CandidateDoc]:
        """What was sent under these names, and where its bytes can be read: to hash it in another way than ours."""
        keys = [SiteKey(PurePosixPath(name).name) for name in names[:MOST]]
        found = await self._parts.journal.placed_under([k for k in keys if k])
        listed = await self._parts.journal.listed({p.asset for p in found.values()})
        assets = {x.asset.id: x.asset for x in listed}
        return [
            self._candidate(name, found[key], assets[found[key].asset])
            for name, key in zip(names, keys, strict=False)
            if key in found
        ]

    def _candidate(self, name: str, placed: Placed, asset: Asset) -> CandidateDoc:
        digest = placed.placement.digest
        places: list[Place] = [c.place for c in asset.copies if c.digest == digest]
        places += [r.place for r in asset.renditions if r.digest == digest]
        settings = self._parts.loaded().settings
        return {
            "name": name,
            "blake3": digest,
            "size": placed.placement.size,
            "paths": [path for place in places if (path := path_of(place, settings))],
            "rungs": sorted(placed.rungs),
        }


def _having(asset: Asset, rung: Rung) -> frozenset[OriginalId]:
    return frozenset(w.original for w in asset.witnesses if w.rung is rung)


def _proved(asset: Asset, entry: Entry) -> set[OriginalId]:
    """The files that these bytes are. What the phone holds can only be what was sent there."""
    found = {p.original for p in asset.placements if p.digest == entry.digest}
    if entry.rung is Rung.GOOGLE_HAS:
        found |= {o.id for o in asset.originals if o.digest == entry.digest}
    return found


def _entry(said: Mapping[str, Any], how: str, now: int) -> Entry | str:
    """The entry, or why it proves nothing."""
    state = "google-has" if how == "takeout" else said.get("state")
    rung = STATES.get(state) if isinstance(state, str) else None
    if rung is None:
        return f"its state {state!r} says nothing that we know: {', '.join(STATES)}"
    digest = said.get("blake3")
    if not digest:
        return "it has no BLAKE3: a name or a size alone proves nothing"
    if not (isinstance(digest, str) and len(digest) == _DIGEST_LEN and _HEX.issuperset(digest)):
        return "its BLAKE3 is not 64 hex digits"
    at = _when(said.get("at"), now)
    if at is None:
        return "its time cannot be read"
    detail = {k: str(said[k]) for k in _FACTS if said.get(k)}
    return Entry(str(said.get("name", "")), Digest(digest), rung, at, detail)


def _when(said: object, now: int) -> int | None:
    """UTC ms. A time to come is a clock that is wrong: then it is now that we learnt of it."""
    if said is None:
        return now
    if isinstance(said, int) and not isinstance(said, bool):
        return min(said, now) if said > 0 else None
    if not isinstance(said, str):
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(int(moment.timestamp() * 1000), now)
