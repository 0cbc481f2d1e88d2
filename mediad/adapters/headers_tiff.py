"""
TIFF directories: EXIF in a JPEG, HEIC, PNG or WebP, and the RAW files that are TIFF themselves.

A damaged directory is read as far as it makes sense. Offsets are believed only inside the bytes that are there.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from mediad.adapters.bmff import NotUnderstood, View
from mediad.adapters.headers_base import Header, Source
from mediad.model import Claim, Media

_ENTRY = {"<": struct.Struct("<HHI4s"), ">": struct.Struct(">HHI4s")}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4), 13: ("I", 4)}
_MAX_ENTRIES = 1000
_MAX_TEXT = 200
_MAX_NOTE = 64 << 10
_MAX_DIRECTORIES = 32
_MAX_STRIPS = 200_000

_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 0x0100, 0x0101, 0x0103, 0x0106
_MAKE, _MODIFIED, _SUB_IFDS, _EXIF, _GPS, _DNG = 0x010F, 0x0132, 0x014A, 0x8769, 0x8825, 0xC612
_STRIPS = ((0x0111, 0x0117), (0x0144, 0x0145))  # offsets and byte counts: strips, tiles
_ORIGINAL, _DIGITIZED, _MAKER_NOTE, _APPLE_CONTENT_ID = 0x9003, 0x9004, 0x927C, 0x0011
_DATES = (  # tag, offset, sub-seconds
    (_ORIGINAL, 0x9011, 0x9291, "exif:DateTimeOriginal"),
    (_DIGITIZED, 0x9012, 0x9292, "exif:CreateDate"),
    (_MODIFIED, 0x9010, 0x9290, "modified:ModifyDate"),
)
_OF_EXIF = frozenset(names[-1] for names in _DATES)
_GPS_TIME, _GPS_DATE = 0x0007, 0x001D
_EXIF_WIDTH, _EXIF_HEIGHT = 0xA002, 0xA003
_SENSOR = frozenset({32803, 34892})  # photometric: colour filter array, linear raw
_RAW_PACKING = frozenset({32767, 32770, 34713})  # Sony, Samsung, Nikon
_RAW_BY_MAKE = (
    (b"CANON", ".cr2"), (b"NIKON", ".nef"), (b"SONY", ".arw"), (b"PENTAX", ".pef"), (b"RICOH", ".pef"),
    (b"SAMSUNG", ".srw"), (b"PANASONIC", ".rw2"), (b"LEICA", ".rwl"), (b"OLYMPUS", ".orf"),
    (b"HASSELBLAD", ".3fr"), (b"PHASE ONE", ".iiq"), (b"KODAK", ".dcr"), (b"EPSON", ".erf"),
)  # fmt: skip
_MAGIC = {  # other makers' numbers in place of 42
    b"II*\0": "", b"MM\0*": "", b"IIU\0": ".rw2", b"IIRO": ".orf", b"IIRS": ".orf", b"MMOR": ".orf",
}  # fmt: skip

Entries = dict[int, tuple[int, int, bytes]]  # tag: type, count, the four bytes


class Directory:
    """One directory, and the bytes that its offsets point into."""

    __slots__ = ("_end", "entries", "order", "view")

    def __init__(self, view: View, order: str, entries: Entries) -> None:
        self.view = view
        self.order = order  # "<" or ">", as struct has it
        self.entries = entries
        self._end: Literal["little", "big"] = "little" if order == "<" else "big"

    def text(self, tag: int) -> str:
        if tag not in self.entries:
            return ""
        return self.raw(tag, _MAX_TEXT).partition(b"\0")[0].decode("latin-1").strip()

    def raw(self, tag: int, most: int) -> bytes:
        """The value's bytes, at most `most`; b"" when it is not there or points nowhere."""
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        kind, count, four = entry
        size = _SIZES.get(kind, 0) * count
        if size <= 4:  # noqa: PLR2004 - the width of the field itself
            return four[:size]
        start = int.from_bytes(four, self._end)
        if start + size > len(self.view):
            return b""
        return bytes(self.view[start : start + min(size, most)])

    def numbers(self, tag: int, most: int = 16) -> tuple[int, ...]:
        entry = self.entries.get(tag)
        if entry is None or entry[0] not in _NUMBERS:
            return ()
        code, width = _NUMBERS[entry[0]]
        found = self.raw(tag, most * width)
        return struct.unpack(
            f"{self.order}{len(found) // width}{code}", found[: len(found) // width * width]
        )

    def number(self, tag: int) -> int:
        return next(iter(self.numbers(tag, 1)), 0) if tag in self.entries else 0


def directory(view: View, order: str, start: int) -> tuple[Directory, int]:
    """The directory at `start` and where the next one is (0: none). NotUnderstood when it is not there."""
    end: Literal["little", "big"] = "little" if order == "<" else "big"
    two = bytes(view[start : start + 2])
    count = int.from_bytes(two, end)
    if len(two) < 2 or not 0 < count <= _MAX_ENTRIES:  # noqa: PLR2004 - a short
        raise NotUnderstood(f"no directory at {start}")
    size = 12 * count
    block = bytes(view[start + 2 : start + 6 + size])
    whole = block[: min(size, len(block) // 12 * 12)]
    entries = {tag: (kind, n, four) for tag, kind, n, four in _ENTRY[order].iter_unpack(whole)}
    following = int.from_bytes(block[size:], end) if len(block) == size + 4 else 0
    return Directory(view, order, entries), following


def opening(view: View) -> tuple[str, int]:
    """Byte order and the offset of the first directory."""
    first = bytes(view[0:8])
    if first[:4] not in _MAGIC or len(first) < 8:  # noqa: PLR2004 - the TIFF header
        raise NotUnderstood("not a TIFF header")
    order = "<" if first[:2] == b"II" else ">"
    return order, struct.unpack(order + "I", first[4:8])[0]


def read_exif(view: View, form: Header) -> None:
    """Dates and Apple's content id from an EXIF block. Damage sets `is_partial`, no more."""
    try:
        order, start = opening(view)
        first, _ = directory(view, order, start)
        read_first(first, form)
    except NotUnderstood:
        form.is_partial = True


def read_first(first: Directory, form: Header) -> None:
    """What the first directory and the ones that hang on it say about the shot."""
    exif = _pointed(first, _EXIF, form) or first  # some RAW files keep it all in one
    gps = _pointed(first, _GPS, form)
    read_shot(exif, form)
    _date(first, exif, _DATES[-1], form)
    _lend_zones(form)
    if gps is not None:
        read_gps(gps, form)


def _pointed(first: Directory, tag: int, form: Header) -> Directory | None:
    pointer = first.number(tag)
    if not pointer:
        return None
    try:
        return directory(first.view, first.order, pointer)[0]
    except NotUnderstood:
        form.is_partial = True
        return None


def _date(home: Directory, exif: Directory, names: tuple[int, int, int, str], form: Header) -> None:
    tag, zone, fraction, name = names
    if text := home.text(tag):
        form.claims.append(Claim(name, text, exif.text(zone), exif.text(fraction)))


def _lend_zones(form: Header) -> None:
    """Some phones write the zone beside one of three dates only: it is that of the others where they say the same."""
    zones = {
        claim.text: claim.offset for claim in form.claims if claim.offset and claim.tag in _OF_EXIF
    }
    form.claims[:] = [
        replace(claim, offset=zones[claim.text])
        if claim.tag in _OF_EXIF and not claim.offset and claim.text in zones
        else claim
        for claim in form.claims
    ]


def read_shot(exif: Directory, form: Header) -> None:
    """The dates of the shot, and Apple's content id from the maker note."""
    for names in _DATES[:-1]:
        _date(exif, exif, names, form)
    if not exif.raw(_MAKER_NOTE, 9).startswith(b"Apple iOS"):
        return
    note = exif.raw(_MAKER_NOTE, _MAX_NOTE)
    order = "<" if note[12:14] == b"II" else ">"
    try:
        apple, _ = directory(note, order, 14)
    except NotUnderstood:
        return
    form.content_id = apple.text(_APPLE_CONTENT_ID)


def read_gps(gps: Directory, form: Header) -> None:
    """GPS time is UTC: it dates a shot without a clock and finds the zone of one with a clock; so may the place."""
    if place := _place(gps):
        form.claims.append(Claim("place:coordinates", place))
    day, clock = gps.text(_GPS_DATE), gps.raw(_GPS_TIME, 24)
    if len(clock) == 24 and day:  # noqa: PLR2004 - three rationals
        parts = struct.unpack(gps.order + "6I", clock)
        if parts[1] and parts[3] and parts[5]:
            hour, minute, second = parts[0] // parts[1], parts[2] // parts[3], parts[4] // parts[5]
            text = f"{day} {hour:02}:{minute:02}:{second:02}"
            form.claims.append(Claim("exif:GPSDateTime", text, is_utc=True))


def _place(gps: Directory) -> str:
    """North and east in degrees, as ISO 6709 has them."""
    said = []
    for sign, value, negative in ((0x0001, 0x0002, "S"), (0x0003, 0x0004, "W")):
        packed = gps.raw(value, 24)
        parts = struct.unpack(gps.order + "6I", packed) if len(packed) == 24 else (0,) * 6  # noqa: PLR2004 - three rationals
        if not (parts[1] and parts[3] and parts[5]):
            return ""
        degrees = parts[0] / parts[1] + parts[2] / parts[3] / 60 + parts[4] / parts[5] / 3600
        said.append(f"{-degrees if gps.text(sign) == negative else degrees:+.4f}")
    return "".join(said)


def read_tiff(source: Source, form: Header) -> None:
    """A whole TIFF file: a picture, or a RAW."""
    order, start = opening(source)
    forced = _MAGIC[source.head[:4]]
    directories = list(_all(source, order, start))
    read_exif(source, form)
    first = directories[0]
    _size(directories, form)
    if forced or _is_raw(source, directories):
        form.media, form.extension = Media.RAW, forced or _raw_extension(first)
    form.cut = _beyond(source, directories)


def _all(source: Source, order: str, start: int) -> Iterator[Directory]:
    """The chain of directories and their sub-directories, each once."""
    waiting, seen = [start], set[int]()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen:
            continue
        seen.add(at)
        try:
            found, following = directory(source, order, at)
        except NotUnderstood:
            if len(seen) == 1:
                raise
            continue
        yield found
        waiting += [n for n in (*found.numbers(_SUB_IFDS), following) if n]


def _is_raw(source: Source, directories: list[Directory]) -> bool:
    if _DNG in directories[0].entries or source.head[8:10] == b"CR":
        return True
    return any(
        d.number(_PHOTOMETRIC) in _SENSOR or d.number(_COMPRESSION) in _RAW_PACKING
        for d in directories
    )


def _raw_extension(first: Directory) -> str:
    if _DNG in first.entries:
        return ".dng"
    make = first.text(_MAKE).upper().encode()
    return next((ext for name, ext in _RAW_BY_MAKE if name in make), ".raw")


def _size(directories: list[Directory], form: Header) -> None:
    sizes = [(d.number(_WIDTH), d.number(_HEIGHT)) for d in directories]
    if exif := _pointed(directories[0], _EXIF, form):
        sizes.append((exif.number(_EXIF_WIDTH), exif.number(_EXIF_HEIGHT)))  # CR2 says it only here
    form.width, form.height = max(sizes, key=lambda s: s[0] * s[1])


def _beyond(source: Source, directories: list[Directory]) -> str:
    """A strip or tile that ends behind the end of the file."""
    for found in directories:
        for where, how_long in _STRIPS:
            offsets = found.numbers(where, _MAX_STRIPS)
            lengths = found.numbers(how_long, _MAX_STRIPS)
            end = max((o + n for o, n in zip(offsets, lengths, strict=False)), default=0)
            if end > source.size:
                return f"picture data goes on to byte {end}, the file ends at {source.size}"
    return ""
