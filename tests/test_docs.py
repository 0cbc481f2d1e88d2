"""Guards the documents: what the code has, they have; what they have, the code still does."""

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mediad.config import Settings, load
from mediad.config.schema import KEYS, SECTIONS
from mediad.config.units import template
from mediad.mediactl.parser import COMMANDS
from mediad.policy import naming
from mediad.state import WORKFLOWS, State

REPO = Path(__file__).parents[1]
SOURCES = [p for p in sorted((REPO / "mediad").rglob("*.py")) if "testing" not in p.parts]
CODE = re.compile(r"[a-z]+\.[a-z_0-9]+")
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}
# Dotted words in the source that are no codes: files, kinds of file systems, modules, columns, names of events.
NO_CODES = {
    "after.hevc", "apple.com", "asset.identity", "asset.moved", "before.hevc", "coded.hevc",
    "config.json", "daemon.crashed", "doctor.json",
    "enough.hevc", "parts.hevc", "parts.yuv",
    "errors.json", "exiftool.txt", "ffmpeg.txt", "fuse.sshfs", "icloud.com", "journal.db", "journald.txt",
    "judged.hevc", "library.said", "log.jsonl", "mediad.journal", "mediad.lock", "mediad.log", "mediad.service",
    "mediad.sock", "mediad.socket", "mediad.toml", "mounts.txt", "picture.mov", "runs.json", "service.txt",
    "status.json", "tiles.hevc", "unit.txt", "versions.json",
}  # fmt: skip
# Made at run time from a table, or said of Python's own errors.
BY_HAND = {"error", "retry", "operator", "refused", "bug"}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_docs", REPO / "scripts/generate_docs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def headings(name: str) -> set[str]:
    text = (REPO / "docs" / name).read_text()
    return set(re.findall(r"^### (.+)$", text, re.MULTILINE))


def codes_of(path: Path) -> Iterator[str]:
    """Every word in this file that has the form of a code and is not known to be something else."""
    tree = ast.parse(path.read_text())
    said = {
        id(word)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in LOGS
        for word in call.args[:1]
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            if CODE.fullmatch(node.value):
                yield node.value
            elif match := re.fullmatch(r"\{site\}\.([a-z_]+)", node.value):
                yield f"SITE.{match[1]}"
        elif isinstance(node, ast.JoinedStr):
            yield from _made(ast.unparse(node))


def _made(text: str) -> Iterator[str]:
    if match := re.fullmatch(r"f['\"]\{site\}\.([a-z_]+)['\"]", text):
        yield f"SITE.{match[1]}"
    if match := re.fullmatch(r"f['\"](folder|program)\.\{name\}['\"]", text):
        yield f"{match[1]}.NAME"


def codes() -> set[str]:
    others = {s.value for s in State} | {key.dotted for key in KEYS.values()} | NO_CODES
    found = {c for path in SOURCES if "config" not in path.parts for c in codes_of(path)}
    return found - others | {"config.invalid"} | BY_HAND


def test_the_generated_files_say_what_the_code_says(generator: ModuleType) -> None:
    assert generator.stale() == [], "run scripts/generate_docs.py"


def test_every_setting_has_its_heading() -> None:
    assert headings("configuration.md") == {key.dotted for key in KEYS.values()}


def test_every_state_and_workflow_has_its_heading() -> None:
    assert headings("states.md") == {*(s.value for s in State), *WORKFLOWS}


def test_every_command_has_its_heading_and_an_example() -> None:
    assert headings("mediactl.md") == set(COMMANDS)
    for name, command in COMMANDS.items():
        assert re.search(rf"^mediactl\b.* {name}\b", command.example), name


def test_every_code_has_its_heading_and_every_heading_its_code() -> None:
    known, written = codes(), headings("errors.md")
    assert known - written == set(), "codes without a heading in docs/errors.md"
    assert written - known == set(), "headings in docs/errors.md that no code says"


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    text = (REPO / "docs/errors.md").read_text()
    for entry in text.split("\n### ")[1:]:
        name = entry.splitlines()[0]
        assert "*For your files:* " in entry, name
        assert "*Remedy:* " in entry, name


def test_every_setting_says_why_one_would_change_it() -> None:
    for key in KEYS.values():
        assert len(key.field.description or "") > 10, key.dotted
        assert (key.field.description or "").endswith("."), key.dotted
    for model in SECTIONS.values():
        assert model.__doc__


def test_the_shipped_file_holds_every_setting_with_its_default(tmp_path: Path) -> None:
    shipped = (REPO / "etc/mediad.toml").read_text()
    assert tomllib.loads(shipped)["root"] == "/srv/mediad"
    uncommented = re.sub(r"^#(?=[a-z_]+ = )", "", shipped, flags=re.MULTILINE)
    file = tmp_path / "mediad.toml"
    file.write_text(uncommented)
    loaded = load(config_file=file, root=None, environ={})
    assert loaded.settings.model_dump() == Settings(root=Path("/srv/mediad")).model_dump()
    assert set(loaded.origins.values()) == {"file"}


@pytest.mark.parametrize(
    "text",
    [
        "{YYYY}/{MM}/{name}", "{name}", "{kind}/{stem}-{digest8}.{ext}", "{source}/{digest8}.{ext}",
        "{YEAR}/{name}", "{YYYY}/{MM}", "../{name}", "/{name}", "{name}/", "a//{name}", "{stem}", "{ext}",
        "{YYYY/{name}", "./{name}", "{name}}", "",
    ],
)  # fmt: skip
def test_a_template_is_right_at_the_start_exactly_when_it_can_be_used_later(text: str) -> None:
    try:
        template(text)
        is_right = True
    except ValueError:
        is_right = False
    assert is_right == (not naming.faults(text))


def test_glossary_words_are_in_their_own_order_once() -> None:
    text = (REPO / "docs/glossary.md").read_text()
    words = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert len(words) == len(set(words))
