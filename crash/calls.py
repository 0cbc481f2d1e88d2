"""The system calls that change a disk: their numbers on x86_64, and where each names what it changes."""

import ctypes
import os
import struct
from typing import Final, NamedTuple

from crash.ptrace import Registers, memory, text_at

AT_FDCWD: Final = 0xFFFFFF9C
FICLONE: Final = frozenset({0x40049409, 0x4020940D})
CHANGES: Final = os.O_CREAT | os.O_TRUNC


class Kind(NamedTuple):
    """`fd`, `paths`: which argument is a descriptor; which pairs (folder, name) are names. -1: no folder is given."""

    number: int
    fd: int = -1
    paths: tuple[tuple[int, int], ...] = ()
    length: int = -1  # the argument that says how many bytes, where fewer may be written


KINDS: Final = {
    "write": Kind(1, fd=0, length=2),
    "pwrite64": Kind(18, fd=0, length=2),
    "writev": Kind(20, fd=0),
    "pwritev": Kind(296, fd=0),
    "pwritev2": Kind(328, fd=0),
    "sendfile": Kind(40, fd=0, length=3),
    "copy_file_range": Kind(326, fd=2, length=4),
    "splice": Kind(275, fd=2, length=4),
    "ioctl": Kind(16, fd=0),  # of these only the cloning of blocks
    "truncate": Kind(76, paths=((-1, 0),)),
    "ftruncate": Kind(77, fd=0),
    "fallocate": Kind(285, fd=0),
    "fsync": Kind(74, fd=0),
    "fdatasync": Kind(75, fd=0),
    "sync_file_range": Kind(277, fd=0),
    "syncfs": Kind(306, fd=0),
    "sync": Kind(162),
    "open": Kind(2, paths=((-1, 0),)),
    "openat": Kind(257, paths=((0, 1),)),
    "openat2": Kind(437, paths=((0, 1),)),
    "creat": Kind(85, paths=((-1, 0),)),
    "rename": Kind(82, paths=((-1, 0), (-1, 1))),
    "renameat": Kind(264, paths=((0, 1), (2, 3))),
    "renameat2": Kind(316, paths=((0, 1), (2, 3))),
    "unlink": Kind(87, paths=((-1, 0),)),
    "unlinkat": Kind(263, paths=((0, 1),)),
    "rmdir": Kind(84, paths=((-1, 0),)),
    "link": Kind(86, paths=((-1, 0), (-1, 1))),
    "linkat": Kind(265, paths=((0, 1), (2, 3))),
    "symlink": Kind(88, paths=((-1, 1),)),
    "symlinkat": Kind(266, paths=((1, 2),)),
    "mkdir": Kind(83, paths=((-1, 0),)),
    "mkdirat": Kind(258, paths=((0, 1),)),
    "chmod": Kind(90, paths=((-1, 0),)),
    "fchmod": Kind(91, fd=0),
    "fchmodat": Kind(268, paths=((0, 1),)),
    "fchown": Kind(93, fd=0),
    "utimensat": Kind(280, paths=((0, 1),)),  # without a name it is about the descriptor
    "setxattr": Kind(188, paths=((-1, 0),)),
    "fsetxattr": Kind(190, fd=0),
}
NAMES: Final = {kind.number: name for name, kind in KINDS.items()}
OPENS: Final = frozenset({"open", "openat", "openat2", "creat"})
# What a full disk refuses; what a disk that fails refuses is everything.
GROWS: Final = frozenset({
    "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range", "fallocate", "creat", "open",
    "openat", "mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2", "symlink", "symlinkat",
})  # fmt: skip


class Call(NamedTuple):
    """One system call that is about to happen."""

    name: str
    pid: int
    args: tuple[int, ...]
    paths: tuple[str, ...]  # absolute; of a descriptor: what it is open on

    def is_below(self, root: str) -> bool:
        return any(p == root or p.startswith(root + "/") for p in self.paths) or not self.paths


def filter_program() -> ctypes.Array[ctypes.c_char]:
    """A seccomp filter that stops at these calls and at no other; at an `openat` only where it makes or empties."""
    load, jump_equal, jump_set, give = 0x20, 0x15, 0x45, 0x06
    allow, trace = 0x7FFF0000, 0x7FF00000
    numbers = sorted(kind.number for name, kind in KINDS.items() if name != "openat")
    steps: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 0),
        (jump_equal, 0, 2, KINDS["openat"].number),
        (load, 0, 0, 16 + 8 * 2),
        (jump_set, len(numbers) + 1, len(numbers), CHANGES | (os.O_TMPFILE & ~os.O_DIRECTORY)),
        *((jump_equal, len(numbers) - n, 0, number) for n, number in enumerate(numbers)),
        (give, 0, 0, allow),
        (give, 0, 0, trace),
    ]
    return ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))


def about_to(pid: int, registers: Registers) -> Call | None:
    """None: it cannot change anything on a disk."""
    name = NAMES.get(registers.orig_rax)
    if name is None:
        return None
    args = registers.arguments
    try:
        if name == "ioctl" and args[1] not in FICLONE:
            return None
        if name in OPENS and not _changes(pid, name, args):
            return None
        return Call(name, pid, args, _paths(pid, KINDS[name], args))
    except OSError:  # a descriptor that is not open: the kernel will say so
        return None


def _changes(pid: int, name: str, args: tuple[int, ...]) -> bool:
    match name:
        case "creat":
            flags = CHANGES
        case "open":
            flags = args[1]
        case "openat":
            flags = args[2]
        case _:
            [flags] = struct.unpack("Q", memory(pid, args[2], 8))
    return bool(flags & (CHANGES | (os.O_TMPFILE & ~os.O_DIRECTORY)))


def _paths(pid: int, kind: Kind, args: tuple[int, ...]) -> tuple[str, ...]:
    if kind.fd >= 0:
        return (descriptor(pid, args[kind.fd]),)
    return tuple(
        path_at(pid, AT_FDCWD if folder < 0 else args[folder], args[name])
        for folder, name in kind.paths
    )


def descriptor(pid: int, fd: int) -> str:
    return os.readlink(f"/proc/{pid}/fd/{fd & 0xFFFFFFFF}").removesuffix(" (deleted)")


def path_at(pid: int, folder: int, address: int) -> str:
    name = text_at(pid, address) if address else ""
    if name.startswith("/"):
        return os.path.normpath(name)
    is_here = folder & 0xFFFFFFFF == AT_FDCWD
    above = os.readlink(f"/proc/{pid}/cwd") if is_here else descriptor(pid, folder)
    return os.path.normpath(f"{above}/{name}")
