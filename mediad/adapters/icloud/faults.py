"""
What goes wrong between mediad and Apple, in our words: literal tables, and nothing of the other side's text.

A body, an address with its signature, a header or a request is never part of a message: each can carry what opens the
account. Faults of the whole link carry the site; those of one asset do not, so that its neighbours go on.
"""

import errno
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import aiohttp

from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.ports import SignInState

SITE: Final = "icloud"


class Meaning(NamedTuple):
    kind: type[MediadError]
    code: str
    says: str
    remedy: str
    is_of_site: bool = True


_WAITS: Final = "nothing is lost: what is in iCloud stays there, and what is here stays here"
_BY_ITSELF: Final = "none needed: mediad goes on by itself"
_LOGIN: Final = "run `mediactl icloud login`"

SIGNED_OUT: Final = Meaning(
    NeedsOperator, "icloud.signed_out",
    f"nobody is signed in to iCloud, or Apple has ended the session; {_WAITS}",
    _LOGIN,
)  # fmt: skip
NEED_CODE: Final = Meaning(
    NeedsOperator, "icloud.code",
    f"Apple waits for the six digits of two-factor authentication; {_WAITS}",
    "run `mediactl icloud code 123456` with the digits that your device shows, or `mediactl icloud sms`",
)  # fmt: skip
WRONG_PASSWORD: Final = Meaning(
    NeedsOperator, "icloud.wrong_password",
    f"Apple does not accept the password, and mediad does not try it again by itself; {_WAITS}",
    "run `mediactl icloud login`; it wants the password of the Apple Account, app-specific ones do not work here",
)  # fmt: skip
LOCKED: Final = Meaning(
    NeedsOperator, "icloud.locked",
    f"Apple has locked the account for its safety; {_WAITS}",
    "unlock it on iforgot.apple.com, then run `mediactl icloud login`",
)  # fmt: skip
TERMS: Final = Meaning(
    NeedsOperator, "icloud.terms",
    f"Apple wants its terms, or something else about the account, confirmed on its own page; {_WAITS}",
    "sign in on www.icloud.com in a browser and do what it asks; mediad looks again by itself",
)  # fmt: skip
PROTECTED: Final = Meaning(
    NeedsOperator, "icloud.protected",
    "Advanced Data Protection is on, or access to iCloud data on the web is off, so Apple gives photos to no program"
    f" like this; {_WAITS}",
    "on the iPhone: Settings, your name, iCloud: turn off Advanced Data Protection and turn on Access iCloud Data on"
    " the Web; mediad looks again by itself",
)  # fmt: skip
WRONG_DOMAIN: Final = Meaning(
    NeedsOperator, "icloud.wrong_domain",
    f"the account lives in the other one of Apple's two iClouds (the one of mainland China is apart); {_WAITS}",
    'set icloud.domain to the other of "com" and "cn", then run `mediactl icloud login`',
)  # fmt: skip
SECURITY_KEY: Final = Meaning(
    NeedsOperator, "icloud.security_key",
    f"Apple wants a security key of the account to be touched; {_WAITS}",
    "have the key at the machine where mediad runs, then `mediactl icloud key`",
)  # fmt: skip
OR_A_CODE: Final = (
    "; a code does as well: `mediactl icloud code 123456`, or first `mediactl icloud sms`"
)
KEY_MISSING: Final = Meaning(
    NeedsOperator, "icloud.key_missing",
    f"no security key was plugged into the machine where mediad runs, or it was pulled out again; {_WAITS}",
    "plug the key in there, not into the computer that you type on, then `mediactl icloud key`",
)  # fmt: skip
KEY_FORBIDDEN: Final = Meaning(
    NeedsOperator, "icloud.key_forbidden",
    f"a security key is plugged in, and mediad may not use it: its device belongs to others, or the service's sandbox"
    f" hides it; {_WAITS}",
    "let mediad's user open it, as docs/icloud.md says under \"A security key\" (a udev rule, and for the service"
    " security-key.conf of the drop-ins), then `mediactl icloud key`",
)  # fmt: skip
KEY_UNTOUCHED: Final = Meaning(
    NeedsOperator, "icloud.key_untouched",
    f"the security key was not touched in time, and nothing was sent to Apple; {_WAITS}",
    "run `mediactl icloud key` again, and touch the key when it blinks",
)  # fmt: skip
KEY_WRONG: Final = Meaning(
    NeedsOperator, "icloud.key_wrong",
    f"the security key that is plugged in is none of the account's, and nothing was sent to Apple; {_WAITS}",
    "plug in one of those that `mediactl icloud` names, then `mediactl icloud key`",
)  # fmt: skip
KEY_UNUSABLE: Final = Meaning(
    NeedsOperator, "icloud.key_unusable",
    f"the security key did not sign (one that always wants its PIN or a finger cannot be used here); {_WAITS}",
    "take another key of the account, or switch that demand off in the key's own settings, then `mediactl icloud key`",
)  # fmt: skip
KEY_REFUSED: Final = Meaning(
    NeedsOperator, "icloud.key_refused",
    f"Apple does not accept what the security key has signed, perhaps because it came too late; {_WAITS}",
    _LOGIN,
)  # fmt: skip
THROTTLED: Final = Meaning(
    Retryable, "icloud.throttled",
    f"Apple asks for patience (too many requests, or a service that is overloaded); {_WAITS}",
    _BY_ITSELF,
)  # fmt: skip
UNREACHABLE: Final = Meaning(
    Retryable, "icloud.unreachable",
    f"Apple's servers do not answer; {_WAITS}",
    "see that this machine reaches the internet; mediad goes on by itself",
)  # fmt: skip
MISDIRECTED: Final = Meaning(
    Retryable, "icloud.misdirected",
    f"Apple's servers say that the session holds, and yet do not take questions; {_WAITS}",
    "if it stays: see that Access iCloud Data on the Web is on, then run `mediactl icloud login`",
)  # fmt: skip
DENIED: Final = Meaning(
    NeedsOperator, "icloud.denied",
    f"Apple refuses access to this part of iCloud Photos; {_WAITS}",
    "sign in on www.icloud.com in a browser, open Photos, and do what it asks; then `mediactl icloud login`",
)  # fmt: skip
QUOTA: Final = Meaning(
    NeedsOperator, "icloud.quota",
    f"the storage of iCloud is full, so nothing can be put there; {_WAITS}",
    "free some space in iCloud, or set upload.enabled = false",
    is_of_site=False,
)  # fmt: skip
ANSWER: Final = Meaning(
    Retryable, "icloud.answer",
    f"an answer of Apple cannot be understood, so nothing of it was believed; {_WAITS}",
    "if it comes again: a sign-in page of a network may stand in between, or Apple has changed something; then update"
    " mediad or report this",
)  # fmt: skip
MISSING: Final = Meaning(
    NeedsOperator, "icloud.library",
    f"the part of mediad that speaks with Apple is not installed; {_WAITS}",
    "install it with `pip install 'mediad[icloud]'`, then restart mediad",
)  # fmt: skip
GATEWAY: Final = Meaning(
    NeedsOperator, "icloud.not_local",
    f"icloud.gateway is not on this machine, so nothing was sent to it; {_WAITS}",
    "leave icloud.gateway empty; it is for tests and demos, and must be a loopback address such as"
    " http://127.0.0.1:8099",
)  # fmt: skip
COMMAND: Final = Meaning(
    NeedsOperator, "icloud.command",
    f"the command of icloud.password_command gave no password; {_WAITS}",
    "run it by hand as mediad's user: it must print the password and end with status 0 within half a minute",
)  # fmt: skip
TOKEN: Final = Meaning(
    Refused, "icloud.token",
    f"Apple no longer knows up to where mediad had read the changes, so the library is listed anew; {_WAITS}",
    _BY_ITSELF,
    is_of_site=False,
)  # fmt: skip
NOT_FOUND: Final = Meaning(
    Refused, "icloud.not_found",
    f"iCloud has no such photo, album or library any more; {_WAITS}",
    "none needed: mediad looks again at its next listing",
    is_of_site=False,
)  # fmt: skip
NO_FILE: Final = Meaning(
    Refused, "icloud.no_file",
    f"iCloud no longer offers exactly this file: the photo was edited or replaced there; {_WAITS}",
    "none needed: the photo is listed anew with its files of now",
    is_of_site=False,
)  # fmt: skip
CONFLICT: Final = Meaning(
    Retryable, "icloud.conflict",
    f"the photo was changed in iCloud after mediad had looked at it, so nothing was done to it; {_WAITS}",
    "none needed: it is looked at again",
    is_of_site=False,
)  # fmt: skip
MISMATCH: Final = Meaning(
    Retryable, "icloud.mismatch",
    "the bytes that came do not have the size or the fingerprint that Apple lists for them; they were thrown away and"
    " the photo stays in iCloud",
    "none needed at first: it is fetched again. If it stays: open the photo on www.icloud.com and download it there",
    is_of_site=False,
)  # fmt: skip
WRONG_HOST: Final = Meaning(
    Retryable, "icloud.wrong_host",
    f"Apple's answer pointed to a server that is not Apple's, and mediad did not follow; {_WAITS}",
    "if it comes again, please report this",
    is_of_site=False,
)  # fmt: skip
NOT_JPEG: Final = Meaning(
    Refused, "icloud.not_jpeg",
    "Apple takes JPEG only by this way, no HEIC and no video; nothing was sent, and the original stays as it is",
    "none: the original stays in iCloud until it is deleted by you or by mediad's own rules",
    is_of_site=False,
)  # fmt: skip
NOT_TAKEN: Final = Meaning(
    Retryable, "icloud.upload",
    f"Apple did not take the photo that was sent to it; {_WAITS}",
    "none needed: it is sent again; if it stays, set upload.enabled = false",
    is_of_site=False,
)  # fmt: skip

BY_STATE: Final[Mapping[SignInState, Meaning]] = {
    SignInState.SIGNED_OUT: SIGNED_OUT,
    SignInState.BUSY: UNREACHABLE,
    SignInState.NEED_CODE: NEED_CODE,
    SignInState.BACKING_OFF: THROTTLED,
    SignInState.WRONG_PASSWORD: WRONG_PASSWORD,
    SignInState.LOCKED: LOCKED,
    SignInState.TERMS: TERMS,
    SignInState.PROTECTED: PROTECTED,
    SignInState.WRONG_DOMAIN: WRONG_DOMAIN,
    SignInState.SECURITY_KEY: SECURITY_KEY,
}
"""Why iCloud cannot be asked, from where the sign-in stands. `ready` is no reason."""

OF_KEYS: Final = frozenset(
    meaning.code
    for meaning in (KEY_MISSING, KEY_FORBIDDEN, KEY_UNTOUCHED, KEY_WRONG, KEY_UNUSABLE, KEY_REFUSED)
)
"""A security key that did not do: a person tries again, and the sign-in stands where it stood."""

BY_CODE: Final[Mapping[str, Meaning]] = {
    "ACCESS_DENIED": DENIED,
    "ATOMIC_ERROR": CONFLICT,
    "BAD_REQUEST": ANSWER,
    "CONFLICT": CONFLICT,
    "EXISTS": CONFLICT,
    "INTERNAL_ERROR": UNREACHABLE,
    "NOT_FOUND": NOT_FOUND,
    "QUOTA_EXCEEDED": QUOTA,
    "RECORD_DELETED": NOT_FOUND,
    "THROTTLED": THROTTLED,
    "TRY_AGAIN_LATER": THROTTLED,
    "UNKNOWN_ITEM": NOT_FOUND,
    "ZONE_NOT_FOUND": NOT_FOUND,
}
"""CloudKit's own words, whether they come with an HTTP status or within an answer of 200."""

ENDED_CODES: Final = frozenset({"AUTHENTICATION_FAILED", "AUTHENTICATION_REQUIRED"})
PRIVATE_OFF: Final = "private db access disabled"
_LOCAL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


def fault(meaning: Meaning, *, more: str = "", after_s: float | None = None) -> MediadError:
    """`more`: a clause of our own with names that a person needs."""
    says = meaning.says + (f" ({more})" if more else "")
    site = SITE if meaning.is_of_site else ""
    if issubclass(meaning.kind, Retryable):
        return meaning.kind(
            says, code=meaning.code, remedy=meaning.remedy, site=site, after_s=after_s
        )
    return meaning.kind(says, code=meaning.code, remedy=meaning.remedy, site=site)


def key_wanted(names: Iterable[str], *, takes_codes: bool) -> tuple[str, str]:
    """What to say, and what to do, with the names that the keys have for Apple."""
    wanted = fault(SECURITY_KEY, more=", ".join(name for name in names if name != "?"))
    return wanted.what, wanted.remedy + (OR_A_CODE if takes_codes else "")


def said(code: str, reason: str, *, after_s: float | None = None) -> MediadError:
    """Of a refusal by CloudKit. Of its text only one sentence is looked for."""
    if code == "ACCESS_DENIED" and PRIVATE_OFF in reason.lower():
        return fault(PROTECTED)
    known = BY_CODE.get(code)
    return fault(known or ANSWER, more=code if known else "", after_s=after_s)


def cut_off(error: BaseException) -> bool:
    """Is it the way to Apple that failed, whatever aiohttp calls it?"""
    if isinstance(error, OSError) and error.errno in _LOCAL:
        return False
    return isinstance(error, aiohttp.ClientError | TimeoutError | OSError)
