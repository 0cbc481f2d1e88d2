"""A span of time as a person writes it: +1h30m, -2d, 90m. Pure."""

import re
from datetime import timedelta
from typing import Final

_PART: Final = re.compile(r"(\d{1,6})\s*(d|h|m|s)")
_WHOLE: Final = re.compile(r"\s*([+-]?)\s*((?:\d{1,6}\s*[dhms]\s*)+)")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def span(text: str) -> timedelta | None:
    """None: it is none. Nothing but whole numbers with their units, each sign for the whole."""
    found = _WHOLE.fullmatch(text.lower())
    if found is None:
        return None
    parts = {_UNITS[unit]: int(number) for number, unit in _PART.findall(found[2])}
    total = timedelta(**parts)
    return -total if found[1] == "-" else total
