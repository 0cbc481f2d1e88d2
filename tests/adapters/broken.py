"""
The corpus of broken media: every way in which a file was seen to be broken, or was once thought up to do harm.

Made by code, so that each says what is wrong with it and no stranger's file is kept. A new find goes in here first.
`code` is what intake says; "" where only decoding can tell: such a file is kept and archived as what it says it is.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import Image

from tests.adapters import forge


@dataclass(frozen=True, slots=True)
class Broken:
    name: str
    make: Callable[[], bytes]
    code: str
    why: str


def photo(form: str = "JPEG", size: tuple[int, int] = (320, 240)) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, form)
    return out.getvalue()


def _with(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at + len(piece) :]


def _endless_directory() -> bytes:
    """The first directory names itself as the next one."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 256, 4, 1, 64) + struct.pack("<I", 8)


def _sparse_film() -> bytes:
    """An index of 2^31 samples in a file of 300 bytes."""
    return forge.movie().replace(
        struct.pack(">III", 0, 2048, 1), struct.pack(">III", 0, 0, 1 << 31)
    )


@cache
def _bomb() -> bytes:
    """One bit a pixel."""
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(20_000 * 2_501), 1)
    parts = forge.chunk(b"IHDR", head), forge.chunk(b"IDAT", rows), forge.chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = forge.box(b"moov", body)
    return forge.box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + body


TRUNCATED: Final = "intake.truncated"
HUGE: Final = "intake.too_many_pixels"
CORPUS: Final = (
    Broken("empty.jpg", bytes, "intake.empty", "a card that was pulled too early leaves names without bytes"),
    Broken("zeros.jpg", lambda: bytes(4096), "intake.not_media", "after a power cut: its length, and no bytes"),
    Broken("page.jpg", lambda: b"<html>404</html>", "intake.not_media", "a download that was an error page"),
    Broken("list.mp4", lambda: b"#EXTM3U\nfile:///etc/passwd\n", "intake.not_media", "a list that ffmpeg would follow"),
    Broken("zip.heic", lambda: b"PK\3\4" + bytes(64), "intake.not_media", "an archive under a photo's name"),
    Broken("half.jpg", lambda: photo()[:1500], TRUNCATED, "a copy that was cut off in its picture"),
    Broken("head.jpg", lambda: photo()[:60], TRUNCATED, "a copy that was cut off in its header"),
    Broken("tail.jpg", lambda: photo()[:-2], TRUNCATED, "two bytes short: every viewer shows it, and it is not whole"),
    Broken("half.png", lambda: photo("PNG")[:-30], TRUNCATED, "likewise"),
    Broken("half.gif", lambda: photo("GIF")[:-20], TRUNCATED, "likewise"),
    Broken("half.webp", lambda: photo("WEBP")[:-40], TRUNCATED, "likewise"),
    Broken("half.heic", lambda: forge.heic(forge.shot())[:-200], TRUNCATED, "the picture's bytes are not all there"),
    Broken("half.mov", lambda: forge.movie(is_index_first=True)[:-700], TRUNCATED, "an index without its film"),
    Broken("no_index.mov", lambda: forge.movie()[:1500], TRUNCATED, "a camera that lost its power while it filmed"),
    Broken("bomb.png", _bomb, HUGE, "400 megapixels in 400 kB, all of them lawful"),
    Broken("flipped.jpg", lambda: _with(photo(), 1400, b"\xff\x00\x12\xff\xd9"), "", "rot in the picture"),
    Broken("endless.tif", _endless_directory, "", "a directory whose next one is itself"),
    Broken("samples.mov", _sparse_film, "", "an index of two thousand million samples"),
    Broken("nested.mov", lambda: _nested(3000), "", "boxes in boxes, deeper than a stack"),
    Broken("long_exif.jpg", lambda: forge.jpeg(b"II*\0" + b"\xff" * 60_000), "", "a directory that points everywhere"),
    Broken("huge.jpg", lambda: forge.jpeg(width=65_500, height=65_500), HUGE, "it says 4.3 gigapixels"),
)  # fmt: skip
