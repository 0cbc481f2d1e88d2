"""Guards dates, undo, audit and the past as they are typed: a person sees what will be, and --json is one document."""

import json
from pathlib import Path

from tests.mediactl.typed import a_terminal


async def test_a_date_is_looked_at_given_and_taken_back(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        preview = await terminal.type("dates", "preview", "a.jpg", "--to", "1994-12-24")
        assert preview.code == 0, preview.err
        assert "unknown -> 1994-12-24T12:00:00 (person)" in preview.out
        assert "1 would change, 0 would not, 0 cannot" in preview.out
        applied = await terminal.type("dates", "apply", "a.jpg", "--to", "1994-12-24")
        assert "mediactl undo --run 1 takes it all back" in applied.out
        await terminal.world.engine.until_idle()
        assert "sure" in (await terminal.type("dates", "list")).out
        plan = await terminal.type("undo", "--dry-run")
        assert "its date back to unknown" in plan.out
        assert "1 would be taken back, 0 cannot be" in plan.out
        assert (await terminal.type("undo", "--run", "1")).code == 0
        assert "guess" in (await terminal.type("dates", "list")).out
        nothing = await terminal.type("undo")
        assert nothing.code == 1
        assert "remedy" in nothing.err


async def test_what_cannot_be_understood_is_wrong_usage(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        for words in (
            "dates preview a.jpg",
            "dates preview --shift x a.jpg",
            "audit verify --since 12",
            "dates",
        ):
            assert (await terminal.type(*words.split())).code == 2, words


async def test_the_last_seal_is_printed_for_keeping_and_found_again(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        head = (await terminal.type("audit", "head")).out.strip()
        await terminal.world.bring("b.jpg")
        said = await terminal.type("audit", "verify", "--since", head)
        assert said.code == 0
        assert "all as they were written" in said.out
        row, _, seal = head.partition(":")
        forged = await terminal.type("audit", "verify", "--since", f"{row}:{seal[::-1]}")
        assert forged.code == 1
        assert f"row {row}" in forged.out


async def test_the_past_is_told(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        then = await terminal.type("explain", "a.jpg", "--as-of", "2999-01-01")
        assert "as it was known at 2999-01-01" in then.out
        assert (await terminal.type("explain", "a.jpg", "--as-of", "1999-01-01")).code == 1


async def test_json_is_one_document_and_lists_are_lines(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg", "b.jpg")
        for words in (
            "dates preview --source mtime --to 1994-12-24", "dates apply a.jpg --to 1994-12-24", "undo --dry-run",
            "undo", "audit head", "audit verify", "explain b.jpg --as-of 2999-01-01",
        ):  # fmt: skip
            said = await terminal.type("--json", *words.split())
            assert said.code in {0, 1}, (words, said.err)
            assert isinstance(json.loads(said.out), dict), words
        lines = (await terminal.type("--json", "dates", "list")).out.splitlines()
        assert [json.loads(x)["name"] for x in lines] == ["a.jpg", "b.jpg"]
