"""What a person asks about the past and the seals, and the desks for dates and for undo."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio.to_thread

from mediad.errors import Refused
from mediad.journal import backup
from mediad.model import AssetId
from mediad.service.answers import AsOfDoc, AuditDoc, HeadDoc
from mediad.service.dates import Dates
from mediad.service.parts import Parts
from mediad.service.story import asset_doc, sentences
from mediad.service.undoing import Undoing
from mediad.service.words import iso

_SEAL: Final = 64  # hex digits


class PersonDesk:
    def __init__(self, parts: Parts, find: Callable[[str], Awaitable[AssetId]]) -> None:
        self._parts = parts
        self._find = find
        self.dates = Dates(parts)
        self.undoing = Undoing(parts, find)

    async def find(self, query: str) -> AssetId:
        return await self._find(query)

    # -- the past -----------------------------------------------------------------------------------

    async def as_of(self, query: str, at: int) -> AsOfDoc:
        """The asset as it was known then, from the history alone."""
        asset = await self._find(query)
        settings = self._parts.loaded().settings
        found = await self._parts.journal.as_of(asset, at, settings.law())
        if found is None:
            raise Refused(
                f"nothing was known of asset {asset} at {iso(at)}",
                code="asset.not_yet",
                remedy="ask about a later time: mediactl explain shows when it was first seen",
            )
        listed, rows = found
        doc = asset_doc(listed, rows, settings, busy=(), paused=())
        story = sentences(listed.asset, doc, ())
        return {**doc, "plan": [], "story": story, "asked": asset, "as_of": iso(at)}

    # -- the seals ----------------------------------------------------------------------------------

    async def head(self) -> HeadDoc:
        row, seal = await self._parts.journal.head()
        return {"rows": row, "head": _written(row, seal)}

    async def audit(self, since: str, after: str, limit: int | None) -> AuditDoc:
        """
        Follow the seals, and find those again that were kept: by the person, and in the backups beside.

        `after`: where an earlier answer ended; with `limit` the whole is followed a part at a time.
        """
        start = read_head(after) if after else (0, bytes(32))
        heads = await anyio.to_thread.run_sync(self._kept)
        kept = {seal for seal in heads.values() if seal[0] > start[0]}
        if since:
            kept.add(read_head(since))
        audit = await self._parts.journal.audit(start, limit, kept)
        found = [n for n, (row, _) in heads.items() if row <= audit.rows]
        return {
            "ok": audit.broken_at is None,
            "rows": audit.rows,
            "head": _written(audit.rows, audit.seal),
            "is_end": audit.is_end,
            "broken_at": audit.broken_at,
            "message": audit.what,
            "backups": found,
        }

    def _kept(self) -> dict[str, tuple[int, bytes]]:
        folder: Path = self._parts.loaded().settings.folders.state / "backups"
        return backup.heads(folder, self._parts.journal.path)


def _written(row: int, seal: bytes) -> str:
    return f"{row}:{seal.hex()}"


def read_head(text: str) -> tuple[int, bytes]:
    """As `audit head` prints it; Refused names what it should look like."""
    row, _, seal = text.strip().partition(":")
    is_hex = len(seal) == _SEAL and not seal.strip("0123456789abcdef")
    if not (row.isascii() and row.isdecimal() and len(row) < 19 and is_hex):  # noqa: PLR2004 - SQLite's integers
        raise Refused(
            f"{text[:100]!r} is not what `mediactl audit head` prints; nothing was followed",
            code="audit.head",
            remedy="give the number of a row, a colon, and the 64 hex digits of its seal",
        )
    return int(row), bytes.fromhex(seal)
