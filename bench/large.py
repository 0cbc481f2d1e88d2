"""
At a million assets: start-up, also after a kill, status, memory, and how long the seals of as many rows take.

And 100,000 files arriving at once, and how quiet an idle daemon is.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio

from bench.journal import made, opened
from bench.side import BIN, Table, compare, fresh, sh, single
from mediad.journal import chain

ASSETS = 1_000_000
ARRIVING = 100_000
HISTORY = 1_000_000
AT_WORK = 200  # files on their way when it is killed
QUIET_S = 20.0
ENV = {"MEDIAD_COMPRESS__ENABLED": "false", "MEDIAD_LOG__LEVEL": "warning"}


@contextmanager
def daemon(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yields when the daemon answers."""
    running = subprocess.Popen([BIN / "mediad", "--root", root], env={**os.environ, **ENV})
    try:
        until_ready(root)
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)


def until_ready(root: Path) -> None:
    ask = [str(BIN / "mediactl"), "--root", str(root), "--json", "status"]
    quiet = subprocess.DEVNULL
    while subprocess.run(ask, stdout=quiet, stderr=quiet, check=False).returncode == 3:
        time.sleep(0.005)


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def whole_process(*argv: str | Path) -> float:
    """Runs a second, so that more is better as everywhere."""
    began = time.perf_counter()
    sh(*argv)
    return 1 / (time.perf_counter() - began)


def start(root: Path) -> float:
    began = time.monotonic()
    with daemon(root):
        return time.monotonic() - began


def killed(root: Path) -> float:
    """Killed at work, without a word; from the next start to its first answer."""
    drop_at_once(root / "incoming", AT_WORK)
    running = subprocess.Popen([BIN / "mediad", "--root", root], env={**os.environ, **ENV})
    until_ready(root)
    while sum(1 for _ in (root / "incoming").iterdir()) > AT_WORK // 2:
        time.sleep(0.005)
    running.kill()
    running.wait()
    return start(root)


def drop_at_once(folder: Path, count: int) -> None:
    """Small files of bytes that nobody has seen yet."""
    from bench.pipeline import HEAD  # noqa: PLC0415 - only here

    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        body = os.urandom(64).replace(b"\xff", b"\xfe")
        (folder / f"{time.monotonic_ns()}-{n}.jpg").write_bytes(HEAD + body + b"\xff\xd9")


async def sealed(path: Path, rows: int) -> None:
    """A journal whose history has so many rows, each sealed to the one before."""
    await opened(path).close()
    filling = sqlite3.connect(path)
    filling.execute("PRAGMA synchronous = OFF")
    filling.execute(
        "INSERT INTO asset (id, name, kind, source, seen_at) VALUES (1, 'a', 'photo', 'folder', 1)"
    )
    before = chain.GENESIS
    text = '{"kind":"read-back","at":1,"note":"as long as most of them are: ' + "." * 200 + '"}'
    told = []
    for seq in range(1, rows + 1):
        row = (seq, 1, 1, "witness", "", "", 0, text)
        before = chain.seal(before, row)
        told.append((*row, before))
    filling.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", told)
    filling.commit()
    filling.close()


def audited(root: Path) -> float:
    began = time.monotonic()
    sh(BIN / "mediactl", "--root", root, "audit", "verify")
    return time.monotonic() - began


def audit(root: Path, rounds: int) -> Table:
    (root / "state").mkdir(parents=True)
    anyio.run(sealed, root / "state" / "journal.db", HISTORY)
    with daemon(root):
        took = [audited(root) for _ in range(min(rounds, 3))]
    row = single("mediactl audit verify, 1,000,000 rows", "s", took)
    return Table("The seals of the history", "python -m bench large", [row])


def status(root: Path, rounds: int, title: str) -> Table:
    ours = partial(whole_process, BIN / "mediactl", "--root", root, "status")
    bare = partial(whole_process, sys.executable, "-c", "pass")
    rows = compare(
        {
            "mediactl status": lambda _: ours(),
            "a bare interpreter": lambda _: bare(),
        },
        "runs/s", rounds=max(rounds, 15), ours="mediactl status", goals={"a bare interpreter": "≥ 0.25"},
    )  # fmt: skip
    rows.append(single("mediactl status, whole process", "ms", [1e3 / rows[0].value], goal="< 100"))
    return Table(title, "python -m bench large", rows)


def idle(root: Path) -> Table:
    """An empty journal and a drop folder with nothing in it."""
    (root / "incoming").mkdir(parents=True)
    with daemon(root) as running:
        time.sleep(3)
        before = cpu_s(running.pid)
        time.sleep(QUIET_S)
        used = (cpu_s(running.pid) - before) / QUIET_S * 100
        rows = [
            single("resident memory, idle", "MB", [rss_mb(running.pid)], goal="< 80"),
            single("processor, idle", "% of a core", [used], goal="< 0.5"),
        ]
    return Table("Idle", "python -m bench large", rows)


def flood(root: Path) -> Table:
    """100,000 small files are there at the start: memory while they are taken in."""
    from bench.pipeline import HEAD  # noqa: PLC0415 - only here

    folder = root / "incoming"
    folder.mkdir(parents=True)
    for n in range(ARRIVING):
        (folder / f"{n}.jpg").write_bytes(
            HEAD + n.to_bytes(4, "big").replace(b"\xff", b"\xfe\x01") + b"\xff\xd9"
        )
    began = time.monotonic()
    with daemon(root) as running:
        peak = 0.0
        while (
            time.monotonic() - began < 90
        ):  # the growth shows in the first minutes if there is one
            time.sleep(0.5)
            peak = max(peak, peak_mb(running.pid))
        done = sum(len(files) for _, _, files in os.walk(root / "library"))
    return Table(
        "100,000 files arriving at once", "python -m bench large",
        [
            single("peak resident memory", "MB", [peak], goal="< 250"),
            single("sorted in the first 90 s", "files", [float(done)]),
        ],
    )  # fmt: skip


def run(rounds: int) -> list[Table]:
    small, large = fresh("small"), fresh("large")
    for root in (small, large):
        (root / "state").mkdir(parents=True)
    anyio.run(made, small / "state" / "journal.db", 1_000)
    anyio.run(made, large / "state" / "journal.db", ASSETS)
    with daemon(small):
        tables = [status(small, rounds, "Status with 1,000 assets in the journal")]
    with daemon(large) as running:
        tables.append(status(large, rounds, "Status with 1,000,000 assets in the journal"))
        memory = [rss_mb(running.pid)]
    starts = [start(large) for _ in range(rounds)]
    kills = [killed(large) for _ in range(rounds)]
    tables.append(
        Table(
            "A million assets", "python -m bench large",
            [
                single("from exec to the first answer", "s", starts, goal="< 1"),
                single("the same after kill -9 at work", "s", kills, goal="< 1"),
                single("resident memory", "MB", memory, goal="< 150"),
            ],
        )
    )  # fmt: skip
    tables.append(audit(fresh("audit") / "root", rounds))
    return [*tables, idle(fresh("idle") / "root"), flood(fresh("flood") / "root")]
