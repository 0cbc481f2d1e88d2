"""
The encoder: renditions made and judged by processes with limits, photos in workers, videos by ffmpeg.

A rendition is made in a private folder and handed over whole; `place` gives it its name durably. What was refused or
judged is remembered for as long as the process lives, so that nothing is made twice to hear the same answer.
"""

import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from blake3 import blake3

from mediad.adapters.errnos import faults_of
from mediad.adapters.joiner import Joiner
from mediad.adapters.remembered import Remembered, Signature, signature
from mediad.adapters.video import render_video
from mediad.adapters.video_gates import Making, judge_video
from mediad.adapters.workers import PICTURE_BYTES, Children, Limits, Workers
from mediad.errors import Refused
from mediad.model import Digest, Place, Site
from mediad.ports import Halves, Judgement, Recipe

REMEMBERED: Final = 4096
_MAKINGS: Final = (
    8  # of videos that are not judged yet: every frame's time, some megabytes of a long film
)
_MB: Final = 1_000_000
_PIECE_BYTES: Final = 4 << 20

T = TypeVar("T")


class WorkerEncoder:
    """
    ports.Encoder.

    `scratch` is a folder of ours alone, on the file system of processing/; what a crash left in it is removed at the
    first rendition. `place` adopts a finished file under its name: fsync, rename, fsync of the folder.
    """

    def __init__(
        self,
        *,
        path_of: Callable[[Place], Path],
        place: Callable[[Path, Place], Awaitable[None]],
        scratch: Path,
        photo_workers: int,
        video_workers: int,
    ) -> None:
        self._path_of = path_of
        self._place = place
        self._scratch = scratch
        self._is_swept = False
        self._sweeping = threading.Lock()
        self._photos = Workers("mediad.adapters.photo_worker", photo_workers, cwd=Path("/"))
        self._joiner = Joiner(self._photos, self._folder, path_of, place)
        self._videos = anyio.CapacityLimiter(video_workers)
        self._judges = anyio.CapacityLimiter(video_workers)  # while the next film is coded
        self._threads = anyio.CapacityLimiter(8)  # for moments: stat, mkdir, rmtree
        self._memory: Remembered[Place, tuple[Judgement, Signature | None]] = Remembered(REMEMBERED)
        # As judged before they had their names.
        self._fresh: Remembered[Place, Judgement] = Remembered(REMEMBERED)
        self._makings: Remembered[Place, tuple[Signature | None, Making]] = Remembered(_MAKINGS)

    def resize(self, photo_workers: int, video_workers: int) -> None:
        self._photos.resize(photo_workers)
        self._videos.total_tokens = self._judges.total_tokens = video_workers

    async def aclose(self) -> None:
        await self._photos.aclose()

    async def render(self, source: Place, candidate: Place, recipe: Recipe) -> None:
        async with self._folder() as folder:
            target = folder / f"rendition{recipe.extension}"
            origin = self._path_of(source)
            try:
                judged = None
                if recipe.media.is_video:
                    await self._film(origin, target, folder, candidate, recipe)
                else:
                    judged = await self._photo("render", origin, target, folder, recipe)
            except Refused as no:
                if no.code != "compress.cancelled":
                    self._remember(
                        candidate, Judgement(Digest(""), 0, no.code, no.what, is_gone=True)
                    )
                raise
            self._memory.pop(candidate, None)
            if judged is not None and judged.failed:  # it is never even given its name
                self._remember(candidate, replace(judged, is_gone=True))
                return
            await self._place(target, candidate)
        if judged is not None:
            self._fresh.keep(candidate, judged)

    async def judge(self, source: Place, candidate: Place, recipe: Recipe) -> Judgement | None:
        path = self._path_of(candidate)
        seen = await anyio.to_thread.run_sync(signature, path, limiter=self._threads)
        known, known_as = self._memory.get(candidate, (None, None))
        if seen is None:
            return replace(known, is_gone=True) if known else None
        if known is not None and seen == known_as:
            return known
        origin = self._path_of(source)
        if recipe.media.is_video:
            judged = await self._judged_film(origin, candidate, recipe)
        else:
            fresh = self._fresh.pop(candidate, None)
            is_same = fresh is not None and await self._has(path, fresh.digest)
            judged = fresh if fresh and is_same else await self._judged(origin, path, recipe)
        self._remember(candidate, judged, seen)
        return judged

    async def join(self, halves: Halves, candidate: Place) -> None:
        await self._joiner.join(halves, candidate)

    async def judge_joined(self, halves: Halves, candidate: Place) -> Judgement | None:
        return await self._joiner.judge(halves, candidate)

    async def _film(
        self, origin: Path, target: Path, folder: Path, candidate: Place, recipe: Recipe
    ) -> None:
        seen = await anyio.to_thread.run_sync(signature, origin, limiter=self._threads)
        limits = Limits(scratch=folder)
        render = partial(render_video, origin, target, recipe, limits)
        made = await self._in_thread(render, self._videos)
        self._makings.keep(candidate, (seen, made))

    async def _judged_film(self, origin: Path, candidate: Place, recipe: Recipe) -> Judgement:
        """What was seen of the source while the candidate was made counts if that is the very same source."""
        seen = await anyio.to_thread.run_sync(signature, origin, limiter=self._threads)
        then, made = self._makings.pop(candidate, (None, None))
        making = made if seen is not None and seen == then else None
        target = self._path_of(candidate)
        async with self._folder() as folder:
            limits = Limits(scratch=folder)
            judge = partial(judge_video, origin, target, recipe, limits, making)
            return await self._in_thread(judge, self._judges)

    async def _judged(self, source: Path, candidate: Path, recipe: Recipe) -> Judgement:
        async with self._folder() as folder:
            try:
                return await self._photo("judge", source, candidate, folder, recipe)
            except Refused as no:
                return Judgement(Digest(""), 0, no.code, no.what)

    async def _photo(
        self, do: str, source: Path, target: Path, folder: Path, recipe: Recipe
    ) -> Judgement:
        size = await anyio.to_thread.run_sync(_size, source, limiter=self._threads)
        job = {
            "do": do,
            "source": str(source),
            "target": str(target),
            "folder": str(folder),
            "recipe": asdict(recipe),
        }
        said = await self._photos.ask(job, photo_limits(size, recipe.search_s))
        return Judgement(
            Digest(said["digest"]),
            said["size"],
            said.get("failed", ""),
            said.get("why", ""),
            said.get("figures"),
        )

    async def _in_thread(self, work: Callable[[], T], room: anyio.CapacityLimiter) -> T:
        """Cancelled: its programs are killed and it ends by itself, in a thread nobody waits for."""
        children = Children()
        with children.adopted():
            try:
                return await anyio.to_thread.run_sync(work, limiter=room, abandon_on_cancel=True)
            except anyio.get_cancelled_exc_class():
                children.kill()
                raise

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        """A private folder on the file system of the renditions, gone afterwards with all that is in it."""
        folder = await anyio.to_thread.run_sync(self._new_folder, limiter=self._threads)
        try:
            yield folder
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(shutil.rmtree, folder, True, limiter=self._threads)  # noqa: FBT003 - its own order

    def _new_folder(self) -> Path:
        with faults_of(Site.SPOOL):
            with self._sweeping:  # or the first would sweep the folder of the second away
                if not self._is_swept:
                    shutil.rmtree(self._scratch, ignore_errors=True)
                    self._is_swept = True
            self._scratch.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(dir=self._scratch))

    async def _has(self, path: Path, digest: Digest) -> bool:
        """Whether the file is, byte for byte, what a worker judged in its private folder."""
        with faults_of(Site.SPOOL):
            read = await anyio.to_thread.run_sync(_digest, path, limiter=self._threads)
        return read == digest

    def _remember(self, candidate: Place, judged: Judgement, seen: Signature | None = None) -> None:
        self._memory.keep(candidate, (judged, seen))


def photo_limits(size: int, search_s: float = 0) -> Limits:
    """What a photo of `size` bytes may use."""
    # A HEIC of 2 MB takes 5 on an idle core.
    seconds = 120 + 60 * size // _MB + int(search_s)
    return Limits(
        memory_bytes=PICTURE_BYTES,
        cpu_s=seconds,
        wall_s=2.0 * seconds,
        file_bytes=max(16 << 20, size * 2),  # its tiles on the way are a little larger than it
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        hasher = blake3()
        while piece := file.read(_PIECE_BYTES):
            hasher.update(piece)
    return hasher.hexdigest()


def _size(path: Path) -> int:
    with faults_of(Site.SPOOL):
        return path.stat().st_size
