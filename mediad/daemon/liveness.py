"""
Is every loop of the daemon still getting on? systemd's watchdog is fed only while the answer is yes.

A loop sleeps through its own clock, which is a heart: what it says before it sleeps tells when it must be back. Work
between two sleeps has a limit, and long work says between its pieces, by a sleep of no length, that it gets on. A loop
that keeps to none of it is late, is named in `status` and in the log, and ends with the daemon when the watchdog bites.
What blocks the event loop needs no heart: then nobody feeds at all.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from mediad.adapters.errnos import shown
from mediad.daemon.supervisor import Supervisor
from mediad.policy.problems import OVERDUE, STALLED, Problem, Problems
from mediad.ports import Clock

log = structlog.get_logger()

LIMIT_S: Final = (
    120.0  # the longest piece of work between two sleeps: many times what any is known to take
)
LOOK_S: Final = 10.0
NAMED: Final = 5  # so many of the files that hang, for a person


class Heart:
    """ports.Clock for one loop. To sleep is to promise when one is back; nobody expects back who sleeps for ever."""

    def __init__(self, clock: Clock, limit: Callable[[], float]) -> None:
        self._clock = clock
        self._limit = limit
        self._due: float | None = None  # nothing is promised yet

    @property
    def is_late(self) -> bool:
        return self._due is not None and self._clock.monotonic() > self._due

    def begin(self) -> None:
        """From now on it counts, whether it has ever slept or not."""
        if self._due is None:
            self._due = self._clock.monotonic() + self._limit()

    def now(self) -> int:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        self._due = self._clock.monotonic() + seconds + self._limit()
        try:
            await self._clock.sleep(seconds)
        finally:
            self._due = self._clock.monotonic() + self._limit()

    def jitter(self) -> float:
        return self._clock.jitter()


class Liveness:
    """
    `stuck` names what gets on without a heart and has not for too long: the engine's runners.

    `overdue` names the files that a stage has been busy with for too long. That is told and no more: a film may be
    longer than anybody thought, and what hangs in a dead disk goes on when the disk does.
    """

    def __init__(
        self,
        clock: Clock,
        stuck: Callable[[float], Sequence[str]],
        overdue: Callable[[], Mapping[str, Sequence[str]]] = dict,
    ) -> None:
        self._clock = clock
        self._stuck = stuck
        self._overdue = overdue
        self._hearts: dict[str, Heart] = {}

    def heart(self, name: str, limit: Callable[[], float] = lambda: LIMIT_S) -> Clock:
        """The clock of a loop that is to run for as long as the daemon does; `limit` is asked before each sleep."""
        self._hearts[name] = Heart(self._clock, limit)
        return self._hearts[name]

    async def until_done(self, name: str, loop: Callable[[Clock], Awaitable[None]]) -> None:
        """Run a loop that may come to its end, with a heart of its own."""
        heart = self._hearts[name] = Heart(self._clock, lambda: LIMIT_S)
        heart.begin()
        try:
            await loop(heart)
        finally:
            del self._hearts[name]

    def late(self) -> list[str]:
        hearts = [name for name, heart in self._hearts.items() if heart.is_late]
        return sorted([*hearts, *self._stuck(LIMIT_S)])

    async def feed(self, supervisor: Supervisor, problems: Problems) -> None:
        """For ever: tell the watchdog that we live, for as long as that is true."""
        for heart in self._hearts.values():
            heart.begin()
        pause = min(LOOK_S, supervisor.watchdog_s / 3 or LOOK_S)
        while True:
            self._tell_overdue(problems)
            late = self.late()
            if not late:
                problems.clear(STALLED)
                if supervisor.watchdog_s:
                    supervisor.tell("WATCHDOG=1")
            elif problems.report(_problem(late, self._clock.now())):
                log.error(STALLED, loops=late)
            await self._clock.sleep(pause)

    def _tell_overdue(self, problems: Problems) -> None:
        overdue = self._overdue()
        if not overdue:
            problems.clear(OVERDUE)
        elif problems.report(_hanging(overdue, self._clock.now())):
            log.error(
                OVERDUE, stages={name: list(files)[:NAMED] for name, files in overdue.items()}
            )


def _hanging(overdue: Mapping[str, Sequence[str]], now: int) -> Problem:
    files = [f"{stage}: {shown(name)}" for stage, names in overdue.items() for name in names]
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    what = (
        f"work on {', '.join(files[:NAMED])}{more} does not come to an end, for longer than it can take; no file is"
        " harmed by that, and other files go on"
    )
    remedy = "look for a disk or a program that hangs (mediactl doctor); a restart of mediad begins that work anew"
    return Problem(OVERDUE, what, now, remedy, subject=OVERDUE)


def _problem(late: Sequence[str], now: int) -> Problem:
    what = f"{', '.join(late)}: has not got on for minutes; no file is harmed by that, and what depends on it waits"
    remedy = "as a service mediad is restarted by itself; else restart it, and send `mediactl diag`"
    return Problem(STALLED, what, now, remedy, subject=STALLED)
