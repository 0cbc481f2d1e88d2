"""
Which pictures look the same, and which copy of one is the best. It only ever says so: nothing goes by it.

The bounds are measured (docs/near.md): of the same picture, made smaller, coded anew, cut a little or brightened, few
of the bits differ; of two pictures that are not the same, about half of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

from mediad.model import Asset, Captured, Original, Role
from mediad.ports.looks import Impression

LOW_APART: Final = 11  # of 64
APART: Final = 64  # of 256
TINT_APART: Final = 12.0  # of 255, on average
BANDS: Final = 4  # of 16 bits: of at most 11 that differ some band has no more than two
IN_BAND: Final = 2
_BAND: Final = 16
_WORD: Final = (1 << _BAND) - 1
_BITS: Final = 256
BURST_MS: Final = 3_000
SURE_TWIN: Final = 98  # alike of 100: with the same second, that is a copy and no second shot
_MASKS: Final = tuple(
    sum(1 << bit for bit in chosen)
    for many in range(IN_BAND + 1)
    for chosen in combinations(range(_BAND), many)
)
_IN_FILE: Final = frozenset({"exif", "xmp", "iptc", "quicktime"})


def band(low: int, number: int) -> int:
    return low >> (_BAND * number) & _WORD


def near_bands(low: int) -> Iterator[tuple[int, list[int]]]:
    """For each band the words that one of a picture like this may have there. Every like picture has one of them."""
    for number in range(BANDS):
        word = band(low, number)
        yield number, [word ^ mask for mask in _MASKS]


def low_apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def is_low_near(one: int, other: int) -> bool:
    return low_apart(one, other) <= LOW_APART


def alike(one: Impression, other: Impression) -> int:
    """How alike, of 100; 0: they are two pictures."""
    if one.is_flat or other.is_flat or not is_low_near(one.low, other.low):
        return 0
    apart = (one.bits ^ other.bits).bit_count()
    tint = sum(abs(a - b) for a, b in zip(one.tint, other.tint, strict=True)) / len(one.tint)
    if apart > APART or tint > TINT_APART:
        return 0
    return max(1, round(100 * (1 - apart / _BITS)))


@dataclass(frozen=True, slots=True)
class Side:
    """One of two pictures that look the same: the asset, and which of its files."""

    asset: Asset
    original: Original

    @property
    def pixels(self) -> int:
        seen = self.original.inspection
        return seen.width * seen.height if seen else 0

    @property
    def captured(self) -> Captured | None:
        """When it was taken, if the camera wrote that into the file."""
        seen = self.original.inspection.captured if self.original.inspection else None
        return seen if seen and seen.source in _IN_FILE else None


def is_burst(one: Side, other: Side, degree: int) -> bool:
    """Two shots of one moment, by the camera's own clock and of the same size: near by nature, and no copies."""
    a, b = one.captured, other.captured
    if a is None or b is None or one.pixels != other.pixels:
        return False
    if Role.EDITED in {one.original.role, other.original.role}:
        return False
    gap = abs(a.at - b.at)
    if gap == 0:
        return a.local == b.local and "." not in a.local and degree < SURE_TWIN
    return gap <= BURST_MS


def better(one: Side, other: Side) -> tuple[Side | None, Sequence[str]]:
    """Which copy is the better one, with the reasons for either; None: there is nothing between them."""
    reasons = sorted([*_reasons(one, other), *_reasons(other, one)], key=lambda r: r.rank)
    told = [f"asset {r.side.asset.id} has {r.what}" for r in reasons]
    return (reasons[0].side if reasons else None), told


class _Reason(NamedTuple):
    rank: int
    side: Side
    what: str


def _reasons(one: Side, other: Side) -> Iterator[_Reason]:
    """What this one has before the other. Pixels before dates, dates before bytes."""
    if one.pixels > other.pixels > 0:
        yield _Reason(0, one, f"more pixels ({_size(one)}, not {_size(other)})")
    if one.captured and not other.captured:
        yield _Reason(1, one, "the camera's date in it")
    if one.pixels == other.pixels and one.original.size > other.original.size:
        yield _Reason(2, one, f"more bytes ({one.original.size}, not {other.original.size})")


def _size(side: Side) -> str:
    seen = side.original.inspection
    return f"{seen.width} x {seen.height}" if seen else "unknown"
