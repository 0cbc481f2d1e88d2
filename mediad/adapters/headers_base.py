"""
What every header reader shares: a file to read from within bounds, and a form to fill in.

A reader fills the form as far as it understands the file. What it does not understand it leaves open; it never
guesses, never raises anything but NotUnderstood, and never holds more than MAX_READ of a file in memory.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from mediad.adapters.bmff import NotUnderstood
from mediad.model import Claim, Media

HEAD = 64 << 10
MAX_READ = 32 << 20  # the index of a film of ten hours is smaller
_MAX_READS = 200_000  # of one file: a maze of boxes ends here
_MAX_BYTES = 1 << 30  # likewise
_PAGE = 4096
_CHUNK = 256 << 10


@dataclass(slots=True)
class Header:
    """The form. `claims` are dates as they are written; `cut` says what is missing at the end, "" when nothing is."""

    media: Media | None
    extension: str = ""
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    content_id: str = ""
    claims: list[Claim] = field(default_factory=list)
    cut: str = ""
    not_media: str = ""  # what it is instead
    is_partial: bool = False  # something in it was not understood: another reader may know more


class Source:
    """
    An open file as a View (adapters/bmff.py): the first 64 KiB in one read, then only what is asked for.

    Reads by position: the file may be of any size, and one that shrinks under us is NotUnderstood.
    """

    __slots__ = ("_at", "_bytes", "_fd", "_reads", "_window", "head", "size")

    def __init__(self, fd: int, size: int) -> None:
        self.size = size
        self.head = os.pread(fd, min(HEAD, size), 0)
        self._fd = fd
        self._at = 0
        self._window = self.head
        self._reads = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop = part.start or 0, self.size if part.stop is None else part.stop
        if 0 <= start <= stop <= len(self.head):
            return self.head[start:stop]
        start, stop = max(0, start), min(stop, self.size)
        if stop <= start:
            return b""
        if self._at <= start and stop <= self._at + len(self._window):
            return self._window[start - self._at : stop - self._at]
        return self._fetch(start, stop)

    def _fetch(self, start: int, stop: int) -> bytes:
        size = max(stop - start, _PAGE)
        self._reads += 1
        self._bytes += size
        if size > MAX_READ or self._reads > _MAX_READS or self._bytes > _MAX_BYTES:
            raise NotUnderstood(f"{size} bytes at {start} are more than a header has")
        found = os.pread(self._fd, size, start)
        self._at, self._window = start, found
        return found[: stop - start]

    def chunks(self, start: int, most: int, overlap: int = 1) -> Iterator[tuple[int, bytes]]:
        """The bytes from `start` on, in pieces that overlap so that no short pattern falls between two."""
        end = min(self.size, start + most)
        while start < end:
            piece = os.pread(self._fd, min(_CHUNK, end - start), start)
            if len(piece) <= overlap:
                return
            yield start, piece
            start += len(piece) - overlap
