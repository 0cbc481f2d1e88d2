"""The documents of iCloud, key for key: how the sign-in stands, what is there, what is missing, and the self-test."""

from typing import Literal

from typing_extensions import (  # pydantic makes the OpenAPI schemas from these
    TypedDict,
)


class SignInDoc(TypedDict):
    """Never a password, never a code."""

    sign_in: str  # signed-out, busy, need-code, ready, backing-off, wrong-password, locked, terms, protected …
    account: str  # shortened: "a…@example.com"
    code_by: str | None  # where a code is taken: trusted-device, sms, existing
    keys: list[str]  # the security keys that are taken; "?": one without a name
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


class UndeletedLineDoc(TypedDict):
    asset: int
    name: str
    state: str  # back, was there, gone, failed, not from iCloud
    message: str
    remedy: str


class UndeletedDoc(TypedDict):
    ok: bool
    assets: list[UndeletedLineDoc]


class CellDoc(TypedDict):
    """One month and one kind of what iCloud has or had."""

    month: str  # 2024-07; empty: nobody knows when it was taken
    kind: str
    listed: int  # iCloud says so
    journalled: int  # the journal has it: fetched, or on its way
    archived: int  # proved to be in the archive, whole, as it is in iCloud
    reasons: dict[str, int]  # why the others are not


class MissingAssetDoc(TypedDict):
    zone: str
    record: str
    name: str
    month: str
    kind: str
    asset: int | None  # ours, where there is one already: mediactl explain tells the rest
    why: str
    code: str
    detail: str


class SumsDoc(TypedDict):
    listed: int
    journalled: int
    archived: int
    missing: int
    reasons: dict[str, int]


class CompletenessDoc(TypedDict):
    """Proved, or with a reason, asset by asset: nothing is left over."""

    complete: (
        bool  # every library was listed whole, and nothing of it is not proved to be in the archive
    )
    unlisted: list[str]  # libraries that were never listed whole: nobody knows yet what is in them
    grid: list[CellDoc]
    sums: SumsDoc
    missing: list[MissingAssetDoc]
    cursor: str | None  # give it back for the next page of what is missing; null: that was the last


class CheckDoc(TypedDict):
    """One part of the way, tried with a picture of our own."""

    part: str
    state: Literal["ok", "warning", "fault", "off"]
    code: str
    message: str
    remedy: str


class SelfTestedDoc(TypedDict):
    ok: bool
    at: str
    checks: list[CheckDoc]
    deletion: DeletionDoc  # what it allows now


class ProofDoc(TypedDict):
    """Something that must hold before an asset is deleted in iCloud."""

    proof: str
    holds: bool
    why: str  # what is wanting


class UnaskedDoc(TypedDict):
    code: str
    message: str
    remedy: str


class WhyNotDoc(TypedDict):
    asset: int
    name: str
    answer: str
    turn: str  # where its lane stands: not open yet, under way, or at its end
    error: UnaskedDoc | None  # why not everything could be looked up
    reasons: list[ProofDoc]


class CloudAssetDoc(TypedDict):
    """What iCloud says of an asset, as it was last listed."""

    zone: str
    record: str
    name: str
    taken_at: str
    added_at: str
    favourite: bool
    hidden: bool
    albums: list[str]
    is_gone: bool
    marked_at: str | None
    deletable_from: str | None  # when the cool-off is over
    deleted_at: str | None
    recoverable_until: str | None
    replacement: str | None  # the smaller picture that took its place
    left_there: str  # why its files are not fetched; empty: they are
