"""One stage's place in the engine: its runner's bell, who is being worked on, how fast it gets on."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

from mediad.journal import Mark, Work
from mediad.model import AssetId
from mediad.policy.breaker import Breaker
from mediad.policy.rates import Rate
from mediad.stages.verdict import Stage, Verdict
from mediad.state import Lane, State

REST_MS: Final = 1_000
LONGEST_NAP_S: Final = 60.0  # a runner looks at least this often, whatever it was told
# A lot that takes longer than this, and than its bytes may take in its stage, hangs somewhere.
PATIENCE_S: Final = 1800.0

# Where a wait is a matter of seconds: an arrival settles, a batch fills, Syncthing carries it over.
SOON_OVER: Final = frozenset(
    {s for s in State if s.lane is Lane.INTAKE} | {State.PHONE_DUE, State.PLACED}
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a stage would say of an asset now: look and decide, without act."""

    asset: AssetId
    stage: str
    verdict: Verdict


class Place:
    """A lot's place in its pool. Given back once: at the lot's end, or before, when it hangs in a lost part."""

    def __init__(self, room: anyio.CapacityLimiter, slowest_bytes_s: int) -> None:
        self._room = room
        self._slowest_bytes_s = slowest_bytes_s
        self.is_held = False
        self.lot: Sequence[Work] = ()
        self.began = math.inf  # monotonic

    async def take(self) -> None:
        await self._room.acquire_on_behalf_of(self)
        self.is_held = True

    def take_nowait(self) -> None:
        self._room.acquire_on_behalf_of_nowait(self)
        self.is_held = True

    def give_back(self) -> None:
        if self.is_held:
            self.is_held = False
            self._room.release_on_behalf_of(self)

    def may_be_given_up(self, given_up: int) -> bool:
        """Not without end, where a server answers now and then: never more hang outside than there is room inside."""
        return self.is_held and given_up < self._room.total_tokens

    def is_overdue(self, now: float) -> bool:
        size = sum(o.size for work in self.lot for o in work.asset.originals)
        return now - self.began > PATIENCE_S + size / self._slowest_bytes_s


class Desk:
    def __init__(self, stage: Stage[Any]) -> None:
        self.stage = stage
        self.busy: set[AssetId] = set()
        self.places: set[Place] = set()  # of the lots that run
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

    def place_in(self, room: anyio.CapacityLimiter) -> Place:
        return Place(room, self.stage.slowest_bytes_s)

    def overdue(self, now: float) -> list[str]:
        """Names of files that have been worked on for longer than anything takes."""
        return [w.asset.name for p in self.places if p.is_overdue(now) for w in p.lot]

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


def give_up_places(desks: Collection[Desk], lost: str) -> None:
    """
    What runs where the lost part is needed may hang until it is back. Others of the same pool need not wait so long.

    A stage with a pool of its own keeps its places: nobody else waits for them.
    """
    for desk in desks:
        is_shared = any(d is not desk and d.stage.pool == desk.stage.pool for d in desks)
        if is_shared and lost in desk.stage.needs | desk.hit:
            given_up = sum(not place.is_held for place in desk.places)
            for place in desk.places:
                if place.may_be_given_up(given_up):
                    place.give_back()
                    given_up += 1


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


def nap_s(now: int, due: int | None) -> float:
    """How long nothing will be due. What is due already is being worked on, and the end of its lot rings."""
    if due is None or due <= now:
        return LONGEST_NAP_S
    return min((due - now) / 1000 + 0.001, LONGEST_NAP_S)


def is_work(state: State, mark: Mark, *, retries_count: bool = True) -> bool:
    """Is there something to do that a person would wait for? A wait for a later hour or for another lane is not."""
    match mark:
        case Mark.READY:
            return True
        case Mark.RETRY:
            return retries_count
        case Mark.WAITING:
            return state in SOON_OVER
        case _:
            return False
