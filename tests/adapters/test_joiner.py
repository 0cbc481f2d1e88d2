"""Guards the making of motion photos by real workers: whole or not at all, remembered, and nothing left behind."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from blake3 import blake3

from mediad.adapters import joiner
from mediad.adapters.encoder import WorkerEncoder
from mediad.adapters.joiner import TRIES, limits_for
from mediad.adapters.workers import Limits
from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Digest, Place, Site, SiteKey
from mediad.ports import Halves
from tests.adapters import live, stills
from tests.adapters.test_looker import worker_of

CANDIDATE = Place(Site.SPOOL, SiteKey("renditions/1-1-a.HEIC.motion-1.heic"))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.placed = 0
        (folder / "renditions").mkdir()
        self.encoder = WorkerEncoder(
            path_of=lambda place: folder / place.key,
            place=self.adopt,
            scratch=folder / "scratch",
            photo_workers=1,
            video_workers=1,
        )

    async def adopt(self, made: Path, target: Place) -> None:
        self.placed += 1
        await anyio.Path(made).rename(self.folder / target.key)

    def halves(self, still: bytes, moving: bytes) -> Halves:
        (at, digest), (film, film_digest) = (
            self._written(name, data) for name, data in (("a.HEIC", still), ("a.MOV", moving))
        )
        return Halves(at, digest, film, film_digest, len(still) + len(moving))

    def _written(self, name: str, data: bytes) -> tuple[Place, Digest]:
        (self.folder / name).write_bytes(data)
        return Place(Site.SPOOL, SiteKey(name)), Digest(blake3(data).hexdigest())

    @property
    def made(self) -> Path:
        return self.folder / CANDIDATE.key


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.encoder.aclose()


async def test_a_motion_photo_is_made_handed_over_and_judged(bench: Bench) -> None:
    both = bench.halves(stills.heic(), live.film())
    assert await bench.encoder.judge_joined(both, CANDIDATE) is None
    await bench.encoder.join(both, CANDIDATE)
    judged = await bench.encoder.judge_joined(both, CANDIDATE)
    assert judged is not None
    data = bench.made.read_bytes()
    assert (judged.digest, judged.size, judged.failed) == (blake3(data).hexdigest(), len(data), "")
    assert judged.figures == {
        "still_bytes": len(stills.heic()), "film_bytes": len(live.film()), "at_us": 900_000,
    }  # fmt: skip
    assert not list((bench.folder / "scratch").iterdir())


async def test_one_from_before_a_restart_is_read_and_believed(tmp_path: Path) -> None:
    before = Bench(tmp_path)
    both = before.halves(stills.heic(), live.film())
    await before.encoder.join(both, CANDIDATE)
    judged = await before.encoder.judge_joined(both, CANDIDATE)
    await before.encoder.aclose()
    (tmp_path / "renditions").rename(tmp_path / "kept")
    after = Bench(tmp_path)
    (tmp_path / "renditions").rmdir()
    (tmp_path / "kept").rename(tmp_path / "renditions")
    assert await after.encoder.judge_joined(both, CANDIDATE) == judged
    await after.encoder.aclose()


async def test_half_of_one_from_before_a_crash_is_none_and_gives_way(bench: Bench) -> None:
    both = bench.halves(stills.heic(), live.film())
    bench.made.write_bytes(stills.heic()[:500])
    assert await bench.encoder.judge_joined(both, CANDIDATE) is None
    await bench.encoder.join(both, CANDIDATE)
    assert await bench.encoder.judge_joined(both, CANDIDATE) is not None


async def test_one_of_other_halves_is_none(bench: Bench) -> None:
    await bench.encoder.join(bench.halves(stills.heic(), live.film()), CANDIDATE)
    other = bench.halves(stills.heic(), live.film(None))
    assert await bench.encoder.judge_joined(other, CANDIDATE) is None


async def test_a_refusal_is_remembered_and_nothing_is_placed(bench: Bench) -> None:
    both = bench.halves(stills.heic(), live.film()[:-9])
    with pytest.raises(Refused):
        await bench.encoder.join(both, CANDIDATE)
    judged = await bench.encoder.judge_joined(both, CANDIDATE)
    assert judged is not None
    assert (judged.failed, judged.is_gone) == ("motion.not_understood", True)
    assert "they go as two files" in judged.why
    assert bench.placed == 0
    assert not list((bench.folder / "scratch").iterdir())


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(wall_s=0.0), "compress.timeout"),
        (Limits(memory_bytes=100 << 20), "compress.too_large"),
    ],
)
async def test_want_of_time_or_memory_is_no_word_about_the_halves_until_it_comes_again_and_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, limits: Limits, code: str
) -> None:
    both = bench.halves(stills.heic(), live.film())
    with monkeypatch.context() as short:
        short.setattr(joiner, "limits_for", lambda _: limits)
        for _ in range(TRIES - 1):
            with pytest.raises(Retryable) as fault:
                await bench.encoder.join(both, CANDIDATE)
            assert fault.value.code == code
            assert await bench.encoder.judge_joined(both, CANDIDATE) is None
        with pytest.raises(Refused):
            await bench.encoder.join(both, CANDIDATE)
    judged = await bench.encoder.judge_joined(both, CANDIDATE)
    assert judged is not None
    assert (judged.failed, judged.is_gone) == (code, True)
    assert "go as two files" in judged.why


async def test_whose_worker_was_killed_are_joined_at_the_next_try(bench: Bench) -> None:
    """Held at a pipe, it is killed as the system kills who takes too much memory."""
    both = bench.halves(stills.heic(), live.film())
    film = bench.folder / "a.MOV"
    film.rename(bench.folder / "film")
    os.mkfifo(film)
    faults: list[MediadError] = []

    async def join() -> None:
        try:
            await bench.encoder.join(both, CANDIDATE)
        except MediadError as fault:
            faults.append(fault)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(join)
        with await anyio.to_thread.run_sync(film.open, "wb"):  # the worker is at it now
            os.kill(worker_of(os.getpid(), b"photo_worker"), signal.SIGKILL)
    assert [(type(f), f.code) for f in faults] == [(Retryable, "compress.killed")]
    (bench.folder / "film").rename(film)
    await bench.encoder.join(both, CANDIDATE)
    assert await bench.encoder.judge_joined(both, CANDIDATE) is not None


async def test_one_that_cannot_be_judged_is_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one of them would hold the whole batch."""
    both = bench.halves(stills.heic(), live.film())
    bench.made.write_bytes(stills.heic())
    with monkeypatch.context() as short:
        short.setattr(joiner, "limits_for", lambda _: Limits(wall_s=0.0))
        assert await bench.encoder.judge_joined(both, CANDIDATE) is None
    await bench.encoder.join(both, CANDIDATE)
    assert await bench.encoder.judge_joined(both, CANDIDATE) is not None


async def test_what_was_thrown_away_can_be_made_again(bench: Bench) -> None:
    both = bench.halves(stills.heic(), live.film())
    await bench.encoder.join(both, CANDIDATE)
    first = await bench.encoder.judge_joined(both, CANDIDATE)
    bench.made.unlink()
    assert await bench.encoder.judge_joined(both, CANDIDATE) is None
    await bench.encoder.join(both, CANDIDATE)
    assert await bench.encoder.judge_joined(both, CANDIDATE) == first


def test_limits_grow_with_what_is_to_be_read() -> None:
    small, large = limits_for(1000), limits_for(500_000_000)
    assert small.file_bytes < 10 << 20 < 500_000_000 < large.file_bytes
    assert small.cpu_s < large.cpu_s
