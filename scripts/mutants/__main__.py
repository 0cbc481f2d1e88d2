"""
Takes each guard of what removes and places media away in turn, and sees that a test notices: `make guards`.

A line for each mutant; in the end how many were killed, and the survivors. Ends with 1 when one survives, with 2 when
nothing can be said: the unharmed copy fails, a mutant does not import, a written exception fits nothing.
"""

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

from scripts.mutants.equivalent import EQUIVALENT
from scripts.mutants.guards import Finder, Mutant
from scripts.mutants.targets import TARGETS, Target

HOME: Final = Path(__file__).parents[2]
COPIED: Final = ("mediad", "tests", "scripts", "etc", "docs", "pyproject.toml")


class Worker:
    """A copy of the tree with a process in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        for name in COPIED:
            if (HOME / name).is_dir():
                shutil.copytree(
                    HOME / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(HOME / name, folder / name)
        env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        env.setdefault("MEDIAD_SHARED", str(HOME.parent / "shared"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.mutants.worker"],
            cwd=folder, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, **order: object) -> dict[str, Any]:
        door, voice = self._process.stdin, self._process.stdout
        if door is None or voice is None:
            raise SystemExit(2)
        door.write(json.dumps(order) + "\n")
        door.flush()
        answer: dict[str, Any] = json.loads(voice.readline() or '{"error": "the worker died"}')
        return answer

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class Trials:
    def __init__(self, workers: Sequence[Worker], *, told: bool) -> None:
        self._workers = workers
        self._told = told
        self.count: Counter[str] = Counter()
        self.rows: list[tuple[Mutant, dict[str, Any]]] = []

    def of(self, target: Target, wanted: Sequence[str], by: Sequence[str]) -> None:
        sources = {file: (HOME / file).read_bytes() for file in target.files}
        mutants = [
            m
            for file, source in sources.items()
            for m in Finder(file, source, target.about).mutants()
            if any(w in f"{m.file}:{m.line} {m.scope} {m.text} {m.change}" for w in wanted)
        ]
        if not mutants:
            return
        tests = [t for t in target.tests if any(w in t for w in by)]
        known = self._workers[0].ask(do="measure", tests=tests, files=target.files)
        if known.get("code") != 0:
            print(f"the unharmed copy fails: {known}", file=sys.stderr)
            raise SystemExit(2)
        for worker in self._workers:
            worker.ask(do="warm", modules=known["modules"])
        quick = sorted(known["took"], key=lambda test: known["took"][test])
        self._unharmed(sources, quick)
        jobs: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
        for mutant in mutants:
            jobs.put(mutant)
        threads = [
            threading.Thread(target=self._work, args=(w, jobs, sources, known, quick))
            for w in self._workers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _unharmed(self, sources: dict[str, bytes], quick: Sequence[str]) -> None:
        """Loaded anew as a mutant is, and not mutated: it must live, or every kill would be worth nothing."""
        for file, source in sources.items():
            answer = self._workers[0].ask(do="try", file=file, source=source.decode(), tests=quick)
            if not answer.get("survived"):
                print(f"{file} unharmed: {answer}", file=sys.stderr)
                raise SystemExit(2)

    def _work(
        self, worker: Worker, jobs: "queue.SimpleQueue[Mutant]", sources: dict[str, bytes],
        known: dict[str, Any], quick: Sequence[str],
    ) -> None:  # fmt: skip
        while True:
            try:
                mutant = jobs.get_nowait()
            except queue.Empty:
                return
            tests = _reaching(mutant, known["lines"][mutant.file], quick)
            if excuse := _excuse(mutant):
                answer: dict[str, Any] = {"equivalent": excuse}
            elif tests:
                source = mutant.applied(sources[mutant.file]).decode()
                answer = worker.ask(do="try", file=mutant.file, source=source, tests=tests)
            else:
                answer = {"survived": 0}
            self._note(mutant, answer)

    def _note(self, mutant: Mutant, answer: dict[str, Any]) -> None:
        self.rows.append((mutant, answer))
        kind = next(iter(answer))
        self.count[kind] += 1
        if self._told or kind in {"survived", "error"}:
            print(_line(mutant, answer), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    words = _parser().parse_args(argv)
    targets = [t for t in TARGETS if not words.target or words.target in t.name]
    if words.list:
        for target in targets:
            _list(target)
        return 0
    os.nice(10)
    began = time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="guards-", dir=words.scratch))
    workers = [Worker(base / str(n)) for n in range(words.jobs)]
    trials = Trials(workers, told=not words.quiet)
    try:
        for target in targets:
            trials.of(target, words.only or [""], words.by or [""])
    finally:
        for worker in workers:
            worker.close()
        shutil.rmtree(base, ignore_errors=True)
    stale = [] if words.only or words.target else _stale()
    _sum_up(trials, stale, time.monotonic() - began)
    if trials.count["error"] or stale:
        return 2
    return 1 if trials.count["survived"] else 0


def _reaching(mutant: Mutant, lines: dict[str, list[str]], quick: Sequence[str]) -> list[str]:
    """The tests that come by it, the quick ones first; what runs when a module is loaded concerns all of them."""
    if not mutant.scope:
        return list(quick)
    first, last = mutant.lines
    by = {test for n in range(first, last + 1) for test in lines.get(str(n), ())}
    return [test for test in quick if test in by] or list(quick)


def _excuse(mutant: Mutant) -> str:
    return next((e.why for e in EQUIVALENT if e[:4] == mutant.name), "")


def _stale() -> list[tuple[str, ...]]:
    names = {m.name for t in TARGETS for f in t.files for m in _found(f, t)}
    return [e[:4] for e in EQUIVALENT if e[:4] not in names]


def _found(file: str, target: Target) -> list[Mutant]:
    return Finder(file, (HOME / file).read_bytes(), target.about).mutants()


def _list(target: Target) -> None:
    for file in target.files:
        for mutant in _found(file, target):
            print(f"{mutant.file}:{mutant.line}  {mutant.text}  [{mutant.change}]")


def _line(mutant: Mutant, answer: dict[str, Any]) -> str:
    said = {
        "killed": "killed by {}",
        "survived": "SURVIVED {} tests",
        "error": "ERROR {}",
        "equivalent": "equivalent: {}",
    }
    [(kind, what)] = answer.items()
    guard = shorten(mutant.text, 90, placeholder=" ...")
    return f"{mutant.file}:{mutant.line}  {guard}  [{mutant.change}] -> {said[kind].format(what)}"


def _sum_up(trials: Trials, stale: Sequence[tuple[str, ...]], took: float) -> None:
    for name in stale:
        print(f"no such guard any more, but excused: {name}")
    count = trials.count
    print(
        f"{sum(count.values())} guards taken away: {count['killed']} noticed, {count['equivalent']} change nothing,"
        f" {count['survived']} survive, {count['error']} say nothing; {took:.0f} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--target", default="", help="only targets with this in their name")
    parser.add_argument(
        "--only", action="append", help="only mutants with this in their line; may be said again"
    )
    parser.add_argument(
        "--by", action="append", help="only test files with this in their name; may be said again"
    )
    parser.add_argument("--list", action="store_true", help="what would be tried")
    parser.add_argument("--quiet", action="store_true", help="only the survivors")
    parser.add_argument("--scratch", type=Path, default=None, help="where the copies go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
