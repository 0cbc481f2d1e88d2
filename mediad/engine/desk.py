"""One stage's place in the engine: its runner's bell, who is being worked on, how fast it gets on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

from mediad.journal import Work
from mediad.model import AssetId
from mediad.policy.breaker import Breaker
from mediad.policy.rates import Rate
from mediad.stages.verdict import Stage, Verdict

REST_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Planned:
    """What a stage would say of an asset now: look and decide, without act."""

    asset: AssetId
    stage: str
    verdict: Verdict


class Desk:
    def __init__(self, stage: Stage[Any]) -> None:
        self.stage = stage
        self.busy: set[AssetId] = set()
        self.joined: set[AssetId] = set()  # of the busy ones: a half has joined them since
        self.hit: set[str] = (
            set()
        )  # outside parts whose fault this stage has met, beside those it names
        self.rate = Rate()
        self.breaker = Breaker()  # counts only where things are removed
        self.bell = anyio.Event()
        self.closed = ""  # why its door is shut, when it was last asked
        self.has_left = False  # its last lot left somebody as they were
        self.rests_until = 0  # UTC ms
        self.asked_at = (
            math.inf
        )  # since when its runner looks for work; monotonic, inf: it does not

    def ring(self) -> None:
        self.bell.set()

    def rest_if_useless(self, moved: int, now: int) -> None:
        """A lot that moved nobody and left some ready must not be read again at once."""
        self.rests_until = now + REST_MS if self.has_left and not moved else 0
        self.has_left = False

    async def nap(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.bell.wait()
        self.bell = anyio.Event()


def lots_of(page: Sequence[Work], stage: Stage[Any]) -> list[list[Work]]:
    """Cut a page into lots by count and by bytes; an asset larger than a lot is a lot of its own."""
    lots: list[list[Work]] = []
    room = 0
    for work in page:
        size = sum(o.size for o in work.asset.originals)
        if not lots or len(lots[-1]) >= stage.lot_files or room < size:
            lots.append([])
            room = stage.lot_bytes
        lots[-1].append(work)
        room -= size
    return lots
