"""
The film of a Live Photo, as far as a motion photo has to know it: is it whole, what is it, when was the still taken?

The film itself is never changed. What is not understood whole is NotUnderstood.
"""

from typing import BinaryIO, Final, NamedTuple

from mediad.adapters.bmff import FileView, NotUnderstood, number, read
from mediad.adapters.mov_film import Movie, Node, Track, movie

QUICKTIME: Final = "video/quicktime"
MP4: Final = "video/mp4"
MAX_FILM: Final = 1 << 30
UNKNOWN_US: Final = -1

_STILL_TIME: Final = b"mdtacom.apple.quicktime.still-image-time"
_MICROS: Final = 1_000_000
_EMPTY: Final = -1  # the media time of an edit that shows nothing


class Film(NamedTuple):
    mime: str
    size: int
    still_at_us: int


def film_of(file: BinaryIO) -> Film:
    size = len(FileView(file.fileno()))
    if size > MAX_FILM:
        raise NotUnderstood(f"a film of {size} bytes")
    found = movie(file)
    _check_whole(found)
    return Film(_mime(found), size, _still_at(found))


def _mime(found: Movie) -> str:
    """Apple's own films say `qt  ` of themselves, or nothing at all."""
    first = found.top[0]
    if first.type != b"ftyp":
        return QUICKTIME
    return QUICKTIME if read(FileView(found.file.fileno()), first.body, 4) == b"qt  " else MP4


def _check_whole(found: Movie) -> None:
    room = [(box.body, box.end) for box in found.top if box.type == b"mdat"]
    for track in found.tracks:
        for chunk in track.chunks:
            if not any(start <= chunk.start and chunk.end <= end for start, end in room):
                raise NotUnderstood("a film that is not all there")


def _still_at(found: Movie) -> int:
    """Where Apple's track of that one moment begins. UNKNOWN_US where it is not plainly told."""
    told = [t for t in found.tracks if _STILL_TIME in t.stbl.only(b"stsd").payload]
    mvhd = found.moov.only(b"mvhd").payload
    wide = mvhd[:1] == b"\1"
    scale = number(mvhd, 20 if wide else 12, 4)
    if len(told) != 1 or not scale:
        return UNKNOWN_US
    ticks = _begins(told[0])
    if ticks is None or ticks > number(mvhd, 24 if wide else 16, 8 if wide else 4):
        return UNKNOWN_US
    return ticks * _MICROS // scale


def _begins(track: Track) -> int | None:
    """After which time of the film the track's first sample is shown."""
    edts = track.node.some(b"edts")
    if edts is None:
        return 0
    elst = _elst(edts)
    late = 0
    for duration, media_time in elst:
        if media_time != _EMPTY:
            return late if media_time == 0 else None
        late += duration
    return None


def _elst(edts: Node) -> list[tuple[int, int]]:
    """Durations and media times, as its only box has them: eight bytes of header, version, count, rows."""
    payload = edts.payload
    if read(payload, 4, 4) != b"elst":
        return []
    wide = number(payload, 8, 1) == 1
    size, row = (8, 20) if wide else (4, 12)
    count = number(payload, 12, 4)
    if 16 + count * row > len(payload):
        raise NotUnderstood("its list of edits is cut off")
    return [
        (
            number(payload, at, size),
            int.from_bytes(read(payload, at + size, size), "big", signed=True),
        )
        for at in range(16, 16 + count * row, row)
    ]
