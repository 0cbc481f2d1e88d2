"""Guards the process that looks at photos: it ends with what is too much for it, and only a decoder's word is final."""

import resource
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediad.adapters.looker import LIMITS
from mediad.adapters.workers import Limits, Workers
from mediad.errors import Refused, Retryable
from tests.adapters.test_likeness import saved, scene


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    found = Workers("mediad.adapters.look_worker", 1, cwd=Path("/"))
    yield found
    await found.aclose()


async def looked(workers: Workers, path: Path, limits: Limits = LIMITS) -> object:
    return await workers.ask({"source": str(path), "media": "png"}, limits)


def claiming(folder: Path, side: int) -> Path:
    """A small PNG whose header says that it is a large one."""
    path = saved(folder, scene(1), "PNG")
    data = path.read_bytes()
    head = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    path.write_bytes(data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:])
    return path


async def test_memory_has_an_end_and_the_next_photo_has_its_own(
    tmp_path: Path, workers: Workers
) -> None:
    with pytest.raises(Retryable) as fault:
        await looked(workers, claiming(tmp_path, 14_000), replace(LIMITS, memory_bytes=400 << 20))
    assert fault.value.code == "io.memory"
    assert await looked(workers, saved(tmp_path, scene(1), "PNG"))


async def test_time_has_an_end(tmp_path: Path, workers: Workers) -> None:
    with pytest.raises(Refused) as fault:
        await looked(workers, saved(tmp_path, scene(1), "PNG"), replace(LIMITS, wall_s=0.0))
    assert fault.value.code == "compress.timeout"
    assert await looked(workers, saved(tmp_path, scene(1), "PNG"))


async def test_a_bomb_is_refused(tmp_path: Path, workers: Workers) -> None:
    with pytest.raises(Refused) as fault:
        await looked(workers, claiming(tmp_path, 20_000))
    assert fault.value.code == "compress.unreadable"


def test_the_limits_are_below_those_of_this_process() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert LIMITS.open_files <= hard
    assert LIMITS.memory_bytes <= 8 << 30


async def test_what_a_decoder_says_without_memory_is_not_believed(
    tmp_path: Path, workers: Workers
) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(saved(tmp_path, scene(1), "PNG").read_bytes()[:5000])
    with pytest.raises(Retryable):
        await looked(workers, damaged, replace(LIMITS, memory_bytes=250 << 20))
    with pytest.raises(Refused) as fault:
        await looked(workers, damaged)
    assert fault.value.code == "compress.unreadable"
