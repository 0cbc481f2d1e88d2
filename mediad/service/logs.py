"""The log as mediad keeps it in the state folder: its last lines, and those that are being added."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from mediad.ports import Clock

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
LOOK_EVERY_S: Final = 0.3
_TAIL_BYTES: Final = 1 << 20
_MOST_BYTES: Final = 1 << 20  # read at once when following


def parsed(line: bytes) -> dict[str, Any] | None:
    """One line of the log; None for what is no whole line of ours."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def is_loud_enough(line: dict[str, Any], level: str) -> bool:
    said = str(line.get("level", "info"))
    return said not in LEVELS or LEVELS.index(said) >= LEVELS.index(level)


def tail(path: Path, most: int, level: str) -> tuple[list[dict[str, Any]], int]:
    """The last lines that are loud enough, and how far the file was read."""
    raw, size = _end_of(path)
    whole = raw[: raw.rfind(b"\n") + 1]
    lines = list(_loud(whole, level))
    if len(lines) < most:  # the part that was set aside last
        older, _ = _end_of(path.with_name(f"{path.name}.1"))
        lines = [*_loud(older, level), *lines]
    return lines[max(0, len(lines) - most) :], size - (len(raw) - len(whole))


def _end_of(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES), size
    except FileNotFoundError:
        return b"", 0


def _loud(raw: bytes, level: str) -> Iterator[dict[str, Any]]:
    for line in raw.splitlines():
        said = parsed(line)
        if said is not None and is_loud_enough(said, level):
            yield said


async def follow(
    path: Path, most: int, level: str, clock: Clock
) -> AsyncIterator[dict[str, Any] | None]:
    """The last lines, then every new one; None when there was nothing new for a moment. Survives rotation."""
    lines, at = await anyio.to_thread.run_sync(tail, path, most, level)
    inode = await anyio.to_thread.run_sync(_inode, path)
    while True:
        for line in lines:
            yield line
        if not lines:
            yield None
            await clock.sleep(LOOK_EVERY_S)
        now = await anyio.to_thread.run_sync(_inode, path)
        if now != inode:  # set aside meanwhile: the new file is read from its start
            inode, at = now, 0
        raw = await anyio.to_thread.run_sync(_read_from, path, at)
        whole = raw[: raw.rfind(b"\n") + 1]
        at += len(whole)
        lines = list(_loud(whole, level))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _read_from(path: Path, at: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(_MOST_BYTES)
    except FileNotFoundError:
        return b""
