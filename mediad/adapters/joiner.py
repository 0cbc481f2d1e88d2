"""
Motion photos out of the halves of Live Photos: made by a worker in a private folder, and handed over whole.

What was refused or read is remembered for as long as the process lives, so that nothing is done twice to hear the same.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, TypeAlias

import anyio
import anyio.to_thread

from mediad.adapters.remembered import Remembered, Signature, signature
from mediad.adapters.workers import KILLED, Limits, Workers
from mediad.errors import Refused, Retryable
from mediad.model import Digest, Place
from mediad.ports import Halves, Judgement

REMEMBERED: Final = 4096
TRIES: Final = 3  # fewer than after which a person is asked
# Said by how the work ended, and by nobody who has read the halves: it may end otherwise at another time.
_PASSING: Final = frozenset({"compress.crashed", KILLED, "compress.timeout", "compress.too_large"})
_MB: Final = 1_000_000

_Known: TypeAlias = tuple[Judgement, Signature | None]  # None: there is none
_Key: TypeAlias = tuple[Place, Digest, Digest]


class Joiner:
    """The half of ports.Encoder that joins. `place` adopts a finished file under its name."""

    def __init__(
        self,
        workers: Workers,
        folder: Callable[[], AbstractAsyncContextManager[Path]],
        path_of: Callable[[Place], Path],
        place: Callable[[Path, Place], Awaitable[None]],
    ) -> None:
        self._workers = workers
        self._folder = folder
        self._path_of = path_of
        self._place = place
        self._threads = anyio.CapacityLimiter(2)  # for moments: a stat
        self._memory: Remembered[_Key, _Known] = Remembered(REMEMBERED)
        self._tries: Remembered[_Key, int] = Remembered(REMEMBERED)

    async def join(self, halves: Halves, candidate: Place) -> None:
        self._memory.pop(_key(halves, candidate), None)
        async with self._folder() as folder:
            target = folder / f"motion{Path(candidate.key).suffix}"
            try:
                judged = await self._ask("join", halves, target)
            except (Refused, Retryable) as no:
                self._refused(halves, candidate, no)
                raise
            self._tries.pop(_key(halves, candidate), None)
            await self._place(target, candidate)
        if judged is not None:
            self._remember(halves, candidate, (judged, await self._signature(candidate)))

    async def judge(self, halves: Halves, candidate: Place) -> Judgement | None:
        seen = await self._signature(candidate)
        known = self._memory.get(_key(halves, candidate))
        if known is not None and known[1] == seen:
            return known[0]
        if seen is None:
            return None
        try:
            judged = await self._ask("judge", halves, self._path_of(candidate))
        except Refused:  # it is made anew, and then it shows
            return None
        except Retryable as no:
            if no.code != KILLED:
                raise
            return None
        if judged is not None:
            self._remember(halves, candidate, (judged, seen))
        return judged

    def _refused(self, halves: Halves, candidate: Place, no: Refused | Retryable) -> None:
        """Remembers that they are two files; Retryable where it is too early to say so."""
        key, why = _key(halves, candidate), no.what
        if isinstance(no, Retryable) and no.code not in _PASSING:
            return
        if no.code in _PASSING:
            tries = self._tries.pop(key, 0) + 1
            if tries < TRIES:
                self._tries.keep(key, tries)
                raise Retryable(no.what, code=no.code) from no
            why = f"{no.what} ({tries} tries); the two halves go as two files"
        failed = Judgement(Digest(""), 0, no.code, why, is_gone=True)
        self._remember(halves, candidate, (failed, None))

    async def _ask(self, do: str, halves: Halves, target: Path) -> Judgement | None:
        job = {
            "do": do,
            "source": str(self._path_of(halves.still)),
            "source_digest": halves.still_digest,
            "film": str(self._path_of(halves.film)),
            "film_digest": halves.film_digest,
            "target": str(target),
        }
        said = await self._workers.ask(job, limits_for(halves.size))
        return Judgement(said["digest"], said["size"], figures=said["figures"]) if said else None

    async def _signature(self, candidate: Place) -> Signature | None:
        path = self._path_of(candidate)
        return await anyio.to_thread.run_sync(signature, path, limiter=self._threads)

    def _remember(self, halves: Halves, candidate: Place, known: _Known) -> None:
        self._memory.keep(_key(halves, candidate), known)


def limits_for(size: int) -> Limits:
    """What two halves of `size` bytes together may use: they are read thrice, and written once."""
    seconds = 60 + size // _MB
    return Limits(cpu_s=seconds, wall_s=4.0 * seconds, file_bytes=size + (8 << 20))


def _key(halves: Halves, candidate: Place) -> _Key:
    return candidate, halves.still_digest, halves.film_digest
