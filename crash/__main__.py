"""
Crash points, faults, power cuts and spoilt copies, each tried on the real daemon: a line for each, one for all.

Nothing is written but below --scratch, which should be a tmpfs. Ends with 1 if anything was lost or came out otherwise.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from crash import points, power, rot, taken
from crash.book import Book, Job, commit_here
from crash.crew import spread
from crash.cuts import MODELS, Cut
from crash.rig import Rig, warm
from crash.tally import Tally
from crash.worlds import WORLDS, World

TRIES: Final = ("kill", "double", "fault", "lasting", "several", "power", "rot", "taken")
DOUBLES: Final = 3  # second kills after each first


def main(argv: Sequence[str] | None = None) -> int:
    words = _parser().parse_args(argv)
    warm()
    base = Path(tempfile.mkdtemp(prefix="mediad-crash-", dir=words.scratch))
    began, total = time.monotonic(), Tally("total")
    try:
        for tally in _all(words, base):
            print(tally.line(), flush=True)
            if words.json:
                with words.json.open("a") as told:
                    told.write(json.dumps(tally.plain()) + "\n")
            total.merge(tally.plain())
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{total.line()} in {time.monotonic() - began:.0f} s")
    return 1 if total.bad else 0


def _all(words: argparse.Namespace, base: Path) -> Iterator[Tally]:
    book = Book(words.book, commit_here())
    for name in words.worlds or WORLDS:
        world = WORLDS[name]
        for what in words.what or TRIES:
            stride = words.every * world.stride
            for tally, plan, do in _PLANS[what](world, stride, words):
                left = partial(_left, book, tally, _limited(plan, words.limit))
                spread(base, world, words.jobs, left, book.noting(tally, do), tally)
                yield tally


def _left(
    book: Book, tally: Tally, plan: Callable[[Rig], Iterable[Job]], rig: Rig
) -> Iterable[Job]:
    return book.left(tally, plan(rig))


def _limited(
    plan: Callable[[Rig], Iterable[Job]], limit: int | None
) -> Callable[[Rig], Iterable[Job]]:
    """No more than so many, from the first to the last."""
    if limit is None:
        return plan

    def some(rig: Rig) -> Iterable[Job]:
        jobs = list(plan(rig))
        return [jobs[n * len(jobs) // limit] for n in range(limit)] if len(jobs) > limit else jobs

    return some


Try = tuple[Tally, Callable[[Rig], Iterable[Job]], Callable[[Rig, Job], None]]


def _kills(world: World, every: int, _words: argparse.Namespace) -> Iterator[Try]:
    tally = Tally(f"{world.name} kill")
    yield (
        tally,
        lambda rig: ((n, 0) for n in range(1, points.count(rig) + 1, every)),
        lambda rig, job: points.single(rig, tally, job[0], points.KILLED),
    )


def _doubles(world: World, every: int, _words: argparse.Namespace) -> Iterator[Try]:
    tally = Tally(f"{world.name} kill, and kill again")
    yield (
        tally,
        lambda rig: points.pairs(points.count(rig), every, DOUBLES),
        lambda rig, job: points.double(rig, tally, *job),
    )


def _faults(world: World, every: int, words: argparse.Namespace) -> Iterator[Try]:
    yield from _injections(world, every, words.faults or points.FAULTS, lasting=False)


def _lasting(world: World, every: int, words: argparse.Namespace) -> Iterator[Try]:
    wanted = [f for f in words.faults or points.LASTING if f in points.LASTING]
    yield from _injections(world, every, wanted, lasting=True)


def _injections(world: World, every: int, faults: Sequence[str], *, lasting: bool) -> Iterator[Try]:
    for fault in faults:
        tally = Tally(f"{world.name} {fault}{' from then on' if lasting else ''}")

        def do(rig: Rig, job: Job, fault: str = fault, tally: Tally = tally) -> None:
            points.single(rig, tally, job[0], fault, lasting=lasting)

        def plan(rig: Rig, fault: str = fault) -> Iterator[Job]:
            return ((n, 0) for n in range(1, points.count(rig, fault) + 1, every))

        yield tally, plan, do


def _several(world: World, every: int, words: argparse.Namespace) -> Iterator[Try]:
    for fault in words.faults or points.FAULTS:
        tally = Tally(f"{world.name} {fault} every {points.APART} calls")

        def do(rig: Rig, job: Job, fault: str = fault, tally: Tally = tally) -> None:
            points.several(rig, tally, job[0], fault)

        yield tally, lambda _rig: ((n, 0) for n in range(1, points.APART + 1, every)), do


def _cuts(world: World, every: int, words: argparse.Namespace) -> Iterator[Try]:
    tally = Tally(f"{world.name} power cut")
    kept: dict[int, list[Cut]] = {}
    made: list[power.Record] = []

    def plan(rig: Rig) -> Iterator[Job]:
        made.append(power.record(rig))
        all_of_them = list(power.states(made[0], words.models))
        kept[0] = [c for n, c in enumerate(all_of_them) if n % every == 0 or c.model == "worst"]
        return ((n, 0) for n in range(len(kept[0])))

    yield tally, plan, lambda rig, job: power.single(rig, tally, made[0], kept[0][job[0]])


def _rots(world: World, every: int, _words: argparse.Namespace) -> Iterator[Try]:
    if not world.removes:
        return
    for how in rot.hows(world):
        tally = Tally(f"{world.name} {how}")

        def do(rig: Rig, job: Job, how: str = how, tally: Tally = tally) -> None:
            rot.single(rig, tally, job[0], how)

        def plan(rig: Rig) -> Iterator[Job]:
            return ((n, 0) for n in range(1, points.count(rig) + 1, every))

        yield tally, plan, do


def _taken(world: World, every: int, _words: argparse.Namespace) -> Iterator[Try]:
    tally = Tally(f"{world.name} a name is taken")
    yield (
        tally,
        lambda rig: ((n, 0) for n in range(1, taken.count(rig) + 1, every)),
        lambda rig, job: taken.single(rig, tally, job[0]),
    )


_PLANS: Final[dict[str, Callable[[World, int, argparse.Namespace], Iterator[Try]]]] = {
    "kill": _kills,
    "double": _doubles,
    "fault": _faults,
    "lasting": _lasting,
    "several": _several,
    "power": _cuts,
    "rot": _rots,
    "taken": _taken,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crash", description=__doc__)
    parser.add_argument(
        "what", nargs="*", metavar="WHAT", help=f"{', '.join(TRIES)}; all if none is named"
    )
    parser.add_argument("--worlds", nargs="*", choices=WORLDS, help="all if none is named")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth point")
    parser.add_argument("--limit", type=int, metavar="N", help="no more than N of each kind")
    parser.add_argument("--faults", nargs="*", choices=points.FAULTS)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append a line for each tally")
    parser.add_argument(
        "--book", type=Path, metavar="FILE", help="a line for each trial; those in it are left out"
    )
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm"), metavar="DIR")  # noqa: S108 - a tmpfs
    return parser


if __name__ == "__main__":
    sys.exit(main())
