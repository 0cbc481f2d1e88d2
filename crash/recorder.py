"""Records what a run did to the disk, call by call with the bytes, in terms of inodes; and how the disk was before."""

import itertools
import os
import stat
import struct
import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from crash.calls import KINDS, Call
from crash.ptrace import memory
from crash.tracer import GO, Order

Inode: TypeAlias = int  # a serial number: the file system's own may come again
FOLLOW: Final = Order(follow=True)
_WRITES: Final = frozenset({"write", "pwrite64", "writev", "pwritev"})
_SENDS: Final = frozenset({"sendfile", "copy_file_range"})
_SYNCS: Final = frozenset({"fsync", "fdatasync"})
_MEANINGLESS: Final = frozenset(
    {"sync_file_range", "chmod", "fchmod", "fchmodat", "fchown", "ioctl"}
)


class Op(NamedTuple):
    """
    One change. `kind`: name, unname, move, write, cut, times, sync, sync-all.

    name: (folder, name, inode); unname: (folder, name); move: (folder, name, folder, name, inode); write: (inode,
    offset, bytes); cut: (inode, size); times: (inode, mtime_ns); sync: (inode).
    """

    kind: str
    args: tuple[object, ...]
    at_ns: int  # monotonic
    told: str  # the call, for the report


@dataclass
class Disk:
    """Names and bytes by inode. `mtimes` of files only."""

    root: Inode
    folders: dict[Inode, dict[str, Inode]] = field(default_factory=dict)
    files: dict[Inode, bytes] = field(default_factory=dict)
    mtimes: dict[Inode, int] = field(default_factory=dict)


class Recorder:
    """A watcher. `ops` is complete when the run is over; it may watch several runs, one after the other."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._serials: dict[tuple[int, int], Inode] = {}
        self._births = itertools.count(1)
        self._pending: dict[int, tuple[Call, tuple[object, ...]]] = {}
        self.ops: list[Op] = []
        self.unseen: set[str] = set()
        self.before = self._snapshot()

    # -- the watcher --------------------------------------------------------------------------------

    def entered(self, call: Call) -> Order:
        if not call.is_below(self._root) or call.name in _MEANINGLESS:
            return GO
        try:
            noted = self._noted(call)
        except OSError:
            return GO  # it will fail
        if noted is None:
            self.unseen.add(call.name)
            return GO
        self._pending[call.pid] = (call, noted)
        return FOLLOW

    def left(self, pid: int, result: int) -> None:
        call, noted = self._pending.pop(pid, (None, ()))
        if call is None or result < 0:
            return
        for kind, *args in self._done(call, noted, result):
            told = f"{call.name} {' '.join(p.removeprefix(self._root + '/') for p in call.paths)}"
            self.ops.append(Op(str(kind), tuple(args), time.monotonic_ns(), told))

    # -- before and after a call ----------------------------------------------------------------------

    def _noted(self, call: Call) -> tuple[object, ...] | None:  # noqa: C901, PLR0911, PLR0912 - one case a call
        """What must be known from before the call. None: this recorder does not know it."""
        args, pid, path = call.args, call.pid, call.paths[-1] if call.paths else ""
        match call.name:
            case name if name in _WRITES:
                return self._behind(call), self._offset(call), self._bytes(call)
            case name if name in _SENDS:
                out = args[2] if name == "copy_file_range" else args[0]
                if name == "copy_file_range" and args[3]:
                    return self._behind(call, out), struct.unpack("q", memory(pid, args[3], 8))[0]
                return self._behind(call, out), _position(pid, out)
            case name if name in _SYNCS or name in {"ftruncate", "fallocate"}:
                return (self._behind(call),)
            case "syncfs" | "sync":
                return ()
            case "open" | "openat" | "openat2" | "creat":
                return (os.path.lexists(path),)
            case "rename" | "renameat" | "renameat2" | "unlink" | "unlinkat" | "rmdir" | "truncate":
                return (self._serial(call.paths[0]),)
            case "link" | "linkat":
                source = call.paths[0]
                return (self._serial(source, follow=source.startswith("/proc/")),)
            case "mkdir" | "mkdirat":
                return ()
            case "utimensat":
                return (self._behind(call) if not args[1] else self._serial(path, follow=True),)
            case _:
                return None

    def _done(  # noqa: C901, PLR0911, PLR0912 - likewise
        self, call: Call, noted: tuple[object, ...], result: int
    ) -> list[tuple[object, ...]]:
        path = call.paths[-1] if call.paths else ""
        match call.name:
            case name if name in _WRITES:
                inode, offset, content = noted
                return [("write", inode, offset, content[:result])]  # type: ignore[index]
            case name if name in _SENDS:
                inode, offset = noted
                with open(call.paths[0], "rb") as file:
                    file.seek(int(str(offset)))
                    return [("write", inode, offset, file.read(result))]
            case name if name in _SYNCS:
                return [("sync", *noted)]
            case "ftruncate" | "truncate":
                return [("cut", *noted, call.args[1])]
            case "fallocate":
                return [("cut", *noted, max(os.stat(path).st_size, 0))]
            case "syncfs" | "sync":
                return [("sync-all",)]
            case "open" | "openat" | "openat2" | "creat":
                return self._opened(call, was_there=bool(noted[0]), fd=result)
            case "rename" | "renameat" | "renameat2":
                return [("move", *self._entry(call.paths[0]), *self._entry(path), *noted)]
            case "unlink" | "unlinkat" | "rmdir":
                return [("unname", *self._entry(path))]
            case "link" | "linkat" | "mkdir" | "mkdirat":
                made = noted[0] if noted else self._serial(path, new=True)
                return [("name", *self._entry(path), made)]
            case _:  # utimensat
                found = (
                    os.stat(f"/proc/{call.pid}/fd/{call.args[0]}")
                    if not call.args[1]
                    else os.stat(path)
                )
                return [("times", *noted, found.st_mtime_ns)]

    def _opened(self, call: Call, *, was_there: bool, fd: int) -> list[tuple[object, ...]]:
        path = call.paths[-1]
        if was_there:
            flags = {"creat": os.O_TRUNC, "open": call.args[1]}.get(call.name, call.args[2])
            return [("cut", self._serial(path), 0)] if flags & os.O_TRUNC else []
        found = os.stat(f"/proc/{call.pid}/fd/{fd}")
        self._serials.pop((found.st_dev, found.st_ino), None)
        inode = self._known(found)
        if not os.path.lexists(path):  # without a name (O_TMPFILE), or gone again
            return []
        return [("name", *self._entry(path), inode)]

    # -- words ----------------------------------------------------------------------------------------

    def _behind(self, call: Call, fd: int | None = None) -> Inode:
        number = call.args[max(0, KINDS[call.name].fd)] if fd is None else fd
        return self._known(os.stat(f"/proc/{call.pid}/fd/{number & 0xFFFFFFFF}"))

    def _serial(self, path: str, *, follow: bool = False, new: bool = False) -> Inode:
        found = os.stat(path, follow_symlinks=follow)
        if new:
            self._serials.pop((found.st_dev, found.st_ino), None)
        return self._known(found)

    def _known(self, found: os.stat_result) -> Inode:
        key = found.st_dev, found.st_ino
        if key not in self._serials:
            self._serials[key] = next(self._births)
        return self._serials[key]

    def _entry(self, path: str) -> tuple[Inode, str]:
        above, _, name = path.rpartition("/")
        return self._serial(above), name

    def _offset(self, call: Call) -> int:
        if call.name in {"pwrite64", "pwritev"}:
            return call.args[3]
        return _position(call.pid, call.args[0])

    def _bytes(self, call: Call) -> bytes:
        pid, address, count = call.pid, call.args[1], call.args[2]
        if call.name in {"write", "pwrite64"}:
            return memory(pid, address, count)
        pieces = struct.unpack(f"{2 * count}Q", memory(pid, address, 16 * count))
        return b"".join(memory(pid, pieces[n], pieces[n + 1]) for n in range(0, len(pieces), 2))

    def _snapshot(self) -> Disk:
        disk = Disk(self._serial(self._root))
        for above, below, names in os.walk(self._root):
            entries = disk.folders.setdefault(self._serial(above), {})
            for name in [*below, *names]:
                path = f"{above}/{name}"
                inode = entries[name] = self._serial(path)
                seen = os.lstat(path)
                if stat.S_ISREG(seen.st_mode):
                    with open(path, "rb") as file:
                        disk.files[inode] = file.read()
                    disk.mtimes[inode] = seen.st_mtime_ns
                elif stat.S_ISDIR(seen.st_mode):
                    disk.folders.setdefault(inode, {})
        return disk


def _position(pid: int, fd: int) -> int:
    number = fd & 0xFFFFFFFF
    with open(f"/proc/{pid}/fdinfo/{number}") as file:
        said = dict(line.split(":\t") for line in file.read().splitlines() if ":\t" in line)
    if int(said["flags"], 8) & os.O_APPEND:
        return os.stat(f"/proc/{pid}/fd/{number}").st_size
    return int(said["pos"])
