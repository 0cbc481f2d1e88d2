"""The house keeps its own rules: what no linter can see."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediad.state import STAGE_ORDER

REPO = Path(__file__).parents[1]
HOUSE = REPO / "mediad"
FILES = sorted(HOUSE.rglob("*.py"))
THIN = {"__init__.py", "__main__.py"}


def named(path: Path) -> str:
    return str(path.relative_to(HOUSE))


WRITERS = {"unlink", "rename", "renames", "replace", "rmdir", "link", "rename_noreplace"}


def calls_of(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_fits_in_a_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_only_the_policy_signs_warrants() -> None:
    signed = {
        str(p.relative_to(HOUSE)) for p in FILES for name, _ in calls_of(p) if name == "Warrant"
    }
    assert signed == {"policy/deletion.py"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_stages_and_policies_write_nothing(path: Path) -> None:
    if path.parent.name in {"stages", "policy"}:
        for name, _ in calls_of(path):
            assert not (name.startswith("os.") and name.rpartition(".")[2] in WRITERS), name
            assert name != "open", name


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_module_says_what_it_promises(path: Path) -> None:
    if path.name not in THIN:
        assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_module_with_decisions_has_its_mirrored_test(path: Path) -> None:
    if path.name in THIN or path.parent.name not in {"policy", "stages", "adapters"}:
        return
    if path.name in {"registry.py", "verdict.py", "syscalls.py", "photo_worker.py"}:
        return  # tables, and what only runs inside a suite of its neighbour
    assert list((REPO / "tests" / path.parent.name).glob(f"test_{path.stem}*.py")), path.name


def test_each_stage_file_is_a_row_of_the_law() -> None:
    files = {p.stem for p in (HOUSE / "stages").glob("*.py")} - {
        "__init__",
        "verdict",
        "registry",
        "lots",
        "finding",
        "placing",
        "listing",
        "cases",
        "holding",
        "joining",
        "returned",
    }
    assert files <= set(STAGE_ORDER)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_work_is_left_behind_in_comments(path: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())


def test_nothing_names_the_machine_it_was_built_on() -> None:
    tracked = [p for p in REPO.rglob("*") if p.is_file() and p.suffix in {".py", ".md", ".toml"}]
    for path in tracked:
        if not {".venv", ".git", "photos"} & set(path.relative_to(REPO).parts):
            assert not re.search(r"/wo[r]k/(main|shared)\b", path.read_text()), path
