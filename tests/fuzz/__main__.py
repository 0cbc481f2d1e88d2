"""
`make fuzz MINUTES=10 SEED=1`: every reader of foreign bytes against mutants, in turn, until the time is up.

What is found is kept as a file and told with its seed, which makes it again. Photos and films have fuzzers of their
own, which work on real pictures in processes of their own; they get a third of the time each.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from tests.fuzz.targets import TARGETS, Target
from tests.memory import peak_bytes

SLOW_S: Final = 10.0  # a hostile file may cost this much time of a thread, and no more
MEMORY_BYTES: Final = 2 << 30
ROUND: Final = 200  # mutants of one target at a time, each round from a seed that can be told
OUTSIDE: Final = {"photos": ("tests.adapters.photo_fuzz", 400), "films": ("tests.adapters.mov_fuzz", 200)}  # fmt: skip
FINE: Final = {
    "photos": {"read", "refused", "made"},
    "films": {"refused", "grafted"},
}


class TooSlow(Exception):
    """A mutant took longer than it may."""


@dataclass(slots=True)
class Tally:
    tried: int = 0
    read: int = 0
    slowest_s: float = 0.0
    finds: list[str] = field(default_factory=list)


def rounds_of(target: Target, seed: int, count: int, folder: Path, tally: Tally) -> None:
    """`count` mutants of one target; every one of them follows from the seed."""
    chance = random.Random(f"{target.name} {seed}")  # noqa: S311 - a repeatable choice of bytes, no secret
    for number in range(count):
        mutant = target.mutant(chance)
        began = time.monotonic()
        try:
            signal.setitimer(signal.ITIMER_REAL, SLOW_S)
            tally.read += target.deed(mutant, folder) == "read"
        except Exception as fault:  # noqa: BLE001 - to find these is what this is for
            where = traceback.extract_tb(fault.__traceback__)[-1]
            tally.finds.append(
                f"{target.name}: seed {seed}, mutant {number}: {fault!r:.200} at {where.filename}:{where.lineno}"
            )
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        tally.tried += 1
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)


def outside(name: str, seed: int, folder: Path, tally: Tally) -> None:
    module, count = OUTSIDE[name]
    command = [sys.executable, "-m", module, str(folder), str(seed), str(count)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        tally.finds.append(
            f"{name}: seed {seed}: ended with {done.returncode}: {done.stderr[-500:]!r}"
        )
        return
    told = json.loads(done.stdout)
    seen: Counter[str] = Counter(told["seen"])
    tally.tried += seen.total()
    tally.read += seen.total() - seen["refused"]
    tally.slowest_s = max(tally.slowest_s, told["slowest_s"])
    tally.finds += [f"{name}: seed {seed}: {what}" for what in seen.keys() - FINE[name]]


def run(minutes: float, seed: int, only: str) -> dict[str, Tally]:
    ends = time.monotonic() + minutes * 60
    tallies: dict[str, Tally] = {}
    targets = [t for t in TARGETS if only in t.name]
    others = [name for name in OUTSIDE if only in name]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        while time.monotonic() < ends:
            for name in others:
                folder = Path(scratch, name)
                folder.mkdir(exist_ok=True)
                outside(name, seed, folder, tallies.setdefault(name, Tally()))
            for target in targets:
                tally = tallies.setdefault(target.name, Tally())
                for part in range(10 if others else 1):  # readers are quicker than pictures
                    rounds_of(target, seed * 10 + part, ROUND, Path(scratch), tally)
            seed += 1
    return tallies


def _too_slow(_: int, __: FrameType | None) -> NoReturn:
    raise TooSlow


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets whose name holds this")
    words = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    tallies = run(words.minutes, words.seed, words.only)
    lines = [
        f"{name:22} {tally.tried:9,} tried {tally.read:9,} read   slowest {tally.slowest_s:.2f} s"
        for name, tally in tallies.items()
    ]
    finds = [find for tally in tallies.values() for find in tally.finds]
    tried = sum(tally.tried for tally in tallies.values())
    lines += [
        *finds,
        f"{tried:,} mutants, {len(finds)} faults found, peak {peak_bytes() >> 20} MiB",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
