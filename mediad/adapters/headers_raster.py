"""PNG, GIF, WebP and AVI: small headers, and an end that says so."""

import re
import struct
from datetime import datetime

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.headers_base import Header, Source
from mediad.adapters.headers_tiff import read_exif
from mediad.adapters.headers_xmp import read_xmp
from mediad.model import Claim

_MAX_CHUNKS = 20_000
_MAX_BLOCK = 1 << 20
_MAX_SUB_BLOCKS = 4_000_000
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_UNKNOWN_SIZE = 0xFFFFFFFF
_VP8 = re.compile(rb".{3}\x9d\x01\x2a(..)(..)", re.DOTALL)


def read_png(source: Source, form: Header) -> None:
    if len(source.head) < 33:  # noqa: PLR2004 - signature and IHDR
        form.cut = "the file ends before the picture begins"
        return
    form.width, form.height = struct.unpack(">II", source.head[16:24])
    has_end = source[source.size - 12 : source.size] == _IEND
    at = 8
    for _ in range(_MAX_CHUNKS):
        header = source[at : at + 8]
        if len(header) < 8:  # noqa: PLR2004 - length and type
            break
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IEND" or (kind == b"IDAT" and has_end):
            return
        _png_chunk(source, kind, at + 8, length, form)
        at += 12 + length
    else:
        raise NotUnderstood("more chunks than a PNG has")
    if not has_end:
        form.cut = "the end of the picture (IEND) is missing"


def _png_chunk(source: Source, kind: bytes, start: int, length: int, form: Header) -> None:
    if kind not in {b"eXIf", b"iTXt", b"tEXt"} or length > _MAX_BLOCK:
        return
    block = source[start : start + length]
    if kind == b"eXIf":
        read_exif(block.removeprefix(b"Exif\0\0"), form)
    elif block.startswith(b"XML:com.adobe.xmp\0"):
        read_xmp(block, form)
    elif block.startswith(b"Creation Time\0"):
        form.claims.append(Claim("png:CreationTime", _posted(block[14:78].decode("latin-1"))))


def _posted(text: str) -> str:
    """As the PNG book has it (the way of e-mail), or as most write it."""
    said = text.strip("\0 ").partition(", ")[2] or text.strip("\0 ")
    try:
        moment = datetime.strptime(said.replace("GMT", "+0000"), "%d %b %Y %H:%M:%S %z")
    except ValueError:
        return text.replace("T", " ", 1)
    return moment.isoformat(" ")


def read_gif(source: Source, form: Header) -> None:
    if len(source.head) < 14:  # noqa: PLR2004 - header and one block
        form.cut = "the file ends before the picture begins"
        return
    form.width, form.height = struct.unpack("<HH", source.head[6:10])
    tail = source[max(0, source.size - 64) : source.size]
    if not tail.rstrip(b"\0").endswith(b";") and not _blocks_end(source):
        form.cut = "the last frame is not whole"


def _blocks_end(source: Source) -> bool:
    """Whether the last block is whole. A missing trailer alone harms nobody."""
    at = 13 + _table(source.head[10])
    for _ in range(_MAX_SUB_BLOCKS):
        kind = source[at : at + 1]
        if kind == b"!":
            at += 2
        elif kind == b",":
            flags = source[at + 9 : at + 10]
            if not flags:
                return False
            at += 11 + _table(flags[0])
        else:
            return True  # trailer, end of file, or bytes that are no GIF any more
        while length := int.from_bytes(source[at : at + 1], "big"):
            at += 1 + length
        if at >= source.size:
            return False
        at += 1
    raise NotUnderstood("more frames than a GIF has")


def _table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def read_riff(source: Source, form: Header) -> None:
    """WebP or AVI."""
    is_webp = source.head[8:12] == b"WEBP"
    if len(source.head) < 16:  # noqa: PLR2004 - RIFF, and one chunk
        form.cut = "the file ends before the picture begins"
        return
    size = struct.unpack("<I", source.head[4:8])[0]
    if size != _UNKNOWN_SIZE and size + 8 > source.size + 1:
        form.cut = f"it should have {size + 8} bytes, the file has {source.size}"
    at = 12
    for _ in range(_MAX_CHUNKS):
        header = source[at : at + 12]
        if len(header) < 8:  # noqa: PLR2004 - type and length
            break
        kind, length = struct.unpack("<4sI", header[:8])
        if kind == b"LIST" and header[8:] in {b"hdrl", b"INFO", b"ncdt"}:
            at += 12  # step inside
            continue
        if not is_webp and kind == b"LIST" and header[8:] == b"movi":
            break
        (_webp_chunk if is_webp else _avi_chunk)(source, kind, at + 8, length, form)
        at += 8 + length + (length & 1)


def _webp_chunk(source: Source, kind: bytes, start: int, length: int, form: Header) -> None:
    head = source[start : start + 10]
    if kind == b"VP8X" and len(head) == 10:  # noqa: PLR2004 - the whole chunk
        form.width = int.from_bytes(head[4:7], "little") + 1
        form.height = int.from_bytes(head[7:10], "little") + 1
    elif kind == b"VP8 " and not form.width and (found := _VP8.match(head)):
        form.width, form.height = (int.from_bytes(n, "little") & 0x3FFF for n in found.groups())
    elif kind == b"VP8L" and not form.width:
        bits = int.from_bytes(head[1:5], "little")
        form.width, form.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"EXIF" and length <= _MAX_BLOCK:
        read_exif(source[start : start + length].removeprefix(b"Exif\0\0"), form)
    elif kind == b"XMP " and length <= _MAX_BLOCK:
        read_xmp(source[start : start + length], form)


def _avi_chunk(source: Source, kind: bytes, start: int, length: int, form: Header) -> None:
    if kind == b"avih" and length >= 40:  # noqa: PLR2004 - up to the height
        said = struct.unpack("<10I", source[start : start + 40].ljust(40, b"\0"))
        form.duration_s = round(said[0] * said[4] / 1e6, 6)
        form.width, form.height = said[8], said[9]
    elif kind in {b"IDIT", b"ICRD"} and length < 64:  # noqa: PLR2004 - a date
        text = source[start : start + length].decode("latin-1").strip("\0\r\n ")
        form.claims.append(Claim("riff:DateTimeOriginal", _plain(text)))


def _plain(text: str) -> str:
    """As C's asctime writes it, or as EXIF does."""
    try:
        moment = datetime.strptime(text.title(), "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007 - a wall clock
    except ValueError:
        return text
    return moment.isoformat(" ")
