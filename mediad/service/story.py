"""One asset's whole story: where its bytes are, what was seen, where each lane stands, and what is next."""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, TypeAlias, assert_never

from mediad.config import Settings
from mediad.engine import Planned
from mediad.journal import HistoryRow, Listed, Mark, Standing
from mediad.model import Asset, Site
from mediad.policy.dates import confidence_of
from mediad.service.answers import (
    AssetDoc,
    CopyDoc,
    ErrorDoc,
    FileDoc,
    HistoryDoc,
    LineDoc,
    PlannedDoc,
    RenditionDoc,
    StepDoc,
)
from mediad.service.cloud_answers import CloudAssetDoc
from mediad.service.cloud_story import sentences as in_cloud
from mediad.service.ladder import phone_doc, rung_of
from mediad.service.ladder import sentences as rungs
from mediad.service.near import sentences as alike
from mediad.service.picture import is_paused
from mediad.service.words import captured_doc, iso, maybe_iso, path_of, whereabouts
from mediad.stages.verdict import Act, Ask, Done, Leave, Merge, Refuse, Wait
from mediad.state import Lane, State, stage_of

_LANES = tuple(Lane)
StepState: TypeAlias = Literal["ready", "waiting", "running", "failed", "held", "paused"]


def asset_doc(
    listed: Listed,
    history: Sequence[HistoryRow],
    settings: Settings,
    *,
    busy: Collection[str],
    paused: Collection[str],
    icloud: CloudAssetDoc | None = None,
) -> AssetDoc:
    asset = listed.asset
    return {
        "id": asset.id,
        "name": asset.name,
        "kind": asset.kind.value,
        "source": asset.source,
        "seen_at": iso(asset.seen_at),
        "captured_at": captured_doc(asset.captured),
        "confidence": confidence_of(asset),
        "state": listed.condition.value,
        "duplicate_of": asset.keeper,
        "absorbed_by": listed.absorbed_by,
        "files": list(_files(listed, settings)),
        "copies": list(_copies(listed, settings)),
        "renditions": list(_renditions(listed, settings)),
        "position": position_doc(listed),
        "steps": [step_doc(s, busy, paused) for s in _open(listed)],
        "history": [history_doc(row) for row in history],
        "phone": phone_doc(asset, settings),
        "icloud": icloud,
        "near": [],
    }


def line_doc(listed: Listed) -> LineDoc:
    asset = listed.asset
    rung = rung_of(asset)
    return {
        "id": asset.id,
        "name": asset.name,
        "kind": asset.kind.value,
        "source": asset.source,
        "state": listed.condition.value,
        "size": sum(o.size for o in asset.originals),
        "seen_at": iso(asset.seen_at),
        "captured_at": captured_doc(asset.captured),
        "position": position_doc(listed),
        "reason": next((s.why for s in _open(listed) if s.why), ""),
        "phone": rung.value if rung else None,
    }


def position_doc(listed: Listed) -> dict[str, str]:
    standing = sorted(listed.standing, key=lambda s: _LANES.index(s.lane))
    return {s.lane.value: s.state.value.partition(".")[2] for s in standing}


def _open(listed: Listed) -> Iterator[Standing]:
    return (s for s in listed.standing if s.mark is not Mark.FINAL)


def _files(listed: Listed, settings: Settings) -> Iterator[FileDoc]:
    for original in listed.asset.originals:
        place = whereabouts(original, listed.asset.copies)
        yield {
            "role": original.role.value,
            "name": original.name,
            "size": original.size,
            "blake3": original.digest,
            "mtime_ns": original.mtime_ns,
            "path": path_of(place, settings) if place else None,
        }


def _copies(listed: Listed, settings: Settings) -> Iterator[CopyDoc]:
    for copy in listed.asset.copies:
        yield {
            "site": copy.place.site.value,
            "key": copy.place.key,
            "blake3": copy.digest,
            "verified_at": iso(copy.verified_at),
            "method": copy.method,
            "path": path_of(copy.place, settings),
        }


def _renditions(listed: Listed, settings: Settings) -> Iterator[RenditionDoc]:
    for rendition in listed.asset.renditions:
        yield {
            "recipe": rendition.recipe,
            "site": rendition.place.site.value,
            "key": rendition.place.key,
            "blake3": rendition.digest,
            "size": rendition.size,
            "path": path_of(rendition.place, settings),
            "figures": dict(rendition.figures),
        }


def step_doc(standing: Standing, busy: Collection[str], paused: Collection[str]) -> StepDoc:
    stage = stage_of(standing.state) or ""
    error: ErrorDoc | None = None
    if standing.code:
        error = {"code": standing.code, "message": standing.why, "remedy": standing.remedy}
    return {
        "stage": stage,
        "state": _step_state(
            standing.mark, is_busy=stage in busy, is_paused=is_paused(stage, paused)
        ),
        "attempts": standing.attempts,
        "not_before": maybe_iso(standing.due)
        if standing.mark in {Mark.WAITING, Mark.RETRY}
        else None,
        "reason": standing.why or _REASONS.get(standing.mark, ""),
        "error": error,
    }


_REASONS = {
    Mark.GATED: "the workflow wants other lanes to come first",
    Mark.READY: "its turn has not come yet",
}


def _step_state(mark: Mark, *, is_busy: bool, is_paused: bool) -> StepState:
    if mark is Mark.FAILED:
        return "failed"
    if mark is Mark.HELD:
        return "held"
    if is_busy:
        return "running"
    if is_paused:
        return "paused"
    return "ready" if mark is Mark.READY else "waiting"


def history_doc(row: HistoryRow) -> HistoryDoc:
    return {
        "seq": row.seq,
        "at": iso(row.at),
        "asset": row.asset,
        "stage": row.stage,
        "from": row.from_state.value if row.from_state else None,
        "to": row.to_state.value if row.to_state else None,
        "evidence": dict(row.evidence),
    }


def planned_doc(planned: Planned, name: str) -> PlannedDoc:
    doc: PlannedDoc = {
        "asset": planned.asset,
        "name": name,
        "stage": planned.stage,
        "verdict": "act",
        "what": "",
        "until": None,
        "code": "",
        "remedy": "",
    }
    match planned.verdict:
        case Act(what):
            doc["what"] = what
        case Done(evidence, then):
            doc["verdict"] = "done"
            doc["what"] = evidence.note or f"{evidence.kind}: goes on to {then.value}"
        case Merge(into):
            doc["verdict"] = "merge"
            doc["what"] = f"belongs to asset {into}"
        case Wait(until, why, code, remedy):
            doc["verdict"], doc["what"], doc["until"] = "wait", why, iso(until)
            doc["code"], doc["remedy"] = code, remedy
        case Leave(why):
            doc["verdict"], doc["what"] = "leave", why
        case Ask(code, question, remedy):
            doc["verdict"], doc["what"] = "ask", question
            doc["code"], doc["remedy"] = code, remedy
        case Refuse(code, why, remedy):
            doc["verdict"], doc["what"] = "refuse", why
            doc["code"], doc["remedy"] = code, remedy
        case _:
            assert_never(planned.verdict)
    return doc


def sentences(asset: Asset, doc: AssetDoc, plan: Sequence[PlannedDoc]) -> list[str]:
    """What a person wants to know first: where it is, what it waits for, what comes next."""
    said = [*_where(doc), *rungs(asset), *in_cloud(doc["icloud"]), *alike(doc["near"])]
    for step in doc["steps"]:
        said.append(_waits(step))
        said += [
            f"next: {step['stage']} would {_would(p)}"
            for p in plan
            if p["stage"] == step["stage"] and not _is_said(step, p)
        ]
    if not doc["steps"]:
        said.append(_END.get(doc["state"], "nothing is left to do"))
    return said


_END = {
    "quarantined": "it is kept in quarantine; mediad never deletes it",
    "duplicate": "nothing is left to do: the keeper goes on in its place",
}


def _where(doc: AssetDoc) -> Iterator[str]:
    if doc["duplicate_of"] is not None:
        yield _twin(doc)
    for copy in doc["copies"]:
        if copy["site"] not in {Site.SPOOL, Site.PHONE}:  # of the phone its own rungs tell
            yield f"{copy['site']} holds its bytes as {copy['key']}, seen {copy['verified_at']}"
    for rendition in doc["renditions"]:
        yield f"{rendition['site']} holds a rendition ({rendition['recipe']}) as {rendition['key']}"
    if doc["state"] == "quarantined":
        last = next((h["evidence"] for h in reversed(doc["history"]) if h["to"]), {})
        said = ": ".join(str(last[k]) for k in ("code", "note") if last.get(k))
        yield "; ".join(part for part in (said, str(last.get("remedy") or "")) if part)


def _twin(doc: AssetDoc) -> str:
    """An exact duplicate, or what mediad made itself and has been given back."""
    of = doc["duplicate_of"]
    seen = [h["evidence"] for h in doc["history"] if h["to"] == State.DUPLICATE]
    if seen and seen[-1].get("figures", {}).get("rendition_of"):
        return f"it is a rendition that mediad made of asset {of}, and that has come back"
    return f"it is an exact duplicate of asset {of}"


def _waits(step: StepDoc) -> str:
    until = f" (not before {step['not_before']})" if step["not_before"] else ""
    tries = f" after {step['attempts']} tries" if step["attempts"] else ""
    why = f": {step['reason']}" if step["reason"] else ""
    remedy = f"; {step['error']['remedy']}" if step["error"] and step["error"]["remedy"] else ""
    return f"{step['stage']} is {step['state']}{tries}{until}{why}{remedy}"


def _is_said(step: StepDoc, plan: PlannedDoc) -> bool:
    """A step that waits, or that a person is asked about, has given its reason already."""
    return plan["verdict"] in {"wait", "leave", "ask"} and plan["what"] == step["reason"]


def _would(plan: PlannedDoc) -> str:
    return _WOULD[plan["verdict"]].format(**plan)


_WOULD = {
    "act": "{what}",
    "done": "record: {what}",
    "merge": "join it: it {what}",
    "wait": "wait until {until}: {what}",
    "leave": "wait for its turn: {what}",
    "ask": "ask: {what}",
    "refuse": "refuse: {what}",
}
