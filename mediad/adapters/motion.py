"""
One motion photo made of the two halves of a Live Photo, and looked at as it lies on the disk. Runs in a worker.

The halves are only read, and must be what they were when they were hashed. The same halves give the same bytes.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from blake3 import blake3

from mediad.adapters import motion_heic, motion_jpeg
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.motion_film import Film, film_of
from mediad.adapters.motion_xmp import Told
from mediad.errors import Refused

MAX_STILL: Final = 128 << 20
_JPEG: Final = b"\xff\xd8\xff"
_PIECE: Final = 4 << 20


class Halves(NamedTuple):
    """With the digests that they must have."""

    still: Path
    still_digest: str
    film: Path
    film_digest: str


class _Made(NamedTuple):
    """What the file is to be: a head, and then the film."""

    head: bytes
    film: Film


def make(halves: Halves, target: Path) -> Mapping[str, object]:
    """Write it and look at it. Refused(motion.*) where the two are better sent as they are."""
    try:
        with _opened(halves.film) as film:
            made = _made(halves, film)
            with target.open("xb") as out:
                out.write(made.head)
                film.seek(0)
                while piece := film.read(_PIECE):
                    out.write(piece)
    except NotUnderstood as no:
        raise Refused(
            f"the two halves cannot be one file: {no}; they go as two files",
            code="motion.not_understood",
        ) from None
    taken = halves.still.stat()
    os.utime(target, ns=(taken.st_mtime_ns, taken.st_mtime_ns))
    found = judge(halves, target)
    if found is None:
        raise Refused(
            "what was made of the two halves is not them; they go as two files", code="motion.wrong"
        )
    return found


def judge(halves: Halves, target: Path) -> Mapping[str, object] | None:
    """What it is, with its digest; None: not these two halves, whole and findable."""
    try:
        with _opened(halves.film) as film, target.open("rb") as file:
            made = _made(halves, film)
            head = file.read(len(made.head))
            told = _told(head)
            is_told = (told.film_bytes, told.film_mime, told.at_us) == (
                made.film.size, made.film.mime, made.film.still_at_us,
            )  # fmt: skip
            whole, rest = blake3(head), blake3()
            size = len(head)
            while piece := file.read(_PIECE):
                whole.update(piece)
                rest.update(piece)
                size += len(piece)
    except NotUnderstood:
        return None
    if head != made.head or not is_told or rest.hexdigest() != halves.film_digest:
        return None
    figures = {
        "still_bytes": halves.still.stat().st_size,
        "film_bytes": told.film_bytes,
        "at_us": told.at_us,
    }
    return {"digest": whole.hexdigest(), "size": size, "figures": figures}


def _made(halves: Halves, film: BinaryIO) -> _Made:
    with _opened(halves.still) as file:
        still = file.read(MAX_STILL + 1)
    if len(still) > MAX_STILL:
        raise NotUnderstood(f"a still of more than {MAX_STILL} bytes")
    _check(blake3(still).hexdigest(), halves.still_digest)
    hasher = blake3()
    while piece := film.read(_PIECE):
        hasher.update(piece)
    _check(hasher.hexdigest(), halves.film_digest)
    found = film_of(film)
    head = motion_jpeg.head_of if still.startswith(_JPEG) else motion_heic.head_of
    return _Made(head(still, found), found)


def _told(head: bytes) -> Told:
    told: Told = (motion_jpeg.told_of if head.startswith(_JPEG) else motion_heic.told_of)(head)
    return told


def _check(found: str, wanted: str) -> None:
    if found != wanted:
        raise _changed()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise _changed() from None


def _changed() -> Refused:
    return Refused(
        "the working copy of a half is not what was hashed; the two go as two files, each from a good copy",
        code="motion.changed",
    )
