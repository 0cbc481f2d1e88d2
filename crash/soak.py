"""
A long day of one daemon: files keep coming while it is killed, stopped, halted, and its archive and journal go away.

`python -m crash.soak --minutes 30`. In the first half it is killed again and again; in the second it lives in one piece
under the other faults, and its memory and open files are watched. At the end every file must be safe, and every word
of the journal true. Ends with 1 when one is not.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from crash import looks
from crash.rig import until
from crash.worlds import CLEANS, PAIR, QUICK, TAKEN
from mediad.testing.icloud.bodies import jpeg, movie

BIN: Final = Path(sys.executable).parent
SETTINGS: Final = {
    **QUICK, **CLEANS, "MEDIAD_INGEST__SETTLE_SECONDS": "0.2", "MEDIAD_WORKFLOW__RETRY_SECONDS": "1",
    "MEDIAD_COMPRESS__MIN_SAVING": "0.01", "MEDIAD_LOG__LEVEL": "warning",
}  # fmt: skip
WARM_S: Final = 60.0  # of a life that is left out when its growth is reckoned
SAMPLE_S: Final = 2.0
CURVE_S: Final = 120.0
PATIENCE_S: Final = 300.0


class Sample(NamedTuple):
    at: float  # seconds of this life
    rss: int  # bytes
    files: int  # open


@dataclass
class Day:
    """What was done, and what was seen of the daemon."""

    done: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)  # of the life that was left in one piece
    wrong: list[str] = field(default_factory=list)


class Soak:
    def __init__(self, base: Path, seed: int) -> None:
        self.root = base / "root"
        self.log = base / "log"
        self.day = Day()
        self.originals: set[str] = set()
        self._chance = random.Random(seed)  # noqa: S311 - a repeatable day, no secret
        self._dropped: list[bytes] = []
        self._daemon: subprocess.Popen[bytes] | None = None
        self._born = 0.0
        (self.root / "incoming").mkdir(parents=True)

    # -- the daemon -------------------------------------------------------------------------------

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(  # noqa: S603 - our own program
                [BIN / "mediad", "--root", self.root],
                env={**os.environ, **SETTINGS}, stdout=log, stderr=log,
            )  # fmt: skip
        self._born = time.monotonic()
        until(lambda: self.ctl("status") == 0, PATIENCE_S)

    def end(self, number: signal.Signals) -> None:
        if self._daemon is None:
            return
        self._daemon.send_signal(number)
        code = self._daemon.wait(60)
        if number is signal.SIGTERM and code:
            self.day.wrong.append(f"a stop ended with {code}")

    def sample(self) -> None:
        pid = self._pid
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        files = len(os.listdir(f"/proc/{pid}/fd"))
        at = time.monotonic() - self._born
        self.day.samples.append(Sample(at, pages * os.sysconf("SC_PAGE_SIZE"), files))

    @property
    def _pid(self) -> int:
        return self._daemon.pid if self._daemon else 0

    def ctl(self, *words: str) -> int:
        command: list[str | Path] = [BIN / "mediactl", "--root", self.root, *words]
        return subprocess.run(command, check=False, capture_output=True).returncode  # noqa: S603 - likewise

    # -- what befalls it --------------------------------------------------------------------------

    def drop(self) -> None:
        """A photo, a film, a pair, one that is cut off, or one that was dropped before."""
        number = self.day.done["files"]
        name, taken = f"IMG_{number:05}", TAKEN + number * 60_000
        kind = self._chance.choice(["photo"] * 5 + ["film", "pair", "torn", "again"])
        still = jpeg(f"{name}", taken_at=taken, size=self._chance.choice([3_000, 30_000])).read()
        if kind == "film":
            self._put(f"{name}.MOV", movie(name, taken_at=taken, size=20_000).read())
        elif kind == "torn":
            self._put(f"{name}.JPG", still[:-500])
        elif kind == "again" and self._dropped:
            self._put(f"{name}.JPG", self._chance.choice(self._dropped))
        elif kind == "pair":
            pair = f"{PAIR[:-5]}{number:05}"
            self._put(f"{name}.JPG", jpeg(name, taken_at=taken, size=4_000, pair=pair).read())
            self._put(f"{name}.MOV", movie(name, taken_at=taken, size=9_000, pair=pair).read())
        else:
            self._put(f"{name}.JPG", still)

    def _put(self, name: str, content: bytes) -> None:
        folder = self.root / "incoming" / self._chance.choice(["", "a", "b/c"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        self.originals.add(hashlib.sha256(content).hexdigest())
        if name.endswith("JPG"):
            self._dropped.append(content)
        self.day.done["files"] += 1

    def kill(self) -> None:
        self.end(signal.SIGKILL)
        self.start()

    def stop(self) -> None:
        self.end(signal.SIGTERM)
        self.start()

    def halt(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)
        time.sleep(self._chance.uniform(0.1, 1.5))
        os.kill(self._pid, signal.SIGCONT)

    def take_the_archive_away(self) -> None:
        here, away = self.root / "nas_archive", self.root / "unplugged"
        here.rename(away)
        time.sleep(self._chance.uniform(0.1, 2.5))
        if here.exists():  # nothing may have been written in its place
            self.day.wrong += [f"written where no archive was: {p}" for p in here.rglob("*")]
            shutil.rmtree(here)
        away.rename(here)

    def lock_the_journal(self) -> None:
        other = sqlite3.connect(self.root / looks.JOURNAL, timeout=10, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(self._chance.uniform(0.1, 2.0))
            other.execute("ROLLBACK")
        except sqlite3.OperationalError:
            self.day.done["journal was busy itself"] += 1
        finally:
            other.close()

    def order(self) -> None:
        """As a person who plays with it."""
        stage = self._chance.choice(["archive", "sort", "compress", "clean"])
        orders = [
            ("pause", stage), ("resume",), ("retry", "--all-failed"), ("reload",), ("backup",), ("status",),
            ("list", "--limit", "5"), ("verify", "--sample", "20%"), ("audit", "verify"),
        ]  # fmt: skip
        self.ctl(*self._chance.choice(orders))

    # -- the end ----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything may go on, and has its time."""
        for words in (("resume",), ("retry", "--all-failed"), ("retry", "--all-held")):
            self.ctl(*words)
        self.ctl("wait", "--idle", "--timeout", str(PATIENCE_S))

    def judge(self) -> None:
        seen = looks.look(self.root)
        self.day.wrong += [f"lost {d[:12]}" for d in looks.lost(seen, self.originals, ())]
        self.day.wrong += looks.untrue(self.root, seen)
        self.day.wrong += [f"litter {path}" for path in looks.litter(seen)]
        self.day.wrong += [" ".join(row) for row in looks.unsettled(self.root)]
        self.day.wrong += [f"left in incoming: {path}" for path, _ in seen.below("incoming")]


def lived(
    soak: Soak, minutes: float, befalls: Sequence[Callable[[], None]], every_s: float
) -> None:
    """Files come steadily; now and then something befalls."""
    end = time.monotonic() + minutes * 60
    at, look = (time.monotonic() + every_s for _ in range(2))
    while (now := time.monotonic()) < end:
        soak.drop()
        if now >= at:
            what = soak._chance.choice(befalls)  # noqa: SLF001 - the day's own chance
            what()
            soak.day.done[what.__name__.replace("_", " ")] += 1
            at = time.monotonic() + every_s
        if now >= look:
            soak.sample()
            look = time.monotonic() + SAMPLE_S
        time.sleep(0.3)


def slope_an_hour(points: Sequence[tuple[float, float]]) -> float:
    """Of (seconds, value); 0 where there is too little to say anything."""
    if len(points) < 3:  # noqa: PLR2004 - two points always lie on a line
        return 0.0
    return statistics.linear_regression([p[0] for p in points], [p[1] for p in points]).slope * 3600


def told(day: Day, minutes: float) -> str:
    said = ", ".join(f"{n} {what}" for what, n in day.done.most_common())
    late = [s for s in day.samples if s.at > WARM_S]
    lines = [f"{minutes:g} minutes: {said}"]
    if late and late[-1].at > 2 * WARM_S:  # less says nothing
        rss = slope_an_hour([(s.at, s.rss / 1e6) for s in late])
        files = slope_an_hour([(s.at, s.files) for s in late])
        rows = range(0, len(late), max(1, round(CURVE_S / SAMPLE_S)))
        curve = ", ".join(f"{late[n].rss / 1e6:.0f}" for n in rows)
        lines += [
            f"memory every {CURVE_S / 60:g} minutes: {curve} MB",
            f"memory: {late[0].rss / 1e6:.0f} to {late[-1].rss / 1e6:.0f} MB, {rss:+.1f} MB an hour",
            f"open files: {late[0].files} to {late[-1].files}, most {max(s.files for s in late)}, {files:+.1f} an hour",
        ]
    return "\n".join([*lines, f"{len(day.wrong)} wrong", *day.wrong[:20]])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m crash.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", type=Path, default=None, help="where the root is made")
    words = parser.parse_args(argv)
    base = Path(tempfile.mkdtemp(prefix="mediad-soak-", dir=words.scratch))
    soak = Soak(base, words.seed)
    others = [soak.halt, soak.take_the_archive_away, soak.lock_the_journal, soak.order]
    try:
        soak.start()
        lived(soak, words.minutes / 2, [soak.kill, soak.kill, soak.stop, *others], 4.0)
        soak.stop()
        soak.day.samples.clear()
        lived(soak, words.minutes / 2, others, 4.0)
        soak.settle()
        soak.end(signal.SIGTERM)
        soak.judge()
    finally:
        soak.end(signal.SIGKILL)
        print(told(soak.day, words.minutes), flush=True)
        if not soak.day.wrong:
            shutil.rmtree(base, ignore_errors=True)
        else:
            print(f"what is left of it: {base}")
    return 1 if soak.day.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
