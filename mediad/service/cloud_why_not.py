"""Why not: everything that must hold before a photo is deleted in iCloud, looked up now, and what of it does not."""

from collections.abc import Sequence
from typing import Final

from mediad.errors import MediadError
from mediad.journal import OFF, HistoryRow, Listed
from mediad.policy.cloud_guard import SAFETY, Case, Lack, Proof, lacks
from mediad.ports import Ports
from mediad.service.cloud_answers import WhyNotDoc
from mediad.stages import cases
from mediad.stages.holding import with_holdings
from mediad.state import Lane, State

_NOT_THERE: Final = "it did not come from iCloud: there is nothing to delete there"


async def why_not_delete(listed: Listed, history: Sequence[HistoryRow], io: Ports) -> WhyNotDoc:
    """As the deletion itself looks: iCloud is asked, the archive is read. Nothing is changed, and no leave is given."""
    doc: WhyNotDoc = {
        "asset": listed.asset.id, "name": listed.asset.name, "answer": _NOT_THERE, "turn": "", "error": None,
        "reasons": [],
    }  # fmt: skip
    [case] = await cases.from_journal([listed.asset], io)
    if case is None:
        return doc
    try:
        looked, proofs = await _looked_up(case, io), tuple(Proof)
    except MediadError as fault:
        looked, proofs = case, SAFETY
        doc["error"] = {"code": fault.code, "message": fault.what, "remedy": fault.remedy}
    wanting = lacks(looked)
    doc["turn"] = _turn(listed, history)
    doc["reasons"] = [
        {"proof": proof.value, "holds": not whys, "why": "; ".join(whys)}
        for proof in proofs
        for whys in [_of(proof, wanting)]
    ]
    missing = sum(not r["holds"] for r in doc["reasons"])
    if doc["error"]:
        doc["answer"] = "it is not deleted: not everything could be looked up"
    elif missing:
        doc["answer"] = f"it is not deleted: {missing} of {len(proofs)} proofs are missing"
    else:
        doc["answer"] = "every proof is there: nothing stands against it"
    return doc


async def _looked_up(case: Case, io: Ports) -> Case:
    [asked] = await cases.asked([case], io)
    [held] = await with_holdings([asked], io)
    if isinstance(held, MediadError):
        raise held
    return held


def _turn(listed: Listed, history: Sequence[HistoryRow]) -> str:
    """Proofs are one thing; a photo whose lane has ended is not looked at again, whatever they are."""
    at = next((s.state for s in listed.standing if s.lane is Lane.CLOUD), None)
    if at is None:
        return "its turn has not come: other lanes come first (mediactl explain)"
    if at is not State.DELETED:
        return f"it is under way: {at.value}"
    last = next((r.evidence for r in reversed(history) if r.to_state is State.DELETED), {})
    why = last.get("note") or last.get("kind") or "nobody knows why"
    if last.get("kind") == OFF:
        return (
            f"its turn came while giving space back was off, and comes again when that is on: {why}"
        )
    return f"its turn is over, and mediad does not come back to it by itself: {why}"


def _of(proof: Proof, wanting: Sequence[Lack]) -> list[str]:
    return [lack.why for lack in wanting if lack.proof is proof]
