"""Archive: the NAS holds its own copy of every original of the asset, and we have read it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mediad.errors import MediadError
from mediad.model import Asset, Evidence, Place, Site
from mediad.policy.grouping import taken
from mediad.policy.naming import Member, archive_name, candidates
from mediad.ports import Ports, Put
from mediad.stages import lots
from mediad.stages.placing import Found, Wanted, copies_of, is_lost, source_of, survey
from mediad.stages.verdict import Act, Ask, Done, Refuse, Stage, Verdict
from mediad.state import State


@dataclass(frozen=True, slots=True)
class Facts:
    found: Found
    now: int


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    template = io.settings.archive.template
    wanted = lots.each(lambda asset: _wanted(asset, template), assets)
    now = io.clock.now()
    return lots.each(lambda found: Facts(found, now), await survey(io.files, Site.ARCHIVE, wanted))


def decide(asset: Asset, facts: Facts) -> Verdict:
    if not facts.found.keys:
        return Refuse(
            "archive.taken",
            f"every name that {asset.name} may have in the archive holds other bytes; nothing was overwritten",
            "look at those files in the archive; move away what does not belong there, then `mediactl retry`",
        )
    if facts.found.is_whole:
        copies = copies_of(taken(asset), Site.ARCHIVE, facts.found, facts.now)
        return Done(Evidence("read-back", facts.now, copies=copies), State.ARCHIVED)
    if is_lost(asset, facts.found, Site.ARCHIVE):
        return Ask(
            "archive.lost",
            f"the archive has lost {asset.name}, and no other copy of the original is known: is there a backup?",
            f"put it back as {facts.found.keys[0]} in the archive, then `mediactl retry`",
        )
    return Act(f"copy {asset.name} to the archive as {facts.found.keys[0]}")


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[MediadError | None]:
    """The primaries first: only who has got the primary's name has got the whole shot's."""
    puts = [_puts(a, f) for a, f in zip(assets, facts, strict=True)]
    errors = await lots.place_each(io.files.copy, [p[:1] for p in puts])
    rest = [p[1:] if e is None else [] for p, e in zip(puts, errors, strict=True)]
    if any(rest):
        late = await lots.place_each(io.files.copy, rest)
        errors = [e or x for e, x in zip(errors, late, strict=True)]
    return [lots.look_again(e) for e in errors]


def _wanted(asset: Asset, template: str) -> Wanted:
    members = [Member(o, archive_name(o)) for o in taken(asset)]
    digests = tuple(o.digest for o in taken(asset) if o.digest)
    return Wanted(digests, candidates(asset, members, template))


def _puts(asset: Asset, facts: Facts) -> list[Put]:
    return [
        Put(
            source_of(asset, o, Site.ARCHIVE),
            Place(Site.ARCHIVE, key),
            o.digest,
            o.mtime_ns,
            o.size,
        )
        for o, key in zip(taken(asset), facts.found.keys, strict=True)
    ]


STAGE: Final = Stage(
    "archive",
    frozenset({State.ARCHIVE_DUE}),
    "copy",
    look,
    decide,
    act,
    needs=frozenset({"archive"}),
)
