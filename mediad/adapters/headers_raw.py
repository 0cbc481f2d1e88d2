"""Fujifilm RAF: a JPEG with the EXIF, and the sensor's data behind it."""

import struct

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.headers_base import Header, Source
from mediad.adapters.headers_jpeg import read_jpeg
from mediad.model import Media

_SIZES = (0x0111, 0x0100)  # cropped as it is shown; the whole sensor
_MAX_RECORDS = 500


def read_raf(source: Source, form: Header) -> None:
    if len(source.head) < 108:  # noqa: PLR2004 - the table of parts
        form.cut = "the file ends before the picture begins"
        return
    picture, _, table, _, sensor, length = struct.unpack(">6I", source.head[84:108])
    try:
        inside = Header(Media.JPEG)
        read_jpeg(source, inside, picture)
        form.claims, form.content_id = inside.claims, inside.content_id
        form.width, form.height = _size(source, table) or (inside.width, inside.height)
    except NotUnderstood:
        form.is_partial = True
    if sensor + length > source.size:
        form.cut = f"picture data goes on to byte {sensor + length}, the file ends at {source.size}"


def _size(source: Source, table: int) -> tuple[int, int] | None:
    count = int.from_bytes(source[table : table + 4], "big")
    found: dict[int, tuple[int, int]] = {}
    at = table + 4
    for _ in range(min(count, _MAX_RECORDS)):
        record = source[at : at + 8]
        if len(record) < 8:  # noqa: PLR2004 - tag, length and two shorts
            break
        tag, length, height, width = struct.unpack(">4H", record)
        found[tag] = width, height
        at += 4 + length
    return next((found[tag] for tag in _SIZES if tag in found), None)
