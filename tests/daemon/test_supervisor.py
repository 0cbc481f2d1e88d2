"""Guards what is said to systemd and taken from it: the right words, and the socket that it opened."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediad.daemon.supervisor import Supervisor

ENVIRON = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")  # fmt: skip


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(5)
        yield ear


def test_words_arrive_as_one_message(ear: socket.socket) -> None:
    Supervisor(ear.getsockname(), 0, None).tell("READY=1", "STATUS=fine")
    assert ear.recv(100) == b"READY=1\nSTATUS=fine"


def test_an_address_without_a_file_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0mediad-test-{os.getpid()}")
        ear.settimeout(5)
        Supervisor(f"@mediad-test-{os.getpid()}", 0, None).tell("READY=1")
        assert ear.recv(100) == b"READY=1"


def test_nobody_who_listens_is_no_fault(tmp_path: Path) -> None:
    Supervisor("", 0, None).tell("READY=1")
    Supervisor(str(tmp_path / "nobody"), 0, None).tell("READY=1")


async def test_a_reload_is_over_for_systemd_however_it_ends(ear: socket.socket) -> None:
    def reload() -> None:
        with Supervisor(ear.getsockname(), 0, None).reloading():
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        reload()
    first, since = ear.recv(100).decode().splitlines()
    assert first == "RELOADING=1"
    assert int(since.removeprefix("MONOTONIC_USEC=")) > 0
    assert ear.recv(100) == b"READY=1"


def test_all_of_it_is_taken_out_of_the_environment() -> None:
    environ = {"PATH": "/bin", **dict.fromkeys(ENVIRON, "1"), "WATCHDOG_USEC": "30000000"}
    environ["WATCHDOG_PID"] = str(os.getpid())
    assert Supervisor.from_environ(environ).watchdog_s == 30
    assert environ == {"PATH": "/bin"}


def test_a_watchdog_that_is_meant_for_another_process_is_not_ours() -> None:
    assert (
        Supervisor.from_environ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_s == 0
    )


def test_sockets_that_are_meant_for_another_process_are_left_alone() -> None:
    assert Supervisor.from_environ({"LISTEN_PID": "1", "LISTEN_FDS": "1"}).door is None


def test_the_socket_of_systemd_is_used_and_not_inherited(tmp_path: Path) -> None:
    """In a process of its own: the socket has to be file descriptor 3 there."""
    program = """
import os, socket, subprocess, sys
from mediad.daemon.supervisor import Supervisor
door = Supervisor.from_environ({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}).door
print(door.getsockname(), door.fileno(), os.get_inheritable(3))
"""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()
        said = subprocess.run(
            ["bash", "-c", f'exec 3<&{door.fileno()} "$0" -c "$1"', sys.executable, program],
            pass_fds=[door.fileno()], stdout=subprocess.PIPE, text=True, check=True,
        ).stdout  # fmt: skip
    assert said.split() == [str(tmp_path / "door"), "3", "False"]
