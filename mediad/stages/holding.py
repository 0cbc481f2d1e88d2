"""
What we hold of photos in iCloud, looked up for one decision: read back from the archive, asked of the phone.

Each of iCloud's files leads to the original that it became, that to its bytes, and the bytes to every place where they
were verified once: of the asset itself, or of the one that it is an exact duplicate of.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import (
    Asset,
    AssetId,
    Copy,
    Original,
    OriginalId,
    Place,
    Placement,
    RemoteFile,
    Rung,
    Site,
)
from mediad.policy.cloud_guard import Case, Held
from mediad.policy.deletion import ANNOUNCED, COUNTED
from mediad.policy.phone import Truth, judge, seen_of
from mediad.policy.sending import is_original, placement_of
from mediad.ports import Ports, RemoteRow
from mediad.stages import lots
from mediad.stages.listing import files_of, listed, places_of

_FREED = frozenset({Rung.PHONE_HAS, Rung.PHONE_FREED})

Copies: TypeAlias = tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one of iCloud's files: what it became here, and where its bytes were verified."""

    file: RemoteFile
    asset: Asset | None = None
    original: Original | None = None
    copies: Copies = ()

    @property
    def placement(self) -> Placement | None:
        return placement_of(self.asset, self.original.id) if self.asset and self.original else None


async def with_holdings(cases: Sequence[Case], io: Ports) -> list[Case | MediadError]:
    """Every case with what was found just now. A place that cannot be asked now is an error of that case alone."""
    twins = [await _twins(c, io) for c in cases]
    rows = [[c.row, *ts] for c, ts in zip(cases, twins, strict=True)]
    assets = await _assets([r for group in rows for r in group], io)
    kept = [[k for r in group for k in _kept(r, assets)] for group in rows]
    places = [[c.place for k in ks for c in k.copies if _is_readable(c)] for ks in kept]
    read = await lots.read_back(io.files, places)
    fresh = lots.each(lambda pair: _confirmed(*pair), lots.pair(kept, read))
    marks = await lots.spread(io.cloud.fingerprints, lots.each(_archived, fresh))
    phone = await _on_phone(
        [k for c, ks in zip(cases, kept, strict=True) for k in ks if c.rules.has_phone], io
    )
    found = lots.each(
        lambda p: _held(p[0], *p[1], phone, io.clock.now()),
        lots.pair(kept, lots.pair(fresh, marks)),
    )
    return lots.each(lambda p: _whole(*p), lots.pair(list(zip(cases, rows, strict=True)), found))


async def _twins(case: Case, io: Ports) -> list[RemoteRow]:
    mine = case.row.remote
    found = await io.ledger.remotes_of_master(mine.ref.zone, mine.master)
    return [r for r in found if r.remote.ref != mine.ref]


async def _assets(rows: Iterable[RemoteRow], io: Ports) -> Mapping[AssetId, Asset]:
    """With those that they are duplicates of."""
    found: dict[AssetId, Asset] = {}
    wanted = [a for r in rows for a in r.assets]
    while wanted:
        asset = await io.ledger.asset(wanted.pop())
        if asset is not None and asset.id not in found:
            found[asset.id] = asset
            wanted += [asset.keeper] if asset.keeper is not None else []
    return found


def _kept(row: RemoteRow, assets: Mapping[AssetId, Asset]) -> list[Kept]:
    return [
        _of_file(f, [assets[a] for a in row.assets if a in assets], assets)
        for f in row.remote.files
    ]


def _of_file(file: RemoteFile, mine: Sequence[Asset], assets: Mapping[AssetId, Asset]) -> Kept:
    pairs = ((a, o) for a in mine for o in a.originals if o.id == file.original)
    asset, original = next(pairs, (None, None))
    if asset is None or original is None or original.digest is None:
        return Kept(file)
    keeper = assets.get(asset.keeper) if asset.keeper is not None else None
    copies = [c for a in (asset, keeper) if a for c in a.copies]
    return Kept(
        file,
        asset,
        original,
        tuple(c for c in copies if c.digest == original.digest and c.place.site in COUNTED),
    )


def _is_readable(copy: Copy) -> bool:
    return copy.place.site is not Site.PHONE


def _confirmed(kept: Sequence[Kept], read: lots.Seen) -> list[Copies]:
    """Of each file: the copies that gave its bytes back just now."""
    answers = iter(read)
    return [
        tuple(
            replace(c, method=s.method)
            for c in k.copies
            if _is_readable(c)
            if (s := next(answers)) is not None and s.digest == c.digest
        )
        for k in kept
    ]


def _archived(fresh: Sequence[Copies]) -> list[Place]:
    return [c.place for copies in fresh for c in copies if c.place.site is Site.ARCHIVE]


def _held(
    kept: Sequence[Kept],
    fresh: Sequence[Copies],
    marks: Sequence[str | None],
    phone: Mapping[OriginalId, bool],
    now: int,
) -> list[Held]:
    answers = iter(marks)
    held = []
    for k, copies in zip(kept, fresh, strict=True):
        told = tuple(next(answers) or "" for c in copies if c.place.site is Site.ARCHIVE)
        mine = k.original.id if k.original else None
        there = _announced(k) if mine is not None and phone.get(mine) else ()
        seen = tuple(replace(c, verified_at=now) for c in (*copies, *there))
        digest = k.original.digest if k.original else None
        held.append(Held(k.file, digest, k.copies, seen, told, mine in phone))
    return held


def _announced(kept: Kept) -> Copies:
    """What lies on the phone at this moment is a copy, if it is the original's bytes."""
    placement = kept.placement
    if placement is None or kept.asset is None or not is_original(kept.asset, placement):
        return ()
    place = Place(Site.PHONE, placement.key)
    return tuple(replace(c, method=ANNOUNCED) for c in kept.copies if c.place == place)


def _whole(pair: tuple[Case, Sequence[RemoteRow]], held: Sequence[Held]) -> Case:
    case, rows = pair
    rest = iter(held)
    groups = [(r, tuple(next(rest) for _ in r.remote.files)) for r in rows]
    return replace(case, held=groups[0][1], twins=tuple(groups[1:]))


async def _on_phone(kept: Sequence[Kept], io: Ports) -> Mapping[OriginalId, bool]:
    """The originals that the phone has (True), or had and has freed (False). One that cannot be asked has none."""
    sent = {k.original.id: (k.asset, k.placement) for k in kept if k.asset and k.original}
    known = {
        o: False
        for o, (asset, placement) in sent.items()
        if placement and seen_of(placement, asset.witnesses) >= _FREED
    }
    placements = [p for _, p in sent.values() if p]
    if not placements:
        return known
    try:
        return {**known, **await _announced_now(placements, io)}
    except (Retryable, NeedsOperator, Refused):
        return known


async def _announced_now(sent: Sequence[Placement], io: Ports) -> dict[OriginalId, bool]:
    link = await io.phone.link()
    seen = await lots.sight(io.files, [[p] for p in places_of(sent)])
    files = lots.each(lambda pair: files_of([pair[0]], pair[1]), lots.pair(list(sent), seen))
    return {
        f.placement.original: True
        for group in await listed(files, io)
        for f in (() if isinstance(group, MediadError) else group)
        if judge(f.placement, f.said, f.there, link.short).truth is Truth.CONFIRMED
    }
