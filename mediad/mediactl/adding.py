"""
`add`: copies files into the drop folder; the source is left alone.

Written under a name that mediad passes over, synced, and only then given the real one; a name that is taken is never
overwritten. A folder comes with its tree; links to folders are not followed; what is no file is left out, and said.
"""

import argparse
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from mediad.mediactl.client import DONE, NO, USAGE, Client, Trouble
from mediad.mediactl.show import clean, complain, document, say, size

PIECE: Final = 1 << 20


class Item(NamedTuple):
    source: Path
    target: Path  # below incoming/
    size: int


def add(client: Client, words: argparse.Namespace) -> int:
    place = client.get("/add")
    incoming = Path(place["incoming"])
    sources = [Path(p).absolute() for p in words.paths]
    _check(sources, incoming)
    items: list[Item] = []
    left_out: list[Item] = []
    for source in sources:
        for item in _items(source):
            (items if item.size >= 0 else left_out).append(item)
    _room(items, incoming, place["reserve"])
    added = [(item.source, take(item, incoming)) for item in items]
    for item in left_out:
        complain(f"left out, it is no file: {clean(item.source)}")
    if added:
        client.post("/rescan", timeout=None)
    if words.json:
        document({
            "added": [{"source": shown(s), "path": shown(t)} for s, t in added],
            "left_out": [shown(i.source) for i in left_out],
        })  # fmt: skip
    else:
        say(f"{len(added)} files added, {size(sum(i.size for i in items))}")
    return NO if left_out and not added else DONE


def shown(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _check(sources: list[Path], incoming: Path) -> None:
    """All is looked at before anything is copied."""
    for source in sources:
        if not os.path.lexists(source):
            raise Trouble(
                f"there is no {clean(source)}; nothing was added", USAGE, remedy="check the path"
            )
        real = source.resolve()
        if real.is_relative_to(incoming.resolve()) or incoming.resolve().is_relative_to(real):
            raise Trouble(
                f"{clean(source)} is the drop folder itself, or holds it; nothing was added",
                USAGE,
                remedy="what lies in the drop folder is taken without `add`",
            )


def _items(source: Path) -> Iterator[Item]:
    """Everything to copy; what is no file with size -1."""
    if not source.is_dir():
        yield _item(source, Path(source.name))
        return
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            yield _item(path, Path(source.name) / path.relative_to(source))


def _item(path: Path, target: Path) -> Item:
    try:
        seen = path.stat()
    except OSError:
        return Item(path, target, -1)
    return Item(path, target, seen.st_size if stat.S_ISREG(seen.st_mode) else -1)


def _room(items: list[Item], incoming: Path, reserve: int) -> None:
    try:
        disk = os.statvfs(incoming)
    except OSError as fault:
        raise Trouble(f"the drop folder {incoming} cannot be used: {fault.strerror}", NO) from None
    free, needed = disk.f_bavail * disk.f_frsize, sum(i.size for i in items)
    if needed > free - min(reserve, disk.f_blocks * disk.f_frsize // 50):
        raise Trouble(
            f"{size(needed)} do not fit: the disk of {incoming} has {size(free)} free; nothing was added",
            NO,
            remedy="free some space, or add fewer files at a time",
        )


def take(item: Item, incoming: Path) -> Path:
    """One file, whole or not at all. Returns the path it got."""
    target = incoming / item.target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.parent / f".mediactl-{os.getpid()}-{os.urandom(4).hex()}.part"
        try:
            _copy(item.source, part)
            final = named(part, target)
        finally:
            part.unlink(missing_ok=True)
        sync(target.parent)
    except OSError as fault:
        raise Trouble(
            f"{clean(item.source)} could not be added: {fault.strerror}; the source is as it was",
            NO,
            remedy="you need the right to write into the drop folder (group mediad), and space there",
        ) from None
    return final


def _copy(source: Path, part: Path) -> None:
    with source.open("rb") as read, part.open("xb") as write:
        while piece := read.read(PIECE):
            write.write(piece)
        write.flush()
        seen = os.fstat(read.fileno())
        os.utime(write.fileno(), ns=(seen.st_atime_ns, seen.st_mtime_ns))
        os.fsync(write.fileno())


def named(part: Path, target: Path) -> Path:
    """The first free of NAME, NAME-1, NAME-2 …: a hard link never replaces anything."""
    n = 0
    while True:
        final = target if n == 0 else target.with_name(f"{target.stem}-{n}{target.suffix}")
        try:
            os.link(part, final)
        except FileExistsError:
            n += 1
        except OSError as fault:
            if fault.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}:
                raise
            return _reserved(part, final)
        else:
            return final


def _reserved(part: Path, final: Path) -> Path:
    """On a file system without hard links: take the name first, then put the file there."""
    try:
        final.open("xb").close()
    except FileExistsError:
        return _reserved(part, final.with_name(f"{final.stem}-{os.urandom(2).hex()}{final.suffix}"))
    part.replace(final)
    return final


def sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
