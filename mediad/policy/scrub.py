"""
The scrub: which copies are to be read again now, what a reading means, and what is to follow from it. All of it pure.

A copy is due when nobody has read it whole for a cycle. A day's budget is counted from the hour at which the window
opens, and what a restart finds already spent stays spent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from mediad.config import Settings
from mediad.errors import MediadError
from mediad.model import AssetId, Digest, OriginalId, Place, Site
from mediad.ports import Sighting

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
# Where copies lie that can be read. What is in the shared folder says nothing of the phone.
SITES: Final = (Site.ARCHIVE, Site.LIBRARY, Site.SPOOL, Site.DUPLICATES, Site.QUARANTINE)
LOT_FILES: Final = 16
LOT_BYTES: Final = 64 << 20
COARSE_NS: Final = 2_000_000_000  # to so much do some file systems round a file's time
TOLD_MS: Final = 7 * DAY_MS  # for so long a person is told of rot that is healed
_OF_THE_MACHINE: Final = frozenset({"io.memory", "io.handles", "io.abandoned"})


class Found(StrEnum):
    """What a reading found in the place of a copy."""

    WHOLE = "whole"
    ROTTEN = "rotten"  # other bytes, though nobody has written to the file since
    CHANGED = "changed"  # somebody has written other bytes there
    MISSING = "missing"
    UNREADABLE = "unreadable"  # the medium gives an error and no bytes: that says nothing of them


class Fate(StrEnum):
    """What becomes of a copy that is not what it was."""

    HEALING = "healing"  # a new one is made from a copy that was just proved
    LOST = "lost"  # no other copy gives the bytes back: a person is asked
    UNREADABLE = "unreadable"  # tried again later
    HEALED = "healed"
    OVER = "over"  # nothing more is wanted: others hold the bytes, and none is missed here

    @property
    def is_open(self) -> bool:
        return self in {Fate.HEALING, Fate.LOST, Fate.UNREADABLE}


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that holds verified bytes: a copy of an original, or a rendition of it."""

    asset: AssetId
    original: OriginalId
    place: Place
    digest: Digest
    size: int
    mtime_ns: int
    is_rendition: bool
    read_at: int  # when these bytes were last seen whole


@dataclass(frozen=True, slots=True)
class Damage:
    """A copy that a reading found otherwise than it was verified."""

    asset: AssetId
    original: OriginalId
    place: Place
    digest: Digest
    found: Digest | None  # what lies there; None: nothing, or nothing that can be read
    what: Found
    fate: Fate
    seen_at: int
    again_at: int | None = None  # only of an unreadable one
    tries: int = 1
    ended_at: int | None = None
    healed_key: str = ""


class Day(NamedTuple):
    """What has been spent of one day's budget."""

    day: int
    ms: int = 0
    bytes: int = 0
    copies: int = 0


class Turn(NamedTuple):
    """May it read now? If not, for how long, and why."""

    may_read: bool
    wait_ms: int = 0
    why: str = ""


class Progress(NamedTuple):
    """How far the copies are from having all been read within a cycle."""

    copies: int = 0
    bytes: int = 0
    due_copies: int = 0
    due_bytes: int = 0
    oldest: int | None = None  # since then every single copy has been read whole


@dataclass(frozen=True, slots=True)
class Rules:
    is_on: bool
    cycle_ms: int
    ms_a_day: int
    bytes_a_day: int  # 0: no limit
    opens_ms: int  # after midnight, by the clock on the wall
    lasts_ms: int

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        scrub = settings.scrub
        hours = (scrub.end_hour - scrub.begin_hour) % 24 or 24
        return cls(
            is_on=scrub.enabled,
            cycle_ms=int(scrub.cycle_days * DAY_MS),
            ms_a_day=int(scrub.minutes_per_day * 60_000),
            bytes_a_day=scrub.bytes_per_day,
            opens_ms=scrub.begin_hour * HOUR_MS,
            lasts_ms=hours * HOUR_MS,
        )


# -- when, and how much -------------------------------------------------------------------------


def day_of(rules: Rules, local_ms: int) -> int:
    """The number of the day whose window is open now, or was last: a window may reach over midnight."""
    return (local_ms - rules.opens_ms) // DAY_MS


def turn(rules: Rules, local_ms: int, spent: Day) -> Turn:
    if not rules.is_on:
        return Turn(may_read=False, wait_ms=DAY_MS, why="it is switched off (scrub.enabled)")
    into_day = (local_ms - rules.opens_ms) % DAY_MS
    if into_day >= rules.lasts_ms:
        why = f"it reads from {rules.opens_ms // HOUR_MS}:00 on (scrub.begin_hour)"
        return Turn(may_read=False, wait_ms=DAY_MS - into_day, why=why)
    if spent.ms >= rules.ms_a_day:
        why = "its minutes of today are spent (scrub.minutes_per_day)"
        return Turn(may_read=False, wait_ms=DAY_MS - into_day, why=why)
    if rules.bytes_a_day and spent.bytes >= rules.bytes_a_day:
        why = "its bytes of today are spent (scrub.bytes_per_day)"
        return Turn(may_read=False, wait_ms=DAY_MS - into_day, why=why)
    return Turn(may_read=True)


def lot_of(due: Sequence[Stored], rules: Rules, spent: Day) -> list[Stored]:
    """
    The first of them that fit: few, so that a stop or a fault costs little.

    A file larger than all that a day allows is read all the same, alone on a day of its own.
    """
    left = rules.bytes_a_day - spent.bytes if rules.bytes_a_day else None
    lot: list[Stored] = []
    room = LOT_BYTES
    for stored in due[:LOT_FILES]:
        if lot and stored.size > room:
            break
        if left is not None and stored.size > left and (lot or spent.bytes):
            break
        lot.append(stored)
        room -= stored.size
        left = None if left is None else left - stored.size
    return lot


def is_spent(rules: Rules, due: Sequence[Stored], spent: Day) -> bool:
    """Is there something due, and only the day's bytes keep it from being read?"""
    return bool(due) and not lot_of(due, rules, spent)


def again_after(tries: int) -> int:
    """Until an unreadable file is tried again, ms: an hour, then longer, at most a week."""
    return int(min(HOUR_MS * 4 ** (max(tries, 1) - 1), 7 * DAY_MS))


# -- what a reading means -----------------------------------------------------------------------


def found(stored: Stored, answer: Sighting | MediadError | None) -> Found | None:
    """None: nothing was learnt, as the site cannot be asked just now. An absent mount is no absent file."""
    if isinstance(answer, MediadError):
        is_nobodys = bool(answer.site) or answer.code in _OF_THE_MACHINE
        return None if is_nobodys else Found.UNREADABLE
    if answer is None:
        return Found.MISSING
    if answer.digest == stored.digest:
        return Found.WHOLE
    is_untouched = (
        answer.size == stored.size and abs(answer.mtime_ns - stored.mtime_ns) <= COARSE_NS
    )
    return Found.ROTTEN if answer.is_regular and is_untouched else Found.CHANGED


def fate_of(stored: Stored, what: Found, *, is_held_elsewhere: bool) -> Fate:
    """
    What is to become of it. `is_held_elsewhere`: another copy of the original gave its bytes back just now, or may.

    In the archive nobody edits, so whatever is wrong there is made good. In the library a person may edit and remove
    as they like: only rot is healed, and what they removed does not come back.
    """
    if what is Found.UNREADABLE:
        return Fate.UNREADABLE
    site = stored.place.site
    if site in {Site.DUPLICATES, Site.QUARANTINE}:
        return Fate.OVER  # set aside: the one that counts is elsewhere, or there is none
    if not is_held_elsewhere:
        return Fate.LOST
    if site is Site.ARCHIVE or (site is Site.LIBRARY and what is Found.ROTTEN):
        return Fate.HEALING
    return Fate.OVER


# -- how far it is ------------------------------------------------------------------------------


def bytes_a_day(rules: Rules, days: Sequence[Day]) -> float | None:
    """What a day's budget comes to at the speed of the last days. None: nobody knows yet."""
    ms, read = sum(d.ms for d in days), sum(d.bytes for d in days)
    if not rules.is_on or not ms or not read:
        return None
    by_time = read / ms * min(rules.ms_a_day, rules.lasts_ms)
    return min(by_time, rules.bytes_a_day) if rules.bytes_a_day else by_time


def whole_by(progress: Progress, rules: Rules, days: Sequence[Day], now: int) -> int | None:
    """When all that is due now will have been read, UTC ms. None: nobody can tell."""
    if not progress.due_copies:
        return now
    speed = bytes_a_day(rules, days)
    return int(now + progress.due_bytes / speed * DAY_MS) if speed else None


def is_behind(progress: Progress, rules: Rules, now: int) -> bool:
    """Has a copy gone unread for so much longer than a cycle that it will not come right by itself?"""
    patience = rules.cycle_ms + max(2 * DAY_MS, rules.cycle_ms // 4)
    return rules.is_on and progress.oldest is not None and progress.oldest + patience < now
