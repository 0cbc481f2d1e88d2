"""Time in the hands of the test."""

import math
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel


@dataclass
class StoppedClock:
    """
    ports.Clock that moves only when told to, or slept on.

    It starts at an odd time far from ours, so that a stray look at the wall shows.
    """

    at: int = 4_102_444_800_123
    slept: list[float] = field(default_factory=list)
    chance: float = 0.5
    _since: float = 9_876_543.0

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self._since

    async def sleep(self, seconds: float) -> None:
        if seconds == math.inf:
            await anyio.sleep_forever()
        self.slept.append(seconds)
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()

    def jitter(self) -> float:
        return self.chance

    def advance(self, seconds: float) -> None:
        self.at += round(seconds * 1000)
        self._since += seconds
