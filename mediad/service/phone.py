"""
The desk of the phone lane: how the way to the phone stands, what is wrong with it, and its set-up.

Every decision is policy/phone_setup.py's; here it is put into words and carried out. Never a key, never a password.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, TypeVar

from mediad.config import Settings
from mediad.errors import MediadError, Refused
from mediad.journal import Mark
from mediad.policy.phone_setup import (
    CODES,
    LABEL,
    WHERE,
    Wanted,
    changes,
    device_of,
    folder_of,
    lint,
)
from mediad.ports import Change, PhoneLink, SetUp
from mediad.service.answers import FindingDoc
from mediad.service.batches import Batches
from mediad.service.doctor import finding
from mediad.service.google import Google
from mediad.service.parts import Parts
from mediad.service.phone_answers import ChangeDoc, DiagnosticsDoc, ProbeDoc, SetUpDoc
from mediad.service.picture import link_docs
from mediad.service.words import maybe_iso
from mediad.state import Lane

T = TypeVar("T")

PROBE_PATIENCE_S: Final = 60.0
OFFLINE: Final = "pixel."  # what begins so is about the phone being away, which phones are
SUBJECTS: Final = ("syncthing", "pixel", "phone", "phone files")  # what an open problem is about
HOW_ON: Final = (
    "mediactl config set syncthing.url http://127.0.0.1:8384; mediactl config set syncthing.api_key -;"
    " mediactl syncthing setup"
)
ASK: Final = (
    "Two things only you can do, on the phone. First, accept the folder {folder} that this machine offers it ("
    f"{WHERE}"
    "). Then let Syncthing there keep what is removed here: open its web page (menu: Web GUI), then Actions, Advanced,"
    " Folders, {folder}: tick Ignore Delete, and save. Without it a photo goes from the phone as soon as it leaves the"
    " shared folder here, uploaded to Google or not. `mediactl syncthing setup --probe` asks the phone whether it does."
)
_PROBED: Final[dict[bool | None, ProbeDoc]] = {
    True: {
        "answer": "honoured",
        "said": "the phone kept a probe file that was removed here: Ignore Delete is on",
    },
    False: {
        "answer": "deletes",
        "said": "the phone removed a probe file because it was removed here: Ignore Delete is off there, and a photo"
        " would go the same way",
    },
    None: {
        "answer": "no answer",
        "said": "the phone did not take a probe file in time: it is away, or has not accepted the folder",
    },
}
_NOT_ASKED: Final[ProbeDoc] = {
    "answer": "not asked",
    "said": "the phone was not asked: the changes above come first",
}


class PhoneDesk:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.batches = Batches(parts)
        self.google = Google(parts)

    async def diagnostics(self) -> DiagnosticsDoc:
        """How the way to the phone stands now, asked afresh; each fault is a finding with its remedy."""
        settings = self._parts.loaded().settings
        doc = self._nothing_known(settings)
        if off := self._why_off():
            remedy = HOW_ON if "url" in off else "mediactl config set phone.enabled true"
            said = f"the phone lane is off: {off}"
            doc["detail"] = off
            doc["findings"] = [finding("syncthing.off", said, level="warning", remedy=remedy)]
            return doc
        findings: list[FindingDoc] = []
        phone = self._parts.ports().phone
        if set_up := await _tried(phone.set_up, findings):
            self._tell_set_up(set_up, doc, findings)
        # Where the set-up is wrong, that is why nothing is to be learnt of the phone: no second finding.
        is_wrong = any(f["level"] == "fault" for f in findings)
        if link := await _tried(phone.link, [] if is_wrong else findings):
            _tell_link(link, doc, findings)
        self._add_problems(findings, over=CODES if set_up else frozenset())
        faults = [f for f in findings if f["level"] == "fault"]
        doc["ok"] = not faults
        doc["state"] = "down" if faults else "up"
        doc["detail"] = next((f["message"] for f in [*faults, *findings]), "")
        doc["pending"] = await self._pending()
        doc["findings"] = findings
        return doc

    async def findings(self) -> list[FindingDoc]:
        """For the doctor: nothing while the lane is off; that all is well when it is."""
        if self._why_off():
            return []
        doc = await self.diagnostics()
        if doc["findings"]:
            return doc["findings"]
        said = "Syncthing is set up as it should be, and the phone is connected"
        return [finding("syncthing.sound", said)]

    async def set_up(self, *, is_order: bool, probe: bool, shown: str = "") -> SetUpDoc:
        """
        What must change in Syncthing, and with an order the change itself; nothing where all is as it should be.

        `shown`: the seal of the changes that the person has seen; others are not made.
        """
        self._insist()
        phone, wanted = self._parts.ports().phone, _wanted(self._parts.loaded().settings)
        before = await phone.set_up()
        todo = changes(before, wanted)
        if is_order and shown and shown != _seal(todo):
            raise Refused(
                "Syncthing's set-up has changed since these changes were shown; nothing was changed",
                code="syncthing.setup_changed",
                remedy="look again: mediactl syncthing setup",
            )
        if is_order and todo:
            await phone.mend(todo)
        now = await phone.set_up() if is_order and todo else before
        left = changes(now, wanted)
        folder = folder_of(now, wanted)
        return {
            "changes": [_change(c) for c in todo],
            "seal": _seal(todo),
            "applied": is_order and bool(todo),
            "left": [_change(c) for c in left],
            "findings": _lint(now, wanted),
            "ask": ASK.format(
                folder=folder.label or folder.id if folder else wanted.folder_id or LABEL
            ),
            "probe": await self._probed(is_ready=not left) if probe else None,
        }

    async def rescan(self) -> None:
        """Have Syncthing look at the whole folder now."""
        self._insist()
        await self._parts.ports().phone.scan(())

    # -- small things -----------------------------------------------------------------------------

    def _why_off(self) -> str:
        parts = self._parts
        link = link_docs(parts.loaded().settings, parts.problems, parts.engine)["syncthing"]
        return link["detail"] if link["state"] == "off" else ""

    def _insist(self) -> None:
        if off := self._why_off():
            raise Refused(
                f"the phone lane is off, and there was nothing to do: {off}",
                code="link.off",
                remedy=HOW_ON if "url" in off else "see mediactl status",
            )

    async def _probed(self, *, is_ready: bool) -> ProbeDoc:
        if not is_ready:
            return _NOT_ASKED
        return _PROBED[await self._parts.ports().phone.keeps_deleted(PROBE_PATIENCE_S)]

    def _tell_set_up(self, set_up: SetUp, doc: DiagnosticsDoc, findings: list[FindingDoc]) -> None:
        wanted = _wanted(self._parts.loaded().settings)
        doc["syncthing"], doc["my_id"] = set_up.syncthing, set_up.my_id
        if folder := folder_of(set_up, wanted):
            doc["folder"] = {
                "id": folder.id, "label": folder.label, "path": folder.path,
                "type": folder.type, "state": folder.state, "error": folder.error,
            }  # fmt: skip
        if device := device_of(set_up, wanted):
            doc["phone"] = {
                "id": device, "name": set_up.devices.get(device, ""),
                "is_connected": device in set_up.connected, "since": None,
            }  # fmt: skip
        findings += _lint(set_up, wanted)

    def _add_problems(self, findings: list[FindingDoc], *, over: Collection[str]) -> None:
        """What the watchers have met, where the look of now has neither said it already nor found it over."""
        for problem in self._parts.problems.now():
            if problem.subject not in SUBJECTS or problem.code in over:
                continue
            is_away = problem.code.startswith(OFFLINE)
            told = finding(
                problem.code,
                problem.message,
                level="warning" if is_away else "fault",
                remedy=problem.remedy,
            )
            same = [i for i, f in enumerate(findings) if f["code"] == problem.code]
            if same and is_away:
                findings[same[0]] = told  # it says since when
            elif not same:
                findings.append(told)

    async def _pending(self) -> dict[str, int]:
        counts = await self._parts.journal.counts()
        pending: dict[str, int] = {}
        for (state, mark), n in counts.standing.items():
            if state.lane is Lane.PHONE and mark is not Mark.FINAL and n:
                stuck = mark in {Mark.FAILED, Mark.HELD}
                word = mark.value if stuck else state.value.partition(".")[2]
                pending[word] = pending.get(word, 0) + n
        return pending

    def _nothing_known(self, settings: Settings) -> DiagnosticsDoc:
        return {
            "state": "off", "detail": "", "ok": False, "url": settings.syncthing.url,
            "syncthing": None, "my_id": None, "folder": None, "phone": None, "heard": None,
            "pending": {}, "findings": [],
        }  # fmt: skip


def _wanted(settings: Settings) -> Wanted:
    own = settings.syncthing
    return Wanted(own.folder_id, own.device_id, str(settings.folders.pixel_sync))


async def _tried(asked: Callable[[], Awaitable[T]], findings: list[FindingDoc]) -> T | None:
    """The answer; or None, and why as a finding, once."""
    try:
        return await asked()
    except MediadError as fault:
        if fault.code not in {f["code"] for f in findings}:
            findings.append(finding(fault.code, fault.what, level="fault", remedy=fault.remedy))
        return None


def _tell_link(link: PhoneLink, doc: DiagnosticsDoc, findings: list[FindingDoc]) -> None:
    doc["syncthing"] = link.syncthing
    name = doc["phone"]["name"] if doc["phone"] else ""
    doc["phone"] = {
        "id": link.device, "name": name, "is_connected": link.is_connected,
        "since": maybe_iso(link.since),
    }  # fmt: skip
    if link.heard:
        doc["heard"] = {"id": link.heard.id, "type": link.heard.type, "at": link.heard.at}
    if not link.is_connected:
        findings.append(
            finding(
                "pixel.offline",
                "the phone is not connected; what waits for it goes on by itself when it is back",
                level="warning",
                remedy="see that the phone is on, in the network, and that Syncthing runs there",
            )
        )


def _lint(set_up: SetUp, wanted: Wanted) -> list[FindingDoc]:
    return [
        finding(f.code, f.message, level="fault" if f.is_unsafe else "warning", remedy=f.remedy)
        for f in lint(set_up, wanted)
    ]


def _change(change: Change) -> ChangeDoc:
    return {
        "subject": change.subject, "id": change.id, "key": change.key,
        "now": change.now, "value": change.value, "why": change.why,
    }  # fmt: skip


def _seal(todo: Sequence[Change]) -> str:
    text = json.dumps([_change(c) for c in todo], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
