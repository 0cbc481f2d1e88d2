"""The whole daemon with a real pair of Syncthing nodes: what the phone's owner and the machine's owner do and see."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.whole import Whole, sha
from tests.syncthing_pair import FOLDER_ID, Node, SyncPair, running_pair

LADDER = ("indexed", "phone-has", "phone-freed", "google-has")


class Phoned(Whole):
    """A root whose pixel_sync/ a real Syncthing shares with a real phone's."""

    def __init__(self, root: Path, pair: SyncPair, **settings: str) -> None:
        told = {
            "MEDIAD_SYNCTHING__URL": pair.host.url,
            "MEDIAD_SYNCTHING__API_KEY": pair.host.api_key,
            "MEDIAD_SYNCTHING__TIMEOUT_SECONDS": "20",
            "MEDIAD_PHONE__BATCH_WAIT_SECONDS": "1",
            **settings,
        }
        super().__init__(root, **told)
        self.pair = pair
        self.shared = root / "pixel_sync"

    def status(self) -> Any:
        return self.ask("status")

    def problems(self) -> list[str]:
        return [p["code"] for p in self.status()["problems"]]

    def pixel_link(self) -> str:
        return str(self.status()["links"]["pixel"]["state"])

    def positions(self, lane: str) -> Counter[str]:
        """How many assets stand where in a lane."""
        lines = self.ctl("--json", "list", check=False).stdout.splitlines()
        return Counter(json_of(line)["position"].get(lane, "-") for line in lines)

    def batches(self) -> list[Any]:
        """The oldest first."""
        return sorted(self.ask("batches")["batches"], key=lambda b: int(b["id"]))

    def stage(self, name: str) -> Any:
        [found] = [s for s in self.status()["workflow"]["stages"] if s["name"] == name]
        return found

    def until_verified(self, count: int, timeout: float = 90) -> None:
        self.until(lambda: self.stage("verify")["done"] >= count, timeout)

    def on_phone(self) -> dict[str, str]:
        """Every file that lies on the phone, with its hash."""
        return hashes_by_name(self.pair.pixel.folder)


def json_of(line: str) -> Any:
    import json  # noqa: PLC0415 - one use

    return json.loads(line)


def hashes_by_name(folder: Path) -> dict[str, str]:
    return {p.name: sha(p) for p in sorted(folder.iterdir()) if not p.name.startswith(".")}


@contextmanager
def phoned(
    tmp_path: Path, *, pair: dict[str, Any] | None = None, **settings: str
) -> Iterator[Phoned]:
    root = tmp_path / "root"
    shared = root / "pixel_sync"
    shared.mkdir(parents=True)
    with running_pair(tmp_path / "pair", host_folder=shared, **(pair or {})) as nodes:
        yield Phoned(root, nodes, **settings)


def away(node: Node) -> None:
    asyncio.run(node.stop())


def back(pair: SyncPair, node: Node) -> None:
    asyncio.run(node.start())
    asyncio.run(pair.wait_connected())


def free_space(pair: SyncPair) -> int:
    """The person frees the phone: every picture in the folder goes, and the phone's Syncthing sees it."""
    gone = [p for p in pair.pixel.folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    for path in gone:
        path.unlink()
    asyncio.run(pair.pixel.scan())
    return len(gone)


__all__ = [
    "FOLDER_ID", "LADDER", "Phoned", "away", "back", "free_space", "hashes_by_name", "phoned",
]  # fmt: skip
