"""On which line of a TOML file each key stands: tomllib does not say. Good enough for messages, never for meaning."""

import re
from typing import Final

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_NAME: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE: Final = re.compile(rf"\s*\[\[?\s*({_NAME})\s*\]\]?")
_KEY: Final = re.compile(rf"\s*({_NAME})\s*=")
_QUOTES: Final = ('"""', "'''")


def lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Each table and each key → its line, counted from 1. The first place of a name wins."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    inside = ""  # the quotes of the multi-line text we are in
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        if match := _TABLE.match(line):
            table = _parts(match[1])
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            path = (*table, *_parts(match[1]))
            for length in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:length], number)
        inside = next((q for q in _QUOTES if line.count(q) % 2), "")
    return lines


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))
