"""Guards docs/phone.md: a newcomer can type what it says."""

import re
import shlex
from pathlib import Path

import pytest

from mediad.config import load
from mediad.config.schema import KEYS
from mediad.mediactl.parser import parse

REPO = Path(__file__).parents[2]
SETTINGS = {key.dotted for key in KEYS.values()}
GUIDE = (REPO / "docs/phone.md").read_text()
README = (REPO / "contrib/pixel/README.md").read_text()
PROFILE = re.findall(r"^```toml\n(root = .*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
FENCED = re.findall(r"^(mediactl .*?)(?:  +#.*)?$", GUIDE + README, re.MULTILINE)
IN_LINE = re.findall(r"`(mediactl [^`]+)`", GUIDE + README)


@pytest.mark.parametrize("line", sorted({*FENCED, *IN_LINE}))
def test_every_command_is_one_that_mediactl_takes(line: str) -> None:
    words = shlex.split(line)[1:]
    numbered = ["12" if word == "ID" else word for word in words]
    parse(numbered)


def test_the_guide_shows_commands_and_one_profile() -> None:
    assert len(FENCED) >= 10
    assert len(PROFILE) == 1


def test_the_profile_loads_with_all_but_the_phone_and_the_library_off(tmp_path: Path) -> None:
    key = tmp_path / "syncthing.key"
    key.write_text("secret")
    file = tmp_path / "mediad.toml"
    file.write_text(PROFILE[0].replace("/etc/mediad/syncthing.key", str(key)))
    settings = load(config_file=file, root=None, environ={}).settings
    assert settings.workflow.preset == "sorter"
    assert settings.phone.enabled
    assert settings.sort.enabled
    off = (settings.archive, settings.compress, settings.icloud)
    assert [section.enabled for section in off] == [False] * 3


def test_every_code_of_the_trouble_table_has_its_page() -> None:
    known = set(re.findall(r"^### (.+)$", (REPO / "docs/errors.md").read_text(), re.MULTILINE))
    trouble = GUIDE.partition("## Trouble")[2]
    codes = set(re.findall(r"`((?:syncthing|pixel)\.[a-z_]+)`", trouble))
    assert codes - SETTINGS - known == set()


def test_every_setting_it_names_exists() -> None:
    named = set(re.findall(r"`((?:phone|folders|workflow)\.[a-z_]+)", GUIDE))
    assert named
    assert named <= SETTINGS
