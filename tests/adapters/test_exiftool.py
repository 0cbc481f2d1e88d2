"""Guards the fallback: one process for many files, no name ever reaches it, a hang costs one answer."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediad.adapters.exiftool import ExifTool
from tests.adapters import forge
from tests.adapters.reading import read

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not here")


@pytest.fixture
def exiftool() -> Iterator[ExifTool]:
    tool = ExifTool()
    yield tool
    tool.close()


def ask(tool: ExifTool, path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return {c.tag: f"{c.text}{c.offset}" for c in tool.ask(file.fileno()).claims}


def test_one_process_answers_for_many_files(tmp_path: Path, exiftool: ExifTool) -> None:
    path = tmp_path / "-delete_original\n-execute\n.jpg"
    path.write_bytes(forge.jpeg(forge.shot(offset="+02:00")))
    programs = set()
    for _ in range(3):
        assert ask(exiftool, path) == {"exif:DateTimeOriginal": "2024:07:14 18:03:22+02:00"}
        assert exiftool._program is not None
        programs.add(exiftool._program.pid)
    assert len(programs) == 1


def test_what_it_cannot_read_is_an_empty_answer(tmp_path: Path, exiftool: ExifTool) -> None:
    (tmp_path / "a").write_bytes(os.urandom(2000))
    assert ask(exiftool, tmp_path / "a") == {}


def test_one_that_died_is_replaced(tmp_path: Path, exiftool: ExifTool) -> None:
    (tmp_path / "a.jpg").write_bytes(forge.jpeg(forge.shot()))
    assert ask(exiftool, tmp_path / "a.jpg")
    assert exiftool._program is not None
    exiftool._program.kill()
    exiftool._program.wait()
    assert ask(exiftool, tmp_path / "a.jpg")


def test_one_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "exiftool"
    fake.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tool = ExifTool(timeout_s=0.3)
    assert ask(tool, fake) == {}
    assert tool._program is None


def test_without_it_the_answer_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a").write_bytes(b"x")
    assert ask(ExifTool(), tmp_path / "a") == {}


def test_our_own_reader_agrees_with_it(tmp_path: Path, exiftool: ExifTool) -> None:
    content = forge.jpeg(forge.shot("2001:02:03 04:05:06", "-07:00"))
    (tmp_path / "a.jpg").write_bytes(content)
    ours = {c.tag: f"{c.text}{c.offset}" for c in read(tmp_path, content).claims}
    assert ask(exiftool, tmp_path / "a.jpg") == ours
