"""Guards the window on a file: the right bytes, few reads, and never more than a header's worth of memory."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.headers_base import HEAD, MAX_READ, Source

BYTES = bytes(n * 7 % 251 for n in range(3 * HEAD))


@pytest.fixture(scope="module")
def descriptor(tmp_path_factory: pytest.TempPathFactory) -> int:
    path = tmp_path_factory.mktemp("base") / "file"
    path.write_bytes(BYTES)
    return os.open(path, os.O_RDONLY)


@given(st.lists(st.tuples(st.integers(0, 4 * HEAD), st.integers(0, 9000)), max_size=20))
def test_any_slice_in_any_order_is_what_bytes_would_give(
    descriptor: int, wanted: list[tuple[int, int]]
) -> None:
    source = Source(descriptor, len(BYTES))
    for start, size in wanted:
        assert source[start : start + size] == BYTES[start : start + size]


def test_more_than_a_header_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb+") as file:
        file.truncate(1 << 40)
        source = Source(file.fileno(), 1 << 40)
        with pytest.raises(NotUnderstood):
            source[0 : MAX_READ + 1]


def test_a_maze_ends(descriptor: int) -> None:
    source = Source(descriptor, len(BYTES))

    def wander() -> None:
        for n in range(300_000):
            source[HEAD + n % 2 * HEAD : HEAD + n % 2 * HEAD + 1]

    with pytest.raises(NotUnderstood):
        wander()


def test_a_pattern_between_two_pieces_is_seen(descriptor: int) -> None:
    source = Source(descriptor, len(BYTES))
    pieces = list(source.chunks(100, 1 << 30))
    assert b"".join([pieces[0][1], *(p[1:] for _, p in pieces[1:])]) == BYTES[100:]
