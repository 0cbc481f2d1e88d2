"""Guards the scrub's judgement: what is due within the budget, what a reading means, what is to follow from it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import AssetId, Digest, OriginalId, Place, Site, SiteKey
from mediad.policy import scrub
from mediad.policy.scrub import DAY_MS, HOUR_MS, Day, Fate, Found, Progress, Rules, Stored
from mediad.ports import Sighting

GOOD, BAD = Digest("a" * 64), Digest("b" * 64)
MTIME = 1_650_000_000_123_456_789
NIGHT = Rules(
    is_on=True, cycle_ms=30 * DAY_MS, ms_a_day=HOUR_MS, bytes_a_day=0, opens_ms=HOUR_MS, lasts_ms=5 * HOUR_MS
)  # fmt: skip
LATE = Rules(
    is_on=True, cycle_ms=DAY_MS, ms_a_day=HOUR_MS, bytes_a_day=100, opens_ms=22 * HOUR_MS, lasts_ms=8 * HOUR_MS
)  # fmt: skip


def stored(size: int = 10, site: Site = Site.ARCHIVE, *, is_rendition: bool = False) -> Stored:
    place = Place(site, SiteKey("2024/a.jpg"))
    return Stored(AssetId(1), OriginalId(1), place, GOOD, size, MTIME, is_rendition, 0)


def seen(digest: Digest, size: int = 10, mtime_ns: int = MTIME) -> Sighting:
    return Sighting(size, mtime_ns, 1, 1, digest=digest, method="o_direct")


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        (seen(GOOD), Found.WHOLE),
        (seen(BAD), Found.ROTTEN),
        (seen(BAD, mtime_ns=MTIME // 10**9 * 10**9), Found.ROTTEN),  # a share that rounds times
        (seen(BAD, size=11), Found.CHANGED),
        (seen(BAD, mtime_ns=MTIME + 3_600_000_000_000), Found.CHANGED),
        (Sighting(0, MTIME, 1, 1, is_regular=False, what="folder"), Found.CHANGED),
        (None, Found.MISSING),
        (Retryable("a bad sector", code="io.error"), Found.UNREADABLE),
        (NeedsOperator("no right to read", code="file.denied"), Found.UNREADABLE),
        (Refused("a link", code="place.not_a_file"), Found.UNREADABLE),
        (NeedsOperator("not mounted", code="archive.unmounted", site="archive"), None),
        (Retryable("the server is away", code="io.unreachable", site="archive"), None),
        (Retryable("no memory", code="io.memory"), None),
    ],
)
def test_rot_a_change_an_error_and_an_absent_mount_are_told_apart(
    answer: Sighting | MediadError | None, meant: Found | None
) -> None:
    """DL5, DL13: a read error is not rot, and what is out of reach says nothing of any file."""
    assert scrub.found(stored(), answer) is meant


@pytest.mark.parametrize(
    ("site", "what", "is_proved", "fate"),
    [
        (Site.ARCHIVE, Found.ROTTEN, True, Fate.HEALING),
        (Site.ARCHIVE, Found.CHANGED, True, Fate.HEALING),
        (Site.ARCHIVE, Found.MISSING, True, Fate.HEALING),
        (Site.ARCHIVE, Found.MISSING, False, Fate.LOST),
        (Site.LIBRARY, Found.ROTTEN, True, Fate.HEALING),
        (Site.LIBRARY, Found.CHANGED, True, Fate.OVER),  # a person has edited it
        (
            Site.LIBRARY,
            Found.MISSING,
            True,
            Fate.OVER,
        ),  # DL16: what they removed does not come back
        (Site.LIBRARY, Found.MISSING, False, Fate.LOST),
        (Site.SPOOL, Found.ROTTEN, True, Fate.OVER),
        (Site.SPOOL, Found.ROTTEN, False, Fate.LOST),
        (Site.DUPLICATES, Found.ROTTEN, False, Fate.OVER),
        (Site.QUARANTINE, Found.MISSING, False, Fate.OVER),
        (Site.ARCHIVE, Found.UNREADABLE, True, Fate.UNREADABLE),
        (Site.LIBRARY, Found.UNREADABLE, False, Fate.UNREADABLE),
    ],
)
def test_only_what_is_missed_is_healed_and_only_from_a_proved_copy(
    site: Site, what: Found, fate: Fate, *, is_proved: bool
) -> None:
    """P12: rot is healed where another copy has just given its bytes back, and a person is asked where none has."""
    assert scrub.fate_of(stored(site=site), what, is_held_elsewhere=is_proved) is fate


@pytest.mark.parametrize(
    ("rules", "hour", "spent", "may_read", "wait_h"),
    [
        (NIGHT, 0, Day(0), False, 1),
        (NIGHT, 1, Day(0), True, 0),
        (NIGHT, 5, Day(0, ms=HOUR_MS - 1), True, 0),
        (NIGHT, 5, Day(0, ms=HOUR_MS), False, 20),
        (NIGHT, 6, Day(0), False, 19),
        (LATE, 21, Day(0), False, 1),
        (LATE, 22, Day(0), True, 0),
        (LATE, 24 + 5, Day(0, bytes=99), True, 0),
        (LATE, 24 + 5, Day(0, bytes=100), False, 17),
        (LATE, 24 + 6, Day(0), False, 16),
    ],
)
def test_it_reads_within_its_hours_and_its_budget(
    rules: Rules, hour: int, spent: Day, wait_h: int, *, may_read: bool
) -> None:
    """N17: a time and a size budget."""
    turn = scrub.turn(rules, 10 * DAY_MS + hour * HOUR_MS, spent)
    assert (turn.may_read, turn.wait_ms) == (may_read, wait_h * HOUR_MS)
    assert bool(turn.why) is not may_read


def test_a_night_is_one_day_of_the_budget_on_both_sides_of_midnight() -> None:
    before, after = 10 * DAY_MS + 23 * HOUR_MS, 11 * DAY_MS + 5 * HOUR_MS
    assert scrub.day_of(LATE, before) == scrub.day_of(LATE, after) == 10


def test_switched_off_it_never_reads() -> None:
    assert not scrub.turn(replace(NIGHT, is_on=False), 2 * HOUR_MS, Day(0)).may_read


@given(
    sizes=st.lists(st.integers(0, 60), max_size=40),
    spent=st.integers(0, 120),
    limit=st.integers(0, 100),
)
def test_a_lot_stays_within_the_bytes_of_its_day(sizes: list[int], spent: int, limit: int) -> None:
    """N17: but for one file that is larger than any day allows, alone on a fresh day."""
    rules = replace(NIGHT, bytes_a_day=limit)
    due = [stored(s) for s in sizes]
    lot = scrub.lot_of(due, rules, Day(0, bytes=spent))
    assert lot == due[: len(lot)]
    assert len(lot) <= scrub.LOT_FILES
    total = sum(s.size for s in lot)
    if limit and lot and spent + total > limit:
        assert len(lot) == 1
        assert spent == 0
    if sizes and not limit:
        assert lot


def test_a_large_file_is_a_lot_of_its_own() -> None:
    due = [stored(scrub.LOT_BYTES * 2), stored(1)]
    assert scrub.lot_of(due, NIGHT, Day(0)) == due[:1]
    assert scrub.lot_of(due[::-1], NIGHT, Day(0)) == due[1:]


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=30))
def test_with_any_budget_at_all_everything_is_read_in_the_end(sizes: list[int]) -> None:
    rules = replace(NIGHT, bytes_a_day=100)
    due, days, spent = [stored(s) for s in sizes], 0, Day(0)
    while due:
        lot = scrub.lot_of(due, rules, spent)
        spent = Day(0, bytes=spent.bytes + sum(s.size for s in lot)) if lot else Day(0)
        days += not lot
        due = due[len(lot) :]
        assert days <= len(sizes)


def test_an_unreadable_file_is_tried_ever_more_rarely_and_never_given_up() -> None:
    waits = [scrub.again_after(n) for n in range(1, 9)]
    assert waits[0] == HOUR_MS
    assert waits == sorted(waits)
    assert waits[-1] == 7 * DAY_MS


def test_the_forecast_comes_from_the_speed_of_the_last_days() -> None:
    """N17: an hour a night either covers the archive in its cycle, or says that it does not."""
    days = [Day(1, ms=HOUR_MS // 2, bytes=1000, copies=1)]
    progress = Progress(copies=10, bytes=9000, due_copies=3, due_bytes=4000, oldest=5)
    assert scrub.bytes_a_day(NIGHT, days) == 2000
    assert scrub.whole_by(progress, NIGHT, days, 7) == 7 + 2 * DAY_MS
    assert scrub.whole_by(progress, NIGHT, [], 7) is None
    assert scrub.whole_by(progress._replace(due_copies=0), NIGHT, days, 7) == 7
    assert scrub.bytes_a_day(LATE, days) == 100


def test_who_falls_behind_says_so() -> None:
    now = 1000 * DAY_MS
    fine = Progress(1, 1, 1, 1, oldest=now - 31 * DAY_MS)
    assert not scrub.is_behind(fine, NIGHT, now)
    assert not scrub.is_behind(Progress(), NIGHT, now)
    assert scrub.is_behind(fine._replace(oldest=now - 38 * DAY_MS), NIGHT, now)
