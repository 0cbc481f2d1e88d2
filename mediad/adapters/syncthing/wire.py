"""The connection to the phone, as Syncthing on this machine tells of it."""

from dataclasses import dataclass

from mediad.adapters.syncthing.answers import flag, mapping, nanoseconds, text, whole
from mediad.adapters.syncthing.client import Client
from mediad.adapters.syncthing.known import Known, Node

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Wire:
    """`started` names this one connection: another value, and all counters began anew."""

    is_connected: bool
    started: str
    out_bytes: int

    @property
    def since(self) -> int | None:
        """UTC ms; None: not connected, or it is not told since when."""
        at = nanoseconds(self.started, "startedAt") if self.is_connected and self.started else 0
        return at // _NS_PER_MS if at > 0 else None


NO_WIRE = Wire(is_connected=False, started="", out_bytes=0)


async def wires(client: Client, node: Node) -> dict[str, Wire]:
    """By device id."""
    answer = await client.ask("GET", "/rest/system/connections", node=node.id)
    rows = mapping(answer.said if answer else None, "connections").get("connections")
    return {device: _wire(row) for device, row in mapping(rows or {}, "connections").items()}


async def wire(client: Client, known: Known) -> Wire:
    return (await wires(client, known.node)).get(known.device, NO_WIRE)


async def needs_nothing(client: Client, known: Known) -> bool:
    """Has the phone no file left to fetch, as far as Syncthing here can tell? Deletions do not count."""
    query = [("folder", known.folder), ("device", known.device)]
    answer = await client.ask("GET", "/rest/db/completion", query, node=known.node.id)
    row = mapping(answer.said if answer else None, "completion")
    return whole(row, "needItems") == 0 and whole(row, "needBytes") == 0


async def announces_nothing(client: Client, node: Node, folder: str, device: str) -> bool:
    """There is something in the folder, and the device has told of nothing there. Before 1.20 only a likelihood."""
    query = [("folder", folder), ("device", device)]
    answer = await client.ask("GET", "/rest/db/completion", query, node=node.id)
    row = mapping(answer.said if answer else None, "completion")
    if state := text(row, "remoteState", ""):
        return state == "notSharing"
    return whole(row, "globalItems") > 0 and whole(row, "sequence", 0) == 0


def _wire(answer: object) -> Wire:
    row = mapping(answer, "connection")
    return Wire(
        flag(row, "connected", default=False),
        text(row, "startedAt", ""),
        whole(row, "outBytesTotal", 0),
    )
