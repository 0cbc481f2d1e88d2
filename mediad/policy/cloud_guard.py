"""
May this photo leave iCloud? Every reason why not, in words; none: it may.

Each proof stands for itself and was looked up for this very decision. What iCloud holds is compared with what was
taken in, file by file and by Apple's own fingerprint; what we hold was read back from the archive's medium just now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from mediad.config import Settings
from mediad.model import AssetId, Copy, Digest, Remote, RemoteFile, Resource, Site
from mediad.ports import RemoteRow, SelfTest

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
CLOCK_MS: Final = HOUR_MS  # so far may the clock here be from Apple's: days are counted by it
SELFTEST_MS: Final = 30 * DAY_MS  # so long a green self-test counts
BACK: Final = "somebody brought it back from Recently Deleted"
HOME: Final = "PrimarySync"  # the person's own library; from no other one anything is deleted


class Proof(StrEnum):
    """What must hold. The values are for people."""

    ALLOWED = "deleting is switched on"
    ARMED = "deletions are armed"
    TESTED = "the self-test was green within 30 days"
    THERE = "iCloud has it, and not in Recently Deleted"
    NEVER_BACK = "nobody has brought it back from Recently Deleted"
    HOME = "it is in the person's own library"
    OURS = "the person put it there"
    SHOWN = "it is not hidden"
    NO_FAVOURITE = "it is no favourite, or favourites may go"
    OLD_ENOUGH = "it was taken long enough ago"
    SOUND = "iCloud lists its files without a flaw"
    SAME = "iCloud holds the same files that were taken in"
    TAKEN = "every file of it was taken in with Apple's fingerprint"
    CLOCK = "the clock here agrees with Apple's"
    MEMBER = "it stands in the album"
    COOLED = "its time in the album is over"
    ARCHIVED = "the archive gives every file of it back now"
    MATCHED = "what the archive gives back has Apple's fingerprint"
    COPIES = "there are enough copies"
    ON_PHONE = "the phone has it, where the phone is on"
    TWINS = "what shares its bytes in iCloud is archived, too"
    KEEPER = "what it is a duplicate of is as far as it would have to be itself"


# What needs no file to be read: only what has all of these is worth reading for.
QUICK: Final = frozenset(
    set(Proof) - {Proof.ARCHIVED, Proof.MATCHED, Proof.COPIES, Proof.ON_PHONE, Proof.TWINS}
)
SAFETY: Final = (Proof.ALLOWED, Proof.ARMED, Proof.TESTED)
# For the album alone: whether it may be considered at all.
MARKING: Final = frozenset({
    Proof.ALLOWED, Proof.THERE, Proof.NEVER_BACK, Proof.HOME, Proof.OURS, Proof.SHOWN, Proof.NO_FAVOURITE,
    Proof.OLD_ENOUGH, Proof.SOUND, Proof.SAME, Proof.TAKEN, Proof.CLOCK, Proof.KEEPER,
})  # fmt: skip


class Lack(NamedTuple):
    proof: Proof
    why: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the person allows, and what this installation has to prove with."""

    may_delete: bool
    is_armed: bool
    has_archive: bool
    has_phone: bool
    keep_favourites: bool
    min_age_ms: int
    cooloff_ms: int
    min_copies: int

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        off = settings.off()
        return cls(
            may_delete=settings.delete.enabled,
            is_armed=settings.safety.armed,
            has_archive="archive" not in off,
            has_phone="verify" not in off,
            keep_favourites=settings.delete.keep_favourites,
            min_age_ms=int(settings.delete.min_age_days * DAY_MS),
            cooloff_ms=int(settings.delete.cooloff_days * DAY_MS),
            min_copies=settings.safety.min_copies,
        )


@dataclass(frozen=True, slots=True)
class Held:
    """One of iCloud's files, and what was found of its bytes at home for this decision."""

    file: RemoteFile
    digest: Digest | None = None  # of the original that it became
    remembered: tuple[Copy, ...] = ()  # where its bytes were verified once
    fresh: tuple[Copy, ...] = ()  # of those: read back just now, or announced by the phone just now
    fingerprints: tuple[str, ...] = ()  # Apple's, of the archive's bytes, reckoned just now
    is_on_phone: bool = False  # it has it now, or is known to have had it and to have freed it
    holders: tuple[AssetId, ...] = ()  # what it became here, and what that is a duplicate of

    @property
    def is_archived(self) -> bool:
        return any(self._is_here(c) for c in self.fresh)

    @property
    def was_archived(self) -> bool:
        return any(self._is_here(c) for c in self.remembered)

    @property
    def is_matched(self) -> bool:
        """Everything that the archive gave back has the fingerprint that iCloud lists, and there was something."""
        return bool(self.fingerprints) and set(self.fingerprints) == {self.file.fingerprint}

    @property
    def is_safe(self) -> bool:
        is_taken = self.file.original is not None and self.file.is_proved
        return is_taken and self.is_archived and self.is_matched

    @property
    def places(self) -> int:
        return len({c.place for c in self.fresh if c.digest == self.digest})

    def _is_here(self, copy: Copy) -> bool:
        return copy.place.site is Site.ARCHIVE and copy.digest == self.digest is not None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one photo in iCloud at this moment."""

    now: int
    rules: Rules
    row: RemoteRow  # as the journal knows it
    fresh: Remote | None  # as iCloud says just now; None: there is no such record
    selftest: SelfTest | None = None
    behind: str = (
        ""  # of an exact duplicate: why its keeper is not where it would have to be itself
    )
    untested: str = ""  # why the self-test, green or not, does not speak for what is set up now
    ahead_ms: int | None = None  # of the clock here before Apple's, just now; None: nobody knows
    album: frozenset[str] | None = None  # who stands in it now; None: there is no such album
    held: tuple[Held, ...] = ()  # each of row.remote.files
    twins: tuple[tuple[RemoteRow, tuple[Held, ...]], ...] = ()  # others of the same master

    @property
    def is_member(self) -> bool:
        return self.album is not None and self.row.remote.ref.record in self.album


def lacks(case: Case) -> tuple[Lack, ...]:
    """Every proof that is wanting, what the person decides first. Empty: it may be deleted now."""
    return (*_safety(case), *_there(case), *_chosen(case), *_same(case), *_kept(case))


def lacks_for_album(case: Case) -> tuple[Lack, ...]:
    """What keeps it from being put into the album, which harms nothing yet."""
    return tuple(lack for lack in lacks(case) if lack.proof in MARKING)


def lacks_before_reading(case: Case) -> tuple[Lack, ...]:
    """What can be said without a look at any file."""
    return tuple(lack for lack in lacks(case) if lack.proof in QUICK)


def never(remote: Remote) -> str:
    """Why mediad will not delete this whatever else changes; "" when it may one day."""
    if remote.ref.zone != HOME:
        return "it is in a shared library, and mediad deletes only from the person's own"
    return "" if remote.is_ours else "somebody else put it into the library"


def is_back(case: Case) -> bool:
    """It was in Recently Deleted, and somebody wanted it back: that holds for good, whatever else becomes of it."""
    return _was_deleted(case.row) and case.fresh is not None and not case.fresh.is_deleted


def is_clock_right(case: Case) -> bool:
    """A clock that has jumped would end the days in the album at once, or begin them long ago."""
    return case.ahead_ms is not None and abs(case.ahead_ms) <= CLOCK_MS


def is_marked_in_time(case: Case) -> bool:
    """Can the time of its marking be believed? Not if that was before iCloud had it, or is yet to come."""
    at = case.row.marked_at
    return at is not None and case.row.remote.added_at - DAY_MS <= at <= case.now + DAY_MS


def day_budget(deleted: int, listed: int, per_day: int, percent: float) -> int:
    """How many may still go within these 24 hours; a library too small for its percentage lets one go."""
    allowed = min(per_day, max(1, int(listed * percent / 100)))
    return max(0, allowed - deleted)


def changes(proved: Remote, now: Remote) -> str:
    """What somebody did to a photo between the last look at it and its deletion; "": nothing that would keep it."""
    if (_shape(proved), proved.master) != (_shape(now), now.master):
        return "edited"
    if now.is_favourite and not proved.is_favourite:
        return "made a favourite"
    return "hidden" if now.is_hidden and not proved.is_hidden else ""


def album_times(case: Case) -> int:
    """When its cool-off is over, UTC ms."""
    return (case.row.marked_at or case.now) + case.rules.cooloff_ms


# -- the proofs ---------------------------------------------------------------------------------


def _safety(case: Case) -> Iterator[Lack]:
    if not case.rules.may_delete:
        yield Lack(Proof.ALLOWED, "delete.enabled is off")
    if not case.rules.is_armed:
        yield Lack(Proof.ARMED, "deletions are not armed (safety.armed)")
    test = case.selftest
    if test is None:
        yield Lack(Proof.TESTED, "`mediactl selftest` has never been run")
    elif not test.ok or case.untested:
        yield Lack(
            Proof.TESTED, case.untested or f"the last self-test was not green: {test.detail}"
        )
    elif not case.now - SELFTEST_MS <= test.at <= case.now + DAY_MS:
        yield Lack(Proof.TESTED, "the last green self-test is older than 30 days")


def _there(case: Case) -> Iterator[Lack]:
    remote = case.fresh
    if case.row.remote.ref.zone != HOME:
        yield Lack(Proof.HOME, never(case.row.remote))
    if remote is None or remote.ref != case.row.remote.ref:
        yield Lack(Proof.THERE, "iCloud has no such photo any more")
        return
    if remote.is_deleted:
        yield Lack(Proof.THERE, "it lies in Recently Deleted already")
    if not (remote.is_ours and case.row.remote.is_ours):
        yield Lack(Proof.OURS, "somebody else put it into the library")
    if remote.is_hidden:
        yield Lack(Proof.SHOWN, "it is in the Hidden album")
    if remote.is_favourite and case.rules.keep_favourites:
        yield Lack(Proof.NO_FAVOURITE, "it is a favourite, and delete.keep_favourites is on")
    if max(remote.taken_at, case.row.remote.taken_at) + case.rules.min_age_ms > case.now:
        yield Lack(Proof.OLD_ENOUGH, "it was taken too short a time ago (delete.min_age_days)")


def _chosen(case: Case) -> Iterator[Lack]:
    """The album, out of which a person can take a photo at any time; and the bin."""
    if _was_deleted(case.row):
        yield Lack(Proof.NEVER_BACK, "it was in Recently Deleted once, and is not put there again")
    if not is_clock_right(case):
        yield Lack(
            Proof.CLOCK, "the clock here does not agree with Apple's, and days cannot be counted"
        )
    if case.album is None:
        yield Lack(Proof.MEMBER, "the album is not there any more")
    elif not case.is_member:
        yield Lack(Proof.MEMBER, "it does not stand in the album")
    if not is_marked_in_time(case):
        yield Lack(Proof.COOLED, "nobody knows since when it has stood in the album")
    elif album_times(case) > case.now:
        yield Lack(
            Proof.COOLED, "it has not stood in the album for long enough (delete.cooloff_days)"
        )


def _same(case: Case) -> Iterator[Lack]:
    known, remote = case.row.remote, case.fresh
    if flaw := known.flaw or (remote.flaw if remote else "") or _unlisted(known):
        yield Lack(Proof.SOUND, flaw)
    if remote and (_shape(known), known.master) != (_shape(remote), remote.master):
        yield Lack(Proof.SAME, "it was changed in iCloud since it was taken in")
    yield from _taken(known)


def _taken(known: Remote) -> Iterator[Lack]:
    odd = [f.name for f in known.files if not f.is_provable]
    if odd:
        form = "has a form that nobody can work out, so that it is never deleted"
        yield Lack(Proof.TAKEN, f"Apple's fingerprint of {', '.join(odd)} {form}")
    missing = [
        f.name for f in known.files if f.is_provable and (f.original is None or not f.is_proved)
    ]
    if missing:
        yield Lack(Proof.TAKEN, f"not taken in with Apple's fingerprint: {', '.join(missing)}")


def _kept(case: Case) -> Iterator[Lack]:
    if [h.file for h in case.held] != list(case.row.remote.files) or not case.held:
        yield Lack(Proof.ARCHIVED, "it was not looked for in the archive")
    if not case.rules.has_archive:
        yield Lack(Proof.ARCHIVED, "the archive is switched off, and nothing goes without it")
    if case.behind:
        yield Lack(Proof.KEEPER, case.behind)
    for held in case.held:
        yield from _held(held, case.rules)
    for twin, files in case.twins:
        if not _is_safe(twin, files):
            name = twin.remote.name
            yield Lack(Proof.TWINS, f"{name} in iCloud shares its bytes, and is not archived whole")


def _held(held: Held, rules: Rules) -> Iterator[Lack]:
    name = held.file.name
    if not held.is_archived:
        yield Lack(Proof.ARCHIVED, f"the archive does not give {name} back now")
    if not held.is_matched:
        yield Lack(Proof.MATCHED, f"the archive's {name} was not seen to be what iCloud has")
    if held.places < rules.min_copies:
        copies = f"{held.places} copies at home, {rules.min_copies} are wanted"
        yield Lack(Proof.COPIES, f"{name} has {copies}")
    if rules.has_phone and not held.is_on_phone:
        yield Lack(Proof.ON_PHONE, f"the phone is not known to have {name}")


def _is_safe(twin: RemoteRow, files: Sequence[Held]) -> bool:
    if twin.is_gone or twin.remote.is_deleted:
        return True
    is_whole = [h.file for h in files] == list(twin.remote.files) and bool(files)
    return is_whole and all(h.is_safe for h in files)


def _was_deleted(row: RemoteRow) -> bool:
    """Bringing it back by mediactl forgets when that was, but not that it was."""
    return row.deleted_at is not None or row.recoverable_until is not None


def _unlisted(remote: Remote) -> str:
    is_whole = any(f.resource is Resource.ORIGINAL for f in remote.files)
    return "" if is_whole else "iCloud lists no original of it"


def _shape(remote: Remote) -> frozenset[tuple[Resource, str, int]]:
    return frozenset((f.resource, f.fingerprint, f.size) for f in remote.files)
