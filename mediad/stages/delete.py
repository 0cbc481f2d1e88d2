"""
Delete: what is proved to be safe at home, and has stood in the album for its days, is moved to Recently Deleted.

Every proof is looked up for this very decision (policy/cloud_guard.py); nothing is ever expunged. A photo that a person
takes out of the album stays: that is a veto, and only putting it back into the album takes it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Asset, CloudRef, Evidence, Remote, RemoteFact
from mediad.policy.cloud_guard import (
    BACK,
    DAY_MS,
    HOUR_MS,
    SAFETY,
    Case,
    Lack,
    Proof,
    album_times,
    changes,
    day_budget,
    is_back,
    is_marked_in_time,
    lacks,
    lacks_before_reading,
    never,
)
from mediad.policy.deletion import CloudWarrant, warrant_for_cloud
from mediad.ports import Deleted, Ports, RemoteRow
from mediad.stages import cases
from mediad.stages.holding import with_holdings
from mediad.stages.verdict import Act, Done, Refuse, Stage, Verdict, Wait
from mediad.state import State

WEEK_MS: Final = 7 * DAY_MS
AT_ONCE: Final = 25  # deletions a request
_LOST: Final = frozenset({Proof.ARCHIVED, Proof.MATCHED})


@dataclass(frozen=True, slots=True)
class Facts:
    now: int
    album: str = ""  # its name, for people
    case: Case | None = None  # None: it did not come from iCloud
    is_manual: bool = False
    is_asked: bool = False  # iCloud was asked just now
    is_spent: bool = False  # as many as a day allows are gone already
    is_read: bool = False  # our copies were read back, and after that iCloud was asked once more


async def look(assets: Sequence[Asset], io: Ports) -> Sequence[Facts | MediadError]:
    """The cheapest questions first: most of the time there is nothing to ask, and nearly never much to read."""
    plain = Facts(
        io.clock.now(), io.settings.icloud.album, is_manual=io.settings.delete.mode == "manual"
    )
    known = [replace(plain, case=c) for c in await cases.from_journal(assets, io)]
    budget = await _budget(io) if any(_is_worth_asking(f) for f in known) else 0
    facts = await _asked(
        [replace(f, is_spent=budget == 0 and _may_be_deleted(f)) for f in known], io
    )
    worth = [n for n, f in enumerate(facts) if f.is_asked and _is_worth_reading(f)]
    read = await _read([facts[n] for n in worth[:budget]], io)
    spent = {n: replace(facts[n], is_spent=True) for n in worth[budget:]}
    answers = {**spent, **dict(zip(worth[:budget], read, strict=True))}
    return [answers.get(n, f) for n, f in enumerate(facts)]


def decide(asset: Asset, facts: Facts) -> Verdict:
    case = facts.case
    if case is None:
        return Done(Evidence("not from iCloud", facts.now), State.DELETED)
    if ended := _ended(case, facts) or _resting(facts):
        return ended
    wanting = lacks(case) if facts.is_read else lacks_before_reading(case)
    if not facts.is_asked:
        return _unasked(facts, case, wanting)
    if wanting or not facts.is_read:
        return _kept(asset, facts, case, wanting)
    return Act(f"move {asset.name} to Recently Deleted in iCloud: every proof is there")


async def act(
    assets: Sequence[Asset],  # noqa: ARG001 - the facts say it all
    facts: Sequence[Facts],
    io: Ports,
) -> Sequence[Evidence | MediadError | None]:
    """One photo that became two assets here is one photo there."""
    warrants = [warrant_for_cloud(f.case) for f in facts if f.case]
    once = list({w.ref: w for w in warrants}.values())
    told: dict[CloudRef, Evidence | MediadError | None] = {}
    for start in range(0, len(once), AT_ONCE):
        some = once[start : start + AT_ONCE]
        answers = await io.cloud.delete([(w.ref, w.change_tag) for w in some])
        now = io.clock.now()
        for warrant, answer in zip(some, answers, strict=True):
            told[warrant.ref] = _told(warrant, answer, now)
        gone = [w for w, a in zip(some, answers, strict=True) if isinstance(a, Deleted)]
        told |= await _checked(gone, io)
    return [told.pop(w.ref, None) for w in warrants]


async def _checked(gone: Sequence[CloudWarrant], io: Ports) -> Mapping[CloudRef, MediadError]:
    """Apple may not compare change tags: what went is looked at, and brought back if it is not what was proved."""
    found = await io.cloud.lookup([w.ref for w in gone]) if gone else ()
    other = {
        w.ref: (w.proved.name, how)
        for w, there in zip(gone, found, strict=True)
        if there is not None and (how := changes(w.proved, there))
    }
    faults = await _back(list(other), io) if other else ()
    return {
        ref: _undone(*said, fault) for (ref, said), fault in zip(other.items(), faults, strict=True)
    }


async def _back(refs: Sequence[CloudRef], io: Ports) -> Sequence[MediadError | None]:
    try:
        return await io.cloud.undelete(refs)
    except MediadError as fault:
        return [fault] * len(refs)


# -- what is seen -------------------------------------------------------------------------------


async def _budget(io: Ports) -> int:
    rules = io.settings.delete
    gone = await io.ledger.deletions_since(io.clock.now() - DAY_MS)
    listed = await io.ledger.listed_remotes()
    return day_budget(gone, listed, rules.per_day, rules.percent_per_day)


def _is_worth_asking(facts: Facts) -> bool:
    """Not while the journal alone says that it stays; what iCloud said was deleted is looked up at once."""
    case = facts.case
    if case is None or never(case.row.remote) or facts.is_spent:
        return False
    return _is_told_gone(case) or facts.is_manual or _may_be_deleted(facts)


def _may_be_deleted(facts: Facts) -> bool:
    case = facts.case
    if case is None or facts.is_manual or _is_told_gone(case) or never(case.row.remote):
        return False
    is_allowed = not any(lack.proof in SAFETY for lack in lacks_before_reading(case))
    return is_allowed and not (is_marked_in_time(case) and album_times(case) > case.now)


def _is_told_gone(case: Case) -> bool:
    row = case.row
    return row.is_gone or row.remote.is_deleted or row.deleted_at is not None


def _is_worth_reading(facts: Facts) -> bool:
    if facts.case is None or facts.is_manual or facts.is_spent:
        return False
    return not lacks_before_reading(facts.case)


async def _asked(facts: Sequence[Facts], io: Ports) -> list[Facts]:
    asked = [n for n, f in enumerate(facts) if _is_worth_asking(f)]
    answers = await cases.asked([c for n in asked if (c := facts[n].case)], io)
    found = dict(zip(asked, answers, strict=True))
    return [
        replace(f, case=found[n], now=found[n].now, is_asked=True) if n in found else f
        for n, f in enumerate(facts)
    ]


async def _read(facts: Sequence[Facts], io: Ports) -> list[Facts | MediadError]:
    """Reading takes its time: what iCloud and the album say is asked once more after it."""
    held = await with_holdings([f.case for f in facts if f.case], io)
    whole = [c for c in held if not isinstance(c, MediadError)]
    last = iter(await cases.asked(whole, io))
    return [
        c if isinstance(c, MediadError) else replace(f, case=next(last), is_read=True)
        for f, c in zip(facts, held, strict=True)
    ]


# -- what it means ------------------------------------------------------------------------------


def _ended(case: Case, facts: Facts) -> Verdict | None:
    """It stays for ever, or has left the library: by us, or by a person. None: neither."""
    if why := never(case.row.remote):
        return Done(Evidence("left in iCloud", facts.now, note=why), State.DELETED)
    if not facts.is_asked:
        return None
    row, fresh = case.row, case.fresh
    if fresh is not None and fresh.is_deleted:
        return _binned(row, fresh, facts)
    if fresh is not None:
        return _brought_back(case, facts) if is_back(case) else None
    if facts.is_manual or _is_told_gone(case):
        note = "iCloud has it no more"
        return Done(Evidence("lookup", facts.now, note=note), State.DELETED)
    return Wait(
        facts.now + HOUR_MS,
        "iCloud does not find it, and has not told of its deletion; nothing is deleted",
        "icloud.vanished",
        "none needed: it is asked again; see docs/errors.md",
        is_loss=True,
    )


def _binned(row: RemoteRow, fresh: Remote, facts: Facts) -> Verdict:
    """By a person, or by us, and the power went before what had gone was compared with what had been proved."""
    is_new = row.deleted_at is None and not facts.is_manual and row.marked_at is not None
    if is_new and (how := changes(row.remote, fresh)):
        return Refuse(
            "icloud.changed_late",
            f"{fresh.name} lies in Recently Deleted, and was {how} since it was taken in: that is not at home",
            "if it is wanted: `mediactl icloud undelete`, then `mediactl retry`; if not: `mediactl skip`",
        )
    fact = RemoteFact(row.remote.ref, deleted_at=facts.now if is_new else None)
    note = "seen in Recently Deleted" + _until(row.recoverable_until)
    return Done(Evidence("lookup", facts.now, note=note, remotes=(fact,)), State.DELETED)


def _brought_back(case: Case, facts: Facts) -> Verdict:
    """It stays for ever, too. But iCloud itself may list for a while what was deleted a moment ago."""
    if 0 <= facts.now - (case.row.deleted_at or 0) < HOUR_MS:
        why = "it was moved to Recently Deleted just now, and iCloud still lists it"
        return Wait(facts.now + HOUR_MS, why)
    return Done(Evidence("left in iCloud", facts.now, note=BACK), State.DELETED)


def _resting(facts: Facts) -> Verdict | None:
    if facts.is_manual:
        why = f"it is for the person to empty the album {facts.album} (delete.mode)"
        return Wait(facts.now + DAY_MS, why)
    if facts.is_spent:
        why = "as many as a day allows were deleted (delete.per_day, delete.percent_per_day)"
        return Wait(facts.now + HOUR_MS, why)
    return None


def _undone(name: str, how: str, fault: MediadError | None) -> Refused:
    what = f"{name} was {how} in iCloud in the moment in which it was deleted"
    if fault is None:
        return Refused(
            f"{what}: it was brought back out of Recently Deleted",
            code="icloud.changed_late",
            remedy="look at it in iCloud; `mediactl retry` when it may be considered again",
        )
    return Refused(
        f"{what}, and could not be brought back out of Recently Deleted ({fault.what})",
        code="icloud.changed_late",
        remedy="`mediactl icloud undelete` it, or recover it on the phone, within the next days",
    )


def _until(at: int | None) -> str:
    return "" if at is None else ", from where it can be brought back for a while"


def _unasked(facts: Facts, case: Case, wanting: Sequence[Lack]) -> Verdict:
    unsafe = [lack for lack in wanting if lack.proof in SAFETY]
    if unsafe:
        return Wait(
            facts.now + HOUR_MS,
            f"it stays in iCloud: {'; '.join(lack.why for lack in unsafe)}",
            "safety.disarmed",
            "run `mediactl selftest`, then `mediactl config set safety.armed true`, if it is to go",
        )
    due = min(album_times(case), facts.now + WEEK_MS)
    return Wait(due, f"it stands in the album {facts.album} for its days (delete.cooloff_days)")


def _kept(asset: Asset, facts: Facts, case: Case, wanting: Sequence[Lack]) -> Verdict:
    missing = {lack.proof: lack.why for lack in reversed(wanting)}
    why = f"it stays in iCloud: {'; '.join(dict.fromkeys(lack.why for lack in wanting))}"
    if Proof.MEMBER in missing:
        return _out_of_album(facts, case)
    if Proof.CLOCK in missing:
        return cases.wrong_clock(facts.now)
    if not is_marked_in_time(case):
        again = f"its days in the album {facts.album} begin now"
        due = facts.now + min(case.rules.cooloff_ms, DAY_MS)
        return Wait(due, again, evidence=_marked(case, facts.now, again))
    if Proof.SAME in missing:
        remedy = "none needed: what is new there is fetched first"
        return Wait(facts.now + HOUR_MS, why, "icloud.changed", remedy, is_loss=True)
    spoilt = [h.file.name for h in case.held if h.was_archived and not h.is_safe]
    if spoilt and _LOST & missing.keys():
        return Refuse(
            "icloud.copy_lost",
            f"{asset.name} stays in iCloud: the archive does not give back {', '.join(spoilt)} as it was verified"
            " there",
            "look at that copy; when it is whole again, or verified anew, `mediactl retry`",
        )
    patience = HOUR_MS if missing.keys() & {Proof.TAKEN, Proof.KEEPER, *SAFETY} else DAY_MS
    return Wait(facts.now + patience, why)


def _out_of_album(facts: Facts, case: Case) -> Verdict:
    if case.album is None:
        return Wait(
            facts.now + DAY_MS,
            f"the album {facts.album} was deleted in iCloud, and all that stood in it stays",
            "icloud.album_gone",
            "give icloud.album another name if photos are to be marked again",
        )
    how = "somebody took it out, or icloud.album has another name since"
    why = f"it does not stand in the album {facts.album} any more ({how}): it stays in iCloud"
    noted = _marked(case, 0, why) if case.row.marked_at is not None else None
    remedy = (
        f"put it back into {facts.album} in iCloud if it is to go after all: its days begin anew"
    )
    return Wait(facts.now + WEEK_MS, why, "icloud.vetoed", remedy, evidence=noted)


def _marked(case: Case, at: int, note: str) -> Evidence:
    fact = RemoteFact(case.row.remote.ref, marked_at=at)
    return Evidence("album", case.now, note=note, remotes=(fact,))


def _told(
    warrant: CloudWarrant, answer: Deleted | MediadError, now: int
) -> Evidence | MediadError | None:
    if isinstance(answer, Deleted):
        fact = RemoteFact(
            answer.ref, deleted_at=now, recoverable_until=answer.recoverable_until,
        )  # fmt: skip
        note = "iCloud says that it is in Recently Deleted now"
        figures: dict[str, object] = {"tag": warrant.change_tag, "until": answer.recoverable_until}
        if warrant.keepers:
            figures |= {"duplicates": warrant.assets, "keepers": warrant.keepers}
        return Evidence("answer", now, note=note, remotes=(fact,), figures=figures)
    if isinstance(answer, Refused):  # it is not there, or not as it was: another look will tell
        return Retryable(answer.what, code=answer.code, remedy=answer.remedy)
    return answer


STAGE: Final = Stage(
    "delete",
    frozenset({State.MARKED}),
    "delete",
    look,
    decide,
    act,
    needs=frozenset({"icloud", "archive"}),
    lot_files=AT_ONCE,
    destructive=True,
)
