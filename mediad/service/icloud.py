"""
The desk of iCloud: how the sign-in stands, what is there and what became of it, and bringing back what was given up.

What the states mean is policy/sign_in.py's to say, and what may go is policy/deletion.py's. Never a password here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import anyio

from mediad.config import Settings
from mediad.errors import MediadError, Refused
from mediad.journal import CloudCounts, Listed
from mediad.model import Asset, AssetId, CloudRef, Evidence, Remote, RemoteFact
from mediad.policy.sign_in import DAY_MS, days_left, words_of
from mediad.ports import SignIn, SignInDoor, SignInState
from mediad.service.answers import FindingDoc
from mediad.service.cloud_answers import (
    CloudAssetDoc,
    CloudCountsDoc,
    CloudDoc,
    CompletenessDoc,
    SignInDoc,
    UndeletedDoc,
    UndeletedLineDoc,
)
from mediad.service.cloud_completeness import completeness
from mediad.service.cloud_health import deletion_doc, findings
from mediad.service.cloud_story import cloud_doc
from mediad.service.parts import Parts
from mediad.service.picture import link_docs
from mediad.service.words import iso, maybe_iso
from mediad.state import State

CODE_DIGITS: Final = 6
LONGEST_PASSWORD: Final = 1024
HOW_ON: Final = (
    "mediactl config set icloud.username YOU@EXAMPLE.COM; mediactl config set icloud.enabled true;"
    " mediactl icloud login"
)
_SEPARATORS: Final = str.maketrans("", "", " -\t")


class CloudDesk:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._signing = anyio.Lock()

    # -- asking -----------------------------------------------------------------------------------

    async def status(self) -> CloudDoc:
        parts = self._parts
        settings = parts.loaded().settings
        sign_in = parts.ports().cloud.sign_in()
        link = link_docs(settings, parts.problems, parts.engine, sign_in)["icloud"]
        _, zones = await parts.journal.cloud_tokens()
        listed = [z.listed_at for z in zones.values() if z.listed_at is not None]
        is_off = link["state"] == "off"
        now = parts.ports().clock.now()
        return {
            **(_nobody(link["detail"]) if is_off else sign_in_doc(sign_in)),
            "state": link["state"],
            "detail": link["detail"],
            "gateway": settings.icloud.gateway or None,
            "has_password": _has_password(settings),
            "counts": await self._counts(now),
            "zones": [
                {"name": z.zone.name, "owner": z.zone.owner, "listed_at": maybe_iso(z.listed_at)}
                for z in zones.values()
            ],
            "looked_at": maybe_iso(max(listed, default=None)),
            "deletion": deletion_doc(settings, await parts.journal.selftest(), now),
        }

    async def _counts(self, now: int) -> CloudCountsDoc:
        found: CloudCounts = await self._parts.journal.cloud_counts(now)
        standing = (await self._parts.journal.counts()).standing
        waiting = min(found.wanted, sum(n for (at, _), n in standing.items() if at is State.LISTED))
        return {
            "listed": found.listed,
            "fetched": found.wanted - waiting,
            "waiting": waiting,
            "filtered": found.filtered,
            "unsupported": found.unsupported,
            "gone": found.gone,
            "marked": found.marked,
            "deleted": found.deleted,
            "recoverable": found.recoverable,
        }

    async def completeness(self, cursor: str, limit: int) -> CompletenessDoc:
        return await completeness(self._parts.journal, cursor, limit)

    def trust_left_s(self) -> float | None:
        """Until Apple wants a code again, below 0 when that is over; None: iCloud is off, or nobody can tell."""
        parts = self._parts
        if not parts.loaded().settings.icloud.enabled:
            return None
        ports = parts.ports()
        left = days_left(ports.cloud.sign_in(), ports.clock.now())
        return None if left is None else left * DAY_MS / 1000

    async def findings(self) -> list[FindingDoc]:
        """For the doctor: nothing while iCloud is off."""
        parts = self._parts
        settings = parts.loaded().settings
        if parts.door() is None or not settings.icloud.enabled:
            return []
        ports = parts.ports()
        selftest = await parts.journal.selftest()
        return list(findings(settings, ports.cloud.sign_in(), selftest, ports.clock.now()))

    # -- the sign-in --------------------------------------------------------------------------------

    async def login(self, password: str | None) -> SignInDoc:
        """An empty password is none: the one that is configured, or the session that still holds."""
        if password is not None and len(password) > LONGEST_PASSWORD:
            raise Refused("this is no password: it is too long", code="icloud.password_form")
        door = self._door()
        async with self._signing:
            return self._signed(await door.login(password or None))

    async def code(self, code: str) -> SignInDoc:
        digits = code.translate(_SEPARATORS)
        if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdecimal()):
            raise Refused(
                f"a code has {CODE_DIGITS} digits; Apple was not asked",
                code="icloud.code_form",
                remedy="mediactl icloud code 123456",
            )
        door = self._door()
        async with self._signing:
            return self._signed(await door.code(digits))

    async def sms(self) -> SignInDoc:
        door = self._door()
        async with self._signing:
            return self._signed(await door.sms())

    async def key(self) -> SignInDoc:
        """Returns when a key was touched; raises when none was, within a minute."""
        door = self._door()
        async with self._signing:
            return self._signed(await door.key())

    async def logout(self) -> SignInDoc:
        door = self._door()
        async with self._signing:
            return self._signed(await door.logout())

    def _door(self) -> SignInDoor:
        door = self._parts.door()
        if door is None:
            raise Refused(
                "iCloud is off, and there was nothing to do", code="link.off", remedy=HOW_ON
            )
        return door

    def _signed(self, sign_in: SignIn) -> SignInDoc:
        """Whoever waits for iCloud looks again at once, and need not wait for the next turn."""
        if sign_in.state is SignInState.READY:
            self._parts.engine.link_is_up("icloud")
        self._parts.engine.wake()
        return sign_in_doc(sign_in)

    async def row_of(self, asset: Asset) -> CloudAssetDoc | None:
        """What iCloud says of it, as it was last listed; None: it did not come from there."""
        if asset.remote is None:
            return None
        journal, ref = self._parts.journal, asset.remote.ref
        row = (await journal.remotes([ref]))[ref]
        return cloud_doc(row, await journal.albums(ref.zone), self._parts.loaded().settings)

    # -- bringing back ------------------------------------------------------------------------------

    async def undelete(self, assets: Sequence[Listed]) -> UndeletedDoc:
        """Out of Recently Deleted again; believed once iCloud itself lists them. Each stands for itself."""
        self._door()
        lines = [
            _line(x, "not from iCloud", "it did not come from iCloud")
            for x in assets
            if x.asset.remote is None
        ]
        named = {x.asset.remote.ref: x for x in assets if x.asset.remote is not None}
        before = await self._lookup(list(named))
        todo = [ref for ref, there in before.items() if there is not None and there.is_deleted]
        faults = await self._undeleted(todo)
        after = await self._lookup(todo)
        lines += [
            _told(x, before[ref], after.get(ref), faults.get(ref)) for ref, x in named.items()
        ]
        await self._keep([(named[ref].asset.id, after[ref]) for ref in todo])
        self._parts.orders.look_at_icloud()
        return {"ok": all(x["state"] in {"back", "was there"} for x in lines), "assets": lines}

    async def _lookup(self, refs: Sequence[CloudRef]) -> Mapping[CloudRef, Remote | None]:
        if not refs:
            return {}
        found = await self._parts.ports().cloud.lookup(refs)
        return dict(zip(refs, found, strict=True))

    async def _undeleted(self, refs: Sequence[CloudRef]) -> Mapping[CloudRef, MediadError]:
        if not refs:
            return {}
        faults = await self._parts.ports().cloud.undelete(refs)
        return {ref: fault for ref, fault in zip(refs, faults, strict=True) if fault is not None}

    async def _keep(self, seen: Sequence[tuple[AssetId, Remote | None]]) -> None:
        """The history of each tells that a person brought it back."""
        now = self._parts.ports().clock.now()
        rows = [
            (
                asset,
                Evidence(
                    "undelete",
                    now,
                    note="brought back from Recently Deleted by hand; mediad does not mark it again",
                    remotes=(RemoteFact(there.ref, marked_at=0, deleted_at=0, change_tag=there.change_tag),),
                ),
            )
            for asset, there in seen
            if there is not None and not there.is_deleted
        ]  # fmt: skip
        if rows:
            await self._parts.journal.witness(rows)


def _told(
    listed: Listed, was: Remote | None, now: Remote | None, fault: MediadError | None
) -> UndeletedLineDoc:
    if was is None:
        keep = f"the original is here: mediactl recover {listed.asset.id} --to DIR"
        return _line(listed, "gone", "iCloud has it no more, not in Recently Deleted either", keep)
    if not was.is_deleted:
        return _line(listed, "was there", "it is not in Recently Deleted")
    if now is not None and not now.is_deleted:
        return _line(listed, "back", "iCloud lists it again")
    if fault is not None:
        return _line(listed, "failed", fault.what, fault.remedy)
    return _line(
        listed, "failed", "iCloud took the order, and does not list it yet", "ask again in a minute"
    )


def _line(listed: Listed, state: str, message: str, remedy: str = "") -> UndeletedLineDoc:
    asset = listed.asset
    return {
        "asset": asset.id, "name": asset.name, "state": state, "message": message, "remedy": remedy,
    }  # fmt: skip


def _has_password(settings: Settings) -> bool:
    return bool(settings.icloud.password.get_secret_value() or settings.icloud.password_command)


def sign_in_doc(sign_in: SignIn) -> SignInDoc:
    words = words_of(sign_in)
    return {
        "sign_in": sign_in.state.value,
        "account": sign_in.account,
        "code_by": sign_in.code_by or None,
        "keys": list(sign_in.keys),
        "until": None if sign_in.until is None else iso(sign_in.until),
        "trust_expires_at": maybe_iso(sign_in.trust_expires_at),
        "message": words.message,
        "remedy": words.remedy,
    }


def _nobody(why: str) -> SignInDoc:
    return {
        "sign_in": SignInState.SIGNED_OUT.value, "account": "", "code_by": None, "keys": [], "until": None,
        "trust_expires_at": None, "message": f"iCloud is off: {why}", "remedy": HOW_ON,
    }  # fmt: skip
