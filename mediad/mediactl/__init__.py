"""
mediactl: the control program. Only the standard library at its start; everything else is imported where it is used.

Exit codes: 0 done; 1 it ran and the answer is no; 2 wrong usage or configuration; 3 no daemon answers; 4 time is up.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from mediad.mediactl.client import Client, Trouble, socket_path
from mediad.mediactl.parser import COMMANDS, parse
from mediad.mediactl.show import clean, complain, document

INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    words = parse(sys.argv[1:] if argv is None else argv)
    module, _, name = COMMANDS[words.command].run.partition(":")
    try:
        command = getattr(import_module(f"mediad.mediactl.{module}"), name)
        code: int = command(Client(socket_path(words.socket, words.root)), words)
        sys.stdout.flush()
    except Trouble as trouble:
        if words.json:
            document(trouble.doc)
        for line in trouble.what.splitlines():
            complain(f"mediactl: {clean(line)}")
        if trouble.remedy:
            complain(f"  remedy: {clean(trouble.remedy)}")
        return trouble.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `mediactl list | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
