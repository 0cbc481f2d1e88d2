"""
The self-test: a made-up picture goes through the person's own parts, as far as they are on; nothing of it stays.

Only what was looked at is called fine. A part that is off was not tried, and the answer says so. In iCloud nothing is
sent and nothing is deleted: the album is looked at (and made, where mediad may mark), and one photo is looked up.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Literal, TypeAlias

import anyio

from mediad.config import Settings
from mediad.errors import MediadError
from mediad.model import Site
from mediad.policy.selftest import detail
from mediad.policy.sign_in import words_of
from mediad.ports import SignInState, Zone
from mediad.service.answers import FindingDoc
from mediad.service.cloud_answers import CheckDoc, SelfTestedDoc
from mediad.service.cloud_health import deletion_doc
from mediad.service.parts import Parts
from mediad.service.phone import PhoneDesk
from mediad.service.words import iso
from mediad.state import State

Answer: TypeAlias = Literal["ok", "warning", "fault", "off"]

HOME: Final = "PrimarySync"  # the person's own library
SAMPLE: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD//gA/bWVkaWFkIHNlbGZ0ZXN0OiBhIG1hZGUtdXAgcGljdHVyZS4gWW91IG1heSBkZWxldGUgdGhpcyBmaW"
    "xlLv/bAEMADQkKCwoIDQsKCw4ODQ8TIBUTEhITJxweFyAuKTEwLiktLDM6Sj4zNkY3LC1AV0FGTE5SU1IyPlphWlBgSlFST//AAAsIAAgACAEB"
    "EQD/xAAUAAEAAAAAAAAAAAAAAAAAAAAA/8QAIBABAAEDAwUAAAAAAAAAAAAAAQIDBCEABREGEiMxQf/aAAgBAQAAPwBtZS6d2NvqkOar47ePYp"
    "KoixH1jCuTA/eNf//Z"
)
_NAMES: Final = {Site.ARCHIVE: "the archive", Site.LIBRARY: "the library"}


class SelfTests:
    def __init__(self, parts: Parts, phone: PhoneDesk) -> None:
        self._parts = parts
        self._phone = phone
        self._running = anyio.Lock()

    async def run(self, *, probe: bool) -> SelfTestedDoc:
        """The journal keeps how it ended: only a green one arms. `probe`: ask the phone, too (about a minute)."""
        parts = self._parts
        async with self._running:
            settings = parts.loaded().settings
            checks = [check async for check in self._checks(settings, probe=probe)]
            now = parts.ports().clock.now()
            faults = [c["message"] for c in checks if c["state"] == "fault"]
            tried = [c["part"] for c in checks if c["state"] in {"ok", "warning"}]
            is_green = not faults and parts.loaded().settings == settings
            words = "; ".join(faults) or f"tried: {', '.join(tried)}"
            await parts.journal.set_selftest(now, ok=is_green, detail=detail(settings, words))
            if is_green:  # what waits for it need not wait for its next look
                await parts.journal.rouse(None, {State.MARKED})
                parts.engine.wake()
        return {
            "ok": is_green,
            "at": iso(now),
            "checks": checks,
            "deletion": deletion_doc(settings, await parts.journal.selftest(), now),
        }

    async def _checks(self, settings: Settings, *, probe: bool) -> AsyncIterator[CheckDoc]:
        yield await _tried("journal", self._journal)
        for site in (Site.ARCHIVE, Site.LIBRARY):
            yield await self._site(site, settings)
        for check in await self._syncthing(probe=probe):
            yield check
        for check in await self._cloud(settings):
            yield check

    async def _journal(self) -> CheckDoc:
        await self._parts.journal.prove()
        return _ok("journal", "the journal was written and synced")

    async def _site(self, site: Site, settings: Settings) -> CheckDoc:
        if site is Site.ARCHIVE and not settings.archive.enabled:
            return _off(
                "archive", "not tried: archive.enabled is off, and nothing is deleted without it"
            )
        if site is Site.LIBRARY and not settings.sort.enabled:
            return _off("library", "not tried: sort.enabled is off")

        async def tried() -> CheckDoc:
            seen = await self._parts.ports().files.try_out(site, SAMPLE)
            said = f"{_NAMES[site]} took a picture, gave the same bytes back ({seen.method}), and let go of it again"
            return _ok(site.value, said)

        return await _tried(site.value, tried)

    # -- the phone ----------------------------------------------------------------------------------

    async def _syncthing(self, *, probe: bool) -> list[CheckDoc]:
        """The set-up as the diagnostics see it; that the phone is away is a fault here: nothing was tried with it."""
        doc = await self._phone.diagnostics()
        if doc["state"] == "off":
            return [_off("phone", f"not tried: {doc['detail']}")]
        found = [_of_finding(f) for f in doc["findings"] if f["level"] != "ok"]
        for check in found:
            if check["code"].startswith("pixel."):
                check["state"] = "fault"
        if any(c["state"] == "fault" for c in found):
            return found
        said = "Syncthing is set up as it should be, and the phone is connected"
        return [*found, _ok("phone", said), await self._probed() if probe else _NOT_ASKED]

    async def _probed(self) -> CheckDoc:
        async def asked() -> CheckDoc:
            doc = (await self._phone.set_up(is_order=False, probe=True))["probe"]
            if doc is not None and doc["answer"] == "honoured":
                return _ok("phone probe", doc["said"])
            said = doc["said"] if doc else "the phone was not asked"
            return _fault("phone probe", "selftest.probe", said, "mediactl syncthing setup --probe")

        return await _tried("phone probe", asked)

    # -- iCloud -------------------------------------------------------------------------------------

    async def _cloud(self, settings: Settings) -> list[CheckDoc]:
        if self._parts.door() is None or not settings.icloud.enabled:
            return [_off("icloud", "not tried: icloud.enabled is off")]
        sign_in = self._parts.ports().cloud.sign_in()
        if sign_in.state is not SignInState.READY:
            code, message, remedy = words_of(sign_in)
            return [_fault("icloud", code, message, remedy)]
        checks = [
            await _tried("icloud", lambda: self._looked_up(settings)),
            await _tried("icloud album", lambda: self._album(settings)),
        ]
        if settings.icloud.gateway:
            said = f"{settings.icloud.gateway} stands in for Apple's servers: this says nothing of your iCloud"
            checks.append(_warning("icloud", "icloud.stand_in", said, "see icloud.gateway"))
        return checks

    async def _home(self) -> Zone | None:
        changed = await self._parts.ports().cloud.changed(None)
        return next((z for z in changed.zones if z.name == HOME and not z.is_gone), None)

    async def _looked_up(self, settings: Settings) -> CheckDoc:
        """One photo of the library, by its record, as before every deletion."""
        cloud, home = self._parts.ports().cloud, await self._home()
        if home is None:
            said = f"iCloud names no library {HOME}: nothing can be looked up"
            return _fault(
                "icloud", "selftest.icloud_library", said, "open Photos at icloud.com once"
            )
        page = await cloud.listing(home, 0)
        if not page.remotes:
            return _ok(
                "icloud", f"iCloud answers for {settings.icloud.username}; its library is empty"
            )
        listed = page.remotes[0]
        [found] = await cloud.lookup([listed.ref])
        if found is None or (found.ref, found.master) != (listed.ref, listed.master):
            said = "iCloud listed a photo, and looked up by itself it was another one, or none"
            return _fault("icloud", "selftest.icloud_lookup", said, "mediactl selftest again")
        return _ok(
            "icloud", f"iCloud answers for {settings.icloud.username}; a photo was looked up"
        )

    async def _album(self, settings: Settings) -> CheckDoc:
        name = settings.icloud.album
        if not settings.delete.enabled:
            return _off("icloud album", "not tried: delete.enabled is off, so no album is needed")
        cloud, home = self._parts.ports().cloud, await self._home()
        if home is None:
            said = f"without the library {HOME} there is no place for the album"
            return _fault(
                "icloud album", "selftest.icloud_library", said, "open Photos at icloud.com once"
            )
        record = await self._parts.journal.album_for(home.name, name)
        members = await cloud.members(record, home)
        if members is None:
            await cloud.make_album(home, record, name)
            members = await cloud.members(record, home)
        if members is None:
            said = f"the album {name} cannot be made, or was deleted: nothing can be marked"
            remedy = "mediactl config set icloud.album ANOTHER-NAME"
            return _fault("icloud album", "selftest.icloud_album", said, remedy)
        return _ok("icloud album", f"the album {name} is there, with {len(members)} photos in it")


async def _tried(part: str, asked: Callable[[], Awaitable[CheckDoc]]) -> CheckDoc:
    try:
        return await asked()
    except MediadError as fault:
        return _fault(part, fault.code, fault.what, fault.remedy)


def _check(part: str, state: Answer, code: str, message: str, remedy: str) -> CheckDoc:
    return {"part": part, "state": state, "code": code, "message": message, "remedy": remedy}


def _ok(part: str, message: str) -> CheckDoc:
    return _check(part, "ok", "", message, "")


def _off(part: str, message: str) -> CheckDoc:
    return _check(part, "off", "", message, "")


def _warning(part: str, code: str, message: str, remedy: str) -> CheckDoc:
    return _check(part, "warning", code, message, remedy)


def _fault(part: str, code: str, message: str, remedy: str) -> CheckDoc:
    return _check(part, "fault", code, message, remedy)


def _of_finding(found: FindingDoc) -> CheckDoc:
    return _check("phone", found["level"], found["code"], found["message"], found["remedy"])


_NOT_ASKED: Final = _warning(
    "phone probe",
    "selftest.not_probed",
    "whether the phone keeps what is removed here was not asked: asking leaves two small text files on it",
    "mediactl selftest --probe",
)
