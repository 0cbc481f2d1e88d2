"""Guards the socket: who may come in, and that nothing else is ever removed for it."""

import socket
import stat
from pathlib import Path

import pytest

from mediad.control.doorway import listening
from mediad.errors import NeedsOperator


def test_the_socket_is_for_owner_and_group_and_goes_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "state" / "mediad.sock"
    with listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert [p.name for p in path.parent.iterdir()] == ["mediad.sock"]
    assert not path.exists()


def test_a_socket_left_by_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mediad.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_what_is_no_socket_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mediad.sock"
    path.write_text("a diary")
    with pytest.raises(NeedsOperator, match="no socket"), listening(path):
        pass
    assert path.read_text() == "a diary"


def test_a_path_longer_than_the_kernel_takes_works(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 120) / "mediad.sock"
    with listening(path):
        assert stat.S_ISSOCK(path.stat().st_mode)


def test_a_successors_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "mediad.sock"
    with listening(path):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
    assert path.exists()


def test_a_door_that_systemd_opened_is_used_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "mediad.sock"
    with socket.socket(socket.AF_UNIX) as made, socket.socket(socket.AF_UNIX) as client:
        made.bind(str(path))
        made.listen()
        with listening(tmp_path / "another.sock", made) as door:
            assert door is made
            assert not door.getblocking()
        client.connect(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["mediad.sock"]
