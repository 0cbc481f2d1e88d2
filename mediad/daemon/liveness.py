"""
Is every loop of the daemon still getting on? systemd's watchdog is fed only while the answer is yes.

A loop sleeps through its own clock, which is a heart: what it says before it sleeps tells when it must be back. Work
between two sleeps has a limit, and long work says between its pieces, by a sleep of no length, that it gets on. A loop
that keeps to none of it is late, is named in `status` and in the log, and ends with the daemon when the watchdog bites.
What blocks the event loop needs no heart: then nobody feeds at all.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from mediad.daemon.supervisor import Supervisor
from mediad.policy.problems import STALLED, Problem, Problems
from mediad.ports import Clock

log = structlog.get_logger()

LIMIT_S: Final = (
    120.0  # the longest piece of work between two sleeps: many times what any is known to take
)
LOOK_S: Final = 10.0


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
    """`stuck` names what gets on without a heart and has not for too long: the engine's runners."""

    def __init__(self, clock: Clock, stuck: Callable[[float], Sequence[str]]) -> None:
        self._clock = clock
        self._stuck = stuck
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
            late = self.late()
            if not late:
                problems.clear(STALLED)
                if supervisor.watchdog_s:
                    supervisor.tell("WATCHDOG=1")
            elif problems.report(_problem(late, self._clock.now())):
                log.error(STALLED, loops=late)
            await self._clock.sleep(pause)


def _problem(late: Sequence[str], now: int) -> Problem:
    what = f"{', '.join(late)}: has not got on for minutes; no file is harmed by that, and what depends on it waits"
    remedy = "as a service mediad is restarted by itself; else restart it, and send `mediactl diag`"
    return Problem(STALLED, what, now, remedy, subject=STALLED)
