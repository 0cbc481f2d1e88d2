"""What a sign-in's state means to a person: a sentence, what to do, and how soon Apple will want a code again. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mediad.policy.problems import LinkState
from mediad.ports import SignIn, SignInState

DAY_MS: Final = 86_400_000
# How many days ahead a person is told that Apple will want a code again; each is one more telling.
WARN_DAYS: Final = (14, 7, 3, 1)
_LOGIN: Final = "mediactl icloud login"


class Words(NamedTuple):
    code: str
    message: str
    remedy: str


_SAID: Final[Mapping[SignInState, Words]] = {
    SignInState.SIGNED_OUT: Words(
        "icloud.signed_out",
        "mediad is not signed in to iCloud: nothing is fetched, and nothing there is changed",
        _LOGIN,
    ),
    SignInState.BUSY: Words("icloud.busy", "Apple is being asked just now", "wait a moment"),
    SignInState.NEED_CODE: Words(
        "icloud.code",
        "Apple wants the code of the second factor",
        "mediactl icloud code CODE; no code came: mediactl icloud sms, or on an iPhone: Settings, your name,"
        " Sign-In & Security, Two-Factor Authentication, Get Verification Code",
    ),
    SignInState.READY: Words("icloud.ready", "signed in", ""),
    SignInState.BACKING_OFF: Words(
        "icloud.throttled",
        "Apple does not answer, or asks for patience; the session is kept, and mediad asks again by itself",
        "wait; signing in again now would make it longer",
    ),
    SignInState.WRONG_PASSWORD: Words(
        "icloud.wrong_password",
        "Apple does not take the password; mediad does not try it again by itself",
        f"{_LOGIN}: the password of the Apple Account itself; app-specific passwords do not work here",
    ),
    SignInState.LOCKED: Words(
        "icloud.locked",
        "Apple has locked the account",
        f"unlock it at https://iforgot.apple.com, then {_LOGIN}",
    ),
    SignInState.TERMS: Words(
        "icloud.terms",
        "Apple wants its terms accepted first",
        f"sign in at https://www.icloud.com once and accept them, then {_LOGIN}",
    ),
    SignInState.PROTECTED: Words(
        "icloud.protected",
        "the account does not allow access on the web (Advanced Data Protection, or the switch of that name is off):"
        " mediad cannot read its photos",
        "on an iPhone: Settings, your name, iCloud: turn Advanced Data Protection off and Access iCloud Data on the Web"
        f" on, then {_LOGIN}; or bring the files in through the drop folder",
    ),
    SignInState.WRONG_DOMAIN: Words(
        "icloud.wrong_domain",
        "the account is kept in the other of Apple's two clouds (mainland China has its own)",
        "mediactl config set icloud.domain cn (or com, if it is cn now), then mediactl icloud login",
    ),
    SignInState.SECURITY_KEY: Words(
        "icloud.security_key",
        "Apple wants a security key of the account to be touched",
        "have the key at the machine where mediad runs, then: mediactl icloud key",
    ),
}  # fmt: skip


def words_of(sign_in: SignIn) -> Words:
    """The adapter's own words where it has some: they know more."""
    code, message, remedy = _SAID[sign_in.state]
    return Words(code, sign_in.message or message, sign_in.remedy or remedy)


def link_of(sign_in: SignIn) -> tuple[LinkState, str]:
    if sign_in.state is SignInState.READY:
        return "up", ""
    return "down", words_of(sign_in).message


def days_left(sign_in: SignIn, now: int) -> float | None:
    """Until Apple wants a code again; None: nobody can tell."""
    if sign_in.state is not SignInState.READY or sign_in.trust_expires_at is None:
        return None
    return (sign_in.trust_expires_at - now) / DAY_MS


def warning(sign_in: SignIn, now: int) -> int | None:
    """Which of WARN_DAYS has been reached (0: it is over); None: there is time."""
    left = days_left(sign_in, now)
    if left is None or left > WARN_DAYS[0]:
        return None
    return min(d for d in WARN_DAYS if left <= d) if left > 0 else 0
