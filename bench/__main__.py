"""`python -m bench [PART …] [--rounds N]`: all parts or those named; RESULTS.md keeps the other parts' last tables."""

import argparse
import importlib
from pathlib import Path

from bench.side import Table, clear, write

PARTS = ("pipeline", "journal", "large", "encode", "target", "phone", "icloud", "near")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    tables: list[Table] = []
    try:
        for part in wanted.parts or PARTS:
            print(part, flush=True)
            tables += importlib.import_module(f"bench.{part}").run(wanted.rounds)
    finally:
        clear()
    write(tables, Path(__file__).parent)


if __name__ == "__main__":
    main()
