"""
The composition root and the only `run`: configuration → journal → ports → one task group → READY. It decides nothing.

Exit codes: 0 stopped as asked (with --once: all settled), 1 with --once: something failed or is held, 2 --check found
faults, 3 another daemon has this root, 78 what no restart can mend: the configuration is wrong at start, or the
journal is a newer mediad's.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import anyio

from mediad import __version__
from mediad.config import ConfigFaults, Loaded, load
from mediad.errors import Bug, MediadError

EX_CONFIG: Final = 78
EX_RUNNING: Final = 3
_EXITS: Final = {"daemon.running": EX_RUNNING, "journal.newer": EX_CONFIG}


def main(argv: Sequence[str] | None = None) -> int:
    words = command_line().parse_args(argv)
    if words.version:
        print(f"mediad {__version__}")  # noqa: T201 - the answer
        return 0
    try:
        loaded = load(config_file=words.config, root=words.root, environ=os.environ)
        if words.demo_icloud:
            from mediad.daemon import demo  # noqa: PLC0415 - it makes pictures; nobody else needs that

            loaded = demo.enter(loaded, words, os.environ)
    except ConfigFaults as faults:
        for fault in faults.faults:
            print(fault, file=sys.stdout if words.check else sys.stderr)
        return 2 if words.check else EX_CONFIG
    return 0 if words.check else _started(loaded, words)


def _started(loaded: Loaded, words: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):  # until the house hears them itself
        signal.signal(number, _leave)
    try:
        return _live(loaded, words)
    except MediadError as fault:
        told = fault
    except ExceptionGroup as group:
        if (alone := _told(group)) is None:
            raise
        told = alone
    print(f"mediad: {told.what}. {told.remedy}", file=sys.stderr)  # noqa: T201 - the log may not be there
    return _EXITS.get(told.code, 1)


def _live(loaded: Loaded, words: argparse.Namespace) -> int:
    from mediad.daemon.life import live  # noqa: PLC0415 - --check and --version need none of what it imports

    life = partial(live, loaded, once=words.once, root=words.root)
    if not words.demo_icloud:
        return anyio.run(life)
    from mediad.daemon import demo  # noqa: PLC0415 - as above

    return anyio.run(demo.live, life, loaded)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _told(group: ExceptionGroup[Exception]) -> MediadError | None:
    """The one thing that went wrong, if a person can put it right. A Bug keeps its traceback."""
    [first, *more] = group.exceptions
    if more:
        return None
    if isinstance(first, ExceptionGroup):
        return _told(first)
    return first if isinstance(first, MediadError) and not isinstance(first, Bug) else None


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mediad",
        description="Gets photos and videos safely onto your own hardware. `mediad --root ~/photos` is all it needs.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML; else $MEDIAD_CONFIG")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="everything lives below DIR; needs nothing else"
    )
    parser.add_argument(
        "--once", action="store_true", help="do all there is to do, then exit: 0 all settled, 1 not"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="name every fault of the configuration and exit: 0 or 2",
    )
    parser.add_argument(
        "--demo-icloud",
        action="store_true",
        help="with a made-up iCloud on this machine, to try things out; says how to sign in",
    )
    parser.add_argument("--version", action="store_true")
    return parser
