"""How a command's words are told to argparse: what all of them share."""

import argparse


def sub_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    epilog = f"example: mediactl {example}"
    return actions.add_parser(name, help=what, description=what, epilog=epilog, allow_abbrev=False)


def everywhere(p: argparse.ArgumentParser) -> None:
    """The common options are understood after the command as well."""
    p.add_argument("--root", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    p.add_argument("--socket", metavar="PATH", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    p.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document"
    )


def count(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - 64 bits
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)
