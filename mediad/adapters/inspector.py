"""
What a file is, whether it is whole, and when it was taken: read from the file itself, in threads, within bounds.

No picture is decoded here. Whatever foreign bytes do, the answer is an Inspection; errors are only about reaching the
file. What is damaged inside but complete is found later, by decoding.
"""

import errno
import os
import re
import stat
import struct
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.exiftool import ExifTool
from mediad.adapters.headers_base import Header, Source
from mediad.adapters.headers_xmp import MAX_SIDECAR, read_sidecar
from mediad.adapters.sniff import extension_for, sniff, what_else
from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Captured, Claim, Inspection, Media, Place

Believe: TypeAlias = Callable[[Sequence[Claim], str], tuple[Captured | None, str]]
"""policy.dates.believe with its clock: the claims and the file's name to a date and a note."""

MAX_PIXELS = 220_000_000
_LOT = 32  # files that one visit to a thread looks at
_THREADS = 2  # one waits for the disk while the other thinks
_SIDECARS = frozenset({".aae", ".xmp", ".json"})
_MORE_KNOWN_ELSEWHERE = frozenset({Media.RAW, Media.TIFF, Media.AVI, Media.MATROSKA, Media.MPEG})
_CONTENT_ID = re.compile(r"[0-9A-Za-z._:\-]{4,64}")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class FileInspector:
    """ports.Inspector over real folders. `path_of` says where a place is."""

    def __init__(
        self,
        path_of: Callable[[Place], Path],
        *,
        believe: Believe,
        limiter: CapacityLimiter | None = None,
        exiftool: ExifTool | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self._path_of = path_of
        self._believe = believe
        self._limiter = limiter or CapacityLimiter(_THREADS)
        self._exiftool = exiftool
        self._max_pixels = max_pixels

    async def inspect(
        self, places: Sequence[tuple[Place, str]]
    ) -> Sequence[Inspection | MediadError]:
        lots = [places[n : n + _LOT] for n in range(0, len(places), _LOT)]
        answers: list[list[Inspection | MediadError]] = [[] for _ in lots]

        async def look(nth: int) -> None:
            answers[nth] = await run_sync(self._lot, lots[nth], limiter=self._limiter)

        async with anyio.create_task_group() as group:
            for nth in range(len(lots)):
                group.start_soon(look, nth)
        return [answer for lot in answers for answer in lot]

    def close(self) -> None:
        """End exiftool, if it runs."""
        if self._exiftool is not None:
            self._exiftool.close()

    def _lot(self, places: Sequence[tuple[Place, str]]) -> list[Inspection | MediadError]:
        return [self._one(self._path_of(place), name) for place, name in places]

    def _one(self, path: Path, name: str) -> Inspection | MediadError:
        try:
            fd = os.open(path, _OPEN)
        except OSError as error:
            return _unreachable(error, name)
        try:
            return self._opened(fd, name)
        except OSError as error:
            return _unreachable(error, name)
        finally:
            os.close(fd)

    def _opened(self, fd: int, name: str) -> Inspection | MediadError:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            return _no_file(name)
        if seen.st_size == 0:
            return Inspection(None, flaw="intake.empty", flaw_detail="the file has no bytes")
        form = header(Source(fd, seen.st_size), name)
        captured, note = self._believe(form.claims, name)
        if captured is None and self._exiftool is not None and _is_worth_asking(form):
            answer = self._exiftool.ask(fd)
            form.width, form.height = form.width or answer.width, form.height or answer.height
            form.duration_s = form.duration_s or answer.duration_s
            captured, note = self._believe([*form.claims, *answer.claims], name)
        return self._inspection(form, name, captured, note)

    def _inspection(
        self, form: Header, name: str, captured: Captured | None, note: str
    ) -> Inspection:
        flaw, detail = self._flaw(form)
        return Inspection(
            form.media,
            extension_for(form.extension, name),
            form.width,
            form.height,
            form.duration_s,
            form.content_id if _CONTENT_ID.fullmatch(form.content_id) else "",
            captured,
            flaw,
            detail,
            note,
        )

    def _flaw(self, form: Header) -> tuple[str, str]:
        if form.media is None:
            return "intake.not_media", f"it is {form.not_media}"
        if form.cut:
            return "intake.truncated", form.cut
        if form.width * form.height > self._max_pixels:
            size = f"{form.width} x {form.height} pixels"
            return "intake.too_many_pixels", f"{size}; {self._max_pixels} are allowed"
        return "", ""


def header(source: Source, name: str) -> Header:
    """What the file says about itself. Never raises for what is in it."""
    known = sniff(source.head)
    if known is None:
        return _sidecar(source, name) or Header(None, not_media=what_else(source.head))
    form, read = known
    try:
        read(source, form)
    except (NotUnderstood, struct.error, ValueError, IndexError, OverflowError):
        form.is_partial = (
            True  # kept as what it says it is, with what was read so far: decoding will tell
        )
    return form


def _sidecar(source: Source, name: str) -> Header | None:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _SIDECARS or source.size > MAX_SIDECAR:
        return None
    return read_sidecar(source[0 : source.size], suffix)


def _is_worth_asking(form: Header) -> bool:
    if form.media in {None, Media.SIDECAR} or form.cut:
        return False
    return form.is_partial or form.media in _MORE_KNOWN_ELSEWHERE


def _unreachable(error: OSError, name: str) -> Inspection | MediadError:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Inspection(
            None,
            flaw="intake.unreadable",
            flaw_detail="mediad may not read it: give it leave (owner, group or mode of the file)",
        )
    if error.errno in {errno.ELOOP, errno.ENXIO, errno.ENODEV}:
        return _no_file(name)
    if error.errno == errno.ENOENT:
        return Retryable(
            f"{shown(name)} is no longer there; nothing was done to it", code="io.gone"
        )
    return Retryable(
        f"{shown(name)} could not be read ({error.strerror}); it stays where it is",
        code="io.error",
        remedy="look at the disk or the network share, mediad tries again by itself",
    )


def _no_file(name: str) -> Refused:
    return Refused(
        f"{shown(name)} is a link or a device and no file of its own; it is left alone",
        code="intake.not_regular",
        remedy="put the file itself into the folder",
    )


def shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8", "replace")
