"""
What was tried before: a line of JSON for each trial, with the commit that was tried. A run goes on where another ended.

`python -m crash.book FILE...` adds the lines up: by world, by what was done, and in all.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from crash.tally import Tally

Job = tuple[int, int]
Context = TypeVar("Context")
_SUMS = ("tried", "runs", "missed", "lost", "differing", "asked", "hung")


class Book:
    """`path` None: nothing is remembered."""

    def __init__(self, path: Path | None, commit: str) -> None:
        self._path, self._commit = path, commit
        lines = path.read_text().splitlines() if path and path.exists() else []
        told = [json.loads(line) for line in lines]
        self._done = {(t["what"], *t["job"]) for t in told if t["commit"] == commit}

    def left(self, tally: Tally, jobs: Iterable[Job]) -> Iterator[Job]:
        """Those that were not tried under this commit."""
        return (job for job in jobs if (tally.what, *job) not in self._done)

    def noting(
        self, tally: Tally, do: Callable[[Context, Job], None]
    ) -> Callable[[Context, Job], None]:
        """As `do`, and a line of what it added to the tally."""

        def noted(context: Context, job: Job) -> None:
            before, said = {name: getattr(tally, name) for name in _SUMS}, len(tally.complaints)
            do(context, job)
            added = {name: getattr(tally, name) - before[name] for name in _SUMS}
            self._note({"what": tally.what, "job": job, **added, "said": tally.complaints[said:]})

        return noted if self._path else do

    def _note(self, told: dict[str, Any]) -> None:
        if self._path:
            with self._path.open("a") as file:  # a line is one write: workers share the file
                file.write(json.dumps({"commit": self._commit, **told}) + "\n")


def commit_here() -> str:
    """Of the code that is tried; marked where it is not what was committed."""

    def git(*words: str) -> str:
        done = subprocess.run(  # noqa: S603 - these words
            ["git", *words],  # noqa: S607 - the one on the path
            cwd=Path(__file__).parent,
            text=True,
            capture_output=True,
            check=False,
        )
        return done.stdout.strip()

    is_dirty = bool(git("status", "--porcelain", "-uno", "..", ":(exclude)../docs"))
    return git("rev-parse", "--short", "HEAD") + "+" * is_dirty


def sums(lines: Iterable[str]) -> list[Tally]:
    """By what was tried, in the order of the lines; then by kind, over all worlds; then all."""
    single: dict[str, Tally] = {}
    kinds: dict[str, Tally] = {}
    total = Tally("total", is_quiet=True)
    for line in lines:
        told = json.loads(line)
        world, _, kind = told["what"].partition(" ")
        name = f"{world} {kind}"
        for tally in (
            single.setdefault(name, Tally(name, is_quiet=True)),
            kinds.setdefault(kind, Tally(f"all worlds, {kind}", is_quiet=True)),
            total,
        ):
            tally.merge(
                {
                    "runs": told["tried"],
                    **told,
                    "calls": {},
                    "codes": {},
                    "complaints": told["said"],
                }
            )
    return [*single.values(), *kinds.values(), total]


def main(argv: Sequence[str]) -> int:
    lines = [line for path in argv for line in Path(path).read_text().splitlines()]
    for tally in (found := sums(lines)):
        print(tally.line())
    for told in found[-1].complaints:
        print(f"BAD {told}")
    return 1 if found[-1].bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
