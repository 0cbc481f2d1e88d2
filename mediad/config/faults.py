"""What is wrong with a configuration, said so that one knows where to look and what to write instead."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from mediad.config.schema import KEYS, SECTIONS, KeyPath
from mediad.errors import NeedsOperator


@dataclass(frozen=True, slots=True)
class Fault:
    where: str  # "FILE:LINE: section.key", "MEDIAD_SECTION__KEY: section.key"
    what: str  # what is wrong, what would be right

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigFaults(NeedsOperator):
    """Every fault of a configuration at once; nothing of it is in force."""

    default_code = "config.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(
            "the configuration is wrong, and nothing of it was taken over:\n"
            + "\n".join(str(f) for f in faults),
            remedy="Put the named lines right; `mediad --check` names what is left.",
        )
        self.faults = tuple(faults)


_LIMITS: Final = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "{} or less"),
    "string_too_short": ("min_length", "at least {} character"),
}
_KINDS: Final = {
    "bool_type": "write true or false",
    "int_type": "write a whole number, without quotes",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "string_type": "write text in quotes",
    "path_type": "write a path in quotes",
    "tuple_type": "write a list in square brackets",
    "dict_type": "write a table",
    "finite_number": "write a finite number",
}


def sentence(error: Mapping[str, Any], path: KeyPath) -> str:
    """One of pydantic's findings in our words. A secret's value is never repeated."""
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(path)
    if kind == "missing":
        return "is missing; write the folder below which everything lies, or start with --root DIR"
    if kind == "value_error":
        return str(context["error"])
    if path in SECTIONS:
        return f"must be a section: write [{'.'.join(path)}] on a line of its own, its keys below"
    right = _right(kind, context) or str(error["msg"])
    key = KEYS.get(path)
    if key is not None and key.is_secret:
        return f"this value does not fit; {right}"
    return f"{error['input']!r} does not fit; {right}"


def _right(kind: str, context: Mapping[str, Any]) -> str:
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return words.format(f"{context[name]:g}")
    if kind == "literal_error":
        return f"write one of {context['expected'].replace(chr(39), chr(34))}"
    return _KINDS.get(kind, "")


def unknown(path: KeyPath) -> str:
    """An unknown key, with the nearest one that exists."""
    here = [p[-1] for p in (*KEYS, *SECTIONS) if p and p[:-1] == path[:-1]]
    near = difflib.get_close_matches(path[-1], here, 1, 0.6)
    if near:
        return f"there is no such key, did you mean {'.'.join((*path[:-1], near[0]))}?"
    same = [p for p in KEYS if p[-1] == path[-1]]
    if same:
        return f"there is no such key here, did you mean {'.'.join(same[0])}?"
    if not here:
        there = ", ".join(s[-1] for s in SECTIONS if len(s) == 1)
        return f"there is no section [{'.'.join(path[:-1])}]; there are {there}"
    return f"there is no such key; here are {', '.join(here)}"


def located(
    error: ValidationError, origins: Mapping[KeyPath, str], default: str
) -> Iterable[tuple[KeyPath, Fault]]:
    for finding in error.errors(include_url=False):
        path = tuple(part for part in finding["loc"] if isinstance(part, str) and part != "[key]")
        place = place_of(path, origins, default)
        yield path, Fault(f"{place}: {'.'.join(path)}", sentence(finding, path))


def place_of(path: KeyPath, origins: Mapping[KeyPath, str], default: str) -> str:
    """Where the value under this path was written: its own place, or that of the table around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]]
    return default
