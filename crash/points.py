"""
Every crash point, and every fault that a disk can answer with: one run for each, then one start unharmed.

Also many faults in one life: whenever the daemon ends it is started again, and meets the next one some calls later.
"""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from crash.calls import GROWS, KINDS, Call
from crash.rig import FINE, Rig
from crash.tally import Tally
from crash.tracer import GO, KILL, Order

KILLED: Final = "kill"
SHORT: Final = "short"
CORRUPT: Final = "corrupt"  # the bytes that are written are not those that lie there afterwards
_NAMED: Final = frozenset(
    name for name, kind in KINDS.items() if kind.paths
)  # rights are asked for by name
_ELIGIBLE: Final[dict[str, Callable[[Call], bool]]] = {
    "ENOSPC": lambda call: call.name in GROWS,
    "EDQUOT": lambda call: call.name in GROWS,
    "EACCES": lambda call: call.name in _NAMED,
    SHORT: lambda call: _length(call) > 1,
    CORRUPT: lambda call: (
        call.name in {"write", "sendfile"} and call.paths[0].endswith((".part", ".tmp"))
    ),
}
FAULTS: Final = ("ENOSPC", "EIO", "EACCES", "ESTALE", "EDQUOT", "EINTR", SHORT, CORRUPT)
LASTING: Final = ("ENOSPC", "EIO", "EACCES", "ESTALE")
APART: Final = (
    80  # calls between two faults of one life: enough to try again what failed, and to start again
)
STARTS: Final = 12  # of one life
LASTING_S: Final = 12.0  # what does not end by itself under a lasting fault is killed then


@dataclass(slots=True)
class At:
    """Faults the nth eligible call below a root; `then_every`: and after it every so manieth; 0: no other."""

    root: str
    fault: str
    nth: int
    then_every: int = 0
    seen: int = 0
    hits: int = 0
    hit: str = ""  # the first call that was faulted
    _spoil: str = ""

    def entered(self, call: Call) -> Order:
        if not call.is_below(self.root) or not _ELIGIBLE.get(self.fault, _any)(call):
            return GO
        self.seen += 1
        later = self.seen - self.nth
        if later and not (later > 0 and self.then_every and later % self.then_every == 0):
            return GO
        self.hits += 1
        self.hit = self.hit or f"{call.name} {_below(call, self.root)}"
        match self.fault:
            case "kill":
                return KILL
            case "corrupt":
                self._spoil = call.paths[0]
                return Order(follow=True)
            case "short":
                return Order(shorten=(KINDS[call.name].length, _length(call) // 2))
            case _:
                return Order(errno=getattr(errno, self.fault))

    def left(self, pid: int, result: int) -> None:  # noqa: ARG002 - a watcher's shape
        """Only what is to be spoilt is followed."""
        if result > 0:
            with open(self._spoil, "r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))


def count(rig: Rig, fault: str = KILLED) -> int:
    """How many points a run has; no two runs need have the same number."""
    rig.reset()
    watcher = At(str(rig.root), fault, -1)
    ended = rig.run(watcher)
    if ended.status not in FINE:
        raise SystemExit(f"an undisturbed run ended with {ended}: {rig.last_words()}")
    return watcher.seen


def single(rig: Rig, tally: Tally, nth: int, fault: str, *, lasting: bool = False) -> None:
    rig.reset()
    watcher = At(str(rig.root), fault, nth, then_every=int(lasting))
    ended = rig.run(watcher, *([LASTING_S] if lasting else []))
    if not watcher.hit:
        tally.missed += 1
        return
    if fault == KILLED and not ended.was_killed:
        raise SystemExit(f"the kill at {watcher.hit} did not happen")
    bad = rig.crashed()
    judged = rig.recovered()
    where = f"{fault}{' lasting' if lasting else ''}@{nth} {watcher.hit}"
    tally.add(where, watcher.hit.split()[0], [*bad, *judged.bad], judged.asked)
    tally.hung += ended.timed_out and lasting
    if ended.timed_out and not lasting:
        tally.complain(where, ["hung under it"])


def several(rig: Rig, tally: Tally, nth: int, fault: str) -> None:
    """From the nth on one fault every so many calls. Each counts as one; after each end all is looked at."""
    rig.reset()
    watcher = At(str(rig.root), fault, nth, APART)
    bad: list[str] = []
    for _ in range(STARTS):
        before = watcher.hits
        ended = rig.run(watcher)
        bad += rig.crashed()
        if ended.timed_out:
            bad.append("hung under it")
        if watcher.hits == before:
            break
    if not watcher.hit:
        tally.missed += 1
        return
    judged = rig.recovered()
    where = f"{fault}@{nth} {watcher.hit} and {watcher.hits - 1} more"
    bad += judged.bad
    tally.add(where, watcher.hit.split()[0], bad, judged.asked, points=watcher.hits)


def double(rig: Rig, tally: Tally, nth: int, then: int) -> None:
    """A kill, and a kill of the next start."""
    rig.reset()
    first, second = At(str(rig.root), KILLED, nth), At(str(rig.root), KILLED, then)
    rig.run(first)
    if not first.hit:
        tally.missed += 1
        return
    rig.run(second)
    if not second.hit:
        tally.missed += 1
        return
    judged_bad = rig.crashed()
    judged = rig.recovered()
    where = f"kill@{nth} {first.hit} and kill@{then} {second.hit}"
    tally.add(where, first.hit.split()[0], [*judged_bad, *judged.bad], judged.asked)


def pairs(total: int, every: int, each: int) -> Iterator[tuple[int, int]]:
    """Points, each with some evenly spread over what is left to do after it."""
    for nth in range(1, total + 1, every):
        left = max(1, total - nth)
        for k in range(each):
            yield nth, max(1, round(left * (k + 0.5) / each))


def _any(_call: Call) -> bool:
    return True


def _length(call: Call) -> int:
    argument = KINDS[call.name].length
    return call.args[argument] if argument >= 0 else 0


def _below(call: Call, root: str) -> str:
    return " ".join(path.removeprefix(root + "/") for path in call.paths)
