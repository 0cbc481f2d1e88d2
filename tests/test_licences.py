"""Guards that one licence is said everywhere, and that whatever the package carries goes with it."""

import re
import subprocess
import tomllib
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path

import pytest

from scripts import licences, release

REPO = Path(__file__).parents[1]
COPYRIGHT = (REPO / "packaging/debian/copyright").read_text()


def about(name: str, **said: str) -> Message:
    message = Message()
    message["Name"] = name
    for key, value in said.items():
        message[key.replace("_", "-")] = value
    return message


def test_the_same_licence_is_said_everywhere() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["license"] == licences.OURS
    assert f"License: {licences.OURS}\n" in COPYRIGHT
    text = (REPO / "LICENSE").read_text()
    assert re.match(r"\s+GNU GENERAL PUBLIC LICENSE\n\s+Version 3, 29 June 2007\n", text)
    assert "(LICENSE)" in (REPO / "README.md").read_text()


def test_every_library_of_the_lock_goes_with_it() -> None:
    named = [wanted.name for wanted in release.locked()]
    assert len(named) > 40
    for name in named:
        assert licences.licence_of(distribution(name).metadata), name


def test_every_bundled_library_was_looked_at_and_the_gpl_is_told() -> None:
    libraries = [distribution(wanted.name) for wanted in release.locked()]
    site = Path(str(libraries[0].locate_file("")))
    files = [p.name for p in site.glob("pillow*.libs/*.so*")]
    assert len(files) > 15
    told = "\n".join(licences.stanzas(libraries, files))
    assert re.search(r"^Files: \*/libx265-.*\n.*\nLicense: GPL-2.0-or-later$", told, re.MULTILINE)
    assert re.search(r"^Files: \*/pyicloud\*\n(.*\n)+?License: MIT$", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ({"License_Expression": "Apache-2.0 AND MIT"}, "Apache-2.0 AND MIT"),
        ({"License_Expression": "BSD-3-Clause OR GPL-2.0-only"}, "BSD-3-Clause OR GPL-2.0-only"),
        ({"License": "3-Clause BSD License"}, "BSD-3-Clause"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
    ],
)
def test_what_authors_write_is_understood(said: dict[str, str], licence: str) -> None:
    assert licences.licence_of(about("x", **said)) == licence


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"License": "see the file"},
        {"License_Expression": "GPL-2.0-only"},
        {"License_Expression": "MIT AND AGPL-3.0-only"},
    ],
)
def test_what_nobody_has_looked_at_stops_the_build(said: dict[str, str]) -> None:
    with pytest.raises(SystemExit, match="nobody has looked"):
        licences.licence_of(about("x", **said))
    with pytest.raises(SystemExit, match="nobody has looked"):
        licences.bundled("libnew-1234.so.1")


def test_debians_python_alone_writes_the_stanzas(tmp_path: Path) -> None:
    said = subprocess.run(
        ["/usr/bin/python3", "-I", REPO / "scripts/licences.py", tmp_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == ""
