"""
Mark: a photo that is safe at home is put into the album in which it can be looked at before it leaves iCloud.

The album harms nothing. Taking a photo out of it again is a person's veto, which is obeyed (see delete.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError, NeedsOperator
from mediad.model import Asset, Evidence, RemoteFact
from mediad.policy.cloud_guard import (
    BACK,
    DAY_MS,
    HOUR_MS,
    Case,
    Proof,
    is_back,
    is_clock_right,
    lacks_for_album,
    never,
)
from mediad.ports import Ports
from mediad.stages import cases
from mediad.stages.cases import wrong_clock
from mediad.stages.verdict import Act, Done, Stage, Verdict, Wait
from mediad.state import State

_SOON: Final = frozenset(
    {Proof.SAME, Proof.TAKEN}
)  # the next look at iCloud's news puts these right


@dataclass(frozen=True, slots=True)
class Facts:
    now: int
    album: str  # its name, for people
    record: str = ""
    case: Case | None = None  # None: it did not come from iCloud


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    plain = Facts(io.clock.now(), io.settings.icloud.album)
    known = await cases.from_journal(assets, io)
    answers = iter(await cases.asked([c for c in known if c], io))
    if not any(known):
        return [plain] * len(assets)
    with_album = replace(plain, record=await cases.album(io))
    return [replace(with_album, case=next(answers)) if c else plain for c in known]


def decide(asset: Asset, facts: Facts) -> Verdict:
    case = facts.case
    if case is None:
        return Done(Evidence("not from iCloud", facts.now), State.MARKED)
    if case.fresh is None or case.fresh.is_deleted:
        note = "iCloud has it no more, or only in Recently Deleted"
        return Done(Evidence("lookup", facts.now, note=note), State.MARKED)
    if why := never(case.row.remote) or (BACK if is_back(case) else ""):
        return Done(Evidence("left in iCloud", facts.now, note=why), State.MARKED)
    return _wanted(asset, facts, case)


def _wanted(asset: Asset, facts: Facts, case: Case) -> Verdict:
    if not is_clock_right(case):
        return wrong_clock(facts.now)
    if case.is_member and not case.behind:
        return Done(_evidence(case, facts), State.MARKED)
    if wanting := lacks_for_album(case):
        first = wanting[0]
        patience = HOUR_MS if first.proof in _SOON else DAY_MS
        if case.behind:
            patience = cases.patience_ms(asset, facts.now)
        return Wait(facts.now + patience, f"it is not put into {facts.album}: {first.why}")
    return Act(f"put {asset.name} into the album {facts.album} in iCloud")


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the facts say it all
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[MediadError | None]:
    record, name = facts[0].record, facts[0].album
    wanted = [f.case for f in facts if f.case]
    if any(c.album is None for c in wanted):
        await io.cloud.make_album(cases.LIBRARY, record, name)
        if await io.cloud.members(record, cases.LIBRARY) is None:
            return [_album_gone(name)] * len(facts)
    return await io.cloud.add(record, [c.row.remote.ref for c in wanted])


def _evidence(case: Case, facts: Facts) -> Evidence:
    """It was seen in the album. Since when, is told once."""
    ref, marked_at = case.row.remote.ref, case.row.marked_at or facts.now
    return Evidence(
        "lookup",
        facts.now,
        note=f"it stands in the album {facts.album}",
        remotes=(RemoteFact(ref, marked_at=marked_at),),
        figures={"album": facts.record},
    )


def _album_gone(name: str) -> NeedsOperator:
    return NeedsOperator(
        f"the album {name} that mediad made in iCloud was deleted there, and cannot be made again;"
        " nothing is marked, and nothing deleted",
        code="icloud.album_gone",
        remedy="give icloud.album another name, then `mediactl retry --all-held`",
    )


STAGE: Final = Stage(
    "mark",
    frozenset({State.UPLOADED}),
    "cloud",
    look,
    decide,
    act,
    needs=frozenset({"icloud"}),
    lot_files=50,
)
