"""HEIC and AVIF: the largest picture, EXIF by its item, and whether every item lies inside the file."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from mediad.adapters.bmff import Box, NotUnderstood, View, boxes, child, number, read
from mediad.adapters.headers_base import MAX_READ, Header, Source
from mediad.adapters.headers_quicktime import MAY_LIE, read_index, top
from mediad.adapters.headers_tiff import read_exif
from mediad.adapters.headers_xmp import read_xmp

_MAX_BLOCK = 1 << 20
_MAX_ITEMS = 70_000
_MAX_EXTENTS = 200_000


class Extent(NamedTuple):
    item: int
    method: int  # 0: in the file, 1: in idat
    start: int
    length: int


def read_heif(source: Source, form: Header) -> None:
    found = {b.type: b for b in top(source)}
    past = next((b for t, b in found.items() if b.end > source.size and t not in MAY_LIE), None)
    if past is not None:
        form.cut = f"the {past.type.decode('latin-1')} box goes on to byte {past.end}, the file ends at {source.size}"
        return
    if (meta := found.get(b"meta")) is not None:
        _meta(source, meta, form)
    if (movie := found.get(b"moov")) is not None:
        read_index(source, movie, form, is_utc=True)
    if meta is None and movie is None:
        form.cut = "the description of the picture (meta) is missing"


def _meta(source: Source, meta: Box, form: Header) -> None:
    if meta.end - meta.start > MAX_READ:
        raise NotUnderstood("a description of more than 32 MiB")
    view = source[meta.start : meta.end]
    whole = Box(b"meta", 0, meta.body - meta.start, len(view))
    parts = {b.type: b for b in boxes(view, whole.body + 4, whole.end)}
    try:
        _largest(view, parts, form)
        extents = list(_extents(view, parts[b"iloc"])) if b"iloc" in parts else []
        _blocks(source, view, parts, extents, form)
    except (NotUnderstood, struct.error):
        form.is_partial = True
        return
    reach = max((e.start + e.length for e in extents if e.method == 0), default=0)
    if reach > source.size:
        form.cut = f"the picture goes on to byte {reach}, the file ends at {source.size}"


def _largest(view: View, parts: dict[bytes, Box], form: Header) -> None:
    properties = child(view, parts[b"iprp"], b"ipco") if b"iprp" in parts else None
    if properties is None:
        return
    for box in boxes(view, properties.body, properties.end):
        if box.type == b"ispe":
            width, height = struct.unpack(">II", read(view, box.body + 4, 8))
            if width * height > form.width * form.height:
                form.width, form.height = width, height


def _extents(view: View, iloc: Box) -> Iterator[Extent]:
    version, sizes = number(view, iloc.body, 1), number(view, iloc.body + 4, 2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    wide = 4 if version > 1 else 2
    at, left = iloc.body + 6 + wide, _MAX_EXTENTS
    for _ in range(min(number(view, iloc.body + 6, wide), _MAX_ITEMS)):
        item = number(view, at, wide)
        at += wide
        method = 0
        if version:
            method, at = number(view, at, 2) & 15, at + 2
        in_file = number(view, at, 2) == 0  # data reference: this file
        base, count = number(view, at + 2, base_size), number(view, at + 2 + base_size, 2)
        at += 4 + base_size
        left -= count
        if left < 0:
            raise NotUnderstood("more pieces than a picture has")
        for _ in range(count):
            at += index_size
            start = base + number(view, at, offset_size)
            length = number(view, at + offset_size, length_size)
            at += offset_size + length_size
            yield Extent(item, method if in_file else 15, start, length)


def _items(view: View, parts: dict[bytes, Box]) -> dict[int, bytes]:
    """Item number to type."""
    listing = parts.get(b"iinf")
    if listing is None:
        return {}
    wide = 4 if number(view, listing.body, 1) else 2
    found: dict[int, bytes] = {}
    for box in boxes(view, listing.body + 4 + wide, listing.end):
        version = number(view, box.body, 1)
        if box.type == b"infe" and version >= 2:  # noqa: PLR2004 - earlier ones have no type
            size = 4 if version > 2 else 2  # noqa: PLR2004 - and later ones long numbers
            item = number(view, box.body + 4, size)
            found[item] = read(view, box.body + 6 + size, 4)
    return found


def _blocks(
    source: Source, view: View, parts: dict[bytes, Box], extents: list[Extent], form: Header
) -> None:
    """EXIF and XMP."""
    types = _items(view, parts)
    for extent in extents:
        kind = types.get(extent.item)
        if kind not in {b"Exif", b"mime"} or extent.length > _MAX_BLOCK:
            continue
        block = _block(source, view, parts, extent)
        if kind == b"mime":
            read_xmp(block, form)
        elif len(block) > 4:  # noqa: PLR2004 - the offset of the TIFF header
            read_exif(block[4 + struct.unpack(">I", block[:4])[0] :], form)


def _block(source: Source, view: View, parts: dict[bytes, Box], extent: Extent) -> bytes:
    if extent.method == 0:
        return source[extent.start : extent.start + extent.length]
    if extent.method == 1 and b"idat" in parts:
        start = parts[b"idat"].body + extent.start
        return bytes(view[start : start + extent.length])
    return b""
