"""
ports.Looker: photos looked at by one process with limits, one after the other.

What does not lie on the disk of processing/ is fetched there first, in a thread that nobody waits for when it hangs:
a worker must never get stuck in a mount that has gone.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from mediad.adapters.errnos import faults_of
from mediad.adapters.workers import PICTURE_BYTES, Limits, Workers
from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.model import Media, Place, Site
from mediad.ports.looks import Impression

MOST_BYTES: Final = 256 << 20
PATIENCE_S: Final = 60.0
_PIECE: Final = 1 << 20
LIMITS: Final = Limits(memory_bytes=PICTURE_BYTES, cpu_s=60, wall_s=120.0)
FOLDER: Final = ".mediad-looks"
# What is said of the picture itself. Who was killed or took too long may have had a bad day.
FINAL: Final = frozenset({"compress.unreadable", "compress.not_understood", "compress.too_large"})


class WorkerLooker:
    """`scratch`: a folder of ours alone, on the file system of processing/."""

    def __init__(self, path_of: Callable[[Place], Path], scratch: Path) -> None:
        self._path_of = path_of
        self._scratch = scratch
        self._workers = Workers("mediad.adapters.look_worker", 1, cwd=Path("/"))
        self._threads = {site: anyio.CapacityLimiter(1) for site in Site}

    async def look(self, place: Place, media: Media) -> Impression:
        try:
            return await self._look(place, media)
        except Refused as no:
            if no.code in FINAL:
                raise
            raise Retryable(no.what, code=no.code, site=no.site) from no

    async def _look(self, place: Place, media: Media) -> Impression:
        path = self._path_of(place)
        if place.site is Site.SPOOL:
            return await self._looked(path, media)
        fetched = self._scratch / ".picture"
        try:
            await self._fetched(path, fetched, place.site)
            return await self._looked(fetched, media)
        finally:
            with suppress(OSError):
                fetched.unlink(missing_ok=True)

    async def rest(self) -> None:
        await self._workers.aclose()

    async def aclose(self) -> None:
        await self._workers.aclose()

    async def _looked(self, path: Path, media: Media) -> Impression:
        job = {"source": str(path), "media": media.value}
        try:
            with faults_of(Site.SPOOL):  # no process could be started
                said = await self._workers.ask(job, LIMITS)
        except (
            Retryable,
            NeedsOperator,
        ):  # what could not be loaded for want of memory is not loaded twice
            await self._workers.aclose()
            raise
        return Impression(
            said["low"], int(said["bits"], 16), bytes.fromhex(said["tint"]), said["is_flat"]
        )

    async def _fetched(self, path: Path, target: Path, site: Site) -> None:
        with anyio.move_on_after(PATIENCE_S):
            await anyio.to_thread.run_sync(
                _fetch, path, target, site, limiter=self._threads[site], abandon_on_cancel=True
            )
            return
        raise Retryable(
            "the disk of a photo does not answer; it is looked at later", code="io.unreachable"
        )


def _fetch(path: Path, target: Path, site: Site) -> None:
    """Its file is its own: what comes after nobody waits any more goes nowhere, and into no other photo's file."""
    with faults_of(Site.SPOOL):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        with target.open("xb") as out:
            for piece in _pieces(path, site):
                out.write(piece)


def _pieces(path: Path, site: Site) -> Iterator[bytes]:
    size = 0
    with faults_of(site), path.open("rb") as source:
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > MOST_BYTES:
                raise Refused(
                    f"a photo of more than {MOST_BYTES} bytes is not fetched for a look",
                    code="compress.too_large",
                )
            yield piece
