"""
Guards nothing by itself: a whole house in memory, with the real journal, engine, stages and service in it.

The house stands still between two orders: nothing in it moves but while somebody awaits it. It can be stopped, or
killed at any touch of a folder, and is opened again over the same journal and the same folders.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import anyio

from mediad.config import Loaded, Settings
from mediad.engine import Engine
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.journal import Arrival, Journal
from mediad.journal.db import Readers
from mediad.model import Digest, Inspection, Place, Site
from mediad.policy import selftest
from mediad.policy.problems import Problems
from mediad.ports import Delta, Ports, Recipe, Sighting
from mediad.service import Parts, Service
from mediad.service.parts import Orders
from mediad.stages.registry import STAGES
from mediad.state import Workflow
from mediad.testing import Killed, Power
from mediad.testing.clock import StoppedClock
from mediad.testing.cloud import PRIMARY, MemoryCloud
from mediad.testing.encoder import MemoryEncoder
from mediad.testing.files import MemoryFiles
from mediad.testing.phone import MemoryPhone
from mediad.watchers.scrub import Scrub
from tests.stages.world import LINKED, READ_TO, PlainInspector

T = TypeVar("T")

ROOT: Final = Path("/nowhere")
PATIENCE_S: Final = (
    20.0  # of the machine's own time: a house that does not come to rest by then never does
)
MOST_TURNS: Final = 400
PASSED: Final = (Refused, Retryable, NeedsOperator)
# All is on, and nothing waits longer than it must: so that a short story comes to the dangerous parts.
BASE: Final[Mapping[str, Mapping[str, object]]] = {
    "syncthing": LINKED,
    "phone": {"batch_files": 2, "batch_wait_seconds": 1.0},
    "icloud": {"enabled": True},
    "upload": {"enabled": True},
    "delete": {"enabled": True, "cooloff_days": 1.0, "per_day": 50, "percent_per_day": 100.0},
    "clean": {"after_hours": 1.0},
    "dedup": {"keep_days": 1.0},
    "safety": {"armed": True},
}


class WatchedFiles(MemoryFiles):
    """The folders. Whatever is removed from them by a warrant, the house asks first what else there is."""

    house: "House"

    async def reread(
        self, places: Sequence[Place], *, sha256: bool = False
    ) -> Sequence[Sighting | MediadError | None]:
        """A disk takes its time, in which a person may have changed their mind."""
        answers = await super().reread(places, sha256=sha256)
        await self.house.change_now()
        return answers

    def _remove(self, place: Place, digest: Digest) -> MediadError | None:
        file = self.files.get(place)
        is_meant = file is not None and file.digest == digest and place.site not in self.faults
        if is_meant and file is not None:
            self.house.judge_removal(place, file.content)
        return super()._remove(place, digest)


class WatchedCloud(MemoryCloud):
    house: "House"

    def _delete(self, ref: Any, tag: str) -> Any:
        answer = super()._delete(ref, tag)
        if not isinstance(answer, MediadError):
            self.house.judge_deletion(ref)
        return answer


class CarefulInspector(PlainInspector):
    """Of what is not there, or cannot be read, it says so."""

    async def inspect(
        self, places: Sequence[tuple[Place, str]]
    ) -> Sequence[Inspection | MediadError]:
        answers: list[Inspection | MediadError] = []
        for place, name in places:
            if fault := self.files.faults.get(place.site):
                answers.append(fault)
            elif place not in self.files.files:
                answers.append(Retryable(f"{place} is not there any more", code="io.missing"))
            else:
                answers += await super().inspect([(place, name)])
        return answers


class JpegEncoder(MemoryEncoder):
    """What it makes is a JPEG, so that iCloud takes it."""

    async def render(self, source: Place, candidate: Place, recipe: Recipe) -> None:
        await super().render(source, candidate, recipe)
        made = self.files.files[candidate]
        made.content = b"jpeg at=0 " + made.content


class Inline(Readers):
    """Answers on the spot: thousands of questions, and none of their threads is what is tried here."""

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        await anyio.lowlevel.checkpoint()
        return self._ask(question)


class House:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = StoppedClock()
        self.files = WatchedFiles(self.clock)
        self.phone = MemoryPhone(self.files, self.clock)
        self.cloud = WatchedCloud(self.files, self.clock, power=self.files.power)
        self.files.house = self.cloud.house = self
        self.inspector = CarefulInspector(self.files)
        self.encoder = JpegEncoder(self.files)
        self.said: dict[str, dict[str, object]] = {s: dict(v) for s, v in BASE.items()}
        self.settings = self._settings()
        self.mine: set[bytes] = set()  # what people shot, and have not thrown away themselves
        self.spoilt: set[Place] = set()  # what people, or the disks, have done to copies
        self.wrongs: list[str] = []  # what was done that must never be
        self.wanted: tuple[str, str, object] | None = None  # a change for when copies are next read
        self._woken_at = 0

    def _settings(self) -> Settings:
        return Settings.model_validate({"root": ROOT, **self.said})

    def ports(self) -> Ports:
        return Ports(
            self.clock, self.files, self.inspector, self.encoder, self.journal, self.phone, self.cloud,
            self.settings,
        )  # fmt: skip

    def _law(self) -> Workflow:
        return self.settings.law()

    def _off(self) -> Mapping[str, str]:
        return self.settings.off()

    # -- open and shut ------------------------------------------------------------------------------

    async def open(self) -> None:
        self.journal = Journal.open(
            self.folder / "journal.db", self.clock,
            law=self._law, off=self._off,
        )  # fmt: skip
        self.journal._readers.close()
        self.journal._readers = Inline(self.folder / "journal.db")
        self.problems = Problems()
        self.engine = Engine(self.journal, STAGES, self.ports, self.problems)
        loaded = lambda: Loaded(self.settings, {}, None)  # noqa: E731 - three words
        parts = Parts(
            self.journal, self.engine, self.problems, loaded, self.ports, cast("Orders", self), "0.0.test"
        )  # fmt: skip
        self.service = Service(parts)
        self.scrubber = Scrub(self.journal, self.engine, self.problems, self.ports)
        await self.reconsider()
        self._work = asyncio.get_running_loop().create_task(self.engine.run())

    async def stop(self) -> None:
        """What runs may finish."""
        self.engine.stop()
        await self._ended()
        await self.journal.close()

    async def kill(self) -> None:
        """What is on its way is lost; the journal is left as it lies."""
        self.files.power.cut_at = 0
        self._work.cancel()
        await self._ended()
        await self.journal._writer.close()
        self.journal._readers.close()
        self.journal._connection.close()

    async def again(self, *, killed: bool) -> None:
        await (self.kill() if killed else self.stop())
        self.files.power = self.cloud.power = Power()
        await self.open()

    async def _ended(self) -> None:
        try:
            await self._work
        except asyncio.CancelledError:
            pass
        except BaseExceptionGroup as group:
            others = group.split(Killed)[1]
            if others is not None:
                raise others from None

    # -- time passes --------------------------------------------------------------------------------

    async def rest(self) -> None:
        """Until there is nothing to do at this moment. A kill on the way is followed by a start."""
        await self._until(lambda: False)

    async def a_little(self, commits: int) -> None:
        """Some way on, wherever that may be."""
        until = self.journal.groups + commits
        await self._until(lambda: self.journal.groups >= until)

    async def _until(self, is_enough: Callable[[], bool]) -> None:
        """Or until there is nothing to do, which comes soon."""
        with anyio.move_on_after(PATIENCE_S) as patience:
            while not is_enough() and not await self._is_at_rest():
                changed = self.engine._changed
                with anyio.move_on_after(0.001):
                    await changed.wait()
        assert not patience.cancelled_caught, await self._restless()

    async def _restless(self) -> list[str]:
        now = self.clock.now()
        desks = [(d, await self._due(d)) for d in self.engine._desks.values()]
        return [
            f"{d.stage.name}: busy with {d.busy}, due {due}, now {now}"
            for d, due in desks
            if d.busy or d.asked_at < float("inf") or (due is not None and due <= now)
        ]

    async def pass_time(self, seconds: float) -> None:
        """From one thing that is due to the next."""
        until = self.clock.now() + round(seconds * 1000)
        await self.rest()
        for _ in range(MOST_TURNS):
            due = await self._next_due()
            if due is None or due > until:
                break
            self.clock.advance(max(0.001, (due - self.clock.now()) / 1000))
            self.engine.wake()
            await self.rest()
        if self.clock.now() < until:
            self.clock.advance((until - self.clock.now()) / 1000)
        self.engine.wake()
        await self.rest()

    async def _is_at_rest(self) -> bool:
        for _ in range(3):  # whoever was rung has begun to ask by then
            await anyio.lowlevel.checkpoint()
        if self._work.done():
            await self.again(killed=True)
            return False
        if (
            self.clock.now() != self._woken_at
        ):  # somebody slept: whose nap that was does not know it
            self._woken_at = self.clock.now()
            self.engine.wake()
            return False
        desks = self.engine._desks.values()
        if any(d.busy or d.asked_at < float("inf") or d.bell.is_set() for d in desks):
            return False
        now = self.clock.now()
        dues = [await self._due(desk) for desk in desks]
        return not any(d.busy for d in desks) and all(due is None or due > now for due in dues)

    async def _due(self, desk: Any) -> int | None:
        if desk.closed or not self.engine._may_run(desk.stage):
            return None
        due = await self.journal.next_due(desk.stage.at)
        return None if due is None else max(due, desk.rests_until)

    async def _next_due(self) -> int | None:
        """Also of those behind a door: it may be open by then."""
        dues = []
        for desk in self.engine._desks.values():
            due = await self._due(desk)
            if desk.closed and self.engine._may_run(desk.stage):
                door = desk.stage.door and await desk.stage.door(self.ports())
                due = door.until if door else None
            dues.append(due)
        return min((d for d in dues if d is not None), default=None)

    # -- what people order --------------------------------------------------------------------------

    async def order(self, order: Any) -> Any:
        """A refusal is an answer."""
        with suppress(*PASSED):
            return await order

    async def configure(self, section: str, key: str, value: object) -> None:
        """A reload, as the daemon does it."""
        self.said.setdefault(section, {})[key] = value
        self.settings = self._settings()
        await self.reconsider()
        self.engine.wake()

    async def change_now(self) -> None:
        """What somebody wants changed while copies are read, before one of them goes."""
        wanted, self.wanted = self.wanted, None
        if wanted is not None:
            await self.configure(*wanted)

    async def reconsider(self) -> None:
        await self.journal.reconsider()
        if "delete" not in self.settings.off():
            await self.journal.reopen_cloud(self.clock.now())

    async def prove(self, *, ok: bool) -> None:
        said = selftest.detail(self.settings, "all well")
        await self.journal.set_selftest(self.clock.now(), ok=ok, detail=said)

    async def rescan(self) -> int:
        """service.Orders."""
        if Site.INCOMING in self.files.faults:
            return 0
        known = await self.journal.known_sources()
        there = [(p.key, f) for p, f in self.files.files.items() if p.site is Site.INCOMING]
        new = [
            Arrival(key, key.rpartition("/")[2], len(f.content), f.mtime_ns)
            for key, f in there
            if key not in known
        ]
        found = await self.journal.arrive(new)
        self.engine.wake()
        return len(found)

    async def hear(self) -> None:
        """The watcher's news: all that people ever put into iCloud, as it is now."""
        refs = [ref for ref in self.cloud.held if ref not in self.cloud.arrived]
        there = [self.cloud.remote(r) for r in refs if not self.cloud.remote(r).is_deleted]
        gone = tuple(r for r in refs if self.cloud.remote(r).is_deleted)
        albums = await self.cloud.album_listing(PRIMARY)
        told = Delta(gone=gone, albums=albums.albums, members=albums.members, token=READ_TO)
        await self.journal.cloud_page(PRIMARY, [(r, "") for r in there], told, token=READ_TO)
        self.engine.wake()

    def mend(self) -> None:
        """Every disk is back, and every line."""
        self.files.faults.clear()
        self.files.room.clear()
        self.files.unreadable.clear()
        self.cloud.faults.clear()
        self.phone.faults = None
        self.phone.come_online()
        for problem in self.problems.now():
            self.engine.link_is_up(problem.subject)
        self.engine.wake()

    # -- what must hold at the very moment ------------------------------------------------------------

    def whole(self, content: bytes, *sites: Site) -> int:
        """In how many places of these sites the very bytes lie."""
        places = [p for p, f in self.files.files.items() if f.content == content]
        found = sum(p.site in sites and not p.key.startswith("renditions/") for p in places)
        on_phone = any(f.content == content for f in self.phone.there.values())
        return found + (Site.PHONE in sites and on_phone)

    def judge_removal(self, place: Place, content: bytes) -> None:
        """Something of ours is about to go: its bytes must lie elsewhere, now, and as often as is wanted."""
        if place.key.startswith("renditions/"):
            return
        if place.site is Site.PHONE:
            if content in self.mine and not self.whole(
                content, Site.ARCHIVE, Site.LIBRARY, Site.SPOOL
            ):
                self.wrongs.append(f"{place} left the shared folder, and nobody else has it")
            return
        if place.site is Site.SPOOL and not self.settings.clean.enabled:
            self.wrongs.append(f"{place} goes though cleaning is off")
        copies = self.whole(content, Site.ARCHIVE, Site.LIBRARY, Site.PHONE)
        if copies < self.settings.safety.min_copies:
            self.wrongs.append(f"{place} goes with {copies} copies elsewhere")
        if "archive" not in self.settings.off() and not self.whole(content, Site.ARCHIVE):
            self.wrongs.append(f"{place} goes, and the archive has not got it")

    def judge_deletion(self, ref: Any) -> None:
        held = self.cloud.held[ref]
        if not (self.settings.safety.armed and self.settings.delete.enabled):
            self.wrongs.append(f"{ref} was deleted though nobody allowed it")
        if held.remote.is_favourite and self.settings.delete.keep_favourites:
            self.wrongs.append(f"{ref} was a favourite")
        for content in held.contents:
            if not self.whole(content, Site.ARCHIVE):
                self.wrongs.append(
                    f"{ref} was deleted, and the archive has not got {content[:40]!r}"
                )

    def lost(self) -> list[bytes]:
        kept = {
            f.content
            for p, f in self.files.files.items()
            if p.site is not Site.PHONE and not p.key.startswith("renditions/")
        }
        kept |= {f.content for f in self.phone.there.values()}
        kept |= {c for h in self.cloud.held.values() if not h.remote.is_deleted for c in h.contents}
        return sorted(self.mine - kept)
