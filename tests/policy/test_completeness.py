"""Guards that the table of completeness adds up, and that every missing asset has a reason in plain words."""

from dataclasses import dataclass, field

import pytest

from mediad.model import Kind
from mediad.policy.completeness import GONE, Cell, grid, reason, total


@dataclass(frozen=True)
class Cause:
    why: str = ""
    flaw: str = ""
    is_gone: bool = False
    state: str = ""
    mark: str = ""
    code: str = ""


@dataclass(frozen=True)
class Told:
    month: str
    kind: Kind
    count: int
    reason: Cause = field(default_factory=Cause)
    is_archived: bool = False


def test_a_month_and_a_kind_make_a_cell_that_adds_up() -> None:
    cells = grid(
        [
            Told("2024-07", Kind.PHOTO, 5, is_archived=True),
            Told("2024-07", Kind.PHOTO, 2, Cause(state="intake.listed", mark="ready")),
            Told("2024-07", Kind.PHOTO, 1, Cause(why="filtered: old")),
            Told("2024-07", Kind.VIDEO, 1, is_archived=True),
            Told("", Kind.PHOTO, 1, Cause(why="filtered: old")),
        ]
    )
    assert cells == (
        Cell("", Kind.PHOTO, 1, 0, 0, {"filtered: old": 1}),
        Cell("2024-07", Kind.PHOTO, 8, 7, 5, {"waits to be fetched": 2, "filtered: old": 1}),
        Cell("2024-07", Kind.VIDEO, 1, 1, 1, {}),
    )
    assert all(c.listed == c.archived + sum(c.missing.values()) for c in cells)
    whole = total(cells)
    assert (whole.listed, whole.journalled, whole.archived) == (10, 8, 6)
    assert whole.missing == {"waits to be fetched": 2, "filtered: old": 2}


def test_what_left_icloud_counts_only_where_it_is_missing_here() -> None:
    gone = Cause(is_gone=True)
    cells = grid(
        [
            Told("2024-07", Kind.PHOTO, 5, gone, is_archived=True),
            Told("2024-08", Kind.PHOTO, 1, gone),
        ]
    )
    assert cells == (Cell("2024-08", Kind.PHOTO, 1, 1, 0, {GONE: 1}),)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause(why="filtered: old", is_gone=True), "filtered: old"),
        (Cause(flaw="no original"), "no original"),
        (Cause(), "not journalled yet"),
        (Cause(is_gone=True), GONE),
        (Cause(is_gone=True, state="intake.quarantined", mark="final"), GONE),
        (
            Cause(state="intake.listed", mark="retry", code="icloud.mismatch"),
            "waits to be fetched (icloud.mismatch)",
        ),
        (
            Cause(state="intake.listed", mark="failed", code="icloud.mismatch"),
            "failed at intake.listed (icloud.mismatch)",
        ),
        (
            Cause(state="archive.due", mark="held", code="archive.taken"),
            "held at archive.due (archive.taken)",
        ),
        (
            Cause(state="intake.quarantined", mark="final"),
            "in quarantine: no photo or film that mediad knows",
        ),
        (
            Cause(state="intake.duplicate", mark="final"),
            "a duplicate of an asset that is not archived yet",
        ),
        (Cause(state="archive.due", mark="ready"), "on its way (archive.due)"),
        (
            Cause(flaw="an edit without fingerprint", state="archive.verified", mark="final"),
            "an edit without fingerprint",
        ),
        (Cause(state="archive.verified", mark="final"), "not to be found in the archive"),
    ],
)
def test_every_missing_asset_has_a_reason(cause: Cause, words: str) -> None:
    assert reason(cause) == words
