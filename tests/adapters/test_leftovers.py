"""Guards that only files of processing/ itself are named, whatever their names are made of."""

import os
import threading
from pathlib import Path

import pytest

from mediad.adapters import leftovers
from mediad.adapters.leftovers import files_in
from mediad.adapters.scout import Scout
from mediad.errors import MediadError, Retryable

ODD = os.fsdecode(b"1-2-not-\xff.jpg")


async def test_files_are_named_and_our_own_names_and_folders_are_not(tmp_path: Path) -> None:
    for name in ("1-1-a.jpg", ODD, ".mediad-1.part", ".mediad-site"):
        (tmp_path / name).touch()
    (tmp_path / "renditions").mkdir()
    (tmp_path / "renditions/1-1-a.jpg.jpg").touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert sorted(await files_in(tmp_path, Scout())) == sorted(["1-1-a.jpg", ODD, "link"])


async def test_the_look_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "MOST", 3)
    for n in range(5):
        (tmp_path / f"{n}.jpg").touch()
    assert len(await files_in(tmp_path, Scout())) == 3


async def test_a_folder_that_is_away_is_a_fault_and_not_empty(tmp_path: Path) -> None:
    with pytest.raises(MediadError):
        await files_in(tmp_path / "away", Scout())


async def test_a_folder_that_hangs_is_a_fault_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch for orphans has a heart: hung with the folder it would have the whole daemon restarted."""
    comes_back = threading.Event()
    monkeypatch.setattr(leftovers, "PATIENCE_S", 0.05)
    monkeypatch.setattr(os, "scandir", lambda _: comes_back.wait(20))
    try:
        with pytest.raises(Retryable, match="has not answered"):
            await files_in(tmp_path, Scout())
    finally:
        comes_back.set()
