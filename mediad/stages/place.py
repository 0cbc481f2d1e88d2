"""
Place: the files of a batch lie in the shared folder under their names, and Syncthing here lists exactly these bytes.

Whole or not at all, by a verified copy, or by a second name where the archive has its own; then Syncthing is told of
just these names. What it lists is bound to what was read back: from then on its version of a file stands for these
bytes and no others. A motion photo that was made for this is then thrown away: it can be made again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from mediad.errors import MediadError
from mediad.model import Asset, Digest, Evidence, Place, Placement, Rung, Witness
from mediad.policy.sending import is_original, joined_at, placements, sources
from mediad.ports import Ports, Put
from mediad.stages import lots
from mediad.stages.joining import Joining, join, to_make_again
from mediad.stages.listing import Files, bound, files_of, have_scanned, listed, places_of
from mediad.stages.placing import may_link
from mediad.stages.verdict import Act, Ask, Done, Refuse, Stage, Verdict
from mediad.state import State


@dataclass(frozen=True, slots=True)
class Facts:
    files: Files
    now: int
    spare: tuple[Place, ...] = ()  # motion photos that were made for this, and are still there
    again: Joining | None = None  # one that was made for this, and is nowhere any more

    @property
    def lost(self) -> Files:
        return tuple(f for f in self.files if f.there is None and f.source is None)

    @property
    def is_motion_lost(self) -> bool:
        return any(f.placement.film is not None for f in self.lost)


class At(NamedTuple):
    """A file of the lot."""

    asset: int
    file: int


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    wanted = [placements(a) for a in assets]
    seen = await lots.read_back(io.files, [places_of(ps) for ps in wanted])
    files = lots.each(lambda pair: files_of(*pair), lots.pair(wanted, seen))
    files = await _with_sources(assets, files, io)
    # What is not whole yet is no question for Syncthing.
    whole = lots.each(lambda fs: fs if all(f.there for f in fs) else (), files)
    known = await bound(await listed(whole, io), io)
    made = lots.each(lambda p: _made(*p), lots.pair(list(assets), wanted))
    spare = lots.pair(made, await lots.sight(io.files, made))
    now = io.clock.now()
    facts = lots.each(
        lambda p: Facts(p[0][1] or p[0][0], now, _there(*p[1])),
        lots.pair(lots.pair(files, known), spare),
    )
    return [
        replace(f, again=await to_make_again(a, io))
        if isinstance(f, Facts) and f.is_motion_lost
        else f
        for a, f in zip(assets, facts, strict=True)
    ]


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.files:
        return Refuse(
            "phone.no_batch",
            f"{asset.name} is in no batch: that stage was skipped, so its files have no names on the phone",
            f"`mediactl skip {asset.id} --stage place --why …`, then verify, to leave the phone out for it",
        )
    if taken := next((f for f in facts.files if f.is_other), None):
        return Refuse(
            "phone.taken",
            f"other bytes lie under pixel_sync/{taken.placement.key}, the name given to a file of {asset.name};"
            " nothing was overwritten",
            "look at that file; move it out of pixel_sync, then `mediactl retry`",
        )
    if facts.lost and not facts.again:
        return _lost(asset, facts.lost[0].placement)
    if any(f.there is None for f in facts.files):
        placing = f"place {asset.name} in pixel_sync as {facts.files[0].placement.key}"
        return Act(facts.again.what if facts.again else placing)
    if not all(f.entry for f in facts.files) or facts.spare:
        return Act(f"have Syncthing look at {facts.files[0].placement.key}")
    return Done(_evidence(facts), State.PLACED)


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    errors: list[MediadError | None] = [await join(f.again, io) for f in facts]
    for place, is_link in ((io.files.link, True), (io.files.copy, False)):
        puts = [
            [p for p in _puts(f) if may_link(a, p) is is_link] if e is None else []
            for a, f, e in zip(assets, facts, errors, strict=True)
        ]
        if any(puts):
            placed = await lots.place_each(place, puts)
            errors = [e or x for e, x in zip(errors, placed, strict=True)]
    well = [fs.files if e is None else () for fs, e in zip(facts, errors, strict=True)]
    # What has only just come is told of, and seen to be listed by the look that follows.
    if fresh := [f.placement.key for files in well for f in files if f.source]:
        await io.phone.scan(fresh)
    await io.files.discard(_spare(facts, errors))
    missed = [tuple(f for f in files if f.there and f.entry is None) for files in well]
    answers = await have_scanned(missed, io)
    return [lots.look_again(e or a) for e, a in zip(errors, answers, strict=True)]


# -- what is seen -------------------------------------------------------------------------------


async def _with_sources(
    assets: Sequence[Asset], files: Sequence[Files | MediadError], io: Ports
) -> list[Files | MediadError]:
    """For what is not there yet, the first place that gives back the right bytes."""
    wanted: dict[At, Digest] = {}
    places: dict[At, tuple[Place, ...]] = {}
    for n, (asset, group) in enumerate(zip(assets, files, strict=True)):
        for m, file in enumerate(() if isinstance(group, MediadError) else group):
            if file.there is None:
                placement = file.placement
                wanted[At(n, m)] = placement.digest
                places[At(n, m)] = sources(asset, placement.original, placement.digest)
    good = await _first_good(wanted, places, io)
    return [
        g
        if isinstance(g, MediadError)
        else tuple(replace(f, source=good.get(At(n, m))) for m, f in enumerate(g))
        for n, g in enumerate(files)
    ]


async def _first_good(
    wanted: Mapping[At, Digest], places: Mapping[At, tuple[Place, ...]], io: Ports
) -> dict[At, Place]:
    found: dict[At, Place] = {}
    for nth in range(max(map(len, places.values()), default=0)):
        asked = {at: ps[nth] for at, ps in places.items() if at not in found and nth < len(ps)}
        read = await io.files.read_back(list(asked.values())) if asked else ()
        for (at, place), seen in zip(asked.items(), read, strict=True):
            if seen and not isinstance(seen, MediadError) and seen.digest == wanted[at]:
                found[at] = place
    return found


def _made(asset: Asset, wanted: Sequence[Placement]) -> list[Place]:
    """Where what was made for these placements lies until they are filled."""
    of = {p.original for p in wanted if p.film is not None}
    return [joined_at(o) for o in asset.originals if o.id in of]


def _there(made: Sequence[Place], seen: lots.Seen) -> tuple[Place, ...]:
    return tuple(p for p, s in zip(made, seen, strict=True) if s is not None)


# -- what it means ------------------------------------------------------------------------------


def _lost(asset: Asset, placement: Placement) -> Ask:
    if is_original(asset, placement):
        return Ask(
            "phone.lost",
            f"no good copy of what was to go to the phone as {placement.key} is to be found: is there a backup?",
            f"`mediactl explain {asset.id}` says where it was; put it back there, then `mediactl retry`",
        )
    return Ask(
        "phone.lost",
        f"what was made of {asset.name} to go to the phone as {placement.key} is gone, and cannot be made again as"
        " it was; it is no original: shall this one stay off the phone?",
        f"`mediactl skip {asset.id} --stage place --why …`, then verify, leaves the phone out for it;"
        f" `mediactl explain {asset.id}` says where its originals are",
    )


def _spare(facts: Sequence[Facts], errors: Sequence[MediadError | None]) -> list[Place]:
    """What was just copied whole into the shared folder, or lies there from before a crash."""
    return [
        p
        for f, e in zip(facts, errors, strict=True)
        if e is None and f.again is None
        for p in f.spare
    ]


def _puts(facts: Facts) -> list[Put]:
    return [
        Put(f.source, f.place, f.placement.digest, f.placement.mtime_ns, f.placement.size)
        for f in facts.files
        if f.there is None and f.source is not None
    ]


def _evidence(facts: Facts) -> Evidence:
    placed = tuple(f.bound for f in facts.files)
    return Evidence(
        "indexed",
        facts.now,
        placements=placed,
        witnesses=tuple(
            Witness(p.original, Rung.INDEXED, facts.now, "index", {"version": p.version})
            for p in placed
        ),
    )


STAGE: Final = Stage(
    "place",
    frozenset({State.BATCHED}),
    "copy",
    look,
    decide,
    act,
    needs=frozenset({"syncthing", "phone"}),
)
