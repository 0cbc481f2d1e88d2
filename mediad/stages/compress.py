"""
Compress: a smaller rendition of what the library will show, when it is worth it and nothing is lost by it.

Originals are only read. A candidate is rendered, then judged from the disk; what fails a gate is thrown away and the
library gets the original, with the reason in the journal. A Live Photo has renditions of both halves, or of none; one
that the library had before the other half came stays.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar, TypeVarTuple

from mediad.errors import MediadError, Refused
from mediad.model import (
    Asset,
    Evidence,
    Kind,
    Original,
    OriginalId,
    Place,
    Rendition,
    Role,
    Site,
    SiteKey,
)
from mediad.policy.recipes import Untouched, recipe_for
from mediad.policy.tiers import KEEP, Tier, tier_for, told_for_albums, told_for_folder
from mediad.ports import Judgement, Ports, Recipe
from mediad.stages.verdict import Act, Done, Stage, Verdict
from mediad.state import State

MIN_SAVED_BYTES: Final = 64 << 10
VIDEO_FACTOR: Final = (
    1.5  # a film costs minutes of CPU and more of its quality: it must save half as much again
)

T = TypeVar("T")
A = TypeVarTuple("A")


@dataclass(frozen=True, slots=True)
class Part:
    """One original that is not a sidecar. `judged` is None as long as nothing was tried."""

    original: Original
    recipe: Recipe | Untouched
    judged: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    parts: tuple[Part, ...]
    min_saving: float
    at: int


@dataclass(frozen=True, slots=True)
class Why:
    """Why an original goes to the library as it is."""

    code: str
    note: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is still to do, and what came of the rest. Renditions before throwing away, that before the end."""

    render: tuple[tuple[Part, Recipe], ...]
    discard: tuple[tuple[Part, Recipe], ...]
    renditions: tuple[Rendition, ...]
    kept: tuple[tuple[Part, Why], ...]
    standing: tuple[Part, ...]  # halves whose rendition the library had before the other came


def candidate_of(original: Original, recipe: Recipe) -> Place:
    name = f"{original.spool_key}.{recipe.name.replace('/', '-')}{recipe.extension}"
    return Place(Site.SPOOL, SiteKey(f"renditions/{name}"))


async def look(lot: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    return await _each(_look, [(asset, io) for asset in lot])


def decide(asset: Asset, facts: Facts) -> Verdict:
    plan = plan_for(asset, facts)
    if plan.render:
        return Act("render " + ", ".join(f"{p.original.name} as {r.name}" for p, r in plan.render))
    if plan.discard:
        names = ", ".join(p.original.name for p, _ in plan.discard)
        return Act(f"throw away the rendition of {names}")
    notes = [f"{p.original.name} stays as it is: {why.note}" for p, why in plan.kept]
    notes += [
        f"the rendition of {p.original.name} was there before and stays" for p in plan.standing
    ]
    return Done(
        Evidence(
            "judged",
            facts.at,
            note="; ".join(notes),
            code=plan.kept[0][1].code if plan.kept and not plan.renditions else "",
            renditions=plan.renditions,
        ),
        State.COMPRESSED if plan.renditions else State.KEPT,
    )


async def act(
    lot: Sequence[Asset], seen: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    return await _each(_act, [(a, f, io) for a, f in zip(lot, seen, strict=True)])


def plan_for(asset: Asset, facts: Facts) -> Plan:
    """The whole policy: pure, and the same for `decide` and `act`."""
    against = {p.original.id: _against(p, facts.min_saving) for p in facts.parts}
    standing: tuple[Part, ...] = ()
    if asset.kind is Kind.LIVE_PHOTO:
        standing = _bind_halves(asset, facts.parts, against)
    renders: list[tuple[Part, Recipe]] = []
    discards: list[tuple[Part, Recipe]] = []
    renditions: list[Rendition] = []
    kept: list[tuple[Part, Why]] = []
    for part in facts.parts:
        why, recipe, judged = against[part.original.id], part.recipe, part.judged
        if why is not None:
            kept.append((part, why))
            if isinstance(recipe, Recipe) and judged is not None and not judged.is_gone:
                discards.append((part, recipe))
        elif isinstance(recipe, Recipe):
            if judged is None or judged.is_gone:
                renders.append((part, recipe))
            else:
                renditions.append(_rendition(part.original, recipe, judged))
    if asset.kind is Kind.LIVE_PHOTO:  # the still costs a second, the film minutes: still first
        renders = [r for r in renders if r[1].media.is_photo] or renders
    stays = tuple(k for k in kept if k[0] not in standing)
    return Plan(tuple(renders), tuple(discards), tuple(renditions), stays, standing)


def _against(part: Part, min_saving: float) -> Why | None:
    """Why this original should not be replaced in the library by its rendition, as far as is known now."""
    recipe, judged, size = part.recipe, part.judged, part.original.size
    if isinstance(recipe, Untouched):
        return Why(recipe.code, recipe.why)
    if judged is None:
        return None
    if judged.failed:
        return Why(judged.failed, judged.why)
    read = (judged.figures or {}).get("source_digest", part.original.digest)
    if read != part.original.digest:  # rot on our own disk: the copy in the archive is the good one
        return Why("compress.source_changed", "its working copy is not what was hashed")
    saved = size - judged.size
    least = min_saving * (VIDEO_FACTOR if recipe.media.is_video else 1)
    if saved < MIN_SAVED_BYTES or saved < least * size:
        return Why("compress.saving", f"a rendition would save {max(0.0, saved / size):.0%}")
    return None


def _bind_halves(
    asset: Asset, parts: Sequence[Part], against: dict[OriginalId, Why | None]
) -> tuple[Part, ...]:
    """
    When one half of a Live Photo stays as it is, so does the other.

    But not one whose rendition the library has had since before the other half came: those are returned. What binds
    the two is in both files, and nothing in the library gives way to that.
    """
    halves = [p for p in parts if p.original.role in {Role.PRIMARY, Role.LIVE_VIDEO}]
    if not any(against[p.original.id] for p in halves):
        return ()
    shown = {r.original for r in asset.renditions if r.place.site is Site.LIBRARY}
    for part in halves:
        pair = Why("compress.pair", "the other half of the Live Photo stays as it is")
        against[part.original.id] = against[part.original.id] or pair
    return tuple(p for p in halves if p.original.id in shown)


def _rendition(original: Original, recipe: Recipe, judged: Judgement) -> Rendition:
    figures = {
        **(judged.figures or {}),
        "bytes_in": original.size,
        "bytes_out": judged.size,
        "ratio": round(judged.size / original.size, 4),
    }
    place = candidate_of(original, recipe)
    return Rendition(original.id, recipe.name, place, judged.digest, judged.size, figures)


async def _look(asset: Asset, io: Ports) -> Facts:
    now = io.clock.now()
    tier = await _tier(asset, io, now)
    is_live = asset.kind is Kind.LIVE_PHOTO
    parts = [
        Part(
            original,
            tier
            if isinstance(tier, Untouched)
            else recipe_for(
                original.inspection,
                tier,
                io.settings,
                size=original.size,
                is_live_half=is_live and original.role in {Role.PRIMARY, Role.LIVE_VIDEO},
            ),
        )
        for original in asset.originals
        if original.role is not Role.SIDECAR
    ]
    judged = tuple([replace(p, judged=await _judged(p, io)) for p in parts])
    return Facts(judged, io.settings.compress.min_saving, now)


async def _tier(asset: Asset, io: Ports, now: int) -> Tier | Untouched:
    """By its age, or as the person said for the folder or the album that it came in."""
    told, where = await _told(asset, io)
    if told == KEEP:
        return Untouched("compress.told", f"what came in {where} is kept as it is")
    age = tier_for(asset.captured.at if asset.captured else None, now)
    return Tier(told) if told else age


async def _told(asset: Asset, io: Ports) -> tuple[str, str]:
    rules = io.settings.compress
    if asset.source == "folder":
        return told_for_folder(asset.originals[0].source_key, rules.folders)
    if asset.remote is None or not rules.albums:
        return "", ""
    names = await io.ledger.albums(asset.remote.ref.zone)
    return told_for_albums((names.get(a, "") for a in asset.remote.albums), rules.albums)


async def _judged(part: Part, io: Ports) -> Judgement | None:
    if isinstance(part.recipe, Untouched):
        return None
    source = Place(Site.SPOOL, part.original.spool_key)
    return await io.encoder.judge(source, candidate_of(part.original, part.recipe), part.recipe)


async def _act(asset: Asset, facts: Facts, io: Ports) -> None:
    plan = plan_for(asset, facts)
    if not plan.render:
        await io.files.discard([candidate_of(p.original, r) for p, r in plan.discard])
        return
    for part, recipe in plan.render:
        source = Place(Site.SPOOL, part.original.spool_key)
        try:
            await io.encoder.render(source, candidate_of(part.original, recipe), recipe)
        except Refused as no:
            if not no.code.startswith("compress."):
                raise
            return  # the encoder's judgement says so too, and that is what is looked at


async def _each(
    work: Callable[[*A], Awaitable[T]], lot: Sequence[tuple[*A]]
) -> list[T | MediadError]:
    """One after the other: a lot is one asset, and the engine runs several lots. A fault is its member's own."""
    answers: list[T | MediadError] = []
    for member in lot:
        try:
            answers.append(await work(*member))
        except MediadError as fault:
            answers.append(fault)
    return answers


STAGE = Stage(
    "compress",
    frozenset({State.LIBRARY_DUE}),
    "photo",
    look,
    decide,
    act,
    lot_files=1,  # a rendition costs far more than a commit, and no picture should wait for a film
    slowest_bytes_s=5_000,
)
