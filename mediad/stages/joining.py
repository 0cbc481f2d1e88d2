"""
Joining the halves of Live Photos before they go: which of a batch are to be one file, and have to be made first.

Halves that cannot be joined go as two files, and the history says why.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from mediad.errors import MediadError, Refused
from mediad.model import Asset, AssetId, Digest, Place
from mediad.policy.batching import Plan
from mediad.policy.motion import Pair, halves_of, joined, pair_of, pair_that_went
from mediad.policy.sending import Sent, joined_at, sent
from mediad.ports import Halves, Judgement, Ports

HEAD_BYTES: Final = 64 << 10  # of what the one file says of the film, at most
_OWN: Final = ("motion.", "compress.")  # codes that say something of these halves and no others
_UNKNOWN: Final = Digest("")

Files: TypeAlias = list[tuple[Sent, ...]]


class Joining(NamedTuple):
    """What is to be done for one member of a batch before it is one."""

    what: str
    halves: Halves | None = None  # None: nothing for this one, others of its batch want it
    candidate: Place | None = None


class Plain(NamedTuple):
    """Why two halves go as two files."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class ToGo:
    plan: Plan
    files: Files
    wants: Mapping[AssetId, Joining]  # of every member of the planned batches; empty: all is there
    plain: Mapping[AssetId, Plain]


async def planned_with(
    assets: Sequence[Asset],
    plan: Callable[[Sequence[Asset], Files, Ports], Awaitable[Plan]],
    io: Ports,
) -> ToGo:
    """
    The next batches, with every motion photo that there is counted as one file.

    Planned again for each one that turns out to be two files after all: a batch never becomes too large by that.
    """
    settings = io.settings
    apart = [sent(a, renditions=settings.phone_gets_renditions) for a in assets]
    is_wanted = settings.phone.live_pairs == "motion-photo"
    pairs = {
        a.id: pair
        for a, s in zip(assets, apart, strict=True)
        if (pair := pair_of(a, s, wanted=is_wanted))
    }
    plain: dict[AssetId, Plain] = {}
    while True:
        made: dict[AssetId, Judgement | None] = {}
        files = _files(assets, apart, pairs, made)
        planned = await plan(assets, files, io)
        chosen = [a for a in assets if planned.nth(a.id) is not None]
        for asset in chosen:
            if pair := pairs.get(asset.id):
                made[asset.id] = await _judged(asset, pair, io)
        failed = {a: Plain(j.failed, j.why) for a, j in made.items() if j and j.failed}
        if not failed:
            break
        plain |= failed
        pairs = {a: pair for a, pair in pairs.items() if a not in failed}
    is_wanting = any(j is None for j in made.values())
    wants = (
        {a.id: _joining(a, pairs.get(a.id), made.get(a.id)) for a in chosen} if is_wanting else {}
    )
    return ToGo(planned, _files(assets, apart, pairs, made), wants, plain)


async def to_make_again(asset: Asset, io: Ports) -> Joining | None:
    """For a placement that is known, where its bytes are gone before they were placed: both halves still make them."""
    pair = pair_that_went(asset)
    if pair is None or await _judged(asset, pair, io) is not None:  # refused, or not what it was
        return None
    return _joining(asset, pair, None)


async def join(joining: Joining | None, io: Ports) -> MediadError | None:
    if joining is None or joining.halves is None or joining.candidate is None:
        return None
    try:
        async with io.files.promised(joining.candidate.site, joining.halves.size + HEAD_BYTES):
            await io.encoder.join(joining.halves, joining.candidate)
    except Refused as no:  # the encoder's judgement says so too, and that is what is looked at
        return None if no.code.startswith(_OWN) else no
    except MediadError as fault:
        return fault
    return None


def _files(
    assets: Sequence[Asset],
    apart: Sequence[tuple[Sent, ...]],
    pairs: Mapping[AssetId, Pair],
    made: Mapping[AssetId, Judgement | None],
) -> Files:
    return [
        _as_one(s, pair, made.get(a.id)) if (pair := pairs.get(a.id)) else s
        for a, s in zip(assets, apart, strict=True)
    ]


def _as_one(sending: tuple[Sent, ...], pair: Pair, made: Judgement | None) -> tuple[Sent, ...]:
    """Not made yet: as large as its halves are, within a kilobyte or two."""
    digest, size = (made.digest, made.size) if made else (_UNKNOWN, pair.size)
    return joined(sending, pair, digest, size)


async def _judged(asset: Asset, pair: Pair, io: Ports) -> Judgement | None:
    candidate = joined_at(pair.still.original)
    return await io.encoder.judge_joined(halves_of(asset, pair), candidate)


def _joining(asset: Asset, pair: Pair | None, made: Judgement | None) -> Joining:
    if pair is None or made is not None:
        return Joining(f"{asset.name} waits for the motion photos of its batch")
    return Joining(
        f"make one motion photo of {pair.still.original.name} and {pair.film.original.name}",
        halves_of(asset, pair),
        joined_at(pair.still.original),
    )
