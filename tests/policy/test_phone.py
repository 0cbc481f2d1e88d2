"""Guards the claim that the phone has a file: the truth table as it was seen on real nodes, row by row."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.model import BatchId, Digest, OriginalId, Placement, Rung, SiteKey, Witness
from mediad.policy.phone import (
    HOUR_MS,
    Truth,
    covers,
    fits,
    is_listed,
    judge,
    seen_of,
    stuck_before,
    vector,
)
from mediad.policy.phone import testimony as told_by  # its own name would be taken for a test's
from mediad.ports import Entry, Heard, Indexed, Opinion, PhoneLink, Sighting

NOW = 4_102_444_800_123
PHONE, HOST = "GBYDBMZ", "QKXAAAA"
V = f"{HOST}:10"
SAME, OTHER = Digest("a" * 64), Digest("b" * 64)
PLACED = Placement(OriginalId(1), BatchId(1), SiteKey("a.jpg"), SAME, 500, 77, V)
OURS = Sighting(500, 77, 0, 1)
HERE = Entry(V, 500, 77)


def entry(version: str = V, **said: object) -> Entry:
    return replace(HERE, version=version, **said)  # type: ignore[arg-type]


def indexed(
    newest: Entry | None = HERE,
    *,
    here: Entry | None = HERE,
    on_phone: bool = True,
    opinion: Opinion = Opinion.NOT_NEEDED,
) -> Indexed:
    return Indexed(here, newest, on_phone, opinion)


DELETED = entry(f"{PHONE}:12,{V}", is_deleted=True, size=0, modified_by=PHONE)
EDITED = entry(f"{PHONE}:12,{V}", size=9, modified_by=PHONE)
TOUCHED = f"{HOST}:11"

ROWS = {
    "in transfer": (indexed(on_phone=False), OURS, Truth.WAIT),
    "done": (indexed(), OURS, Truth.CONFIRMED),
    "pixel offline, its device or its folder paused, disk full": (indexed(on_phone=False), OURS, Truth.WAIT),
    "ignored at the pixel, host 1.x": (indexed(on_phone=False), OURS, Truth.WAIT),
    "ignored at the pixel, host 2.x, nobody to ask": (indexed(opinion=Opinion.NONE), OURS, Truth.DOUBTFUL),
    "ignored at the pixel, host 2.x, and somebody says no": (indexed(opinion=Opinion.AGAINST), OURS, Truth.DOUBTFUL),
    "done, host 2.x, the pixel's api says so": (indexed(opinion=Opinion.PHONE_API), OURS, Truth.CONFIRMED),
    "done, host 2.x, the bytes were sent": (indexed(opinion=Opinion.SENT_BYTES), OURS, Truth.CONFIRMED),
    "pixel deleted it": (indexed(DELETED), OURS, Truth.FREED),
    "pixel deleted it, and then it went here": (indexed(DELETED, here=None), None, Truth.FREED),
    "pixel deleted it, nobody vouches": (indexed(DELETED, opinion=Opinion.NONE), OURS, Truth.FREED),
    "pixel deleted it, not scanned there yet": (indexed(), OURS, Truth.CONFIRMED),
    "pixel edited it": (indexed(EDITED), OURS, Truth.CHANGED_THERE),
    "receive-only pixel deleted or edited it": (indexed(on_phone=False), OURS, Truth.WAIT),
    "host changed it, not scanned: another size": (indexed(), replace(OURS, size=501), Truth.CHANGED_HERE),
    "host changed it, not scanned: another time": (indexed(), replace(OURS, mtime_ns=78), Truth.CHANGED_HERE),
    "host changed it, scanned": (
        indexed(entry(TOUCHED, size=501), here=entry(TOUCHED, size=501), on_phone=False),
        replace(OURS, size=501), Truth.CHANGED_HERE,
    ),
    "read back as other bytes": (indexed(), replace(OURS, digest=OTHER), Truth.CHANGED_HERE),
    "touched here, read back the same": (
        indexed(entry(TOUCHED, mtime_ns=78), here=entry(TOUCHED, mtime_ns=78), on_phone=False),
        replace(OURS, mtime_ns=78, digest=SAME), Truth.NOT_INDEXED,
    ),
    "another mode here": (indexed(entry(TOUCHED), here=entry(TOUCHED)), OURS, Truth.NOT_INDEXED),
    "a folder in its place": (indexed(), replace(OURS, is_regular=False, what="folder"), Truth.CHANGED_HERE),
    "same bytes and time, new inode": (indexed(), replace(OURS, inode=2), Truth.CONFIRMED),
    "host deleted it, pixel keeps it": (
        indexed(entry(TOUCHED, is_deleted=True), here=entry(TOUCHED, is_deleted=True), on_phone=False),
        None, Truth.CHANGED_HERE,
    ),
    "not scanned, ignored on the host, or a temporary name": (None, OURS, Truth.NOT_INDEXED),
    "listed by the others only": (indexed(here=None), OURS, Truth.NOT_INDEXED),
    "index still about the last file of that name": (indexed(here=entry(size=3)), OURS, Truth.NOT_INDEXED),
    "index with an older time": (indexed(here=entry(mtime_ns=76)), OURS, Truth.NOT_INDEXED),
    "index without times": (indexed(entry(mtime_ns=None), here=entry(mtime_ns=None)), OURS, Truth.CONFIRMED),
    "invalid here": (indexed(here=entry(is_invalid=True)), OURS, Truth.NOT_INDEXED),
    "newest invalid": (indexed(entry(is_invalid=True)), OURS, Truth.WAIT),
    "newest deleted under our own version": (indexed(entry(is_deleted=True)), OURS, Truth.WAIT),
    "the pixel's version is invalid": (indexed(replace(EDITED, is_invalid=True)), OURS, Truth.WAIT),
    "a third device is ahead": (indexed(entry(f"{V},ZZZZZZZ:4")), OURS, Truth.WAIT),
    "the pixel deleted an older version of it": (
        indexed(entry(f"{PHONE}:12,{HOST}:9", is_deleted=True)), OURS, Truth.WAIT,
    ),
    "its database lost, the phone's version of our very file won, and then it was freed": (
        indexed(entry(f"{PHONE}:21", is_deleted=True, size=0), here=entry(f"{PHONE}:20")), OURS, Truth.FREED,
    ),
    "the same, and then it was changed there": (
        indexed(entry(f"{PHONE}:21", size=9), here=entry(f"{PHONE}:20")), OURS, Truth.CHANGED_THERE,
    ),
    "the same, but what is listed here is not as it was placed": (
        indexed(entry(f"{PHONE}:21", is_deleted=True), here=entry(f"{PHONE}:20", mtime_ns=78)), OURS,
        Truth.NOT_INDEXED,
    ),
    "the same, and nothing has happened since": (
        indexed(entry(f"{PHONE}:20"), here=entry(f"{PHONE}:20")), OURS, Truth.NOT_INDEXED,
    ),
    "nobody announces anything": (indexed(None), OURS, Truth.WAIT),
}  # fmt: skip


@pytest.mark.parametrize("situation", ROWS)
def test_the_truth_table(situation: str) -> None:
    told, seen, truth = ROWS[situation]
    found = judge(PLACED, told, seen, PHONE)
    assert found.truth is truth
    assert found.why


def test_without_a_version_nothing_can_be_said_of_the_phone() -> None:
    unbound = replace(PLACED, version="")
    for told in (indexed(), indexed(DELETED), indexed(EDITED)):
        assert judge(unbound, told, OURS, PHONE).truth is Truth.NOT_INDEXED


def test_what_the_phone_had_before_this_version_says_nothing_of_it() -> None:
    later = replace(PLACED, version=f"{PHONE}:12,{HOST}:20")
    assert judge(later, indexed(DELETED), OURS, PHONE).truth is Truth.NOT_INDEXED
    again = entry(f"{PHONE}:13,{HOST}:20", is_deleted=True)
    assert judge(later, indexed(again), OURS, PHONE).truth is Truth.FREED


def test_a_version_covers_what_its_maker_had() -> None:
    assert covers("A:2,B:1", "A:2")
    assert covers("A:2", "A:2")
    assert not covers("A:1,B:9", "A:2")
    assert not covers("", "A:1")
    assert vector("A:2,B:1") == {"A": 2, "B": 1}
    assert vector("") == {}


def test_a_witness_counts_for_the_version_it_saw_and_for_what_the_phone_made_of_it() -> None:
    def seen(rung: Rung, version: str, original: int = 1) -> Witness:
        return Witness(
            OriginalId(original), rung, 5, "x", {"device": f"{PHONE}-REST", "version": version}
        )

    told = (
        seen(Rung.PHONE_HAS, V),
        seen(Rung.PHONE_FREED, f"{PHONE}:12,{V}"),
        seen(Rung.PHONE_CHANGED, f"{HOST}:11"),  # newer, but not of the phone's making
        seen(Rung.GOOGLE_HAS, V, original=2),
        Witness(OriginalId(1), Rung.GOOGLE_HAS, 5, "by-hand", {"who": "me"}),
    )
    assert seen_of(PLACED, told) == {Rung.PHONE_HAS, Rung.PHONE_FREED}
    assert seen_of(replace(PLACED, version=""), told) == frozenset()
    assert seen_of(replace(PLACED, version=f"{HOST}:12"), told) == frozenset()


LINK = PhoneLink(f"{PHONE}-REST", is_connected=True, since=NOW - HOUR_MS, syncthing="v1.19.2")


def test_a_testimony_says_who_what_by_whom_and_after_what() -> None:
    said = {"device": f"{PHONE}-REST", "version": V, "syncthing": "v1.19.2"}
    assert told_by(LINK, V) == said
    heard = replace(LINK, heard=Heard(7, "RemoteIndexUpdated", "2026-11-21T03:00:00Z"))
    event = {"id": 7, "type": "RemoteIndexUpdated", "at": "2026-11-21T03:00:00Z"}
    assert told_by(heard, V) == {**said, "event": event}


def test_only_a_phone_that_was_there_for_a_while_can_be_stuck() -> None:
    day = 24 * HOUR_MS
    assert stuck_before(LINK, NOW, day) == NOW - day
    assert stuck_before(replace(LINK, since=None), NOW, day) == NOW - day
    assert stuck_before(replace(LINK, since=NOW - HOUR_MS + 1), NOW, day) == 0
    assert stuck_before(replace(LINK, is_connected=False), NOW, day) == 0
    assert stuck_before(replace(LINK, since=NOW - 500), NOW, 500) == NOW - 500


VERSIONS = st.dictionaries(st.sampled_from([PHONE, HOST, "ZZZZZZZ"]), st.integers(1, 4), min_size=1).map(
    lambda v: ",".join(f"{d}:{n}" for d, n in sorted(v.items()))
)  # fmt: skip
ENTRIES = st.none() | st.builds(
    Entry,
    VERSIONS,
    st.sampled_from([500, 9]),
    st.sampled_from([77, 78, None]),
    st.booleans(),
    st.booleans(),
)
SEEN = st.none() | st.builds(
    Sighting,
    size=st.sampled_from([500, 9]),
    mtime_ns=st.sampled_from([77, 78]),
    ctime_ns=st.just(0),
    inode=st.just(1),
    is_regular=st.booleans(),
    digest=st.sampled_from([None, SAME, OTHER]),
)


@given(
    st.none() | st.builds(Indexed, ENTRIES, ENTRIES, st.booleans(), st.sampled_from(Opinion)),
    SEEN,
    VERSIONS | st.just(""),
)
def test_confirmed_means_every_sign_at_once(
    told: Indexed | None, seen: Sighting | None, version: str
) -> None:
    placed = replace(PLACED, version=version)
    found = judge(placed, told, seen, PHONE)
    if found.truth is not Truth.CONFIRMED:
        return
    assert told is not None
    assert seen is not None
    assert told.newest is not None
    assert told.is_on_phone
    assert told.opinion not in {Opinion.NONE, Opinion.AGAINST}
    assert not told.newest.is_deleted
    assert not told.newest.is_invalid
    assert is_listed(placed, told.here, seen)
    assert told.newest.version == version != ""
    assert seen.digest in {None, SAME}


def test_an_entry_stands_for_a_file_only_when_it_is_about_that_file() -> None:
    assert fits(HERE, OURS)
    assert not fits(None, OURS)
    for other in (entry(is_deleted=True), entry(""), entry(size=1), entry(mtime_ns=1)):
        assert not fits(other, OURS)
