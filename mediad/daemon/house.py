"""
Everything the daemon is made of, opened in order and closed in the reverse: lock → journal → roots → ports → engine.

What then runs in it is life.py's.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import structlog
from anyio import from_thread
from anyio.lowlevel import current_token

from mediad.adapters import logs, nas
from mediad.adapters.clock import SystemClock
from mediad.adapters.durable import DurableFiles
from mediad.adapters.encoder import WorkerEncoder
from mediad.adapters.exiftool import ExifTool
from mediad.adapters.host import check_host, make_hand_over_folders
from mediad.adapters.incoming import DropFolder
from mediad.adapters.inspector import FileInspector
from mediad.adapters.leftovers import files_in
from mediad.adapters.looker import FOLDER, WorkerLooker
from mediad.adapters.new_folders import make_durable
from mediad.adapters.roots import Enrolment, Roots
from mediad.adapters.scout import Scout
from mediad.config import ConfigFaults, Fault, Loaded, Settings, load
from mediad.daemon.line import CloudLine, Line
from mediad.daemon.liveness import LIMIT_S, Liveness
from mediad.daemon.rules import Rules, mark, needs_restart, pools_of
from mediad.daemon.supervisor import Supervisor
from mediad.engine import Engine
from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.journal import Journal, Lock, name_at, rotate
from mediad.model import Place, Site
from mediad.policy.dates import believe
from mediad.policy.litter import litter
from mediad.policy.problems import Problem, Problems
from mediad.ports import Clock, Ports
from mediad.service.answers import FindingDoc
from mediad.service.doctor import finding
from mediad.stages.registry import STAGES
from mediad.state import State
from mediad.syncthing_events import POLL_S
from mediad.watchers import incoming, orphans, spares
from mediad.watchers.icloud import CloudWatch
from mediad.watchers.likeness import Likeness
from mediad.watchers.mounts import PATIENCE_S, Watch
from mediad.watchers.phone import PhoneWatch
from mediad.watchers.scrub import Scrub, Stands

log = structlog.get_logger()

FOLDERS: Final = (
    Site.INCOMING, Site.SPOOL, Site.PHONE, Site.ARCHIVE, Site.LIBRARY, Site.DUPLICATES, Site.QUARANTINE,
)  # fmt: skip
CONFIG_LOOK_S: Final = 2.0
SLOW_ANSWERS: Final = (
    10  # of Syncthing, between two moments at which the watch of the phone says that it gets on
)
# One question of iCloud's watch may be a thousand albums, or stand behind a large upload of somebody else.
SLOW_CLOUD_S: Final = 1800.0
PREFLIGHT_S: Final = 3.0
GIVING_BACK: Final = (State.CLOUD_DUE, State.UPLOADED, State.MARKED)


class JournalEnrolments:
    """The mount guard's memory, kept in the journal and read from it once. Called from threads of any kind."""

    def __init__(self, journal: Journal, known: Mapping[Site, Enrolment]) -> None:
        self._journal = journal
        self._known = dict(known)
        self._loop = current_token()

    @classmethod
    async def read(cls, journal: Journal) -> "JournalEnrolments":
        said = {site: await journal.enrolment(site) for site in FOLDERS}
        return cls(journal, {site: Enrolment(**known) for site, known in said.items() if known})

    def load(self, site: Site) -> Enrolment | None:
        return self._known.get(site)

    def save(self, site: Site, enrolment: Enrolment) -> None:
        marker = {"marker": enrolment.marker, "was_mount": enrolment.was_mount, "fs": enrolment.fs}
        from_thread.run(self._journal.enrol, site, marker, token=self._loop)
        self._known[site] = enrolment


class House:
    """What the service may order of the daemon (service.Orders), and everything it is made of."""

    def __init__(
        self,
        rules: Rules,
        journal: Journal,
        clock: SystemClock,
        root: Path | None,
        supervisor: Supervisor,
        enrolments: JournalEnrolments,
    ) -> None:
        self.rules = rules
        self.journal = journal
        self.clock = clock
        self.supervisor = supervisor
        self.problems = Problems()
        self.stopping = anyio.Event()
        self.give_way: Callable[[], None] = lambda: None  # to the next mediad, at a forced end
        self._root = root
        settings = rules.settings
        self.roots = Roots({site: settings.path_of(site) for site in FOLDERS}, enrolments)
        self.files = DurableFiles(self.roots, clock, reserve_bytes=settings.safety.reserve)
        self.inspector = FileInspector(
            self.path_of,
            believe=lambda claims, name: believe(claims, now=clock.now(), name=name),
            exiftool=ExifTool(),
        )
        pools = pools_of(settings)
        self.encoder = WorkerEncoder(
            path_of=self.path_of,
            place=self.files.adopt,
            scratch=settings.folders.processing / ".mediad-scratch",
            photo_workers=pools["photo"],
            video_workers=pools["video"],
        )
        self.drop = DropFolder(settings.folders.incoming, litter)
        self.line = Line(lambda: self.rules.settings, clock, self.path_of)
        self.cloud_line = CloudLine(lambda: self.rules.settings, clock, self.files, self.path_of)
        self._ports = self._new_ports()
        self.engine = Engine(journal, STAGES, self.ports, self.problems)
        self.engine.set_pools(pools)
        self.scrubber = Scrub(journal, self.engine, self.problems, self.ports)
        self.looker = WorkerLooker(self.path_of, settings.folders.processing / FOLDER)
        self.likeness = Likeness(journal, self.engine, self.problems, self.ports, self.looker)
        self.liveness = Liveness(clock, self.engine.stuck, self.engine.overdue)
        self.phone_watch = PhoneWatch(
            self.engine, self.problems, journal, self._beating("watch of the phone", self._slow_phone),
            source=self.line.reached, hear=self.line.hear,
        )  # fmt: skip
        self.cloud_watch = CloudWatch(
            self.engine, self.problems, journal, self._beating("watch of iCloud", lambda: SLOW_CLOUD_S),
            refresh=self.cloud_line.refresh,
        )  # fmt: skip
        self.watch = Watch(
            self.engine, self.problems, self.roots, self.liveness.heart("watch of the folders"),
            room=self.files.room_at, prove=journal.prove,
        )  # fmt: skip

    def path_of(self, place: Place) -> Path:
        return self.rules.settings.path_of(place.site) / place.key

    def ports(self) -> Ports:
        return self._ports

    def _beating(self, name: str, limit: Callable[[], float]) -> Callable[[], Ports]:
        """The ports for a loop: their clock is its heart."""
        heart = self.liveness.heart(name, limit)
        return lambda: replace(self._ports, clock=heart)

    def _slow_phone(self) -> float:
        """One poll, and the questions of one look, each as slow as is allowed."""
        return POLL_S + SLOW_ANSWERS * self.rules.settings.syncthing.timeout_seconds + LIMIT_S

    def _new_ports(self) -> Ports:
        return Ports(
            self.clock, self.files, self.inspector, self.encoder, self.journal, self.line.phone(),
            self.cloud_line.cloud(), self.rules.settings,
        )  # fmt: skip

    async def aclose(self) -> None:
        await self.line.aclose()
        await self.cloud_line.aclose()
        await self.encoder.aclose()
        await self.looker.aclose()
        self.inspector.close()

    # -- service.Orders ---------------------------------------------------------------------------

    async def rescan(self) -> int:
        return await incoming.scan(self.drop, self.journal)

    async def reload(self) -> Sequence[Fault]:
        with self.supervisor.reloading():
            return await self._reloaded()

    async def _reloaded(self) -> Sequence[Fault]:
        """All of the new configuration or nothing of it; running lots finish under the old one."""
        now = self.rules.loaded
        try:
            loaded = load(config_file=now.file, root=self._root, environ=os.environ)
        except ConfigFaults as faults:
            self._complain(faults.faults)
            return faults.faults
        fixed = needs_restart(now, loaded)
        if fixed:
            self._complain(fixed)
            return fixed
        self.rules.take(loaded)
        self._ports = self._new_ports()
        logs.apply(loaded.settings)
        pools = pools_of(loaded.settings)
        self.encoder.resize(pools["photo"], pools["video"])
        self.engine.set_pools(pools)
        self.problems.clear("config")
        await self.reconsider()
        if _gives_back(now.settings) != _gives_back(loaded.settings):
            await self.journal.rouse(None, GIVING_BACK)
        self.phone_watch.wake()
        self.cloud_watch.wake()
        self.engine.wake()
        log.info("config.reloaded")
        return ()

    async def reconsider(self) -> None:
        """At the start and after a reload: whose way is another one under the configuration in force."""
        await self.journal.reconsider()
        if "delete" not in self.rules.off():
            reopened = await self.journal.reopen_cloud(self.clock.now())
            if reopened:
                log.info("cloud.reopened", assets=reopened)

    async def enrol(self, folder: Path, *, force: bool) -> Sequence[str]:
        made = await anyio.to_thread.run_sync(partial(nas.nas_init, folder, force=force))
        if folder == self.rules.settings.folders.nas_archive:
            await anyio.to_thread.run_sync(self.roots.accept, Site.ARCHIVE)
            await self.watch.ask_about(Site.ARCHIVE)
        return [f"made {path}" for path in made]

    def look_at_icloud(self) -> None:
        self.cloud_watch.hurry()

    def scrub(self) -> Stands:
        return self.scrubber.stands

    async def check_host(self) -> Sequence[FindingDoc]:
        findings = await check_host(self.rules.settings)
        return [finding(f.code, f.message, level=f.level, remedy=f.remedy) for f in findings]

    def _complain(self, faults: Sequence[Fault]) -> None:
        what = "; ".join(map(str, faults))
        remedy = (
            "put the named lines right and `mediactl reload`; the old configuration stays in force"
        )
        self.problems.report(
            Problem("config.invalid", what, self.clock.now(), remedy, subject="config")
        )
        log.warning("config.refused", faults=[str(f) for f in faults])

    def hear_of_drop(self, fault: MediadError | None) -> None:
        """After every scan of the drop folder: what was wrong with it, if anything was."""
        if fault is None:
            self.engine.link_is_up(Site.INCOMING)
        else:
            self.engine.link_is_down(fault.site or Site.INCOMING, fault)

    # -- by the clock -----------------------------------------------------------------------------

    async def back_up(self) -> None:
        keep = self.rules.settings
        folder = keep.folders.state / "backups"
        await self.journal.backup(folder / name_at(self.clock.now()))
        await anyio.to_thread.run_sync(rotate, folder, keep.journal.backup_keep)

    async def check_journal(self) -> None:
        """After a kill or a power cut: read the whole journal once, beside the work. Damage is a problem to see."""
        if not self.journal.was_unclean:
            return
        try:
            await self.journal.check()
        except MediadError as fault:
            self.engine.link_is_down(fault.site or "journal", fault)

    async def ask_phone(self) -> None:
        """Before anything is placed or believed. One that does not answer soon keeps nobody else waiting."""
        with anyio.move_on_after(PREFLIGHT_S) as patience:
            await self.phone_watch.ask()
        if patience.cancelled_caught:
            silent = Retryable(
                "Syncthing has not answered yet; files for the phone wait until it has, and nothing is lost",
                code="syncthing.silent",
                remedy="see that Syncthing runs; mediad goes on by itself",
                site="syncthing",
            )
            self.engine.link_is_down("syncthing", silent)

    async def watch_orphans(self, clock: Clock) -> None:
        look = partial(files_in, self.rules.settings.folders.processing, Scout())
        await orphans.watch(look, self.journal, clock, self.problems)

    async def sweep_renditions(self, clock: Clock) -> None:
        look = partial(files_in, self.rules.settings.folders.processing / spares.FOLDER, Scout())
        await spares.watch(look, self.journal, clock, self.ports, lambda: self.engine.is_paused)

    async def watch_config(self, clock: Clock) -> None:
        """A saved change of the file is a reload; comparing its stat is cheap and works on every file system."""
        file, seen = self.rules.file, self.rules.seen
        while True:
            if (now := mark(file)) != seen:
                seen = now
                await self.reload()
            await clock.sleep(CONFIG_LOOK_S)


@asynccontextmanager
async def open_house(
    loaded: Loaded, root: Path | None, supervisor: Supervisor
) -> AsyncIterator[House]:
    settings = loaded.settings
    rules, lock = Rules(loaded), _locked(settings.folders.state)
    try:
        logs.set_up(settings)
        clock = SystemClock()
        journal = Journal.open(settings.journal_path, clock, law=rules.law, off=rules.off)
        try:
            enrolments = await JournalEnrolments.read(journal)
            house = House(rules, journal, clock, root, supervisor, enrolments)
            house.give_way = partial(_give_way, lock, None if supervisor.door else settings)
            await _prepared(house)
            try:
                yield house
            finally:
                with anyio.CancelScope(shield=True):
                    await house.aclose()
        finally:
            with anyio.CancelScope(shield=True):
                await journal.close()
    finally:
        lock.release()


def _give_way(lock: Lock, settings: Settings | None) -> None:
    """
    What hangs in a dead mount keeps all that this process had open until the mount is back.

    Nobody may wait at its socket meanwhile (one of systemd's own is the next mediad's too), nor for its lock.
    """
    try:
        if settings:
            settings.socket_path.unlink(missing_ok=True)
    finally:
        lock.release()


async def _prepared(house: House) -> None:
    """Our own folders are made. One that hangs keeps nobody from starting: the watch names it."""
    makes = [partial(house.roots.make, site) for site in house.roots.own]
    for make in (*makes, partial(make_hand_over_folders, house.rules.settings)):
        with anyio.move_on_after(PATIENCE_S):
            await anyio.to_thread.run_sync(
                make, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )


def _gives_back(settings: Settings) -> tuple[object, ...]:
    """What decides whether iCloud gets its space back: whoever waits for another word of it need not wait on."""
    return (settings.safety, settings.upload, settings.delete, settings.icloud.album)


def _locked(state: Path) -> Lock:
    try:
        make_durable(state)
        return Lock.acquire(state / "mediad.lock")
    except OSError as error:
        raise NeedsOperator(
            f"the state folder {state} cannot be used ({error.strerror}); nothing was changed",
            code="state.unusable",
            remedy="check folders.state, and the owner and the mode of the folder above it",
        ) from error
