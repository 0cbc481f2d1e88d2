"""The search for the coarsest setting of a coder that is still good enough."""

from collections.abc import Callable
from typing import NamedTuple


class Found(NamedTuple):
    setting: int | None  # None: none that was tried is good enough
    is_done: bool  # else time was up, and a coarser one might do too


def coarsest(is_enough: Callable[[int], bool | None], finest: int, most: int) -> Found:
    """
    Of the settings `finest` to `most`, which are the coarser the larger they are; each try halves what is left.

    `is_enough` answers None when time is up.
    """
    best = None
    while finest <= most:
        middle = (finest + most) // 2
        answer = is_enough(middle)
        if answer is None:
            return Found(best, is_done=False)
        if answer:
            best, finest = middle, middle + 1
        else:
            most = middle - 1
    return Found(best, is_done=True)
