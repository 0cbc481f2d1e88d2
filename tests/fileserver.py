"""
A file server that can fail: `fileserver BACKING MOUNT ORDER` passes BACKING through, as the file ORDER says it should.

ORDER holds one of: ok, stall (no answer until it says something else), eio, enospc, slow=MS, corrupt (a flipped bit in
the first byte of every read). It speaks the kernel's FUSE protocol by itself, so that it needs nothing but root. One
process, for it must not hang with those whom it lets hang; a thread a request, for a stalled one must not stall others.
"""
# Names are bytes here, as the kernel says them.
# ruff: noqa: PTH101, PTH102, PTH106, PTH104, PTH108, PTH208

import ctypes
import errno
import os
import signal
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_IN: Final = struct.Struct("<IIQQIIIHH")  # length, opcode, unique, node, uid, gid, pid, …
_OUT: Final = struct.Struct("<IiQ")
_ATTR: Final = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY: Final = struct.Struct("<QQQQII")
_WRITES: Final = frozenset({"create", "mkdir", "write", "link", "rename", "setattr", "fsync"})
_PAGE: Final = 128 << 10
_ROOT: Final = 1
_ATOMIC_O_TRUNC: Final = 1 << 3
_BIG_WRITES: Final = 1 << 5
_SIZE, _MTIME, _MTIME_NOW, _MODE = 1 << 3, 1 << 5, 1 << 8, 1 << 0  # of a setattr


class Failed(Exception):
    def __init__(self, number: int) -> None:
        self.number = number


class Server:
    def __init__(self, backing: Path, order: Path, fd: int) -> None:
        self._backing = os.fsencode(backing)
        self._order = order
        self._fd = fd
        self._paths: dict[int, bytes] = {_ROOT: b""}
        self._nodes: dict[bytes, int] = {b"": _ROOT}
        self._lock = threading.Lock()
        self._acts: dict[int, tuple[str, Callable[[int, bytes], bytes]]] = {
            1: ("lookup", self._lookup), 3: ("getattr", self._getattr), 4: ("setattr", self._setattr),
            9: ("mkdir", self._mkdir), 10: ("unlink", self._unlink), 11: ("rmdir", self._rmdir),
            12: ("rename", self._rename), 13: ("link", self._link), 14: ("open", self._open),
            15: ("read", self._read), 16: ("write", self._write), 17: ("statfs", self._statfs),
            18: ("release", self._release), 20: ("fsync", self._fsync), 25: ("flush", lambda *_: b""),
            27: ("opendir", lambda *_: bytes(16)), 28: ("readdir", self._readdir),
            29: ("releasedir", lambda *_: b""), 30: ("fsyncdir", self._fsyncdir), 35: ("create", self._create),
            45: ("rename", self._rename2),
        }  # fmt: skip

    def serve(self) -> None:
        """Until the mount is gone."""
        while True:
            try:
                request = os.read(self._fd, _PAGE * 2)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in {errno.EINTR, errno.ENOENT, errno.EAGAIN}:
                    continue
                raise
            head = _IN.unpack_from(request)
            op, unique, node = head[1], head[2], head[3]
            if op == 26:  # INIT
                self._say(unique, 0, self._hello(request[_IN.size :]))
            elif op not in {2, 36, 42}:  # FORGET, INTERRUPT and BATCH_FORGET want no answer
                asked = (op, unique, node, request[_IN.size :])
                threading.Thread(target=self._answer, args=asked, daemon=True).start()

    def _hello(self, body: bytes) -> bytes:
        flags = struct.unpack_from("<IIII", body)[3] & (_ATOMIC_O_TRUNC | _BIG_WRITES)
        return struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, flags, 64, 48, _PAGE, 1, 32, 0, 0, *[0] * 7)

    def _answer(self, op: int, unique: int, node: int, body: bytes) -> None:
        try:
            name, act = self._acts[op]
            self._obey(name)
            said, number = act(node, body), 0
        except KeyError:
            said, number = b"", errno.ENOSYS
        except Failed as failed:
            said, number = b"", failed.number
        except OSError as error:
            said, number = b"", error.errno or errno.EIO
        self._say(unique, -number, said)

    def _say(self, unique: int, number: int, said: bytes) -> None:
        with suppress(OSError):  # who asked is gone, or the mount is
            os.write(self._fd, _OUT.pack(_OUT.size + len(said), number, unique) + said)

    def _obey(self, name: str) -> None:
        while (order := self._order.read_text().strip()) == "stall":
            time.sleep(0.02)
        if order == "eio":
            raise Failed(errno.EIO)
        if order == "enospc" and name in _WRITES:
            raise Failed(errno.ENOSPC)
        if order.startswith("slow="):
            time.sleep(int(order[5:]) / 1000)

    # -- the calls ---------------------------------------------------------------------------------

    def _at(self, node: int, name: bytes = b"") -> bytes:
        with self._lock:
            return b"/".join(p for p in (self._backing, self._paths[node], name) if p)

    def _node(self, path: bytes) -> int:
        with self._lock:
            key = path[len(self._backing) + 1 :]
            if key not in self._nodes:
                self._nodes[key] = len(self._nodes) + _ROOT
                self._paths[self._nodes[key]] = key
            return self._nodes[key]

    def _attr(self, path: bytes) -> bytes:
        s = os.lstat(path)
        times = [
            (int(ns // 10**9), int(ns % 10**9))
            for ns in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns)
        ]
        return _ATTR.pack(
            s.st_ino, s.st_size, s.st_blocks, *(t[0] for t in times), *(t[1] for t in times),
            s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_rdev, 4096, 0,
        )  # fmt: skip

    def _entry(self, path: bytes) -> bytes:
        attr = self._attr(path)
        return _ENTRY.pack(self._node(path), 0, 0, 0, 0, 0) + attr

    def _lookup(self, node: int, body: bytes) -> bytes:
        return self._entry(self._at(node, body.rstrip(b"\0")))

    def _getattr(self, node: int, _: bytes) -> bytes:
        return bytes(16) + self._attr(self._at(node))

    def _setattr(self, node: int, body: bytes) -> bytes:
        valid, _, _, size, _, _, mtime, _, _, mtime_ns, _, mode = struct.unpack_from(
            "<IIQQQQQQIIII", body
        )
        path = self._at(node)
        if valid & _SIZE:
            os.truncate(path, size)
        if valid & _MODE:
            os.chmod(path, stat.S_IMODE(mode))
        if valid & _MTIME_NOW:
            os.utime(path)
        elif valid & _MTIME:
            os.utime(path, ns=(mtime * 10**9 + mtime_ns,) * 2)
        return self._getattr(node, b"")

    def _mkdir(self, node: int, body: bytes) -> bytes:
        path = self._at(node, body[8:].rstrip(b"\0"))
        os.mkdir(path, struct.unpack_from("<I", body)[0] & 0o7777)
        return self._entry(path)

    def _unlink(self, node: int, body: bytes) -> bytes:
        os.unlink(self._at(node, body.rstrip(b"\0")))
        return b""

    def _rmdir(self, node: int, body: bytes) -> bytes:
        os.rmdir(self._at(node, body.rstrip(b"\0")))
        return b""

    def _rename(self, node: int, body: bytes) -> bytes:
        return self._renamed(node, struct.unpack_from("<Q", body)[0], body[8:])

    def _rename2(self, node: int, body: bytes) -> bytes:
        to, flags = struct.unpack_from("<QI", body)
        if flags:
            raise Failed(errno.EINVAL)  # as a NAS over NFS answers
        return self._renamed(node, to, body[16:])

    def _renamed(self, node: int, to: int, names: bytes) -> bytes:
        old, new = names.split(b"\0")[:2]
        source, target = self._at(node, old), self._at(to, new)
        os.rename(source, target)
        moved = self._node(source)
        with self._lock:
            key = target[len(self._backing) + 1 :]
            self._nodes.pop(self._paths[moved], None)
            self._nodes[key], self._paths[moved] = moved, key
            self._nodes[b"\0%d" % moved] = moved  # so that no number is given twice
        return b""

    def _link(self, node: int, body: bytes) -> bytes:
        source, target = (
            self._at(struct.unpack_from("<Q", body)[0]),
            self._at(node, body[8:].rstrip(b"\0")),
        )
        os.link(source, target)
        return self._entry(target)

    def _open(self, node: int, body: bytes) -> bytes:
        flags = struct.unpack_from("<I", body)[0] & ~(os.O_APPEND | os.O_DIRECT | os.O_NOFOLLOW)
        return struct.pack("<QII", os.open(self._at(node), flags), 0, 0)

    def _create(self, node: int, body: bytes) -> bytes:
        flags, mode = struct.unpack_from("<II", body)
        path = self._at(node, body[16:].rstrip(b"\0"))
        fd = os.open(path, (flags | os.O_CREAT) & ~(os.O_APPEND | os.O_DIRECT), mode & 0o7777)
        return self._entry(path) + struct.pack("<QII", fd, 0, 0)

    def _read(self, _: int, body: bytes) -> bytes:
        fd, offset, size = struct.unpack_from("<QQI", body)
        said = os.pread(fd, size, offset)
        is_corrupt = said and not offset and self._order.read_text().strip() == "corrupt"
        return bytes([said[0] ^ 1]) + said[1:] if is_corrupt else said

    def _write(self, _: int, body: bytes) -> bytes:
        fd, offset, size = struct.unpack_from("<QQI", body)
        return struct.pack("<II", os.pwrite(fd, body[40 : 40 + size], offset), 0)

    def _statfs(self, *_: object) -> bytes:
        s = os.statvfs(self._backing)
        return struct.pack(
            "<QQQQQIIII6I", s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_bsize, 255,
            s.f_frsize, 0, *[0] * 6,
        )  # fmt: skip

    def _release(self, _: int, body: bytes) -> bytes:
        os.close(struct.unpack_from("<Q", body)[0])
        return b""

    def _fsync(self, _: int, body: bytes) -> bytes:
        os.fsync(struct.unpack_from("<Q", body)[0])
        return b""

    def _fsyncdir(self, node: int, _: bytes) -> bytes:
        fd = os.open(self._at(node), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return b""

    def _readdir(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        names = [b".", b"..", *sorted(os.listdir(self._at(node)))]
        said = b""
        for number, name in enumerate(names[offset:], offset + 1):
            record = struct.pack("<QQII", 1, number, len(name), 0) + name
            record += bytes(-len(record) % 8)
            if len(said) + len(record) > size:
                break
            said += record
        return said


def mounted(mount: Path) -> int:
    """The kernel's end of a new mount there."""
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other,max_read={_PAGE}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"nas", os.fsencode(mount), b"fuse.nas", 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(mount))
    return fd


def main(backing: str, mount: str, order: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(Path(backing).absolute(), Path(order), mounted(Path(mount)))
    sys.stdout.write("mounted\n")
    sys.stdout.flush()
    server.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
