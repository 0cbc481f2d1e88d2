"""Films of Live Photos made for the tests: small, whole, with Apple's track of the moment of the still."""

import struct

from tests.adapters.forge import box, full

STILL_TIME = b"com.apple.quicktime.still-image-time"
SAMPLE = b"one sample"
EMPTY = -1


def edits(*rows: tuple[int, int]) -> bytes:
    """Durations in the film's time, and media times."""
    listed = b"".join(struct.pack(">IiI", duration, at, 1 << 16) for duration, at in rows)
    return box(b"edts", full(b"elst", struct.pack(">I", len(rows)), listed))


def track(handler: bytes, at: int, described: bytes = b"", edts: bytes = b"") -> bytes:
    table = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1), box(b"some", bytes(8), described)),
        full(b"stts", struct.pack(">III", 1, 1, 1)),
        full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
        full(b"stsz", struct.pack(">II", len(SAMPLE), 1)),
        full(b"stco", struct.pack(">II", 1, at)),
    )
    mdhd = full(b"mdhd", struct.pack(">IIII", 0, 0, 600, 1), bytes(4))
    mdia = box(b"mdia", mdhd, full(b"hdlr", bytes(4), handler, bytes(13)), box(b"minf", table))
    return box(b"trak", full(b"tkhd", bytes(80)), edts, mdia)


def film(
    moment: bytes | None = edits((540, EMPTY), (1, 0)),
    *,
    brand: bytes = b"qt  ",
    scale: int = 600,
    length: int = 840,
    at: int = 0,
    more: bytes = b"",
) -> bytes:
    """`moment`: the edits of the still's track, by default 0.9 s; None: there is no such track."""
    ftyp = box(b"ftyp", brand, bytes(4), brand) if brand else box(b"wide")
    place = at or len(ftyp) + 8
    tracks = [track(b"vide", place)]
    if moment is not None:
        tracks.append(track(b"meta", place + len(SAMPLE), b"keydmdta" + STILL_TIME, moment))
    mvhd = full(b"mvhd", struct.pack(">IIII", 0, 0, scale, length), bytes(80))
    return ftyp + box(b"mdat", SAMPLE * 2) + box(b"moov", mvhd, *tracks, more)
