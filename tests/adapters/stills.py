"""Photos made for the tests: small, of known content, with everything around the picture that cameras put there."""

import io
import struct
from functools import cache

import pillow_heif
from PIL import Image

from mediad.adapters import jpeg_graft

pillow_heif.register_heif_opener()

SAMSUNG = (
    b"\0\0\1\n\x0e\0\0\0Image_UTC_Data1600000000000SEFH\x65\0\0\0\1\0\0\0\0\0\0\0\x18\0\0\0SEFT"
)


@cache
def picture(width: int = 640, height: int = 480) -> Image.Image:
    """Edges, flat parts, colour and a little noise."""
    shapes = Image.effect_mandelbrot((width, height), (-2.0, -1.5, 1.0, 1.5), 80)
    ramp = Image.linear_gradient("L").resize((width, height))
    noise = Image.effect_noise((width, height), 12)
    return Image.merge("RGB", (shapes, ramp, Image.blend(shapes, noise, 0.5)))


def jpeg(
    image: Image.Image | None = None, quality: int = 97, sampling: int = 2, **how: bool
) -> bytes:
    out = io.BytesIO()
    (image or picture()).save(out, "JPEG", quality=quality, subsampling=sampling, **how)
    return out.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def dressed(data: bytes, *segments: bytes, trailer: bytes = b"") -> bytes:
    """The JPEG with these segments in front and this behind its end."""
    return data[:2] + b"".join(segments) + data[2:] + trailer


def exif(orientation: int = 6, make: str = "Maker of the tests") -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = make
    return segment(0xE1, b"Exif\0\0" + tags.tobytes().removeprefix(b"Exif\0\0"))


ICC = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(300))


def front(orientation: int = 6) -> tuple[bytes, ...]:
    """EXIF, XMP, ICC, IPTC, a vendor's segment and a comment."""
    return (
        exif(orientation),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"),
        ICC,
        segment(0xED, b"Photoshop 3.0\0" + bytes(40)),
        segment(0xEB, b"vendor's own"),
        segment(0xFE, b"a comment"),
    )


def usual(data: bytes | None = None) -> bytes:
    """With all of `front`, and a Samsung trailer."""
    return dressed(data or jpeg(), *front(), trailer=SAMSUNG)


def with_gain_map(data: bytes | None = None, order: str = "<", gain: bytes | None = None) -> bytes:
    """An MPF table that finds a second JPEG behind the first."""
    gain = gain or jpeg(picture(160, 120), quality=80)
    empty = dressed(data or jpeg(), exif(), _mpf(order, 0, len(gain), 0))
    end = len(empty)
    base = empty.index(b"MPF\0") + 4
    return dressed(data or jpeg(), exif(), _mpf(order, end, len(gain), end - base), trailer=gain)


def _mpf(order: str, size: int, gain_size: int, offset: int) -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    ifd = struct.pack(order + "IH", 8, 2)
    ifd += struct.pack(order + "HHII", 0xB001, 4, 1, 2)
    ifd += struct.pack(order + "HHII", 0xB002, 7, 32, 8 + 2 + 24 + 4)
    ifd += struct.pack(order + "I", 0)
    ifd += struct.pack(order + "IIIHH", 0x030000, size, 0, 0, 0)
    ifd += struct.pack(order + "IIIHH", 0, gain_size, offset, 0, 0)
    return segment(0xE2, b"MPF\0" + head + ifd)


@cache
def heic(width: int = 640, height: int = 480, quality: int = 95) -> bytes:
    """One HEVC tile and an EXIF item."""
    out = io.BytesIO()
    tags = Image.Exif()
    tags[0x010F] = "Maker of the tests"
    picture(width, height).save(
        out,
        "HEIF",
        quality=quality,
        exif=tags.tobytes(),
        chroma="420",
        enc_params={"preset": "ultrafast"},
    )
    return out.getvalue()


def decoded(data: bytes) -> Image.Image:
    if data[:2] == b"\xff\xd8":
        data = jpeg_graft.primary(data, jpeg_graft.layout(data))
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@cache
def black_heic() -> bytes:
    """As `heic`, but nothing to see."""
    out = io.BytesIO()
    Image.new("RGB", (640, 480)).save(out, "HEIF", quality=95, chroma="420")
    return out.getvalue()
