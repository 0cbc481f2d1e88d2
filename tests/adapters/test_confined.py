"""Guards that a program which decodes foreign bytes can reach nobody, and that the daemon itself still can."""

import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import anyio
import pytest

from mediad.adapters.confined import is_shut, shut_network, start
from mediad.adapters.workers import Limits, Workers
from mediad.model import Media
from mediad.ports import Recipe

pytestmark = pytest.mark.skipif(not is_shut(), reason="no seccomp filters on this machine")

LIMITS = Limits(memory_bytes=1 << 30, cpu_s=20, wall_s=20.0)
TRY = """
import socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
        print("open")
    except PermissionError:
        print("refused")
"""
URING = "import ctypes; c = ctypes.CDLL(None, use_errno=True); c.syscall(425, 1, 0); print(ctypes.get_errno())"


def said(code: str) -> list[str]:
    with start([sys.executable, "-c", code], stdout=subprocess.PIPE) as program:
        assert program.stdout
        return program.stdout.read().decode().split()


def test_a_program_gets_no_socket_of_any_kind() -> None:
    assert said(TRY) == ["refused"] * 4


def test_nor_do_its_children() -> None:
    again = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TRY!r}])"
    assert said(again) == ["refused"] * 4


def test_nor_by_the_way_of_a_ring() -> None:
    assert said(URING) == ["13"]  # EACCES


def test_what_needs_no_network_works_as_ever() -> None:
    assert said("import socket, os; socket.socketpair(); os.pipe(); print('fine')") == ["fine"]


def test_the_one_who_starts_it_keeps_the_network() -> None:
    said("pass")
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_only_the_thread_that_asks_is_shut_off() -> None:
    heard: list[bool] = []

    def alone() -> None:
        heard.append(shut_network())
        try:
            socket.socket().close()
        except PermissionError:
            heard.append(True)

    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    assert heard == [True, True]
    socket.socket().close()


def test_ffmpeg_cannot_be_made_to_call_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/film.mp4"
        with start(["ffmpeg", "-i", address], stderr=subprocess.PIPE, cwd=tmp_path) as program:
            assert program.stderr
            assert b"Permission denied" in program.stderr.read()
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_a_photo_worker_is_shut_off_too(tmp_path: Path) -> None:
    job = {
        "do": "render", "recipe": asdict(Recipe("x", Media.JPEG, quality=80, encoder="pillow")),
        "source": str(tmp_path / "none.jpg"), "target": str(tmp_path / "out.jpg"), "folder": str(tmp_path),
        "limits": asdict(LIMITS),
    }  # fmt: skip
    workers = Workers("mediad.adapters.photo_worker", 1, cwd=tmp_path)
    worker = await workers._hired()
    try:
        assert "fault" in await worker.ask(job)  # now it is past its start, and waits for more
        status = await anyio.Path(f"/proc/{worker.process.pid}/status").read_text()
        assert "Seccomp:\t2\n" in status
    finally:
        await worker.end()
