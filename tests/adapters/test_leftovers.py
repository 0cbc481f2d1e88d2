"""Guards that only files of processing/ itself are named, whatever their names are made of."""

import os
from pathlib import Path

import pytest

from mediad.adapters import leftovers
from mediad.adapters.leftovers import files_in
from mediad.errors import MediadError

ODD = os.fsdecode(b"1-2-not-\xff.jpg")


async def test_files_are_named_and_our_own_names_and_folders_are_not(tmp_path: Path) -> None:
    for name in ("1-1-a.jpg", ODD, ".mediad-1.part", ".mediad-site"):
        (tmp_path / name).touch()
    (tmp_path / "renditions").mkdir()
    (tmp_path / "renditions/1-1-a.jpg.jpg").touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert sorted(await files_in(tmp_path)) == sorted(["1-1-a.jpg", ODD, "link"])


async def test_the_look_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "MOST", 3)
    for n in range(5):
        (tmp_path / f"{n}.jpg").touch()
    assert len(await files_in(tmp_path)) == 3


async def test_a_folder_that_is_away_is_a_fault_and_not_empty(tmp_path: Path) -> None:
    with pytest.raises(MediadError):
        await files_in(tmp_path / "away")
