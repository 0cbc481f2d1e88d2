"""What a person is told of copies that are not what they were: which file, what it means, what to do. Pure."""

from collections.abc import Sequence
from typing import Final

from mediad.policy.problems import Problem
from mediad.policy.scrub import TOLD_MS, Damage, Fate, Found, Progress

SUBJECT: Final = "scrub"
DISK: Final = "look at the health of that disk (smartctl -a) and its cable"
_NAMED: Final = 3


def problems_of(
    open_: Sequence[Damage], latest: Sequence[Damage], now: int, behind: Progress | None
) -> list[Problem]:
    """One problem a kind, with the names of some of the files."""
    kinds = (
        ("scrub.lost", _of(open_, Fate.LOST), _LOST, _PUT_BACK),
        ("scrub.rot", _of(open_, Fate.HEALING), _ROT, f"none needed for the files; {DISK}"),
        ("scrub.unreadable", _of(open_, Fate.UNREADABLE), _UNREADABLE, DISK),
        ("scrub.healed", [d for d in latest if _was_rot(d, now)], _HEALED, DISK),
    )
    told = [
        Problem(
            code, says.format(n=len(some), files=_names(some)), some[0].seen_at, remedy, SUBJECT
        )
        for code, some, says, remedy in kinds
        if some
    ]
    if behind is not None and behind.oldest is not None:
        days = (now - behind.oldest) // 86_400_000
        told.append(
            Problem(
                "scrub.behind",
                f"a copy has not been read for {days} days, longer than its cycle; none is known to be bad",
                now,
                "give it more time (scrub.minutes_per_day, scrub.begin_hour), or a longer scrub.cycle_days;"
                " `mediactl verify` reads at once",
                SUBJECT,
            )
        )
    return told


_LOST: Final = (
    "{n} files are not what they were, and no other copy that mediad can read gives their bytes back: {files}. Nothing"
    " of them is deleted anywhere, in iCloud either"
)
_PUT_BACK: Final = (
    "put the file from a backup (or from iCloud.com, if it is still there) under that very name in the archive, then"
    " `mediactl retry --all-held`; `mediactl explain` names every copy there was"
)
_ROT: Final = (
    "{n} copies are not what they were: {files}. They count no more, so nothing is deleted for their sake; each is made"
    " anew from another copy that was just read whole, under a name of its own, and the bad file stays where it is"
)
_UNREADABLE: Final = (
    "{n} copies could not be read: {files}. That says nothing of their bytes yet; they are tried again, and nothing is"
    " deleted on their word meanwhile"
)
_HEALED: Final = "{n} copies had rotted, and no photo is lost by it: {files}. The bad files were kept where they are"


def _of(damages: Sequence[Damage], fate: Fate) -> list[Damage]:
    return [d for d in damages if d.fate is fate]


def _was_rot(damage: Damage, now: int) -> bool:
    """Healed, or not missed; told for some days, because the disk may be failing."""
    is_news = damage.ended_at is not None and now - damage.ended_at < TOLD_MS
    return is_news and (damage.fate is Fate.HEALED or damage.what is Found.ROTTEN)


def _names(damages: Sequence[Damage]) -> str:
    some = ", ".join(_name(d) for d in damages[:_NAMED])
    more = len(damages) - _NAMED
    return f"{some} and {more} more" if more > 0 else some


def _name(damage: Damage) -> str:
    key = damage.place.key.encode(errors="surrogateescape").decode(errors="replace")
    new = damage.healed_key.encode(errors="surrogateescape").decode(errors="replace")
    name = f"{damage.place.site}/{key}"
    if new and new != key:
        name += f" (now also {damage.place.site}/{new})"
    return f"{name} ({damage.what})"
