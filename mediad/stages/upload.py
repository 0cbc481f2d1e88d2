"""
Upload: the smaller version of a photo goes to iCloud, beside the original that is to be deleted there one day.

Apple takes JPEG from the web and nothing else, one file an asset: everything else is passed by, with the reason. What
was sent is believed once a lookup shows it with our own fingerprint; the person's heart and albums go with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError, Retryable
from mediad.model import Asset, CloudRef, Evidence, Remote, RemoteFact, Rendition, Role
from mediad.policy.cloud_guard import DAY_MS, Case, never
from mediad.policy.grouping import taken
from mediad.policy.naming import split
from mediad.ports import Ports, Sighting
from mediad.stages import cases, lots
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict, Wait
from mediad.state import State

JPEG: Final = frozenset({".jpg", ".jpeg"})
LOOKS: Final = 10  # for what was sent: iCloud lists it some seconds later
PAUSE_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Facts:
    now: int
    case: Case | None = None  # None: it did not come from iCloud
    refused: str = ""  # why iCloud would not take it, or need not
    rendition: Rendition | None = None
    seen: Sighting | None = None  # of the rendition, read back
    fingerprint: str = ""  # Apple's, of these bytes
    there: Remote | None = None  # what stands for it in iCloud, looked up just now
    albums: tuple[str, ...] = ()  # the person's own that the original is in
    lacking: tuple[str, ...] = ()  # of these: what the new one is not in


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    known = await cases.from_journal(assets, io)
    now = io.clock.now()
    kept = [await _keeper(a, c, io) for a, c in zip(assets, known, strict=True)]
    plain = [_plain(a, c, k, now) for a, c, k in zip(assets, known, kept, strict=True)]
    places = [[f.rendition.place] if f.rendition else [] for f in plain]
    read = await lots.read_back(io.files, places)
    marks = await lots.spread(io.cloud.fingerprints, places)
    facts = lots.each(_with_bytes, lots.pair(plain, lots.pair(read, marks)))
    return [f if isinstance(f, MediadError) else await _with_cloud(f, io) for f in facts]


def decide(asset: Asset, facts: Facts) -> Verdict:
    if facts.case is not None and facts.case.behind:
        due = facts.now + cases.patience_ms(asset, facts.now)
        return Wait(due, f"it is not sent yet: {facts.case.behind}")
    if facts.case is None or facts.refused:
        kind = "refused by name" if facts.case else "not from iCloud"
        return Done(Evidence(kind, facts.now, note=facts.refused), State.UPLOADED)
    if facts.there is not None and facts.there.is_deleted:
        note = "the smaller version was deleted in iCloud by somebody: it is not sent again"
        return Done(Evidence("lookup", facts.now, note=note), State.UPLOADED)
    if facts.there is not None and not _is_untagged(facts):
        return Done(_evidence(facts, facts.there), State.UPLOADED)
    if facts.there is None and not _is_whole(facts):
        return _lost(asset, facts)
    return Act(f"send the smaller version of {asset.name} to iCloud")


async def act(
    assets: Sequence[Asset], facts: Sequence[Facts], io: Ports
) -> Sequence[Evidence | MediadError | None]:
    """Photos of the same bytes share what stands for them."""
    sent: dict[str, Remote] = {}
    return [await _alone(a, f, sent, io) for a, f in zip(assets, facts, strict=True)]


# -- what is seen -------------------------------------------------------------------------------


async def _keeper(asset: Asset, case: Case | None, io: Ports) -> Asset:
    """Whose smaller version it is: of a duplicate, the keeper's."""
    found = await io.ledger.keeper(asset.id) if case and asset.keeper is not None else None
    return found.asset if found else asset


def _plain(asset: Asset, case: Case | None, keeper: Asset, now: int) -> Facts:
    if case is None or case.behind:
        return Facts(now, case)
    rendition = _rendition(asset, keeper)
    if why := _unfit(asset, case, rendition):
        return Facts(now, case, why)
    return Facts(now, case, rendition=rendition)


def _rendition(asset: Asset, keeper: Asset) -> Rendition | None:
    """Of the same bytes: a keeper may have others beside them."""
    bytes_of_it = asset.originals[0].digest
    mine = {o.id for o in keeper.originals if o.digest == bytes_of_it is not None}
    return next((r for r in reversed(keeper.renditions) if r.original in mine), None)


def _unfit(asset: Asset, case: Case, rendition: Rendition | None) -> str:
    """Why this one is not sent; "" when it may be."""
    if why := never(case.row.remote):
        return why
    if rendition is None:
        return "there is no smaller version of it"
    if split(rendition.place.key)[1].lower() not in JPEG:
        name = rendition.place.key.rpartition("/")[2]
        return f"iCloud takes JPEG only, and the smaller version is {name}"
    pictures = [o for o in taken(asset) if o.role is not Role.SIDECAR]
    if len(pictures) != 1 or len(case.row.remote.files) != 1:
        return "it has several files in iCloud (a Live Photo, a RAW, an edit), and one JPEG cannot stand for them"
    return ""


def _with_bytes(pair: tuple[Facts, tuple[lots.Seen, tuple[str | None, ...]]]) -> Facts:
    facts, (seen, marks) = pair
    if facts.rendition is None or facts.case is None:
        return facts
    mark = marks[0] or ""
    if mark and mark in {f.fingerprint for f in facts.case.row.remote.files}:
        return replace(facts, refused="iCloud has these very bytes already")
    return replace(facts, seen=seen[0], fingerprint=mark)


async def _with_cloud(facts: Facts, io: Ports) -> Facts | MediadError:
    case = facts.case
    if case is None or facts.refused or not facts.fingerprint:
        return facts
    own = await cases.album(io)
    wanted = [a for a in case.row.remote.albums if a != own]  # not the one in which photos wait
    inside = {a: m for a in wanted if (m := await io.cloud.members(a, cases.LIBRARY)) is not None}
    ref = case.row.replacement or await _known(case, facts.fingerprint, io)
    there = await _listed(ref, facts.fingerprint, io) if ref else None
    lacking = tuple(a for a, m in inside.items() if there and there.ref.record not in m)
    return replace(facts, there=there, albums=tuple(inside), lacking=lacking)


async def _known(case: Case, fingerprint: str, io: Ports) -> CloudRef | None:
    """Sent before a crash, and listed since: the journal knows these bytes by their fingerprint."""
    rows = await io.ledger.remotes_of_master(cases.LIBRARY.name, fingerprint)
    return next((r.remote.ref for r in rows if not r.is_gone and r != case.row), None)


async def _listed(ref: CloudRef, fingerprint: str, io: Ports) -> Remote | None:
    """As iCloud shows it now. Something else under that name is not it."""
    [found] = await io.cloud.lookup([ref])
    is_it = found is not None and fingerprint in {f.fingerprint for f in found.files}
    return found if is_it else None


async def _alone(
    asset: Asset, facts: Facts, sent: dict[str, Remote], io: Ports
) -> Evidence | MediadError | None:
    try:
        there = facts.there or sent.get(facts.fingerprint) or await _sent(asset, facts, io)
        sent[facts.fingerprint] = there
        if facts.case is not None:
            heart = facts.case.row.remote.is_favourite
            await io.cloud.tag(there.ref, favourite=heart, albums=facts.albums)
    except MediadError as fault:
        return fault
    return _evidence(facts, there)


async def _sent(asset: Asset, facts: Facts, io: Ports) -> Remote:
    """First it is written down what is ours, so that it is never fetched back; then the first byte leaves."""
    if facts.rendition is None:
        raise _unlisted(asset)
    await io.ledger.ignore_fingerprints([facts.fingerprint])
    name = split(asset.name)[0] + ".JPG"
    sent = await io.cloud.upload(facts.rendition.place, name, zone=cases.LIBRARY)
    for _ in range(LOOKS):
        if found := await _listed(sent.ref, facts.fingerprint, io):
            return found
        await io.clock.sleep(PAUSE_S)
    raise _unlisted(asset)


# -- what it means ------------------------------------------------------------------------------


def _is_untagged(facts: Facts) -> bool:
    heart = facts.case is not None and facts.case.row.remote.is_favourite
    return bool(facts.lacking) or (heart and not (facts.there and facts.there.is_favourite))


def _is_whole(facts: Facts) -> bool:
    return (
        facts.rendition is not None
        and facts.seen is not None
        and facts.seen.digest == facts.rendition.digest
        and bool(facts.fingerprint)
    )


def _lost(asset: Asset, facts: Facts) -> Verdict:
    if facts.seen is None:
        why = f"the smaller version of {asset.name} is not where it was; the original is untouched"
        return Wait(facts.now + DAY_MS, why)
    return Refuse(
        "icloud.rendition_changed",
        f"the smaller version of {asset.name} is not what was made here, and is not sent; the original is untouched",
        "look at that file in the library; put the right one back, then `mediactl retry`",
    )


def _evidence(facts: Facts, there: Remote) -> Evidence:
    said: Mapping[str, object] = {"record": there.ref.record, "fingerprint": facts.fingerprint}
    fact = (RemoteFact(facts.case.row.remote.ref, replacement=there.ref),) if facts.case else ()
    note = "iCloud lists the smaller version with our fingerprint"
    return Evidence("lookup", facts.now, note=note, remotes=fact, figures=said)


def _unlisted(asset: Asset) -> Retryable:
    return Retryable(
        f"iCloud took the smaller version of {asset.name} and does not list it; the original there is untouched",
        code="icloud.not_listed",
        remedy="none needed: it is looked for, and sent, again",
    )


STAGE: Final = Stage(
    "upload",
    frozenset({State.CLOUD_DUE}),
    "cloud",
    look,
    decide,
    act,
    needs=frozenset({"icloud", "library"}),
    lot_files=8,
)
