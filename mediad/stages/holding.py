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
    Digest,
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
Family: TypeAlias = tuple[Asset, ...]  # an asset, and the one that it is an exact duplicate of


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one of iCloud's files: what it became here, and where its bytes were verified."""

    file: RemoteFile
    originals: tuple[
        tuple[Asset, Original], ...
    ] = ()  # its own, then its keeper's of the same bytes
    copies: Copies = ()

    @property
    def digest(self) -> Digest | None:
        return self.originals[0][1].digest if self.originals else None

    @property
    def sent(self) -> tuple[tuple[Asset, Placement], ...]:
        """Where its bytes, or a rendition of them, were placed for the phone."""
        placed = ((a, placement_of(a, o.id)) for a, o in self.originals)
        return tuple((a, p) for a, p in placed if p is not None)


async def with_holdings(cases: Sequence[Case], io: Ports) -> list[Case | MediadError]:
    """Every case with what was found just now. A place that cannot be asked now is an error of that case alone."""
    twins = [await _twins(c, io) for c in cases]
    rows = [[c.row, *ts] for c, ts in zip(cases, twins, strict=True)]
    assets = await _assets([r for group in rows for r in group], io)
    kept = [[k for r in group for k in _kept(r, assets)] for group in rows]
    places = [[c.place for k in ks for c in k.copies if _is_readable(c)] for ks in kept]
    read = await lots.reread(io.files, places)
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


async def _assets(rows: Iterable[RemoteRow], io: Ports) -> Mapping[AssetId, Family]:
    """Each of them, with the one that it is a duplicate of."""
    found: dict[AssetId, Family] = {}
    for wanted in dict.fromkeys(a for r in rows for a in r.assets):
        asset = await io.ledger.asset(wanted)
        if asset is not None:
            keeper = await io.ledger.keeper(wanted) if asset.keeper is not None else None
            found[wanted] = (asset, keeper.asset) if keeper else (asset,)
    return found


def _kept(row: RemoteRow, families: Mapping[AssetId, Family]) -> list[Kept]:
    return [
        _of_file(f, [families[a] for a in row.assets if a in families]) for f in row.remote.files
    ]


def _of_file(file: RemoteFile, mine: Sequence[Family]) -> Kept:
    """Never by a row: whose bytes are not these holds nothing of it, keeper or not."""
    became = ((f, o) for f in mine for o in f[0].originals if o.id == file.original)
    family, own = next(became, ((), None))
    if own is None or own.digest is None:
        return Kept(file)
    same = [(a, o) for a in family for o in a.originals if o.digest == own.digest and o != own]
    copies = [c for a in family for c in a.copies]
    return Kept(
        file,
        ((family[0], own), *same),
        tuple(c for c in copies if c.digest == own.digest and c.place.site in COUNTED),
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
        seen = tuple(replace(c, verified_at=now) for c in (*copies, *_announced(k, phone)))
        is_there = any(p.original in phone for _, p in k.sent)
        holders = tuple(dict.fromkeys(a.id for a, _ in k.originals))
        held.append(Held(k.file, k.digest, k.copies, seen, told, is_there, holders))
    return held


def _announced(kept: Kept, phone: Mapping[OriginalId, bool]) -> Copies:
    """What lies on the phone at this moment is a copy, if it is the original's bytes."""
    there = {
        Place(Site.PHONE, p.key)
        for a, p in kept.sent
        if phone.get(p.original) and is_original(a, p)
    }
    return tuple(replace(c, method=ANNOUNCED) for c in kept.copies if c.place in there)


def _whole(pair: tuple[Case, Sequence[RemoteRow]], held: Sequence[Held]) -> Case:
    case, rows = pair
    rest = iter(held)
    groups = [(r, tuple(next(rest) for _ in r.remote.files)) for r in rows]
    return replace(case, held=groups[0][1], twins=tuple(groups[1:]))


async def _on_phone(kept: Sequence[Kept], io: Ports) -> Mapping[OriginalId, bool]:
    """The originals that the phone has (True), or had and has freed (False). One that cannot be asked has none."""
    sent = {p.original: (a, p) for k in kept for a, p in k.sent}
    known = {
        o: False
        for o, (asset, placement) in sent.items()
        if seen_of(placement, asset.witnesses) >= _FREED
    }
    placements = [p for _, p in sent.values()]
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
