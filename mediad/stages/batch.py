"""
Batch: which assets go to the phone together, and the name that each file will have there.

A name is given once and for ever, so it must be free in the journal, on the disk, and in Syncthing's index, which
remembers names long after their files are gone. The very bytes that lie there already, from before a journal was lost,
keep their name. While a batch is open the next one is not made. Motion photos of its batch are made before that is
written down, as nobody knows their bytes before (joining.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Evidence,
    OriginalId,
    Place,
    Placement,
    Site,
    SiteKey,
)
from mediad.policy.batching import Around, Plan, Queued, Rule, plan
from mediad.policy.phone import HOUR_MS, stuck_before
from mediad.policy.phone_names import choices, folded
from mediad.policy.sending import Sent, placement_of, sources
from mediad.ports import Ports
from mediad.stages import lots
from mediad.stages.joining import Joining, Plain, join, planned_with
from mediad.stages.verdict import Act, Done, Leave, Refuse, Stage, Verdict, Wait
from mediad.state import State

LOT_FILES: Final = 512


@dataclass(frozen=True, slots=True)
class Facts:
    now: int
    turn: str = ""  # why it is not its turn; "": it is
    until: int = 0  # its batch waits for more until then; 0: it waits for nothing
    placements: tuple[Placement, ...] = ()  # none: every name it may have is somebody else's
    place_in: tuple[int, int] = (0, 0)  # assets before it in its batch, and in all of it
    joining: Joining | None = None  # what its batch wants for
    plain: Plain | None = None  # why its halves are not joined, though they should be


async def door(io: Ports) -> Wait | None:
    """One batch at a time: the phone is to have the last one before the next is made."""
    settings, now = io.settings, io.clock.now()
    if settings.phone.allow_parallel:
        return None
    patience_ms = int(settings.phone.patience_hours * HOUR_MS)
    open_ = await io.ledger.open_batches(stuck_before(await io.phone.link(), now, patience_ms))
    if not open_:
        return None
    oldest = open_[0]
    confirmed = oldest.files - oldest.pending
    return Wait(
        now + int(settings.syncthing.sweep_seconds * 1000),
        f"batch {oldest.id} is on its way to the phone: {confirmed} of {oldest.files} files confirmed",
    )


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    now = io.clock.now()
    if shut := await door(io):
        return [Facts(now, turn=shut.why)] * len(assets)
    to_go = await planned_with(assets, _plan, io)
    if to_go.wants:
        return [_before(a, to_go.plan, to_go.wants, now) for a in assets]
    planned, files = to_go.plan, to_go.files
    batch = await io.ledger.next_batch()
    chosen = [n for n, a in enumerate(assets) if planned.nth(a.id) is not None]
    named = await _named([assets[n] for n in chosen], [files[n] for n in chosen], io)
    found = dict(zip(chosen, named, strict=True))
    facts = [_facts(asset, planned, batch, found.get(n), now) for n, asset in enumerate(assets)]
    return [
        f if isinstance(f, MediadError) else replace(f, plain=to_go.plain.get(a.id))
        for a, f in zip(assets, facts, strict=True)
    ]


def decide(asset: Asset, facts: Facts) -> Verdict:
    if facts.turn:
        return Wait(facts.until, facts.turn) if facts.until else Leave(facts.turn)
    if facts.joining:
        return Act(facts.joining.what)
    if not facts.placements:
        return Refuse(
            "phone.names_taken",
            f"every name that {asset.name} may have on the phone was given to another file; nothing was placed",
            "look at the files of that name in pixel_sync; move away what is not mediad's, then `mediactl retry`",
        )
    number, files = facts.placements[0].batch, len(facts.placements)
    nth, of = facts.place_in
    return Done(
        Evidence(
            "batch",
            facts.now,
            note=f"batch {number}: {nth} of {of}" + (f"; {facts.plain.why}" if facts.plain else ""),
            code=facts.plain.code if facts.plain else "",
            placements=facts.placements,
            figures={
                "batch": number,
                "files": files,
                "bytes": sum(p.size for p in facts.placements),
            },
        ),
        State.BATCHED,
    )


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the facts say it all
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[MediadError | None]:
    """A batch is made by being written down; only its motion photos are made."""
    return [await join(f.joining, io) for f in facts]


# -- who ----------------------------------------------------------------------------------------


async def _plan(assets: Sequence[Asset], files: Sequence[Sequence[Sent]], io: Ports) -> Plan:
    phone = io.settings.phone
    rule = Rule(
        phone.batch_by,
        phone.batch_files,
        phone.batch_bytes,
        phone.batch_wait_seconds,
        phone.allow_parallel,
    )
    queue = [
        Queued(a.id, len(sending), sum(s.size for s in sending), _since(a))
        for a, sending in zip(assets, files, strict=True)
    ]
    arriving = await io.ledger.arriving()
    return plan(queue, rule, Around(io.clock.now(), arriving, is_cut=len(assets) >= LOT_FILES))


def _before(asset: Asset, planned: Plan, wants: Mapping[AssetId, Joining], now: int) -> Facts:
    """While motion photos are wanted, their whole batch is worked on: it is still one batch afterwards."""
    if asset.id in planned.waiting:
        return Facts(now, turn=planned.why, until=planned.until)
    if joining := wants.get(asset.id):
        return Facts(now, joining=joining)
    return Facts(now, turn="motion photos are being made for the batch before it")


def _since(asset: Asset) -> int:
    """Since when it waits: the last thing that was seen of its bytes is what opened the lane."""
    return max((c.verified_at for c in asset.copies), default=asset.seen_at)


def _facts(
    asset: Asset,
    planned: Plan,
    batch: BatchId,
    named: tuple[Placement, ...] | MediadError | None,
    now: int,
) -> Facts | MediadError:
    nth = planned.nth(asset.id)
    if asset.id in planned.waiting:
        return Facts(now, turn=planned.why, until=planned.until)
    if nth is None or named is None:
        return Facts(now, turn="the batch before it is full: it goes with the next one")
    if isinstance(named, MediadError):
        return named
    members: Sequence[AssetId] = planned.batches[nth]
    number = BatchId(batch + nth)
    return Facts(
        now,
        placements=tuple(replace(p, batch=number) for p in named),
        place_in=(members.index(asset.id) + 1, len(members)),
    )


# -- under which names --------------------------------------------------------------------------


async def _named(
    assets: Sequence[Asset], files: Sequence[tuple[Sent, ...]], io: Ports
) -> list[tuple[Placement, ...] | MediadError]:
    """Each asset's placements, of a batch not yet numbered; empty where all its names are taken."""
    kept = [_kept(a, sending) for a, sending in zip(assets, files, strict=True)]
    wishes = [
        choices(a, [s.member for s in sending], own, {s.original.id for s in sending if s.film})
        for a, sending, own in zip(assets, files, kept, strict=True)
    ]
    found = await _free(wishes, files, [frozenset(k.values()) for k in kept], io)
    times = await _times(assets, files, io)
    return [
        k
        if isinstance(k, MediadError)
        else t
        if isinstance(t, MediadError)
        else _placements(s, k, t)
        for s, k, t in zip(files, found, times, strict=True)
    ]


def _kept(asset: Asset, sending: Iterable[Sent]) -> Mapping[OriginalId, SiteKey]:
    """Bytes that were placed before stay under their name: a late half has joined them."""
    earlier = ((s, placement_of(asset, s.original.id)) for s in sending)
    return {s.original.id: p.key for s, p in earlier if p and p.digest == s.digest}


async def _free(
    wishes: Sequence[Sequence[tuple[SiteKey, ...]]],
    files: Sequence[Sequence[Sent]],
    own: Sequence[frozenset[SiteKey]],
    io: Ports,
) -> list[tuple[SiteKey, ...] | MediadError]:
    """
    Each asset's first choice of which every name is free or its own; empty where none is.

    The second choice is only asked about where the first is taken: every question costs a request a name.
    """
    found: dict[int, tuple[SiteKey, ...] | MediadError] = {}
    claimed: set[str] = set()
    for nth in range(max(map(len, wishes), default=0)):
        open_ = [n for n, w in enumerate(wishes) if n not in found and nth < len(w)]
        asked = [list(zip(wishes[n][nth], files[n], strict=True)) for n in open_]
        taken = await _taken(asked, io) if open_ else ()
        for n, held in zip(open_, taken, strict=True):
            keys = wishes[n][nth]
            names = {folded(k) for k in keys}
            if isinstance(held, MediadError):
                found[n] = held
            elif held <= own[n] and not claimed & names:
                found[n] = keys
                claimed |= names
    return [found.get(n, ()) for n in range(len(wishes))]


async def _taken(
    wishes: Sequence[Sequence[tuple[SiteKey, Sent]]], io: Ports
) -> list[frozenset[SiteKey] | MediadError]:
    """Those of each asset's names that anything was ever placed under, or that lie there, or that Syncthing knows."""
    names = [[k for k, _ in wish] for wish in wishes]
    given = await io.ledger.names_given([k for keys in names for k in keys])
    there = await lots.sight(io.files, [[Place(Site.PHONE, k) for k in keys] for keys in names])
    known = await lots.spread(io.phone.indexed, names)
    lying = [
        ()
        if isinstance(seen, MediadError)
        else [w for w, file in zip(wish, seen, strict=True) if file and w[0] not in given]
        for wish, seen in zip(wishes, there, strict=True)
    ]
    own = await _recognised(lying, io)
    return [
        seen
        if isinstance(seen, MediadError)
        else frozenset(
            k
            for k, file, entry in zip(keys, *seen, strict=True)
            if k in given or file is not None or entry is not None
        )
        - mine
        for keys, seen, mine in zip(names, lots.pair(there, known), own, strict=True)
    ]


async def _recognised(
    lying: Sequence[Sequence[tuple[SiteKey, Sent]]], io: Ports
) -> list[frozenset[SiteKey]]:
    """Under which of these names the very bytes are that would go by them."""
    seen = await lots.read_back(io.files, [[Place(Site.PHONE, k) for k, _ in w] for w in lying])
    return [
        frozenset()
        if isinstance(read, MediadError)
        else frozenset(
            k for (k, s), r in zip(wish, read, strict=True) if r and r.digest == s.digest
        )
        for wish, read in zip(lying, seen, strict=True)
    ]


async def _times(
    assets: Sequence[Asset], files: Sequence[Sequence[Sent]], io: Ports
) -> list[lots.Seen | MediadError]:
    """The files as they are now, wherever they will be taken from: a second name has the first one's time."""
    places = [
        [sources(a, s.original.id, s.digest)[0] for s in sending]
        for a, sending in zip(assets, files, strict=True)
    ]
    return await lots.sight(io.files, places)


def _placements(
    sending: Sequence[Sent], keys: Sequence[SiteKey], times: lots.Seen
) -> tuple[Placement, ...]:
    if not keys:
        return ()
    return tuple(
        Placement(
            s.original.id,
            BatchId(0),
            key,
            s.digest,
            s.size,
            seen.mtime_ns if seen else s.original.mtime_ns,
            film=s.film.id if s.film else None,
        )
        for s, key, seen in zip(sending, keys, times, strict=True)
    )


STAGE: Final = Stage(
    "batch",
    frozenset({State.PHONE_DUE}),
    "batch",
    look,
    decide,
    act,
    needs=frozenset({"syncthing", "phone"}),
    lot_files=LOT_FILES,
    lot_bytes=1 << 62,
    door=door,
    rung_by=frozenset({State.ON_PHONE, State.RELEASED}),
)
