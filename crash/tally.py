"""What was tried and what came of it; tallies of several workers add up to one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    what: str
    is_quiet: bool = False
    tried: int = 0
    runs: int = 0  # fewer than what was tried where one run had several faults
    missed: int = 0  # points that this run did not come to
    lost: int = 0
    differing: int = 0
    asked: int = 0  # a person was asked, and said `retry`
    hung: int = 0  # did not end while the fault lasted, and was killed
    calls: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def add(
        self,
        where: str,
        call: str,
        bad: Sequence[str],
        asked: Sequence[str] = (),
        *,
        points: int = 1,
    ) -> None:
        self.tried += points
        self.runs += 1
        self.calls[call] += 1
        self.codes.update(asked)
        self.asked += bool(asked)
        if bad:
            self.complain(where, bad)

    def complain(self, where: str, bad: Sequence[str]) -> None:
        if any(b.startswith("lost") for b in bad):
            self.lost += 1
        else:
            self.differing += 1
        told = f"{self.what}: {where}: {' | '.join(dict.fromkeys(bad))[:900]}"
        self.complaints.append(told)
        if not self.is_quiet:
            print(f"BAD {told}", flush=True)

    @property
    def bad(self) -> int:
        return self.lost + self.differing

    def line(self) -> str:
        more = [f"in {self.runs} runs"] * (self.runs < self.tried)
        more += [f"{self.asked} asked a person"] * bool(self.asked)
        more += [f"{self.hung} waited for its end"] * bool(self.hung)
        tail = f" ({', '.join(more)})" if more else ""
        return (
            f"{self.what}: {self.tried} points, {self.lost} lost, {self.differing} differing{tail}"
        )

    def merge(self, told: dict[str, Any]) -> None:
        for name in ("tried", "runs", "missed", "lost", "differing", "asked", "hung"):
            setattr(self, name, getattr(self, name) + told[name])
        self.calls.update(told["calls"])
        self.codes.update(told["codes"])
        self.complaints += told["complaints"]

    def plain(self) -> dict[str, Any]:
        return dict(vars(self))
