"""Guards that a manifest is read by the tools it is made for, whatever a file is called."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.model import SiteKey
from mediad.policy.manifest import Form, line

NAMES = [
    "plain.jpg",
    "with space & 'quotes'.jpg",
    "new\nline.jpg",
    "back\\slash.jpg",
    "both\\\n.jpg",
    "return\r.jpg",
    " leading and trailing ",
    "-c",
    "Grüße-\N{CAMERA}.heic",
    "2024/07/deep.jpg",
    os.fsdecode(b"not-\xff-utf8.jpg"),
]


def digest(form: Form, content: bytes) -> str:
    plain = hashlib.sha256(content).hexdigest()
    return plain if form == "sha256" else blake3(content).hexdigest()


@pytest.mark.parametrize("form", ["sha256", "b3"])
def test_the_real_tool_checks_every_name(tmp_path: Path, form: Form) -> None:
    """P15: without mediad, with what every system has."""
    tool = {"sha256": "sha256sum", "b3": "b3sum"}[form]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    lines = []
    for n, name in enumerate(NAMES):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % n)
        lines.append(line(digest(form, b"%d" % n), SiteKey(name), form))
    told = [told for told in lines if told is not None]
    assert len(told) == len(NAMES) - (form == "b3")  # b3sum takes no name that is no UTF-8
    manifest = tmp_path.parent / f"{form}.txt"
    manifest.write_bytes(b"".join(told))
    check = ["--strict", "-c"] if form == "sha256" else ["-c"]
    done = subprocess.run([tool, *check, manifest], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done
    assert done.stdout.count(b"OK") == len(told)
    (tmp_path / NAMES[2]).write_bytes(b"rotten")
    assert subprocess.run(
        [tool, *check, manifest], cwd=tmp_path, capture_output=True, check=False
    ).returncode
