"""Guards what counts as a deed, and what a taking back, and its taking back, leave to be undone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mediad.journal.migrate import ARRIVE, MERGE, WITNESS
from mediad.model import AssetId
from mediad.policy.undoing import NOT_COVERED, OFF, What, deeds, standing, to_undo, why_not
from mediad.state import TRANSITIONS, State

ONE = AssetId(1)
CLEAN = {"kind": "stat", "gone": [{"site": "spool", "key": "1"}]}


@dataclass
class Row:
    seq: int
    stage: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    from_state: State | None = None
    to_state: State | None = None
    asset: AssetId = ONE
    at: int = 1


def undoing(seq: int, of: int, stage: str = "rearrange", then: State | None = None) -> Row:
    return Row(seq, stage, {"kind": "taken back", "figures": {"undoes": of}}, None, then)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (Row(1, "clean", CLEAN), What.CLEANED),
        (Row(1, "clean", {"kind": "off by configuration"}), None),
        (Row(1, "clean", {"kind": "stat"}), None),
        (Row(1, "clean", {"kind": "skipped by hand"}), What.SKIPPED),
        (Row(1, "archive", {"kind": "skipped by hand"}), What.SKIPPED),
        (Row(1, "archive", {"kind": "read-back"}), None),
        (Row(1, "rearrange", {"kind": "redated"}), What.REARRANGED),
        (undoing(1, 7, "undo", State.RETURNING), What.RETURNED),
        (undoing(1, 7, "undo", State.ARCHIVE_DUE), What.RESUMED),
        (undoing(1, 7, "witness"), What.RELEASED),
        (Row(1, "witness", {"kind": "seen"}), None),
        (Row(1, "witness", {"kind": "seen", "figures": {"undoes": "x"}}), None),
    ],
)
def test_what_a_row_is(row: Row, what: What | None) -> None:
    assert [d.what for d in deeds([row])] == ([what] if what else [])


def test_every_step_is_taken_back_or_says_why_not() -> None:
    ours = {"rearrange", "undo"}
    assert {t.stage for t in TRANSITIONS} - ours | {ARRIVE, MERGE, WITNESS} == NOT_COVERED.keys()
    assert "a second time" in why_not(Row(1, "release", {"kind": "deletion"}))
    assert why_not(Row(1, "sort", {"kind": OFF})) == "sort is switched off, so nothing was done"


def test_the_newest_is_taken_back_first() -> None:
    rows = [Row(1, "rearrange"), Row(2, "clean", CLEAN)]
    assert [d.row.seq for d in to_undo(deeds(rows))] == [2, 1]


def test_what_was_taken_back_is_not_taken_back_twice() -> None:
    rows = [Row(1, "rearrange"), Row(2, "rearrange"), undoing(3, 2)]
    assert [d.row.seq for d in to_undo(deeds(rows))] == [1]


def test_a_taking_back_that_was_taken_back_leaves_the_deed_done() -> None:
    rows = [Row(1, "rearrange"), undoing(2, 1), undoing(3, 2)]
    assert [d.row.seq for d in to_undo(deeds(rows))] == [1]
    assert [d.row.seq for d in standing(deeds(rows))] == [3, 1]


def test_an_order_gives_its_rows_its_number() -> None:
    [deed] = deeds([Row(1, "rearrange", {"kind": "redated", "figures": {"run": 4}})])
    assert (deed.run, deed.undoes) == (4, None)
