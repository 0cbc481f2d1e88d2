"""Words as people write them: sizes ("2 GiB"), durations ("30 s"), templates, addresses, ids. No I/O."""

import math
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

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
_ID_LETTERS: Final = 56
_ID_GROUP: Final = 7

# As policy/naming.py knows them, which is above us; tests/test_docs.py holds the two together.
_WORDS: Final = ("YYYY", "MM", "DD", "name", "stem", "ext", "kind", "source", "digest8")


def duration_in(unit: str) -> Callable[[object], float]:
    """A reader of durations counted in `unit` when they are bare numbers: the one in the key's name."""
    own = _SECONDS[unit]

    def read(raw: object) -> float:
        expected = (
            f'write a number of {unit}, or text with a unit such as "30 s", "10 min", "2 days"'
        )
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            if not math.isfinite(raw):
                raise ValueError(f"{raw!r} is not finite; {expected}")
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


def template(text: str) -> str:
    """A key below a site: relative, made of the words we know, with the file's own name or what stands for it."""
    unknown = [w for w in re.findall(r"\{([^{}]*)\}", text) if w not in _WORDS]
    if unknown:
        words = ", ".join(f"{{{w}}}" for w in _WORDS)
        raise ValueError(f"{{{unknown[0]}}} is no word of a template; the words are {words}")
    parts = text.split("/")
    if {"", ".", ".."} & set(parts):
        raise ValueError(
            f"{text!r} must be a path below the folder; no / in front, no empty part, no .."
        )
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text)):
        raise ValueError(f"a brace of the template {text!r} is not closed; write such as {{YYYY}}")
    last = set(re.findall(r"\{([^{}]*)\}", parts[-1]))
    if not ("name" in last or ("ext" in last and last & {"stem", "digest8"})):
        raise ValueError(f"{text!r} must end in {{name}}, such as {{YYYY}}/{{MM}}/{{name}}")
    return text


def device_id(text: str) -> str:
    """As Syncthing itself writes it; people write it with or without dashes, in either case."""
    bare = text.replace("-", "").replace(" ", "").upper()
    if len(bare) != _ID_LETTERS:  # no such device: Syncthing is asked, and says so
        return text
    return "-".join(bare[n : n + _ID_GROUP] for n in range(0, _ID_LETTERS, _ID_GROUP))


def http_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        fine = False
    if text and not fine:
        raise ValueError(f"{text!r} is no address; write one such as http://127.0.0.1:8384")
    return text.rstrip("/")
