"""Guards the check of the guards: it finds them all, takes each away, and tells a kill from a mutant that is broken."""

import ast
from pathlib import Path
from typing import Any

import pytest

from scripts.mutants.__main__ import _found, _stale
from scripts.mutants.guards import Finder
from scripts.mutants.targets import TARGETS
from scripts.mutants.worker import attempt

SOURCE = b"""
ALLOWED = {"a", "b"}

def remove(name, size, fd, folder):
    if name not in ALLOWED:
        raise ValueError(f"{name if name else 'x'} stays")
    if not size or size > 10:
        return False
    os.fsync(fd)
    parts.rename_noreplace(touch, (folder, name), (folder, name))
    touch("unlink")
    os.unlink(name, dir_fd=folder, follow_symlinks=False)
    return min(size, 3)
"""


def changes_of(source: bytes) -> set[tuple[str, str]]:
    return {(m.text, m.change) for m in Finder("x.py", source).mutants()}


def test_each_kind_of_guard_is_found() -> None:
    assert changes_of(SOURCE) == {
        ("{'a', 'b'}", "without `'a'`"),
        ("{'a', 'b'}", "without `'b'`"),
        ("name not in ALLOWED", "never"),
        ("name not in ALLOWED", "inverted"),
        ("not size or size > 10", "never"),
        ("not size or size > 10", "without `not size`"),
        ("not size or size > 10", "without `size > 10`"),
        ("not size", "without not"),
        ("size > 10", "inverted"),
        ("size > 10", "bound moved"),
        ("return False", "other answer"),
        ("os.fsync(fd)", "not called"),
        ("parts.rename_noreplace(touch, (folder, name), (folder, name))", "not called"),
        ("parts.rename_noreplace", "careless"),
        ("os.unlink(name, dir_fd=folder, follow_symlinks=False)", "not called"),
        ("False", "other follow_symlinks"),
        ("min(size, 3)", "only `size`"),
        ("min(size, 3)", "only `3`"),
    }


def test_only_the_functions_that_are_about_it_are_looked_at() -> None:
    two = SOURCE + b"\ndef other(fd):\n    os.fsync(fd)\n"
    assert all(m.scope == "remove" for m in Finder("x.py", two, ("unlink",)).mutants())


def test_every_mutant_of_ours_is_another_program() -> None:
    for target in TARGETS:
        for file in target.files:
            source = Path(__file__).parents[1].joinpath(file).read_bytes()
            sound = ast.dump(ast.parse(source))
            mutants = _found(file, target)
            assert mutants
            assert all(ast.dump(ast.parse(m.applied(source))) != sound for m in mutants[::40])


def test_no_excuse_outlives_its_guard() -> None:
    assert _stale() == []


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def is_safe():\n    return True\n", "survived"),
        ("def is_safe():\n    return False\n", "killed"),
        ("def is_safe(:\n", "error"),
        ("import nothing_of_that_name\n", "error"),
    ],
)
def test_what_does_not_import_is_not_taken_for_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "guarded.py").write_text("sound = True\n")
    told = "from guarded import is_safe\n\n\ndef test_it():\n    assert is_safe()\n"
    (tmp_path / "test_guarded.py").write_text(told)
    order: dict[str, Any] = {"file": "guarded.py", "source": source}
    answer = attempt({**order, "tests": ["test_guarded.py::test_it"]})
    assert list(answer) == [kind], answer
    assert (tmp_path / "guarded.py").read_text() == "sound = True\n"
