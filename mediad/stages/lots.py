"""
How a stage looks at a lot: one question to a port for all assets at once, and to each asset its own answers.

An error is the answer of the asset that it belongs to; the steps after it leave that asset alone, so that one bad
member never spoils its lot.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from mediad.errors import MediadError, Retryable
from mediad.model import Place
from mediad.ports import Files, Put, Sighting

Q = TypeVar("Q")
A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")

Seen: TypeAlias = tuple[Sighting | None, ...]


async def spread(
    ask: Callable[[Sequence[Q]], Awaitable[Sequence[A | MediadError]]],
    groups: Sequence[Sequence[Q] | MediadError],
) -> list[tuple[A, ...] | MediadError]:
    """Ask once for the whole lot; each group gets its answers, or the first error among them."""
    questions = [q for g in groups if not isinstance(g, MediadError) for q in g]
    answers = iter(await ask(questions) if questions else ())
    return [g if isinstance(g, MediadError) else _whole([next(answers) for _ in g]) for g in groups]


def each(do: Callable[[T], R], members: Sequence[T | MediadError]) -> list[R | MediadError]:
    """The next step of every member that is still well; what it raises becomes that member's answer."""
    return [m if isinstance(m, MediadError) else _caught(do, m) for m in members]


def pair(
    left: Sequence[T | MediadError], right: Sequence[R | MediadError]
) -> list[tuple[T, R] | MediadError]:
    """Two answers to each member; either's error is the member's."""
    return [_both(a, b) for a, b in zip(left, right, strict=True)]


async def place_each(
    place: Callable[[Sequence[Put]], Awaitable[Sequence[MediadError | None]]],
    groups: Sequence[Sequence[Put]],
) -> list[MediadError | None]:
    """
    Place every asset's files in one call; an asset's answer is the first thing that went wrong with one of them.

    Who wants a place that an earlier member of the lot is about to take, places nothing and looks again.
    """
    claimed: set[Place] = set()
    free = []
    for group in groups:
        targets = {put.target for put in group}
        free.append(not targets & claimed)
        claimed |= targets
    mine = [g if is_free else () for g, is_free in zip(groups, free, strict=True)]
    answers = iter(await place([put for group in mine for put in group]))
    found = [[next(answers) for _ in group] for group in mine]
    return [
        next((e for e in errors if e is not None), None)
        if is_free
        else Retryable("another file of this name is just being placed", code="place.taken")
        for errors, is_free in zip(found, free, strict=True)
    ]


def look_again(error: MediadError | None) -> MediadError | None:
    """A source that is not what it was a moment ago is no case for a person: time, and another look, will tell."""
    if error is not None and error.code == "place.changed":
        return Retryable(error.what, code=error.code, remedy=error.remedy, after_s=1.0)
    return error


async def sight(
    files: Files, groups: Sequence[Sequence[Place] | MediadError]
) -> list[Seen | MediadError]:
    return await spread(files.sight, groups)


async def read_back(
    files: Files, groups: Sequence[Sequence[Place] | MediadError]
) -> list[Seen | MediadError]:
    return await spread(files.read_back, groups)


async def reread(
    files: Files, groups: Sequence[Sequence[Place] | MediadError]
) -> list[Seen | MediadError]:
    """As `read_back`, for who is about to remove something: no reading is remembered from a moment ago."""
    return await spread(files.reread, groups)


def _whole(answers: Sequence[A | MediadError]) -> tuple[A, ...] | MediadError:
    good: list[A] = []
    for answer in answers:
        if isinstance(answer, MediadError):
            return answer
        good.append(answer)
    return tuple(good)


def _caught(do: Callable[[T], R], member: T) -> R | MediadError:
    try:
        return do(member)
    except MediadError as fault:
        return fault


def _both(a: T | MediadError, b: R | MediadError) -> tuple[T, R] | MediadError:
    if isinstance(a, MediadError):
        return a
    return b if isinstance(b, MediadError) else (a, b)
