"""How Syncthing is set up, read and mended through its own interface; its files are left to it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from anyio import to_thread

from mediad.adapters.syncthing.answers import flag, mapping, sequence, text
from mediad.adapters.syncthing.client import Client
from mediad.adapters.syncthing.faults import FOLDER_MISSING, MARKER_MISSING, fault
from mediad.adapters.syncthing.known import Finder, Node, devices, expanded
from mediad.adapters.syncthing.wire import announces_nothing, wires
from mediad.config import Settings
from mediad.errors import Bug
from mediad.ports import Change, SetUp, SharedFolder

_MARKER: Final = ".stfolder"
_SCAN_S: Final = 60.0
_SAID: Final = 200  # of a sentence of Syncthing's that a person will be shown


class SettingUp:
    """Reads and changes. A change is one request, and safe to repeat."""

    def __init__(
        self,
        client: Client,
        finder: Finder,
        settings: Callable[[], Settings],
        root: Callable[[], Path],
    ) -> None:
        self._root = root
        self._client = client
        self._finder = finder
        self._settings = settings
        self._ways: Mapping[str, Callable[[Change, Node], Awaitable[None]]] = {
            "folder": self._mend_folder,
            "device": self._mend_device,
            "ignores": self._mend_ignores,
            "marker": self._make_marker,
        }

    async def read(self) -> SetUp:
        """Of folders that are not ours only what the configuration says, and nothing of their state."""
        node = await self._finder.node()
        rows = await self._finder.folders(node)
        fits = await self._finder.is_ours(rows, node)
        wanted = self._settings().syncthing.folder_id
        lines = await wires(self._client, node)
        connected = frozenset(d for d, line in lines.items() if line.is_connected and d != node.id)
        folders = []
        for row, fit in zip(rows, fits, strict=True):
            folder = self._configured(row, node, is_at_ours=fit)
            is_ours = fit or folder.id == wanted
            folders.append(await self._alive(folder, node, connected) if is_ours else folder)
        answer = await self._client.ask("GET", "/rest/config/devices", node=node.id)
        others = {
            text(row, "deviceID"): row
            for item in sequence(answer.said if answer else None, "devices")
            if text(row := mapping(item, "device"), "deviceID") != node.id
        }
        return SetUp(
            node.syncthing,
            node.id,
            tuple(folders),
            {device: text(row, "name", "") for device, row in others.items()},
            frozenset(d for d, row in others.items() if flag(row, "paused", default=False)),
            connected,
            await self._offered(node),
        )

    async def mend(self, changes: Sequence[Change]) -> None:
        node = await self._finder.node()
        try:
            for change in changes:
                way = self._ways.get(change.subject)
                if way is None:
                    raise Bug(f"no way is known to change {change.subject} in Syncthing")
                await way(change, node)
        finally:
            self._finder.forget()

    def _configured(
        self, row: Mapping[str, object], node: Node, *, is_at_ours: bool
    ) -> SharedFolder:
        return SharedFolder(
            id=text(row, "id"),
            label=text(row, "label", ""),
            # Another way to write our own path, by a link or from Syncthing's home, is told as ours.
            path=str(self._root()) if is_at_ours else expanded(text(row, "path"), node.tilde),
            type=text(row, "type"),
            is_paused=flag(row, "paused", default=False),
            devices=tuple(d for d in devices(row) if d != node.id),
            encrypted_for=_encrypted_for(row, node),
            ignore_delete=flag(row, "ignoreDelete", default=False),
            marker=text(row, "markerName", _MARKER),
            state="",
        )

    async def _alive(
        self, folder: SharedFolder, node: Node, connected: frozenset[str]
    ) -> SharedFolder:
        """With what only a folder that is ours is asked for."""
        query = [("folder", folder.id)]
        answer = await self._client.ask("GET", "/rest/db/status", query, node=node.id)
        status = mapping(answer.said if answer else None, "status")
        heard_of = () if folder.is_paused else connected.intersection(folder.devices)
        return replace(
            folder,
            state="" if folder.is_paused else text(status, "state", ""),
            error=_sentence(status, "error") or _sentence(status, "invalid"),
            watch_error=_sentence(status, "watchError"),
            ignores=await self._ignores(folder.id, node),
            unheard_of=tuple(
                [
                    device
                    for device in sorted(heard_of)
                    if await announces_nothing(self._client, node, folder.id, device)
                ]
            ),
        )

    async def _offered(self, node: Node) -> Mapping[str, str]:
        """Told from 1.13 on."""
        path = "/rest/cluster/pending/folders"
        answer = await self._client.ask("GET", path, node=node.id, unknown="not found")
        rows = mapping((answer.said if answer else None) or {}, "pending folders")
        by = {f: mapping(row, "folder").get("offeredBy") or {} for f, row in rows.items()}
        return {f: next(iter(mapping(devices, "offeredBy")), "") for f, devices in by.items()}

    async def _ignores(self, folder: str, node: Node) -> tuple[str, ...]:
        """The patterns, without comments and empty lines."""
        answer = await self._client.ask(
            "GET", "/rest/db/ignores", [("folder", folder)], node=node.id
        )
        row = mapping(answer.said if answer else None, "ignores")
        lines = [
            text({"ignore": line}, "ignore").strip()
            for line in sequence(row.get("ignore"), "ignore")
        ]
        return tuple(line for line in lines if line and not line.startswith("//"))

    async def _mend_folder(self, change: Change, node: Node) -> None:
        await self._config("folders", change, node)

    async def _mend_device(self, change: Change, node: Node) -> None:
        await self._config("devices", change, node)

    async def _config(self, kind: str, change: Change, node: Node) -> None:
        path = f"/rest/config/{kind}"
        if change.key:
            path, body = f"{path}/{quote(change.id, safe='')}", {change.key: change.value}
            await self._client.ask("PATCH", path, body=body, node=node.id)
        else:  # added, or put in the place of the one with this id; what it does not say is Syncthing's default
            await self._client.ask("POST", path, body=change.value, node=node.id)

    async def _mend_ignores(self, change: Change, node: Node) -> None:
        await self._client.ask(
            "POST",
            "/rest/db/ignores",
            [("folder", change.id)],
            body={"ignore": change.value},
            node=node.id,
        )

    async def _make_marker(self, change: Change, node: Node) -> None:
        """In our own folder only: elsewhere a missing marker may mean a disk that is not there."""
        rows = await self._finder.folders(node)
        fits = await self._finder.is_ours(rows, node)
        ours = [row for row, fit in zip(rows, fits, strict=True) if fit]
        row = next((row for row in ours if text(row, "id") == change.id), None)
        if row is None:
            raise fault(FOLDER_MISSING)
        marker = text(row, "markerName", _MARKER) or _MARKER
        if "/" in marker or marker in {".", ".."}:
            raise fault(
                MARKER_MISSING, more="its name in Syncthing's settings is no name of a folder"
            )
        await to_thread.run_sync(_make, Path(expanded(text(row, "path"), node.tilde)) / marker)
        # Else it goes on missing it until its next scan, which may be an hour away.
        query = [("folder", change.id), ("sub", marker)]
        await self._client.ask("POST", "/rest/db/scan", query, node=node.id, wait_s=_SCAN_S)


def _make(marker: Path) -> None:
    try:
        marker.mkdir(exist_ok=True)  # its parent is never made: an absent folder stays absent
    except FileExistsError:
        return  # a file serves as well
    except OSError as error:
        raise fault(MARKER_MISSING, more=error.strerror or "it could not be made") from error


def _encrypted_for(row: Mapping[str, object], node: Node) -> tuple[str, ...]:
    rows = [mapping(item, "device") for item in sequence(row.get("devices"), "devices")]
    locked = [text(item, "deviceID") for item in rows if text(item, "encryptionPassword", "")]
    return tuple(device for device in locked if device != node.id)


def _sentence(row: Mapping[str, object], key: str) -> str:
    return " ".join(text(row, key, "").split())[:_SAID]
