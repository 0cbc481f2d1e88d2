"""Two or more workers, each with a root of its own; a run of the daemon in any of them is a fork."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from crash.rig import Rig
from crash.tally import Tally
from crash.worlds import World

T = TypeVar("T")


def spread(
    base: Path, world: World, jobs: int, plan: Callable[[Rig], Iterable[T]], do: Callable[[Rig, T], None], tally: Tally
) -> None:  # fmt: skip
    """Every worker makes the same plan and does its share of it."""
    said = [base / f"{world.name}-{n}.json" for n in range(jobs)]
    pids = [
        _hired(base / f"{world.name}-{n}", said[n], world, _share(plan, n, jobs), do, tally)
        for n in range(jobs)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    if any(codes):
        raise SystemExit(f"a worker ended with {codes}")
    for path in said:
        tally.merge(json.loads(path.read_text()))
        path.unlink()


def _share(plan: Callable[[Rig], Iterable[T]], nth: int, of: int) -> Callable[[Rig], Iterable[T]]:
    return lambda rig: (job for n, job in enumerate(plan(rig)) if n % of == nth)


def _hired(
    base: Path, say: Path, world: World, plan: Callable[[Rig], Iterable[T]], do: Callable[[Rig, T], None], tally: Tally
) -> int:  # fmt: skip
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with rigged(world, base) as rig:
            for job in plan(rig):
                do(rig, job)
        say.write_text(json.dumps(tally.plain()))
        code = 0
    except BaseException:  # noqa: BLE001 - the worker ends here whatever happens
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def rigged(world: World, base: Path) -> Iterator[Rig]:
    rig = Rig(world, base)
    try:
        yield rig
    finally:
        rig.close()
