"""
iCloud is watched: is it there, are we let in, and what is new?

An idle look costs one request, however large the library is. Whatever keeps us from iCloud is one problem with its
remedy as long as it lasts, nobody is asked meanwhile more often than is wise, and when it is over the work goes on.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import structlog

from mediad.config.outside import ICloud
from mediad.engine import Engine
from mediad.errors import Bug, MediadError, NeedsOperator, Retryable
from mediad.journal import Journal
from mediad.policy.backoff import retry_after
from mediad.policy.problems import Problem, Problems
from mediad.policy.sign_in import days_left, warning, words_of
from mediad.ports import Clock, Ports, SignIn, SignInState
from mediad.watchers.icloud_zone import Reader

log = structlog.get_logger()

LINK: Final = "icloud"
SESSION: Final = "icloud session"  # how long Apple still trusts us: nothing waits for it

TICK_S: Final = 5.0  # between two looks at ourselves; nobody is asked
FIRST_S: Final = 30.0  # after a first failure; doubled with each further one
LONGEST_S: Final = 3600.0
PATIENT_S: Final = 86_400.0  # of what Apple asks for, no more than this is believed
STUBBORN_S: Final = 60.0  # after a fault that only a stage has met
RECHECK_S: Final = (
    1800.0  # where a person must do something with Apple that Apple does not tell us of
)
CALM_S: Final = 3600.0  # after so long without a fault the next one counts as the first

_TRIED_AGAIN: Final = frozenset({SignInState.BACKING_OFF, SignInState.TERMS, SignInState.PROTECTED})


class CloudWatch:
    """
    `refresh` asks Apple whether the session still holds (SignInDoor.refresh).

    The clock of the ports is this loop's own: liveness.py sees by it that it gets on.
    """

    def __init__(
        self,
        engine: Engine,
        problems: Problems,
        journal: Journal,
        ports: Callable[[], Ports],
        *,
        refresh: Callable[[], Awaitable[SignIn]] | None = None,
    ) -> None:
        self._engine = engine
        self._problems = problems
        self._ports = ports
        self._refresh = refresh
        self._clock: Clock = ports().clock
        self._reader = Reader(journal, ports, self._found)
        self._new_rules = anyio.Event()
        self._rules = self._rules_now()
        self.looked_at: int | None = None  # UTC ms of the last look that went well
        self._begin()

    def _begin(self) -> None:
        """Nothing is known of iCloud yet."""
        self._due = self._recheck_due = self._soonest = self._clock.monotonic()
        self._is_start = True
        self._warned: int | None = None
        self._failures = 0  # of ours, in a row
        self._met = 0  # faults that only stages met
        self._met_at = -CALM_S
        self._is_doubted = self._was_ready = False
        self._reader.begin_anew()

    async def run(self) -> None:
        """For ever. While iCloud is switched off in the configuration it does nothing at all."""
        while True:
            self._new_rules = anyio.Event()
            self._rules = self._rules_now()
            self._begin()
            async with anyio.create_task_group() as tasks:
                if self._rules.enabled:
                    tasks.start_soon(self._watch)
                else:
                    self._forget()
                    tasks.start_soon(self._clock.sleep, math.inf)  # nobody expects us back
                await self._new_rules.wait()
                tasks.cancel_scope.cancel()

    def wake(self) -> None:
        """After a reload: begin anew, if anything changed that concerns iCloud."""
        if self._rules != self._rules_now():
            self._new_rules.set()

    def hurry(self) -> None:
        """Somebody wants to know now: look as soon as nothing forbids it."""
        if not self._failures:
            self._due = self._clock.monotonic()

    async def ask(self) -> None:
        """One look at everything new, before the stages run."""
        if not self._rules_now().enabled:
            self._forget()
            return
        self.hurry()
        await self._turn()

    # -- when to look -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await self._turn()
            left = self._due - self._clock.monotonic()
            await self._clock.sleep(min(TICK_S, left) if left > 0 else TICK_S)

    async def _turn(self) -> None:
        if not await self._is_let_in():
            return
        self._heed_stages()
        if self._clock.monotonic() >= self._due:
            await self._look()

    async def _look(self) -> None:
        try:
            await self._reader.look()
        except Bug:
            raise
        except MediadError as fault:
            self._failed(fault)
            return
        self._failures = 0
        self._is_doubted = False
        self.looked_at = self._clock.now()
        self._engine.link_is_up(LINK)
        poll_s = self._rules_now().poll_minutes * 60
        self._due = self._clock.monotonic() + poll_s * (0.9 + self._clock.jitter() / 5)

    def _failed(self, fault: MediadError) -> None:
        """What was read is in the journal with its token: the next look goes on there."""
        self._failures += 1
        pause = retry_after(self._failures, self._clock.jitter(), FIRST_S, LONGEST_S)
        if isinstance(fault, Retryable) and fault.after_s is not None:
            pause = max(TICK_S, min(fault.after_s, PATIENT_S))
        self._due = self._clock.monotonic() + pause
        if fault.site not in {"", LINK}:
            self._engine.link_is_down(fault.site, fault)
            return
        self._down(fault)

    def _heed_stages(self) -> None:
        """A stage may have met what we have not: then iCloud is asked soon, and later each time it was no lie."""
        if self._failures or self._is_doubted or self._problems.about(LINK) is None:
            return
        now = self._clock.monotonic()
        self._met = self._met + 1 if now < self._met_at + CALM_S else 1
        self._met_at = now
        self._is_doubted = True
        pause = retry_after(self._met, self._clock.jitter(), STUBBORN_S, LONGEST_S)
        self._due = min(self._due, now + pause)

    # -- are we let in ----------------------------------------------------------------------------

    async def _is_let_in(self) -> bool:
        state = await self._refreshed()
        if self._is_over(state):
            return True
        if state.state is SignInState.READY:
            self._warn(state)
            if not self._was_ready:
                self._was_ready = True
                self._failures = 0
                self._due = self._clock.monotonic()
            return True
        if state.state is not SignInState.BUSY:
            self._was_ready = False
            code, message, remedy = words_of(state)
            self._down(NeedsOperator(message, code=code, remedy=remedy, site=LINK))
        return False

    def _is_over(self, state: SignIn) -> bool:
        """Nobody else tries again for us when a pause has ended."""
        is_pause = state.state is SignInState.BACKING_OFF and self._refresh is None
        return is_pause and state.until is not None and self._clock.now() >= state.until

    async def _refreshed(self) -> SignIn:
        """How the sign-in stands. Apple itself is asked at the start, and where time or a person may change it."""
        state, now = self._ports().cloud.sign_in(), self._clock.monotonic()
        is_over = self._clock.now() >= state.until if state.until else now >= self._recheck_due
        may_turn = state.state in _TRIED_AGAIN and is_over and now >= self._soonest
        if self._refresh is None or not (self._is_start or may_turn):
            return state
        self._is_start = False
        self._recheck_due, self._soonest = now + RECHECK_S, now + STUBBORN_S
        try:
            return await self._refresh()
        except Bug:
            raise
        except MediadError as fault:
            log.info("icloud.refresh_failed", code=fault.code)
            return self._ports().cloud.sign_in()

    def _warn(self, state: SignIn) -> None:
        """Ahead of the day on which Apple wants a code again; told anew as it draws near."""
        now = self._clock.now()
        days, left = warning(state, now), days_left(state, now)
        if days == self._warned:
            return
        self._warned = days
        self._problems.clear(SESSION)
        if left is None or days is None:
            return
        when = f"in about {left:.0f} days" if left >= 1 else "within a day"
        what = f"Apple will want a code again {when}; until then all goes on, and after it nothing is lost"
        remedy = "sign in again before that, when it suits you: mediactl icloud login"
        self._problems.report(Problem("icloud.trust_expires", what, now, remedy, SESSION))
        log.warning("icloud.trust_expires", days=round(left, 1))

    # -- small things -----------------------------------------------------------------------------

    def _found(self, _: int) -> None:
        self._engine.wake()

    def _down(self, fault: MediadError) -> None:
        """One problem, whatever it was before."""
        for known in self._problems.now():
            if known.subject == LINK and known.code != fault.code:
                self._problems.clear(LINK, prefix=known.code)
        self._engine.link_is_down(LINK, fault)

    def _rules_now(self) -> ICloud:
        return self._ports().settings.icloud

    def _forget(self) -> None:
        """Off: nothing about it is a problem."""
        self._problems.clear(SESSION)
        self._engine.link_is_up(LINK)
