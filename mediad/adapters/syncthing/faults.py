"""
What goes wrong between mediad and Syncthing, in our words: literal tables, and nothing of the other side's text.

A body, a URL or a request of the foreign library is never part of a message: they can carry the API key.
"""

import ssl
from collections.abc import Collection
from typing import Final, NamedTuple

import aiohttp

from mediad.errors import MediadError, NeedsOperator, Retryable

SITE: Final = "syncthing"


class Meaning(NamedTuple):
    kind: type[MediadError]
    code: str
    says: str  # `{who}`: Syncthing, or the phone's own
    remedy: str  # `{setting}`: the beginning of the settings that say how to reach it


class Whose(NamedTuple):
    """Which of the two Syncthings is spoken to."""

    who: str
    setting: str


OURS: Final = Whose("Syncthing", "syncthing.")
PHONES: Final = Whose("the phone's own Syncthing", "syncthing.phone_")

_WAITS: Final = "nothing is lost: files wait where they are, and nothing counts as being on the phone that was not seen"

UNREACHABLE: Final = Meaning(
    Retryable, "syncthing.unreachable",
    f"{{who}} does not answer at its address; {_WAITS}",
    "see that it runs, and that {setting}url is right; mediad goes on by itself",
)  # fmt: skip
SILENT: Final = Meaning(
    Retryable, "syncthing.silent",
    f"{{who}} took the question and never answered it; {_WAITS}",
    "look at its own page and log: it may be busy or hung; syncthing.timeout_seconds says how long mediad waits",
)  # fmt: skip
MIGRATING: Final = Meaning(
    Retryable, "syncthing.migrating",
    f"{{who}} is converting its database after an upgrade; {_WAITS}",
    "let it finish, which can take hours; mediad goes on by itself",
)  # fmt: skip
BAD_KEY: Final = Meaning(
    NeedsOperator, "syncthing.bad_key",
    f"{{who}} does not accept the API key; {_WAITS}",
    "copy the key from its page (Actions, Settings) into {setting}api_key, then reload",
)  # fmt: skip
HOST_CHECK: Final = Meaning(
    NeedsOperator, "syncthing.host_check",
    f"{{who}} answers only to localhost and to numbers, not to the name in {{setting}}url; {_WAITS}",
    "write its IP address in {setting}url, or set insecureSkipHostcheck in its settings",
)  # fmt: skip
WANTS_HTTPS: Final = Meaning(
    NeedsOperator, "syncthing.wants_https",
    f"{{who}} takes https only, and {{setting}}url says http; the API key went over the wire unencrypted; {_WAITS}",
    "write https in {setting}url, and its https-cert.pem in {setting}ca_file",
)  # fmt: skip
TLS: Final = Meaning(
    NeedsOperator, "syncthing.tls",
    f"what answers as {{who}} does not show the certificate that is trusted, so it was told nothing; {_WAITS}",
    "give the https-cert.pem of this very Syncthing as {setting}ca_file; if it serves no https, write http in"
    " {setting}url",
)  # fmt: skip
FOLDER_MISSING: Final = Meaning(
    NeedsOperator, "syncthing.folder_missing",
    f"{{who}} shares no such folder as pixel_sync/ is meant to be; {_WAITS}",
    "run `mediactl syncthing setup`, or put the folder's id into syncthing.folder_id",
)  # fmt: skip
FOLDER_PAUSED: Final = Meaning(
    NeedsOperator, "syncthing.folder_paused",
    f"the folder that is shared with the phone is paused in {{who}}; {_WAITS}",
    "resume it on Syncthing's page, or run `mediactl syncthing setup`",
)  # fmt: skip
MARKER_MISSING: Final = Meaning(
    NeedsOperator, "syncthing.marker_missing",
    f"{{who}} misses its marker in the shared folder, and syncs nothing until it is back; {_WAITS}",
    "see that the disk of pixel_sync/ is mounted; if it is, run `mediactl syncthing setup`",
)  # fmt: skip
NOT_SYNCTHING: Final = Meaning(
    NeedsOperator, "syncthing.not_syncthing",
    f"something other than {{who}} answers at its address; {_WAITS}",
    "correct {setting}url: it is the address of its page, such as http://127.0.0.1:8384",
)  # fmt: skip
ANOTHER_NODE: Final = Meaning(
    NeedsOperator, "syncthing.not_syncthing",
    f"another Syncthing than the expected one answers at the address of {{who}}, and was not believed; {_WAITS}",
    "correct {setting}url, and syncthing.device_id if the phone has a new identity",
)  # fmt: skip
TOO_LARGE: Final = Meaning(
    NeedsOperator, "syncthing.too_large",
    f"an answer of {{who}} was far larger than any should be, and was not read to its end; {_WAITS}",
    "see that {setting}url leads to Syncthing itself; if it does, please report this",
)  # fmt: skip
ANSWER: Final = Meaning(
    Retryable, "syncthing.answer",
    f"an answer of {{who}} cannot be understood, so nothing of it was believed; {_WAITS}",
    "if it comes again: versions 1.19 to 2.x are known to work, look at its log and please report this",
)  # fmt: skip
DEVICE_UNKNOWN: Final = Meaning(
    NeedsOperator, "syncthing.device_unknown",
    f"{{who}} does not share the folder with the device that is meant to be the phone; {_WAITS}",
    "run `mediactl syncthing setup`, or put the phone's device id into syncthing.device_id",
)  # fmt: skip
DEVICES_SEVERAL: Final = Meaning(
    NeedsOperator, "syncthing.device_unknown",
    f"the folder is shared with several devices, and mediad must not guess which is the phone; {_WAITS}",
    "put the phone's device id into syncthing.device_id",
)  # fmt: skip

RAISED: Final[dict[type[BaseException], Meaning]] = {
    aiohttp.ClientConnectorCertificateError: TLS,
    aiohttp.ClientConnectorSSLError: TLS,
    aiohttp.ClientSSLError: TLS,
    aiohttp.ServerFingerprintMismatch: TLS,
    ssl.SSLError: TLS,
    aiohttp.ClientConnectorDNSError: UNREACHABLE,
    aiohttp.ClientProxyConnectionError: UNREACHABLE,
    aiohttp.client_exceptions.UnixClientConnectorError: UNREACHABLE,
    aiohttp.ClientConnectorError: UNREACHABLE,
    aiohttp.ConnectionTimeoutError: UNREACHABLE,
    aiohttp.SocketTimeoutError: SILENT,
    aiohttp.ServerTimeoutError: SILENT,
    TimeoutError: SILENT,
    aiohttp.ServerDisconnectedError: UNREACHABLE,
    aiohttp.ServerConnectionError: UNREACHABLE,
    aiohttp.ClientConnectionResetError: UNREACHABLE,
    aiohttp.ClientOSError: UNREACHABLE,
    aiohttp.ClientConnectionError: UNREACHABLE,
    aiohttp.ClientPayloadError: UNREACHABLE,  # it went away in the middle of its answer
    aiohttp.client_exceptions.UploadAbortedError: UNREACHABLE,
    OSError: UNREACHABLE,
    aiohttp.ContentTypeError: NOT_SYNCTHING,
    aiohttp.TooManyRedirects: NOT_SYNCTHING,
    aiohttp.WSServerHandshakeError: NOT_SYNCTHING,
    aiohttp.client_exceptions.WSMessageTypeError: NOT_SYNCTHING,
    aiohttp.ClientHttpProxyError: NOT_SYNCTHING,
    aiohttp.ClientResponseError: NOT_SYNCTHING,  # what came back is no HTTP
    aiohttp.InvalidUrlRedirectClientError: NOT_SYNCTHING,
    aiohttp.NonHttpUrlRedirectClientError: NOT_SYNCTHING,
    aiohttp.RedirectClientError: NOT_SYNCTHING,
    aiohttp.InvalidUrlClientError: NOT_SYNCTHING,
    aiohttp.NonHttpUrlClientError: NOT_SYNCTHING,
    aiohttp.InvalidURL: NOT_SYNCTHING,
    aiohttp.ClientError: ANSWER,
}
"""Everything that aiohttp can raise. The nearest class counts."""

SAID: Final[tuple[tuple[Collection[int], str, Meaning], ...]] = (
    (range(200, 600), "database migration in progress", MIGRATING),
    ({403}, "host check error", HOST_CHECK),
    ({401, 403}, "csrf error", BAD_KEY),
    ({401, 403}, "not authorized", BAD_KEY),
    ({401, 403}, "forbidden", BAD_KEY),
    ({400}, "http request to an https server", WANTS_HTTPS),
    ({404, 500}, "folder is paused", FOLDER_PAUSED),
    ({404, 500}, "no such folder", FOLDER_MISSING),
    ({404}, "no folder with given id", FOLDER_MISSING),
    ({404}, "no device with given id", DEVICE_UNKNOWN),
    ({404, 500}, "folder marker missing", MARKER_MISSING),
    ({404, 500}, "folder path missing", MARKER_MISSING),
)
"""What Syncthing says in plain text, by status and words, in the order in which they are looked for."""


def fault(meaning: Meaning, whose: Whose = OURS, *, more: str = "") -> MediadError:
    """`more`: a clause of our own with names that a person needs, such as the candidates."""
    says = meaning.says.format(who=whose.who, setting=whose.setting)
    says += f" ({more})" if more else ""
    return meaning.kind(
        says, code=meaning.code, remedy=meaning.remedy.format(setting=whose.setting), site=SITE
    )


def raised(error: BaseException, whose: Whose) -> MediadError:
    """Of what the library raised. Its text is not looked at."""
    meaning = next(RAISED[cls] for cls in type(error).__mro__ if cls in RAISED)
    return fault(meaning, whose)


def said(status: int, text: str) -> Meaning | None:
    """Of a plain answer that Syncthing itself can give; None: it is none of these."""
    lower = text.lower()
    return next((m for at, words, m in SAID if status in at and words in lower), None)
