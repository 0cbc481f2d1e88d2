"""Guards the promise that each known way to lose pictures has a test of its own, and that docs/losses.md names it."""

import ast
import re
from collections import defaultdict
from pathlib import Path

REPO = Path(__file__).parents[1]
STORIES = [*(f"DL{n}" for n in range(1, 19)), *(f"icloudpd #{n}" for n in (99, 154, 346, 918))]


def marked() -> dict[str, set[tuple[str, str]]]:
    """By story: each test that bears its mark, as the file and what its name says."""
    found = defaultdict(set)
    for file in sorted((REPO / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.loss":
                        said = node.name.removeprefix("test_").replace("_", " ")
                        where = str(file.relative_to(REPO))
                        found[ast.literal_eval(mark.args[0])].add((where, said))
    return dict(found)


def told() -> dict[str, set[tuple[str, str]]]:
    rows = re.findall(
        r"^\| (DL\d+|icloudpd #\d+) \|(.*)$", (REPO / "docs/losses.md").read_text(), re.MULTILINE
    )
    return {
        story: {(where, said) for said, where in re.findall(r"\[([^]]+)\]\(\.\./([^)]+)\)", row)}
        for story, row in rows
    }


def test_every_story_has_its_tests_and_the_page_names_them() -> None:
    assert list(told()) == STORIES
    assert told() == marked()
