"""Small files of every kind, made by hand: whole, and therefore easy to break on purpose."""

import struct
import zlib


def ifd(entries: dict[int, tuple[int, bytes]], at: int, *, following: int = 0) -> bytes:
    """A big-endian TIFF directory that stands at `at`, with its longer values behind it."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
    head, tail = b"", b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        count = len(value) // sizes[kind]
        if len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field = struct.pack(">I", behind + len(tail))
            tail += value
        head += struct.pack(">HHI", tag, kind, count) + field
    return struct.pack(">H", len(entries)) + head + struct.pack(">I", following) + tail


def text(words: str) -> tuple[int, bytes]:
    return 2, words.encode() + b"\0"


def long(number: int) -> tuple[int, bytes]:
    return 4, struct.pack(">I", number)


def short(number: int) -> tuple[int, bytes]:
    return 3, struct.pack(">H", number)


def tiff(
    first: dict[int, tuple[int, bytes]] | None = None,
    exif: dict[int, tuple[int, bytes]] | None = None,
    gps: dict[int, tuple[int, bytes]] | None = None,
) -> bytes:
    """A TIFF, or an EXIF block: the directories at 8, 1000 and 2000."""
    entries = dict(first or {})
    if exif is not None:
        entries[0x8769] = long(1000)
    if gps is not None:
        entries[0x8825] = long(2000)
    block = b"MM\0*" + struct.pack(">I", 8) + ifd(entries, 8)
    if exif is not None:
        block = block.ljust(1000, b"\0") + ifd(exif, 1000)
    if gps is not None:
        block = block.ljust(2000, b"\0") + ifd(gps, 2000)
    return block


def shot(when: str = "2024:07:14 18:03:22", offset: str = "", content_id: str = "") -> bytes:
    exif = {0x9003: text(when)}
    if offset:
        exif[0x9011] = text(offset)
    if content_id:
        note = b"Apple iOS\0\0\1MM" + ifd({0x0011: text(content_id)}, 14)
        exif[0x927C] = (7, note)
    return tiff({0x010F: text("Apple")}, exif)


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(exif: bytes = b"", *, more: bytes = b"", width: int = 64, height: int = 48) -> bytes:
    app1 = segment(0xE1, b"Exif\0\0" + exif) if exif else b""
    frame = segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    scan = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\x34\xff\0\x56\xff\xd0\x78" * 200
    return b"\xff\xd8" + app1 + more + frame + scan + b"\xff\xd9"


def box(kind: bytes, *inside: bytes) -> bytes:
    body = b"".join(inside)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, *inside: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *inside)


def mvhd(created: int = 0, *, scale: int = 600, length: int = 900) -> bytes:
    return full(b"mvhd", struct.pack(">IIII", created, created, scale, length), bytes(80))


def track(offset: int, size: int, width: int = 320, height: int = 240) -> bytes:
    tkhd = full(b"tkhd", bytes(72), struct.pack(">II", width << 16, height << 16))
    table = box(
        b"stbl",
        full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
        full(b"stsz", struct.pack(">II", size, 1)),
        full(b"stco", struct.pack(">II", 1, offset)),
    )
    handler = full(b"hdlr", bytes(4), b"vide", bytes(13))
    return box(b"trak", tkhd, box(b"mdia", handler, box(b"minf", table)))


def keys(**said: str) -> bytes:
    """Apple's metadata: keywords with _ for the dots."""
    names = [f"com.apple.quicktime.{k.replace('_', '.')}".encode() for k in said]
    listed = full(b"keys", struct.pack(">I", len(names)), *(box(b"mdta", n) for n in names))
    values = [
        box(struct.pack(">I", n), box(b"data", struct.pack(">II", 1, 0), v.encode()))
        for n, v in enumerate(said.values(), 1)
    ]
    return box(b"meta", full(b"hdlr", bytes(4), b"mdta", bytes(13)), listed, box(b"ilst", *values))


def movie(
    brand: bytes = b"qt  ", created: int = 0, extra: bytes = b"", *, is_index_first: bool = False
) -> bytes:
    ftyp = box(b"ftyp", brand, bytes(4), brand)
    picture = bytes(range(256)) * 8
    mdat = box(b"mdat", picture)

    def index(at: int) -> bytes:
        return box(b"moov", mvhd(created), track(at, len(picture)), extra)

    if not is_index_first:
        return ftyp + mdat + index(len(ftyp) + 8)
    return ftyp + index(len(ftyp) + len(index(0)) + 8) + mdat


def heic(
    exif: bytes = b"", brand: bytes = b"heic", *, width: int = 400, height: int = 300
) -> bytes:
    ftyp = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    picture = bytes(range(256)) * 4
    block = struct.pack(">I", 6) + b"Exif\0\0" + exif

    def meta(at: int) -> bytes:
        items = b"".join(
            full(b"infe", struct.pack(">HH4s", n, 0, kind), b"\0", version=2)
            for n, kind in ((1, b"hvc1"), (2, b"Exif"))
        )
        places = struct.pack(">HHHII", 1, 0, 1, at, len(picture))
        places += struct.pack(">HHHII", 2, 0, 1, at + len(picture), len(block))
        sizes = full(b"ispe", struct.pack(">II", width, height))
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"iinf", struct.pack(">H", 2), items),
            full(b"iloc", b"\x44\0", struct.pack(">H", 2), places),
            box(b"iprp", box(b"ipco", sizes)),
        )

    at = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(at) + box(b"mdat", picture, block)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*more: bytes, width: int = 40, height: int = 30) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    picture = chunk(b"IDAT", zlib.compress(bytes((width + 1) * min(height, 100)), 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + picture + chunk(b"IEND", b"")


def gif(frames: int = 2, *, trailer: bytes = b";") -> bytes:
    frame = b"\x21\xf9\4\0\0\0\0\0" + b"," + struct.pack("<HHHH", 0, 0, 9, 7) + b"\0\2\3abc\2de\0"
    return b"GIF89a" + struct.pack("<HH", 9, 7) + b"\0\0\0" + frame * frames + trailer


def riff(kind: bytes, *chunks: bytes) -> bytes:
    body = kind + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def part(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def webp(exif: bytes = b"") -> bytes:
    head = part(b"VP8X", bytes(4) + (99).to_bytes(3, "little") + (49).to_bytes(3, "little"))
    return riff(b"WEBP", head, part(b"VP8L", b"\x2f" + bytes(200)), part(b"EXIF", exif))


def avi(date: bytes = b"Mon Mar 10 15:04:43 2003\n\0") -> bytes:
    avih = part(b"avih", struct.pack("<10I", 40_000, 0, 0, 0, 50, 0, 1, 0, 320, 240) + bytes(16))
    hdrl = part(b"LIST", b"hdrl" + avih + part(b"IDIT", date))
    return riff(b"AVI ", hdrl, part(b"LIST", b"movi" + bytes(100)))


def element(kind: int, body: bytes) -> bytes:
    width = (kind.bit_length() + 7) // 8
    return kind.to_bytes(width, "big") + (0x10000000 | len(body)).to_bytes(4, "big") + body


def matroska(kind: bytes = b"matroska", nanoseconds: int = 0) -> bytes:
    head = element(0x1A45DFA3, element(0x4282, kind))
    when = element(0x4461, nanoseconds.to_bytes(8, "big", signed=True)) if nanoseconds else b""
    about = element(
        0x1549A966,
        element(0x2AD7B1, (1_000_000).to_bytes(3, "big")) + element(0x4489, struct.pack(">d", 2500.0)) + when,
    )  # fmt: skip
    video = element(0xE0, element(0xB0, b"\x05\x00") + element(0xBA, b"\x02\xd0"))
    tracks = element(0x1654AE6B, element(0xAE, video))
    return head + element(0x18538067, about + tracks + element(0x1F43B675, bytes(300)))


def raf(exif: bytes) -> bytes:
    inside = jpeg(exif)
    table = struct.pack(">I", 2) + struct.pack(">4H", 0x100, 4, 1444, 4352)
    table += struct.pack(">4H", 0x111, 4, 1424, 4256)
    head = b"FUJIFILMCCD-RAW ".ljust(84, b"0")
    at = 200
    sizes = (at, len(inside), at + len(inside), len(table), at + len(inside) + len(table), 500)
    head = (head + struct.pack(">6I", *sizes)).ljust(at, b"\0")
    return head + inside + table + bytes(500)
