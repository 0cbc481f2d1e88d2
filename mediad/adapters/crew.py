"""
Whose thread does what: a few threads for each site, so that a mount which hangs starves nobody else.

Work on a guarded site may be abandoned: at shutdown a thread stuck in a dead mount is left behind, not waited for.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, TypeVar

from anyio import CapacityLimiter, create_task_group, to_thread

from mediad.adapters.errnos import translate
from mediad.adapters.roots import Root, Roots
from mediad.errors import MediadError
from mediad.model import Place, Site

_TOKENS: Final = 4
_PIECE: Final = 16  # so few looks are quicker in one thread than spread over several

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item


class Crew:
    def __init__(self, roots: Roots, threads: int) -> None:
        self._roots = roots
        self._threads = threads
        self._limiters: dict[tuple[Site, ...], CapacityLimiter] = {}

    async def run(self, sites: Sequence[Site], work: Callable[[], T]) -> T:
        """In a thread that counts against the guarded ones of these sites, or else against the last."""
        guarded = tuple(site for site in dict.fromkeys(sites) if site in self._roots.guarded)
        key = guarded or (sites[-1],)
        limiter = self._limiters.setdefault(key, CapacityLimiter(_TOKENS))
        return await to_thread.run_sync(work, limiter=limiter, abandon_on_cancel=bool(guarded))

    async def spread(
        self, sites: Sequence[Site], work: Callable[[I], None], items: Iterable[I]
    ) -> None:
        """
        `work` for each item; `work` keeps its own faults.

        Over a network in a few threads at once, as each waits for an answer; on a disk in one, as they would only wait
        for each other.
        """
        left = deque(items)
        threads = self._threads if any(self._roots.is_network(s) for s in sites) else 1

        def until_done() -> None:
            while left:
                try:
                    item = left.popleft()
                except IndexError:
                    return  # a neighbour took the last one
                work(item)

        if threads == 1 or len(left) == 1:
            await self.run(sites, until_done)
            return
        async with create_task_group() as group:
            for _ in range(min(threads, len(left))):
                group.start_soon(self.run, sites, until_done)

    async def look(
        self, places: Sequence[Place], look: Callable[[Root, str], T]
    ) -> list[T | MediadError]:
        """One answer a place, in order; a root that may not be used answers for all of its places."""
        answers: dict[int, T | MediadError] = {}

        def look_at(piece: tuple[Site, Sequence[int]]) -> None:
            site, numbers = piece
            try:
                with self._roots.open(site) as root:
                    for number in numbers:
                        answers[number] = _answer(root, places[number].key, look)
            except MediadError as fault:
                answers.update((number, fault) for number in numbers if number not in answers)

        for site in dict.fromkeys(place.site for place in places):
            numbers = [n for n, place in enumerate(places) if place.site is site]
            pieces = [(site, numbers[n : n + _PIECE]) for n in range(0, len(numbers), _PIECE)]
            await self.spread((site,), look_at, pieces)
        return [answers[n] for n in range(len(places))]


def _answer(root: Root, key: str, look: Callable[[Root, str], T]) -> T | MediadError:
    try:
        return look(root, key)
    except OSError as error:
        return translate(error, root.site, key)
    except MediadError as fault:
        return fault


def by_sites(items: Collection[I], sites: Callable[[I], T]) -> dict[T, list[I]]:
    groups: dict[T, list[I]] = {}
    for item in items:
        groups.setdefault(sites(item), []).append(item)
    return groups
