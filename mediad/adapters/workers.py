"""
Foreign programs and decoders of foreign bytes, at arm's length: limited, alone, mortal.

`run_limited` runs one program to its end in the calling thread. Limits are set between fork and
exec by util-linux (setpriv, prlimit): no `preexec_fn`, which is not safe in a process with
threads. A program dies with its caller, with its time, and with `Children.kill`.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mediad.errors import NeedsOperator, Refused

_NICE = "10"
_STDERR_BYTES = 64 << 10  # enough to say why
_STDOUT_BYTES = 64 << 20  # a list of every frame of a long film
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")

_Program = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one piece of work may use before it is stopped."""

    memory_bytes: int = 2 << 30  # address space
    cpu_s: int = 600
    wall_s: float = 1200.0
    file_bytes: int = 1 << 30  # the largest file it may write
    open_files: int = 64


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended by itself. A negative `returncode` is the signal that ended it."""

    returncode: int
    stdout: bytes
    stderr: str  # its last 64 KiB


class Children:
    """The programs that one piece of work has running, so that its canceller can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[_Program] = set()
        self._closed = False

    @contextmanager
    def adopted(self) -> Iterator[None]:
        """Programs started in this context (threads that copy it included) are ours."""
        token = _CHILDREN.set(self)
        try:
            yield
        finally:
            _CHILDREN.reset(token)

    def start(self, argv: Sequence[str], cwd: Path, out: IO[bytes], err: IO[bytes]) -> _Program:
        with self._lock:  # so that `kill` cannot miss a program that is just being born
            if self._closed:
                raise Refused("the work was cancelled", code="compress.cancelled")
            program = subprocess.Popen(  # noqa: S603 - a list, never a shell; paths are absolute
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env={k: os.environ[k] for k in _KEPT_ENVIRONMENT if k in os.environ},
                start_new_session=True,
            )
            self._running.add(program)
        return program

    def end(self, program: _Program) -> None:
        """Make sure that it is gone, and reap it."""
        kill_session(program)
        program.wait()
        with self._lock:
            self._running.discard(program)

    def kill(self) -> None:
        """End all that runs, grandchildren too; nothing new starts. From any thread."""
        with self._lock:
            self._closed = True
            for program in self._running:
                kill_session(program)


_CHILDREN: ContextVar[Children | None] = ContextVar("children", default=None)


def kill_session(program: _Program) -> None:
    """SIGKILL to the process group that a still running program leads."""
    if program.poll() is None:  # a reaped pid may by now be somebody else's
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)


def run_limited(argv: Sequence[str], *, limits: Limits, cwd: Path) -> Finished:
    """
    Run one program to its end and give back what it said.

    `argv[0]` is a name on PATH or an absolute path; `cwd` should be a private temporary folder.
    Raises Refused(compress.timeout) when time is up, NeedsOperator(tool.missing) when there is no
    such program. A crash is a negative `returncode`, for the caller to judge.
    """
    command = _limited(argv, limits)
    children = _CHILDREN.get() or Children()
    with tempfile.TemporaryFile(dir=cwd) as out, tempfile.TemporaryFile(dir=cwd) as err:
        # Files, not pipes: its own file limit bounds a flood of warnings; nothing can dead-lock.
        program = children.start(command, cwd, out, err)
        try:
            code = program.wait(timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            raise Refused(
                f"{Path(argv[0]).name} was stopped after {limits.wall_s:g} s;"
                " the file is left as it is",
                code="compress.timeout",
                remedy="nothing needs to be done: the original is kept whole",
            ) from None
        finally:
            children.end(program)
        said = _tail(err, _STDERR_BYTES).decode("utf-8", "replace")
        return Finished(code, _tail(out, _STDOUT_BYTES), said)


def _limited(argv: Sequence[str], limits: Limits) -> list[str]:
    program = tool(argv[0])
    return [
        tool("setpriv"),
        "--pdeathsig=KILL",
        tool("prlimit"),
        f"--as={limits.memory_bytes}",
        f"--cpu={limits.cpu_s}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
        tool("nice"),
        f"-n{_NICE}",
        program,
        *argv[1:],
    ]


def tool(name: str) -> str:
    """The absolute path of a program."""
    found = shutil.which(name)
    if found is None:
        raise NeedsOperator(
            f"the program {Path(name).name} is not installed; files that need it wait",
            code="tool.missing",
            remedy=f"install {Path(name).name} (Debian: ffmpeg, util-linux, coreutils), then retry",
        )
    return str(Path(found).absolute())  # not resolved: some programs look at their own name


def _tail(file: IO[bytes], most: int) -> bytes:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - most))
    return file.read()
