"""Guards what the package says about the programs: generated from them, of their version, and of the same names."""

import re
import subprocess
from pathlib import Path

import pytest

from mediad import __version__
from mediad.config.model import RUN_DIR
from mediad.config.schema import KEYS
from mediad.journal.migrate import editions
from mediad.mediactl.client import SYSTEM_SOCKET
from mediad.mediactl.parser import COMMANDS
from scripts import generate_packaging

REPO = Path(__file__).parents[1]
DEBIAN = REPO / "packaging/debian"
UNIT = (REPO / "packaging/systemd/mediad.service").read_text()


def test_manual_pages_and_completions_are_what_the_programs_say() -> None:
    assert generate_packaging.stale() == []


@pytest.mark.parametrize("page", sorted((REPO / "packaging/man").iterdir()), ids=lambda p: p.name)
def test_a_manual_page_is_sound(page: Path) -> None:
    said = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-z", page], capture_output=True, text=True, check=True
    )
    assert said.stderr == ""


def test_every_command_and_every_setting_is_in_the_manual() -> None:
    commands = (REPO / "packaging/man/mediactl.1").read_text()
    named = re.findall(r"^\.SS mediactl (\S+)$", commands.replace("\\-", "-"), re.MULTILINE)
    assert named == list(COMMANDS)
    settings = (REPO / "packaging/man/mediad.toml.5").read_text()
    assert re.findall(r"^\.TP\n\.B (\w+)$", settings, re.MULTILINE) == [
        k.path[-1] for k in KEYS.values()
    ]


def test_a_shell_completes_commands_stages_and_settings() -> None:
    script = f"""
source {REPO}/packaging/completions/mediactl.bash
COMP_WORDS=(mediactl "$@") COMP_CWORD=$# COMPREPLY=()
$(complete -p mediactl | sed 's/.*-F \\([^ ]*\\).*/\\1/') && echo "${{COMPREPLY[@]}}"
"""

    def completed(*words: str) -> str:
        asked = ["bash", "-c", script, "complete", *words]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    assert completed("expl") == "explain"
    assert completed("pause", "com") == "compress"
    assert completed("config", "set", "archive.en") == "archive.enabled"


def test_the_packages_version_is_the_programs() -> None:
    first = (DEBIAN / "changelog").read_text().splitlines()[0]
    assert first.startswith(f"mediad ({__version__}) ")


def test_an_older_package_can_tell_which_journals_it_knows() -> None:
    """The build takes the number from the last file's name."""
    last = max(p.name for p in (REPO / "mediad/journal/sql").glob("*.sql"))
    assert int(last[:4]) == editions()[-1].number


def test_the_socket_is_where_the_program_looks_for_it() -> None:
    socket = (REPO / "packaging/systemd/mediad.socket").read_text()
    assert f"ListenStream={SYSTEM_SOCKET}\n" in socket
    assert Path(SYSTEM_SOCKET).parent == RUN_DIR


def test_every_secret_can_be_a_credential() -> None:
    named = re.findall(r"^LoadCredential=([\w.]+):mediad\.([\w.]+)$", UNIT, re.MULTILINE)
    assert [a for a, b in named if a == b] == [k.dotted for k in KEYS.values() if k.is_secret]
    readme = (DEBIAN / "README.Debian").read_text()
    assert all(f"mediad.{name}" in readme for name, _ in named)


@pytest.mark.parametrize("script", ["mediad.preinst", "mediad.postrm", "tests/service"])
def test_maintainer_scripts_are_sound(script: str) -> None:
    subprocess.run(["shellcheck", "-s", "sh", DEBIAN / script], check=True)
