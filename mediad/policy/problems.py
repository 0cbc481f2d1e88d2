"""What a person should know now: one problem a code and subject, with since when and what to do. Pure bookkeeping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

LinkState: TypeAlias = Literal["up", "down", "off"]
STALLED: Final = "daemon.stalled"  # a loop of the daemon does not get on; code and subject
OVERDUE: Final = (
    "stage.overdue"  # a stage has been busy with a file for longer than anything takes; likewise
)


@dataclass(frozen=True, slots=True)
class Problem:
    code: str
    message: str
    since: int  # UTC ms
    remedy: str
    subject: str = ""  # what it is about where a code can have several: a site, a stage, a file


class Problems:
    """A problem raised twice keeps its first time; one that is cleared is gone."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Problem] = {}

    def report(self, problem: Problem) -> bool:
        """True when it is new: the moment to log and to notify."""
        key = problem.code, problem.subject
        known = self._open.get(key)
        since = known.since if known else problem.since
        self._open[key] = Problem(
            problem.code, problem.message, since, problem.remedy, problem.subject
        )
        return known is None

    def clear(self, subject: str, *, prefix: str = "") -> bool:
        """Everything about this subject (or, with a prefix, only codes that begin with it) is over."""
        gone = [k for k in self._open if k[1] == subject and k[0].startswith(prefix)]
        for key in gone:
            del self._open[key]
        return bool(gone)

    def now(self) -> tuple[Problem, ...]:
        return tuple(sorted(self._open.values(), key=lambda p: p.since))

    def about(self, subject: str) -> Problem | None:
        return next((p for p in self._open.values() if p.subject == subject), None)


def link_states(
    sites: Mapping[str, str], problems: Problems
) -> Mapping[str, tuple[LinkState, str]]:
    """Each outside part with its state and a sentence; `sites` gives the reason where it is off ("" when on)."""
    states: dict[str, tuple[LinkState, str]] = {}
    for site, off in sites.items():
        problem = problems.about(site)
        if off:
            states[site] = ("off", off)
        elif problem:
            states[site] = ("down", problem.message)
        else:
            states[site] = ("up", "")
    return states
