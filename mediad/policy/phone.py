"""
Does the phone have this file? The one place that says so.

Only positive evidence counts: what Syncthing does not list, nobody knows. A version names bytes; it was bound to the
bytes of our file when that was placed, and whatever else is found under the name since is not them.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from mediad.model import Placement, Rung, Witness
from mediad.ports import Entry, Indexed, Opinion, PhoneLink, Sighting

HOUR_MS: Final = 3_600_000

Vector: TypeAlias = Mapping[str, int]


class Truth(StrEnum):
    CONFIRMED = "on the phone"
    WAIT = "on its way to the phone"
    FREED = "was on the phone, and has been removed there"
    CHANGED_THERE = "was on the phone, and has been changed there"
    CHANGED_HERE = "changed here since it was placed"
    NOT_INDEXED = "not listed by Syncthing as it was placed"
    DOUBTFUL = "listed as on the phone, but nothing vouches for it"


class Finding(NamedTuple):
    truth: Truth
    why: str


_VOUCHED: Final[Mapping[Opinion, str]] = {
    Opinion.NOT_NEEDED: "the phone announces this very version",
    Opinion.PHONE_API: "the phone announces this very version, and its own Syncthing says so too",
    Opinion.SENT_BYTES: "the phone announces this very version, and as many bytes went there",
}


def judge(
    placement: Placement, indexed: Indexed | None, seen: Sighting | None, phone_short: str
) -> Finding:
    """What is true of one file now. `seen`: our file in the shared folder; with its digest, if that was read."""
    newest = indexed.newest if indexed else None
    here = indexed.here if indexed else None
    if newest and any(_is_by_phone(newest, v, phone_short) for v in _versions(placement, here)):
        if newest.is_deleted:
            return Finding(Truth.FREED, "the phone had this version, and has removed it since")
        return Finding(Truth.CHANGED_THERE, "the phone had this version, and has another one now")
    if changed := _changed(placement, seen):
        return Finding(Truth.CHANGED_HERE, changed)
    if indexed is None or seen is None or not is_listed(placement, indexed.here, seen):
        return Finding(Truth.NOT_INDEXED, "Syncthing does not list the file here as it was placed")
    return _of_phone(placement, indexed)


def is_listed(placement: Placement, here: Entry | None, seen: Sighting) -> bool:
    """Does Syncthing list exactly the file that is here, in the version that it was placed in?"""
    return fits(here, seen) and here is not None and here.version == placement.version


def fits(here: Entry | None, seen: Sighting) -> bool:
    """Is the entry about the file as it is here now? Only then may its version stand for these bytes."""
    if here is None or here.is_deleted or here.is_invalid or not here.version:
        return False
    return here.size == seen.size and here.mtime_ns in {None, seen.mtime_ns}


def seen_of(placement: Placement, witnesses: Sequence[Witness]) -> frozenset[Rung]:
    """What was ever seen of the phone and this very version: later answers add to it, and take nothing back."""
    return frozenset(
        w.rung
        for w in witnesses
        if w.original == placement.original and _is_about(w, placement.version)
    )


def _is_about(witness: Witness, version: str) -> bool:
    """It saw this version on the phone, or one that the phone has made of it."""
    seen = str(witness.detail.get("version", ""))
    phone = str(witness.detail.get("device", ""))[:7]
    return bool(version) and (seen == version or is_made_from(seen, version, phone))


def version_of(placement: Placement, newest: Entry, phone: str) -> str:
    """What a testimony about the file calls it: by the phone's version, where that was made from the placed one."""
    is_heir = is_made_from(newest.version, placement.version, phone)
    return newest.version if is_heir else placement.version


def testimony(link: PhoneLink, version: str) -> Mapping[str, object]:
    """What a witness is to say beside what it saw: who, which version, by whose word, after which event."""
    said: dict[str, object] = {
        "device": link.device,
        "version": version,
        "syncthing": link.syncthing,
    }
    if link.heard:
        said["event"] = {"id": link.heard.id, "type": link.heard.type, "at": link.heard.at}
    return said


def stuck_before(link: PhoneLink, now: int, patience_ms: int) -> int:
    """
    What was placed before this moment and is not on the phone yet, is stuck; 0: nothing is.

    A phone that is away takes nothing, and one that has just come back may still be at it.
    """
    if not link.is_connected:
        return 0
    is_settled = link.since is None or now - link.since >= min(HOUR_MS, patience_ms)
    return now - patience_ms if is_settled else 0


def vector(version: str) -> Vector:
    """A version, device by device."""
    counters = (part.rpartition(":") for part in version.split(",") if part)
    return {device: int(counter) for device, _, counter in counters}


def covers(one: str, other: str) -> bool:
    """Was whoever made the one version in possession of the other?"""
    mine = vector(one)
    return all(mine.get(device, 0) >= counter for device, counter in vector(other).items())


def is_made_from(newer: str, version: str, device: str) -> bool:
    """Has the device made the newer one of this very version? Then it had it."""
    is_later = vector(newer).get(device, 0) > vector(version).get(device, 0)
    return is_later and covers(newer, version)


def _is_by_phone(newest: Entry, version: str, phone: str) -> bool:
    return bool(version) and not newest.is_invalid and is_made_from(newest.version, version, phone)


def _versions(placement: Placement, here: Entry | None) -> tuple[str, ...]:
    """
    What stands for its bytes: the version that it was placed in, and the one that has taken that one's place since.

    A phone whose database was lost gives the files that it still has a version of its own, and that may win. Syncthing
    here only takes it over where the blocks are the same.
    """
    if not placement.version or here is None or here.is_deleted or here.is_invalid:
        return (placement.version,)
    is_same = (here.size, here.mtime_ns) == (placement.size, placement.mtime_ns)
    is_older = covers(placement.version, here.version)
    return (placement.version, here.version) if is_same and not is_older else (placement.version,)


def _changed(placement: Placement, seen: Sighting | None) -> str:
    if seen is None:
        return "the file is no longer in the shared folder"
    if seen.digest is not None:
        return "" if seen.digest == placement.digest else "the file holds other bytes now"
    if not seen.is_regular:
        return f"a {seen.what} has taken the file's place"
    is_same = (seen.size, seen.mtime_ns) == (placement.size, placement.mtime_ns)
    return "" if is_same else "the file is not the one that was placed: its size or time differs"


def _of_phone(placement: Placement, indexed: Indexed) -> Finding:
    newest = indexed.newest
    if newest is None or newest.version != placement.version:
        return Finding(Truth.WAIT, "another version is being sorted out between the devices")
    if newest.is_deleted or newest.is_invalid:
        return Finding(Truth.WAIT, "Syncthing calls this version removed or invalid for now")
    if not indexed.is_on_phone:
        return Finding(Truth.WAIT, "the phone has not announced it yet")
    if indexed.opinion not in _VOUCHED:
        said = "says no" if indexed.opinion is Opinion.AGAINST else "is to be had"
        second = "the second opinion" if indexed.opinion is Opinion.AGAINST else "no second opinion"
        return Finding(Truth.DOUBTFUL, f"the phone seems to announce it, but {second} {said}")
    return Finding(Truth.CONFIRMED, _VOUCHED[indexed.opinion])
