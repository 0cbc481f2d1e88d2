"""
The breaker of a stage that removes things: many lost copies at once are no accident of single files. Pure counting.

One archive that was emptied, exchanged or encrypted by somebody shows as a flood of copies that are not what was
verified. Each of those files is held by itself; the breaker keeps the rest from going while nobody has looked.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mediad.model import AssetId

WINDOW_S: Final = 3600.0
FEW: Final = 10  # fewer lost copies than these never trip it
SHARE: Final = 0.1  # nor a share of all that was judged up to this
_SLOT_S: Final = 60.0  # sound ones are only counted, by the minute


@dataclass(frozen=True, slots=True)
class Toll:
    """What was seen within the last hour."""

    lost: int
    judged: int

    @property
    def is_too_much(self) -> bool:
        return self.lost >= FEW and self.lost > SHARE * self.judged


class Breaker:
    """Once tripped it stays so until `reset`, whatever the clock says."""

    def __init__(self) -> None:
        self._sound: deque[tuple[float, int]] = deque()
        self._lost: dict[AssetId, float] = {}  # one that is asked about again is still one
        self.is_tripped = False

    def count(self, now: float, sound: int, lost: Collection[AssetId]) -> Toll | None:
        """`now` in seconds that never go back. The toll when this trips it, else None."""
        self._forget(now - WINDOW_S)
        if self._sound and now - self._sound[-1][0] < _SLOT_S:
            began, before = self._sound.pop()
            self._sound.append((began, before + sound))
        else:
            self._sound.append((now, sound))
        self._lost.update(dict.fromkeys(lost, now))
        toll = Toll(len(self._lost), len(self._lost) + sum(n for _, n in self._sound))
        if self.is_tripped or not toll.is_too_much:
            return None
        self.is_tripped = True
        return toll

    def reset(self) -> bool:
        """A person has looked: count anew. True when it had tripped."""
        was, self.is_tripped = self.is_tripped, False
        self._sound.clear()
        self._lost.clear()
        return was

    def _forget(self, before: float) -> None:
        while self._sound and self._sound[0][0] < before:
            self._sound.popleft()
        if any(at < before for at in self._lost.values()):
            self._lost = {asset: at for asset, at in self._lost.items() if at >= before}
