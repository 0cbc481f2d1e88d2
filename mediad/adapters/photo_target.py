"""
Photos by how they look: the smallest rendition whose score is not below what was asked for.

SSIMULACRA 2 of the worst of three parts: the plainest, an ordinary one and the busiest. The setting is searched on
these parts alone, which takes about a second; what is then coded whole is measured again in the same places.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from PIL import Image, ImageFilter

from mediad.adapters.searching import Found, coarsest
from mediad.adapters.ssimulacra2 import LEAST_SIDE, Reference
from mediad.errors import Refused

Box = tuple[int, int, int, int]

METRIC: Final = "ssimulacra2"
SLACK: Final = (
    0.25  # a part of a JPEG is coded as it is alone but for its edges; 0.05 was the most seen
)
SIDE: Final = 384  # of a part, in pixels; a multiple of what any coder takes together
_STEP: Final = 16
TIME_WAS_UP: Final = "time was up"  # as the figure "search"


class Aim(NamedTuple):
    target: float  # SSIMULACRA 2
    search_s: float  # how long the search may take

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Self | None:
        return cls(recipe["target"], recipe["search_s"]) if recipe["target"] else None


class Aimed(NamedTuple):
    """
    What a rendition has to reach, and where: parts of the source, each with the same part of the rendition.

    Without a part it cannot be measured.
    """

    target: float
    pairs: Sequence[tuple[Image.Image, Image.Image]]

    def lowest(self) -> float:
        """The score of the worst part."""
        return min(Reference(old).score(new) for old, new in self.pairs)


class Search:
    """One photo's: its parts, and what was found out about settings so far."""

    def __init__(
        self,
        parts: Sequence[Image.Image],
        aim: Aim,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._references = list(enumerate(map(Reference, parts)))
        self._aim = aim
        self._clock = clock
        self._until = clock() + aim.search_s
        self._tried: dict[int, float] = {}

    @property
    def is_late(self) -> bool:
        """Time is up."""
        return self._clock() >= self._until

    def run(
        self, coded: Callable[[int, int], Image.Image], finest: int, most: int
    ) -> tuple[int | None, Mapping[str, object]]:
        """
        The coarsest setting that reaches the target, and figures; None: none that was tried does.

        `coded` gives a part, by its number, as it looks with a setting. Raises Refused when even `finest` does not do.
        """
        found = coarsest(lambda setting: self._is_enough(coded, setting), finest, most)
        if found.setting is None and found.is_done:
            raise Refused(
                f"even coded as finely as mediad does it would look worse than asked for "
                f"({METRIC} {self._tried[finest]:.1f}, asked for {self._aim.target:g}); it stays as it is",
                code="compress.score",
            )
        return found.setting, self._figures(found)

    def _is_enough(self, coded: Callable[[int, int], Image.Image], setting: int) -> bool | None:
        """The part that was the worst so far is asked first: often there is no need to look at the others."""
        lowest = 100.0
        for n, (part, reference) in enumerate(self._references):
            if self.is_late:
                return None
            lowest = min(lowest, reference.score(coded(part, setting)))
            if lowest < self._aim.target:
                self._references.insert(0, self._references.pop(n))
                break
        self._tried[setting] = lowest
        return lowest >= self._aim.target

    def _figures(self, found: Found) -> Mapping[str, object]:
        figures: dict[str, object] = {
            "search": "done" if found.is_done else TIME_WAS_UP,
            "search_tries": len(self._tried),
        }
        if found.setting is not None:
            figures[f"sample_{METRIC}"] = round(self._tried[found.setting], 2)
        return figures


class Cell(NamedTuple):
    busy: float  # how much there is to see in it
    tile: int  # of a picture that is made of several
    box: Box


def cells(size: tuple[int, int], half: Image.Image, tile: int = 0) -> list[Cell]:
    """
    The parts that a picture of `size` can be measured in; none when it is too small.

    `half` is the picture in gray, half as large.
    """
    side = min(SIDE, *(length // _STEP * _STEP for length in size))
    if side < LEAST_SIDE:
        return []
    across, down = size[0] // side, size[1] // side
    whole = half.crop((0, 0, across * side // 2, down * side // 2))
    busy = whole.filter(ImageFilter.FIND_EDGES).reduce(side // 2)
    return [
        Cell(
            float(str(busy.getpixel((x, y)))),
            tile,
            (x * side, y * side, (x + 1) * side, (y + 1) * side),
        )
        for x in range(across)
        for y in range(down)
    ]


def chosen(found: Iterable[Cell]) -> list[Cell]:
    """The plainest, an ordinary one and the busiest: up to three."""
    in_order = sorted(found)
    return sorted({in_order[0], in_order[len(in_order) // 2], in_order[-1]}) if in_order else []
