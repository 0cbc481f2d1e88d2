"""
pyicloud, as little of it as will do: sign-in, the session, raw CloudKit questions and the upload.

Everything here blocks and runs in one thread at a time (sign_in.py sees to that). The library is imported when it is
first needed; its texts and errors carry secrets, so none of them leaves this file.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple, TypeVar

from mediad.adapters.icloud.breaker import Breaker, Part
from mediad.adapters.icloud.faults import (
    ANSWER,
    ENDED_CODES,
    MISDIRECTED,
    MISSING,
    UNREACHABLE,
    fault,
    said,
)
from mediad.adapters.icloud.kept import Kept
from mediad.adapters.icloud.security_key import Ring, names_in
from mediad.errors import MediadError
from mediad.ports import Clock, SignInState

CONTAINER: Final = "/database/1/com.apple.photos.cloud/production/private"
TRUST_COOKIES: Final = ("X-APPLE-WEBAUTH-HSA-TRUST", "X-APPLE-WEBAUTH-USER")
_PASSWORD_STEP: Final = "signin/complete"  # noqa: S105 - a path
_CODE_STEPS: Final = ("2sv/trust", "1/accountLogin")  # behind a code, or a key, that was accepted
_KEY_STEP: Final = "security/key"
_SIGNED_OUT: Final = frozenset({200, 302, 401, 403, 409, 421, 450})
_WRONG: Final = 401
_TERMS: Final = 412
_CODES: Final = "generatedcode"  # as Apple calls the six digits among the factors
_BY: Final = {"trusted_device": "trusted-device", "sms": "sms"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in, where to, and where the session is kept. Another value means another session."""

    name: str
    domain: str
    gateway: str
    folder: Path


class Outcome(NamedTuple):
    """Where a step of the sign-in has led to."""

    state: SignInState
    code_by: str = ""
    trust_expires_at: int | None = None
    keys: tuple[str, ...] = ()


class NotReadyError(Exception):
    """A question found the session ended; `outcome` is what became of it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.state.value)
        self.outcome = outcome


class Session:
    """One account's. Raises our own errors only, and NotReadyError."""

    def __init__(self, account: Account, breaker: Breaker, clock: Clock) -> None:
        self.account = account
        self._breaker = breaker
        self._clock = clock
        self.kept = Kept(account.folder, account.name)
        self._api: Any = None
        self._wire: Any = None
        self._cloudkit: Any = None
        self._is_accepted = False  # the code was, and what comes behind it failed

    # -- signing in ---------------------------------------------------------------------------------

    def resume(self) -> Outcome:
        """With what is kept of the last session, without a password: usually one request."""
        self._open(afresh=self._api is None)
        return self._step(self._api.authenticate)

    def login(self, password: str) -> Outcome:
        """The password is gone from memory when this returns, as far as Python lets it."""
        self._open(afresh=True)
        self._api._password_raw = password  # noqa: SLF001 - its one way in that spares the key ring
        try:
            return self._step(lambda: self._api.authenticate(force_refresh=True))
        finally:
            self._api._password_raw = None  # noqa: SLF001

    def code(self, code: str) -> Outcome | None:
        """None: Apple does not accept it."""

        def given() -> bool:
            if self._is_accepted:
                return bool(self._api.trust_session())
            self._api.use_existing_trusted_device_code() if self._is_undelivered() else None
            return bool(self._api.validate_2fa_code(code))

        right: list[bool] = []
        try:
            outcome = self._step(lambda: right.append(given()))
        except MediadError:
            self._is_accepted = self._last_step() in _CODE_STEPS
            raise
        if right == [False] and self._last_step() not in _CODE_STEPS:
            return None
        self._is_accepted = False
        return outcome

    def key(self, ring: Ring, stop: Event) -> Outcome:
        """With a security key, here and now. Raises what was wrong with it."""

        def touched() -> None:
            if self._is_accepted:
                self._api.trust_session()
            else:
                ring.touch(self._api, self._said_to_key, stop)

        try:
            outcome = self._step(touched)
        except MediadError:
            self._is_accepted = self._last_step() in _CODE_STEPS
            raise
        self._is_accepted = False
        return outcome

    def _said_to_key(self) -> int:
        return self._wire.last.status if self._last_step() == _KEY_STEP else 0

    def sms(self) -> Outcome:
        """Ask for the code by text message. Raises where the account has no number for it."""
        self._guarded(self._api._request_sms_2fa_code)  # noqa: SLF001 - the public way prefers the device
        return self._outcome()

    def logout(self) -> None:
        """Told to Apple if it can be; forgotten here in any case."""
        try:
            self._open(afresh=self._api is None)
            self._guarded(lambda: self._api.logout(keep_trusted=False))
        except MediadError:
            pass  # the session is thrown away, whoever else knows of it
        finally:
            self.kept.forget()
            self._api = self._cloudkit = None

    @property
    def ahead_ms(self) -> int | None:
        """Of our clock before Apple's, at the last answer."""
        return self._wire.ahead_ms if self._wire is not None else None

    def close(self) -> None:
        if self._api is not None:
            self._api.session.close()

    # -- asking -------------------------------------------------------------------------------------

    def post(self, path: str, payload: dict[str, object]) -> dict[str, Any]:
        """One CloudKit question. A refusal comes as RefusedByCloudKitError, an ended session as NotReadyError."""
        answer = self._insisting(lambda: self._client().raw_post(path, payload))
        if not isinstance(answer, dict):
            raise fault(ANSWER)
        return answer

    def uploading(self, work: Callable[[Any], T]) -> T:
        """`work` gets a PhotosUploader."""

        def with_uploader() -> T:
            from pyicloud.services.photos_cloudkit.upload import PhotosUploader  # noqa: PLC0415

            return work(
                PhotosUploader(
                    session=self._api.session,
                    base_url=self._api.get_webservice_url("photosupload"),
                    base_params=self._api.params,
                    timeout=(10, 60),
                )
            )

        return self._insisting(with_uploader)

    def _insisting(self, ask: Callable[[], T]) -> T:
        """
        "No session" may also mean "not at this server".

        So: once more on a new connection; then ask whether the session holds; then sign in with the token that is kept;
        and only then is it over.
        """
        from mediad.adapters.icloud.wire import EndedError  # noqa: PLC0415 - brings `requests`

        steps: tuple[Callable[[], object], ...] = (self._wire.forget_connections, self._revive)
        for mend in (*steps, None):
            try:
                return self._guarded(ask)
            except EndedError:
                if mend is not None:
                    mend()
        raise fault(MISDIRECTED)

    def _revive(self) -> None:
        outcome = self._step(self._api.authenticate)
        if outcome.state is not SignInState.READY:
            raise NotReadyError(outcome)

    def _client(self) -> Any:
        if self._cloudkit is None:
            from pyicloud.common.cloudkit.client import CloudKitContainerClient  # noqa: PLC0415

            self._cloudkit = CloudKitContainerClient(
                self._api.get_webservice_url("ckdatabasews") + CONTAINER,
                self._api.session,
                {**self._api.params, "remapEnums": True, "getCurrentSyncToken": True},
            )
        return self._cloudkit

    # -- the library --------------------------------------------------------------------------------

    def _open(self, *, afresh: bool) -> None:
        if not afresh:
            return
        try:
            from pyicloud import PyiCloudService, base  # noqa: PLC0415 - 60 MB that only iCloud's users need
            from srp import _pysrp  # noqa: PLC0415
        except ImportError:
            raise fault(MISSING) from None
        # The C code of `srp` drops a zero byte at the beginning of the salt, which makes a right password wrong for one
        # account in 256. The same in Python keeps it.
        base.srp = _pysrp
        from mediad.adapters.icloud.wire import Wire  # noqa: PLC0415

        for name in ("pyicloud", "urllib3"):  # their lines carry addresses with ids and signatures
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self.close()
        self.kept.prepare()
        self._wire = Wire(self.account.gateway, self._breaker, self._clock)
        self._api = PyiCloudService(
            self.account.name,
            cookie_directory=str(self.account.folder),
            china_mainland=self.account.domain == "cn",
            authenticate=False,
        )
        self._api.session.mount("https://", self._wire)
        self._api.session.mount("http://", self._wire)  # which refuses it
        self._cloudkit, self._is_accepted = None, False

    def _guarded(self, work: Callable[[], T]) -> T:
        """Whatever the library raises comes out as ours, without its text."""
        from pyicloud import exceptions as theirs  # noqa: PLC0415
        from pyicloud.common.cloudkit.client import CloudKitApiError  # noqa: PLC0415

        try:
            return work()
        except theirs.PyiCloudConnectionException:
            raise fault(UNREACHABLE) from None
        except (theirs.PyiCloudAPIResponseException, CloudKitApiError) as error:
            # An answer of 200 that is a refusal: the library looks for one in every answer.
            raise _as_refusal(getattr(error, "code", None), getattr(error, "reason", "")) from None
        except theirs.PyiCloudException:
            raise fault(ANSWER) from None
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
            raise fault(
                ANSWER
            ) from None  # what came is no JSON, or lacks what the library takes for granted

    def _step(self, work: Callable[[], object]) -> Outcome:
        """A step of the sign-in, and where it has led to."""
        from pyicloud import exceptions as theirs  # noqa: PLC0415

        self._wire.last = None
        self._cloudkit = None  # built anew with the servers that the sign-in names

        def tried() -> Outcome:
            try:
                work()
            except theirs.PyiCloudAccountLockedException:
                return Outcome(SignInState.LOCKED)
            except theirs.PyiCloudAcceptTermsException:
                return Outcome(SignInState.TERMS)
            except (theirs.PyiCloudFailedLoginException, theirs.PyiCloud2FARequiredException):
                return self._refused()
            return self._settled()

        return self._guarded(tried)

    def _refused(self) -> Outcome:
        """Why the sign-in failed: told from what Apple answered, not from what the library calls it."""
        last = self._wire.last
        if self._is_elsewhere():
            return Outcome(SignInState.WRONG_DOMAIN)
        if last is None:
            return Outcome(SignInState.SIGNED_OUT)  # nothing was kept to ask with
        if last.status == _TERMS:
            return Outcome(SignInState.TERMS)
        if last.step == _PASSWORD_STEP and last.status == _WRONG:
            return Outcome(SignInState.WRONG_PASSWORD)
        if last.status in _SIGNED_OUT:
            return Outcome(SignInState.SIGNED_OUT)
        raise fault(ANSWER, more=f"status {last.status} at {last.step}")

    def _settled(self) -> Outcome:
        if self._is_elsewhere():
            return Outcome(SignInState.WRONG_DOMAIN)
        return self._outcome()

    def _outcome(self) -> Outcome:
        if self._api.requires_2fa:
            return self._asked_of_a_person()
        if not self._api.is_trusted_session:
            return Outcome(SignInState.SIGNED_OUT)
        services = self._api.webservices
        if not isinstance(services, dict) or "ckdatabasews" not in services:
            return Outcome(SignInState.PROTECTED)
        self.kept.hide()
        self.kept.keep()
        self._breaker.fine(Part.SIGN_IN)
        return Outcome(SignInState.READY, trust_expires_at=self._trust_expires_at())

    def _asked_of_a_person(self) -> Outcome:
        """A code, or a security key; with a key Apple may take a code as well, and says so."""
        api = self._api
        told = api._auth_data  # noqa: SLF001 - what Apple would have, of which the library shows but the keys' names
        by = api.two_factor_delivery_method
        keys = (names_in(api.security_key_names) or ("?",)) if told.get("fsaChallenge") else ()
        if by != "security_key":
            return Outcome(SignInState.NEED_CODE, _BY.get(by, "existing"), keys=keys)
        takes_codes = _CODES in (told.get("authFactors") or ())
        return Outcome(SignInState.SECURITY_KEY, "existing" if takes_codes else "", keys=keys)

    def _is_elsewhere(self) -> bool:
        told = self._api.data.get("domainToUse") if isinstance(self._api.data, dict) else None
        last = self._wire.last
        return bool(told or (last is not None and last.domain))

    def _is_undelivered(self) -> bool:
        return bool(self._api.two_factor_delivery_method == "unknown")

    def _last_step(self) -> str:
        return self._wire.last.step if self._wire.last is not None else ""

    def _trust_expires_at(self) -> int | None:
        """UTC ms, by Apple's clock: the first of the cookies that has an end."""
        found = {c.name: c.expires for c in self._api.session.cookies if c.expires}
        ends = [found[name] for name in TRUST_COOKIES if name in found]
        return int(ends[0]) * 1000 if ends else None


def _as_refusal(code: object, reason: object) -> Exception:
    from mediad.adapters.icloud.wire import EndedError, RefusedByCloudKitError  # noqa: PLC0415

    if code in ENDED_CODES:
        return EndedError()
    meaning = said(code if isinstance(code, str) else "", str(reason or ""))
    return RefusedByCloudKitError(code, meaning) if isinstance(code, str) else meaning
