"""
What lies outside the daemon, in a process of its own that outlives it: a phone behind Syncthing, and iCloud.

Both count what is done to them. After each request the counts are written to a file, where the checks read them.
"""

import hashlib
import json
import os
import pickle
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import anyio
from aiohttp import web

from crash.ptrace import die_with_parent
from mediad.adapters.clock import SystemClock
from mediad.testing.icloud import Account, AssetRow, FakeICloud, Library, Person
from mediad.testing.icloud.saved import Saved
from tests.adapters.syncthing_stand_in import PIXEL, StandIn, row

STALL_S: Final = 3600.0


class Pixel(StandIn):
    """A Syncthing whose phone takes what it is offered at once, and keeps what is removed here."""

    def __init__(self, path: str, key: str, forgets: Path) -> None:
        super().__init__(path, key=key)
        self.forgets = forgets  # while it exists the phone has nothing
        self.here: dict[str, dict[str, Any]] = {}
        self.taken: Counter[str] = Counter()  # by content: how often it went over
        self.clock = 100

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/rest/events":
            await anyio.sleep(STALL_S)
        return await super().answer(request)

    def _usual(self, request: web.Request) -> web.Response:
        if request.path == "/rest/db/scan":
            for name in request.query.getall("sub", []) or sorted(self._all()):
                self._scan(name)
            return web.Response(headers=self.headers)
        if request.path == "/rest/db/file":
            found = self.here.get(request.query["file"])
            if found is None:
                return self.plain(404, "No such object in the index\n")
            available = [] if self.forgets.exists() else [{"id": PIXEL, "fromTemporary": False}]
            return self.json({"global": found, "local": found, "availability": available})
        return super()._usual(request)

    def _all(self) -> set[str]:
        there = {n for n in os.listdir(self.path) if not n.startswith(".")}
        return there | self.here.keys()

    def _scan(self, name: str) -> None:
        path, known = Path(self.path) / name, self.here.get(name)
        try:
            content, seen = path.read_bytes(), path.stat()
        except OSError:
            if known is not None and not known["deleted"]:
                self.here[name] = {**known, "deleted": True, "version": self._version()}
            return
        at = datetime.fromtimestamp(seen.st_mtime_ns // 10**9, UTC)
        modified = f"{at:%Y-%m-%dT%H:%M:%S}.{seen.st_mtime_ns % 10**9:09}Z"
        is_known = known is not None and not known["deleted"]
        if (
            is_known
            and known is not None
            and (known["size"], known["modified"])
            == (
                seen.st_size,
                modified,
            )
        ):
            return
        self.here[name] = row(name, size=seen.st_size, modified=modified, version=self._version())
        self.taken[hashlib.sha256(content).hexdigest()] += 1

    def _version(self) -> list[str]:
        self.clock += 1
        return [f"MEMEMEM:{self.clock}"]


@dataclass
class Outside:
    """What there is outside, as it stands before the daemon starts. `open` makes a process of it."""

    folder: str  # that is shared with the phone
    key: str
    has_phone: bool
    icloud: FakeICloud | None
    report: Path
    save_into: Path | None = None  # what iCloud has is kept there after each request
    snaps: Path | None = (
        None  # how it stood after each change is kept there, under the monotonic time
    )
    since: Path | None = None  # what it goes on from, one of these
    _pid: int = 0
    _doors: list[socket.socket] = field(default_factory=list)

    def bind(self) -> dict[str, str]:
        """The doors, and the settings that lead to them."""
        self._doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for door in self._doors:
            os.set_inheritable(door.fileno(), False)  # noqa: FBT003 - its signature
        phone, icloud = (f"http://127.0.0.1:{d.getsockname()[1]}" for d in self._doors)
        return {
            **({"MEDIAD_SYNCTHING__URL": phone} if self.has_phone else {}),
            **({"MEDIAD_ICLOUD__GATEWAY": icloud} if self.icloud else {}),
        }

    @property
    def password(self) -> str:
        return self.icloud.account.password if self.icloud else ""

    @property
    def code(self) -> str:
        return self.icloud.account.device_code if self.icloud else ""

    def go_on(self, shots: int, taken: int) -> None:
        """From what was kept, with new photos."""
        if self.icloud is None or self.save_into is None:
            return
        self.icloud = an_icloud(self.icloud.account)
        Saved(self.save_into).load(self.icloud.library, self.icloud.account)
        self.save_into = None
        me = Person(self.icloud.library)
        for n in range(shots):
            me.shoot(f"IMG_{n:04}.JPG", taken_at=taken + n * 1000)
        me.shoot_live("IMG_9000.HEIC", taken_at=taken + 10_000_000)

    @property
    def _forgets(self) -> Path:
        return self.report.with_name("forgets")

    def make_forgetful(self) -> None:
        """From now on the phone has none of what it took."""
        self._forgets.touch()

    def open(self) -> None:
        self.close()
        self._forgets.unlink(missing_ok=True)
        self.report.write_text(json.dumps(_counts(None, self.icloud)))
        if not self.has_phone and self.icloud is None:
            return
        self._pid = os.fork()
        if self._pid == 0:
            try:
                die_with_parent()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                anyio.run(self._serve)
            finally:
                os._exit(1)

    def close(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def unbind(self) -> None:
        """Nobody will come any more."""
        self.close()
        for door in self._doors:
            door.close()

    def counts(self) -> dict[str, Any]:
        counted: dict[str, Any] = json.loads(self.report.read_text())
        return counted

    async def _serve(self) -> None:
        pixel = Pixel(self.folder, self.key, self._forgets) if self.has_phone else None
        icloud = self.icloud
        if self.since is not None:
            icloud = _restored(self.since, pixel, icloud)
        written, stood = self.report.read_text(), _moves(pixel, icloud)
        saved = Saved(self.save_into) if self.save_into else None

        def note() -> None:
            nonlocal written, stood
            if saved is not None and icloud is not None:
                saved.save(icloud.library, icloud.account)
            now = json.dumps(_counts(pixel, icloud))
            if now != written or self.snaps is not None:
                beside = self.report.with_suffix(".part")
                beside.write_text(now)
                beside.replace(self.report)
                stands = _moves(pixel, icloud)
                if self.snaps is not None and stands != stood:
                    _kept(self.snaps, pixel, icloud)
                written, stood = now, stands

        note()
        async with AsyncExitStack() as stack:
            if icloud is not None:
                icloud.answered = note
                await stack.enter_async_context(icloud.serving(self._doors[1]))
            if pixel is not None:
                await stack.enter_async_context(_served(pixel, self._doors[0], note))
            await anyio.sleep_forever()


def _moves(pixel: Pixel | None, icloud: FakeICloud | None) -> tuple[int, int]:
    """Other after anything has changed out there, and be it only what an album holds, which no count tells."""
    return (pixel.clock if pixel else 0, icloud.library.moves if icloud else 0)


def _kept(snaps: Path, pixel: Pixel | None, icloud: FakeICloud | None) -> None:
    beside = snaps / "new"
    beside.mkdir()
    if icloud is not None:
        Saved(beside).save(icloud.library, icloud.account)
    phone = (pixel.here, pixel.taken, pixel.clock) if pixel else None
    destroyed = icloud.remembered.destroyed if icloud else []
    (beside / "more").write_bytes(pickle.dumps((phone, destroyed)))
    beside.rename(snaps / f"{time.monotonic_ns():020}")


def _restored(snap: Path, pixel: Pixel | None, icloud: FakeICloud | None) -> FakeICloud | None:
    phone, destroyed = pickle.loads((snap / "more").read_bytes())  # noqa: S301 - our own
    if pixel is not None:
        pixel.here, pixel.taken, pixel.clock = phone
    if icloud is None:
        return None
    again = an_icloud(icloud.account)
    Saved(snap).load(again.library, again.account)
    again.remembered.destroyed += destroyed
    return again


class _served:  # noqa: N801 - a context, not a thing
    def __init__(self, pixel: Pixel, door: socket.socket, note: Any) -> None:
        self._pixel, self._door, self._note = pixel, door, note

    async def __aenter__(self) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            given = await self._pixel.answer(request)
            self._note()
            return given

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.SockSite(self._runner, self._door).start()

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


def _counts(pixel: Pixel | None, icloud: FakeICloud | None) -> dict[str, Any]:
    """
    What was done out there, in words that do not depend on the order of things.

    `cloud`: the hashes of what still shows in iCloud, or lies in Recently Deleted; the first are lawful copies.
    """
    counted: dict[str, Any] = {
        "phone": dict(sorted(pixel.taken.items())) if pixel else {},
        "shown": [],
        "trashed": [],
        "destroyed": {},
        "uploads": 0,
    }
    if icloud is not None:
        zone = icloud.library.primary
        for asset in zone.of(AssetRow):
            where = "trashed" if asset.is_deleted else "shown"
            counted[where] += sorted(
                hashlib.sha256(f.body.read()).hexdigest() for f in zone.master(asset.master).files
            )
        asked = Counter(f"{d.what} {d.record} {d.outcome}" for d in icloud.remembered.destroyed)
        counted["destroyed"] = dict(sorted(asked.items()))
        counted["shown"].sort()
        counted["trashed"].sort()
    return counted


def an_icloud(account: Account | None = None) -> FakeICloud:
    clock = SystemClock()
    account = account or Account()
    account.phone = ""  # the code comes to the trusted device
    return FakeICloud(clock, account, Library(clock))


__all__: Sequence[str] = ["Outside", "Pixel", "an_icloud"]
