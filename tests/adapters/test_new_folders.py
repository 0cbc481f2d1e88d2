"""Guards that what was put into a new folder does not go with the folder when the power does."""

import errno
import os
from pathlib import Path

import pytest

from mediad.adapters.new_folders import make_durable


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Every folder that was synced."""
    found: set[Path] = set()
    real = os.fsync

    def sync(fd: int) -> None:
        found.add(Path(f"/proc/self/fd/{fd}").readlink())
        real(fd)

    monkeypatch.setattr(os, "fsync", sync)
    return found


@pytest.mark.parametrize("made", ["", "mediad", "mediad/processing"])
def test_who_was_killed_between_a_folder_and_its_sync_is_made_up_for_at_the_next_start(
    tmp_path: Path, synced: set[Path], made: str
) -> None:
    (tmp_path / "data" / made).mkdir(parents=True)  # all that the first one came to
    make_durable(tmp_path / "data/mediad/processing")
    assert (tmp_path / "data/mediad/processing").is_dir()
    assert {tmp_path, tmp_path / "data", tmp_path / "data/mediad"} <= synced


def test_a_folder_on_the_way_that_we_may_not_read_is_no_hindrance(
    tmp_path: Path, synced: set[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `/home` is where a service has its folder in somebody's own."""
    real = os.open

    def opened(path: str | Path, *more: int, **where: int) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *more, **where)

    monkeypatch.setattr(os, "open", opened)
    make_durable(tmp_path / "a/b")
    assert tmp_path / "a" in synced
    assert tmp_path not in synced
    assert tmp_path.parent in synced


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        make_durable(tmp_path / "a")
