"""Guards how photos are looked at: by a process with limits, from wherever they lie, and never by touching them."""

import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pillow_heif
import pytest
from PIL import Image

from mediad.adapters import looker
from mediad.adapters.looker import FOLDER, LIMITS, WorkerLooker
from mediad.adapters.workers import Workers
from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Media, Place, Site, SiteKey
from mediad.policy.likeness import alike
from tests.adapters.test_likeness import saved, scene

PHOTO = Place(Site.SPOOL, SiteKey("0"))


@asynccontextmanager
async def a_looker(folder: Path) -> AsyncIterator[WorkerLooker]:
    """Every site is this folder, and the places to fetch to are beside it."""
    found = WorkerLooker(lambda place: folder / "site" / place.key, folder / FOLDER)
    (folder / "site").mkdir()
    try:
        yield found
    finally:
        await found.aclose()


@pytest.mark.parametrize("site", [Site.SPOOL, Site.LIBRARY, Site.ARCHIVE])
async def test_a_photo_is_looked_at_where_it_lies_and_left_as_it_is(
    tmp_path: Path, site: Site
) -> None:
    async with a_looker(tmp_path) as eyes:
        path = saved(tmp_path / "site", scene(1), quality=90)
        before = path.read_bytes(), path.stat().st_mtime_ns
        seen = await eyes.look(Place(site, SiteKey(path.name)), Media.JPEG)
        small = saved(tmp_path / "site", scene(1).resize((200, 150)), quality=70)
        assert alike(seen, await eyes.look(Place(site, SiteKey(small.name)), Media.JPEG)) >= 90
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before
        assert not (tmp_path / FOLDER).exists() or not list((tmp_path / FOLDER).iterdir())


async def test_what_cannot_be_decoded_is_refused_and_the_next_is_looked_at(tmp_path: Path) -> None:
    async with a_looker(tmp_path) as eyes:
        (tmp_path / "site" / "bad").write_bytes(b"\xff\xd8\xff no more")
        with pytest.raises(Refused):
            await eyes.look(Place(Site.LIBRARY, SiteKey("bad")), Media.JPEG)
        path = saved(tmp_path / "site", scene(1))
        assert not (await eyes.look(Place(Site.SPOOL, SiteKey(path.name)), Media.JPEG)).is_flat


@pytest.mark.parametrize("site", [Site.SPOOL, Site.ARCHIVE])
async def test_what_has_gone_is_looked_at_later(tmp_path: Path, site: Site) -> None:
    async with a_looker(tmp_path) as eyes:
        with pytest.raises(MediadError) as fault:
            await eyes.look(Place(site, SiteKey("gone")), Media.JPEG)
        assert not isinstance(fault.value, Refused)


async def test_what_the_disk_cannot_read_is_looked_at_later(tmp_path: Path) -> None:
    """A file that opens, and whose first byte is an I/O error."""
    async with a_looker(tmp_path) as eyes:
        (tmp_path / "site" / "sick").symlink_to("/proc/self/mem")
        with pytest.raises(Retryable) as fault:
            await eyes.look(Place(Site.SPOOL, SiteKey("sick")), Media.JPEG)
        assert fault.value.code == "io.error"


@pytest.mark.parametrize(("media", "side"), [(Media.PNG, 5000), (Media.HEIC, 2000)])
async def test_without_memory_it_is_looked_at_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: Media, side: int
) -> None:
    pillow_heif.register_heif_opener()
    how = {Media.PNG: "PNG", Media.HEIC: "HEIF"}[media]
    async with a_looker(tmp_path) as eyes:
        path = saved(tmp_path / "site", Image.new("RGB", (side, side)), how)
        place = Place(Site.SPOOL, SiteKey(path.name))
        monkeypatch.setattr(looker, "LIMITS", replace(LIMITS, memory_bytes=70 << 20))
        with pytest.raises(Retryable) as fault:
            await eyes.look(place, media)
        assert fault.value.code == "io.memory"
        monkeypatch.setattr(looker, "LIMITS", LIMITS)
        assert (await eyes.look(place, media)).is_flat


async def test_whose_process_was_killed_is_looked_at_later(tmp_path: Path) -> None:
    """Held at a pipe, it is killed as the system kills who takes too much memory."""
    async with a_looker(tmp_path) as eyes, anyio.create_task_group() as tasks:
        pipe = tmp_path / "site" / "pipe"
        os.mkfifo(pipe)
        faults: list[MediadError] = []

        async def look() -> None:
            try:
                await eyes.look(Place(Site.SPOOL, SiteKey("pipe")), Media.JPEG)
            except MediadError as fault:
                faults.append(fault)

        tasks.start_soon(look)
        with await anyio.to_thread.run_sync(pipe.open, "wb"):  # the worker is at it now
            os.kill(worker_of(os.getpid(), b"look_worker"), signal.SIGKILL)
    assert [(type(f), f.code) for f in faults] == [(Retryable, "compress.killed")]


def worker_of(parent: int, module: bytes) -> int:
    """The process of this one's that runs the module."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    [found] = [
        int(pid)
        for c in children
        for pid in c.read_text().split()
        if module in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return found


async def test_where_no_process_can_be_started_it_is_looked_at_later(tmp_path: Path) -> None:
    async with a_looker(tmp_path) as eyes:
        path = saved(tmp_path / "site", scene(1))
        eyes._workers = Workers("mediad.adapters.look_worker", 1, cwd=tmp_path / "gone")
        with pytest.raises(Retryable):
            await eyes.look(Place(Site.SPOOL, SiteKey(path.name)), Media.JPEG)


async def test_what_is_very_large_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looker, "MOST_BYTES", 1000)
    async with a_looker(tmp_path) as eyes:
        path = saved(tmp_path / "site", scene(1))
        with pytest.raises(Refused) as fault:
            await eyes.look(Place(Site.ARCHIVE, SiteKey(path.name)), Media.JPEG)
        assert fault.value.code == "compress.too_large"
        assert not list((tmp_path / FOLDER).iterdir())


async def test_a_disk_that_hangs_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that nobody writes to, which opens as a dead mount does: never."""
    monkeypatch.setattr(looker, "PATIENCE_S", 0.05)
    async with a_looker(tmp_path) as eyes:
        pipe = tmp_path / "site" / "pipe"
        os.mkfifo(pipe)
        with pytest.raises(Retryable) as fault:
            await eyes.look(Place(Site.ARCHIVE, SiteKey("pipe")), Media.JPEG)
        assert fault.value.code == "io.unreachable"
        pipe.open("wb").close()  # lets the thread go


def test_what_comes_late_from_a_disk_that_hung_is_not_taken_for_the_next_photo(
    tmp_path: Path,
) -> None:
    pipe, next_photo, target = tmp_path / "pipe", tmp_path / "next", tmp_path / FOLDER / "fetched"
    os.mkfifo(pipe)
    next_photo.write_bytes(b"the next")
    late = threading.Thread(target=looker._fetch, args=(pipe, target, Site.ARCHIVE))
    late.start()
    with pipe.open("wb") as disk:  # it is at its reading now
        target.unlink(missing_ok=True)  # as who waits no more leaves it
        looker._fetch(next_photo, target, Site.LIBRARY)
        disk.write(b"the late one")
    late.join()
    assert target.read_bytes() == b"the next"


async def test_after_a_rest_it_looks_again(tmp_path: Path) -> None:
    async with a_looker(tmp_path) as eyes:
        path = saved(tmp_path / "site", scene(1))
        place = Place(Site.SPOOL, SiteKey(path.name))
        first = await eyes.look(place, Media.JPEG)
        await eyes.rest()
        assert await eyes.look(place, Media.JPEG) == first
