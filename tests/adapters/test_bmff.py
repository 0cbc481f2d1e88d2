"""Guards the one reader of boxes: what it accepts, and that damage has exactly one name."""

import random
import struct
from pathlib import Path

import pytest

from mediad.adapters.bmff import (
    MAX_BOXES,
    Box,
    FileView,
    NotUnderstood,
    boxes,
    child,
    number,
    read,
)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def walk(content: bytes) -> list[Box]:
    return list(boxes(content, 0, len(content)))


def test_boxes_are_found_with_their_bounds() -> None:
    content = box(b"ftyp", b"qt  ") + box(b"mdat", b"123")
    assert walk(content) == [Box(b"ftyp", 0, 8, 12), Box(b"mdat", 12, 20, 23)]


def test_a_64_bit_size_is_read() -> None:
    content = struct.pack(">I4sQ", 1, b"mdat", 20) + b"abcd"
    assert walk(content) == [Box(b"mdat", 0, 16, 20)]


def test_size_zero_reaches_to_the_end() -> None:
    assert walk(struct.pack(">I4s", 0, b"mdat") + b"abc") == [Box(b"mdat", 0, 8, 11)]


def test_the_zero_terminator_of_quicktime_is_not_damage() -> None:
    assert len(walk(box(b"name", b"x") + bytes(4))) == 1


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">I4s", 100, b"moov") + b"short",
        struct.pack(">I4s", 7, b"moov"),
        struct.pack(">I4s", 1, b"mdat") + b"\0\0",
        struct.pack(">I4sQ", 1, b"mdat", 8),
        struct.pack(">I4sQ", 1, b"mdat", 1 << 63),
        box(b"ftyp") + b"junk",
    ],
)
def test_damage_is_not_understood(content: bytes) -> None:
    with pytest.raises(NotUnderstood):
        walk(content)


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (0, 100), (8, 4)])
def test_bounds_outside_the_view_are_refused(start: int, end: int) -> None:
    with pytest.raises(NotUnderstood):
        list(boxes(box(b"ftyp", b"qt  "), start, end))


def test_a_flood_of_empty_boxes_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="more than"):
        walk(box(b"free") * (MAX_BOXES + 1))


def test_a_child_is_found_behind_the_head_of_a_full_box() -> None:
    content = box(b"meta", bytes(4) + box(b"hdlr", b"h") + box(b"keys"))
    (meta,) = walk(content)
    assert child(content, meta, b"keys", skip=4) == Box(b"keys", 21, 29, 29)
    assert child(content, meta, b"iloc", skip=4) is None


def test_reading_past_the_end_is_refused() -> None:
    assert read(b"abc", 1, 2) == b"bc"
    assert number(b"\x01\x00", 0, 2) == 256
    for at, size in [(2, 2), (-1, 1), (0, -1), (9, 1)]:
        with pytest.raises(NotUnderstood):
            read(b"abc", at, size)


def test_a_file_reads_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    content = box(b"ftyp", b"qt  ") + box(b"mdat", b"x" * 99)
    path.write_bytes(content)
    with path.open("rb") as file:
        view = FileView(file.fileno())
        assert list(boxes(view, 0, len(view))) == walk(content)
        with pytest.raises(NotUnderstood):
            view[::2]


def test_a_file_that_shrinks_is_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(box(b"ftyp", b"qt  ") + box(b"mdat", b"x" * 99))
    with path.open("r+b") as file:
        view = FileView(file.fileno())
        file.truncate(10)
        with pytest.raises(NotUnderstood):
            list(boxes(view, 0, len(view)))


def test_no_mutation_raises_anything_else() -> None:
    chance = random.Random(7)  # noqa: S311 - a repeatable choice of bytes, no secret
    whole = box(b"ftyp", b"qt  ") + box(b"moov", box(b"mvhd", bytes(20)) + box(b"udta", bytes(4)))
    for _ in range(2000):
        torn = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            torn[chance.randrange(len(torn))] = chance.choice([0, 1, 7, 8, 127, 255])
        try:
            for outer in boxes(torn, 0, len(torn)):
                list(boxes(torn, outer.body, outer.end))
        except NotUnderstood:
            continue
