"""A run order from its plan to its end: what `run` and `run --interactive` share."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mediad.mediactl.client import Client
from mediad.mediactl.show import clean, paint, say

POLL_S: Final = 0.2


def plan_of(client: Client, stages: Sequence[str] | None) -> Any:
    return client.post("/workflow/run", {"dry_run": True, **_only(stages)}, timeout=None)


def carry_out(client: Client, stages: Sequence[str] | None) -> dict[str, Any]:
    """Order the run and stay until it is over; its row in the list of runs."""
    number = client.post("/workflow/run", _only(stages))["id"]
    while client.get("/workflow/status")["run"] == number:
        time.sleep(POLL_S)
    doc: dict[str, Any] = next(r for r in client.get("/workflow/runs")["runs"] if r["id"] == number)
    return doc


def _only(stages: Sequence[str] | None) -> Mapping[str, Any]:
    return {"stages": list(stages)} if stages is not None else {}


_WOULD: Final = {
    "act": "act", "done": "record", "merge": "join", "wait": "wait", "leave": "wait for its turn", "ask": "ask",
    "refuse": "refuse",
}  # fmt: skip


def show_plan(plan: Sequence[Mapping[str, Any]]) -> None:
    for p in plan:
        until = f" until {p['until']}" if p["until"] else ""
        head = f"{p['asset']:>7}  {clean(p['name'])}  {paint(p['stage'], 'bold')}"
        say(f"{head} would {_WOULD[p['verdict']]}{until}: {clean(p['what'])}")
    if not plan:
        say("nothing would be done")
