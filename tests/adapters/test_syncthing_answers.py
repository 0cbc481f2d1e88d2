"""Guards the reading of Syncthing's JSON: exact where it is right, an error where it is not, never a guess."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.adapters.syncthing import answers
from mediad.errors import MediadError
from mediad.model import SiteKey
from tests.adapters.syncthing_stand_in import PIXEL, file_of, row

A = SiteKey("a.jpg")


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2026-11-21T02:59:46.983591506Z", 1_795_229_986_983_591_506),
        ("2026-11-21T03:59:46.98+01:00", 1_795_229_986_980_000_000),
        ("2026-11-20T21:29:46-05:30", 1_795_229_986_000_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000),
    ],
)
def test_times_are_read_to_the_nanosecond(written: str, ns: int) -> None:
    assert answers.nanoseconds(written) == ns


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 - its zone is drawn beside it
    st.integers(-23 * 60, 23 * 60),
    st.integers(0, 999),
)
def test_any_offset_is_the_same_instant(when: datetime, minutes: int, ns: int) -> None:
    there = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    written = f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06}{ns:03}{offset}"
    written = f"{when.year:04}{written[written.index('-') :]}"
    since = there - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    assert answers.nanoseconds(written) == microseconds * 1000 + ns


@pytest.mark.parametrize(
    "written", ["", "yesterday", "2026-11-21", "2026-11-21T02:59:46", "2026-13-41T02:59:46Z"]
)
def test_what_is_no_time_is_an_error(written: str) -> None:
    with pytest.raises(MediadError):
        answers.nanoseconds(written)


def test_a_version_has_one_spelling() -> None:
    assert answers.version(["QKX2222:5", "GBYDBMZ:12"]) == "GBYDBMZ:12,QKX2222:5"
    assert answers.version(["GBYDBMZ:12", "QKX2222:5"]) == "GBYDBMZ:12,QKX2222:5"
    assert answers.version(None) == ""


@pytest.mark.parametrize(
    "odd", ["AAAAAAA:1", ["A:1", "A:2"], ["a:1"], ["AAAAAAA"], [5], ["AAAAAAA:1,B:2"], {}]
)
def test_what_is_no_version_is_an_error(odd: object) -> None:
    with pytest.raises(MediadError):
        answers.version(odd)


def test_a_whole_file_is_read() -> None:
    found = answers.indexed(file_of("a.jpg"), A, PIXEL)
    assert found.here == found.newest
    assert found.here is not None
    assert found.here.mtime_ns == 1_714_979_289_123_456_789
    assert found.here.blocks_hash == ""
    assert found.is_on_phone


def test_a_side_without_the_name_is_none() -> None:
    empty = {
        "name": "",
        "type": "FILE_INFO_TYPE_FILE",
        "size": 0,
        "version": None,
        "modified": "1970-01-01T00:00:00Z",
    }
    assert answers.indexed(file_of("a.jpg", local=empty), A, PIXEL).here is None


@pytest.mark.parametrize(
    "availability",
    [None, [], [{"id": PIXEL, "fromTemporary": True}], [{"id": "ANOTHER", "fromTemporary": False}]],
)
def test_only_this_phone_with_all_of_the_file_counts(availability: object) -> None:
    assert not answers.indexed(file_of("a.jpg", availability=availability), A, PIXEL).is_on_phone


@pytest.mark.parametrize(
    "mark",
    [
        {"invalid": True},
        {"ignored": True},
        {"mustRescan": True},
        {"localFlags": 2},
        {"localFlags": 64},
        {"localFlags": 128},  # nobody knows yet what that will mean
        {"type": "FILE_INFO_TYPE_DIRECTORY"},
        {"type": "FILE_INFO_TYPE_SYMLINK_FILE"},
    ],
)
def test_what_is_no_sound_file_is_invalid(mark: dict[str, Any]) -> None:
    found = answers.entry(row("a.jpg", **mark))
    assert found is not None
    assert found.is_invalid


@pytest.mark.parametrize("flags", [0, 16, 32, 48])
def test_the_marks_that_2_gives_its_own_rows_are_harmless(flags: int) -> None:
    found = answers.entry(row("a.jpg", localFlags=flags))
    assert found is not None
    assert not found.is_invalid


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {"global": row("a.jpg")},
        file_of("a.jpg", local=None),
        file_of("a.jpg", local=[]),
        file_of("a.jpg", availability={}),
        file_of("a.jpg", availability=[PIXEL]),
        file_of("a.jpg", availability=[{"id": PIXEL}]),
        file_of("a.jpg", availability=[{"id": PIXEL, "fromTemporary": 0}]),
        file_of("a.jpg", **{"global": row("another.jpg")}),
        *(
            file_of("a.jpg", **{"global": row("a.jpg", **{key: odd_one})})
            for key, odd_one in [
                ("size", "5"), ("size", 5.0), ("size", None), ("size", True), ("deleted", None), ("deleted", "no"),
                ("deleted", 0), ("invalid", 1), ("localFlags", "x"), ("version", "A:1"), ("version", [1]),
                ("modified", 5), ("modified", "now"), ("type", None), ("type", 0), ("name", 5), ("blocksHash", []),
                ("modifiedBy", 3),
            ]
        ),
    ],
)  # fmt: skip
def test_a_wrong_type_anywhere_is_an_error_and_no_guess(odd: object) -> None:
    with pytest.raises(MediadError) as caught:
        answers.indexed(odd, A, PIXEL)
    assert caught.value.code == "syncthing.answer"


def test_one_name_in_two_spellings_of_unicode_is_one_name() -> None:
    name = unicodedata.normalize("NFC", "é.jpg")
    asked = SiteKey(unicodedata.normalize("NFD", name))
    assert answers.entry(row(name), asked) is not None


def test_a_deletion_counts_only_where_it_is_asked_for() -> None:
    rows = [row("a.jpg"), row("b.jpg", deleted=True)]
    assert list(answers.names(rows, deleted=False)) == ["a.jpg"]
    assert list(answers.names(rows, deleted=True)) == ["a.jpg", "b.jpg"]
