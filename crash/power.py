"""A power cut at any moment: a run is recorded once, and started from every disk that may be left of it."""

import hashlib
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from crash.calls import Call
from crash.cuts import MODELS, Cut, Tree, cuts
from crash.points import KILLED, At
from crash.recorder import Recorder
from crash.rig import FINE, Rig
from crash.tally import Tally
from crash.tracer import Order

SEEDS: Final = 3


class Record(NamedTuple):
    recorder: Recorder
    snaps: Sequence[tuple[int, Path]]  # of what lies outside, by time


class _KilledWhileRecorded:
    """Records, and kills at a point: what comes after it is recorded by the same recorder."""

    def __init__(self, recorder: Recorder, at: At) -> None:
        self._recorder, self._at = recorder, at

    def entered(self, call: Call) -> Order:
        order = self._at.entered(call)
        return order if order.kill else self._recorder.entered(call)

    def left(self, pid: int, result: int) -> None:
        self._recorder.left(pid, result)


def record(rig: Rig, kill_at: int = 0) -> Record:
    """One run; `kill_at`: it is killed at that point, and the start after it is part of the record."""
    snaps = rig.base / "snaps"
    shutil.rmtree(snaps, ignore_errors=True)
    snaps.mkdir()
    rig.outside.snaps = snaps
    try:
        rig.reset()
        recorder = Recorder(str(rig.root))
        if kill_at:
            rig.run(_KilledWhileRecorded(recorder, At(str(rig.root), KILLED, kill_at)))
        ended = rig.run(recorder)
    finally:
        rig.outside.close()
        rig.outside.snaps = None
    if ended.status not in FINE:
        raise SystemExit(f"the recorded run ended with {ended}: {rig.last_words()}")
    if recorder.unseen:
        raise SystemExit(f"the recorder cannot tell what these do: {sorted(recorder.unseen)}")
    kept = sorted((int(p.name), p) for p in snaps.iterdir())
    return Record(recorder, kept)


def states(made: Record, models: Sequence[str] = MODELS, seeds: int = SEEDS) -> Iterator[Cut]:
    """Each distinct disk once."""
    seen: set[bytes] = set()
    for one in cuts(made.recorder.before, made.recorder.ops, models, seeds):
        mark = _digest(one.tree)
        if mark not in seen:
            seen.add(mark)
            yield one


def single(rig: Rig, tally: Tally, made: Record, one: Cut) -> None:
    _build(rig.root, one.tree)
    times = [at for at, _ in made.snaps]
    nth = bisect_right(times, one.at_ns) - 1
    rig.outside.since = made.snaps[nth][1] if nth >= 0 else None
    try:
        rig.outside.open()
        rig.log.write_bytes(b"")
        bad = rig.crashed()
        judged = rig.recovered()
    finally:
        rig.outside.since = None
    where = f"{one.model}@{one.nth} after {one.told}"
    tally.add(where, one.model, [*bad, *judged.bad], judged.asked)


def _digest(tree: Tree) -> bytes:
    hasher = hashlib.sha256()
    for path in sorted(tree):
        lies = tree[path]
        hasher.update(path.encode(errors="surrogateescape") + b"\0")
        hasher.update(
            b"folder" if lies is None else hashlib.sha256(lies[0]).digest() + b"%d" % lies[1]
        )
    return hasher.digest()


def _build(root: Path, tree: Tree) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for path in sorted(tree):
        lies, target = tree[path], root / path
        if lies is None:
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(lies[0])
            os.utime(target, ns=(lies[1], lies[1]))
