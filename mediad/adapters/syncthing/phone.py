"""The phone behind a real Syncthing: ports.Phone. Nothing here removes anything but its own probe."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from mediad.adapters.syncthing import answers, blocks
from mediad.adapters.syncthing.answers import mapping, sequence
from mediad.adapters.syncthing.client import Access, Client
from mediad.adapters.syncthing.faults import PHONES
from mediad.adapters.syncthing.known import Finder, Known
from mediad.adapters.syncthing.look import Look
from mediad.adapters.syncthing.opinion import Round, SentBytes
from mediad.adapters.syncthing.probe import Probe
from mediad.adapters.syncthing.setting_up import SettingUp
from mediad.adapters.syncthing.wire import wire
from mediad.config import Settings
from mediad.errors import MediadError, Retryable
from mediad.model import Place, Site, SiteKey
from mediad.ports import Change, Clock, Entry, Heard, Indexed, PhoneLink, SetUp

HASHING: Final = 2  # files read at once: more would only seek
SUBS: Final = 50  # names in one scan
PAGE: Final = 1000
PAGES: Final = 1000  # a million names: beyond that a lane would not be the trouble
_SCAN_S: Final = 600.0  # a scan stands behind what the folder is doing
_WHOLE_SCAN_S: Final = 3600.0
_POLL_MARGIN_S: Final = 15.0


class SyncthingPhone:
    """ports.Phone. Settings are read anew for each question, so a reload needs nothing but to happen."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        clock: Clock,
        path_of: Callable[[Place], Path],
    ) -> None:
        self._settings = settings
        self._path_of = path_of
        self._client = Client(self._access)
        self._phones = Client(self._phone_access)
        self._finder = Finder(self._client, settings, clock, self._root)
        self._sent = SentBytes(self._client, path_of)
        self._setting_up = SettingUp(self._client, self._finder, settings, self._root)
        self._probe = Probe(self.scan, self.indexed, clock, self._root)
        self._scanning = anyio.Lock()
        self._hashing = anyio.CapacityLimiter(HASHING)
        self._heard: Heard | None = None

    def hear(self, heard: Heard) -> None:
        """The last event that said something of the phone, for `link` to tell."""
        self._heard = heard

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._phones.aclose()

    async def link(self) -> PhoneLink:
        known = await self._finder.known()
        now = await wire(self._client, known)
        return PhoneLink(
            known.device, now.is_connected, now.since, known.node.syncthing, self._heard
        )

    async def scan(self, keys: Sequence[SiteKey]) -> None:
        known = await self._finder.at_work()
        if known.node.needs_second_opinion:
            await self._sent.before_scan(known, keys)
        lots = [keys[n : n + SUBS] for n in range(0, len(keys), SUBS)] or [()]
        wait_s = _SCAN_S if keys else _WHOLE_SCAN_S
        async with (
            self._scanning
        ):  # they would only queue up there, each with one of our connections
            for lot in lots:
                query = [("folder", known.folder), *(("sub", key) for key in lot)]
                await self._at_work("POST", "/rest/db/scan", query, known=known, wait_s=wait_s)

    async def indexed(self, keys: Sequence[SiteKey]) -> Sequence[Indexed | MediadError | None]:
        if not keys:
            return ()
        known = await self._finder.at_work()
        look = Look(self._client, known, await self._round(known), keys)
        found = await look.all()
        if look.fault is None:
            return found
        fault = await self._finder.explained(look.fault)
        return [fault if one is look.fault else one for one in found]

    async def needed(self) -> frozenset[SiteKey]:
        known = await self._finder.at_work()
        query = [("folder", known.folder), ("device", known.device)]
        rows = await self._pages(known, "/rest/db/remoteneed", query, ("files",))
        return frozenset(answers.names(rows, deleted=False))

    async def ahead(self) -> frozenset[SiteKey]:
        known = await self._finder.at_work()
        lists = "progress", "queued", "rest"
        rows = await self._pages(known, "/rest/db/need", [("folder", known.folder)], lists)
        return frozenset(answers.names(rows, deleted=True))

    async def blocks_hash(self, place: Place, entry: Entry) -> bool:
        if not entry.blocks_hash:
            return True
        try:
            return await to_thread.run_sync(
                blocks.makes,
                self._path_of(place),
                entry.size,
                entry.blocks_hash,
                limiter=self._hashing,
            )
        except OSError as error:
            raise Retryable(
                f"the file could not be read to compare it with Syncthing's index ({error.strerror}); it stays"
                " where it is",
                code="io.error",
                remedy="look at the disk; mediad tries again by itself",
            ) from error

    async def set_up(self) -> SetUp:
        return await self._setting_up.read()

    async def mend(self, changes: Sequence[Change]) -> None:
        await self._setting_up.mend(changes)

    async def keeps_deleted(self, patience_s: float) -> bool | None:
        return await self._probe.run(patience_s)

    async def started(self) -> str:
        """When this Syncthing started, as it writes it: another value, and its event ids began anew."""
        return (await self._finder.node()).started

    async def events(
        self, since: int, *, mask: Sequence[str], limit: int | None, timeout_s: float
    ) -> Sequence[Mapping[str, object]]:
        """
        What happened after `since`, the oldest first; waits up to `timeout_s` for the first of it.

        What is in an event is as it came. ConfigSaved comes without its data: that is the whole configuration, with
        the API key in it.
        """
        query = [
            ("since", str(since)),
            ("timeout", str(round(timeout_s))),
            ("events", ",".join(mask)),
        ]
        query += [("limit", str(limit))] if limit is not None else []
        answer = await self._client.ask(
            "GET", "/rest/events", query, wait_s=timeout_s + _POLL_MARGIN_S
        )
        return [_event(row) for row in sequence(answer.said if answer else None, "events")]

    def _root(self) -> Path:
        return self._path_of(Place(Site.PHONE, SiteKey("")))

    def _access(self) -> Access:
        told = self._settings().syncthing
        return Access(told.url, told.api_key.get_secret_value(), told.ca_file, told.timeout_seconds)

    def _phone_access(self) -> Access:
        told = self._settings().syncthing
        key = told.phone_api_key.get_secret_value()
        return Access(told.phone_url, key, told.phone_ca_file, told.timeout_seconds, PHONES)

    async def _pages(
        self, known: Known, path: str, query: Sequence[tuple[str, str]], lists: Sequence[str]
    ) -> Sequence[object]:
        """All rows of these lists. They shift while they are read, so one may be missing or there twice."""
        found: list[object] = []
        for page in range(1, PAGES + 1):
            paged = [*query, ("page", str(page)), ("perpage", str(PAGE))]
            answer = await self._at_work("GET", path, paged, known=known)
            row = mapping(answer, "need")
            rows = [item for name in lists for item in sequence(row.get(name), name)]
            found += rows
            if len(rows) < PAGE:
                break
        return found

    async def _at_work(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        known: Known,
        wait_s: float = 0.0,
    ) -> object:
        """A question about the folder: "no such folder" is also what Syncthing says of a paused one."""
        try:
            answer = await self._client.ask(method, path, query, node=known.node.id, wait_s=wait_s)
        except MediadError as error:
            raise await self._finder.explained(error) from None
        return answer.said if answer else None

    async def _round(self, known: Known) -> Round | None:
        if not known.node.needs_second_opinion:
            return None
        phone = self._phones if self._settings().syncthing.phone_url else None
        return Round(known, phone, self._sent, await wire(self._client, known))


def _event(answer: object) -> Mapping[str, object]:
    row = mapping(answer, "event")
    return {**row, "data": None} if row.get("type") == "ConfigSaved" else row
