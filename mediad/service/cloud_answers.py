"""The documents of iCloud, key for key: how the sign-in stands, what is there, what is missing, and the self-test."""

from typing import Literal

from typing_extensions import (  # pydantic makes the OpenAPI schemas from these
    TypedDict,
)


class SignInDoc(TypedDict):
    """Never a password, never a code."""

    sign_in: str  # signed-out, busy, need-code, ready, backing-off, wrong-password, locked, terms, protected …
    account: str  # shortened: "a…@example.com"
    code_by: str | None  # need-code: trusted-device, sms, existing
    until: str | None  # when it is tried again, or when the wait for a code ends
    trust_expires_at: str | None  # when Apple will want a code again
    message: str
    remedy: str


class CloudCountsDoc(TypedDict):
    """Assets of iCloud by what became of them; the first is the sum of the next four and of what is gone."""

    listed: int
    fetched: int
    waiting: int  # listed, and on its way here
    filtered: int  # left there: by the filters, or because it is ours already
    unsupported: int  # nothing there that can be fetched and proved
    gone: int  # iCloud says that it is deleted there
    marked: int  # now in the album of what is to be deleted
    deleted: int  # moved to Recently Deleted by mediad
    recoverable: int  # of these: can still be brought back


class ZoneDoc(TypedDict):
    """A library of the account: the person's own, or a shared one."""

    name: str
    owner: str
    listed_at: str | None  # when the whole of it was last compared with the journal


class SelfTestDoc(TypedDict):
    at: str
    ok: bool
    detail: str


class DeletionDoc(TypedDict):
    """Whether mediad may move anything to Recently Deleted, and why not."""

    state: Literal["off", "manual", "disarmed", "armed"]
    why: str
    remedy: str
    selftest: SelfTestDoc | None


class CloudDoc(SignInDoc):
    state: Literal["up", "down", "off"]
    detail: str
    gateway: str | None  # another server that stands in for Apple's
    has_password: bool  # the configuration has one: a sign-in needs none typed
    counts: CloudCountsDoc
    zones: list[ZoneDoc]
    looked_at: str | None  # when iCloud was last compared with the journal
    deletion: DeletionDoc
