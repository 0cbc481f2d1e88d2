"""Seeded damage: to bytes as a bad disk or a hostile person would do it, and to JSON as a server gone wrong would."""

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63)
WORDS: Final = (
    b"\0", b"\xff\xff\xff\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b'"', b"'", b"[[[[", b"{", b"-", b"1e999",
    b"9" * 400, b"[" * 3000, b"NaN", b"0000-00-00", b"../../etc/passwd", b"%s%n", b"\x1b[2J", b"moov", b"meta", b"Exif",
    b"<x:xmpmeta", b"<plist", b"adjustment", b"uuid", b"II*\0", b"MM\0*", b"\x1aE\xdf\xa3", "\u202e\u0000".encode(),
)  # fmt: skip
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1 << 31, 1 << 63, -(1 << 70), 0.5, float("inf"), float("nan"), "", "0", "-", "é\u202e",
    "\ud800", "a" * 7_000, "../..", "9" * 5000, "2026-13-41T99:99:99Z", [], {}, [[]], [None], {"": None},
)  # fmt: skip
DEEP: Final = 80  # five times over it is what copy still copies; raw brackets go deeper


def torn(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the seeds, hurt in one to four ways."""
    made = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 4)):
        deed: Callable[[bytearray, random.Random, Sequence[bytes]], None] = chance.choice(_DEEDS)
        deed(made, chance, seeds)
    return bytes(made)


def _at(made: bytearray, chance: random.Random) -> int:
    """Mostly at the front, where the descriptions are."""
    end = len(made) if chance.random() < 0.4 else min(len(made), 1200)
    return chance.randrange(end) if end else 0


def _flip(made: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    for _n in range(chance.randint(1, 6) if made else 0):
        made[_at(made, chance)] ^= 1 << chance.randrange(8)


def _number(made: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    width, at = chance.choice([1, 2, 4, 8]), _at(made, chance)
    value = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
    made[at : at + width] = value.to_bytes(width, chance.choice(["big", "little"]))


def _word(made: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _at(made, chance)
    made[at : at + chance.choice([0, 0, 4, 20])] = chance.choice(WORDS)


def _cut(made: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    del made[_at(made, chance) :]


def _without(made: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _at(made, chance)
    del made[at : at + chance.choice([1, 4, 8, 100])]


def _twice(made: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _at(made, chance)
    piece = made[at : at + chance.choice([1, 8, 64, 400])]
    made[at:at] = piece * chance.choice([1, 2, 50])


def _spliced(made: bytearray, chance: random.Random, seeds: Sequence[bytes]) -> None:
    other = chance.choice(seeds)
    at, there = _at(made, chance), _at(bytearray(other), chance)
    made[at:] = other[there : there + (64 << 10)]


_DEEDS: Final = (_flip, _flip, _number, _number, _word, _word, _cut, _without, _twice, _spliced)


def gone_wrong(seeds: Sequence[Any], chance: random.Random) -> Any:
    """One of the documents, with one to five places of it changed, lost or made absurd."""
    made = [copy.deepcopy(chance.choice(seeds))]
    for _ in range(chance.randint(1, 5)):
        _hurt(chance.choice(_places(made)), chance)
    return made[0]


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below."""
    found, todo = [], [document]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                todo.append(holder[key])
    return found


def _hurt(place: tuple[Any, Any], chance: random.Random) -> None:
    holder, key = place
    match chance.randrange(6):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1:
            holder[key] = [copy.deepcopy(holder[key])] * chance.choice([1, 2, 7])
        case 2:
            for _ in range(chance.choice([1, DEEP])):
                holder[key] = {"value": holder[key]}
        case 3 if isinstance(holder[key], str):
            text = holder[key]
            holder[key] = text[: chance.randint(0, len(text))] + str(chance.choice(ODD))[:99]
        case 4 if isinstance(holder[key], int):
            holder[key] = chance.choice([-1, 1, 1 << 32, 1 << 64]) * (holder[key] or 1)
        case _:
            holder[key] = copy.deepcopy(chance.choice(ODD))
