"""
Does the phone keep what is removed here? Only the phone can tell: a file of our own is sent, removed, and looked for.

That it has not taken the removal proves something only if it has heard of it. So a second file follows the removal:
once the phone has that one, it has had everything before it, and then a while to act on it.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias
from uuid import uuid4

import anyio
from anyio import CancelScope, to_thread

from mediad.errors import MediadError, NeedsOperator
from mediad.model import SiteKey
from mediad.ports import Clock, Indexed

Scan: TypeAlias = Callable[[Sequence[SiteKey]], Awaitable[None]]
Look: TypeAlias = Callable[[Sequence[SiteKey]], Awaitable[Sequence[Indexed | MediadError | None]]]

GRACE_S: Final = (
    10.0  # from its having heard of the removal to its having told us that it did so too
)
_EVERY_S: Final = 0.5
_TIDY_S: Final = 30.0
_NAMES: Final = "mediad-probe-*.txt"
_SAYS: Final = "mediad asked here whether this phone keeps what leaves the shared folder. You may delete this file.\n"


class Probe:
    """Leaves nothing on this side, whatever happens; the phone may keep two small text files."""

    def __init__(self, scan: Scan, look: Look, clock: Clock, root: Callable[[], Path]) -> None:
        self._scan = scan
        self._look = look
        self._clock = clock
        self._root = root

    async def run(self, patience_s: float) -> bool | None:
        """None: the phone did not show in time that it had heard of the removal."""
        until = self._clock.monotonic() + patience_s
        await self._tidy()  # of a run that was killed
        try:
            return await self._answer(until)
        finally:
            with CancelScope(shield=True), anyio.move_on_after(_TIDY_S):
                await self._tidy()

    async def _answer(self, until: float) -> bool | None:
        removed, later = _name(), _name()
        if not await self._sent(removed, until):
            return None
        await to_thread.run_sync(self._path(removed).unlink)
        await self._scan([removed])
        if not await self._sent(later, until):
            return None
        heard_at = self._clock.monotonic()
        while self._clock.monotonic() < heard_at + GRACE_S:
            if await self._deletes(removed):
                return False
            if self._clock.monotonic() >= until:
                return None
            await self._clock.sleep(_EVERY_S)
        return True if await self._has(later) else None  # away meanwhile: its silence says nothing

    async def _sent(self, name: SiteKey, until: float) -> bool:
        await to_thread.run_sync(_write, self._path(name))
        await self._scan([name])
        while not await self._has(name):
            if self._clock.monotonic() >= until:
                return False
            await self._clock.sleep(_EVERY_S)
        return True

    async def _has(self, name: SiteKey) -> bool:
        seen = await self._seen(name)
        return seen is not None and seen.is_on_phone and not _is_deleted(seen)

    async def _deletes(self, name: SiteKey) -> bool:
        seen = await self._seen(name)
        return seen is not None and seen.is_on_phone and _is_deleted(seen)

    async def _seen(self, name: SiteKey) -> Indexed | None:
        [seen] = await self._look([name])
        if isinstance(seen, MediadError):
            raise seen
        return seen

    async def _tidy(self) -> None:
        gone = await to_thread.run_sync(_remove_probes, self._root())
        if gone:
            await self._scan(gone)

    def _path(self, name: SiteKey) -> Path:
        return self._root() / name


def _is_deleted(seen: Indexed) -> bool:
    return seen.newest is not None and seen.newest.is_deleted


def _name() -> SiteKey:
    return SiteKey(f"mediad-probe-{uuid4().hex[:12]}.txt")


def _write(path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8") as probe:
            probe.write(_SAYS)
    except OSError as error:
        raise NeedsOperator(
            f"no probe file can be made in the shared folder ({error.strerror}); nothing was asked of the phone",
            code="file.denied",
            remedy="give mediad's user the right to write in pixel_sync/",
        ) from error


def _remove_probes(root: Path) -> list[SiteKey]:
    gone = []
    for path in root.glob(_NAMES):
        os.unlink(path)  # noqa: PTH108 - a link by that name is removed, never followed
        gone.append(SiteKey(path.name))
    return gone
