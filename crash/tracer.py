"""
Runs a function in a child of its own, and has every call that changes a disk pass a watcher: all threads, all children.

One tracer to a process: it waits for whatever child stirs.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from crash import ptrace
from crash.calls import Call, about_to, filter_program

_ALL: Final = 0x60000000  # __WALL | __WNOTHREAD
_QUIET_STOPS: Final = frozenset({signal.SIGTRAP, signal.SIGSTOP, ptrace.SYSCALL_STOP})


class Order(NamedTuple):
    """What is to become of a call."""

    kill: bool = False  # of the whole process, before the call takes effect
    errno: int = 0  # it does not happen and fails with this
    shorten: tuple[int, int] | None = (
        None  # (argument, bytes): it gets less to write than it wanted
    )
    follow: bool = False  # tell the watcher when it is over


GO: Final = Order()
KILL: Final = Order(kill=True)


class Watcher(Protocol):
    def entered(self, call: Call) -> Order: ...

    def left(self, pid: int, result: int) -> None: ...


class Ended(NamedTuple):
    status: int  # of the process; negative: the signal that ended it
    was_killed: bool = False  # by order
    timed_out: bool = False


def run(child: Callable[[], int], watcher: Watcher, *, timeout_s: float) -> Ended:
    program = filter_program()
    pid = os.fork()
    if pid == 0:
        code = 125
        try:
            os.setpgid(0, 0)
            ptrace.offer(program)
            code = child()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - the child ends here whatever happens
            import traceback  # noqa: PLC0415 - only then

            traceback.print_exc()
            code = 1
        finally:
            with suppress(OSError):
                os.fsync(2)
            os._exit(code)
    ptrace.take(pid)
    return _Run(pid, watcher, time.monotonic() + timeout_s).until_over()


class _Run:
    def __init__(self, pid: int, watcher: Watcher, until: float) -> None:
        self._pid = pid
        self._watcher = watcher
        self._until = until
        self._live = {pid}
        self._registers = ptrace.Registers()
        self._status = 0
        self._was_killed = False
        self._timed_out = False

    def until_over(self) -> Ended:
        with Alarm(self._until):
            while self._live:
                try:
                    pid, status = os.waitpid(-1, _ALL)
                except ChildProcessError:
                    break
                except InterruptedError:
                    self._timed_out = True
                    self._kill()
                    continue
                self._stirred(pid, status)
        if self._was_killed or self._timed_out:
            _end_the_unborn()
        return Ended(self._status, self._was_killed, self._timed_out)

    def _stirred(self, pid: int, status: int) -> None:
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            self._live.discard(pid)
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)
            return
        self._live.add(pid)
        number, event = os.WSTOPSIG(status), status >> 16
        with suppress(OSError):  # it may be gone by now
            if event == ptrace.EVENT_SECCOMP:
                self._enters(pid)
            elif number == ptrace.SYSCALL_STOP:
                ptrace.read_registers(pid, self._registers)
                self._watcher.left(pid, self._registers.result)
                ptrace.ask(ptrace.PTRACE_CONT, pid)
            else:
                is_theirs = event == 0 and number not in _QUIET_STOPS
                ptrace.ask(ptrace.PTRACE_CONT, pid, 0, number if is_theirs else 0)

    def _enters(self, pid: int) -> None:
        registers = self._registers
        ptrace.read_registers(pid, registers)
        call = about_to(pid, registers)
        order = GO if call is None else self._watcher.entered(call)
        if order.kill:
            self._was_killed = True
            self._kill()
            return
        if order.errno:
            registers.refuse(order.errno)
        elif order.shorten:
            registers.shorten(*order.shorten)
        if order.errno or order.shorten:
            ptrace.write_registers(pid, registers)
        ptrace.ask(ptrace.PTRACE_SYSCALL if order.follow else ptrace.PTRACE_CONT, pid)

    def _kill(self) -> None:
        """As a service manager kills: children in sessions of their own die too."""
        for pid in list(self._live):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _end_the_unborn() -> None:
    """Whose birth nobody has told yet stands still, with all that its parent held: a lock, for one."""
    while pids := traced():
        for pid in pids:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, _ALL)


def traced() -> list[int]:
    """Whoever is traced by this process, also those that nothing was heard of yet."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            said = path.read_text().partition("TracerPid:")[2]
            if int(said.split(maxsplit=1)[0]) == os.getpid():
                found.append(int(path.parent.name))
    return found


class Alarm:
    """Interrupts a wait when time is up."""

    def __init__(self, until: float) -> None:
        self._until = until

    def __enter__(self) -> None:
        def late(_number: int, _frame: object) -> None:
            raise InterruptedError

        self._before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, max(0.01, self._until - time.monotonic()), 1.0)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


__all__ = ["GO", "KILL", "Alarm", "Ended", "Order", "Watcher", "run", "traced"]
