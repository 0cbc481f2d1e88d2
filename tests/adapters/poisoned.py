"""Programs called ffmpeg that are not what they seem, for the tests of those who use ffmpeg."""

import os
import shutil
import sys
from pathlib import Path

import pytest

_HEAD = """#!{python} -SE
import os, sys, time
REAL = {real!r}
argv = sys.argv[1:]
def real(words=None):
    os.execv(REAL, [REAL, *(argv if words is None else words)])
def before(option, *words):
    at = argv.index(option)
    return argv[:at] + list(words) + argv[at:]
out = next((word for word in argv if word.endswith("picture.mov")), "")
"""


def poisoned(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """
    Put an ffmpeg on PATH that runs `program` (Python).

    It has `argv`, `out` (the file for the coded picture, "" when none is asked for), `real(argv)` which becomes the
    true ffmpeg, and `before(option, *words)`.
    """
    real = shutil.which("ffmpeg")
    assert real is not None
    folder.mkdir()
    stand_in = folder / "ffmpeg"
    stand_in.write_text(_HEAD.format(python=sys.executable, real=real) + program + "\nreal()\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
