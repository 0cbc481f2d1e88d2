"""Which folder and which device are meant, found once in a few seconds so that a look at a name costs one question."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anyio import to_thread

from mediad.adapters.syncthing.answers import flag, mapping, misread, sequence, text
from mediad.adapters.syncthing.client import Client
from mediad.adapters.syncthing.faults import (
    ANOTHER_NODE,
    DEVICE_UNKNOWN,
    DEVICES_SEVERAL,
    FOLDER_MISSING,
    FOLDER_PAUSED,
    fault,
)
from mediad.config import Settings
from mediad.errors import MediadError
from mediad.ports import Clock

REMEMBERED_S: Final = 5.0
_VERSION: Final = re.compile(r"v(\d{1,6})\.[\w.+~-]{1,60}")


@dataclass(frozen=True, slots=True)
class Node:
    """The Syncthing that answers: who it is, since when it runs, and where its home is."""

    id: str
    started: str
    tilde: str
    syncthing: str

    @property
    def needs_second_opinion(self) -> bool:
        """From 2.0 on an ignored file looks as if the phone had it; a version that is not told could be one."""
        match = _VERSION.fullmatch(self.syncthing)
        return match is None or int(match[1]) >= 2  # noqa: PLR2004 - the version


@dataclass(frozen=True, slots=True)
class Known:
    """What every question about a file needs."""

    node: Node
    folder: str
    path: str
    is_paused: bool
    device: str


class Finder:
    """Tells node, folder and device; remembers them for a few seconds, or until something does not fit."""

    def __init__(
        self,
        client: Client,
        settings: Callable[[], Settings],
        clock: Clock,
        root: Callable[[], Path],
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._root = root
        self._known: Known | None = None
        self._for: object = None
        self._until = 0.0

    def forget(self) -> None:
        self._known = None

    async def known(self) -> Known:
        """Folder and device, paused or not."""
        wanted = self._settings().syncthing, self._root()
        is_fresh = self._clock.monotonic() < self._until and self._for == wanted
        if self._known is None or not is_fresh:
            self._known = None
            node = await self.node()
            folder = await self._folder(node)
            self._known = Known(
                node,
                text(folder, "id"),
                text(folder, "path"),
                flag(folder, "paused", default=False),
                self._device(folder, node),
            )
            self._for, self._until = wanted, self._clock.monotonic() + REMEMBERED_S
        return self._known

    async def at_work(self) -> Known:
        """The same, where a paused folder can say nothing."""
        known = await self.known()
        if known.is_paused:  # it may have been resumed since
            self.forget()
            known = await self.known()
        if known.is_paused:
            raise fault(FOLDER_PAUSED)
        return known

    async def explained(self, error: MediadError) -> MediadError:
        """The same error, or a better one: what was remembered is found anew after it."""
        self.forget()
        if error.code == FOLDER_MISSING.code:
            try:
                await self.at_work()
            except MediadError as better:
                return better
        return error

    async def node(self) -> Node:
        answer = await self._client.ask("GET", "/rest/system/status")
        if answer is None:
            raise misread("status")
        row = mapping(answer.said, "status")
        mine = text(row, "myID")
        if mine != answer.node:
            raise fault(ANOTHER_NODE)
        return Node(mine, text(row, "startTime"), text(row, "tilde", ""), answer.syncthing)

    async def folders(self, node: Node) -> list[Mapping[str, object]]:
        answer = await self._client.ask("GET", "/rest/config/folders", node=node.id)
        rows = sequence(answer.said if answer else None, "folders")
        return [mapping(row, "folder") for row in rows]

    async def is_ours(self, rows: Sequence[Mapping[str, object]], node: Node) -> list[bool]:
        """For each folder: does it lie where pixel_sync/ lies?"""
        root = self._root()
        paths = [expanded(text(row, "path"), node.tilde) for row in rows]

        def same() -> list[bool]:
            real = os.path.realpath(root)
            return [os.path.realpath(path) == real for path in paths]

        return await to_thread.run_sync(same)

    async def _folder(self, node: Node) -> Mapping[str, object]:
        wanted = self._settings().syncthing.folder_id
        rows = await self.folders(node)
        if wanted:
            found = [row for row in rows if text(row, "id") == wanted]
        else:
            fits = await self.is_ours(rows, node)
            found = [row for row, fit in zip(rows, fits, strict=True) if fit]
        if not found:
            raise fault(FOLDER_MISSING)
        if len(found) > 1:
            these = ", ".join(sorted(text(row, "id") for row in found))
            raise fault(FOLDER_MISSING, more=f"several lie there: {these}; set syncthing.folder_id")
        return found[0]

    def _device(self, folder: Mapping[str, object], node: Node) -> str:
        wanted = self._settings().syncthing.device_id
        others = [d for d in devices(folder) if d != node.id]
        if wanted:
            if wanted not in others:
                raise fault(DEVICE_UNKNOWN)
            return wanted
        if not others:
            raise fault(DEVICE_UNKNOWN, more="it is shared with nobody")
        if len(others) > 1:
            raise fault(DEVICES_SEVERAL, more=", ".join(others))
        return others[0]


def devices(folder: Mapping[str, object]) -> list[str]:
    rows = sequence(folder.get("devices"), "devices")
    return [text(mapping(row, "device"), "deviceID") for row in rows]


def expanded(path: str, tilde: str) -> str:
    """`~` is the home of Syncthing's user, not of ours."""
    if tilde and (path == "~" or path.startswith("~/")):
        return tilde + path[1:]
    return path
