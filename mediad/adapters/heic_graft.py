"""
A HEIC with its primary picture coded anew and everything else as it was.

An iPhone's picture is a grid of HEVC tiles. Only those tiles and their decoder configuration are replaced; EXIF, XMP,
colour, gain map, depth, thumbnail, edits and motion video stay byte for byte. The places of items in the file are put
right.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mediad.adapters.bmff import Box, NotUnderstood, boxes, number, read
from mediad.adapters.heic_still import CONFIGURATION_BYTES, Cursor, Field, Still
from mediad.adapters.motion_xmp import states_length

_VPS, _SPS, _PPS = 32, 33, 34
_PARAMETERS: Final = (_VPS, _SPS, _PPS)
_IDR: Final = frozenset({19, 20})
_SEI: Final = frozenset({35, 39, 40})  # delimiter and messages: nothing that the picture needs
_START: Final = b"\0\0\1"
_MIME: Final = b"mime"
_PROFILES: Final = frozenset({1, 3})  # Main and Main Still Picture: what the brand 'heic' promises


def coded_tiles(still: Still) -> bytes:
    """The tiles as one HEVC stream, every tile a picture that stands alone."""
    box = still.properties[still.configuration - 1]
    header = b"".join(b"\0" + _START + nal for nal in _parameters(still.data, box))
    width = (number(still.data, box.body + 21, 1) & 3) + 1
    stream = []
    for tile in still.tiles:
        stream.append(header)
        stream.extend(b"\0" + _START + nal for nal in _lengthed(item(still, tile), width))
    return b"".join(stream)


def item(still: Still, number_: int) -> bytes:
    """The bytes of one item that lies in the file."""
    found = still.locations[number_]
    return b"".join(still.data[e.start : e.end] for e in found.extents)


def graft(still: Still, stream: bytes) -> bytes:
    """The file with the tiles of `stream`, which must hold one picture a tile in the same order."""
    configuration, pictures = _split(stream)
    if any(states_length(packet) for packet in _packets(still)):
        raise NotUnderstood("its XMP states the length of the picture")
    if len(pictures) != len(still.tiles):
        raise NotUnderstood(f"{len(still.tiles)} tiles became {len(pictures)}")
    own = number(still.data, still.properties[still.configuration - 1].body + 1, 1)
    if configuration[1] & 0x1F not in _PROFILES | {own & 0x1F}:
        raise NotUnderstood("the encoder used what not every reader of HEICs can decode")
    edits = [
        (still.locations[t].extents[0].start, still.locations[t].extents[0].end, p)
        for t, p in zip(still.tiles, pictures, strict=True)
    ]
    # Positions depend on the length of meta only, which does not depend on the positions.
    length = len(_meta(still, configuration, {}))
    edits.append((still.meta.start, still.meta.end, bytes(length)))
    edits.sort()
    edits.extend(_grown_boxes(still, edits))
    edits.sort()
    places = _moved(still, edits)
    meta = _meta(still, configuration, places)
    final = [(s, e, meta if s == still.meta.start else p) for s, e, p in edits]
    return _edited(still.data, final)


def kept(still: Still) -> dict[str, object]:
    """All that a graft never changes, in a form that can be compared."""
    own = {still.parts[b"iloc"], still.parts[b"iprp"]}
    items = {
        f"item {n}": item(still, n)
        for n, place in still.locations.items()
        if place.is_in_file and n not in still.tiles
    }
    return {
        "tops": [b.type for b in still.tops],
        "boxes": [
            still.data[b.start : b.end] for b in still.tops if b.type not in {b"meta", b"mdat"}
        ],
        "meta": [still.data[b.start : b.end] for b in still.parts.values() if b not in own],
        "uses": still.uses,
        "properties": [
            still.data[p.start : p.end]
            for n, p in enumerate(still.properties, 1)
            if n != still.configuration
        ],
        **items,
    }


def _packets(still: Still) -> Iterator[bytes]:
    """All that may be XMP."""
    for n, place in still.locations.items():
        if still.kinds[n] == _MIME and place.is_in_file:
            yield item(still, n)
    inside = still.parts.get(b"idat")
    if inside is not None:
        yield still.data[inside.body : inside.end]


def _parameters(data: bytes, box: Box) -> Iterator[bytes]:
    """The NAL units of a decoder configuration."""
    cursor = Cursor(data, box, skip=CONFIGURATION_BYTES - 1)
    for _ in range(cursor.next(1)):
        cursor.next(1)
        for _ in range(cursor.next(2)):
            size = cursor.next(2)
            if cursor.at + size > box.end:
                raise NotUnderstood("its decoder configuration is cut off")
            yield read(data, cursor.at, size)
            cursor.at += size


def _lengthed(sample: bytes, width: int) -> Iterator[bytes]:
    at = 0
    while at < len(sample):
        size = number(sample, at, width)
        if not size:
            raise NotUnderstood("an empty unit in a tile")
        yield read(sample, at + width, size)
        at += width + size


def _split(stream: bytes) -> tuple[bytes, list[bytes]]:
    """An encoder's stream as a decoder configuration and the pictures, each a list of lengthed units."""
    headers: dict[int, bytes] = {}
    pictures: list[list[bytes]] = []
    for unit in stream.split(_START)[1:]:
        nal = unit.rstrip(b"\0")
        kind = number(nal, 0, 1) >> 1 & 63
        if kind in _PARAMETERS:
            if headers.setdefault(kind, nal) != nal:
                raise NotUnderstood("the encoder coded the tiles differently")
        elif kind in _IDR:
            if number(nal, 2, 1) & 0x80 or not pictures:  # the first slice of a picture
                pictures.append([])
            pictures[-1].append(len(nal).to_bytes(4, "big") + nal)
        elif kind not in _SEI:
            raise NotUnderstood(f"the encoder wrote a unit of kind {kind}")
    if set(headers) != set(_PARAMETERS):
        raise NotUnderstood("the encoder wrote no parameters")
    return _configuration(headers), [b"".join(p) for p in pictures]


def _configuration(headers: Mapping[int, bytes]) -> bytes:
    """The HEVCDecoderConfigurationRecord of 8-bit 4:2:0 pictures, units with lengths of four bytes."""
    sps = headers[_SPS].replace(b"\0\0\3", b"\0\0")  # without emulation prevention
    profile = sps[3:15]  # profile, compatibility, constraints, level
    record = b"\1" + profile + b"\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f" + bytes([len(_PARAMETERS)])
    for kind in _PARAMETERS:
        nal = headers[kind]
        record += bytes([0x80 | kind, 0, 1]) + len(nal).to_bytes(2, "big") + nal
    return record


def _grown_boxes(
    still: Still, edits: Sequence[tuple[int, int, bytes]]
) -> Iterator[tuple[int, int, bytes]]:
    """New headers for the media boxes whose tiles change size."""
    placed = 0
    for box in still.tops:
        inside = [(s, e, p) for s, e, p in edits if box.body <= s and e <= box.end]
        if box.type != b"mdat" or not inside:
            continue
        placed += len(inside)
        size = box.end - box.start + sum(len(p) - (e - s) for s, e, p in inside)
        stated = number(still.data, box.start, 4)
        if stated > 1:
            if size >> 32:
                raise NotUnderstood("it would be too large")
            yield box.start, box.start + 4, size.to_bytes(4, "big")
        elif stated == 1:
            yield box.start + 8, box.start + 16, size.to_bytes(8, "big")
    if placed != len(still.tiles):
        raise NotUnderstood("its tiles are not in a media box")


def _moved(still: Still, edits: Sequence[tuple[int, int, bytes]]) -> dict[Field, int]:
    """What every field of iloc must say after the edits."""
    sizes = {s: len(p) for s, _, p in edits}
    tiles = {still.locations[t].extents[0] for t in still.tiles}
    places: dict[Field, int] = {}
    for place in still.locations.values():
        if not place.is_in_file:
            continue
        places[place.base] = 0
        for extent in place.extents:
            shift = sum(len(p) - (e - s) for s, e, p in edits if e <= extent.start)
            if extent not in tiles and any(
                s < extent.end and extent.start < e for s, e, _ in edits
            ):
                raise NotUnderstood("an item lies across what must change")
            places[extent.offset] = extent.start + shift
            if extent in tiles:
                places[extent.length] = sizes[extent.start]
    if any(value >> 8 * f.size for f, value in places.items()):
        raise NotUnderstood("it would be too large")
    return places


def _meta(still: Still, configuration: bytes, places: Mapping[Field, int]) -> bytes:
    body = [read(still.data, still.meta.body, 4)]
    for kind, box in still.parts.items():
        whole = bytearray(still.data[box.start : box.end])
        if kind == b"iprp":
            whole = bytearray(_iprp(still, box, configuration))
        for field, value in places.items() if kind == b"iloc" else ():
            at = field.at - box.start
            whole[at : at + field.size] = value.to_bytes(field.size, "big") if field.size else b""
        body.append(bytes(whole))
    return _box(b"meta", b"".join(body))


def _iprp(still: Still, iprp: Box, configuration: bytes) -> bytes:
    ipma = still.data[list(boxes(still.data, iprp.body, iprp.end))[1].start : iprp.end]
    properties = [
        _box(b"hvcC", configuration) if n == still.configuration else still.data[p.start : p.end]
        for n, p in enumerate(still.properties, 1)
    ]
    return _box(b"iprp", _box(b"ipco", b"".join(properties)) + ipma)


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def _edited(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    pieces, at = [], 0
    for start, end, new in edits:
        pieces += [data[at:start], new]
        at = end
    return b"".join([*pieces, data[at:]])
