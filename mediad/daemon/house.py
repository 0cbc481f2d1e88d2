"""
Everything that lives while the daemon does, opened in order and closed in the reverse.

lock → journal → roots → ports → engine → service → socket → watchers → READY=1; a signal turns it round.
"""

import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import sdnotify
import structlog
from anyio import from_thread
from anyio.abc import TaskGroup

from mediad import __version__
from mediad.adapters import logs, nas
from mediad.adapters.clock import SystemClock
from mediad.adapters.durable import DurableFiles
from mediad.adapters.encoder import WorkerEncoder
from mediad.adapters.exiftool import ExifTool
from mediad.adapters.host import check_host, make_hand_over_folders
from mediad.adapters.incoming import DropFolder
from mediad.adapters.inspector import FileInspector
from mediad.adapters.leftovers import files_in
from mediad.adapters.roots import Enrolment, Roots
from mediad.config import ConfigFaults, Fault, Loaded, load
from mediad.daemon.line import Line
from mediad.daemon.rules import Rules, mark, needs_restart, pools_of
from mediad.engine import Engine
from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.journal import Journal, Lock, name_at, rotate
from mediad.model import Place, Site
from mediad.policy.dates import believe
from mediad.policy.litter import litter
from mediad.policy.problems import Problem, Problems
from mediad.ports import Ports
from mediad.service import Parts, Service
from mediad.service.answers import FindingDoc
from mediad.service.doctor import finding
from mediad.stages.registry import STAGES
from mediad.watchers import incoming, orphans
from mediad.watchers.mounts import Watch
from mediad.watchers.phone import PhoneWatch
from mediad.watchers.timer import every

log = structlog.get_logger()

FOLDERS: Final = (
    Site.INCOMING, Site.SPOOL, Site.PHONE, Site.ARCHIVE, Site.LIBRARY, Site.DUPLICATES, Site.QUARANTINE,
)  # fmt: skip
CONFIG_LOOK_S: Final = 2.0
ONCE_PATIENCE_S: Final = 120.0  # how long `--once` waits for the phone without anything getting on
PREFLIGHT_S: Final = 3.0
GARBAGE: Final = 20_000  # objects between two looks for cycles: a lot makes many, and few cycles


class JournalEnrolments:
    """The mount guard's memory, kept in the journal. Called from worker threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def load(self, site: Site) -> Enrolment | None:
        known = from_thread.run(self._journal.enrolment, site)
        return Enrolment(**known) if known else None

    def save(self, site: Site, enrolment: Enrolment) -> None:
        marker = {"marker": enrolment.marker, "was_mount": enrolment.was_mount, "fs": enrolment.fs}
        from_thread.run(self._journal.enrol, site, marker)


class House:
    """What the service may order of the daemon (service.Orders), and everything it is made of."""

    def __init__(
        self, rules: Rules, journal: Journal, clock: SystemClock, root: Path | None
    ) -> None:
        self.rules = rules
        self.journal = journal
        self.clock = clock
        self.problems = Problems()
        self.stopping = anyio.Event()
        self._root = root
        settings = rules.settings
        self.roots = Roots(
            {site: settings.path_of(site) for site in FOLDERS}, JournalEnrolments(journal)
        )
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
        self._ports = self._new_ports()
        self.engine = Engine(journal, STAGES, self.ports, self.problems)
        self.engine.set_pools(pools)
        self.phone_watch = PhoneWatch(
            self.engine, self.problems, journal, self.ports,
            source=self.line.reached, hear=self.line.hear,
        )  # fmt: skip
        self.watch = Watch(
            self.engine, self.problems, self.roots, clock, room=self.files.room_at, prove=journal.prove
        )  # fmt: skip

    def path_of(self, place: Place) -> Path:
        return self.rules.settings.path_of(place.site) / place.key

    def ports(self) -> Ports:
        return self._ports

    def _new_ports(self) -> Ports:
        return Ports(
            self.clock, self.files, self.inspector, self.encoder, self.journal, self.line.phone(),
            self.rules.settings,
        )  # fmt: skip

    async def aclose(self) -> None:
        await self.line.aclose()
        await self.encoder.aclose()
        self.inspector.close()

    # -- service.Orders ---------------------------------------------------------------------------

    async def rescan(self) -> int:
        return await incoming.scan(self.drop, self.journal)

    async def reload(self) -> Sequence[Fault]:
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
        await self.journal.reconsider()
        self.phone_watch.wake()
        self.engine.wake()
        log.info("config.reloaded")
        return ()

    async def enrol(self, folder: Path, *, force: bool) -> Sequence[str]:
        made = await anyio.to_thread.run_sync(partial(nas.nas_init, folder, force=force))
        if folder == self.rules.settings.folders.nas_archive:
            await anyio.to_thread.run_sync(self.roots.accept, Site.ARCHIVE)
            await self.watch.ask_about(Site.ARCHIVE)
        return [f"made {path}" for path in made]

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

    async def watch_orphans(self) -> None:
        look = partial(files_in, self.rules.settings.folders.processing)
        await orphans.watch(look, self.journal, self.clock, self.problems)

    async def watch_config(self) -> None:
        """A saved change of the file is a reload; comparing its stat is cheap and works on every file system."""
        file, seen = self.rules.file, self.rules.seen
        while True:
            if (now := mark(file)) != seen:
                seen = now
                await self.reload()
            await self.clock.sleep(CONFIG_LOOK_S)


@asynccontextmanager
async def open_house(loaded: Loaded, root: Path | None) -> AsyncIterator[House]:
    settings = loaded.settings
    rules, lock = Rules(loaded), _locked(settings.folders.state)
    try:
        logs.set_up(settings)
        clock = SystemClock()
        journal = Journal.open(settings.journal_path, clock, law=rules.law, off=rules.off)
        try:
            house = House(rules, journal, clock, root)
            await anyio.to_thread.run_sync(house.roots.prepare)
            await anyio.to_thread.run_sync(make_hand_over_folders, settings)
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


def _locked(state: Path) -> Lock:
    try:
        state.mkdir(parents=True, exist_ok=True)
        return Lock.acquire(state / "mediad.lock")
    except OSError as error:
        raise NeedsOperator(
            f"the state folder {state} cannot be used ({error.strerror}); nothing was changed",
            code="state.unusable",
            remedy="check folders.state, and the owner and the mode of the folder above it",
        ) from error


async def live(loaded: Loaded, *, once: bool, root: Path | None) -> int:
    """Until a signal, or with `once` until nothing is left to do. Returns the exit code."""
    gc.freeze()  # what was imported stays
    gc.set_threshold(GARBAGE, 20, 20)
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with open_house(loaded, root) as house, anyio.create_task_group() as tasks:
            log.info(
                "daemon.starting", version=__version__, root=str(loaded.settings.root), once=once
            )
            tasks.start_soon(_hear, house, signals)
            await house.journal.reconsider()
            await house.watch.ask_about_all(house.roots.guarded)
            await house.ask_phone()
            tasks.start_soon(house.phone_watch.run)
            code = await (_once(house) if once else _serve(house, tasks))
            tasks.cancel_scope.cancel()
            log.info("daemon.stopped", code=code)
    return code


async def _hear(house: House, signals: AsyncIterator[signal.Signals]) -> None:
    """SIGTERM and SIGINT end it, SIGHUP reloads."""
    async for number in signals:
        if number is signal.SIGHUP:
            await house.reload()
            continue
        sdnotify.SystemdNotifier().notify("STOPPING=1")
        log.info("daemon.stopping", signal=signal.Signals(number).name)
        # A thread that hangs in a dead mount cannot be cancelled. Ending under it is safe: a kill at any moment is.
        _end_by_force_after(house.rules.settings.shutdown_seconds + 3)
        house.drop.close()
        house.engine.stop()
        house.stopping.set()


async def _once(house: House) -> int:
    await house.rescan()
    async with anyio.create_task_group() as work:
        work.start_soon(house.engine.run)
        work.start_soon(_end_when_told, house, work)
        await _until_done(house)
        house.engine.stop()
        house.stopping.set()
    return 0 if await _all_settled(house) else 1


async def _until_done(house: House) -> None:
    """Everything to its end, or to a wait: Syncthing that carries nothing over for a while is one."""
    while True:
        moves = house.engine.moves
        with anyio.move_on_after(ONCE_PATIENCE_S):
            await house.engine.until_idle(retries_count=False)
            return
        is_still = house.engine.moves == moves
        if is_still and await house.engine.is_idle(retries_count=False, waits_count=False):
            return


async def _end_when_told(house: House, work: TaskGroup) -> None:
    """Let what runs finish, for as long as the configuration says; then leave it to the next start."""
    await house.stopping.wait()
    with anyio.move_on_after(house.rules.settings.shutdown_seconds):
        await house.engine.until_quiet()
    work.cancel_scope.cancel()


async def _serve(house: House, tasks: TaskGroup) -> int:
    from mediad import control  # noqa: PLC0415 - --once needs no HTTP server, and starts quicker without

    settings = house.rules.settings
    service = Service(
        Parts(
            house.journal, house.engine, house.problems, lambda: house.rules.loaded, house.ports, house,
            __version__,
        )
    )  # fmt: skip
    await tasks.start(control.serve, service, settings.socket_path)
    tasks.start_soon(
        house.watch.run, [s for s in FOLDERS if s is not Site.INCOMING]
    )  # it is scanned
    tasks.start_soon(_watch_incoming, house)
    tasks.start_soon(house.watch_config)
    tasks.start_soon(house.check_journal)
    tasks.start_soon(house.watch_orphans)
    tasks.start_soon(
        partial(every, name="backup"),
        lambda: house.rules.settings.journal.backup_hours, house.back_up, house.clock, house.problems,
    )  # fmt: skip
    sdnotify.SystemdNotifier().notify("READY=1")
    log.info("daemon.ready", socket=str(settings.socket_path))
    async with anyio.create_task_group() as work:
        work.start_soon(house.engine.run)
        work.start_soon(_end_when_told, house, work)
    return 0


def _end_by_force_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


async def _watch_incoming(house: House) -> None:
    def tell(fault: MediadError | None) -> None:
        if fault is None:
            house.engine.link_is_up(Site.INCOMING)
        else:
            house.engine.link_is_down(Site.INCOMING, fault)

    await incoming.watch(house.drop, house.journal, house.clock, house.ports, tell)


async def _all_settled(house: House) -> bool:
    counts = await house.journal.counts()
    unsettled = {"ready", "retry", "failed", "held"}
    open_work = any(n for (_, mark), n in counts.standing.items() if mark.value in unsettled)
    return not open_work and not house.problems.now()
