"""
Names that somebody takes in the moment before mediad gives them, which no look beforehand can notice.

At each rename or link onto a shelf a stranger's file comes to lie under that very name, and the call goes on. The
stranger's bytes must stay, ours must come to lie somewhere else, and everything must get to its end.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crash import looks
from crash.calls import Call
from crash.rig import FINE, Rig
from crash.tally import Tally
from crash.tracer import GO, Order

SHELVES: Final = ("nas_archive/", "library/", "duplicates/", "quarantine/")
THEIRS: Final = b"somebody's own, put there a moment ago"
_DIGEST: Final = hashlib.sha256(THEIRS).hexdigest()
_NAMES: Final = frozenset({"rename", "renameat", "renameat2", "link", "linkat"})


@dataclass(slots=True)
class Taker:
    """Takes the nth name that is about to be given on a shelf."""

    root: str
    nth: int
    seen: int = 0
    path: str = ""  # that was taken, below the root
    call: str = ""

    def entered(self, call: Call) -> Order:
        if call.name not in _NAMES or not call.is_below(self.root):
            return GO
        name = call.paths[-1].removeprefix(self.root + "/")
        if not name.startswith(SHELVES) or name.rpartition("/")[2].startswith("."):
            return GO
        self.seen += 1
        if self.seen == self.nth:
            self.path, self.call = name, call.name
            Path(call.paths[-1]).write_bytes(THEIRS)
        return GO

    def left(self, pid: int, result: int) -> None:
        """Nothing is followed."""


def count(rig: Rig) -> int:
    rig.reset()
    watcher = Taker(str(rig.root), -1)
    rig.run(watcher)
    return watcher.seen


def single(rig: Rig, tally: Tally, nth: int) -> None:
    rig.reset()
    watcher = Taker(str(rig.root), nth)
    rig.run(watcher)
    if not watcher.path:
        tally.missed += 1
        return
    bad = _judged(rig, watcher.path)
    ended = rig.unharmed()
    if asked := [" ".join(row) for row in looks.unsettled(rig.root)]:
        rig.order_retry()
        ended = rig.unharmed()
    bad += _judged(rig, watcher.path)
    if ended.status not in FINE:
        bad.append(f"the next start ended with {ended.status}: {rig.last_words()}")
    bad += [f"litter {path}" for path in looks.litter(looks.look(rig.root))]
    bad += [f"not done: {' '.join(row)}" for row in looks.unsettled(rig.root)]
    tally.add(f"{watcher.path} taken before {watcher.call}@{nth}", watcher.call, bad, asked)


def _judged(rig: Rig, path: str) -> list[str]:
    seen, out = looks.look(rig.root), rig.outside.counts()
    theirs = seen.files.get(path)
    return [
        *([] if theirs and theirs.digest == _DIGEST else [f"lost: the stranger's {path}"]),
        *(f"lost {digest[:12]}" for digest in looks.lost(seen, rig.originals, out["shown"])),
        *(f"torn {p}" for p in looks.torn(seen, rig.known | {_DIGEST})),
        *looks.untrue(rig.root, seen),
    ]
