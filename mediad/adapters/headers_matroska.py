"""Matroska and WebM: date, duration and size from the head of the segment."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mediad.adapters.headers_base import Header, Source
from mediad.model import Claim

_SEGMENT, _INFO, _TRACKS, _ENTRY, _VIDEO, _CLUSTER = (
    0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675,
)  # fmt: skip
_SCALE, _DURATION, _DATE, _WIDTH, _HEIGHT = 0x2AD7B1, 0x4489, 0x4461, 0xB0, 0xBA
_INSIDE = frozenset({_SEGMENT, _INFO, _TRACKS, _ENTRY, _VIDEO})
_MAX_ELEMENTS = 5000
_2001 = datetime(2001, 1, 1, tzinfo=UTC)


def read_matroska(source: Source, form: Header) -> None:
    values: dict[int, bytes] = {}
    for kind, start, size in _elements(source):
        if kind == _SEGMENT and size is not None and start + size > source.size:
            form.cut = f"the film goes on to byte {start + size}, the file ends at {source.size}"
        values.setdefault(kind, source[start : start + min(size or 0, 8)])
    if _SEGMENT not in values:
        form.cut = "the file ends before the film begins"
    form.width = int.from_bytes(values.get(_WIDTH, b""), "big")
    form.height = int.from_bytes(values.get(_HEIGHT, b""), "big")
    form.duration_s = _seconds(values)
    if len(day := values.get(_DATE, b"")) == 8:  # noqa: PLR2004 - nanoseconds
        moment = _2001 + timedelta(microseconds=int.from_bytes(day, "big", signed=True) // 1000)
        text = moment.replace(tzinfo=None).isoformat(" ", "seconds")
        form.claims.append(Claim("matroska:DateUTC", text, is_utc=True))


def _seconds(values: dict[int, bytes]) -> float:
    scale = int.from_bytes(values.get(_SCALE, b"") or b"\x0f\x42\x40", "big")
    length = values.get(_DURATION, b"")
    if len(length) not in {4, 8}:
        return 0.0
    seconds: float = struct.unpack(">f" if len(length) == 4 else ">d", length)[0] * scale / 1e9  # noqa: PLR2004 - its two widths
    return round(seconds, 6) if 0 <= seconds < 1e9 else 0.0  # noqa: PLR2004 - thirty years; and NaN


def _elements(source: Source) -> Iterator[tuple[int, int, int | None]]:
    """Each element up to the first cluster: its kind, where its body is, its size (None: unknown)."""
    at = 0
    for _ in range(_MAX_ELEMENTS):
        piece = source[at : at + 12]
        kind, width = _number(piece, keep_marker=True)
        size, more = _number(piece[width:], keep_marker=False)
        if not width or not more or kind == _CLUSTER:
            return
        unknown = size == (1 << 7 * more) - 1
        start = at + width + more
        yield kind, start, None if unknown else size
        at = start if kind in _INSIDE else start + size


def _number(piece: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A number whose first bit that is set tells its width; (0, 0) when there is none."""
    if not piece or not piece[0]:
        return 0, 0
    width = 9 - piece[0].bit_length()
    if len(piece) < width:
        return 0, 0
    found = int.from_bytes(piece[:width], "big")
    return found if keep_marker else found & ((1 << 7 * width) - 1), width
