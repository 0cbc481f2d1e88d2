"""What a person should know of iCloud now: the session, how long it holds, and whether anything may be deleted."""

from collections.abc import Iterator
from typing import Final

from mediad.config import Settings
from mediad.policy.cloud_guard import DAY_MS, SELFTEST_MS
from mediad.policy.selftest import RUN_IT, fault_of, words_of
from mediad.policy.sign_in import WARN_DAYS, days_left, warning
from mediad.policy.sign_in import words_of as said_of
from mediad.ports import SelfTest, SignIn, SignInState
from mediad.service.answers import FindingDoc
from mediad.service.cloud_answers import DeletionDoc, SelfTestDoc
from mediad.service.doctor import finding
from mediad.service.words import iso

ARM: Final = "mediactl config set safety.armed true"
DISARM: Final = "mediactl config set safety.armed false"
_PASSING: Final = frozenset({SignInState.BUSY, SignInState.BACKING_OFF})


def deletion_doc(settings: Settings, selftest: SelfTest | None, now: int) -> DeletionDoc:
    """Armed is only what all of it allows: the switches, and a self-test of these very parts."""
    doc: DeletionDoc = {
        "state": "disarmed", "why": "", "remedy": "", "selftest": _selftest_doc(selftest),
    }  # fmt: skip
    if not settings.delete.enabled:
        doc["state"], doc["why"] = "off", "mediad deletes nothing in iCloud"
        doc["remedy"] = "to let it: mediactl config set delete.enabled true"
    elif settings.delete.mode == "manual":
        doc["state"] = "manual"
        doc["why"] = f"mediad fills the album {settings.icloud.album}; what is in it, you delete"
    elif not settings.safety.armed:
        doc["why"] = "safety.armed is off: photos are gathered in the album, and none is deleted"
        doc["remedy"] = f"to arm: {RUN_IT}, then {ARM}"
    elif fault := fault_of(selftest, settings):
        doc["why"], doc["remedy"] = fault, RUN_IT
    elif selftest is None or not now - SELFTEST_MS <= selftest.at <= now + DAY_MS:
        doc["why"] = f"the last green self-test is older than {SELFTEST_MS // DAY_MS} days"
        doc["remedy"] = RUN_IT
    else:
        doc["state"], doc["remedy"] = "armed", f"to disarm at once: {DISARM}"
        doc["why"] = (
            f"what is proved safe and has stood in {settings.icloud.album} for {settings.delete.cooloff_days:g} days"
            " is moved to Recently Deleted"
        )
    return doc


def _selftest_doc(selftest: SelfTest | None) -> SelfTestDoc | None:
    if selftest is None:
        return None
    return {"at": iso(selftest.at), "ok": selftest.ok, "detail": words_of(selftest)}


def findings(
    settings: Settings, sign_in: SignIn, selftest: SelfTest | None, now: int
) -> Iterator[FindingDoc]:
    yield _session(sign_in, now)
    yield from _deletion(deletion_doc(settings, selftest, now))
    if settings.icloud.gateway:
        yield finding(
            "icloud.stand_in",
            f"{settings.icloud.gateway} stands in for Apple's servers: what is there is not your iCloud",
            level="warning",
            remedy='mediactl config set icloud.gateway ""',
        )


def _session(sign_in: SignIn, now: int) -> FindingDoc:
    said = said_of(sign_in)
    if sign_in.state is not SignInState.READY:
        return finding(
            said.code,
            f"iCloud: {said.message}",
            level="warning" if sign_in.state in _PASSING else "fault",
            remedy=said.remedy,
        )
    left, due = days_left(sign_in, now), warning(sign_in, now)
    if left is None:
        return finding(said.code, f"iCloud: signed in as {sign_in.account}")
    if due is None:
        told = f"signed in as {sign_in.account}; Apple wants a code again in {left:.0f} days"
        return finding(said.code, f"iCloud: {told}")
    is_urgent = due <= WARN_DAYS[-1]
    when = f"within {due} days" if due > 1 else "within a day" if due else "any moment now"
    return finding(
        "icloud.trust_expires",
        f"iCloud: Apple wants a code again {when}; until it has one, nothing new is fetched",
        level="fault" if is_urgent else "warning",
        remedy="mediactl icloud login, while you have a device at hand that shows the code",
    )


def _deletion(doc: DeletionDoc) -> Iterator[FindingDoc]:
    match doc["state"]:
        case "armed":
            yield finding("icloud.armed", f"iCloud: armed: {doc['why']}", remedy=doc["remedy"])
        case "disarmed":
            said = f"iCloud: disarmed: {doc['why']}"
            yield finding("icloud.disarmed", said, level="warning", remedy=doc["remedy"])
        case _:
            return
