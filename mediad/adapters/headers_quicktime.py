"""
MOV and MP4: when, how long, how large, Apple's content id, and whether all samples are inside the file.

A `mdat` that claims more than the file has is no proof of a cut (writers that were stopped leave such); sample tables
that point behind the end of the file are.
"""

import re
import struct
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from sys import byteorder

from mediad.adapters.bmff import Box, NotUnderstood, View, boxes, child, number, read
from mediad.adapters.headers_base import MAX_READ, Header, Source
from mediad.adapters.headers_tiff import directory, opening, read_exif, read_gps, read_shot
from mediad.model import Claim, Media

_MAX_TOP = 200_000  # fragments
MAY_LIE = frozenset((b"mdat", b"free", b"skip", b"wide"))  # about where they end
_CREATED, _CONTENT_ID, _PLACE = (
    b"com.apple.quicktime.creationdate",
    b"com.apple.quicktime.content.identifier",
    b"com.apple.quicktime.location.ISO6709",
)
_TOLD = {  # keys of Apple's, and the boxes of QuickTime's user data
    _CREATED: "quicktime:CreationDate",
    _PLACE: "place:coordinates",
    b"\xa9day": "quicktime:ContentCreateDate",
    b"\xa9xyz": "place:coordinates",
}
_1904 = datetime(1904, 1, 1, tzinfo=UTC)
_LOCAL_CLOCKS = frozenset(
    {b"CAEP", b"niko", b"pana", b"caqv"}
)  # cameras that write local time as if it were UTC
_LOCAL_MAKERS = (
    b"GoPro AVC",
    b"GoPro H.265",
    b"GoPro MET",
)  # likewise, told by the names of tracks
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_KNOWN = frozenset(
    b"ftyp moov mdat meta free skip wide uuid moof mfra sidx styp pnot udta mpvd sefd PICT prft emsg".split()
)
_TEXT = re.compile(rb"[ -~]{4,64}")
_MAX_KEYS = 1000


def top(source: Source, start: int = 0) -> Iterator[Box]:
    """
    The boxes of the file itself; the last may end behind the end of the file.

    Stops without complaint at bytes that are no box: phones and editors append what they like.
    """
    for _ in range(_MAX_TOP):
        header = source[start : start + 16]
        if len(header) < 8:  # noqa: PLR2004 - size and type
            return
        size, kind = struct.unpack(">I4s", header[:8])
        body = start + 8
        if size == 1 and len(header) == 16:  # noqa: PLR2004 - with a large size
            size, body = struct.unpack(">Q", header[8:])[0], start + 16
        elif size == 0:
            size = source.size - start
        if size < body - start or (kind not in _KNOWN and start + size > source.size):
            return
        yield Box(kind, start, body, start + size)
        start += size


def read_movie(source: Source, form: Header) -> None:
    brands = _brands(source)
    found = list(top(source))
    movie = next((b for b in found if b.type == b"moov"), None)
    past = next((b for b in found if b.end > source.size and b.type not in MAY_LIE), None)
    if past is not None:
        form.cut = f"the {past.type.decode('latin-1')} box goes on to byte {past.end}, the file ends at {source.size}"
    elif movie is None:
        form.cut = "the index of the film (moov) is missing: recording or copying was broken off"
    else:
        read_index(source, movie, form, is_utc=not brands & _LOCAL_CLOCKS)
    if form.media is Media.RAW and form.cut and found[-1].end == source.size:
        form.cut = (
            ""  # whole to its last box: a CR3 whose picture somebody took out, not a broken copy
        )
    fragments = any(b.type == b"moof" for b in found)
    if fragments and found[-1].end > source.size and not form.cut:
        form.cut = (
            f"the last fragment goes on to byte {found[-1].end}, the file ends at {source.size}"
        )


def _brands(source: Source) -> set[bytes]:
    if source.head[4:8] != b"ftyp":
        return {b"qt  "}
    end = min(int.from_bytes(source.head[:4], "big"), 512)
    return {source.head[n : n + 4] for n in (8, *range(16, end - 3, 4))}


def read_index(source: Source, movie: Box, form: Header, *, is_utc: bool) -> None:
    """Everything in `moov`. Part by part: one that is not understood leaves the others."""
    if movie.end - movie.start > MAX_READ:
        raise NotUnderstood("an index of more than 32 MiB")
    view = source[movie.start : movie.end]
    is_utc = is_utc and not any(name in view for name in _LOCAL_MAKERS)
    reach = 0
    for box in boxes(view, movie.body - movie.start, len(view)):
        try:
            if box.type == b"trak":
                reach = max(reach, _track(view, box, form))
            elif box.type == b"mvhd":
                _times(view, box, form, is_utc=is_utc)
            elif part := _PARTS.get(box.type):
                part(view, box, form)
        except (NotUnderstood, struct.error):
            form.is_partial = True
    if reach > source.size:
        form.cut = f"the film goes on to byte {reach}, the file ends at {source.size}"


def _times(view: View, box: Box, form: Header, *, is_utc: bool) -> None:
    wide = number(view, box.body, 1) == 1
    shape = ">QQIQ" if wide else ">IIII"
    created, _, scale, length = struct.unpack(
        shape, read(view, box.body + 4, struct.calcsize(shape))
    )
    if scale and length < (1 << (63 if wide else 32)) - 1:
        form.duration_s = round(length / scale, 6)
    if 0 < created < 1 << 34:
        moment = (_1904 + timedelta(seconds=created)).replace(tzinfo=None)
        form.claims.append(Claim("quicktime:CreateDate", moment.isoformat(" "), is_utc=is_utc))


def _fragmented(view: View, box: Box, form: Header) -> None:
    head = child(view, box, b"mehd")
    movie_scale = next((b for b in boxes(view, 8, len(view)) if b.type == b"mvhd"), None)
    if head is None or movie_scale is None or form.duration_s:
        return
    wide = number(view, movie_scale.body, 1) == 1
    scale = number(view, movie_scale.body + (20 if wide else 12), 4)
    length = number(view, head.body + 4, 8 if number(view, head.body, 1) else 4)
    form.duration_s = round(length / scale, 6) if scale else 0.0


def _track(view: View, track: Box, form: Header) -> int:
    """Fills in the size of the picture; the end of the track's last sample."""
    media = child(view, track, b"mdia")
    if media is None:
        return 0
    handler = child(view, media, b"hdlr")
    if handler is not None and read(view, handler.body + 8, 4) == b"vide":
        _dimensions(view, track, form)
    inside = child(view, media, b"minf")
    table = child(view, inside, b"stbl") if inside else None
    return _reach(view, table) if table and _is_inside(view, inside) else 0


def _is_inside(view: View, inside: Box | None) -> bool:
    """Whether the samples are in this file, and not in another that it refers to."""
    where = child(view, inside, b"dinf") if inside else None
    references = child(view, where, b"dref") if where else None
    if references is None:
        return True
    entries = boxes(view, references.body + 8, references.end)
    return all(number(view, e.body, 4) & 1 for e in entries if e.end - e.body >= 4)  # noqa: PLR2004 - flags


def _dimensions(view: View, track: Box, form: Header) -> None:
    head = child(view, track, b"tkhd")
    if head is None:
        return
    at = head.body + (88 if number(view, head.body, 1) == 1 else 76)
    width, height = number(view, at, 4) >> 16, number(view, at + 4, 4) >> 16
    if width * height > form.width * form.height:
        form.width, form.height = width, height


def _reach(view: View, table: Box) -> int:
    parts = {b.type: b for b in boxes(view, table.body, table.end)}
    wide = b"co64" in parts
    where = parts.get(b"co64") or parts.get(b"stco")
    if where is None:
        return 0
    offsets = _numbers(view, where.body + 8, where.end, number(view, where.body + 4, 4), wide=wide)
    if not offsets:
        return 0
    last = max(offsets)
    return last + (_last_chunk(view, parts) if last == offsets[-1] else 1)


def _last_chunk(view: View, parts: dict[bytes, Box]) -> int:
    """Bytes of the samples in the last chunk; 1 when that cannot be told."""
    runs, sizes = parts.get(b"stsc"), parts.get(b"stsz")
    if runs is None or sizes is None:
        return 1
    rows = number(view, runs.body + 4, 4)
    if not rows or runs.body + 8 + 12 * rows > runs.end:
        return 1
    samples = number(view, runs.body + 8 + 12 * (rows - 1) + 4, 4)
    each, count = number(view, sizes.body + 4, 4), number(view, sizes.body + 8, 4)
    if each:
        return each * min(samples, count)
    first = sizes.body + 12 + 4 * max(0, count - samples)
    return max(1, sum(_numbers(view, first, sizes.end, min(samples, count), wide=False)))


def _numbers(view: View, start: int, end: int, count: int, *, wide: bool) -> "array[int]":
    width = 8 if wide else 4
    if start + count * width > end:
        raise NotUnderstood("a table that is larger than its box")
    found = array("Q" if wide else "I", read(view, start, count * width))
    if byteorder == "little":
        found.byteswap()
    return found


def _apple(view: View, meta: Box, form: Header) -> None:
    """The keys of QuickTime metadata: a list of names, and values that count through it."""
    skip = 0 if view[meta.body + 4 : meta.body + 8] in {b"hdlr", b"keys", b"ilst"} else 4
    keys, values = child(view, meta, b"keys", skip), child(view, meta, b"ilst", skip)
    if values is None:
        return
    listed = boxes(view, keys.body + 8, keys.end) if keys else ()
    names = [bytes(view[b.body : b.end]) for b in islice(listed, _MAX_KEYS)]
    for item in boxes(view, values.body, values.end):
        nth = int.from_bytes(item.type, "big")
        name = names[nth - 1] if 0 < nth <= len(names) else item.type
        text = _value(view, item) if name in _TOLD or name == _CONTENT_ID else ""
        if name == _CONTENT_ID:
            form.content_id = text
        elif text:
            form.claims.append(_told(name, text))


def _user(view: View, user: Box, form: Header) -> None:
    """The day that cameras write beside the film, and the place that phones do; or all of it as Apple has it."""
    for box in boxes(view, user.body, user.end):
        if box.type == b"meta":
            _apple(view, box, form)
        elif box.type == b"loci":
            form.claims.extend(_located(bytes(view[box.body : min(box.end, box.body + 512)])))
        elif box.type in _TOLD:
            text = bytes(view[box.body + 4 : min(box.end, box.body + 64)]).rstrip(b"\0")
            if _TEXT.fullmatch(text):
                form.claims.append(_told(box.type, text.decode("ascii")))


def _told(name: bytes, text: str) -> Claim:
    """A day without a time says less than the film's own clock."""
    tag = _TOLD[name]
    if name == b"\xa9day" and ":" not in text:
        tag = "quicktime:ContentCreateDay"
    return Claim(tag, text.replace("T", " ", 1))


def _located(body: bytes) -> Iterator[Claim]:
    """3GPP's place: a name, a role, and fixed-point degrees, east before north."""
    where = body.find(b"\0", 6) + 2
    if where > 6 and len(body) >= where + 8:  # noqa: PLR2004 - two numbers
        east, north = (degrees / 65536 for degrees in struct.unpack_from(">ii", body, where))
        yield Claim("place:coordinates", f"{north:+.4f}{east:+.4f}")


def _value(view: View, item: Box) -> str:
    held = child(view, item, b"data")
    text = bytes(view[held.body + 8 : min(held.end, held.body + 72)]) if held else b""
    return text.decode("ascii") if _TEXT.fullmatch(text) else ""


def _canon(view: View, box: Box, form: Header) -> None:
    """CR3: EXIF cut into TIFF blocks of one directory each."""
    if view[box.body : box.body + 16] != _CANON:
        return
    for part in boxes(view, box.body + 16, box.end):
        block = bytes(view[part.body : part.end])
        if part.type == b"CMT1":
            read_exif(block, form)
            order, start = opening(block)
            first, _ = directory(block, order, start)
            form.width, form.height = first.number(0x0100), first.number(0x0101)
        elif part.type in {b"CMT2", b"CMT4"}:
            order, start = opening(block)
            found, _ = directory(block, order, start)
            (read_shot if part.type == b"CMT2" else read_gps)(found, form)


_PARTS: dict[bytes, Callable[[View, Box, Header], None]] = {
    b"meta": _apple,
    b"udta": _user,
    b"mvex": _fragmented,
    b"uuid": _canon,
}
