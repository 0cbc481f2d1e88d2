"""Guards the tool behind the crash points: what it is told to fault is faulted, in every thread; nothing else is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the tracer knows one machine"
)

# In a process of its own: the tracer forks, and waits for whatever child stirs.
RUN = """
import json, os, sys, threading
from crash.points import At
from crash.tracer import run

root, fault, nth, lasting = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "lasting"

def tried(do):
    try:
        return do()
    except OSError as error:
        return error.errno

def write(name):
    with open(f"{root}/{name}", "wb", 0) as file:
        return file.write(b"x" * 1000)

def child():
    said = []
    threads = [threading.Thread(target=lambda n=n: said.append(tried(lambda: write(n)))) for n in "ab"]
    for thread in threads:
        thread.start()
        thread.join()
    said.append(tried(lambda: os.rename(f"{root}/a", f"{root}/c")))
    open(f"{root}/../elsewhere", "wb").close()
    if os.fork() == 0:
        tried(lambda: os.mkdir(f"{root}/d"))
        os._exit(0)
    os.wait()
    with open(f"{root}/../said", "w") as file:
        json.dump(said, file)
    return 7

watcher = At(root, fault, nth, lasting)
ended = run(child, watcher, timeout_s=20)
print(json.dumps([ended.status, ended.was_killed, watcher.seen, watcher.hit]))
"""


def traced(folder: Path, fault: str, nth: int, how: str = "") -> tuple[list[Any], list[Any]]:
    """What the tracer says, and what the traced one heard."""
    root = folder / "root"
    root.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUN, root, fault, str(nth), how],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    said = folder / "said"
    return json.loads(done.stdout), json.loads(said.read_text()) if said.exists() else []


def test_every_change_below_the_root_is_counted_and_no_other(tmp_path: Path) -> None:
    """Two threads make and write a file each, one renames, a child makes a folder."""
    told, said = traced(tmp_path, "kill", -1)
    assert told == [7, False, 6, ""]
    assert said == [1000, 1000, None]


@pytest.mark.parametrize(
    ("nth", "call", "left"),
    [
        (1, "openat a", []),
        (2, "write a", ["a"]),
        (4, "write b", ["a", "b"]),
        (5, "rename a c", ["a", "b"]),
        (6, "mkdir d", ["b", "c"]),
    ],
)
def test_a_kill_comes_before_the_call_takes_effect(
    tmp_path: Path, nth: int, call: str, left: list[str]
) -> None:
    told, _ = traced(tmp_path, "kill", nth)
    assert told == [-9, True, nth, call]
    assert sorted(p.name for p in (tmp_path / "root").iterdir()) == left


def test_an_error_is_heard_once_or_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    told, said = traced(tmp_path / "once", "EIO", 2)
    assert said == [5, 1000, None]
    assert told[3] == "write a"
    (tmp_path / "lasting").mkdir()
    _, said = traced(tmp_path / "lasting", "EIO", 2, "lasting")
    assert said == [5, 5, 5]


def test_a_full_disk_refuses_only_what_grows(tmp_path: Path) -> None:
    _, said = traced(tmp_path, "ENOSPC", 3)
    assert said == [1000, 28, None]


def test_a_short_write_is_a_real_one(tmp_path: Path) -> None:
    told, said = traced(tmp_path, "short", 1)
    assert said == [500, 1000, None]
    assert told[3] == "write a"
    assert (tmp_path / "root" / "c").read_bytes() == b"x" * 500


FORKS = """
import os, sys, threading, time
from crash.points import At
from crash.tracer import run, traced

root = sys.argv[1]

def forking():
    while True:
        if os.fork() == 0:
            os._exit(0)
        os.wait()

def child():
    for _ in range(3):
        threading.Thread(target=forking, daemon=True).start()
    for n in range(100):
        os.mkdir(f"{root}/{n}")
    return 0

left = []
for nth in range(1, 26):
    for name in os.listdir(root):
        os.rmdir(f"{root}/{name}")
    assert run(child, At(root, "kill", nth % 20 + 1), timeout_s=20).was_killed
    left += traced()
print(left)
"""


@pytest.mark.crash
def test_a_child_that_was_just_being_born_dies_with_the_others(tmp_path: Path) -> None:
    """It has what its parent had, and would hold the lock against the next start."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
