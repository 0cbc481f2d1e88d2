"""
What a Takeout export holds: the digest of each file in it, read as a stream and never unpacked.

Archives come from outside. No name in one becomes a path, links are passed over, and reading ends where an archive
gives more than any archive of photos would.
"""

import gzip
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, NamedTuple, Protocol

from mediad.mediactl.client import USAGE, Trouble
from mediad.mediactl.show import clean

TAKEOUT: Final = "Takeout"  # the folder that all of an export lies in, in every language
PIECE: Final = 1 << 20
FREE: Final = 1 << 30  # what any archive may give …
RATIO: Final = 20  # … and as many times its own size: photos and films hardly pack
HEAD: Final = 16 << 20  # of a member's own headers
_ENCRYPTED: Final = 1
_ELSEWHERE: Final = f"it does not lie in {TAKEOUT}/ as everything of an export does"
_NO_MEDIA: Final = frozenset({".json", ".html", ".csv", ".vcf", ".ics", ".txt"})
_DAMAGE: Final = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OSError, LookupError, ArithmeticError, struct.error,
)  # fmt: skip


class Held(NamedTuple):
    """One file of an export. `why`: it could not be read, and has no digest."""

    name: str
    size: int
    blake3: str = ""
    why: str = ""


class Bomb(Exception):
    """An archive that gives more than an archive of photos would."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def held(path: Path) -> Iterator[Held] | None:
    """Every file of an export; None: this is no export but a plain file. Raises Trouble for what cannot be one."""
    if path.is_dir():
        return _of_folder(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(b"PK"):
        return _guarded(path, _of_zip)
    if magic.startswith(b"\x1f\x8b"):
        return _guarded(path, _of_tgz)
    return None


def digest_of(file: Readable, *, more: Callable[[int], None] | None = None) -> tuple[str, int]:
    """BLAKE3 and size of a stream; `more` hears of each piece, and may end it."""
    from blake3 import blake3  # noqa: PLC0415 - only who reads files needs it

    seen, size = blake3(), 0
    while piece := file.read(PIECE):
        seen.update(piece)
        size += len(piece)
        if more:
            more(len(piece))
    return seen.hexdigest(), size


def _is_media(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() not in _NO_MEDIA


# -- a folder ---------------------------------------------------------------------------------------


def _of_folder(folder: Path) -> Iterator[Held]:
    if TAKEOUT not in folder.resolve().parts and not (folder / TAKEOUT).is_dir():
        raise Trouble(
            f"{clean(folder)} is no Takeout export: there is no folder {TAKEOUT} in it",
            USAGE,
            remedy="any folder of photos would prove itself; name the one that the export was unpacked to",
        )
    return _walked(folder if TAKEOUT in folder.resolve().parts else folder / TAKEOUT)


def _walked(top: Path) -> Iterator[Held]:
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(filter(_is_media, names)):
            if found := _one(Path(folder, name)):
                yield found


def _one(path: Path) -> Held | None:
    """None: a link, or no file at all."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            digest, size = digest_of(file)
    except OSError as fault:
        if path.is_symlink():
            return None
        return Held(path.name, 0, why=f"it cannot be read: {fault.strerror}")
    return Held(path.name, size, digest)


# -- archives ---------------------------------------------------------------------------------------


class _Meter:
    """Counts what comes out of an archive, and stops a flood."""

    def __init__(self, packed: int) -> None:
        self._left = FREE + RATIO * packed

    def __call__(self, n: int) -> None:
        self._left -= n
        if self._left < 0:
            raise Bomb


def _guarded(path: Path, read: Callable[[Path, _Meter], Iterator[Held]]) -> Iterator[Held]:
    """What an archive holds, up to where it is damaged or floods us; that is said as one file more."""
    try:
        yield from read(path, _Meter(path.stat().st_size))
    except Bomb:
        yield Held(
            path.name, 0, why="it unpacks to far more than photos would; the rest was not read"
        )
    except _DAMAGE as fault:
        yield Held(path.name, 0, why=f"the archive is damaged ({fault}); the rest was not read")


def _in_takeout(name: str) -> bool:
    return PurePosixPath(name).parts[:1] == (TAKEOUT,)


def _of_zip(path: Path, meter: _Meter) -> Iterator[Held]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            is_plain = not info.is_dir() and (not stat.S_IFMT(mode) or stat.S_ISREG(mode))
            if is_plain and _is_media(info.filename):
                yield _member(archive, info, meter)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meter: _Meter) -> Held:
    name = PurePosixPath(info.filename).name
    if not _in_takeout(info.filename):
        return Held(name, 0, why=_ELSEWHERE)
    if info.flag_bits & _ENCRYPTED:
        return Held(name, 0, why="it is encrypted")
    try:
        with archive.open(info) as file:
            digest, size = digest_of(file, more=meter)
    except _DAMAGE as fault:
        return Held(name, 0, why=f"it is damaged: {fault}")
    return Held(name, size, digest)


class _Unpacked:
    """The unpacked stream of a .tgz. What a member's headers may take is bounded: tarfile keeps them in memory."""

    def __init__(self, file: BinaryIO, meter: _Meter) -> None:
        self._file = file
        self._meter = meter
        self.may_give = HEAD

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._meter(len(piece))
        self.may_give -= len(piece)
        if self.may_give < 0:
            raise Bomb
        return piece


def _of_tgz(path: Path, meter: _Meter) -> Iterator[Held]:
    with gzip.open(path, "rb") as packed:
        stream = _Unpacked(packed, meter)  # type: ignore[arg-type]  # only ever read
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]  # likewise
            while info := archive.next():
                archive.members.clear()  # tarfile would keep every one of them
                if (
                    not info.isreg() or info.issparse()
                ):  # the holes of a sparse file could be endless
                    stream.may_give = HEAD
                    continue
                stream.may_give = info.size + HEAD
                file = archive.extractfile(info)
                digest, size = digest_of(file) if file else ("", 0)
                stream.may_give = HEAD
                name = PurePosixPath(info.name).name
                if not _is_media(name):
                    continue
                if _in_takeout(info.name):
                    yield Held(name, size, digest)
                else:
                    yield Held(name, 0, why=_ELSEWHERE)
