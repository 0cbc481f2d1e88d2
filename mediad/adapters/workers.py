"""
Foreign programs and decoders of foreign bytes, at arm's length: limited, alone, mortal.

`run_limited` runs one program to its end in the calling thread. Limits are set between fork and
exec by util-linux (setpriv, prlimit): no `preexec_fn`, which is not safe in a process with
threads. A program dies with its caller, with its time, and with `Children.kill`; none gets a network (confined.py).

`Workers` keeps a few Python processes for short jobs (photos), because starting one costs more
than the job. A job that crashes or hangs takes its worker with it, and is the file's own fault.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from mediad.adapters.confined import start
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable

# libnuma, which x265 brings along, grumbles in every container that may not place its memory, and libgcrypt, which
# ffmpeg brings along, in one that may not lock its own. Nothing is wrong then, and a decoder that has to be silent to
# be believed must not be disbelieved for it.
_NOISE: Final = re.compile(
    r"^(?:(?:numa_\w+\(\) failed|set_mempolicy|get_mempolicy|mbind|libnuma)\b.*|Warning: using insecure memory!)\n?",
    re.MULTILINE,
)
_NICE = "10"
_STDERR_BYTES = 64 << 10  # enough to say why
_STDOUT_BYTES = 64 << 20  # a list of every frame of a long film
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")
_ANSWER_BYTES = 1 << 20
JOBS_EACH: Final = 200  # then a worker is replaced: decoders leak a little
_SORTS: Final[Mapping[str, type[MediadError]]] = {
    "operator": NeedsOperator,
    "retry": Retryable,
}
# Pictures are large blocks of memory, one after the other: asking the system for each anew costs a fifth of the work.
_KEEPS_MEMORY: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}
KILLED: Final = "compress.killed"
_LAST_BREATH_S: Final = 1.0
_TICK_S: Final = 0.1  # no clock of the kernel's is coarser
RSS_BYTES: Final = 400 << 20  # a worker that keeps more than this between jobs is replaced
_RAM_BYTES: Final = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
# Of addresses, for one picture: the largest that is taken needs about 7 GiB.
PICTURE_BYTES: Final = max(1 << 30, min(8 << 30, _RAM_BYTES * 3 // 4))

_Program = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one piece of work may use before it is stopped."""

    memory_bytes: int = 2 << 30  # address space
    cpu_s: int = 600
    wall_s: float = 1200.0
    file_bytes: int = 1 << 30  # the largest file it may write
    open_files: int = 64
    scratch: Path | None = None  # where it may make files of its own; None: the system's place


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended by itself. A negative `returncode` is the signal that ended it: SIGXCPU, its CPU time."""

    returncode: int
    stdout: bytes
    stderr: str  # its last 64 KiB, without what the machine and not the file made it say


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
            program = start(  # a list, never a shell; paths are absolute
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=_environment(),
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
            code = _ended(program, limits)
        except subprocess.TimeoutExpired:
            raise Refused(
                f"{Path(argv[0]).name} was stopped after {limits.wall_s:g} s;"
                " the file is left as it is",
                code="compress.timeout",
                remedy="nothing needs to be done: the original is kept whole",
            ) from None
        finally:
            children.end(program)
        said = _NOISE.sub("", _tail(err, _STDERR_BYTES).decode("utf-8", "replace"))
        return Finished(code, _tail(out, _STDOUT_BYTES), said)


def _ended(program: _Program, limits: Limits) -> int:
    """Its return code, the moment it ends. Raises subprocess.TimeoutExpired."""
    seconds, spent = limits.wall_s, 0.0
    with suppress(OSError):  # a kernel before 5.3 cannot wake us; then `wait` looks every 50 ms
        handle = os.pidfd_open(program.pid)
        try:
            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            waiting.poll(seconds * 1000)
        finally:
            os.close(handle)
        seconds = 0
        spent = _cpu_s(program.pid)
    code = program.wait(timeout=seconds)
    # ffmpeg ends as if nothing was when it is told that its time is up, so it is killed (prlimit sets both limits).
    is_used_up = code == -signal.SIGKILL and spent > limits.cpu_s - _TICK_S
    return -signal.SIGXCPU if is_used_up else code


def _cpu_s(pid: int) -> float:
    """What a program, which may have ended but was not waited for yet, has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def killed(name: str) -> Retryable:
    """By the system: that says nothing about the file."""
    return Retryable(
        f"the system stopped {name} (out of memory?); the original is untouched",
        code=KILLED,
        remedy="give the machine more memory, or work on fewer photos and videos at once",
    )


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


class Workers:
    """A few processes of one Python module, each with one job at a time; see photo_worker."""

    def __init__(self, module: str, size: int, *, cwd: Path, jobs_each: int = JOBS_EACH) -> None:
        self._module = module
        self._cwd = cwd
        self._jobs_each = jobs_each
        self._room = anyio.CapacityLimiter(size)
        self._idle: list[_Worker] = []

    def resize(self, size: int) -> None:
        """More at once from now on, or fewer when those that work are done."""
        self._room.total_tokens = size

    async def ask(self, job: Mapping[str, object], limits: Limits) -> Mapping[str, Any]:
        """
        The worker's answer.

        Raises Refused(compress.crashed, compress.timeout) when the job killed its worker, Retryable when the system
        did, and what the worker said when it said an error.
        """
        async with self._room:
            worker = await self._hired()
            is_well = False
            try:
                with anyio.fail_after(limits.wall_s):
                    said = await worker.ask({**job, "limits": asdict(limits)})
                is_well = worker.jobs < self._jobs_each and said.get("rss_bytes", 0) < RSS_BYTES
            except TimeoutError:
                raise Refused(
                    f"a worker was stopped after {limits.wall_s:g} s with this file;"
                    " it stays as it is",
                    code="compress.timeout",
                ) from None
            except (anyio.BrokenResourceError, anyio.IncompleteRead, anyio.EndOfStream):
                raise await worker.died() from None
            finally:
                if is_well:
                    self._idle.append(worker)
                else:
                    await worker.end()
        return _answer(said)

    async def aclose(self) -> None:
        idle, self._idle = self._idle, []
        for worker in idle:
            await worker.end()

    async def _hired(self) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
            await worker.end()
        return _Worker(
            await anyio.open_process(
                [tool("setpriv"), "--pdeathsig=KILL", sys.executable, "-P", "-m", self._module],
                stderr=subprocess.DEVNULL,
                cwd=self._cwd,
                env={**_environment(), **_KEEPS_MEMORY},
                start_new_session=True,
            )
        )


class _Worker:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.jobs = 0
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._answers = BufferedByteReceiveStream(process.stdout)

    async def ask(self, job: Mapping[str, object]) -> dict[str, Any]:
        self.jobs += 1
        data = json.dumps(job).encode()
        assert self.process.stdin is not None  # noqa: S101 - likewise
        await self.process.stdin.send(len(data).to_bytes(4, "big") + data)
        size = int.from_bytes(await self._answers.receive_exactly(4), "big")
        if size > _ANSWER_BYTES:
            raise anyio.IncompleteRead
        said = json.loads(await self._answers.receive_exactly(size))
        return said if isinstance(said, dict) else {}

    async def died(self) -> MediadError:
        """Why it answers no more."""
        with anyio.move_on_after(_LAST_BREATH_S):  # one that only fell silent is ended by us
            await self.process.wait()
        if self.process.returncode == -signal.SIGKILL:
            return killed("a worker")
        if self.process.returncode == -signal.SIGXCPU:
            return Refused(
                "a worker spent all of its time on this file; it stays as it is",
                code="compress.timeout",
            )
        return Refused(
            "a worker crashed over this file; it stays as it is", code="compress.crashed"
        )

    async def end(self) -> None:
        """At once, with whatever it started. Also when we are being cancelled."""
        with anyio.CancelScope(shield=True):
            if self.process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()
            await self.process.aclose()


def _answer(said: Mapping[str, Any]) -> Mapping[str, Any]:
    fault = said.get("fault")
    if fault is None:
        answer: Mapping[str, Any] = said["answer"]
        return answer
    kind = _SORTS.get(fault["sort"], Refused)
    raise kind(fault["what"], code=fault["code"], remedy=fault["remedy"], site=fault["site"])


def _environment() -> dict[str, str]:
    return {k: os.environ[k] for k in _KEPT_ENVIRONMENT if k in os.environ}
