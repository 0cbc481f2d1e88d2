"""Guards that a run goes on where another ended, and that only what was tried is counted."""

import json
from pathlib import Path

from crash.book import Book, sums
from crash.tally import Tally

JOBS = [(1, 0), (2, 0), (3, 0)]


def tried(path: Path, commit: str, jobs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The second is missed, the third loses something. Returns what was not tried before."""
    tally = Tally("vault kill", is_quiet=True)
    book = Book(path, commit)

    def do(_rig: None, job: tuple[int, int]) -> None:
        if job[0] == 2:
            tally.missed += 1
        else:
            tally.add(f"kill@{job[0]}", "write", ["lost 1"] if job[0] == 3 else [])

    left = list(book.left(tally, jobs))
    for job in left:
        book.noting(tally, do)(None, job)
    return left


def test_what_was_tried_under_this_commit_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "book"
    assert tried(path, "a", JOBS[:1]) == JOBS[:1]
    assert tried(path, "a", JOBS) == JOBS[1:]
    assert tried(path, "b", JOBS) == JOBS


def test_the_sums_are_of_what_happened(tmp_path: Path) -> None:
    path = tmp_path / "book"
    tried(path, "a", JOBS)
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(t["tried"], t["missed"], t["lost"]) for t in told] == [(1, 0, 0), (0, 1, 0), (1, 0, 1)]
    single, kind, total = sums(path.read_text().splitlines())
    assert single.line() == "vault kill: 2 points, 1 lost, 0 differing"
    assert kind.line() == "all worlds, kill: 2 points, 1 lost, 0 differing"
    assert (total.tried, total.bad, len(total.complaints)) == (2, 1, 1)


def test_without_a_file_nothing_is_remembered() -> None:
    book, tally = Book(None, "a"), Tally("vault kill", is_quiet=True)
    assert list(book.left(tally, JOBS)) == JOBS
    book.noting(tally, lambda _rig, _job: None)(None, JOBS[0])
