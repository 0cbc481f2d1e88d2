"""Programs called ffmpeg that are not what they seem, for the tests of those who use ffmpeg."""

import os
import shutil
import sys
from pathlib import Path

import pyjpegli
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
out = next((word for word in argv if word.endswith(("picture.mov", "coded.hevc"))), "")
"""
_JPEGLI = """
import importlib.util, io, os, sys, tempfile, time
from PIL import Image
_spec = importlib.util.spec_from_file_location("pyjpegli", {real!r})
_real = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_real)
decode, jpeg = _real.decode, _real.encode
def image(pixels, wide, high):
    return Image.frombytes("RGB", (wide, high), bytes(pixels))
def encode(pixels, wide, high, quality):
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


def poisoned_jpegli(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """
    Give the photo workers that start from now on a jpegli whose `encode` is `program` (Python).

    It has `pixels`, `wide`, `high` and `quality` as they were asked for, `jpeg` which is the honest coder, and
    `image(pixels, wide, high)`.
    """
    folder.mkdir()
    body = "".join(f"    {line}\n" for line in program.splitlines())
    (folder / "pyjpegli.py").write_text(_JPEGLI.format(real=pyjpegli.__file__) + body)
    monkeypatch.setenv("PYTHONPATH", str(folder))
