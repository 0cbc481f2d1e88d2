"""The bars of `status --watch` add up to what status counts."""

from typing import Any

from mediad.mediactl.watch import progress


def stage(name: str, **counts: Any) -> dict[str, Any]:
    none = dict.fromkeys(("waiting", "ready", "running", "failed", "held", "done", "skipped"), 0)
    return {
        "name": name,
        "state": "on",
        "files_per_minute": 0.0,
        "eta_seconds": None,
        **none,
        **counts,
    }


def status(*stages: dict[str, Any]) -> dict[str, Any]:
    counts = {"total": 10, "completed": 4, "active": 3, "duplicates": 2, "quarantined": 1}
    return {"assets": counts, "workflow": {"stages": list(stages)}}


def test_the_first_bar_is_every_asset_that_needs_nothing_more() -> None:
    [(name, through, left, _)] = progress(status())
    assert (name, through, left) == ("all", 7, 3)


def test_a_stage_with_work_has_a_bar_and_an_idle_one_has_none() -> None:
    rows = progress(
        status(stage("archive", ready=2, running=1, done=5, skipped=1), stage("sort", done=6))
    )
    assert [(r[0], r[1], r[2]) for r in rows[1:]] == [("archive", 6, 3)]


def test_what_waits_for_a_later_hour_is_no_work_of_now() -> None:
    assert len(progress(status(stage("clean", waiting=5)))) == 1
