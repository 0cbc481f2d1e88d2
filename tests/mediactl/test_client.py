"""Guards the conversation with the daemon: long paths, foreign sockets, a daemon that dies in the middle."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediad.mediactl.client import NO_DAEMON, Client, Trouble
from tests.mediactl.typed import a_terminal


@contextmanager
def a_socket_that_answers(path: Path, answer: bytes) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def serve() -> None:
            connection, _ = door.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b'HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{"version":',
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "s"
    with a_socket_that_answers(path, answer), pytest.raises(Trouble) as trouble:
        Client(str(path)).get("/status")
    assert trouble.value.code == NO_DAEMON
    assert "went away" in trouble.value.what


def test_a_socket_that_nobody_listens_on_is_no_daemon(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    with pytest.raises(Trouble, match="refused") as trouble:
        Client(str(tmp_path / "s")).get("/status")
    assert trouble.value.code == NO_DAEMON


async def test_a_root_of_a_long_name_is_reached(tmp_path: Path) -> None:
    root = tmp_path / ("long" * 30)
    async with a_terminal(root) as terminal:
        assert len(str(terminal.api.socket)) > 107
        assert (await terminal.type("status")).code == 0
