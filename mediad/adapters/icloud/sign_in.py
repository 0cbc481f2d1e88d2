"""
Where the sign-in stands, and how it moves on: ports.SignInDoor, and the one way of every question to Apple.

The same session object lives from the request for a code to the code. An outage never ends a session; a password that
Apple refused is not tried again before a person says so; a stored one is used by itself once in six hours at most.
A restart changes none of this: how the sign-in stands and for how long Apple is left alone lies beside the session.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Final, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from mediad.adapters.icloud.breaker import Part
from mediad.adapters.icloud.faults import (
    BY_STATE,
    KEY_REFUSED,
    OF_KEYS,
    PROTECTED,
    fault,
    key_wanted,
)
from mediad.adapters.icloud.password import stored
from mediad.adapters.icloud.security_key import Ring
from mediad.adapters.icloud.session import Account, NotReadyError, Outcome, Session
from mediad.adapters.icloud.standing import Pauses, Standing, recalled, remember
from mediad.config import Settings
from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.ports import Clock, SignIn, SignInState

CODE_MS: Final = 10 * 60_000
SILENT_MS: Final = 6 * 3_600_000
AGAIN_MS: Final = 3_600_000  # what a person does on Apple's pages is looked for this often
BACK_OFF_S: Final = 60.0
_DIGITS: Final = 6
_BY_ITSELF: Final = frozenset({SignInState.TERMS, SignInState.PROTECTED})
_OF_A_PERSON: Final = frozenset({SignInState.NEED_CODE, SignInState.SECURITY_KEY})
_REFUSED: Final = frozenset({SignInState.WRONG_PASSWORD, SignInState.LOCKED})
T = TypeVar("T")


class Door:
    """One account's sign-in. `account` tells which, at every moment: another one, and all begins anew."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        clock: Clock,
        account: Callable[[], Account],
        ring: Ring,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._account = account
        self._ring = ring
        self._pauses = Pauses(clock, lambda: account().folder)
        self.breaker = self._pauses.breaker
        self._session: Session | None = None
        self._stop = Event()  # of the wait for a security key
        self._is_restored = False  # `_now` is from before a restart
        self._is_barred = False  # a stored password was refused, or the person signed out
        self._now = SignIn(SignInState.SIGNED_OUT)
        self._cause: MediadError | None = None  # of a pause
        self._tried_at: int | None = None  # when the kept session was last tried
        self._thread = CapacityLimiter(1)
        self._steering = anyio.Lock()

    # -- ports.SignInDoor ---------------------------------------------------------------------------

    def sign_in(self) -> SignIn:
        now = self._now
        if now.state in _OF_A_PERSON and self._is_past(now.until):
            what = "code came" if now.state is SignInState.NEED_CODE else "security key was touched"
            return self._shown(SignInState.SIGNED_OUT, f"no {what} within ten minutes")
        if not now.account:
            return replace(now, account=shortened(self._account().name))
        return now

    @property
    def ahead_ms(self) -> int | None:
        return self._session.ahead_ms if self._session is not None else None

    async def login(self, password: str | None) -> SignIn:
        async with self._steering:
            self._renew()
            if self._is_backing_off():
                return self._now  # to ask now would only make it longer
            with self._noting():
                given = password or await stored(self._settings())
                if given:
                    await self._signed_in(given)
                else:
                    await self._resumed()
            return self.sign_in()

    async def code(self, code: str) -> SignIn:
        async with self._steering:
            now = self.sign_in()
            if not now.code_by or self._session is None:
                self._now = now
                return now
            digits = "".join(char for char in code if char not in " -")
            if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
                return replace(now, message="a code has six digits; nothing was sent to Apple")
            with self._noting(keeps=now):
                outcome = await self._in_thread(lambda s: s.code(digits))
                if outcome is None:
                    self._now = replace(now, message="Apple does not accept this code")
                else:
                    self._become(outcome)
            return self._now

    async def sms(self) -> SignIn:
        async with self._steering:
            now = self.sign_in()
            if not now.code_by:
                return now
            with self._noting(keeps=now, says="Apple sends no text message for this account now"):
                self._become(await self._in_thread(lambda s: s.sms()))
            return self._now

    async def key(self) -> SignIn:
        async with self._steering:
            now = self.sign_in()
            if not now.keys or self._session is None:
                self._now = now
                return now
            self._now = replace(now, message="the security key may be touched now")
            self._stop = stop = Event()
            wrong: MediadError | None = None
            with self._noting(keeps=now):
                try:
                    self._become(await self._in_thread(lambda s: s.key(self._ring, stop)))
                except NeedsOperator as error:
                    if error.code not in OF_KEYS:
                        raise
                    wrong = error
                    is_spent = error.code == KEY_REFUSED.code
                    self._now = self._shown(SignInState.SIGNED_OUT) if is_spent else now
                finally:
                    stop.set()
            if wrong is not None:
                raise wrong
            return self._now

    async def logout(self) -> SignIn:
        """By a person, so a stored password signs nobody in again until a person says so, either."""
        async with self._steering:
            self._renew()
            await self._in_thread(lambda s: s.logout())
            self._tried_at, self._is_barred, self._is_restored = self._clock.now(), True, False
            self._now = self._shown(SignInState.SIGNED_OUT, "signed out")
            self._remember()
            return self._now

    async def refresh(self) -> SignIn:
        async with self._steering:
            self._renew()
            now = self.sign_in()
            if self._is_backing_off() or now.state in _OF_A_PERSON or self._is_too_soon():
                return now
            keeps = now if now.state is SignInState.READY else None
            with self._noting(keeps=keeps):
                await self._resumed()
            return self._now

    # -- asking -------------------------------------------------------------------------------------

    async def ask(self, work: Callable[[Session], T]) -> T:
        """`work` in the one thread, with a session that holds. Raises what keeps it from being so."""
        await self._ready()
        try:
            return await self._in_thread(work)
        except NotReadyError as ended:
            await self._ended(ended.outcome)
            return await self._in_thread(work)
        except NeedsOperator as error:
            if error.code == PROTECTED.code:  # only the photos themselves tell
                self._become(Outcome(SignInState.PROTECTED))
            raise

    async def aclose(self) -> None:
        self._stop.set()
        async with self._steering:
            session, self._session = self._session, None
            if session is not None:
                await to_thread.run_sync(session.close, limiter=self._thread)

    async def _ready(self) -> None:
        if self._now.state is SignInState.READY and not self._is_another():
            return
        async with self._steering:
            self._renew()
            if self._now.state is SignInState.READY:
                return
            if not self._may_try():
                raise self._reason()
            with self._noting(raises=True):
                await self._resumed()
            if self.sign_in().state is not SignInState.READY:
                raise self._reason()

    async def _ended(self, outcome: Outcome) -> None:
        async with self._steering:
            if self._now.state is SignInState.READY:
                self._become(outcome)
                with self._noting(raises=True):
                    await self._silently()
            if self.sign_in().state is not SignInState.READY:
                raise self._reason()

    async def _resumed(self) -> None:
        self._tried_at = self._clock.now()
        was = self._now.state
        self._become(await self._in_thread(lambda s: s.resume()))
        if self._now.state is SignInState.SIGNED_OUT and was in _REFUSED:
            self._now = self._shown(was)
        await self._silently()

    async def _silently(self) -> None:
        """With a stored password, where there is one and it was neither refused nor used lately."""
        if self._now.state is not SignInState.SIGNED_OUT or self._session is None:
            return
        last, now = self._session.kept.tried_at(), self._clock.now()
        if self._is_barred or 0 <= now - last < SILENT_MS:
            return
        if password := await stored(self._settings()):
            await to_thread.run_sync(self._session.kept.trying, now, limiter=self._thread)
            await self._signed_in(password)

    async def _signed_in(self, password: str) -> None:
        self._now = self._shown(SignInState.BUSY)
        self._become(await self._in_thread(lambda s: s.login(password)))

    async def _in_thread(self, work: Callable[[Session], T]) -> T:
        session = self._session
        if session is None:
            raise self._reason()
        return await to_thread.run_sync(partial(_run, session, work), limiter=self._thread)

    # -- states -------------------------------------------------------------------------------------

    def _is_another(self) -> bool:
        return self._session is None or self._session.account != self._account()

    def _renew(self) -> None:
        if self._is_another():
            self._session = Session(self._account(), self.breaker, self._clock)
            self._recall(self._session)

    def _may_try(self) -> bool:
        now, state = self._clock.now(), self.sign_in().state
        if state is SignInState.BACKING_OFF:
            return self._is_past(self._now.until)
        if self._is_too_soon():
            return False
        if self._tried_at is None:
            return True
        if state in _BY_ITSELF:
            return not 0 <= now - self._tried_at < AGAIN_MS
        return state is SignInState.SIGNED_OUT and self._may_use_stored(now)

    def _may_use_stored(self, now: int) -> bool:
        words = self._settings().icloud
        has = bool(words.password.get_secret_value() or words.password_command)
        return (
            has
            and not self._is_barred
            and self._session is not None
            and not 0 <= now - self._session.kept.tried_at() < SILENT_MS
        )

    def _become(self, outcome: Outcome) -> None:
        self._tried_at, self._is_restored = self._clock.now(), False
        if outcome.state in _REFUSED:
            self._is_barred = True
        elif outcome.state in _OF_A_PERSON or outcome.state is SignInState.READY:
            self._is_barred = False
        until = self._clock.now() + CODE_MS if outcome.state in _OF_A_PERSON else None
        self._now = replace(
            self._shown(outcome.state),
            code_by=outcome.code_by,
            until=until,
            trust_expires_at=outcome.trust_expires_at,
            keys=outcome.keys,
        )
        if outcome.state is SignInState.SECURITY_KEY:
            says, remedy = key_wanted(outcome.keys, takes_codes=bool(outcome.code_by))
            self._now = replace(self._now, message=says, remedy=remedy)

    def _shown(self, state: SignInState, message: str = "") -> SignIn:
        meaning = BY_STATE.get(state)
        account = shortened(self._account().name)
        if meaning is None or state is SignInState.BUSY:
            return SignIn(state, account, message=message)
        return SignIn(state, account, message=message or meaning.says, remedy=meaning.remedy)

    @contextmanager
    def _noting(
        self, *, keeps: SignIn | None = None, raises: bool = False, says: str = ""
    ) -> Iterator[None]:
        """
        What fails inside becomes the state: a pause when time will help, else signed out with the reason.

        `keeps`: a state that a mere outage does not change.
        """
        try:
            yield
        except Retryable as error:
            if keeps is not None and error.code != "icloud.throttled":
                self._now = replace(keeps, message=says or error.what)
            else:
                self._back_off(error)
            if raises:
                raise
        except NeedsOperator as error:
            self._now = replace(
                self._shown(SignInState.SIGNED_OUT, error.what), remedy=error.remedy
            )
            self._tried_at = None  # it is of this machine, and asking costs nobody anything
            if raises:
                raise
        finally:
            self._remember()

    # -- over a restart -------------------------------------------------------------------------------

    def _recall(self, session: Session) -> None:
        """How it stood before: nobody is asked again only because the daemon was started."""
        self._pauses.recall()
        self._now, self._tried_at = SignIn(SignInState.SIGNED_OUT), None
        self._is_restored = self._is_barred = False
        if (before := recalled(session.kept)) is not None:
            self._now, self._is_restored = self._shown(before.state), True
            self._tried_at, self._is_barred = before.at, before.is_barred
        if reason := self.breaker.reason(Part.SIGN_IN):
            self._back_off(reason)

    def _is_too_soon(self) -> bool:
        """Apple was asked shortly before the restart, and said no."""
        if not self._is_restored or self._tried_at is None:
            return False
        return 0 <= self._clock.now() - self._tried_at < AGAIN_MS

    def _remember(self) -> None:
        if self._session is None or self._is_restored:
            return
        kept, standing = self._session.kept, None
        if self._now.state is SignInState.BACKING_OFF:  # that is told by the pauses
            before = recalled(kept)
            standing = before and before._replace(is_barred=self._is_barred)
        elif self._is_barred or (self._tried_at and self._now.state is not SignInState.READY):
            standing = Standing(self._now.state, self._tried_at or 0, self._is_barred)
        remember(kept, standing)

    def _back_off(self, error: Retryable) -> None:
        wait_s = error.after_s or BACK_OFF_S
        self._cause = error
        self._now = replace(
            self._shown(SignInState.BACKING_OFF, error.what),
            until=self._clock.now() + round(wait_s * 1000),
            remedy=error.remedy,
        )

    def _is_backing_off(self) -> bool:
        return self._now.state is SignInState.BACKING_OFF and not self._is_past(self._now.until)

    def _is_past(self, until: int | None) -> bool:
        return until is None or self._clock.now() >= until

    def _reason(self) -> MediadError:
        now = self.sign_in()
        if now.state is SignInState.BACKING_OFF and self._cause is not None:
            left_s = max(((now.until or 0) - self._clock.now()) / 1000, 1.0)
            cause = self._cause
            return Retryable(
                cause.what, code=cause.code, remedy=cause.remedy, site=cause.site, after_s=left_s
            )
        return fault(BY_STATE.get(now.state, BY_STATE[SignInState.SIGNED_OUT]))


def _run(session: Session, work: Callable[[Session], T]) -> T:
    from mediad.adapters.icloud.wire import RefusedByCloudKitError  # noqa: PLC0415

    try:
        return work(session)
    except RefusedByCloudKitError as refused:
        raise refused.fault from None


def shortened(account: str) -> str:
    """Fit for showing: "a…@example.com"."""
    name, at, domain = account.partition("@")
    return f"{name[:1]}…{at}{domain}" if name else ""
