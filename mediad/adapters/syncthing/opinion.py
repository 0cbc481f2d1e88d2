"""
A second opinion where Syncthing here is 2.x: it lists a phone that ignores a file as if it had it.

First the phone's own Syncthing is asked, where its address is known. Else the bytes that went to the phone are
weighed against the files: enough of them, and the phone has fetched this one too. Nobody to ask: no opinion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anyio import to_thread

from mediad.adapters.syncthing.answers import entry, mapping, sequence
from mediad.adapters.syncthing.client import Client
from mediad.adapters.syncthing.known import Known
from mediad.adapters.syncthing.wire import Wire, needs_nothing, wire
from mediad.errors import Retryable
from mediad.model import Place, Site, SiteKey
from mediad.ports import Entry, Opinion

_SLACK: Final = 0.2  # of the file in question: so much of it may be missing in the count
_TALK: Final = 0.001  # what Syncthing says beside the files, as a part of their bytes …
_TALK_PER_FILE: Final = 1024  # … and for each file
_MOST_FILES: Final = 20_000


@dataclass(slots=True)
class Sending:
    """What was scanned on one connection since the phone last needed nothing, and the bytes that went out since."""

    started: str
    from_bytes: int
    sizes: dict[tuple[SiteKey, int, int], int] = field(default_factory=dict)
    end_bytes: int | None = None  # where the next one began

    def has_sent(self, mark: tuple[SiteKey, int, int], now: Wire) -> bool:
        """
        So many bytes that this file must be among them.

        Without it at least its size would be missing; that shows only where it is more than Syncthing may have said
        beside the files. A small one among large ones is never known by this.
        """
        size, total = self.sizes[mark], sum(self.sizes.values())
        talk = total * _TALK + len(self.sizes) * _TALK_PER_FILE
        if now.started != self.started or not now.is_connected or size * (1 - _SLACK) <= talk:
            return False
        until = now.out_bytes if self.end_bytes is None else self.end_bytes
        return until - self.from_bytes >= total - size * _SLACK


class SentBytes:
    """Remembers, as long as this process and the connection live, what was scanned and what was sent since."""

    def __init__(self, client: Client, path_of: Callable[[Place], Path]) -> None:
        self._client = client
        self._path_of = path_of
        self._sendings: dict[tuple[SiteKey, int, int], Sending] = {}
        self._now: Sending | None = None

    async def before_scan(self, known: Known, keys: Sequence[SiteKey]) -> None:
        """Note these names down, before Syncthing hears of them."""
        now = await wire(self._client, known)
        if not now.is_connected:
            self._now = None
            return
        if self._now is None or self._now.started != now.started:
            self._sendings.clear()
            self._now = None
        if await needs_nothing(self._client, known):
            if self._now is not None:
                self._now.end_bytes = now.out_bytes
            self._now = Sending(now.started, now.out_bytes)
        if self._now is not None:  # else older files are on their way still: nothing can be weighed
            await self._note(self._now, keys)

    async def says(self, now: Wire, key: SiteKey, newest: Entry) -> Opinion:
        mark = key, newest.size, newest.mtime_ns or 0
        sending = self._sendings.get(mark)
        has_it = sending is not None and sending.has_sent(mark, now)
        return Opinion.SENT_BYTES if has_it else Opinion.NONE

    async def _note(self, sending: Sending, keys: Sequence[SiteKey]) -> None:
        for mark in await to_thread.run_sync(self._marks, tuple(keys)):
            if mark not in self._sendings:  # what went out once does not go out again
                self._sendings[mark] = sending
                sending.sizes[mark] = mark[1]
        while len(self._sendings) > _MOST_FILES:
            del self._sendings[next(iter(self._sendings))]

    def _marks(self, keys: Sequence[SiteKey]) -> list[tuple[SiteKey, int, int]]:
        marks = []
        for key in keys:
            try:
                seen = self._path_of(Place(Site.PHONE, key)).lstat()
            except (OSError, ValueError):
                continue  # nothing there, or no name for a file: nothing that could be sent
            marks.append((key, seen.st_size, seen.st_mtime_ns))
        return marks


class Round:
    """One look at several names: what is the same for all of them is asked once."""

    def __init__(self, known: Known, phone: Client | None, sent: SentBytes, now: Wire) -> None:
        self._known = known
        self._phone = phone
        self._sent = sent
        self._now = now
        self._ignores_nothing: bool | None = None

    async def on(self, key: SiteKey, newest: Entry) -> Opinion:
        """NeedsOperator: the phone's own Syncthing is named in the settings, and cannot be asked that way."""
        if self._phone is not None:
            try:
                opinion = await self._of_phone(self._phone, key, newest)
            except Retryable:
                self._phone = None  # asleep or away: not asked again in this round
            else:
                if opinion is not Opinion.NONE:
                    return opinion
        return await self._sent.says(self._now, key, newest)

    async def _of_phone(self, phone: Client, key: SiteKey, newest: Entry) -> Opinion:
        folder, device = ("folder", self._known.folder), self._known.device
        answer = await phone.ask(
            "GET", "/rest/db/file", [folder, ("file", key)], node=device, unknown="No such object"
        )
        there = None
        if answer is not None:
            there = entry(mapping(answer.said, "file").get("local"), key)
        if there is None or there.is_deleted or there.is_invalid or there.version != newest.version:
            return Opinion.AGAINST
        if self._ignores_nothing is None:
            answer = await phone.ask("GET", "/rest/db/ignores", [folder], node=device)
            row = mapping(answer.said if answer else None, "ignores")
            self._ignores_nothing = not sequence(row.get("ignore"), "ignore")
        return Opinion.PHONE_API if self._ignores_nothing else Opinion.NONE
