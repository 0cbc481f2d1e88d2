"""Guards that two daemons never work on one state folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mediad.errors import NeedsOperator
from mediad.journal import Lock

HOLDS = """
import pathlib, sys
from mediad.journal import Lock
held = Lock.acquire(pathlib.Path(sys.argv[1]))
print('held', flush=True)
sys.stdin.read()
"""


def test_the_second_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    held = Lock.acquire(tmp_path / "mediad.lock")
    with pytest.raises(NeedsOperator) as refused:
        Lock.acquire(tmp_path / "mediad.lock")
    assert refused.value.code == "daemon.running"
    assert str(os.getpid()) in refused.value.what
    held.release()
    Lock.acquire(tmp_path / "mediad.lock").release()


def test_a_killed_holder_holds_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "mediad.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(NeedsOperator, match=str(other.pid)):
            Lock.acquire(path)
        other.kill()
    held = Lock.acquire(path)
    assert path.read_text() == f"{os.getpid()}\n"
    held.release()


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "mediad.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="lock"):
        Lock.acquire(tmp_path / "mediad.lock")
    assert (tmp_path / "precious").read_text() == "mine"
