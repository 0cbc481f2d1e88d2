"""
A JPEG still as the head of a motion photo: the same file, with XMP that tells of the film behind it.

The coded picture and every other segment stay byte for byte, and so do further pictures behind the first one; the
table that finds those is put right. What looks for its place from the end of the file cannot have a film behind it.
"""

from typing import Final

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.jpeg_graft import (
    Layout,
    Segment,
    layout,
    pictures_behind,
    with_segment,
)
from mediad.adapters.motion_film import Film
from mediad.adapters.motion_xmp import Told, packet, told_in

MIME: Final = "image/jpeg"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF: Final = b"Exif\0"
_APP0, _APP1 = 0xE0, 0xE1
_MOST: Final = 0xFFFF  # bytes of a segment, its length among them
_SAMSUNG: Final = b"SEFT"


def head_of(still: bytes, film: Film) -> bytes:
    """What stands before the film."""
    plan = layout(still)
    trailer = still[plan.end :]
    if trailer.endswith(_SAMSUNG) or (
        trailer.strip(b"\0\r\n ") and not pictures_behind(still, plan)
    ):
        raise NotUnderstood(f"{len(trailer)} unknown bytes behind the picture")
    own = _xmp(still, plan)
    told = Told(MIME, film.mime, film.size, len(trailer), film.still_at_us)
    body = _XMP + packet(told, None if own is None else still[own.start + 4 + len(_XMP) : own.end])
    if len(body) + 2 > _MOST:
        raise NotUnderstood("its XMP has no room for more")
    start, end = (own.start, own.end) if own else (_place(still, plan),) * 2
    segment = b"\xff" + bytes([_APP1]) + (len(body) + 2).to_bytes(2, "big") + body
    made = with_segment(still, plan, start, end, segment)
    _check_same(still, plan, own, made)
    return made


def told_of(head: bytes) -> Told:
    """What a motion photo says of the film behind it."""
    own = _xmp(head, layout(head))
    if own is None:
        raise NotUnderstood("not a motion photo")
    return told_in(head[own.start + 4 + len(_XMP) : own.end])


def _xmp(data: bytes, plan: Layout) -> Segment | None:
    found = [s for s in plan.segments if s.marker == _APP1 and data.startswith(_XMP, s.start + 4)]
    if len(found) > 1:
        raise NotUnderstood("several XMP packets")
    return found[0] if found else None


def _place(data: bytes, plan: Layout) -> int:
    """For XMP where there is none: behind JFIF and EXIF, which their readers look for first."""
    at = 2
    for segment in plan.segments:
        is_exif = segment.marker == _APP1 and data.startswith(_EXIF, segment.start + 4)
        if segment.marker != _APP0 and not is_exif:
            return at
        at = segment.end
    return at


def _check_same(still: bytes, plan: Layout, own: Segment | None, made: bytes) -> None:
    """Looked at afresh: nothing but XMP has changed, and every further picture is found."""
    now = layout(made)
    fresh = _xmp(made, now)
    kept = [still[s.start : s.end] for s in plan.segments if s != own]
    left = [made[s.start : s.end] for s in now.segments if s != fresh]
    pictures = pictures_behind(still, plan)
    if pictures and pictures == pictures_behind(made, now):
        mpf = [n for n, s in enumerate(kept) if s[4:8] == b"MPF\0"]
        kept = [s for n, s in enumerate(kept) if n not in mpf]
        left = [s for n, s in enumerate(left) if n not in mpf]
    if kept != left or still[plan.scan :] != made[now.scan :]:
        raise NotUnderstood("it cannot be told of a film without changing more of it")
