"""
Which assets go to the phone together, and when a batch that is not full goes all the same.

A shot is never split over two batches; one that is larger than a batch is a batch of its own. Whoever stands first in
the queue is in the first batch, so that nobody is passed over for ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mediad.model import AssetId

LONGEST_S: Final = 600.0  # for so long a batch waits for what is arriving, and no longer
MANY: Final = 50  # assets; more are looked at less often while they wait
STEP_MS: Final = 1_000
LONG_STEP_MS: Final = 5_000  # a multiple of the short one: who waits is always seen together


class Queued(NamedTuple):
    asset: AssetId
    files: int
    size: int
    at: int  # UTC ms since when it waits


@dataclass(frozen=True, slots=True)
class Rule:
    by: str  # files, bytes
    files: int
    size: int
    wait_s: float
    is_parallel: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What else there is."""

    now: int
    arriving: int  # assets that are still taken in
    is_cut: bool = False  # the queue is longer than what was read of it


@dataclass(frozen=True, slots=True)
class Plan:
    batches: tuple[tuple[AssetId, ...], ...] = ()
    waiting: frozenset[AssetId] = frozenset()  # their batch is not full yet
    until: int = 0  # UTC ms: when those are looked at again
    why: str = ""

    def nth(self, asset: AssetId) -> int | None:
        """In which of the planned batches it is."""
        return next((n for n, batch in enumerate(self.batches) if asset in batch), None)


@dataclass
class _Pile:
    members: list[AssetId]
    files: int
    size: int
    oldest: int
    newest: int

    def add(self, queued: Queued) -> None:
        self.members.append(queued.asset)
        self.files += queued.files
        self.size += queued.size
        self.oldest = min(self.oldest, queued.at)
        self.newest = max(self.newest, queued.at)


def plan(queue: Sequence[Queued], rule: Rule, around: Around) -> Plan:
    """The next batches; without leave to send several at once, only the first. The rest is in neither."""
    piles = _pack(queue, rule)
    chosen = piles if rule.is_parallel else piles[:1]
    # Only the last can want for more: what did not go into the others is queued already.
    is_last_ripe = _is_full(piles[-1], rule) or _is_ripe(piles[-1], rule, around) if piles else True
    unripe = [] if is_last_ripe or chosen[-1] is not piles[-1] else chosen[-1:]
    waiting = frozenset(a for p in unripe for a in p.members)
    return Plan(
        batches=tuple(tuple(p.members) for p in chosen[: len(chosen) - len(unripe)]),
        waiting=waiting,
        until=_next_look(around.now, len(waiting)),
        why=_why(around.arriving) if waiting else "",
    )


def _pack(queue: Sequence[Queued], rule: Rule) -> list[_Pile]:
    """First fit, in the order of the queue."""
    fits = _by_bytes(rule.size) if rule.by == "bytes" else _by_files(rule.files)
    piles: list[_Pile] = []
    open_: list[_Pile] = []
    for queued in queue:
        pile = next((p for p in open_ if fits(p, queued)), None)
        if pile is None:
            pile = _Pile([], 0, 0, queued.at, queued.at)
            piles.append(pile)
            open_.append(pile)
        pile.add(queued)
        open_ = [p for p in open_ if not _is_full(p, rule)]
    return piles


def _by_files(limit: int) -> Callable[[_Pile, Queued], bool]:
    return lambda pile, queued: pile.files + queued.files <= limit


def _by_bytes(limit: int) -> Callable[[_Pile, Queued], bool]:
    return lambda pile, queued: pile.size + queued.size <= limit


def _is_full(pile: _Pile, rule: Rule) -> bool:
    return pile.size >= rule.size if rule.by == "bytes" else pile.files >= rule.files


def _is_ripe(pile: _Pile, rule: Rule, around: Around) -> bool:
    """May it go though it is not full?"""
    if around.is_cut or _age_s(pile.oldest, around.now) >= LONGEST_S:
        return True
    return not around.arriving and _age_s(pile.newest, around.now) >= rule.wait_s


def _age_s(at: int, now: int) -> float:
    """Who seems to have come after now came under a clock that was wrong: it has waited."""
    return (now - at) / 1000 if at <= now else LONGEST_S


def _next_look(now: int, waiting: int) -> int:
    """The same moments for all, so that those who wait are due together with whoever came meanwhile."""
    step = STEP_MS if waiting <= MANY else LONG_STEP_MS
    return (now // step + 1) * step


def _why(arriving: int) -> str:
    if arriving:
        return f"the batch is not full, and {arriving} more are being taken in"
    return "the batch is not full: it waits a moment for more"
