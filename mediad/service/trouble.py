"""What went wrong, grouped by code: one line a kind of trouble instead of one a file."""

from typing import Final

from mediad.journal import Journal, Listed, Mark
from mediad.service.answers import Doc
from mediad.service.words import maybe_iso
from mediad.state import stage_of

PAGE: Final = 500
MOST: Final = 10_000  # assets looked at a mark; beyond it the count says "at least"
_MARKS: Final = (Mark.FAILED, Mark.HELD, Mark.RETRY)
_SHOWN: Final = 10  # assets named in a group


async def grouped(journal: Journal) -> list[Doc]:
    groups: dict[str, Doc] = {}
    for mark in _MARKS:
        seen = 0
        cursor: int | None = None
        while seen < MOST:
            page = await journal.assets(state=mark.value, cursor=cursor, limit=PAGE)
            for listed in page:
                _count(groups, listed, mark)
            seen += len(page)
            if len(page) < PAGE:
                break
            cursor = page[-1].asset.id
    await _quarantined(journal, groups)
    return sorted(groups.values(), key=lambda g: (-g["count"], g["code"]))


def _count(groups: dict[str, Doc], listed: Listed, mark: Mark) -> None:
    for s in listed.standing:
        if s.mark is mark:
            group = _group(groups, s.code or "error", s.why, s.remedy)
            group["count"] += 1
            group[mark.value] += 1
            group["stages"] = sorted({*group["stages"], stage_of(s.state) or s.lane.value})
            if mark is Mark.RETRY:
                dues = [d for d in (group["next_retry"], maybe_iso(s.due)) if d]
                group["next_retry"] = min(dues, default=None)
            _name(group, listed)


async def _quarantined(journal: Journal, groups: dict[str, Doc]) -> None:
    """Not failed, but a person asking for errors wants to know of them: the reason is in the last evidence."""
    for listed in await journal.assets(state="quarantined", limit=PAGE):
        rows = await journal.history(listed.asset.id)
        last = next((r.evidence for r in reversed(rows) if r.to_state), {})
        words = [str(last.get(k, "")) for k in ("code", "note", "remedy")]
        group = _group(groups, words[0] or "quarantined", words[1], words[2])
        group["count"] += 1
        group["quarantined"] += 1
        _name(group, listed)


def _group(groups: dict[str, Doc], code: str, message: str, remedy: str) -> Doc:
    return groups.setdefault(
        code,
        {
            "code": code, "count": 0, "failed": 0, "held": 0, "retry": 0, "quarantined": 0, "stages": [],
            "message": message, "remedy": remedy, "next_retry": None, "assets": [],
        },
    )  # fmt: skip


def _name(group: Doc, listed: Listed) -> None:
    if len(group["assets"]) < _SHOWN:
        group["assets"].append({"id": listed.asset.id, "name": listed.asset.name})
