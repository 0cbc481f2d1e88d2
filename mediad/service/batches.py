"""
Batches: what lies in the shared folder under which name, how far each file has come, and what is still in its way.

The list of a batch's files is its manifest. What it says of a file is what the journal was told by somebody who looked.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from mediad.engine import Engine
from mediad.errors import MediadError, Refused
from mediad.journal import BatchMember, BatchRow, Mark
from mediad.model import AssetId, BatchId, Place, Placement, Rung, Site
from mediad.policy.phone import Truth, judge
from mediad.policy.problems import Problem, Problems
from mediad.ports import Indexed, Ports, Sighting
from mediad.service.ladder import highest
from mediad.service.parts import Parts
from mediad.service.phone_answers import (
    BatchDoc,
    BatchesDoc,
    BatchFileDoc,
    CheckedDoc,
    MissingDoc,
    RefreshedDoc,
)
from mediad.service.picture import link_docs
from mediad.service.words import iso, path_of
from mediad.state import State

MOST: Final = 200  # batches on a page
NAMES_AT_ONCE: Final = 50  # names in one order to look: Syncthing reads them from the address
_STUCK_MARKS: Final = frozenset({Mark.FAILED, Mark.HELD})
_UNDER_WAY: Final = frozenset({State.BATCHED, State.PLACED, State.ON_PHONE})
_THERE: Final = frozenset({State.ON_PHONE, State.RELEASED})
# Which outside parts a file waits for while it stands here.
_NEEDS: Final = {
    State.BATCHED: ("syncthing", "phone"),
    State.PLACED: ("syncthing", "phone", "pixel"),
}
LEFT_OUT: Final = "left-out"
# The state of a batch is the first of these that one of its files is in.
ORDER: Final = (
    "failed", "held", "stuck", "waiting", "placing", "batched", "on-its-way", "verified", "released", "left-out",
)  # fmt: skip


class Batches:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def page(self, before: BatchId | None, limit: int) -> BatchesDoc:
        """The newest first."""
        parts = self._parts
        most = min(limit, MOST)
        rows = await parts.journal.batches(before, most)
        link = link_docs(parts.loaded().settings, parts.problems, parts.engine)["syncthing"]
        cursor = str(rows[-1].id) if len(rows) == most else None
        return {
            "state": link["state"],
            "detail": link["detail"],
            "batches": [self._doc(row) for row in rows],
            "cursor": cursor,
        }

    async def one(self, batch: BatchId) -> BatchDoc:
        return self._doc(await self._row(batch))

    async def check(self, batch: BatchId) -> CheckedDoc:
        """The manifest against the disk: every file that should still lie in the shared folder is read again."""
        row = await self._row(batch)
        report: CheckedDoc = {
            "id": row.id, "name": name_of(row.id), "ok": True, "checked": 0, "bytes": 0,
            "gone": [], "differing": [], "missing": [], "unreadable": [],
        }  # fmt: skip
        files = [(m, p) for m in row.members for p in m.placements]
        places = [Place(Site.PHONE, p.key) for _, p in files]
        seen = await self._parts.ports().files.read_back(places)
        for (member, placement), sighting in zip(files, seen, strict=True):
            _compare(member, placement, sighting, report)
        report["ok"] = not (report["differing"] or report["missing"] or report["unreadable"])
        return report

    async def refresh(self, batch: BatchId) -> RefreshedDoc:
        """
        Look at a batch anew: what waits is due now, what failed or is held is tried again, Syncthing scans its names.

        Answers with what the phone is not known to have after that, and why. Proves nothing by itself: that is for the
        stages, which are woken.
        """
        row = await self._row(batch)
        journal = self._parts.journal
        given_up = [m.asset for m in row.members if m.mark in _STUCK_MARKS]
        retried = await journal.retry(given_up, _STUCK_MARKS) if given_up else 0
        roused = await journal.rouse([m.asset for m in row.members], _UNDER_WAY)
        on_way = [(m, p) for m in row.members if m.state not in _THERE for p in m.placements]
        missing, error = await self._missing(on_way)
        self._parts.engine.wake()
        return {
            "batch": await self.one(batch),
            "retried": retried,
            "roused": roused,
            "scanned": 0 if error else len(on_way),
            "missing": missing,
            "error": None
            if error is None
            else {"code": error.code, "message": error.what, "remedy": error.remedy},
        }

    async def _missing(
        self, files: Sequence[tuple[BatchMember, Placement]]
    ) -> tuple[list[MissingDoc], MediadError | None]:
        """What is not on the phone as far as anybody knows, each with the reason; asked afresh."""
        ports = self._parts.ports()
        keys = [p.key for _, p in files]
        try:
            for start in range(0, len(keys), NAMES_AT_ONCE):
                await ports.phone.scan(keys[start : start + NAMES_AT_ONCE])
            short = (await ports.phone.link()).short if keys else ""
            indexed = await ports.phone.indexed(keys)
        except MediadError as fault:
            return [_missing(m, p, Truth.WAIT, fault.what) for m, p in files], fault
        seen = await ports.files.sight([Place(Site.PHONE, key) for key in keys])
        docs = []
        for (member, placement), entry, sighting in zip(files, indexed, seen, strict=True):
            if doc := _still_missing(member, placement, entry, sighting, short):
                docs.append(doc)
        return docs, None

    async def _row(self, batch: BatchId) -> BatchRow:
        row = await self._parts.journal.batch(batch)
        if row is None:
            raise Refused(
                f"there is no batch {batch}",
                code="batch.unknown",
                remedy="mediactl batches shows what there is",
            )
        return row

    def _doc(self, row: BatchRow) -> BatchDoc:
        parts = self._parts
        files = [
            _file(m, p, parts.problems, parts.engine, parts.ports())
            for m in row.members
            for p in m.placements
        ]
        counts = Counter(f["state"] for f in files)
        state = next((s for s in ORDER if counts[s]), "batched")
        return {
            "id": row.id,
            "name": name_of(row.id),
            "made_at": iso(row.made_at),
            "state": state,
            "reason": _reason(state, files),
            "counts": {s: counts[s] for s in ORDER if counts[s]},
            "bytes": sum(f["size"] for f in files),
            "files": files,
        }


def _reason(state: str, files: Sequence[BatchFileDoc]) -> str:
    """Of the first file that holds it there; where more than one does, how far all are."""
    if state in _DONE:
        return ""
    why = next((f["why"] for f in files if f["state"] == state and f["why"]), "")
    there = sum(f["state"] in _WORDS.values() for f in files)
    is_under_way = state == "on-its-way" and len(files) > 1
    return (
        f"{there} of {len(files)} files are on the phone; {why}".strip("; ")
        if is_under_way
        else why
    )


def name_of(batch: BatchId) -> str:
    return f"batch-{batch:06d}"


def _file(
    member: BatchMember, placement: Placement, problems: Problems, engine: Engine, ports: Ports
) -> BatchFileDoc:
    problem = _in_the_way(member, problems)
    rung = highest(member.witnesses, placement.original)
    state = _word(member, problem, rung, is_placing="place" in engine.works_on(member.asset))
    said = (member.why, member.code, member.remedy)
    if problem and member.mark not in _STUCK_MARKS:
        said = (problem.message, problem.code, problem.remedy)
    return {
        "asset": member.asset,
        "name": member.name,
        "key": placement.key,
        "path": path_of(Place(Site.PHONE, placement.key), ports.settings),
        "size": placement.size,
        "blake3": placement.digest,
        "state": state,
        "rung": rung.value if rung else None,
        "why": said[0],
        "code": said[1],
        "remedy": said[2],
    }


def _in_the_way(member: BatchMember, problems: Problems) -> Problem | None:
    """The open problem that keeps a file where it is."""
    needed = (problems.about(part) for part in _NEEDS.get(member.state, ()))
    return next((p for p in needed if p), None)


def _word(
    member: BatchMember, problem: Problem | None, rung: Rung | None, *, is_placing: bool
) -> str:
    if member.mark in _STUCK_MARKS:
        return member.mark.value
    if member.state in _WORDS:  # or it was skipped, or the phone switched off: nobody saw it there
        return LEFT_OUT if rung in {None, Rung.INDEXED} else _WORDS[member.state]
    if problem or member.mark is Mark.RETRY:
        return "waiting"
    if member.code:  # a wait that is itself something to know
        return "stuck"
    if member.state is State.PLACED:
        return "on-its-way"
    return "placing" if is_placing else "batched"


_WORDS: Final = {State.ON_PHONE: "verified", State.RELEASED: "released"}
_DONE: Final = frozenset({*_WORDS.values(), LEFT_OUT})


def _compare(
    member: BatchMember,
    placement: Placement,
    sighting: Sighting | MediadError | None,
    report: CheckedDoc,
) -> None:
    line = {"asset": member.asset, "key": placement.key}
    if isinstance(sighting, MediadError):
        report["checked"] += 1
        said = {"code": sighting.code, "message": sighting.what, "remedy": sighting.remedy}
        report["unreadable"].append({**line, **said})
    elif sighting is None and member.state is State.RELEASED:
        report["gone"].append(placement.key)
    elif sighting is None:
        report["checked"] += 1
        report["missing"].append({**line, "message": "there is no file"})
    elif sighting.digest != placement.digest:
        report["checked"] += 1
        digests = {"expected": placement.digest, "found": sighting.digest}
        report["differing"].append({**line, **digests, "message": "the file holds other bytes"})
    else:
        report["checked"] += 1
        report["bytes"] += sighting.size


def _still_missing(
    member: BatchMember,
    placement: Placement,
    entry: Indexed | MediadError | None,
    sighting: Sighting | MediadError | None,
    short: str,
) -> MissingDoc | None:
    for fault in (entry, sighting):
        if isinstance(fault, MediadError):
            return _missing(member, placement, Truth.WAIT, fault.what)
    assert not isinstance(entry, MediadError)  # noqa: S101 - for the type checker: just looked at
    assert not isinstance(sighting, MediadError)  # noqa: S101 - as above
    finding = judge(placement, entry, sighting, short)
    if finding.truth in {
        Truth.CONFIRMED,
        Truth.FREED,
    }:  # it has it, or had it: nothing more is to come
        return None
    return _missing(member, placement, finding.truth, finding.why)


def _missing(member: BatchMember, placement: Placement, truth: Truth, why: str) -> MissingDoc:
    return {
        "asset": AssetId(member.asset),
        "name": member.name,
        "key": placement.key,
        "truth": truth.value,
        "why": why,
    }
