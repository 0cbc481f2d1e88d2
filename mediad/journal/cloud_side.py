"""The journal's methods for iCloud: pages in, questions out. Journal is one of these."""

import json
import sqlite3
import uuid
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from mediad.errors import MediadError
from mediad.journal import cloud, cloud_page, queries, whole
from mediad.journal.db import Readers
from mediad.journal.rows import (
    CloudCounts,
    CloudPage,
    Listing,
    Reason,
    Step,
    Tally,
    ZoneRow,
    to_sql,
)
from mediad.journal.scribe import Scribe
from mediad.model import AssetId, CloudRef, Evidence, Place, Remote, Site
from mediad.ports import Delta, Partner, RemoteRow, SelfTest, Zone
from mediad.state import Position, State, Transition

T = TypeVar("T")

FIRST: Final = CloudRef("", "")


class CloudSide:
    _readers: Readers
    _scribe: Scribe
    _connection: sqlite3.Connection

    async def _all(self, items: Sequence[Callable[[], T]]) -> list[T]:
        raise NotImplementedError

    async def record(self, steps: Sequence[Step]) -> list[Position | MediadError]:
        raise NotImplementedError

    async def _put(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
        raise NotImplementedError

    # -- writing ----------------------------------------------------------------------------------

    async def cloud_page(
        self,
        zone: Zone,
        taken: Sequence[tuple[Remote, str]],
        delta: Delta,
        *,
        token: str | None = None,
        listing: Listing | None = None,
    ) -> list[AssetId]:
        """
        A page of iCloud with all that follows from it and how far it was read, in one transaction.

        `taken`: the assets to write down, each with why it is not fetched ("": it is). `token`: where the zone's
        changes go on; `listing`: where a listing on its way goes on; None leaves it as it was. Returns the new assets.
        """
        page = CloudPage(zone, tuple(taken), delta, token, listing)
        [made] = await self._all([partial(self._scribe.page, page)])
        return made

    async def cloud_account(self, token: str) -> None:
        """Where the changes of the whole account go on: only once those of its zones are in the journal."""
        await self._put("INSERT OR REPLACE INTO meta VALUES ('cloud token', ?)", [(to_sql(token),)])

    async def cloud_listed(self, zone: str, at: int) -> None:
        """The zone's listing has come to its end."""
        await self._do(cloud_page.finish_listing, zone, at)

    async def cloud_forget(self, zone: str) -> None:
        """Apple takes the zone's token no more: it is listed anew."""
        await self._do(cloud_page.forget_token, zone)

    async def ignore_fingerprints(self, fingerprints: Collection[str]) -> None:
        await self._do(cloud_page.ignore, tuple(fingerprints))

    async def reopen_cloud(self, now: int) -> int:
        """
        Deleting has been switched on: who only passed while it was off stands before it again. Returns how many.

        Not who was skipped by hand, whom mediad deleted itself, or whom a person brought back since.
        """
        passed = await self._readers.ask(cloud.passed_by)
        seen = Evidence(
            "reopened", now, note="giving space back was off when its turn came, and is on now"
        )
        back = Transition(State.DELETED, "reopen", State.CLOUD_DUE)
        answers = await self.record([Step(a, back, seen) for a in passed])
        return sum(not isinstance(answer, MediadError) for answer in answers)

    async def set_cloud_filters(self, filters: str) -> None:
        """What was left out has been judged by these."""
        await self._put("INSERT OR REPLACE INTO meta VALUES ('cloud filters', ?)", [(filters,)])

    async def set_selftest(self, at: int, *, ok: bool, detail: str) -> None:
        text = json.dumps({"at": at, "ok": ok, "detail": detail})
        await self._put("INSERT OR REPLACE INTO meta VALUES ('selftest', ?)", [(text,)])

    async def album_for(self, zone: str, name: str) -> str:
        """The record name of mediad's own album: chosen when first asked for, and on the disk before this returns."""
        known = await self._readers.ask(lambda db: cloud.album_for(db, zone, name))
        if known:
            return known
        row = (cloud.album_key(zone, name), uuid.uuid4().hex.upper())
        await self._put("INSERT OR IGNORE INTO meta VALUES (?, ?)", [row])
        return await self.album_for(zone, name)

    async def _do(self, write: Callable[..., None], *said: Any) -> None:
        await self._all([partial(write, self._connection.execute, *said)])

    # -- reading ----------------------------------------------------------------------------------

    async def cloud_tokens(self) -> tuple[str | None, dict[str, ZoneRow]]:
        return await self._readers.ask(lambda db: (cloud.token(db), cloud.zones(db)))

    async def remotes(self, refs: Sequence[CloudRef]) -> dict[CloudRef, RemoteRow]:
        return await self._readers.ask(lambda db: cloud.remotes(db, refs))

    async def keeper(self, asset: AssetId) -> Partner | None:
        return await self._readers.ask(lambda db: queries.keeper(db, asset))

    async def claimed(self, places: Sequence[Place]) -> frozenset[Place]:
        return await self._readers.ask(
            lambda db: frozenset(p for p in places if whole.is_claimed(db, p))
        )

    async def remotes_of_master(self, zone: str, master: str) -> list[RemoteRow]:
        return await self._readers.ask(lambda db: cloud.of_master(db, zone, master))

    async def remotes_left(self, zone: str, after: str, limit: int) -> list[RemoteRow]:
        """What is listed and not fetched, a page by record name."""
        return await self._readers.ask(lambda db: cloud.left(db, zone, after, limit))

    async def remotes_unseen(self, zone: str, since: int, limit: int) -> list[CloudRef]:
        """What is in iCloud as far as we know, and no page has named since then."""
        return await self._readers.ask(lambda db: cloud.unseen(db, zone, since, limit))

    async def listed_remotes(self) -> int:
        return await self._readers.ask(cloud.count)

    async def cloud_counts(self, now: int) -> CloudCounts:
        return await self._readers.ask(lambda db: cloud.counts(db, now))

    async def cloud_filters(self) -> str:
        return await self._readers.ask(cloud.filters)

    async def ignored(self, fingerprints: Collection[str]) -> frozenset[str]:
        return await self._readers.ask(lambda db: cloud.ignored(db, fingerprints))

    async def albums(self, zone: str) -> dict[str, str]:
        """Names of the albums by record name."""
        return await self._readers.ask(lambda db: cloud.album_names(db, zone))

    async def albums_of(self, refs: Sequence[CloudRef]) -> dict[CloudRef, frozenset[str]]:
        return await self._readers.ask(lambda db: cloud.albums_of(db, refs))

    async def deletions_since(self, at: int) -> int:
        return await self._readers.ask(lambda db: cloud.deletions_since(db, at))

    async def selftest(self) -> SelfTest | None:
        return await self._readers.ask(cloud.selftest)

    async def completeness(self, site: Site = Site.ARCHIVE) -> list[Tally]:
        """All that iCloud has or had, by month and kind, and what keeps it from being at `site`."""
        return await self._readers.ask(lambda db: cloud.completeness(db, site))

    async def missing(
        self, after: CloudRef = FIRST, limit: int = 100, site: Site = Site.ARCHIVE
    ) -> list[tuple[RemoteRow, Reason]]:
        """The same one by one, without what is there whole."""
        return await self._readers.ask(lambda db: cloud.missing(db, site, after, limit))
