"""
Verify: the phone has announced every file of the asset, in the very version that stands for its bytes.

One question to Syncthing for the whole lot, and the same answer after any crash: nothing in memory matters. What was
once seen of this version stays true, whatever the phone has done to the file since.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, Copy, Evidence, Rung, Witness
from mediad.policy.deletion import ANNOUNCED
from mediad.policy.phone import HOUR_MS, Finding, Truth, judge, seen_of, stuck_before, testimony
from mediad.policy.sending import is_original, placement_of, placements
from mediad.ports import Opinion, PhoneLink, Ports
from mediad.stages import lots
from mediad.stages.listing import (
    File,
    Files,
    bound,
    files_of,
    have_scanned,
    listed,
    places_of,
)
from mediad.stages.verdict import Act, Ask, Done, Refuse, Stage, Verdict, Wait
from mediad.state import State

_OUR_SIDE: Final = frozenset({Truth.CHANGED_HERE, Truth.NOT_INDEXED})
_SKIP: Final = "`mediactl skip {} --stage verify --why …`"
_HOW: Final[Mapping[Opinion, str]] = {
    Opinion.PHONE_API: "pixel-api",
    Opinion.SENT_BYTES: "sent-bytes",
}


@dataclass(frozen=True, slots=True)
class Facts:
    found: tuple[tuple[File, Finding], ...]
    link: PhoneLink
    now: int
    next_look: int
    stuck_before: int

    def first(self, truth: Truth) -> tuple[File, Finding] | None:
        return next((f for f in self.found if f[1].truth is truth), None)

    @property
    def to_scan(self) -> Files:
        return tuple(f for f, finding in self.found if finding.truth is Truth.NOT_INDEXED)


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    link = await io.phone.link()
    wanted = [placements(a) for a in assets]
    seen = await lots.sight(io.files, [places_of(ps) for ps in wanted])
    files = lots.each(lambda pair: files_of(*pair), lots.pair(wanted, seen))
    files = await _read_anew(await listed(files, io), link.short, io)
    now, settings = io.clock.now(), io.settings
    patience_ms = int(settings.phone.patience_hours * HOUR_MS)
    to_facts = _judged(
        link,
        now,
        now + int(settings.syncthing.sweep_seconds * 1000),
        stuck_before(link, now, patience_ms),
    )
    return [
        f if isinstance(f, MediadError) else to_facts(a, f)
        for a, f in zip(assets, files, strict=True)
    ]


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.found:
        return Refuse(
            "phone.no_batch",
            f"{asset.name} is in no batch: that stage was skipped, so nothing of it went to the phone",
            f"{_SKIP.format(asset.id)} to leave the phone out for it",
        )
    if all(f.truth in {Truth.CONFIRMED, Truth.FREED} for _, f in facts.found):
        return Done(_evidence(asset, facts), State.ON_PHONE)
    if changed := facts.first(Truth.CHANGED_THERE):
        return Ask(
            "phone.changed_there",
            f"{changed[0].placement.key} was changed on the phone after it came there; the file here is as it was:"
            " is that as you want it?",
            f"{_SKIP.format(asset.id)} to go on; nothing on the phone is touched",
        )
    if changed := facts.first(Truth.CHANGED_HERE):
        key = changed[0].placement.key
        return Refuse(
            "phone.changed_here",
            f"pixel_sync/{key}: {changed[1].why}; the phone may have other bytes than were taken, and the original of"
            f" {asset.name} is untouched where it is kept",
            f"put the same file back as pixel_sync/{key}, then `mediactl retry`; or {_SKIP.format(asset.id)}",
        )
    if facts.to_scan:
        return Act(f"have Syncthing look at {facts.to_scan[0].placement.key}")
    return _waiting(asset, facts)


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the facts say it all
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[MediadError | None]:
    return await have_scanned([f.to_scan for f in facts], io)


# -- what is seen -------------------------------------------------------------------------------


async def _read_anew(
    files: Sequence[Files | MediadError], phone: str, io: Ports
) -> list[Files | MediadError]:
    """
    Where our side is not as it was placed, read the file: a touch or a change of mode leaves its bytes what they are.

    Then the version that Syncthing lists now stands for them.
    """
    doubted = lots.each(lambda fs: [f.place for f in fs if _is_doubted(f, phone)], files)
    read = await lots.read_back(io.files, doubted)
    renewed = lots.each(lambda pair: _renewed(*pair, phone), lots.pair(files, read))
    again = await bound(
        lots.each(lambda fs: tuple(f for f in fs if _is_same_again(f)), renewed), io
    )
    return lots.each(lambda pair: _rebound(*pair), lots.pair(renewed, again))


def _is_doubted(file: File, phone: str) -> bool:
    is_ours = judge(file.placement, file.said, file.there, phone).truth in _OUR_SIDE
    return is_ours and file.there is not None and file.there.is_regular


def _renewed(files: Files, read: lots.Seen, phone: str) -> Files:
    rest = iter(read)
    return tuple(replace(f, there=next(rest)) if _is_doubted(f, phone) else f for f in files)


def _is_same_again(file: File) -> bool:
    return file.there is not None and file.there.digest == file.placement.digest


def _rebound(files: Files, again: Files) -> Files:
    bound_anew = {f.placement.key: replace(f, placement=f.bound) for f in again}
    return tuple(bound_anew.get(f.placement.key, f) for f in files)


def _judged(
    link: PhoneLink, now: int, next_look: int, stuck: int
) -> Callable[[Asset, Files], Facts]:
    def judged(asset: Asset, files: Files) -> Facts:
        found = tuple((f, _finding(asset, f, link.short)) for f in files)
        return Facts(found, link, now, next_look, stuck)

    return judged


def _finding(asset: Asset, file: File, phone: str) -> Finding:
    """What is so now, or what was witnessed once of this version and is no longer to be seen."""
    now = judge(file.placement, file.said, file.there, phone)
    placed = placement_of(asset, file.placement.original) or file.placement
    rungs = seen_of(placed, asset.witnesses)
    if now.truth in {Truth.CONFIRMED, Truth.FREED, Truth.CHANGED_THERE}:
        return now
    if Rung.PHONE_FREED in rungs:
        return Finding(Truth.FREED, "the phone had this version, as was seen, and has removed it")
    return now


# -- what it means ------------------------------------------------------------------------------


def _waiting(asset: Asset, facts: Facts) -> Wait:
    doubt = facts.first(Truth.DOUBTFUL)
    file, finding = doubt or facts.first(Truth.WAIT) or facts.found[0]
    key = file.placement.key
    if doubt:
        return Wait(
            facts.next_look,
            f"{key}: {finding.why}; Syncthing 2 on this machine cannot tell whether the phone ignores the file",
            "phone.doubtful",
            "set syncthing.phone_url and its key, so that the phone's own Syncthing can be asked",
        )
    placed_at = [w.at for w in asset.witnesses if w.rung is Rung.INDEXED]
    if placed_at and max(placed_at) < facts.stuck_before:
        return Wait(
            facts.next_look,
            f"{key} was placed long ago, and the phone, which is connected, has not taken it; the next batch may go",
            "phone.stuck",
            "look at the folder in Syncthing on the phone: is it paused, full, or does it ignore this file?",
        )
    confirmed, all_ = sum(f.truth is Truth.CONFIRMED for _, f in facts.found), len(facts.found)
    count = f"{confirmed} of {all_} files are on the phone; " if all_ > 1 else ""
    why = finding.why if facts.link.is_connected else "the phone is not connected"
    return Wait(facts.next_look, f"{count}{key}: {why}")


def _evidence(asset: Asset, facts: Facts) -> Evidence:
    kinds = {f.truth for _, f in facts.found}
    return Evidence(
        "deletion" if Truth.FREED in kinds else "availability",
        facts.now,
        note="; ".join(sorted({f.why for _, f in facts.found})),
        copies=tuple(_copies(asset, facts)),
        placements=tuple(f.placement for f, _ in facts.found),
        witnesses=tuple(w for f, finding in facts.found for w in _witnesses(f, finding, facts)),
    )


def _copies(asset: Asset, facts: Facts) -> list[Copy]:
    """Only what is there now, and only of bytes as they were taken."""
    return [
        Copy(f.placement.original, f.place, f.placement.digest, facts.now, ANNOUNCED)
        for f, finding in facts.found
        if finding.truth is Truth.CONFIRMED and is_original(asset, f.placement)
    ]


def _witnesses(file: File, finding: Finding, facts: Facts) -> list[Witness]:
    detail = testimony(facts.link, file.placement.version)
    opinion = file.said.opinion if file.said else Opinion.NOT_NEEDED
    freed = finding.truth is Truth.FREED
    how = "deletion" if freed else _HOW.get(opinion, "availability")
    rungs = (Rung.PHONE_HAS, Rung.PHONE_FREED) if freed else (Rung.PHONE_HAS,)
    return [Witness(file.placement.original, rung, facts.now, how, detail) for rung in rungs]


STAGE: Final = Stage(
    "verify",
    frozenset({State.PLACED}),
    "verify",
    look,
    decide,
    act,
    needs=frozenset({"syncthing", "pixel", "phone"}),
    lot_files=1000,
    lot_bytes=1 << 62,
)
