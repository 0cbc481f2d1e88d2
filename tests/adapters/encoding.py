"""The real encoder over a folder of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from mediad.adapters.encoder import WorkerEncoder
from mediad.model import Place


@asynccontextmanager
async def an_encoder(folder: Path, *, photo_workers: int) -> AsyncIterator[WorkerEncoder]:
    """Every place is a file of `folder` by its key alone, and what is made on the way lies in `folder`/scratch."""

    async def place(made: Path, target: Place) -> None:
        await anyio.Path(made).rename(folder / target.key)

    encoder = WorkerEncoder(
        path_of=lambda p: folder / p.key, place=place, scratch=folder / "scratch",
        photo_workers=photo_workers, video_workers=1,
    )  # fmt: skip
    yield encoder
    await encoder.aclose()
