"""iCloud with the real daemon: 50,000 assets listed, an idle look, ten new ones, and downloads beside curl."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.large import cpu_s, peak_mb, rss_mb
from bench.side import BIN, Row, Table, compare, fresh, sh, single, timed
from mediad.mediactl.client import Client, Trouble

ASSETS = 50_000
FILES, FILE_MB = 64, 16
LARGE_MB = 8192
CYCLES = 2
COMMAND = "python -m bench icloud"
ENV = {
    "MEDIAD_ICLOUD__ENABLED": "true", "MEDIAD_ICLOUD__POLL_MINUTES": "1", "MEDIAD_COMPRESS__ENABLED": "false",
    "MEDIAD_LOG__LEVEL": "error",
}  # fmt: skip
CHANGES, CONTENT = "/changes/database", "content"


class Apple:
    """The small iCloud, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.icloud_fake"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._orders, self._answers = self._process.stdin, self._process.stdout
        self.address = str(self._answer())

    def ask(self, *words: object) -> Any:
        print(json.dumps(words), file=self._orders, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        return json.loads(self._answers.readline() if self._answers else "")

    @property
    def pid(self) -> int:
        return self._process.pid

    def questions(self) -> dict[str, int]:
        """Requests so far, of the library and its files; none of the sign-in."""
        counts: dict[str, int] = self.ask("requests")
        library = ("/zones/", "/changes/", "/records/", CONTENT)
        return {name: count for name, count in counts.items() if name.startswith(library)}

    def looks(self) -> int:
        return self.questions().get(CHANGES, 0)

    def total(self) -> int:
        return sum(self.questions().values())

    def until_quiet(self, quiet_s: float = 1.5) -> float:
        """When the last question came before nobody asked anything for so long."""
        last, since = self.total(), time.monotonic()
        while time.monotonic() - since < quiet_s:
            time.sleep(0.1)
            if (now := self.total()) != last:
                last, since = now, time.monotonic()
        return since

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


@contextmanager
def apple(*orders: tuple[object, ...]) -> Iterator[Apple]:
    icloud = Apple()
    try:
        for order in orders:
            icloud.ask(*order)
        yield icloud
    finally:
        icloud.stop()


class Daemon:
    """A new root with its daemon, which nobody has signed in yet."""

    def __init__(self, icloud: Apple) -> None:
        self.root = fresh("icloud") / "root"
        self.root.mkdir()
        name, self._password, self._code = icloud.ask("sign_in")
        more = {"MEDIAD_ICLOUD__USERNAME": name, "MEDIAD_ICLOUD__GATEWAY": icloud.address}
        self.process = subprocess.Popen(
            [BIN / "mediad", "--root", self.root], env={**os.environ, **ENV, **more}
        )
        self._client = Client(str(self.root / "state" / "mediad.sock"))

    def sign_in(self) -> None:
        """With every stage paused."""
        until(self._is_there)
        for stage in self.get("/status")["workflow"]["stages"]:
            self._ctl("pause", stage["name"])
        self._client.post("/icloud/login", {"password": self._password})
        self._client.post("/icloud/mfa", {"code": self._code})

    @property
    def pid(self) -> int:
        return self.process.pid

    def get(self, path: str) -> Any:
        return self._client.get(path)

    def _ctl(self, *words: str) -> None:
        sh(BIN / "mediactl", "--root", self.root, *words)

    def resume(self, stage: str) -> None:
        self._ctl("resume", stage)

    def has_looked(self) -> bool:
        return bool(self.get("/icloud")["looked_at"])

    def stage(self, name: str) -> dict[str, Any]:
        stages = self.get("/status")["workflow"]["stages"]
        return next(s for s in stages if s["name"] == name)

    def has_downloaded(self, count: int) -> bool:
        return bool(self.stage("download")["done"] >= count)

    def _is_there(self) -> bool:
        try:
            self.get("/status")
        except Trouble:
            return False
        return True


@contextmanager
def daemon(icloud: Apple) -> Iterator[Daemon]:
    running = Daemon(icloud)
    try:
        running.sign_in()
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(60)


def until(holds: Callable[[], bool], every_s: float = 0.05) -> None:
    while not holds():
        time.sleep(every_s)


# -- the library ------------------------------------------------------------------------------------


def scan(icloud: Apple, running: Daemon) -> dict[str, float]:
    """The first look, from its first question to its last."""
    asked, memory = icloud.total(), rss_mb(running.pid)
    until(lambda: icloud.total() > asked, 0.01)
    began, used = time.monotonic(), cpu_s(running.pid)
    while True:
        ended = icloud.until_quiet()
        if running.has_looked():
            break
    listed = running.get("/icloud")["counts"]["listed"]
    if listed != ASSETS:
        raise SystemExit(f"{listed} of {ASSETS} were listed")
    return {
        "requests": float(icloud.total() - asked),
        "processor of the daemon": cpu_s(running.pid) - used,
        "from the first question to the last": ended - began,
        "resident memory before": memory,
        "peak resident memory": peak_mb(running.pid),
    }


def idle(icloud: Apple, running: Daemon) -> tuple[float, float]:
    """Requests of a look that finds nothing; and the processor's share with such a look a minute."""
    next_look(icloud)
    asked, looks, used, began = icloud.total(), icloud.looks(), cpu_s(running.pid), time.monotonic()
    for _ in range(CYCLES):
        next_look(icloud)
    share = (cpu_s(running.pid) - used) / (time.monotonic() - began) * 100
    return (icloud.total() - asked) / (icloud.looks() - looks), share


def news(icloud: Apple, running: Daemon, count: int) -> tuple[float, float]:
    """Requests and processor seconds of the next look, which finds so many new assets; one was just over."""
    before = running.get("/icloud")["counts"]["listed"]
    icloud.ask("shoot", count)
    asked, used = icloud.total(), cpu_s(running.pid)
    next_look(icloud)
    figures = float(icloud.total() - asked), cpu_s(running.pid) - used
    found = running.get("/icloud")["counts"]["listed"] - before
    if found != count:
        raise SystemExit(f"{found} of {count} new assets were found")
    return figures


def next_look(icloud: Apple) -> None:
    looks = icloud.looks()
    until(lambda: icloud.looks() > looks, 0.25)
    icloud.until_quiet()


def afterwards(icloud: Apple, running: Daemon) -> list[Row]:
    requests, share = idle(icloud, running)
    ten, some = news(icloud, running, 10), news(icloud, running, 400)
    return [
        single("an idle look: requests", "", [requests], goal="≤ 2"),
        single("idle, a look a minute: processor", "% of a core", [share], goal="< 0.5"),
        single("10 new: requests", "", [ten[0]], goal="≤ 4"),
        single("10 new: processor", "s", [ten[1]]),
        single("400 new: requests", "", [some[0]], goal="≤ 10"),
        single("400 new: processor", "s", [some[1]]),
    ]


def library(rounds: int) -> list[Table]:
    first: list[dict[str, float]] = []
    later: list[Row] = []
    with apple(("crowd", ASSETS)) as icloud:
        for turn in range(rounds):
            with daemon(icloud) as running:
                first.append(scan(icloud, running))
                print(f"  first look: {first[-1]}", flush=True)
                if turn + 1 == rounds:
                    later = afterwards(icloud, running)
    units = {
        "requests": "",
        "processor of the daemon": "s",
        "from the first question to the last": "s",
    }
    goals = {"peak resident memory": "< 250"}
    rows = [
        single(name, units.get(name, "MB"), [f[name] for f in first], goal=goals.get(name, ""))
        for name in first[0]
    ]
    return [
        Table(
            f"iCloud: the first look at {ASSETS:,} assets", COMMAND, rows,
            note="All are wanted and journalled with their files; every stage is paused, so that nothing is fetched. "
            "CloudKit gives 100 assets a request; the rest are the members of albums.",
        ),
        Table(f"iCloud: later looks, with {ASSETS:,} assets known", COMMAND, later),
    ]  # fmt: skip


# -- the bytes --------------------------------------------------------------------------------------


@dataclass
class Costs:
    """A round each: processor seconds a GiB of ours and of the peer that proves; the server's share of a core."""

    daemon: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)


def our_download(icloud: Apple, costs: Costs, _: int) -> float:
    """MB/s from the order to the last proof."""
    count, mb = FILES, FILE_MB
    with daemon(icloud) as running:
        until(lambda: running.stage("download")["ready"] >= count, 0.2)
        os.sync()
        began, used, served = time.monotonic(), cpu_s(running.pid), cpu_s(icloud.pid)
        running.resume("download")
        until(lambda: running.has_downloaded(count))
        took = time.monotonic() - began
        costs.daemon.append((cpu_s(running.pid) - used) / (count * mb / 1024))
        costs.server.append((cpu_s(icloud.pid) - served) / took * 100)
        return count * mb / took


def children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def curl_download(icloud: Apple, script: str, costs: list[float], _: int) -> float:
    target = fresh("curl")
    words = []
    for number, (host, path) in enumerate(icloud.ask("addresses")):
        words += ["fail", "silent", "show-error", f'url="{icloud.address}{path}"']
        words += [f'header="X-Fake-Host: {host}"', f"output={number}.MOV", "next"]
    (target / "files").write_text("\n".join(words[:-1]) + "\n")
    used = children_s()
    took = timed(partial(sh, "bash", "-c", script, "bash", target))
    costs.append((children_s() - used) / (FILES * FILE_MB / 1024))
    if sum(f.stat().st_size for f in target.glob("*.MOV")) != FILES * FILE_MB << 20:
        raise SystemExit("curl did not fetch all")
    shutil.rmtree(target)
    return FILES * FILE_MB / took


CURL = 'cd "$1" && curl --parallel --parallel-max 4 --config files 2>/dev/null'
ALL = "printf '%s\\0' *.MOV | xargs -0 -P 4 -n 4"


def throughput(rounds: int) -> Table:
    ours = "mediad: durable, read back from the medium, fingerprint proved"
    proving = "curl --parallel-max 4; sync and sha1sum of each, 4 at a time"
    with apple(("films", FILES, FILE_MB)) as icloud:
        costs = Costs()
        contenders = {
            ours: partial(our_download, icloud, costs),
            proving: partial(
                curl_download, icloud, f"{CURL} && {ALL} sync && {ALL} sha1sum", costs.peer
            ),
            "curl --parallel-max 4 alone": partial(curl_download, icloud, CURL, []),
        }
        rows = compare(contenders, "MB/s", rounds=rounds, ours=ours, goals={proving: "≥ 0.8"})
    rows += [
        single("mediad: processor for a GiB", "s", costs.daemon),
        single("the peer that proves: processor for a GiB", "s", costs.peer),
        single("the server meanwhile", "% of a core", costs.server),
    ]
    return Table(
        f"iCloud: {FILES} files of {FILE_MB} MB, 4 at a time", COMMAND, rows,
        note="The same server on loopback for all, in a process of its own, on the same cores. curl alone "
        "proves nothing, and leaves its files in the page cache; sha1sum reads them there. Processor seconds say more "
        "than the ratios where the machine was busy (see the load above): one curl gets less of it than our threads.",
    )  # fmt: skip


def one_large(mb: int) -> tuple[float, float]:
    """Peak memory of the daemon that fetches one file, and MB/s."""
    with apple(("films", 1, mb)) as icloud, daemon(icloud) as running:
        until(lambda: running.stage("download")["ready"] >= 1, 0.2)
        began = time.monotonic()
        running.resume("download")
        until(lambda: running.has_downloaded(1), 0.2)
        took = time.monotonic() - began
        shutil.rmtree(running.root / "incoming" / ".icloud")
        return peak_mb(running.pid), mb / took


def memory() -> Table:
    small, large = one_large(FILE_MB), one_large(LARGE_MB)
    rows = [
        single(f"peak resident memory, {FILE_MB} MB", "MB", [small[0]]),
        single(f"peak resident memory, {LARGE_MB >> 10} GiB", "MB", [large[0]], goal="< 150"),
        single("the larger file's share of it", "MB", [large[0] - small[0]], goal="< 10"),
        single(f"{LARGE_MB >> 10} GiB: proved, durable, read again", "MB/s", [large[1]]),
    ]
    return Table("iCloud: memory for one file", COMMAND, rows)


def run(rounds: int) -> list[Table]:
    return [*library(min(rounds, 3)), throughput(rounds), memory()]
