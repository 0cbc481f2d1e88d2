"""
A HEIC still as the head of a motion photo: the same file, with an XMP item that tells of the film behind it.

Coded pictures, EXIF, gain map, depth and every other item stay byte for byte. The packet goes into a media box of its
own at the end; the description of the file gets one item more, or finds the packet it had in its new place, and the
places of all others are put right. Behind it all comes a box `mpvd`, which is the film.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from mediad.adapters.bmff import Box, NotUnderstood, boxes, number, read
from mediad.adapters.heic_graft import item
from mediad.adapters.heic_still import MAX_ITEMS, Cursor, Field, Still, parse
from mediad.adapters.motion_film import Film
from mediad.adapters.motion_xmp import Told, packet, told_in

MIME: Final = "image/heic"
_XMP_TYPE: Final = b"application/rdf+xml"
_ABOUT: Final = b"cdsc"
_FILM: Final = b"mpvd"
_BEHIND: Final = frozenset({_FILM, b"sefd"})  # what is there already when it is a motion photo
_MOST: Final = 0xFFFF  # the largest number of an item that every table here has room for
_HEADER: Final = 8
_LONG_HEADER: Final = 16
_NEW_ENTRY_VERSION: Final = 2


class Change(NamedTuple):
    """What `meta` is to say."""

    packet: int  # the item
    is_new: bool
    places: Mapping[Field, int]
    at: int  # where the packet is, and how long
    size: int


def head_of(data: bytes, film: Film) -> bytes:
    """What stands before the film, the header of its box too."""
    still = parse(data)
    if any(box.type in _BEHIND for box in still.tops):
        raise NotUnderstood("there is something behind the picture already")
    header = _film_header(film.size)
    told = Told(MIME, film.mime, film.size, len(header), film.still_at_us)
    own = _packet_item(still)
    if own is not None:
        place = still.locations.get(own)
        if place is None or not place.is_in_file or len(place.extents) != 1:
            raise NotUnderstood("its XMP is not in one piece")
    made = _with_packet(still, own, packet(told, None if own is None else item(still, own)))
    _check_same(still, own, made)
    return made + header


def told_of(head: bytes) -> Told:
    """What a motion photo says of its film. `head`: all that stands before the film."""
    header = next((n for n in (_HEADER, _LONG_HEADER) if head[4 - n :].startswith(_FILM)), 0)
    still = parse(head[: len(head) - header])
    own = _packet_item(still)
    if own is None or not header:
        raise NotUnderstood("not a motion photo")
    return told_in(item(still, own))


def _film_header(size: int) -> bytes:
    if size + _HEADER < 1 << 32:
        return (size + _HEADER).to_bytes(4, "big") + _FILM
    return (1).to_bytes(4, "big") + _FILM + (size + _LONG_HEADER).to_bytes(8, "big")


def _packet_item(still: Still) -> int | None:
    """The XMP of the picture that is shown: a gain map may have XMP too, and that is another's."""
    about = {n for kind, n, to in still.references if kind == _ABOUT and still.primary in to}
    found = [n for n in sorted(about) if still.kinds.get(n) == b"mime" and _is_xmp(still, n)]
    if len(found) > 1:
        raise NotUnderstood("several XMP packets")
    return found[0] if found else None


def _is_xmp(still: Still, wanted: int) -> bool:
    iinf = still.parts[b"iinf"]
    for box in boxes(still.data, iinf.body + _count_bytes(still, iinf) + 4, iinf.end):
        wide = 4 if number(still.data, box.body, 1) > _NEW_ENTRY_VERSION else 2
        if number(still.data, box.body + 4, wide) == wanted:
            words = read(still.data, box.body + 10 + wide, box.end - box.body - 10 - wide)
            _, kind, encoding, *_ = [*words.split(b"\0"), b"", b""]
            if kind == _XMP_TYPE and encoding:
                raise NotUnderstood("its XMP is packed")
            return kind == _XMP_TYPE
    return False


def _count_bytes(still: Still, iinf: Box) -> int:
    return 2 if number(still.data, iinf.body, 1) == 0 else 4


def _with_packet(still: Still, own: int | None, words: bytes) -> bytes:
    """The length of `meta` decides about the places, and does not depend on them."""
    number_ = own if own is not None else max(still.kinds) + 1
    if number_ > _MOST or len(still.kinds) >= MAX_ITEMS:
        raise NotUnderstood("it has no room for one item more")
    blank = Change(number_, own is None, {}, 0, len(words))
    grown = len(_meta(still, blank)) - (still.meta.end - still.meta.start)
    at = len(still.data) + grown + _HEADER
    change = blank._replace(at=at, places=_places(still, grown, own, at, len(words)))
    meta = _meta(still, change)
    before, behind = still.data[: still.meta.start], still.data[still.meta.end :]
    return before + meta + behind + _box(b"mdat", words)


def _places(still: Still, grown: int, own: int | None, at: int, size: int) -> dict[Field, int]:
    """What the fields of iloc that are there already must say."""
    places: dict[Field, int] = {}
    for number_, place in still.locations.items():
        if not place.is_in_file:
            continue
        places[place.base] = 0
        for extent in place.extents:
            if still.meta.start < extent.end and extent.start < still.meta.end:
                raise NotUnderstood("an item lies within the description of the file")
            is_behind = extent.start >= still.meta.end
            places[extent.offset] = extent.start + (grown if is_behind else 0)
            if number_ == own:
                places[extent.offset], places[extent.length] = at, size
    if any(value >> 8 * f.size for f, value in places.items()):
        raise NotUnderstood("it would be too large")
    return places


def _meta(still: Still, change: Change) -> bytes:
    parts = []
    for kind, box in still.parts.items():
        whole = bytearray(still.data[box.start : box.end])
        for field, value in change.places.items() if kind == b"iloc" else ():
            at = field.at - box.start
            whole[at : at + field.size] = value.to_bytes(field.size, "big") if field.size else b""
        body = bytes(whole[box.body - box.start :])
        grow = _GROWN.get(kind) if change.is_new else None
        parts.append(grow(still, body, change) if grow else bytes(whole))
    if change.is_new and b"iref" not in still.parts:
        parts.append(_iref(still, bytes(4), change))
    return _box(b"meta", read(still.data, still.meta.body, 4) + b"".join(parts))


def _iinf(still: Still, body: bytes, change: Change) -> bytes:
    wide = _count_bytes(still, still.parts[b"iinf"])
    count = int.from_bytes(body[4 : 4 + wide], "big") + 1
    named = (
        b"\2\0\0\0" + change.packet.to_bytes(2, "big") + bytes(2) + b"mime\0" + _XMP_TYPE + b"\0"
    )
    grown = body[:4] + count.to_bytes(wide, "big") + body[4 + wide :]
    return _box(b"iinf", grown + _box(b"infe", named))


def _iref(still: Still, body: bytes, change: Change) -> bytes:
    wide = 2 if body[0] == 0 else 4
    numbers = change.packet.to_bytes(wide, "big") + b"\0\1" + _fitting(still.primary, wide)
    return _box(b"iref", body + _box(_ABOUT, numbers))


def _iloc(still: Still, body: bytes, change: Change) -> bytes:
    box = still.parts[b"iloc"]
    cursor = Cursor(still.data, box)
    version, sizes = cursor.next(4) >> 24, cursor.next(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 2 if version < 2 else 4  # noqa: PLR2004 - as the standard has them
    count = cursor.next(wide) + 1
    entry = change.packet.to_bytes(wide, "big") + bytes(2 if version else 0) + bytes(2 + base)
    entry += b"\0\1" + bytes(index if version else 0)
    entry += _fitting(change.at, offset) + _fitting(change.size, length)
    grown = body[:6] + count.to_bytes(wide, "big") + body[6 + wide :]
    return _box(b"iloc", grown + entry)


_GROWN: Final = {b"iinf": _iinf, b"iref": _iref, b"iloc": _iloc}


def _fitting(value: int, size: int) -> bytes:
    if value >> 8 * size:
        raise NotUnderstood("it would be too large")
    return value.to_bytes(size, "big")


def _box(kind: bytes, body: bytes) -> bytes:
    return (_HEADER + len(body)).to_bytes(4, "big") + kind + body


def _check_same(still: Still, own: int | None, made: bytes) -> None:
    """Looked at afresh: every item, property and use is what it was, but for the packet."""
    now = parse(made)
    fresh = _packet_item(now)
    before, after = _kept(still), _kept(now)
    for kept, name in ((before, own), (after, fresh)):
        kept.pop(f"item {name}", None)
    if fresh is None or (own is not None and fresh != own) or before != after:
        raise NotUnderstood("it cannot be told of a film without changing more of it")


def _kept(still: Still) -> dict[str, object]:
    items = {f"item {n}": item(still, n) for n, at in still.locations.items() if at.is_in_file}
    same = frozenset({b"pitm", b"iprp", b"idat", b"grpl", b"dinf", b"hdlr"})
    whole = {k.decode(): still.data[b.start : b.end] for k, b in still.parts.items() if k in same}
    tops = [still.data[b.start : b.end] for b in still.tops if b.type not in {b"meta", b"mdat"}]
    return {"tops": tops, "tiles": still.tiles, **whole, **items}
