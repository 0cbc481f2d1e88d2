"""The phone lane with two real Syncthing nodes: throughput, how soon a file is verified, how quietly it waits."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.large import cpu_s
from bench.pipeline import make_files
from bench.side import BIN, Table, compare, fresh, single
from tests.syncthing_pair import SyncPair, running_pair

FILES = 5_000
SINGLES = 100
QUIET_S = 60.0
ONE_BY_ONE = {"MEDIAD_PHONE__BATCH_FILES": "1", "MEDIAD_INGEST__SETTLE_SECONDS": "0.1"}
ENV = {
    "MEDIAD_COMPRESS__ENABLED": "false", "MEDIAD_ARCHIVE__ENABLED": "false", "MEDIAD_SORT__ENABLED": "false",
    "MEDIAD_CLEAN__ENABLED": "false", "MEDIAD_PHONE__ALLOW_PARALLEL": "true", "MEDIAD_PHONE__BATCH_FILES": "500",
    "MEDIAD_PHONE__BATCH_WAIT_SECONDS": "0", "MEDIAD_INGEST__SETTLE_SECONDS": "0", "MEDIAD_LOG__LEVEL": "warning",
}  # fmt: skip


class Daemon:
    """One root with its daemon, as mediactl sees it."""

    def __init__(self, root: Path, url: str, api_key: str, more: dict[str, str]) -> None:
        self.root = root
        link = {"MEDIAD_SYNCTHING__URL": url, "MEDIAD_SYNCTHING__API_KEY": api_key}
        self.env = {**os.environ, **ENV, **link, **more}
        self.process = subprocess.Popen([BIN / "mediad", "--root", root], env=self.env)

    def ask(self, *words: str) -> Any:
        done = subprocess.run(
            [BIN / "mediactl", "--root", self.root, "--json", *words],
            capture_output=True, env=self.env, check=False,
        )  # fmt: skip
        return json.loads(done.stdout or "{}")

    def stage(self, name: str) -> dict[str, Any]:
        said = self.ask("status")
        return next(s for s in said["workflow"]["stages"] if s["name"] == name)

    def until(self, holds: Callable[[], bool], every_s: float = 0.1) -> None:
        while not holds():
            time.sleep(every_s)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@contextmanager
def daemon(home: Path, pair: SyncPair, *, url: str = "", **more: str) -> Iterator[Daemon]:
    running = Daemon(home / "root", url or pair.host.url, pair.host.api_key, more)
    try:
        running.until(lambda: "workflow" in running.ask("status"))
        yield running
    finally:
        running.stop()


@contextmanager
def home_with_pair(name: str) -> Iterator[tuple[Path, SyncPair]]:
    home = fresh(name)
    shared = home / "root" / "pixel_sync"
    shared.mkdir(parents=True)
    with running_pair(home / "pair", host_folder=shared) as pair:
        yield home, pair


def our_throughput(source: Path, _: int) -> float:
    """From the first batch to the last file verified; taken in and hashed before."""
    with home_with_pair("phone") as (home, pair), daemon(home, pair) as running:
        running.ask("pause", "batch")
        shutil.copytree(source, home / "root" / "incoming", dirs_exist_ok=True)
        running.until(lambda: running.stage("batch")["ready"] >= FILES, 1.0)
        began = time.perf_counter()
        running.ask("resume", "batch")
        running.until(lambda: running.stage("verify")["done"] >= FILES, 0.5)
        return FILES / (time.perf_counter() - began)


def syncthing_throughput(source: Path, _turn: int) -> float:
    """The same files put into the folder at once, scanned, and carried over by Syncthing alone."""
    with home_with_pair("syncthing") as (_, pair):
        began = time.perf_counter()
        shutil.copytree(source, pair.host.folder, dirs_exist_ok=True)
        asyncio.run(pair.host.scan())
        asyncio.run(pair.wait_in_sync(600))
        return FILES / (time.perf_counter() - began)


def latencies_s(source: Path) -> list[float]:
    """One file at a time: from the phone's own record of its last byte to our transition."""
    with home_with_pair("latency") as (home, pair), daemon(home, pair, **ONE_BY_ONE) as running:
        finished(pair)  # what is asked for is only remembered from the first question on
        for nth, file in enumerate(sorted(source.iterdir())[:SINGLES]):
            shutil.copy2(file, home / "root" / "incoming" / file.name)
            running.until(lambda n=nth: running.stage("verify")["done"] > n, 0.02)  # type: ignore[misc]
        at = finished(pair)
        found = []
        for file in sorted(source.iterdir())[:SINGLES]:
            rows = running.ask("explain", file.name)["history"]
            [seen] = [r["at"] for r in rows if r["to"] == "phone.verified"]
            found.append(datetime.fromisoformat(seen).timestamp() - at[file.name])
        return sorted(found)


def finished(pair: SyncPair) -> dict[str, float]:
    """When the phone itself was done with each file: seconds since the epoch by name."""
    asked = {"since": 0, "events": "ItemFinished", "timeout": 0}
    events = asyncio.run(pair.pixel.get("/rest/events", **asked))
    return {e["data"]["item"]: datetime.fromisoformat(e["time"]).timestamp() for e in events}


class Counter:
    """Carries bytes between mediad and Syncthing, and counts the requests."""

    def __init__(self, target: str) -> None:
        self.requests = 0
        self._host, _, port = target.removeprefix("http://").rpartition(":")
        self._port = int(port)
        self._ready = threading.Event()
        self.url = ""
        threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True).start()
        self._ready.wait()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await server.serve_forever()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump(reader, back, counts=True))
            tasks.create_task(self._pump(there, writer, counts=False))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        while data := await reader.read(1 << 16):
            if counts:
                self.requests += data.count(b" HTTP/1.1\r\n")
            writer.write(data)
            await writer.drain()
        writer.close()


def waiting(source: Path) -> Table:
    """5,000 files placed, and the phone does not come."""
    with home_with_pair("waiting") as (home, pair):
        asyncio.run(pair.pixel.stop())
        counter = Counter(pair.host.url)
        shutil.copytree(source, home / "root" / "incoming", dirs_exist_ok=True)
        with daemon(home, pair, url=counter.url) as running:
            running.until(lambda: running.stage("place")["done"] >= FILES, 0.5)
            time.sleep(5)
            before, asked = cpu_s(running.process.pid), counter.requests
            time.sleep(QUIET_S)
            used = (cpu_s(running.process.pid) - before) / QUIET_S * 100
            rows = [
                single("processor", "% of a core", [used], goal="< 0.5"),
                single(
                    "requests to Syncthing", "a minute", [(counter.requests - asked) * 60 / QUIET_S]
                ),
            ]
    return Table("5,000 files wait for a phone that is away", "python -m bench phone", rows)


def run(rounds: int) -> list[Table]:
    source = fresh("phone-source")
    make_files(source, FILES, 2_048)
    rows = compare(
        {
            "mediad: batches, placed, verified": partial(our_throughput, source),
            "Syncthing alone": partial(syncthing_throughput, source),
        },
        "files/s", rounds=min(rounds, 3), ours="mediad: batches, placed, verified",
        goals={"Syncthing alone": "≥ 0.8"},
    )  # fmt: skip
    soon = latencies_s(source)
    late = [
        single("from the phone's last byte to verified, p50", "s", [soon[len(soon) // 2]]),
        single("the same, p99", "s", [soon[len(soon) * 99 // 100]], goal="≤ 2"),
    ]
    return [
        Table(
            f"To the phone: {FILES:,} files of 2 KiB", "python -m bench phone", rows,
            note="Two real Syncthing nodes on loopback. mediad's figure: from the first batch to the last proof, in "
            "batches of 500; the files were taken in before.",
        ),
        Table(f"{SINGLES} files, one at a time", "python -m bench phone", late),
        waiting(source),
    ]  # fmt: skip
