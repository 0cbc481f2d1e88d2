"""
What was known of an asset at a time: its history played again, from its first row to that time.

Pure. The history is enough for it: each row says where its lane went, which lanes it opened, and what was learnt. The
names that originals came under are facts of the files, and are taken from the asset as it is.

Of rows from before lanes were told there is a rule (`infer`): what the workflow in force would have opened, as far as
the rows after it agree. How a lane stood in its state (waiting, held) is no part of the history.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mediad.journal.course import condition
from mediad.journal.learn import BY_PERSON, PERSON
from mediad.journal.migrate import MERGE
from mediad.journal.rows import Condition, HistoryRow, Listed, Mark, Standing
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Copy,
    Digest,
    Kind,
    OriginalId,
    Place,
    Rendition,
    Role,
    Site,
    SiteKey,
)
from mediad.state import Lane, State, Workflow, holds, is_final, is_open, stage_of

THEN: Final = "it stood here; whether it waited, and for what, is not part of the history"
_JOIN: Final = "join"


@dataclass(slots=True)
class Known:
    """One asset as its rows told it, so far."""

    lanes: dict[Lane, State] = field(default_factory=dict)
    originals: dict[OriginalId, dict[str, Any]] = field(default_factory=dict)
    copies: dict[tuple[OriginalId, Place], Copy] = field(default_factory=dict)
    renditions: dict[tuple[OriginalId, str], Rendition] = field(default_factory=dict)
    captured: Captured | None = None
    kind: Kind | None = None
    identity: Digest | None = None
    keeper: AssetId | None = None
    absorbed_by: AssetId | None = None
    sent: set[str] = field(default_factory=set)  # names in the folder of the phone


def replay(rows: Iterable[HistoryRow], infer: Workflow | None = None) -> dict[AssetId, Known]:
    """The rows of an asset and of all that went into it, in the order of the history."""
    told: dict[AssetId, Known] = {}
    for row in rows:
        known = told.setdefault(row.asset, Known())
        seen = row.evidence
        if row.stage == MERGE:
            host = AssetId(seen["figures"]["into"])  # type: ignore[index]
            _merge(known, told.setdefault(host, Known()), host, seen)
            continue
        _learn(known, seen, row)
        _move(known, row, infer)
    return told


def _move(known: Known, row: HistoryRow, infer: Workflow | None) -> None:
    then = row.to_state
    if then is None:
        return
    if row.stage == _JOIN:
        known.lanes.clear()
        known.identity = None
    known.lanes[then.lane] = then
    starts = row.evidence.get("starts")
    if isinstance(starts, list):
        for word in starts:
            known.lanes[State(word).lane] = State(word)
    elif infer is not None:
        _infer(known, infer)


def _infer(known: Known, law: Workflow) -> None:
    while True:
        position = frozenset(known.lanes.values())
        opened = {
            s
            for join in law.joins
            if holds(join.when, position)
            for s in join.opens
            if s.lane not in known.lanes
        }
        if not opened:
            return
        known.lanes |= {s.lane: s for s in opened}


def _merge(guest: Known, host: Known, into: AssetId, seen: Mapping[str, Any]) -> None:
    """As the journal does it: the originals with all that is known of them; the guest keeps nothing."""
    host.originals |= guest.originals
    host.copies |= guest.copies
    host.renditions |= guest.renditions
    host.sent |= guest.sent
    guest.originals, guest.copies, guest.renditions = {}, {}, {}
    guest.lanes.clear()
    guest.identity, guest.absorbed_by = None, into
    _facts(host, seen, is_duplicate=False)


def _learn(known: Known, seen: Mapping[str, Any], row: HistoryRow) -> None:
    figures = seen.get("figures", {})
    if row.from_state is None and "original" in figures:
        known.originals.setdefault(OriginalId(figures["original"]), {})
    _facts(known, seen, is_duplicate=row.to_state is State.DUPLICATE)


def _facts(known: Known, seen: Mapping[str, Any], *, is_duplicate: bool) -> None:
    for said in seen.get("originals", ()):
        known.originals[OriginalId(said["id"])] = said
    for said in seen.get("gone", ()):
        _gone(known, _place(said))
    for said in seen.get("copies", ()):
        copy = _copy(said)
        known.originals.setdefault(copy.original, {})
        known.copies[copy.original, copy.place] = copy
    for said in seen.get("renditions", ()):
        rendition = _rendition(said)
        known.renditions[rendition.original, rendition.recipe] = rendition
    _whole(known, seen, is_duplicate=is_duplicate)


def _whole(known: Known, seen: Mapping[str, Any], *, is_duplicate: bool) -> None:
    """What is told of the asset and not of one of its files."""
    known.sent |= {said["key"] for said in seen.get("placements", ())}
    if "kind_now" in seen:
        known.kind = Kind(seen["kind_now"])
    if "keeper" in seen:
        known.keeper = AssetId(seen["keeper"])
    if "identity" in seen and not is_duplicate:
        known.identity = Digest(seen["identity"])
    if "captured" in seen:
        is_decided = known.captured is not None and known.captured.source == PERSON
        if seen["kind"] in BY_PERSON or not is_decided:
            known.captured = Captured(**seen["captured"]) if seen["captured"]["local"] else None


def _gone(known: Known, place: Place) -> None:
    known.copies = {k: c for k, c in known.copies.items() if c.place != place}
    known.renditions = {k: r for k, r in known.renditions.items() if r.place != place}


def _place(said: Mapping[str, Any]) -> Place:
    return Place(Site(said["site"]), SiteKey(said["key"]))


def _copy(said: Mapping[str, Any]) -> Copy:
    return Copy(
        OriginalId(said["original"]), _place(said), Digest(said["blake3"]), said["verified_at"],
        said["method"],
    )  # fmt: skip


def _rendition(said: Mapping[str, Any]) -> Rendition:
    return Rendition(
        OriginalId(said["original"]), said["recipe"], _place(said), Digest(said["blake3"]),
        said["size"], said["figures"],
    )  # fmt: skip


# -- as an asset again ------------------------------------------------------------------------------


def as_known(now: Listed, known: Known, law: Workflow, family: Sequence[Asset], at: int) -> Listed:
    """`family`: the asset as it is, and those that went into it: they tell the names that files came under."""
    named = {o.id: o for a in family for o in a.originals}
    originals = []
    for number, said in known.originals.items():
        if number in named:
            whole = named[number]
            digest = Digest(said["blake3"]) if "blake3" in said else None
            role = Role(said.get("role", Role.PRIMARY))
            seen = whole.inspection if digest else None
            originals.append(replace(whole, role=role, digest=digest, inspection=seen))
    originals.sort(key=lambda o: (o.role is not Role.PRIMARY, o.id))
    lanes = {lane: (state, _mark(state, known, law)) for lane, state in known.lanes.items()}
    asset = replace(
        now.asset,
        name=originals[0].name if originals else now.asset.name,
        kind=known.kind or Kind.UNKNOWN,
        originals=tuple(originals),
        copies=tuple(sorted(known.copies.values(), key=lambda c: (c.original, c.place))),
        renditions=tuple(known.renditions.values()),
        identity=known.identity,
        captured=known.captured,
        keeper=known.keeper,
        placements=tuple(p for p in now.asset.placements if p.key in known.sent),
        witnesses=tuple(w for w in now.asset.witnesses if w.at <= at),
        remote=None,
    )
    standing = tuple(
        Standing(asset.id, lane, state, mark, why="" if mark is Mark.FINAL else THEN)
        for lane, (state, mark) in lanes.items()
    )
    word = Condition.ABSORBED if known.absorbed_by is not None else condition(lanes)
    return Listed(asset, word, known.absorbed_by, standing)


def _mark(state: State, known: Known, law: Workflow) -> Mark:
    if is_final(state):
        return Mark.FINAL
    is_free = is_open(frozenset(known.lanes.values()), stage_of(state) or "", law)
    return Mark.READY if is_free else Mark.GATED
