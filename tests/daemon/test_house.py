"""Guards the daemon as a whole: it starts, hears, reloads and ends in good order, at whatever moment it is told."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.pictures import jpeg

BIN = Path(sys.executable).parent
SOON_S = 60.0  # on a machine that has much else to do


class Daemon:
    """A real process; it says READY on a socket as it does to systemd, and its log lines are read one by one."""

    def __init__(self, root: Path, *words: str, **settings: str) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MEDIAD_")}
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.settimeout(SOON_S)
        self.notices.bind(f"\0mediad-test-{os.getpid()}-{id(self)}")
        quick = {
            "MEDIAD_INGEST__SETTLE_SECONDS": "0.1",
            "MEDIAD_INGEST__GROUP_SECONDS": "0.1",
            "MEDIAD_SAFETY__RESERVE": "1 MiB",
        }
        self.process = subprocess.Popen(
            [BIN / "mediad", *words],
            env={**clean, **quick, **settings, "NOTIFY_SOCKET": f"@{self.notices.getsockname()[1:].decode()}"},
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.lines: list[dict[str, Any]] = []

    def until_ready(self) -> None:
        assert self.notices.recv(100) == b"READY=1"

    def hear(self, event: str) -> dict[str, Any]:
        """The next line of the log with this event."""
        assert self.process.stderr
        for text in self.process.stderr:
            self.lines.append(json.loads(text))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError([line["event"] for line in self.lines])

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.tell(number)
        return self.wait()

    def wait(self) -> int:
        _, said = self.process.communicate(timeout=SOON_S)
        self.lines += [json.loads(t) for t in said.splitlines() if t.startswith("{")]
        assert "Traceback" not in said, said
        return self.process.returncode

    def status(self) -> Any:
        said = subprocess.run(
            [BIN / "mediactl", "--root", self.root, "--json", "status"],
            capture_output=True, text=True, timeout=SOON_S, check=True,
        )  # fmt: skip
        return json.loads(said.stdout)

    def problems(self) -> list[str]:
        return [p["code"] for p in self.status()["problems"]]


@contextmanager
def daemon(root: Path, *words: str, **settings: str) -> Iterator[Daemon]:
    made = Daemon(root, *(words or ("--root", str(root))), **settings)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()
        made.notices.close()


@contextmanager
def ready(root: Path, *words: str, **settings: str) -> Iterator[Daemon]:
    with daemon(root, *words, **settings) as made:
        made.until_ready()
        yield made


def save(file: Path, text: str) -> None:
    """As editors do: whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


def test_it_says_that_it_is_ready_and_that_it_is_stopping_and_leaves_no_socket(
    tmp_path: Path,
) -> None:
    with ready(tmp_path) as d:
        door = tmp_path / "state" / "mediad.sock"
        assert stat.S_IMODE(door.stat().st_mode) == 0o660
        assert d.status()["state"] == "running"
        began = time.monotonic()
        assert d.end() == 0
        assert time.monotonic() - began < 2, "nothing is in hand: there is nothing to wait for"
        assert d.notices.recv(100) == b"STOPPING=1"
    assert not door.exists()
    assert d.lines[0]["event"] == "daemon.starting"
    assert d.lines[-1]["event"] == "daemon.stopped"


def test_the_second_one_gives_way_and_the_first_works_on(tmp_path: Path) -> None:
    with ready(tmp_path) as first:
        second = subprocess.run(
            [BIN / "mediad", "--root", tmp_path], capture_output=True, text=True, timeout=SOON_S, check=False
        )  # fmt: skip
        assert second.returncode == 3
        assert f"PID {first.process.pid}" in second.stderr
        assert first.status()["state"] == "running"
        assert first.end(signal.SIGINT) == 0


def test_a_reload_takes_all_of_a_good_file_and_nothing_of_a_bad_one(tmp_path: Path) -> None:
    file = tmp_path / "mediad.toml"
    file.write_text('root = "photos"\n\n[workflow]\npreset = "vault"\n')
    root = tmp_path / "photos"
    with ready(root, "--config", str(file)) as d:
        assert d.status()["workflow"]["preset"] == "vault"

        save(file, 'root = "photos"\n\n[workflow]\npreset = "relay"\nretires = 3\n')
        d.tell(signal.SIGHUP)
        assert f"{file}:5: workflow.retires" in d.hear("config.refused")["faults"][0]
        status = d.status()
        [problem] = status["problems"]
        assert (problem["code"], status["workflow"]["preset"]) == ("config.invalid", "vault")
        assert "retires" in problem["message"]

        save(file, 'root = "photos"\n\n[folders]\nlibrary = "elsewhere"\n')
        d.tell(signal.SIGHUP)
        refused = d.hear("config.refused")["faults"]
        assert [f"{file}: folders" in f and "restart" in f for f in refused] == [True]
        assert d.problems() == ["config.invalid"]

        save(file, 'root = "photos"\n\n[workflow]\npreset = "relay"\n')
        d.hear("config.reloaded")  # nobody told it: it saw the file
        status = d.status()
        assert (status["problems"], status["workflow"]["preset"]) == ([], "relay")
        assert d.end() == 0


def test_a_file_that_is_made_later_is_seen(tmp_path: Path) -> None:
    with ready(tmp_path) as d:
        save(tmp_path / "mediad.toml", '[workflow]\npreset = "relay"\n')
        d.hear("config.reloaded")
        assert d.status()["workflow"]["preset"] == "relay"
        (tmp_path / "mediad.toml").unlink()
        d.hear("config.refused")
        assert d.end() == 0


def test_the_environment_configures_it(tmp_path: Path) -> None:
    with ready(
        tmp_path, "--root", str(tmp_path), MEDIAD_WORKFLOW__PRESET="sorter",
        MEDIAD_FOLDERS__STATE=str(tmp_path / "elsewhere"),
    ) as d:  # fmt: skip
        assert (tmp_path / "elsewhere" / "mediad.sock").exists()
        assert not (tmp_path / "state").exists()
        assert d.end() == 0


def _starting(d: Daemon) -> None:
    d.hear("daemon.starting")


def _ready(d: Daemon) -> None:
    d.until_ready()


def _locked(d: Daemon) -> None:
    """The very first thing that it leaves on the disk."""
    end = time.monotonic() + SOON_S
    while not (d.root / "state" / "mediad.lock").exists():
        assert time.monotonic() < end
        time.sleep(0.001)  # a loop that spins keeps the daemon itself from its work


@pytest.mark.parametrize("moment", [_locked, _starting, _ready])
def test_a_stop_at_any_early_moment_is_a_good_end(
    tmp_path: Path, moment: Callable[[Daemon], None]
) -> None:
    for n in range(3):
        jpeg(tmp_path / "incoming" / f"{n}.jpg", n)
    with daemon(tmp_path) as d:
        moment(d)
        assert d.end() == 0
    assert len([p for p in tmp_path.rglob("*.jpg") if "library" not in p.parts]) >= 3


def test_once_ends_with_0_when_all_is_settled_and_1_when_a_person_is_wanted(
    tmp_path: Path,
) -> None:
    (tmp_path / "nas_archive").mkdir()
    words = ("--root", str(tmp_path), "--once")
    jpeg(tmp_path / "incoming" / "a.jpg", 1)
    with daemon(tmp_path, *words) as d:
        assert d.wait() == 0
    assert not list((tmp_path / "incoming").iterdir())
    (tmp_path / "nas_archive" / ".mediad-site").unlink()  # another disk is mounted there
    jpeg(tmp_path / "incoming" / "b.jpg", 2)
    with daemon(tmp_path, *words) as d:
        assert d.wait() == 1


def test_once_says_in_words_that_it_cannot_read_what_was_dropped(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    with daemon(tmp_path, "--root", str(tmp_path), "--once") as d:
        assert d.wait() == 0
    (tmp_path / "incoming").rmdir()
    (tmp_path / "incoming").write_text("no folder")
    with daemon(tmp_path, "--root", str(tmp_path), "--once") as d:
        assert d.wait() == 1


def test_a_file_in_processing_that_nobody_knows_is_told_of_and_left_alone(tmp_path: Path) -> None:
    stray = tmp_path / "processing" / "1-1-stray.jpg"
    stray.parent.mkdir()
    stray.write_bytes(b"whose?")
    with ready(tmp_path) as d:
        assert d.hear("spool.orphans")["files"] == 1
        assert "spool.orphans" in d.problems()
        assert d.end() == 0
    assert stray.read_bytes() == b"whose?"
