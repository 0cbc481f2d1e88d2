"""
What a HEIC is made of, as far as one must know it to change the tiles of its primary picture.

Reads nothing but the description; believes no number that it has not checked. NotUnderstood for everything that is
damaged, unusual or unknown: such a file is better left as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mediad.adapters.bmff import Box, NotUnderstood, boxes, number, read

MAX_ITEMS: Final = 4_000  # a picture of 200 megapixels has about 1,600

_TOPS: Final = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip", b"wide", b"mpvd", b"sefd"})
_META: Final = frozenset(
    {b"hdlr", b"pitm", b"iinf", b"iref", b"iprp", b"iloc", b"idat", b"dinf", b"grpl", b"free"}
)
_TILE_PROPERTIES: Final = frozenset(
    {b"hvcC", b"ispe", b"colr", b"pixi", b"irot", b"imir", b"pasp", b"clap", b"clli", b"mdcv"}
)
_PICTURES: Final = frozenset({b"hvc1", b"grid", b"iovl", b"iden", b"av01", b"jpeg", b"hvc2"})
_ASIDE: Final = frozenset({b"thmb", b"auxl"})  # a picture that is there for another one
CONFIGURATION_BYTES: Final = 23  # of a decoder configuration before its list of units


class Field(NamedTuple):
    at: int
    size: int
    value: int


class Extent(NamedTuple):
    offset: Field
    length: Field
    start: int  # in the file

    @property
    def end(self) -> int:
        return self.start + self.length.value


class Location(NamedTuple):
    base: Field
    extents: tuple[Extent, ...]
    is_in_file: bool  # else in `idat`, which moves as a whole


@dataclass(frozen=True, slots=True)
class Still:
    """A HEIC taken apart, as far as is needed to change the tiles of its primary picture."""

    data: bytes
    tops: tuple[Box, ...]
    meta: Box
    parts: Mapping[bytes, Box]  # of meta
    kinds: Mapping[int, bytes]  # of items
    references: tuple[tuple[bytes, int, tuple[int, ...]], ...]
    locations: Mapping[int, Location]
    properties: tuple[Box, ...]
    uses: Mapping[int, tuple[int, ...]]  # item → its properties, counted from 1
    primary: int  # the item that is shown
    tiles: tuple[int, ...]
    configuration: int  # the property that all tiles share


class Cursor:
    """Numbers one behind the other within a box."""

    def __init__(self, data: bytes, box: Box, skip: int = 0) -> None:
        self._data, self._end, self.at = data, box.end, box.body + skip

    def field(self, size: int) -> Field:
        at = self.at
        if at + size > self._end:
            raise NotUnderstood(f"a table ends early at {at}")
        self.at += size
        return Field(at, size, number(self._data, at, size) if size else 0)

    def next(self, size: int) -> int:
        return self.field(size).value


def parse(data: bytes) -> Still:
    """Take it apart. NotUnderstood unless it is one 8-bit 4:2:0 picture made of HEVC tiles, whole and plain."""
    tops = tuple(boxes(data, 0, len(data)))
    metas = [b for b in tops if b.type == b"meta"]
    if len(metas) != 1 or any(b.type not in _TOPS for b in tops) or tops[0].type != b"ftyp":
        raise NotUnderstood("not a plain HEIC picture")
    parts = _parts(data, metas[0])
    properties, uses = _properties(data, parts[b"iprp"])
    kinds, hidden = _items(data, parts[b"iinf"])
    references = tuple(_references(data, parts.get(b"iref")))
    pitm = parts[b"pitm"]
    primary = number(data, pitm.body + 4, 2 if number(data, pitm.body, 1) == 0 else 4)
    tiles = _tiles(primary, kinds, references)
    _check_single(kinds, hidden, references)
    _check_groups(data, parts.get(b"grpl"))
    locations = _locations(data, parts[b"iloc"])
    if set(locations) - set(kinds):
        raise NotUnderstood("it places items that it does not describe")
    _check_places(data, locations, tiles)
    shared = _shared_configuration(properties, uses, tiles)
    _check_configuration(data, properties[shared - 1])
    return Still(
        data, tops, metas[0], parts, kinds, references, locations, properties, uses, primary, tiles, shared,
    )  # fmt: skip


def _parts(data: bytes, meta: Box) -> dict[bytes, Box]:
    found = list(boxes(data, meta.body + 4, meta.end))
    parts = {b.type: b for b in found}
    needed = {b"pitm", b"iinf", b"iprp", b"iloc"}
    if len(parts) != len(found) or not needed <= set(parts) or set(parts) - _META:
        raise NotUnderstood("its description has unknown parts")
    return parts


def _items(data: bytes, iinf: Box) -> tuple[dict[int, bytes], set[int]]:
    """Kind by item, and which items are hidden."""
    kinds: dict[int, bytes] = {}
    hidden: set[int] = set()
    for box in boxes(data, iinf.body + (6 if number(data, iinf.body, 1) == 0 else 8), iinf.end):
        version, flags = number(data, box.body, 1), number(data, box.body, 4)
        if box.type != b"infe" or version not in {2, 3}:
            raise NotUnderstood("its items are described in an unknown way")
        cursor = Cursor(data, box, skip=4)
        number_ = cursor.next(2 if version == 2 else 4)  # noqa: PLR2004 - the version says so
        cursor.next(2)
        kinds[number_] = cursor.next(4).to_bytes(4, "big")
        if flags & 1:
            hidden.add(number_)
    if len(kinds) > MAX_ITEMS:
        raise NotUnderstood(f"{len(kinds)} items")
    return kinds, hidden


def _references(data: bytes, iref: Box | None) -> Iterator[tuple[bytes, int, tuple[int, ...]]]:
    if iref is None:
        return
    width = 2 if number(data, iref.body, 1) == 0 else 4
    for box in boxes(data, iref.body + 4, iref.end):
        cursor = Cursor(data, box)
        source = cursor.next(width)
        count = cursor.next(2)
        yield box.type, source, tuple(cursor.next(width) for _ in range(count))


def _tiles(
    primary: int,
    kinds: Mapping[int, bytes],
    references: Sequence[tuple[bytes, int, tuple[int, ...]]],
) -> tuple[int, ...]:
    if kinds.get(primary) == b"hvc1":
        return (primary,)
    parts = [to for kind, source, to in references if kind == b"dimg" and source == primary]
    tiles = parts[0] if len(parts) == 1 else ()
    if kinds.get(primary) != b"grid" or not tiles or len(set(tiles)) != len(tiles):
        raise NotUnderstood("its picture is not a grid of tiles")
    if any(kinds.get(t) != b"hvc1" for t in tiles):
        raise NotUnderstood("its tiles are not HEVC")
    return tiles


def _check_single(
    kinds: Mapping[int, bytes],
    hidden: set[int],
    references: Sequence[tuple[bytes, int, tuple[int, ...]]],
) -> None:
    parts = {n for kind, _, to in references if kind == b"dimg" for n in to}
    aside = {source for kind, source, _ in references if kind in _ASIDE}
    shown = {n for n, k in kinds.items() if k in _PICTURES} - hidden - aside
    # The primary may itself be a part of a derived picture (tmap: the HDR of SDR and gain map).
    pictures = {n for n in shown if n not in parts or kinds[n] == b"grid"}
    if len(pictures) > 1:
        raise NotUnderstood(f"{len(pictures)} pictures in one file")


def _check_groups(data: bytes, grpl: Box | None) -> None:
    groups = list(boxes(data, grpl.body, grpl.end)) if grpl else []
    if any(g.type != b"altr" for g in groups):
        raise NotUnderstood("its pictures belong together (a stereo pair or a burst)")


def _locations(data: bytes, iloc: Box) -> dict[int, Location]:
    cursor = Cursor(data, iloc)
    version = cursor.next(4) >> 24
    sizes = cursor.next(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    if version > 2 or not offset or not length or {offset, length, base} - {0, 4, 8}:  # noqa: PLR2004 - as the standard has them
        raise NotUnderstood("its items are placed in an unknown way")
    wide = 2 if version < 2 else 4  # noqa: PLR2004 - likewise
    found: dict[int, Location] = {}
    for _ in range(cursor.next(wide)):
        number_ = cursor.next(wide)
        method = cursor.next(2) & 15 if version else 0
        if cursor.next(2) or method not in {0, 1} or number_ in found:
            raise NotUnderstood("an item is not in the file itself")
        start = cursor.field(base)
        extents = []
        for _ in range(cursor.next(2)):
            cursor.next(index if version else 0)
            at, size = cursor.field(offset), cursor.field(length)
            extents.append(Extent(at, size, start.value + at.value))
        found[number_] = Location(start, tuple(extents), method == 0)
    return found


def _check_places(data: bytes, locations: Mapping[int, Location], tiles: Sequence[int]) -> None:
    """Every item lies whole in the file; a tile is one piece that no other item has a part in."""
    spans = sorted(
        (e.start, e.end, n)
        for n, place in locations.items()
        if place.is_in_file
        for e in place.extents
    )
    if len(spans) > MAX_ITEMS or any(s == e or e > len(data) for s, e, _ in spans):
        raise NotUnderstood("an item is not all there")
    for tile in tiles:
        place = locations.get(tile)
        if place is None or not place.is_in_file or len(place.extents) != 1:
            raise NotUnderstood("a tile is in several pieces")
    reached, before = 0, -1
    for start, end, number_ in spans:
        if start < reached and (number_ in tiles or before in tiles):
            raise NotUnderstood("a tile shares its bytes")
        if end > reached:
            reached, before = end, number_


def _properties(data: bytes, iprp: Box) -> tuple[tuple[Box, ...], dict[int, tuple[int, ...]]]:
    parts = list(boxes(data, iprp.body, iprp.end))
    if [b.type for b in parts] != [b"ipco", b"ipma"]:
        raise NotUnderstood("its properties are in an unknown order")
    properties = tuple(boxes(data, parts[0].body, parts[0].end))
    cursor = Cursor(data, parts[1])
    flags = cursor.next(4)
    uses: dict[int, tuple[int, ...]] = {}
    for _ in range(cursor.next(4)):
        number_ = cursor.next(2 if flags >> 24 == 0 else 4)
        count = cursor.next(1)
        own = [
            cursor.next(2) & 0x7FFF if flags & 1 else cursor.next(1) & 0x7F for _ in range(count)
        ]
        if number_ in uses or any(not 1 <= n <= len(properties) for n in own):
            raise NotUnderstood("its properties do not add up")
        uses[number_] = tuple(own)
    return properties, uses


def _shared_configuration(
    properties: Sequence[Box], uses: Mapping[int, tuple[int, ...]], tiles: Sequence[int]
) -> int:
    used = [[n for n in uses.get(t, ()) if properties[n - 1].type == b"hvcC"] for t in tiles]
    if any(len(u) != 1 or u != used[0] for u in used):
        raise NotUnderstood("its tiles are not coded alike")
    shared = used[0][0]
    if any(shared in own for n, own in uses.items() if n not in tiles):
        raise NotUnderstood("another picture is coded like its tiles")
    if any(properties[n - 1].type not in _TILE_PROPERTIES for t in tiles for n in uses[t]):
        raise NotUnderstood("its tiles have unknown properties")
    return shared


def _check_configuration(data: bytes, box: Box) -> None:
    record = read(data, box.body, CONFIGURATION_BYTES)
    chroma, luma_depth, chroma_depth = record[16] & 3, record[17] & 7, record[18] & 7
    if (chroma, luma_depth, chroma_depth) != (1, 0, 0):
        raise NotUnderstood("its colours have more than 8 bits, or are not 4:2:0")
