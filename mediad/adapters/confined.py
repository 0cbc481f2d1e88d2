"""
Without a network: what decodes foreign bytes has nobody to talk to, whatever those bytes make it do.

A seccomp filter refuses every new socket, and io_uring, which could make one by another way. It holds for the thread
that asks for it and for all that this thread starts, for good; so programs are started by a thread that exists for
nothing else. Where the kernel has no such filters everything works as before, and the doctor says so.
"""

import ctypes
import errno
import platform
import struct
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

# The classic BPF of linux/filter.h, and what linux/seccomp.h makes of it.
_LOAD_WORD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EACCES
_NUMBER_AT: Final = 0  # in struct seccomp_data
_ARCHITECTURE_AT: Final = 4
_FOREIGN: Final = 0x40000000  # from here on x32's calls, another way to the same ones

# machine: AUDIT_ARCH_…, then the numbers of socket and io_uring_setup
_MACHINES: Final = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def shut_network() -> bool:
    """No new socket for this thread and what it starts from now on. False where the kernel cannot do that."""
    known = _MACHINES.get(platform.machine())
    if known is None:
        return False
    code = _filter(*known)
    program = _Program(len(code) // 8, code)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    at = ctypes.addressof(program)
    alone = prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    shut = prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, at, 0, 0)
    return bool(alone == 0 == shut)


def _filter(architecture: int, *refused: int) -> bytes:
    """Each instruction: what, how many to skip if it is so and if not, with which value."""
    last = len(refused) + 5  # the index of "refuse"; "allow" stands before it
    steps = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 0, last - 2, architecture),
        (_LOAD_WORD, 0, 0, _NUMBER_AT),
        (_JUMP_IF_AT_LEAST, last - 4, 0, _FOREIGN),
        *((_JUMP_IF_EQUAL, last - 5 - n, 0, call) for n, call in enumerate(refused)),
    ]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


class _Starter:
    """Its thread lives as long as this process does, which programs that die with their parent's thread count on."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "starter")
        self.is_shut = self._thread.submit(shut_network).result()

    def start(self, argv: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
        def started() -> subprocess.Popen[bytes]:
            return subprocess.Popen(argv, **how)  # noqa: S603 - a list, never a shell

        return self._thread.submit(started).result()


_starter = cache(_Starter)


def start(argv: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
    """`subprocess.Popen`, for a program that gets no network."""
    return _starter().start(argv, **how)


def is_shut() -> bool:
    """Does `start` keep what it promises on this machine?"""
    return _starter().is_shut
