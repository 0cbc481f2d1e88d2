"""
Download: every file of the asset lies below incoming/, and its bytes have the fingerprint that Apple lists for it.

Interrupted at any moment it goes on where it was. What iCloud does not have any more by the time that it is fetched is
told, never waited for; what has a fingerprint that nobody can work out is kept, and never counts as proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from mediad.errors import MediadError, Retryable
from mediad.model import (
    Asset,
    CloudRef,
    Evidence,
    Original,
    Place,
    Remote,
    RemoteFact,
    RemoteFile,
    Site,
)
from mediad.ports import Fetch, Ports, Sighting
from mediad.stages import lots
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict
from mediad.state import State

GONE: Final = "icloud.gone"
UNPROVED: Final = "icloud.unproved"
AGAIN_S: Final = 900.0  # until iCloud's next news say what became of it
# Not this file's fault, and nothing that a person must decide: the next listing tells.
_OFFERED_NO_MORE: Final = frozenset({"icloud.not_found", "icloud.no_file"})

Seen: TypeAlias = Sighting | None


@dataclass(frozen=True, slots=True)
class File:
    original: Original
    file: (
        RemoteFile | None
    )  # as iCloud lists it; None: the asset has other bytes in its place by now
    seen: Seen
    fingerprint: str | None  # of the bytes that lie there, where their size is right

    @property
    def place(self) -> Place:
        return Place(Site.INCOMING, self.original.source_key)

    @property
    def is_whole(self) -> bool:
        return (
            self.seen is not None
            and self.seen.is_regular
            and self.seen.size == self.original.size
            and (self.is_proved or self.file is None or not self.file.is_provable)
        )

    @property
    def is_proved(self) -> bool:
        return self.file is not None and self.fingerprint == self.file.fingerprint


@dataclass(frozen=True, slots=True)
class Facts:
    remote: Remote | None
    files: tuple[File, ...]
    now: int
    is_gone: bool = False  # looked up just now: iCloud has no such asset

    @property
    def lacking(self) -> tuple[File, ...]:
        """What is to be fetched."""
        if self.is_gone:
            return ()
        return tuple(f for f in self.files if f.file is not None and not f.is_whole)


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    now = io.clock.now()
    places = [[_place(o) for o in a.originals] for a in assets]
    sights = await lots.sight(io.files, places)
    # Bytes of the right size only: what is not all there needs no reading.
    asked = [
        s if isinstance(s, MediadError) else _right(a, s)
        for a, s in zip(assets, sights, strict=True)
    ]
    prints = await lots.spread(io.cloud.fingerprints, asked)
    facts: list[Facts | MediadError] = [
        _facts(asset, *pair, now) if isinstance(pair, tuple) else pair
        for asset, pair in zip(assets, lots.pair(sights, prints), strict=True)
    ]
    return await _with_the_gone(facts, io)


def decide(asset: Asset, facts: Facts) -> Verdict:
    if facts.remote is None:
        return Refuse(
            "icloud.unlisted",
            f"{asset.name} came from iCloud, but the journal does not know as which photo",
            "please report this; the photo itself is safe in iCloud",
        )
    if facts.lacking:
        names = ", ".join(f.original.name for f in facts.lacking)
        return Act(f"fetch {names} from iCloud")
    return Done(_evidence(asset, facts, facts.remote), State.DOWNLOADED)


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the shape of a stage
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[MediadError | None]:
    answers = await lots.spread(io.cloud.fetch, [_fetches(f) for f in facts])
    return [_in_time(a) if isinstance(a, MediadError) else None for a in answers]


# -- what is seen -----------------------------------------------------------------------------------


def _place(original: Original) -> Place:
    return Place(Site.INCOMING, original.source_key)


def _right(asset: Asset, sights: Sequence[Seen]) -> list[Place]:
    return [
        _place(o)
        for o, seen in zip(asset.originals, sights, strict=True)
        if seen is not None and seen.is_regular and seen.size == o.size
    ]


def _facts(asset: Asset, sights: Sequence[Seen], prints: Sequence[str | None], now: int) -> Facts:
    remote = asset.remote
    listed = {f.original: f for f in remote.files} if remote else {}
    found = dict(zip(_right(asset, sights), prints, strict=True))
    files = tuple(
        File(o, listed.get(o.id), seen, found.get(_place(o)))
        for o, seen in zip(asset.originals, sights, strict=True)
    )
    return Facts(remote, files, now)


async def _with_the_gone(
    facts: Sequence[Facts | MediadError], io: Ports
) -> list[Facts | MediadError]:
    """Apple itself is asked of what it is said to have no longer: Recently Deleted still gives its files."""
    refs = _refs([f for f in facts if isinstance(f, Facts) and f.lacking])
    rows = await io.ledger.remotes(refs) if refs else {}
    doubted = [ref for ref, row in rows.items() if row.is_gone or row.remote.is_deleted]
    answers = await io.cloud.lookup(doubted) if doubted else ()
    gone = {ref for ref, there in zip(doubted, answers, strict=True) if there is None}
    return [
        replace(f, is_gone=True)
        if isinstance(f, Facts) and f.remote and f.remote.ref in gone
        else f
        for f in facts
    ]


def _refs(facts: Sequence[Facts]) -> list[CloudRef]:
    return list(dict.fromkeys(f.remote.ref for f in facts if f.remote))


# -- what is done, and what it means ------------------------------------------------------------------


def _fetches(facts: Facts) -> list[Fetch]:
    if facts.remote is None:
        return []
    return [
        Fetch(facts.remote.ref, f.file, f.place, f.original.mtime_ns)
        for f in facts.lacking
        if f.file is not None
    ]


def _in_time(fault: MediadError) -> MediadError:
    if fault.code in _OFFERED_NO_MORE:
        return Retryable(fault.what, code=fault.code, remedy=fault.remedy, after_s=AGAIN_S)
    return fault


def _evidence(asset: Asset, facts: Facts, remote: Remote) -> Evidence:
    whole = [f for f in facts.files if f.is_whole]
    lost = [f.original.name for f in facts.files if not f.is_whole]
    doubted = [f.original.name for f in whole if not f.is_proved]
    note = code = remedy = ""
    if doubted:
        code = UNPROVED
        note = f"Apple's fingerprint of {', '.join(doubted)} could not be worked out; only the size was compared"
        remedy = "nothing needs doing; mediad will never delete it from iCloud"
    if lost:
        code = GONE
        note = f"iCloud had {', '.join(lost)} no more when it was to be fetched: deleted or edited there meanwhile"
        remedy = "if it should be here, look into Recently Deleted on the phone"
    proved = tuple(f.file for f in whole if f.file and f.is_proved)
    unproved = tuple(f.file for f in facts.files if f.file and f.file not in proved)
    return Evidence(
        "fingerprint",
        facts.now,
        note=note,
        code=code,
        remedy=remedy,
        remotes=(RemoteFact(remote.ref, proved=proved, unproved=unproved),),
        figures={"files": len(whole), "of": len(asset.originals)},
    )


STAGE: Final = Stage(
    "download",
    frozenset({State.LISTED}),
    "network",
    look,
    decide,
    act,
    needs=frozenset({"icloud"}),
)
