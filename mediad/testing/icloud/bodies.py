"""
The bytes of a made-up asset: real, small, different for every seed, and not made before somebody asks for them.

They are photos and films as far as their structure goes (dates, content identifiers, a picture of a few pixels).
"""

import base64
import functools
import hashlib
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from mediad.testing.icloud.fingerprint import fingerprint

# A grey JPEG of 8 by 8 pixels, from its first table on.
_GREY: Final = base64.b64decode(
    "/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZHhcZWdj/8AACwgACAAIAQERAP"
    "/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEV"
    "UtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpq"
    "eoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAAgBAQAAPwAr/9k="
)
_SEGMENT: Final = 60_000
_NEVER: Final = "0000:00:00 00:00:00"
_LONG: Final = 1 << 24  # a box with 64-bit times: those of 32 bits end in 2040
_MAC_EPOCH: Final = 2_082_844_800  # seconds from 1904 to 1970


class Body:
    """Bytes that are made anew each time, and known by fingerprint and size once they were made."""

    __slots__ = ("_known", "_make", "times")

    def __init__(self, make: Callable[[], bytes], times: int = 1) -> None:
        self._make = make
        self._known: tuple[str, int] | None = None
        self.times = times

    @classmethod
    def of(cls, content: bytes) -> "Body":
        return cls(functools.partial(bytes, content))

    @classmethod
    def repeated(cls, piece: bytes, times: int) -> "Body":
        """One of any size: only the piece is held, and it is served whole whatever fault would cut or spoil it."""
        return cls(functools.partial(bytes, piece), times)

    def read(self) -> bytes:
        return self._make() * self.times

    def pieces(self, start: int) -> Iterator[bytes]:
        """All from a byte on."""
        piece = self._make()
        first, skip = divmod(start, len(piece))
        for number in range(first, self.times):
            yield piece[skip:] if number == first else piece

    @property
    def fingerprint(self) -> str:
        return self._look()[0]

    @property
    def size(self) -> int:
        return self._look()[1]

    def _look(self) -> tuple[str, int]:
        if self._known is None:
            piece = self._make()
            self._known = (fingerprint(piece, self.times), len(piece) * self.times)
        return self._known


def jpeg(seed: str, *, taken_at: int, offset_s: int = 0, size: int = 0, pair: str = "") -> Body:
    """A JPEG with EXIF; `size`: at least so many bytes; `pair`: the content identifier of its Live half."""
    return Body(functools.partial(_jpeg, seed, taken_at, offset_s, size, pair))


def movie(seed: str, *, taken_at: int, size: int = 0, pair: str = "") -> Body:
    """A QuickTime film of half a second."""
    return Body(functools.partial(_movie, seed, taken_at, size, pair))


def raw(seed: str, *, taken_at: int, offset_s: int = 0, size: int = 0) -> Body:
    """A DNG: its first directory, and noise for a sensor."""
    return Body(functools.partial(_raw, seed, taken_at, offset_s, size))


def exif(taken_at: int, offset_s: int, pair: str = "") -> bytes:
    """As it stands in a JPEG, for pictures that others make."""
    return b"Exif\0\0" + _tiff(_local(taken_at, offset_s), pair)


def _noise(seed: str, size: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


def _local(taken_at: int, offset_s: int) -> tuple[str, str]:
    when = datetime.fromtimestamp(taken_at / 1000, UTC) + timedelta(seconds=offset_s)
    sign, minutes = "-" if offset_s < 0 else "+", abs(offset_s) // 60
    return f"{when:%Y:%m:%d %H:%M:%S}", f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def _jpeg(seed: str, taken_at: int, offset_s: int, size: int, pair: str) -> bytes:
    head = (
        b"\xff\xd8"
        + _segment(0xE1, exif(taken_at, offset_s, pair))
        + _segment(0xFE, b"seed " + seed.encode())
    )
    missing = size - len(head) - len(_GREY)
    filling = []
    while missing > 0:
        filling.append(_segment(0xFE, _noise(f"{seed}/{missing}", min(_SEGMENT, missing))))
        missing -= len(filling[-1])
    return b"".join((head, *filling, _GREY))


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _raw(seed: str, taken_at: int, offset_s: int, size: int) -> bytes:
    directory = _tiff(_local(taken_at, offset_s), "", is_dng=True)
    return directory + _noise(seed, max(64, size - len(directory)))


def _tiff(dates: tuple[str, str], pair: str, *, is_dng: bool = False) -> bytes:
    """Two directories, as short as they can be: the camera's name, and when it was taken."""
    date, offset = dates
    form = _form(_NEVER, offset, pair, is_dng)
    return form.replace(_NEVER.encode(), date.encode())


@functools.lru_cache(maxsize=64)
def _form(date: str, offset: str, pair: str, is_dng: bool) -> bytes:  # noqa: FBT001 - a key of the cache
    entries = [
        (0x010F, 2, b"Apple\0"),
        (0x0110, 2, b"iPhone 15\0"),
        (0x0132, 2, f"{date}\0".encode()),
    ]
    if is_dng:
        shape = [(0x0100, 4, struct.pack(">I", 8)), (0x0101, 4, struct.pack(">I", 8))]
        entries = [*shape, *entries, (0xC612, 1, b"\x01\x04\0\0")]
    own = [(0x9003, 2, f"{date}\0".encode()), (0x9011, 2, f"{offset}\0".encode())]
    if pair:
        own.append((0x927C, 7, _makers_note(pair)))
    first = 8 + 2 + 12 * (len(entries) + 1) + 4
    where = first + sum(_outside(value) for _, _, value in entries)
    entries = sorted([*entries, (0x8769, 4, struct.pack(">I", where))])
    return struct.pack(">2sHI", b"MM", 42, 8) + _directory(entries, 8) + _directory(own, where)


def _makers_note(pair: str) -> bytes:
    """Apple's: its own small TIFF, offsets counted from its beginning; 0x0011 names the Live half."""
    entry = _directory([(0x0011, 2, f"{pair}\0".encode())], 14)
    return b"Apple iOS\0\0\x01MM" + entry


def _outside(value: bytes) -> int:
    return 0 if len(value) <= 4 else len(value) + len(value) % 2  # noqa: PLR2004


def _directory(entries: list[tuple[int, int, bytes]], start: int) -> bytes:
    room = start + 2 + 12 * len(entries) + 4
    rows, tail = [], b""
    for tag, kind, value in entries:
        count = len(value) // {1: 1, 2: 1, 4: 4, 7: 1}[kind]
        if outside := _outside(value):
            rows.append(struct.pack(">HHII", tag, kind, count, room + len(tail)))
            tail += value.ljust(outside, b"\0")
        else:
            rows.append(struct.pack(">HHI", tag, kind, count) + value.ljust(4, b"\0"))
    return struct.pack(">H", len(entries)) + b"".join(rows) + b"\0\0\0\0" + tail


def _movie(seed: str, taken_at: int, size: int, pair: str) -> bytes:
    made = taken_at // 1000 + _MAC_EPOCH
    header = _box(b"ftyp", b"qt  \0\0\0\0qt  ")
    matrix = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = struct.pack(">IQQIQiH10x", _LONG, made, made, 600, 300, 0x10000, 0x100) + matrix
    tkhd = struct.pack(">IQQIIQ", _LONG | 3, made, made, 1, 0, 300) + bytes(16) + matrix
    track = _box(b"tkhd", tkhd + struct.pack(">II", 16 << 16, 16 << 16)) + _box(
        b"mdia",
        _box(b"mdhd", struct.pack(">IQQIQHH", _LONG, made, made, 600, 300, 0x55C4, 0))
        + _box(b"hdlr", struct.pack(">I4s4s12x", 0, b"mhlr", b"vide") + b"\0"),
    )
    moov = _box(b"mvhd", mvhd + bytes(24) + struct.pack(">I", 2)) + _box(b"trak", track)
    if pair:
        moov += _identifier(pair)
    film = header + _box(b"moov", moov)
    return film + _box(b"mdat", _noise(seed, max(64, size - len(film) - 8)))


def _identifier(pair: str) -> bytes:
    name = b"com.apple.quicktime.content.identifier"
    keys = struct.pack(">II", 0, 1) + _box(b"mdta", name)
    data = _box(b"data", struct.pack(">II", 1, 0) + pair.encode())
    items = _box(struct.pack(">I", 1), data)
    handler = struct.pack(">I4s4s12x", 0, b"\0\0\0\0", b"mdta") + b"\0"
    return _box(b"meta", _box(b"hdlr", handler) + _box(b"keys", keys) + _box(b"ilst", items))


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content
