"""How much of a disk mediad may fill: it stops with room to spare, and never in the middle of a file."""

from collections.abc import Sequence
from typing import Final

from mediad.errors import NeedsOperator
from mediad.model import Site

# What must stay free for the journal, the encoders' scratch files and everybody else on the machine.
RESERVE_BYTES: Final = 64 << 20


def allot(free_bytes: int, sizes: Sequence[int], reserve_bytes: int = RESERVE_BYTES) -> list[bool]:
    """Which of a lot may be written now: in order, each that still fits; a small one may pass a big one."""
    left = free_bytes - reserve_bytes
    granted = []
    for size in sizes:
        fits = size <= left
        left -= size if fits else 0
        granted.append(fits)
    return granted


def shortage(site: Site, free_bytes: int, size: int) -> NeedsOperator:
    """The problem to show when a file was not granted."""
    return NeedsOperator(
        f"{site} has {_human(free_bytes)} left; {_human(size)} more would eat into the last"
        f" {_human(RESERVE_BYTES)}. Nothing was written and nothing is lost: the files wait where they are",
        code="space.low",
        remedy=f"free some space for {site}, or move it to a larger disk under [folders]; work goes on by itself",
        site=site.value,
    )


def _human(size: int) -> str:
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004 - the step between the units
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
