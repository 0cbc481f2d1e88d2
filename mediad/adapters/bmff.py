"""
The boxes of ISO media files (MOV, MP4, HEIC), read within bounds.

Foreign bytes decide nothing here but where a box ends, and that is checked before it is believed. Whatever does not
add up is NotUnderstood: never IndexError, struct.error, MemoryError or an endless loop.
"""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

MAX_BOXES = 100_000  # on one level; a fragmented hour has about 10,000

_HEADER = 8
_LARGE_HEADER = 16


class NotUnderstood(ValueError):
    """The structure is damaged, or of a kind that this code does not know well enough to touch."""


class View(Protocol):
    """Bytes that can be sliced: bytes, memoryview, or a file that is read piece by piece."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes | bytearray | memoryview: ...


class FileView:
    """
    An open file as a View, so that a video of many gigabytes costs a few small reads.

    Reads by position and not through mmap: a file that shrinks under us is NotUnderstood, not SIGBUS.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise NotUnderstood("a file is read forwards")
        return os.pread(self._descriptor, max(0, stop - start), start)


class Box(NamedTuple):
    type: bytes  # four bytes, as they are
    start: int  # of the header
    body: int  # behind the header (a `uuid` box's own type is part of the body)
    end: int


def boxes(view: View, start: int, end: int) -> Iterator[Box]:
    """The boxes that lie one behind the other from `start` to exactly `end`; at most 7 zero bytes may be left over."""
    if not 0 <= start <= end <= len(view):
        raise NotUnderstood(f"bytes {start} to {end} are not all there")
    for _ in range(MAX_BOXES):
        if end - start < _HEADER:
            if any(read(view, start, end - start)):
                raise NotUnderstood(f"stray bytes at {start}")
            return
        box = _box_at(view, start, end)
        yield box
        start = box.end
    raise NotUnderstood(f"more than {MAX_BOXES} boxes")


def _box_at(view: View, start: int, end: int) -> Box:
    size, kind = struct.unpack(">I4s", read(view, start, _HEADER))
    body = start + _HEADER
    if size == 1:
        if end - start < _LARGE_HEADER:
            raise NotUnderstood(f"box {kind!r} at {start} is cut off")
        size = number(view, start + _HEADER, 8)
        body = start + _LARGE_HEADER
    elif size == 0:  # "to the end of what holds it"
        size = end - start
    if size < body - start or size > end - start:
        raise NotUnderstood(f"box {kind!r} at {start} says it has {size} bytes")
    return Box(kind, start, body, start + size)


def child(view: View, parent: Box, kind: bytes, skip: int = 0) -> Box | None:
    """The first `kind` in `parent`; `skip` steps over the version and flags of a full box (meta: 4)."""
    inside = boxes(view, parent.body + skip, parent.end)
    return next((box for box in inside if box.type == kind), None)


def read(view: View, start: int, size: int) -> bytes:
    """Exactly `size` bytes."""
    found = bytes(view[start : start + size]) if start >= 0 and size >= 0 else b""
    if len(found) != size:
        raise NotUnderstood(f"{size} bytes at {start} are not all there")
    return found


def number(view: View, at: int, size: int) -> int:
    """The unsigned big-endian number of `size` bytes at `at`."""
    return int.from_bytes(read(view, at, size), "big")
