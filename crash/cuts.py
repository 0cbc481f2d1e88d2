"""
What a disk may hold after the power went, for every moment of a recorded run. Each model obeys fsync.

worst  only what an fsync of the file, an fsync of the folder, or a syncfs made durable, entry by entry
jmin   names in order, up to the last sync of anything; bytes of synced files only   (a journal, as old as it may be)
jmax   names in order, up to now; bytes of synced files only                       (a journal, as new as it may be)
torn   names in order, up to some moment since the last sync; any 4 KiB of what was written and not synced
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from crash.recorder import Disk, Inode, Op

MODELS: Final = ("worst", "jmin", "jmax", "torn")
PAGE: Final = 4096
OLD_NS: Final = 1_000_000_000_000_000_000  # what a file's time is when nobody made it durable

# By path: the bytes and the mtime of a file; None: a folder.
Tree = Mapping[str, tuple[bytes, int] | None]


class Cut(NamedTuple):
    """The power went after the nth change."""

    nth: int
    model: str
    tree: Tree
    at_ns: int  # of the last change before it
    told: str


class _Names:
    def __init__(self, folders: Mapping[Inode, Mapping[str, Inode]]) -> None:
        self.of = {inode: dict(entries) for inode, entries in folders.items()}

    def copy(self) -> "_Names":
        return _Names(self.of)

    def apply(self, op: Op, folders: frozenset[Inode]) -> None:
        args: Any = op.args
        match op.kind:
            case "name":
                self.of.setdefault(args[0], {})[args[1]] = args[2]
                if args[2] in folders:
                    self.of.setdefault(args[2], {})
            case "unname":
                self.of.get(args[0], {}).pop(args[1], None)
            case "move":
                self.of.get(args[0], {}).pop(args[1], None)
                self.of.setdefault(args[2], {})[args[3]] = args[4]
            case _:
                pass  # about bytes


class _Bytes:
    """Content and time by inode, and what of it was not synced."""

    def __init__(self, disk: Disk) -> None:
        self.now, self.safe = dict(disk.files), dict(disk.files)
        self.times, self.safe_times = dict(disk.mtimes), dict(disk.mtimes)
        self.loose: dict[
            Inode, list[tuple[int, bytes | None]]
        ] = {}  # (offset, page) or (size, None)

    def apply(self, op: Op) -> None:
        args: Any = op.args
        match op.kind:
            case "write":
                inode, offset, content = args
                self.now[inode] = written(self.now.get(inode, b""), offset, content)
                pages = range(0, len(content), PAGE)
                self._loosen(inode, [(offset + n, content[n : n + PAGE]) for n in pages])
            case "cut":
                inode, size = args
                self.now[inode] = cut(self.now.get(inode, b""), size)
                self._loosen(inode, [(size, None)])
            case "times":
                self.times[args[0]] = args[1]
            case _:
                pass  # about names

    def sync(self, inode: Inode) -> None:
        self.safe[inode] = self.now.get(inode, b"")
        self.safe_times[inode] = self.times.get(inode, OLD_NS)
        self.loose.pop(inode, None)

    def torn(self, chance: random.Random) -> dict[Inode, bytes]:
        found = dict(self.safe)
        for inode, pieces in self.loose.items():
            content = found.get(inode, b"")
            for where, piece in pieces:
                if chance.random() < 0.5:  # noqa: PLR2004 - a coin
                    content = (
                        cut(content, where) if piece is None else written(content, where, piece)
                    )
            found[inode] = content
        return found

    def _loosen(self, inode: Inode, pieces: Sequence[tuple[int, bytes | None]]) -> None:
        self.loose.setdefault(inode, []).extend(pieces)


def written(content: bytes, offset: int, piece: bytes) -> bytes:
    content = content.ljust(offset, b"\0")
    return content[:offset] + piece + content[offset + len(piece) :]


def cut(content: bytes, size: int) -> bytes:
    return content[:size].ljust(size, b"\0")


def cuts(before: Disk, ops: Sequence[Op], models: Sequence[str], seeds: int) -> Iterator[Cut]:
    """After each change, and before the first."""
    made: list[Any] = [op.args[2] for op in ops if op.told.startswith("mkdir")]
    disk = _Disk(before, frozenset({*before.folders, *made}))
    yield from disk.cuts("the start", models, seeds)
    for op in ops:
        disk.apply(op)
        yield from disk.cuts(op.told, models, seeds)


class _Disk:
    """The same changes under every model."""

    def __init__(self, before: Disk, folders: frozenset[Inode]) -> None:
        self._root, self._folders = before.root, folders
        self._now, self._safe = (
            _Names(before.folders),
            _Names(before.folders),
        )  # safe: entry by entry
        self._synced = self._now.copy()  # as they stood at the last sync of anything
        self._since: list[Op] = []  # the changes after it
        self._content = _Bytes(before)
        self._nth = self._at_ns = 0

    def apply(self, op: Op) -> None:
        self._nth, self._at_ns = self._nth + 1, op.at_ns
        self._now.apply(op, self._folders)
        self._content.apply(op)
        self._since.append(op)
        if op.kind in {"sync", "sync-all"}:
            self._sync(op)
            self._synced, self._since = self._now.copy(), []

    def cuts(self, told: str, models: Sequence[str], seeds: int) -> Iterator[Cut]:
        content = self._content
        trees = {
            "worst": lambda: self._tree(self._safe, content.safe, content.safe_times),
            "jmin": lambda: self._tree(self._synced, content.safe, content.safe_times),
            "jmax": lambda: self._tree(self._now, content.safe, content.times),
        }
        for model in models:
            if model in trees:
                yield Cut(self._nth, model, trees[model](), self._at_ns, told)
        for seed in range(seeds) if "torn" in models else ():
            chance = random.Random(self._nth * 1000 + seed)  # noqa: S311 - the same in every run
            some = self._synced.copy()
            for later in self._since[: chance.randint(0, len(self._since))]:
                some.apply(later, self._folders)
            tree = self._tree(some, content.torn(chance), content.times)
            yield Cut(self._nth, "torn", tree, self._at_ns, told)

    def _sync(self, op: Op) -> None:
        everything = {*self._now.of, *self._safe.of, *self._content.now}
        synced: Any = everything if op.kind == "sync-all" else op.args
        for inode in synced:
            if inode in self._folders:
                self._safe.of[inode] = dict(self._now.of.get(inode, {}))
            else:
                self._content.sync(inode)

    def _tree(
        self, names: _Names, files: Mapping[Inode, bytes], times: Mapping[Inode, int]
    ) -> Tree:
        found: dict[str, tuple[bytes, int] | None] = {}
        todo = [(self._root, "")]
        while todo:
            inode, above = todo.pop()
            for name, below in names.of.get(inode, {}).items():
                if below in self._folders:
                    found[above + name] = None
                    todo.append((below, f"{above}{name}/"))
                else:
                    found[above + name] = files.get(below, b""), times.get(below, OLD_NS)
        return found
