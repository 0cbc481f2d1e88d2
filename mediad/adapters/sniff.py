"""What a file is, from its first bytes and never from its name."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from mediad.adapters.headers_base import Header, Source
from mediad.adapters.headers_heif import read_heif
from mediad.adapters.headers_jpeg import read_jpeg
from mediad.adapters.headers_matroska import read_matroska
from mediad.adapters.headers_quicktime import read_movie
from mediad.adapters.headers_raster import read_gif, read_png, read_riff
from mediad.adapters.headers_raw import read_raf
from mediad.adapters.headers_tiff import read_tiff
from mediad.model import Media

Reader = Callable[[Source, Header], None]

_HEIF = frozenset(b"heic heix heim heis hevc hevx mif1 msf1 mif2 avif avis miaf".split())
_SOUND = frozenset((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"aax "))
_OTHER_BRANDS = {b"jp2 ": "JPEG 2000", b"jpx ": "JPEG 2000", b"jxl ": "JPEG XL"}
_OLD_MOVIE = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_TIFF = (b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")
_TS = 0x47
_TS_PACKET = 188
_NOT_MEDIA = (
    (b"\xff\x0a", "a JPEG XL picture, which mediad does not know yet"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture, which mediad does not know yet"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture, which mediad does not know yet"),
    (b"BM", "a BMP picture, which mediad does not know"),
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\xd0\xcf\x11\xe0", "an Office file or a Windows thumbnail store"),
    (b"\0\x05\x16\x07", "an AppleDouble file: what a Mac notes beside the real one"),
    (b"ID3", "a sound file"),
    (b"fLaC", "a sound file"),
    (b"OggS", "a sound file"),
    (b"SQLite format 3\0", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_TEXT = re.compile(rb"[\t\n\r\x0c\x1b -~\x80-\xff]+")
_SAME = {
    ".jpg": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    ".heic": frozenset({".heic", ".heif", ".hif", ".heics", ".heifs"}),
    ".tif": frozenset({".tif", ".tiff"}),
    ".png": frozenset({".png", ".apng"}),
    ".mov": frozenset({".mov", ".qt"}),
    ".mp4": frozenset({".mp4", ".m4v", ".insv", ".360"}),
    ".m4v": frozenset({".mp4", ".m4v"}),
    ".3gp": frozenset({".3gp", ".3gpp", ".mp4"}),
    ".mpg": frozenset({".mpg", ".mpeg", ".vob", ".mod", ".m2p", ".mpe"}),
    ".ts": frozenset({".ts", ".mts", ".m2ts", ".tod", ".trp"}),
    ".m2ts": frozenset({".mts", ".m2ts", ".tod"}),
    ".nef": frozenset({".nef", ".nrw"}),
    ".arw": frozenset({".arw", ".sr2", ".srf"}),
    ".rw2": frozenset({".rw2", ".raw", ".rwl"}),
    ".cr3": frozenset({".cr3", ".crm"}),
    ".iiq": frozenset({".iiq"}),
}
_RAW_NAMES = frozenset({".mef", ".mos", ".fff", ".3fr", ".x3f", ".gpr", ".k25", ".dcs", ".mrw"})


def sniff(head: bytes) -> tuple[Header, Reader] | None:
    """The form, begun, and who can fill it in; None: nothing that mediad knows."""
    if head.startswith(b"\xff\xd8\xff"):
        return Header(Media.JPEG, ".jpg"), read_jpeg
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Header(Media.PNG, ".png"), read_png
    if head.startswith(_TIFF):
        return Header(Media.TIFF, ".tif"), read_tiff
    if head.startswith(b"FUJIFILMCCD-RAW "):
        return Header(Media.RAW, ".raf"), read_raf
    return _by_other_mark(head)


def _by_other_mark(head: bytes) -> tuple[Header, Reader] | None:
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return Header(Media.GIF, ".gif"), read_gif
    if head[:4] == b"RIFF" and head[8:12] in {b"WEBP", b"AVI "}:
        is_webp = head[8:12] == b"WEBP"
        return Header(*((Media.WEBP, ".webp") if is_webp else (Media.AVI, ".avi"))), read_riff
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        extension = ".webm" if b"webm" in head[:64] else ".mkv"
        return Header(Media.MATROSKA, extension), read_matroska
    if head[4:8] in _OLD_MOVIE:
        return Header(Media.MOV, ".mov"), read_movie
    if extension := _mpeg(head):
        return Header(Media.MPEG, extension, is_partial=True), _read_nothing
    return None


def _by_brand(head: bytes) -> tuple[Header, Reader] | None:
    major = head[8:12]
    if major in _SOUND or major in _OTHER_BRANDS:
        return None
    if major in _HEIF:
        brands = {head[n : n + 4] for n in range(8, 64, 4)}
        is_avif = brands & {b"avif", b"avis"} and not brands & {b"heic", b"heix"}
        return Header(*((Media.AVIF, ".avif") if is_avif else (Media.HEIC, ".heic"))), read_heif
    return Header(*_movie(major)), read_movie


def _movie(major: bytes) -> tuple[Media, str]:
    if major in {b"qt  ", b"mqt "}:
        return Media.MOV, ".mov"
    if major == b"crx ":
        return Media.RAW, ".cr3"
    if major[:2] == b"3g":
        return Media.MP4, ".3g2" if major[2:3] == b"2" else ".3gp"
    return Media.MP4, ".m4v" if major[:3] == b"M4V" else ".mp4"


def _mpeg(head: bytes) -> str:
    if head[:3] == b"\0\0\1" and head[3:4] in {b"\xba", b"\xb3"}:
        return ".mpg"
    for start, packet, extension in ((0, _TS_PACKET, ".ts"), (4, _TS_PACKET + 4, ".m2ts")):
        marks = head[start : start + 5 * packet : packet]
        if len(marks) == 5 and set(marks) == {_TS}:  # noqa: PLR2004 - in a row: no chance
            return extension
    return ""


def _read_nothing(source: Source, form: Header) -> None:
    """MPEG streams have no header that would say more."""


def what_else(head: bytes) -> str:
    """A few words on what a file is that is no media."""
    known = next((what for mark, what in _NOT_MEDIA if head.startswith(mark)), "")
    if known:
        return known
    if head[4:8] == b"ftyp":
        return _OTHER_BRANDS.get(head[8:12], "a sound file")
    if not head.strip(b"\0"):
        return "nothing but zero bytes: a copy that was broken off"
    start = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"<" and re.match(rb"<(!doctype\s+html|html|head|body)", start, re.IGNORECASE):
        return "a web page: a download that went wrong"
    return "text" if _TEXT.fullmatch(head[:4096]) else "no kind of file that mediad knows"


def extension_for(right: str, name: str) -> str:
    """The right extension for the content; the name's own when that is right too (.jpeg, .mts)."""
    own = PurePosixPath(name).suffix.lower()
    if own in _SAME.get(right, ()) or (right == ".raw" and own in _RAW_NAMES):
        return own
    return right
