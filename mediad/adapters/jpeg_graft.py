"""
A JPEG with another coded picture inside and everything else as it was.

Every APPn and COM segment of the original is kept byte for byte, in order, and so is everything behind its end: gain
maps, motion video, the maker's trailer. Of the newly coded file only the picture is taken. What would then tell a lie
(an MPF table, which counts in bytes) is put right; what cannot be put right, or is not known well enough, is
NotUnderstood and the file stays as it is.
"""

import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.motion_xmp import states_length

_SOI: Final = b"\xff\xd8"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_COM: Final = 0xFE
_FILL: Final = 0xFF
_APP1: Final = 0xE1
_APP2: Final = 0xE2
_APP11: Final = 0xEB
_APP14: Final = 0xEE
_APPS: Final = frozenset(range(0xE0, 0xF0))
_RESTARTS: Final = frozenset(range(0xD0, 0xD8))
_PROGRESSIVE: Final = 0xC2
_PICTURES: Final = frozenset(
    {0xC0, 0xC1, _PROGRESSIVE}
)  # baseline, extended, progressive; all Huffman-coded
_DRI: Final = 0xDD
_TABLES: Final = frozenset({0xC4, 0xDB, _DRI})  # DHT, DQT, DRI
_MARKER: Final = re.compile(rb"\xff[^\0]")  # 0xFF 0x00 is a coded 0xFF
_MAX_SEGMENTS: Final = 20_000
_FRAME: Final = struct.Struct(">BHHB")  # precision, height, width, components
_BITS: Final = 8
_MOST_SAMPLES: Final = 4  # of a colour in one unit, across or down
_YCBCR: Final = b"\1"  # the colour transform that an Adobe segment names in its twelfth byte
_MPF: Final = b"MPF\0"
_MP_ENTRY: Final = 0xB002
_MP_ENTRY_BYTES: Final = 16
_EXIF: Final = b"Exif\0\0"
_OF_A_SIGNATURE: Final = b"c2pa"
_JPEG: Final = b"\xff\xd8\xff"  # how one begins
_MOST_PICTURES: Final = 100  # behind one
_POINTED_AT: Final = (b"MotionPhoto", b"MicroVideo", b"http://ns.google.com/photos/1.0/container/")


class Segment(NamedTuple):
    marker: int
    start: int
    end: int


class Frame(NamedTuple):
    """What SOF says of the picture."""

    width: int
    height: int
    components: tuple[int, ...]  # their ids
    sampling: tuple[tuple[int, int], ...]

    @property
    def steps(self) -> tuple[tuple[float, float], ...]:
        """How many pixels one sample of each colour covers, across and down: what sampling factors mean."""
        wide, high = (max(factors) for factors in zip(*self.sampling, strict=True))
        return tuple((wide / across, high / down) for across, down in self.sampling)


class Layout(NamedTuple):
    """Where things are in one JPEG file."""

    frame: Frame
    segments: tuple[Segment, ...]  # up to the first scan, without it
    scan: int  # where the first SOS starts
    end: int  # behind the EOI of the primary picture

    @property
    def is_progressive(self) -> bool:
        """In many scans, each over the whole picture."""
        return any(segment.marker == _PROGRESSIVE for segment in self.segments)


class Multi(NamedTuple):
    """The MPF table: pictures that follow the primary one, by offset from `base`."""

    base: int
    order: str  # of bytes, for struct
    entries: tuple[tuple[int, int, int], ...]  # where the entry is, size, offset


def layout(data: bytes) -> Layout:
    """Walk the whole primary picture. NotUnderstood for anything but one Huffman-coded gray or YCbCr picture."""
    if data[:2] != _SOI:
        raise NotUnderstood("no JPEG starts here")
    found: list[Segment] = []
    for segment in _segments(data, 2):
        if segment.marker == _SOS:
            frame = _frame(data, found)
            _check_colours(data, found, frame)
            _check_layers(data, found)
            return Layout(frame, tuple(found), segment.start, _scans_end(data, segment))
        found.append(segment)
    raise NotUnderstood("no picture in it")


def primary(data: bytes, plan: Layout) -> bytes:
    """
    The primary picture alone, for a strict decoder.

    Without what is known and harmless: fill bytes before markers, and a restart marker too many at its end.
    """
    head = _SOI + b"".join(data[s.start : s.end] for s in plan.segments)
    stop = plan.end - 2
    if data[stop - 1] in _RESTARTS and data[stop - 2] == _FILL:
        stop -= 2
    while data[stop - 1] == _FILL:
        stop -= 1
    return head + data[plan.scan : stop] + data[plan.end - 2 : plan.end]


def kept(data: bytes, plan: Layout) -> list[tuple[int, bytes]]:
    """The APPn and COM segments in order, MPF tables with their numbers blotted out: what a graft never changes."""
    multi = _multi(data, plan)
    return [
        (s.marker, _blotted(data, s, multi) if _is_mpf(data, s) else data[s.start : s.end])
        for s in plan.segments
        if _is_kept(s)
    ]


def pictures_behind(data: bytes, plan: Layout) -> list[bytes]:
    """The further pictures as the MPF table finds them."""
    multi = _multi(data, plan)
    if multi is None:
        return []
    return [data[multi.base + o : multi.base + o + n] for _, n, o in multi.entries[1:]]


def graft(original: bytes, coded: bytes) -> bytes:
    """The original with the coded picture of `coded`."""
    old, new = layout(original), layout(coded)
    if old.frame[:2] != new.frame[:2] or len(old.frame.components) != len(new.frame.components):
        raise NotUnderstood("the coder gave back another picture")
    if new.frame.components not in {(1,), (1, 2, 3)}:
        raise NotUnderstood("the coder counts its colours in an unknown way")
    _check_trailer(original, old)
    _check_places(original, old)
    multi = _multi(original, old)
    head = [original[s.start : s.end] for s in old.segments if _is_kept(s)]
    tables = [coded[s.start : s.end] for s in new.segments if not _is_kept(s)]
    result = bytearray(_SOI + b"".join(head) + b"".join(tables) + coded[new.scan : new.end])
    end = len(result)
    result += original[old.end :]
    if multi is not None:
        _put_multi(result, multi, old.end, end)
    return bytes(result)


def with_segment(data: bytes, plan: Layout, start: int, end: int, segment: bytes) -> bytes:
    """The file with `segment` from `start` to `end` of its head, all else as it was; an MPF table is put right."""
    multi = _multi(data, plan)
    result = bytearray(data[:start] + segment + data[end:])
    if multi is not None:
        _put_multi(result, multi, plan.end, plan.end + len(result) - len(data))
    return bytes(result)


def _segments(data: bytes, at: int) -> Iterator[Segment]:
    """Marker segments one behind the other; a segment's `start` is its marker, fill bytes left out."""
    for _ in range(_MAX_SEGMENTS):
        if data[at : at + 1] != b"\xff":
            raise NotUnderstood(f"no marker at {at}")
        while data[at + 1 : at + 2] == b"\xff":
            at += 1
        if at + 4 > len(data):
            raise NotUnderstood("it ends within its header")
        marker = data[at + 1]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in {0x00, 0x01, 0xD8, _EOI} or marker in _RESTARTS:
            raise NotUnderstood(f"marker {marker:#x} at {at}")
        if end < at + 4 or end > len(data):
            raise NotUnderstood(f"the segment at {at} does not fit")
        yield Segment(marker, at, end)
        at = end
    raise NotUnderstood("segments without end")


def _frame(data: bytes, segments: list[Segment]) -> Frame:
    frames = [s for s in segments if s.marker in _PICTURES]
    known = _PICTURES | _TABLES | _APPS | {_COM}
    if len(frames) != 1 or any(s.marker not in known for s in segments):
        raise NotUnderstood("coded in an unusual way")
    body = data[frames[0].start + 4 : frames[0].end]
    if len(body) < _FRAME.size:
        raise NotUnderstood("its frame header is cut off")
    precision, height, width, count = _FRAME.unpack_from(body)
    if precision != _BITS or not width or not height or count not in {1, 3}:
        raise NotUnderstood(f"{count} colours of {precision} bits")
    if len(body) != _FRAME.size + 3 * count:
        raise NotUnderstood("its frame header does not add up")
    parts = [body[_FRAME.size + 3 * n :][:3] for n in range(count)]
    sampling = tuple((p[1] >> 4, p[1] & 15) for p in parts)
    if any(not 1 <= factor <= _MOST_SAMPLES for pair in sampling for factor in pair):
        raise NotUnderstood("its frame header does not add up")
    return Frame(width, height, tuple(p[0] for p in parts), sampling)


def _check_colours(data: bytes, segments: list[Segment], frame: Frame) -> None:
    """The new picture is gray or YCbCr; what says so of the old one is kept, so it must be true of both."""
    adobes = [
        data[s.start + 4 : s.end]
        for s in segments
        if s.marker == _APP14 and data[s.start + 4 : s.start + 9] == b"Adobe"
    ]
    if len(frame.components) == 1:
        return
    if any(a[11:12] != _YCBCR for a in adobes):
        raise NotUnderstood("its colours are not stored as YCbCr")
    if frame.components == tuple(b"RGB"):
        raise NotUnderstood("its colours are stored as RGB")


def _check_layers(data: bytes, segments: list[Segment]) -> None:
    """What belongs to exactly this coded picture, and would be untrue of any other."""
    if sum(segment.marker == _DRI for segment in segments) > 1:
        raise NotUnderstood("its restart markers are told of twice")
    for segment in segments:
        body = data[segment.start + 4 : segment.end]
        if segment.marker != _APP11 or body[:2] != b"JP":
            continue
        if body[12:16] != b"jumb":  # JPEG XT
            raise NotUnderstood("a second layer completes its picture")
        if _OF_A_SIGNATURE in body:
            raise NotUnderstood("it is signed, and the signature is of these very bytes")


def _scans_end(data: bytes, scan: Segment) -> int:
    """Behind the EOI. Restart markers must count round, and only tables may stand between scans."""
    at, expected = scan.end, 0
    while found := _MARKER.search(data, at):
        at, marker = found.end() - 2, data[found.end() - 1]
        if marker == _EOI:
            return at + 2
        if marker == _FILL:
            at += 1
        elif marker in _RESTARTS:
            if marker != 0xD0 + expected:
                raise NotUnderstood(f"a part of the picture is missing before {at}")
            at, expected = at + 2, (expected + 1) % 8
        elif marker == _DRI:
            raise NotUnderstood("its restart markers change on the way")
        elif marker == _SOS or marker in _TABLES:
            at, expected = next(_segments(data, at)).end, 0
        else:
            raise NotUnderstood(f"marker {marker:#x} within the picture at {at}")
    raise NotUnderstood("the picture is cut off")


def _is_kept(segment: Segment) -> bool:
    return segment.marker in _APPS or segment.marker == _COM


def _is_mpf(data: bytes, segment: Segment) -> bool:
    return segment.marker == _APP2 and data[segment.start + 4 : segment.start + 8] == _MPF


def _check_trailer(data: bytes, plan: Layout) -> None:
    """Whatever finds its way behind the end by counting from the start, and is not MPF, would be lost."""
    trailer = data[plan.end :]
    head = b"".join(data[s.start : s.end] for s in plan.segments if _is_kept(s))
    if states_length(head):
        raise NotUnderstood("its XMP states the length of the picture")
    if not trailer.strip(b"\0\r\n "):
        return
    if _is_found_by_exif(data, plan):
        raise NotUnderstood("its maker's note finds a picture behind it by counting from the start")
    is_known = (
        any(_is_mpf(data, s) for s in plan.segments)
        or trailer.endswith(b"SEFT")  # Samsung: counts from its own end
        or any(word in head for word in _POINTED_AT)  # Google: counts from the end of the file
    )
    if not is_known:
        raise NotUnderstood(f"{len(trailer)} unknown bytes behind the picture")


def _check_places(data: bytes, plan: Layout) -> None:
    """EXIF that would stand elsewhere: the places of its previews, as tools count them, would change."""
    at = len(_SOI)
    for segment in plan.segments:
        if _is_kept(segment):
            body = data[segment.start + 4 : segment.end]
            if segment.start != at and body.startswith(_EXIF):
                raise NotUnderstood("its EXIF does not stand in front")
            at += segment.end - segment.start


def _is_found_by_exif(data: bytes, plan: Layout) -> bool:
    """Some cameras keep a large preview behind the picture and its place in their maker's note."""
    pictures = islice(re.finditer(_JPEG, data[plan.end :]), _MOST_PICTURES)
    starts = [plan.end + found.start() for found in pictures]
    for segment in plan.segments:
        body = data[segment.start + 4 : segment.end]
        if segment.marker != _APP1 or not body.startswith(_EXIF):
            continue
        base = segment.start + 4 + len(_EXIF)
        told = {place for start in starts for place in (start, start - base)}
        if any(struct.pack(order + "I", place) in body for place in told for order in "<>"):
            return True
    return False


def _multi(data: bytes, plan: Layout) -> Multi | None:
    tables = [s for s in plan.segments if _is_mpf(data, s)]
    if not tables:
        return None
    if len(tables) > 1:
        raise NotUnderstood("several MPF tables")
    multi = _mpf(data, tables[0])
    for n, (_, size, offset) in enumerate(multi.entries):
        at = multi.base + offset
        if (n == 0) != (offset == 0):
            raise NotUnderstood("its MPF table does not begin with the picture itself")
        if n and (at < plan.end or at + size > len(data)):
            raise NotUnderstood("its MPF table points beyond the file")
    return multi


def _mpf(data: bytes, segment: Segment) -> Multi:
    base = segment.start + 8
    body = data[base : segment.end]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(body[:4])
    if order is None:
        raise NotUnderstood("its MPF table has no header")
    try:
        (ifd,) = struct.unpack_from(order + "I", body, 4)
        (count,) = struct.unpack_from(order + "H", body, ifd)
        tags = [struct.unpack_from(order + "HHII", body, ifd + 2 + 12 * n) for n in range(count)]
        lists = [(size, at) for tag, _, size, at in tags if tag == _MP_ENTRY]
        if len(lists) != 1 or lists[0][0] % _MP_ENTRY_BYTES or not lists[0][0]:
            raise NotUnderstood("its MPF table lists no pictures")
        size, at = lists[0]
        places = range(at, at + size, _MP_ENTRY_BYTES)
        if at + size > len(body):
            raise NotUnderstood("its MPF table is cut off")
        entries = [(base + p, *struct.unpack_from(order + "II", body, p + 4)) for p in places]
    except struct.error:
        raise NotUnderstood("its MPF table is cut off") from None
    return Multi(base, order, tuple(entries))


def _put_multi(result: bytearray, old: Multi, old_end: int, new_end: int) -> None:
    """
    The same table for a picture that ends elsewhere.

    The segments before the scan are the same bytes in both files, but a fill byte may be gone: find the table again.
    """
    new = _mpf(bytes(result[:new_end]), _mpf_of(result, new_end))
    moved = (new_end - old_end) - (new.base - old.base)
    for n, (_, size, offset) in enumerate(old.entries):
        # Some writers count the primary a little short; its error is kept as it is.
        now = (size + new_end - old_end, 0) if n == 0 else (size, offset + moved)
        if min(now) < 0:
            raise NotUnderstood("its MPF table does not add up")
        struct.pack_into(new.order + "II", result, new.entries[n][0] + 4, *now)


def _mpf_of(result: bytearray, end: int) -> Segment:
    data = bytes(result[:end])
    return next(s for s in _segments(data, 2) if _is_mpf(data, s))


def _blotted(data: bytes, segment: Segment, multi: Multi | None) -> bytes:
    copy = bytearray(data[segment.start : segment.end])
    for at, _, _ in multi.entries if multi else ():
        copy[at - segment.start + 4 : at - segment.start + 12] = bytes(8)
    return bytes(copy)
