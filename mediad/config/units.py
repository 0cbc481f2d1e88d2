"""Sizes and durations as people write them: 30, "30 s", "2 GiB". Faults are sentences; no I/O."""

import re
from collections.abc import Callable
from typing import Final

_SECONDS: Final = {
    "ms": 0.001, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
    "w": 604800, "week": 604800, "weeks": 604800,
}  # fmt: skip
_BYTES: Final = {
    "b": 1, "byte": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,
}  # fmt: skip
_AMOUNT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", re.ASCII)


def duration_in(unit: str) -> Callable[[object], float]:
    """A reader of durations counted in `unit` when they are bare numbers: the one in the key's name."""
    own = _SECONDS[unit]

    def read(raw: object) -> float:
        expected = (
            f'write a number of {unit}, or text with a unit such as "30 s", "10 min", "2 days"'
        )
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return float(raw)
        amount, factor = _amount(raw, _SECONDS, own, expected)
        return amount * factor / own

    return read


def size(raw: object) -> int:
    expected = 'write a number of bytes, or text with a unit such as "500 MB" or "2 GiB"'
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    amount, factor = _amount(raw, _BYTES, 1, expected)
    return int(amount * factor)


def _amount(
    raw: object, units: dict[str, float] | dict[str, int], own: float, expected: str
) -> tuple[float, float]:
    match = _AMOUNT.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f"{raw!r} cannot be read; {expected}")
    number, name = match.groups()
    factor = units.get(name.lower()) if name else own
    if factor is None:
        raise ValueError(f"{name!r} is no unit; {expected}")
    return float(number), float(factor)
