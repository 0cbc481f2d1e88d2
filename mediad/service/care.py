"""
The copies' health for a person: how the scrub stands, reading them again now, and a manifest to check them without us.

Long work is cut into slices by the clock: whoever asks goes on with the cursor that the last answer gave, shows how far
it is meanwhile, and may stop at any time without a word.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final, NamedTuple

from mediad.errors import MediadError, Refused
from mediad.model import Place, Site, SiteKey
from mediad.policy import scrub
from mediad.policy.manifest import FORMS, line
from mediad.policy.scrub import Fate, Found, Rules, Stored
from mediad.ports import Sighting
from mediad.service.care_answers import Doc, ExportDoc, ScrubDoc, VerifyDoc
from mediad.service.parts import Parts
from mediad.service.words import maybe_iso
from mediad.watchers.rereading import Reading, Rereader, said

SITES: Final = (Site.ARCHIVE, Site.LIBRARY, Site.SPOOL, Site.DUPLICATES, Site.QUARANTINE)
FOLDERS: Final = (Site.ARCHIVE, Site.LIBRARY)
_SHARES: Final = 10_000  # of all digests
_DAY_MINUTES: Final = 60_000
_REMEDY: Final = {
    Fate.HEALING: "none needed for the file: it is made anew from another copy; look at the health of that disk",
    Fate.LOST: "put it back from a backup under that name in the archive, then `mediactl retry --all-held`",
    Fate.UNREADABLE: "it is tried again by itself; look at the health of that disk (smartctl) and its cable",
    Fate.OVER: "none needed: another copy of the original was just read whole (mediactl explain names it)",
}


class Cursor(NamedTuple):
    site: Site
    after: SiteKey
    turn: int = 0

    def __str__(self) -> str:
        text = json.dumps([self.site.value, self.after, self.turn])
        return base64.urlsafe_b64encode(text.encode()).decode()

    @classmethod
    def read(cls, text: str) -> "Cursor":
        try:
            site, after, turn = json.loads(base64.urlsafe_b64decode(text.encode()))
            return cls(Site(site), SiteKey(after), int(turn))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise Refused(
                "this cursor was not given by mediad",
                code="request.cursor",
                remedy="ask again without it",
            ) from None


class Care:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._reader = Rereader(parts.journal, parts.engine)

    async def scrub(self) -> ScrubDoc:
        """As it was last counted; nothing is counted for the sake of the asker."""
        now = self._parts.ports().clock.now()
        rules = Rules.of(self._parts.loaded().settings)
        stands = self._parts.orders.scrub()
        far = stands.progress or scrub.Progress()
        days = await self._journal.scrub_days()
        today = next((d for d in days if d.day == stands.day), scrub.Day(stands.day))
        tally = await self._journal.damage_tally()
        state = "off" if not rules.is_on else "reading" if stands.is_reading else "resting"
        return {
            "state": state,  # type: ignore[typeddict-item]  # one of the three
            "why": stands.why,
            "cycle_days": rules.cycle_ms / scrub.DAY_MS,
            "copies": far.copies,
            "bytes": far.bytes,
            "share": round((far.copies - far.due_copies) / far.copies, 4) if far.copies else 1.0,
            "due_copies": far.due_copies,
            "due_bytes": far.due_bytes,
            "oldest": maybe_iso(far.oldest),
            "whole_by": maybe_iso(scrub.whole_by(far, rules, days, now)),
            "today": {
                "minutes": round(today.ms / _DAY_MINUTES, 2),
                "bytes": today.bytes,
                "copies": today.copies,
            },
            "damage": {fate.value: tally.get(fate, 0) for fate in Fate},
        }

    async def verify(
        self,
        site: str | None,
        percent: float,
        cursor: str | None = None,
        seconds: float | None = None,
    ) -> VerifyDoc:
        """
        Read copies from the medium and compare them with what was once verified; for so many seconds, or all.

        What is wrong is acted on as when the scrub finds it. A sample is another one every time, so that in time each
        copy has its turn.
        """
        begin = self._begin(site, cursor)
        report: VerifyDoc = {
            "ok": True, "total": 0, "checked": 0, "bytes": 0, "differing": [], "missing": [], "unreadable": [],
            "cursor": None,
        }  # fmt: skip
        sites = _from(begin.site, site)
        report["total"] = (
            await self._journal.scrub_progress(0, [Site(site)] if site else SITES)
        ).copies
        io = self._parts.ports()
        end = None if seconds is None else io.clock.monotonic() + seconds
        async for at, page in self._pages(sites, begin):
            for lot in _lots([s for s in page if _is_chosen(s, percent, begin.turn)]):
                for reading in await self._reader.read(lot, io):
                    _report(reading, report)
            if end is not None and io.clock.monotonic() >= end:
                report["cursor"] = str(Cursor(at, page[-1].place.key, begin.turn))
                break
        report["ok"] = not (report["differing"] or report["missing"] or report["unreadable"])
        return report

    async def export(
        self, site: str, form: str, cursor: str | None = None, seconds: float | None = None
    ) -> ExportDoc:
        """
        Lines for `sha256sum -c` or `b3sum -c` in the folder of a site.

        BLAKE3 is what the journal has. SHA-256 is of what the medium gives back now, and only of files that are what
        was verified: a manifest never makes rot right.
        """
        if form not in FORMS:
            raise Refused(
                f"there is no manifest of the form {form!r}",
                code="export.form",
                remedy=f"one of: {', '.join(FORMS)}",
            )
        if site not in FOLDERS:
            raise Refused(
                f"there is nothing to export at {site!r}",
                code="verify.site",
                remedy=f"one of: {', '.join(FOLDERS)}",
            )
        begin = self._begin(site, cursor)
        io = self._parts.ports()
        end = None if seconds is None else io.clock.monotonic() + seconds
        told: list[bytes] = []
        doc: ExportDoc = {
            "folder": str(io.settings.path_of(begin.site)), "files": 0, "manifest": "", "left_out": [], "cursor": None,
        }  # fmt: skip
        async for at, page in self._pages([begin.site], begin):
            once = list({s.place: s for s in page}.values())
            digests = (
                {s.place: s.digest for s in once} if form == "b3" else await self._sha256(once, doc)
            )
            for place, digest in digests.items():
                said_so = line(digest, place.key, "b3" if form == "b3" else "sha256")
                if said_so is None:
                    doc["left_out"].append(
                        _left_out(place, "b3sum can be told no name that is no UTF-8")
                    )
                else:
                    told.append(said_so)
            if end is not None and io.clock.monotonic() >= end:
                doc["cursor"] = str(Cursor(at, page[-1].place.key))
                break
        doc["files"], doc["manifest"] = len(told), base64.b64encode(b"".join(told)).decode()
        return doc

    async def _sha256(self, stored: Sequence[Stored], doc: ExportDoc) -> dict[Place, str]:
        found: dict[Place, str] = {}
        for lot in _lots(stored):
            for r in await self._reader.read(lot, self._parts.ports(), sha256=True):
                if r.what is Found.WHOLE and isinstance(r.answer, Sighting):
                    found[r.stored.place] = r.answer.sha256
                elif r.stored in lot:
                    doc["left_out"].append(_left_out(r.stored.place, _why(r)))
        return found

    def _begin(self, site: str | None, cursor: str | None) -> Cursor:
        if site is not None and site not in {s.value for s in SITES}:
            raise Refused(
                f"there are no copies to read again at {site!r}",
                code="verify.site",
                remedy=f"one of: {', '.join(s.value for s in SITES)}",
            )
        if cursor:
            return Cursor.read(cursor)
        turn = int(self._parts.ports().clock.jitter() * _SHARES)
        return Cursor(Site(site) if site else SITES[0], SiteKey(""), turn)

    async def _pages(
        self, sites: Sequence[Site], begin: Cursor
    ) -> AsyncIterator[tuple[Site, list[Stored]]]:
        for site in sites:
            after = begin.after if site is begin.site else SiteKey("")
            while page := await self._journal.stored_at(site, after, scrub.LOT_FILES):
                yield site, page
                after = page[-1].place.key


def _from(first: Site, only: str | None) -> Sequence[Site]:
    return [first] if only else SITES[SITES.index(first) :]


def _lots(stored: Sequence[Stored]) -> Iterator[list[Stored]]:
    """A large film is read by itself: what was read before it is in the journal by then."""
    lot: list[Stored] = []
    for s in stored:
        if lot and sum(x.size for x in lot) + s.size > scrub.LOT_BYTES:
            yield lot
            lot = []
        lot.append(s)
    if lot:
        yield lot


def _is_chosen(stored: Stored, percent: float, turn: int) -> bool:
    return (int(stored.digest[:8], 16) + turn) % _SHARES < percent * _SHARES / 100


def _report(reading: Reading, report: VerifyDoc) -> None:
    stored, answer = reading.stored, reading.answer
    if reading.what is None and not isinstance(answer, MediadError):
        return  # it was moved, or cleaned away, while it was read
    place: Doc = {"site": stored.place.site.value, "key": stored.place.key}
    report["checked"] += 1
    if reading.what is Found.WHOLE:
        report["bytes"] += stored.size
        return
    told = {"assets": [stored.asset], "message": _why(reading), "remedy": _remedy(reading)}
    if isinstance(answer, MediadError):
        report["unreadable"].append({**place, "code": answer.code, **told})
    elif answer is None:
        report["missing"].append({**place, **told})
    else:
        digests = {"expected": stored.digest, "found": answer.digest}
        report["differing"].append({**place, **digests, **told})


def _why(reading: Reading) -> str:
    if isinstance(reading.answer, MediadError):
        return reading.answer.what
    return said(reading.what) if reading.what else "it was moved while it was read"


def _remedy(reading: Reading) -> str:
    if isinstance(reading.answer, MediadError) and reading.answer.remedy:
        return reading.answer.remedy
    return _REMEDY.get(reading.fate or Fate.OVER, "")


def _left_out(place: Place, why: str) -> Doc:
    return {"site": place.site.value, "key": place.key, "message": why}
