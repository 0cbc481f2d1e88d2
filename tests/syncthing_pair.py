"""
Two real Syncthing nodes on loopback: `host`, where mediad runs, and `pixel`, the phone.

    async with SyncPair(tmp_path) as pair:                     # both started and connected, in about a second
        (pair.host.folder / "a.jpg").write_bytes(b"...")
        await pair.host.scan("a.jpg")
        await pair.wait_in_sync()

Nothing leaves the machine: no discovery, relays, NAT, STUN, reports or upgrades. The nodes die with the test process.
They listen on a loopback address made from our process id, so suites side by side cannot meet. A pair holds nothing
of an event loop: a module's tests may share one, each from its own loop, and a test that is no coroutine takes
`with running_pair(tmp_path) as pair` and asks with `asyncio.run(pair.wait_in_sync())`.
"""

import asyncio
import contextlib
import copy
import itertools
import os
import shutil
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

FOLDER_ID = "pixel-photos"
PATIENCE_S = 30.0
AT_HOME = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "announceLANAddresses": "false",
    "stunKeepaliveStartS": "0",
    "urAccepted": "-1",
    "crashReportingEnabled": "false",
    "autoUpgradeIntervalH": "0",
    "startBrowser": "false",
    "setLowPriority": "false",
    "reconnectionIntervalS": "1",
    "progressUpdateIntervalS": "1",
    "limitBandwidthInLan": "true",  # or no rate limit would touch loopback
    "minHomeDiskFree": "0",
}
_ports = itertools.count(20_000)  # below those that the kernel gives to outgoing connections


class NodeError(AssertionError):
    """A node did not do what the test needs it to do."""


class NotFound(NodeError):
    """The node answered 404."""


async def until(
    is_so: Callable[[], Awaitable[object]], what: str, seconds: float = PATIENCE_S
) -> None:
    """Look again and again, soon, until it is so."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                if await is_so():
                    return
                await asyncio.sleep(0.02)
    raise NodeError(f"not within {seconds:g} s: {what}")


def binary() -> str:
    named = os.environ.get("SYNCTHING", "syncthing")
    found = shutil.which(named)
    if found is None:
        raise NodeError(f"these tests need a real Syncthing ({named}): run scripts/setup.sh dev")
    return found


@dataclass(frozen=True)
class Share:
    """How one side shares the folder."""

    folder: Path
    type: str | None  # None: this side does not have the folder yet
    ignore_delete: bool = False
    encrypts: bool = False  # the other side gets ciphertext
    watch: bool = False  # does Syncthing itself watch for changes, and scan now and then?


class Node:
    """One Syncthing: its process, its home, its side of the folder, its REST interface."""

    peer: "Node"

    def __init__(self, name: str, home: Path, share: Share, *, dials: bool) -> None:
        self.name = name
        self.home = home
        self.share = share
        self.dials = dials
        self.folder = share.folder
        self.folder_id = FOLDER_ID
        self.api_key = f"{name}-api-key-of-a-test"
        pid = os.getpid()
        self._host = f"127.{1 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"
        self._listens = f"{self._host}:{next(_ports)}"
        self._address = f"{self._host}:{next(_ports)}"
        self._scheme = "tcp"
        self.url = f"http://{self._address}"
        self.device_id = ""
        self._process: subprocess.Popen[bytes] | None = None

    # The process

    def create(self) -> None:
        """Home, keys and folder; from here on the device has its id."""
        self.home.mkdir(parents=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.share.type is not None:
            (self.folder / ".stfolder").mkdir(exist_ok=True)
        subprocess.run(
            [binary(), "generate", "--home", self.home],
            env=self._env,
            check=True,
            capture_output=True,
            timeout=60,
        )
        own = self._config().find("device")
        assert own is not None
        self.device_id = own.attrib["id"]

    def configure(self) -> None:
        """What `generate` wrote, kept at home and made to know the other side."""
        config = self._config()
        for folder in config.findall("folder"):
            config.remove(folder)
        for tag, text in AT_HOME.items():
            _set(config, f"options/{tag}", text)
        _set(config, "options/listenAddress", f"tcp://{self._listens}")
        _set(config, "gui/address", self._address)
        _set(config, "gui/apikey", self.api_key)
        # If both dialled, they could do so in the same moment, from the ports they listen on, and hang for 20 s.
        address = f"tcp://{self.peer._listens}" if self.dials else "dynamic"
        peer = ET.SubElement(config, "device", id=self.peer.device_id, name=self.peer.name)
        ET.SubElement(peer, "address").text = address
        if self.share.type is not None:
            config.append(self._shared_folder(config, self.share.type))
        ET.ElementTree(config).write(self.home / "config.xml")

    def _config(self) -> ET.Element:
        return ET.fromstring((self.home / "config.xml").read_bytes())  # noqa: S314 - Syncthing's own

    def _shared_folder(self, config: ET.Element, kind: str) -> ET.Element:
        template = config.find("defaults/folder")
        assert template is not None
        folder = copy.deepcopy(template)
        folder.attrib |= {
            "id": self.folder_id,
            "path": str(self.folder),
            "type": kind,
            "fsWatcherEnabled": str(self.share.watch).lower(),
            "fsWatcherDelayS": "1",
            "rescanIntervalS": "3600" if self.share.watch else "0",
        }
        _set(folder, "ignoreDelete", str(self.share.ignore_delete).lower())
        _set(folder, "minDiskFree", "0")
        _set(folder, "pullerPauseS", "1")
        peer = ET.SubElement(folder, "device", id=self.peer.device_id)
        ET.SubElement(peer, "encryptionPassword").text = "a password" if self.share.encrypts else ""
        return folder

    @property
    def _env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "STMONITORED": "yes",  # or it is a mere monitor, and kill -9 leaves its child with the database
            "STNODEFAULTFOLDER": "1",
            "STNOUPGRADE": "1",
            "STHASHING": "standard",  # no benchmark at every start
        }

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Returns when it answers and has looked through its folder once."""
        assert not self.is_running
        self._launch()
        await until(self._is_ready, f"{self.name} is up")

    def _launch(self) -> None:
        guard = ["setpriv", "--pdeathsig", "KILL"]  # nothing outlives the tests
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*guard, binary(), "serve", "--home", self.home, "--no-browser"],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    async def _is_ready(self) -> bool:
        if not self.is_running:
            raise NodeError(f"{self.name} has stopped:\n{self.log_tail()}")
        try:
            shared = await self.get("/rest/config/folders")
        except (aiohttp.ClientError, NodeError):
            return False
        if all(folder["paused"] for folder in shared):
            return True
        return (await self.status())["state"] not in {"", "scan-waiting", "scanning"}

    async def stop(self) -> None:
        """In good order; it says goodbye to its peer."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, 15)
            finally:
                self.kill()

    def kill(self) -> None:
        """By kill -9: no goodbye, nothing flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """As a phone in deep sleep: connections stay open and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def wipe_database(self) -> None:
        """Forget every index, while stopped."""
        assert not self.is_running, f"stop {self.name} first"
        for index in self.home.glob("index-*"):
            shutil.rmtree(index)

    @property
    def _log(self) -> Path:
        return self.home / "syncthing.log"

    def log_tail(self, lines: int = 30) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    # The REST interface

    async def get(self, path: str, **query: object) -> Any:
        return await self.ask("GET", path, list(query.items()))

    async def post(self, path: str, body: object = None, **query: object) -> Any:
        return await self.ask("POST", path, list(query.items()), body)

    async def patch(self, path: str, body: Mapping[str, object]) -> Any:
        return await self.ask("PATCH", path, (), body)

    async def ask(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, object]] = (),
        body: object = None,
    ) -> Any:
        """What it answers, read as JSON; None for nothing. Raises NodeError where it refuses."""
        asked = [(key, str(value)) for key, value in query]
        async with (
            aiohttp.ClientSession(headers={"X-API-Key": self.api_key}) as session,
            session.request(method, self.url + path, params=asked, json=body) as answer,
        ):
            text = await answer.text()
            if answer.status >= 300:
                kind = NotFound if answer.status == 404 else NodeError
                raise kind(f"{self.name} {method} {path} {asked}: {answer.status} {text.strip()}")
            return await answer.json(content_type=None) if text.strip() else None

    async def status(self) -> dict[str, Any]:
        return dict(await self.get("/rest/db/status", folder=self.folder_id))

    async def file(self, name: str) -> dict[str, Any] | None:
        """What its index says of the name; None: nothing."""
        try:
            return dict(await self.get("/rest/db/file", folder=self.folder_id, file=name))
        except NotFound as answer:
            if "No such object" in str(answer):
                return None
            raise

    async def completion(self) -> dict[str, Any]:
        """How much of the folder the other side has, as this side sees it."""
        return dict(
            await self.get("/rest/db/completion", folder=self.folder_id, device=self.peer.device_id)
        )

    async def scan(self, *names: str) -> None:
        """Just these, or everything; returns when done."""
        await self.ask(
            "POST",
            "/rest/db/scan",
            [("folder", self.folder_id), *(("sub", name) for name in names)],
        )

    async def is_connected(self) -> bool:
        known = (await self.get("/rest/system/connections"))["connections"]
        return bool(known.get(self.peer.device_id, {}).get("connected"))

    async def redial(self) -> None:
        """A changed address is dialled at once; left alone it would be five seconds or more."""
        self._scheme = "tcp4" if self._scheme == "tcp" else "tcp"
        addresses = [f"{self._scheme}://{self.peer._listens}"]
        await self.patch(f"/rest/config/devices/{self.peer.device_id}", {"addresses": addresses})

    # What a person changes there

    async def set_folder(self, **settings: object) -> None:
        """By the names of the configuration: type="receiveonly", ignoreDelete=True …"""
        await self.patch(f"/rest/config/folders/{self.folder_id}", settings)

    async def set_ignores(self, *patterns: str) -> None:
        await self.post("/rest/db/ignores", {"ignore": list(patterns)}, folder=self.folder_id)

    async def set_rate_limit(self, *, send_kbps: int = 0, recv_kbps: int = 0) -> None:
        """KiB/s; 0: none."""
        await self.patch(
            "/rest/config/options", {"maxSendKbps": send_kbps, "maxRecvKbps": recv_kbps}
        )

    async def pause_device(self) -> None:
        await self.post("/rest/system/pause", device=self.peer.device_id)

    async def resume_device(self) -> None:
        await self.post("/rest/system/resume", device=self.peer.device_id)

    async def pause_folder(self) -> None:
        await self.set_folder(paused=True)

    async def resume_folder(self) -> None:
        await self.set_folder(paused=False)


class SyncPair:
    """
    A host and a pixel that share one folder, in the recommended way unless told otherwise.

    `host_folder` puts the host's side where mediad has it (its pixel_sync/). `host_type=None`: the host does not have
    the folder yet. `encrypts`: the host sends ciphertext (with `pixel_type="receiveencrypted"`).
    """

    def __init__(  # noqa: PLR0913 - each has its default, and goes by its name
        self,
        root: Path,
        *,
        host_folder: Path | None = None,
        host_type: str | None = "sendonly",
        pixel_type: str = "sendreceive",
        ignore_delete: bool = True,
        encrypts: bool = False,
        watch: bool = False,
    ) -> None:
        host = Share(
            host_folder or root / "host" / "folder", host_type, encrypts=encrypts, watch=watch
        )
        pixel = Share(
            root / "pixel" / "folder", pixel_type, ignore_delete=ignore_delete, watch=watch
        )
        self.host = Node("host", root / "host" / "home", host, dials=False)
        self.pixel = Node("pixel", root / "pixel" / "home", pixel, dials=True)
        self.host.peer, self.pixel.peer = self.pixel, self.host
        self.nodes = (self.host, self.pixel)

    async def start(self) -> None:
        try:
            for node in self.nodes:
                node.create()
            for node in self.nodes:
                node.configure()
            await asyncio.gather(*(node.start() for node in self.nodes))
            await self.wait_connected()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """For good: nobody needs these homes again."""
        for node in self.nodes:
            node.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            for node in self.nodes:
                error.add_note(f"--- {node.name}:\n{node.log_tail()}")
        self.close()

    async def wait_connected(self, seconds: float = PATIENCE_S) -> None:
        """Until each sees the other; the pixel dials again meanwhile."""
        attempts = itertools.count(1)

        async def see_each_other() -> bool:
            if all([await node.is_connected() for node in self.nodes]):
                return True
            if next(attempts) % 25 == 0:
                await self.pixel.redial()
            return False

        await until(see_each_other, "host and pixel are connected", seconds)

    async def wait_apart(self, seconds: float = PATIENCE_S) -> None:
        """Until the host knows that the pixel is away."""

        async def is_alone() -> bool:
            return not await self.host.is_connected()

        await until(is_alone, "the host has noticed that the pixel is away", seconds)

    async def wait_in_sync(
        self, seconds: float = PATIENCE_S * 2, *, nothing_needed: bool = True
    ) -> None:
        """
        Until both rest, and each has the other's newest index.

        `nothing_needed=False` for a set-up in which something stays needed for ever.
        """

        async def is_quiet() -> bool:
            sides = [(await n.status(), await n.peer.completion()) for n in self.nodes]
            return all(
                status["state"] == "idle"
                and seen["sequence"] == status["sequence"]
                and not (nothing_needed and (status["needTotalItems"] or seen["needItems"]))
                for status, seen in sides
            )

        await until(is_quiet, "host and pixel are in sync", seconds)


@contextlib.contextmanager
def running_pair(root: Path, **how: Any) -> Iterator[SyncPair]:
    """As `async with SyncPair(...)`, for tests that are no coroutines and for fixtures of a module."""
    pair = SyncPair(root, **how)
    asyncio.run(pair.start())
    try:
        yield pair
    finally:
        pair.close()


def _set(root: ET.Element, path: str, text: str) -> None:
    found = root.find(path)
    if found is None:
        raise NodeError(f"Syncthing's configuration has no {path}")
    found.text = text
