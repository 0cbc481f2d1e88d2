"""JPEG: segments up to the picture, then its end. A JPEG is whole when its first picture has its end marker."""

import re
import struct

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.headers_base import Header, Source
from mediad.adapters.headers_tiff import read_exif
from mediad.adapters.headers_xmp import read_iptc, read_xmp

_MAX_SEGMENTS = 5000  # an extended XMP or ICC profile comes in pieces
_MAX_SCAN = 1 << 30  # no picture is larger
_EOI = b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_SOS, _END, _APP1, _APP13 = 0xDA, 0xD9, 0xE1, 0xED
_EXIF, _XMP = b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0"
_MARKER = re.compile(rb"\xff+([^\xff\x00])", re.DOTALL)


def read_jpeg(source: Source, form: Header, base: int = 0) -> None:
    """A JPEG that starts at `base` (a RAF file has one inside)."""
    at = _segments(source, base + 2, form)
    if at == 0:
        form.cut = "the file ends before the picture begins"
    elif base == 0 and source[source.size - 2 : source.size] != _EOI and not _has_end(source, at):
        form.cut = "the end of the picture is missing"


def _segments(source: Source, at: int, form: Header) -> int:
    """Where the picture's data begins; 0 when the file ends before."""
    for _ in range(_MAX_SEGMENTS):
        four = source[at : at + 4]
        if len(four) < 4:  # noqa: PLR2004 - marker and length
            return 0
        marker = four[1]
        if four[0] != 0xFF or marker in {0x00, 0xFF}:  # noqa: PLR2004 - stray bytes: decoders step over them too
            at = _next_marker(source, at)
            if at == 0:
                return 0
        elif marker in _BARE:
            at += 2
        elif marker == _SOS:
            return at
        elif marker == _END:
            return 0
        else:
            end = at + 2 + struct.unpack(">H", four[2:])[0]
            _segment(source, marker, at + 4, end, form)
            at = max(end, at + 2)
    raise NotUnderstood("more segments than a JPEG has")


def _segment(source: Source, marker: int, start: int, end: int, form: Header) -> None:
    if marker == _APP1:
        body = source[start:end]
        if body.startswith(_EXIF):
            read_exif(body[6:], form)
        elif body.startswith(_XMP):
            read_xmp(body, form)
    elif marker in _FRAMES and not form.width:
        size = source[start + 1 : start + 5]
        if len(size) == 4:  # noqa: PLR2004 - two shorts
            form.height, form.width = struct.unpack(">HH", size)
    elif marker == _APP13:
        read_iptc(source[start:end], form)


def _next_marker(source: Source, at: int) -> int:
    piece = source[at + 1 : at + 4097]
    found = _MARKER.search(piece)
    return at + 1 + found.start(1) - 1 if found else 0


def _has_end(source: Source, start: int) -> bool:
    """Inside picture data 0xFF is always escaped, so that the marker cannot be there by chance."""
    return any(_EOI in piece for _, piece in source.chunks(start, _MAX_SCAN))
