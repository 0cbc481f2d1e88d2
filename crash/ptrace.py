"""ptrace(2) and what is read through it, for x86_64: no policy."""

import ctypes
import os
import signal
from typing import Final

PTRACE_TRACEME: Final = 0
PTRACE_CONT: Final = 7
PTRACE_GETREGS: Final = 12
PTRACE_SETREGS: Final = 13
PTRACE_SYSCALL: Final = 24
PTRACE_SETOPTIONS: Final = 0x4200
EVENT_SECCOMP: Final = 7
SYSCALL_STOP: Final = signal.SIGTRAP | 0x80
# Threads, children and what they exec are ours too; all of them die with us.
_OPTIONS: Final = 0x100000 | 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x80
_NO_NEW_PRIVS, _SECCOMP, _FILTER, _PDEATHSIG = 38, 22, 2, 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


_NAMES: Final = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax",
    "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip
_ARGUMENTS: Final = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Registers(ctypes.Structure):
    """struct user_regs_struct."""

    _fields_ = tuple((name, ctypes.c_ulonglong) for name in _NAMES)
    orig_rax: int
    rax: int

    @property
    def arguments(self) -> tuple[int, ...]:
        return tuple(getattr(self, name) for name in _ARGUMENTS)

    @property
    def result(self) -> int:
        return ctypes.c_longlong(self.rax).value

    def refuse(self, number: int) -> None:
        """The call does not happen, and says this errno."""
        self.orig_rax = 2**64 - 1
        self.rax = 2**64 - number

    def shorten(self, argument: int, length: int) -> None:
        setattr(self, _ARGUMENTS[argument], length)


def die_with_parent() -> None:
    _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def ask(request: int, pid: int, address: int = 0, value: int = 0) -> None:
    if _libc.ptrace(request, pid, ctypes.c_void_p(address), ctypes.c_void_p(value)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def read_registers(pid: int, into: Registers) -> None:
    ask(PTRACE_GETREGS, pid, 0, ctypes.addressof(into))


def write_registers(pid: int, registers: Registers) -> None:
    ask(PTRACE_SETREGS, pid, 0, ctypes.addressof(registers))


def memory(pid: int, address: int, size: int) -> bytes:
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        return os.pread(fd, size, address)
    finally:
        os.close(fd)


def text_at(pid: int, address: int) -> str:
    here = 4096 - address % 4096  # not over the end of a page that may be the last
    found = memory(pid, address, here)
    if b"\0" not in found:
        found += memory(pid, address + here, 4096)
    return os.fsdecode(found.split(b"\0")[0])


def offer(program: "ctypes.Array[ctypes.c_char]") -> None:
    """In the child: be traced, wait for the tracer, and from then on stop at what the filter names."""
    steps = (len(program) - 1) // 8
    header = ctypes.create_string_buffer(16)
    ctypes.memmove(header, steps.to_bytes(2, "little"), 2)
    ctypes.memmove(ctypes.addressof(header) + 8, ctypes.addressof(program).to_bytes(8, "little"), 8)
    ask(PTRACE_TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _libc.prctl(_SECCOMP, _FILTER, ctypes.c_void_p(ctypes.addressof(header)), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def take(pid: int) -> None:
    """In the parent: the child that offered itself has stopped; watch it and all that comes of it."""
    os.waitpid(pid, 0)
    ask(PTRACE_SETOPTIONS, pid, 0, _OPTIONS)
    ask(PTRACE_CONT, pid)
