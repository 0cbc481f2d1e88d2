"""
From the lock to the last line of the log: what runs while the daemon lives, and how it comes to its end.

Configuration in, exit code out. Every loop that runs for as long as the daemon does has a heart (liveness.py).
"""

import faulthandler
import gc
import os
import resource
import signal
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import structlog
from anyio.abc import TaskGroup

from mediad import __version__
from mediad.adapters.syscalls import bound_arenas
from mediad.config import Loaded
from mediad.daemon.house import FOLDERS, House, open_house
from mediad.daemon.liveness import LIMIT_S
from mediad.daemon.supervisor import Supervisor
from mediad.errors import MediadError
from mediad.model import Site
from mediad.service import Parts, Service
from mediad.watchers import incoming
from mediad.watchers.likeness import SLOWEST_S
from mediad.watchers.timer import every

log = structlog.get_logger()

STDERR: Final = 2
ONCE_PATIENCE_S: Final = 120.0  # how long `--once` waits for the phone without anything getting on
OPEN_FILES: Final = 65536
GARBAGE: Final = 20_000  # objects between two looks for cycles: a lot makes many, and few cycles


async def live(loaded: Loaded, *, once: bool, root: Path | None) -> int:
    """Until a signal, or with `once` until nothing is left to do. Returns the exit code."""
    faulthandler.enable(STDERR)  # on the watchdog's SIGABRT: where every thread stood
    supervisor = Supervisor.from_environ(os.environ)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # for the handles of large lots
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, OPEN_FILES)), hard))
    bound_arenas()
    gc.freeze()  # what was imported stays
    gc.set_threshold(GARBAGE, 20, 20)
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with (
            open_house(loaded, root, supervisor) as house,
            anyio.create_task_group() as tasks,
        ):
            log.info(
                "daemon.starting", version=__version__, root=str(loaded.settings.root), once=once
            )
            tasks.start_soon(_hear, house, signals)
            await house.reconsider()
            await house.watch.ask_about_all(house.roots.guarded)
            await house.ask_phone()
            tasks.start_soon(house.phone_watch.run)
            if once:
                await house.cloud_watch.ask()
            else:
                tasks.start_soon(house.cloud_watch.run)
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
        house.supervisor.tell("STOPPING=1")
        log.info("daemon.stopping", signal=signal.Signals(number).name)
        # A thread that hangs in a dead mount cannot be cancelled. Ending under it is safe: a kill at any moment is.
        _end_by_force_after(house.rules.settings.shutdown_seconds + 3, house.give_way)
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
            __version__, house.cloud_line.door,
        )
    )  # fmt: skip
    await tasks.start(control.serve, service, settings.socket_path, house.supervisor.door)
    await house.engine.refresh()  # before anybody reads a file: everything may be paused
    watched = [s for s in FOLDERS if s is not Site.INCOMING]
    tasks.start_soon(house.watch.run, watched, [Site.INCOMING])
    tasks.start_soon(_watch_incoming, house)
    tasks.start_soon(house.watch_config, house.liveness.heart("watch of the configuration"))
    tasks.start_soon(house.check_journal)
    tasks.start_soon(house.liveness.until_done, "watch for orphans", house.watch_orphans)
    tasks.start_soon(house.sweep_renditions, house.liveness.heart("sweep of renditions"))
    tasks.start_soon(
        house.scrubber.run,
        house.liveness.heart("scrub", lambda: LIMIT_S + house.scrubber.patience_s),
    )
    tasks.start_soon(
        house.likeness.run, house.liveness.heart("look at photos", lambda: LIMIT_S + SLOWEST_S)
    )
    tasks.start_soon(
        partial(every, name="backup"),
        lambda: house.rules.settings.journal.backup_hours, house.back_up,
        house.liveness.heart("backup"), house.problems,
    )  # fmt: skip
    house.supervisor.tell("READY=1")
    tasks.start_soon(house.liveness.feed, house.supervisor, house.problems)
    log.info("daemon.ready", socket=str(settings.socket_path))
    async with anyio.create_task_group() as work:
        work.start_soon(house.engine.run)
        work.start_soon(_end_when_told, house, work)
    return 0


def _end_by_force_after(seconds: float, give_way: Callable[[], None]) -> None:
    """What a thread in a dead mount keeps of this process may stay until the mount is back: not the lock, at least."""

    def end() -> None:
        give_way()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


async def _watch_incoming(house: House) -> None:
    def tell(fault: MediadError | None) -> None:
        if fault is None:
            house.engine.link_is_up(Site.INCOMING)
        else:
            house.engine.link_is_down(Site.INCOMING, fault)

    def longest() -> float:  # it listens between two scans, and sleeps through nobody's clock then
        return house.rules.settings.ingest.rescan_minutes * 60 + LIMIT_S

    clock = house.liveness.heart("watch of incoming", longest)
    await incoming.watch(house.drop, house.journal, clock, house.ports, tell)


async def _all_settled(house: House) -> bool:
    counts = await house.journal.counts()
    unsettled = {"ready", "retry", "failed", "held"}
    open_work = any(n for (_, mark), n in counts.standing.items() if mark.value in unsettled)
    return not open_work and not house.problems.now()
