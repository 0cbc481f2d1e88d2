"""Looking after the record and the copies: read copies again, back the journal up, follow its seals."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from mediad.errors import MediadError, Refused
from mediad.journal import Step, name_at
from mediad.model import AssetId, Copy, Evidence, Place, Site, SiteKey
from mediad.ports import Sighting
from mediad.service.answers import Doc, VerifyDoc
from mediad.service.parts import Parts
from mediad.state import State, Transition

PAGE: Final = 64
SITES: Final = (Site.ARCHIVE, Site.LIBRARY, Site.SPOOL, Site.DUPLICATES)
_SHARES: Final = 10_000  # of all digests
_LOOK: Final = "compare it with the original: mediactl explain names every copy"
_AGAIN: Final = "check that disk; while another copy of the original is known, it is archived again (mediactl explain)"
_SCRUB: Final = Transition(State.ARCHIVED, "scrub", State.ARCHIVE_DUE)


class Keeping:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def verify(self, sites: Sequence[Site], percent: float) -> VerifyDoc:
        """
        Read copies from the medium and compare them with what was once verified.

        A copy in the archive that is gone, or is other bytes now, sends its asset's archive lane back: it is
        archived again as long as the original is at hand. An archive that does not answer proves nothing.
        A sample is another one every time, so that in time each copy has its turn.
        """
        turn = int(self._parts.ports().clock.jitter() * _SHARES)
        report: VerifyDoc = {
            "ok": True, "checked": 0, "bytes": 0, "differing": [], "missing": [], "unreadable": [],
        }  # fmt: skip
        for site in sites:
            async for page in self._copies(site, percent, turn):
                sightings = await self._parts.ports().files.read_back([c.place for c in page])
                for copy, sighting in zip(page, sightings, strict=True):
                    await self._judge(copy, sighting, report)
        report["ok"] = not (report["differing"] or report["missing"] or report["unreadable"])
        return report

    async def _copies(self, site: Site, percent: float, turn: int) -> AsyncIterator[list[Copy]]:
        """A site's copies in pages; of a sample, those whose digest falls into the share whose turn it is."""
        after = SiteKey("")
        while page := await self._parts.journal.copies_at(site, after, PAGE):
            after = page[-1].place.key
            chosen = [
                c
                for c in page
                if (int(c.digest[:8], 16) + turn) % _SHARES < percent * _SHARES / 100
            ]
            if chosen:
                yield chosen

    async def _judge(
        self, copy: Copy, sighting: Sighting | MediadError | None, report: VerifyDoc
    ) -> None:
        place: Doc = {"site": copy.place.site.value, "key": copy.place.key}
        report["checked"] += 1
        if isinstance(sighting, MediadError):
            report["unreadable"].append(
                {
                    **place,
                    "code": sighting.code,
                    "message": sighting.what,
                    "remedy": sighting.remedy,
                }
            )
        elif sighting is None:
            report["missing"].append({**place, **await self._send_back(copy, "there is no file")})
        elif sighting.digest != copy.digest:
            told = await self._send_back(copy, "the file holds other bytes than were once verified")
            digests = {"expected": copy.digest, "found": sighting.digest}
            report["differing"].append({**place, **digests, **told})
        else:
            report["bytes"] += sighting.size

    async def _send_back(self, copy: Copy, found: str) -> Doc:
        """Whose copy it was, what was found, and what a person should do about it."""
        if copy.place.site is not Site.ARCHIVE:
            return {"assets": [], "message": found, "remedy": _LOOK}
        now = self._parts.ports().clock.now()
        evidence = Evidence(
            "read-back", now, note=f"verify: {found}", code="archive.rot", gone=(copy.place,)
        )
        owners = await self._owners(copy.place)
        for owner in owners:
            await self._parts.journal.record([Step(owner, _SCRUB, evidence)])
        self._parts.engine.wake()
        return {"assets": owners, "message": found, "remedy": _AGAIN}

    async def _owners(self, place: Place) -> list[AssetId]:
        found = await self._parts.journal.listed(await self._parts.journal.find(place.key))
        return [
            x.asset.id
            for x in found
            if State.ARCHIVED in x.position and any(c.place == place for c in x.asset.copies)
        ]

    async def backup(self, target: Path | None) -> Path:
        """A checked copy of the journal while the work goes on; never in the place of another file."""
        settings = self._parts.loaded().settings
        now = self._parts.ports().clock.now()
        path = target or settings.folders.state / "backups" / name_at(now)
        if path.exists() and target is not None:
            raise Refused(
                f"{path} exists already and was left as it is",
                code="backup.exists",
                remedy="name a file that does not exist yet",
            )
        await self._parts.journal.backup(path)
        return path

    async def audit(self) -> Doc:
        """Every row of the history against its seal."""
        audit = await self._parts.journal.audit()
        return {
            "ok": audit.broken_at is None,
            "rows": audit.rows,
            "broken_at": audit.broken_at,
            "message": audit.what,
        }
