"""
What mediad needs of iCloud Photos, and what is said about it. The real side is adapters/icloud/.

Names are labels; an asset's identity is its zone and record name. A deletion in iCloud is information, never an order.
Every method may raise Retryable or NeedsOperator with `site` "icloud": throttled, signed out, locked, terms, offline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mediad.errors import MediadError
from mediad.model import AssetId, CloudRef, Place, Remote, RemoteFile


class SignInState(StrEnum):
    """Where the sign-in stands. What is not `ready` says in `SignIn.remedy` what a person can do."""

    SIGNED_OUT = "signed-out"  # no session, or it has ended: `mediactl icloud login`
    BUSY = "busy"  # Apple is being asked right now
    NEED_CODE = "need-code"
    READY = "ready"
    BACKING_OFF = "backing-off"  # throttled, or an outage: mediad asks again at `until` by itself
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a state; never retried by itself
    LOCKED = "locked"
    TERMS = "terms"  # Apple wants its terms accepted on icloud.com
    PROTECTED = "protected"  # Advanced Data Protection, or access on the web is off
    WRONG_DOMAIN = "wrong-domain"  # the account lives in mainland China, or does not
    SECURITY_KEY = (
        "security-key"  # waits for one to be touched where mediad runs: `mediactl icloud key`
    )


@dataclass(frozen=True, slots=True)
class SignIn:
    state: SignInState
    account: str = ""  # the Apple Account, shortened for showing: "a…@example.com"
    # need-code, and security-key where a code does as well: trusted-device, sms, existing; "" else
    code_by: str = ""
    keys: tuple[
        str, ...
    ] = ()  # names of the security keys that Apple takes; "?": one without a name
    until: int | None = None  # UTC ms: when it is tried again, or when the wait for a code ends
    trust_expires_at: int | None = None  # UTC ms: when Apple will want a code again
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Album:
    record: str
    name: str
    zone: str
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """An asset's place in an album."""

    record: str  # "<ASSET>-IN-<ALBUM>"
    asset: str
    album: str
    zone: str


@dataclass(frozen=True, slots=True)
class Delta:
    """One page of a zone. `token`: where the next page, or the next look another day, goes on."""

    remotes: tuple[Remote, ...] = ()  # assets as they are now, whole: asset and master joined
    gone: tuple[CloudRef, ...] = ()  # deleted for good, or moved to Recently Deleted
    albums: tuple[Album, ...] = ()
    members: tuple[Member, ...] = ()
    members_gone: tuple[str, ...] = ()  # record names of relations
    token: str | None = None
    is_more: bool = False
    rank: int | None = None  # of a listing: where the next page begins


@dataclass(frozen=True, slots=True)
class Zone:
    name: str  # PrimarySync, SharedSync-…
    owner: str
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """What changed in the whole account since a token: the cheapest question there is."""

    zones: tuple[Zone, ...]
    token: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring one of iCloud's files to a place below incoming/.icloud/."""

    ref: CloudRef
    file: RemoteFile
    target: Place
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What iCloud said of a file that was sent to it. Not yet believed: it must be looked up."""

    ref: CloudRef
    fingerprint: str
    is_duplicate: bool = False  # iCloud had these bytes already, under this record


@dataclass(frozen=True, slots=True)
class Deleted:
    """An asset moved to Recently Deleted, as iCloud answered."""

    ref: CloudRef
    recoverable_until: int | None  # UTC ms
    change_tag: str


@dataclass(frozen=True, slots=True)
class RemoteRow:
    """An asset of iCloud as the journal knows it."""

    remote: Remote  # its files as they are there now, each with the original that it became here
    why: str = ""  # why it is not fetched; "": it is
    assets: tuple[
        AssetId, ...
    ] = ()  # ours that hold its files: one, and one more for each later edit
    is_gone: bool = False  # iCloud said that it was deleted there
    marked_at: int | None = None
    deleted_at: int | None = None
    recoverable_until: int | None = None
    replacement: CloudRef | None = None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """How `mediactl selftest` last ended."""

    at: int
    ok: bool
    detail: str


class Cloud(Protocol):
    def sign_in(self) -> SignIn:
        """As it was last seen; asks nobody."""
        ...

    def ahead_ms(self) -> int | None:
        """By how much the clock here was ahead of Apple's at its last answer; None: it has not told yet."""
        ...

    async def changed(self, token: str | None) -> Changed:
        """One request. No zones: nothing is new."""
        ...

    async def delta(self, zone: Zone, token: str) -> Delta:
        """The changes of a zone since a token, a page. Raises Refused(icloud.token) when Apple takes it no more."""
        ...

    async def listing(self, zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
        """The whole zone by rank, a page from `rank` on; `token` is that of the first moment."""
        ...

    async def album_listing(self, zone: Zone) -> Delta:
        """All albums with their members, in one value."""
        ...

    async def lookup(self, refs: Sequence[CloudRef]) -> Sequence[Remote | None]:
        """As they are at this moment, in the same order; None: there is no such record."""
        ...

    async def fetch(self, fetches: Sequence[Fetch]) -> Sequence[MediadError | None]:
        """
        Stream each to its place, several at a time, resuming what is there of it; size and fingerprint verified.

        A file with the right size and fingerprint that is there already is success. Never a half file under the name.
        """
        ...

    async def fingerprints(self, places: Sequence[Place]) -> Sequence[str | MediadError | None]:
        """Apple's fingerprint of the bytes that lie there now; None: nothing there."""
        ...

    async def make_album(self, zone: Zone, record: str, name: str) -> None:
        """An album with this record name; one that is there already is success."""
        ...

    async def add(self, album: str, refs: Sequence[CloudRef]) -> Sequence[MediadError | None]: ...

    async def members(self, album: str, zone: Zone) -> frozenset[str] | None:
        """Record names of the assets in it now; None: there is no such album any more."""
        ...

    async def delete(
        self, items: Sequence[tuple[CloudRef, str]]
    ) -> Sequence[Deleted | MediadError]:
        """Move to Recently Deleted, each with the change tag it was looked up with. Never expunges. At most 25."""
        ...

    async def undelete(self, refs: Sequence[CloudRef]) -> Sequence[MediadError | None]: ...

    async def upload(self, place: Place, name: str, *, zone: Zone) -> Uploaded:
        """One JPEG. The fingerprint was known, and journaled, before."""
        ...

    async def tag(self, ref: CloudRef, *, favourite: bool, albums: Sequence[str]) -> None:
        """Make an asset a favourite and a member of these albums (record names); safe to repeat."""
        ...


class SignInDoor(Protocol):
    """The sign-in, as a person steers it. Never keeps a password longer than it takes."""

    async def login(self, password: str | None) -> SignIn: ...

    async def code(self, code: str) -> SignIn: ...

    async def sms(self) -> SignIn: ...

    async def key(self) -> SignIn:
        """
        Wait a minute for one of the account's security keys to be plugged in here and touched.

        Raises icloud.key_… for what went wrong with it; then the sign-in stands where it stood.
        """
        ...

    async def logout(self) -> SignIn: ...

    async def refresh(self) -> SignIn:
        """Ask Apple now whether the session still holds."""
        ...
