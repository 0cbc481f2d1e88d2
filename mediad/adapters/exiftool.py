"""
exiftool, for the few files that our own readers cannot date: one long-lived process, limited and mortal.

It is given open files (/proc/PID/fd/N) and never names, so no name can be an option, a second command or another
file. It reads no configuration file of anybody (those are programs). When it hangs or dies it is replaced, and the
file simply stays undated.
"""

import json
import os
import select
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from mediad.adapters.confined import start
from mediad.adapters.workers import kill_session, tool
from mediad.errors import NeedsOperator
from mediad.model import Claim

_MEMORY = 768 << 20
_ANSWER = 1 << 20
_READY = b"{ready}\n"
_ASKED = (
    "DateTimeOriginal",
    "CreateDate",
    "CreationDate",
    "OffsetTimeOriginal",
    "SubSecTimeOriginal",
)
_TAGS = {
    "DateTimeOriginal": "exif:DateTimeOriginal",
    "CreateDate": "exif:CreateDate",
    "CreationDate": "quicktime:CreationDate",
}


@dataclass(slots=True)
class Answer:
    claims: list[Claim] = field(default_factory=list)
    width: int = 0
    height: int = 0
    duration_s: float = 0.0


class ExifTool:
    """Any thread may ask; one is served at a time. Without exiftool on the machine the answers are empty."""

    def __init__(self, *, timeout_s: float = 20.0, lifetime_files: int = 2000) -> None:
        self._timeout_s = timeout_s
        self._lifetime = lifetime_files  # then a fresh process: Perl gives no memory back
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self._is_missing = False

    def ask(self, fd: int) -> Answer:
        """What exiftool says about an open file; an empty answer when it cannot."""
        with self._lock:
            said = b""
            if not self._is_missing:
                try:
                    said = self._ask(f"/proc/{os.getpid()}/fd/{fd}")
                except NeedsOperator:
                    self._is_missing = True
                except (OSError, TimeoutError, EOFError):
                    self._end()
        return _read(said)

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, path: str) -> bytes:
        program = self._running()
        lines = ["-j", "-fast2", "-m", "-n", *(f"-{t}" for t in _ASKED)]
        lines += ["-ImageWidth", "-ImageHeight", "-Duration", path, "-execute"]
        if program.stdin is None or program.stdout is None:
            raise EOFError
        program.stdin.write("\n".join(lines).encode() + b"\n")
        program.stdin.flush()
        self._asked += 1
        return self._answer(program.stdout.fileno())

    def _answer(self, out: int) -> bytes:
        said = b""
        ends = time.monotonic() + self._timeout_s
        while not said.endswith(_READY):
            ready, _, _ = select.select([out], [], [], max(0.0, ends - time.monotonic()))
            if not ready or len(said) > _ANSWER:
                raise TimeoutError
            piece = os.read(out, 64 << 10)
            if not piece:
                raise EOFError
            said += piece
        return said.removesuffix(_READY)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._program is not None and (
            self._program.poll() is not None or self._asked >= self._lifetime
        ):
            self._end()
        if self._program is None:
            limits = [
                tool("setpriv"),
                "--pdeathsig=KILL",
                tool("prlimit"),
                f"--as={_MEMORY}",
                "--core=0",
            ]
            self._program = start(  # a list, never a shell; paths are absolute
                [*limits, tool("exiftool"), "-config", "", "-stay_open", "True", "-@", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
            )
            self._asked = 0
        return self._program

    def _end(self) -> None:
        program, self._program = self._program, None
        if program is None:
            return
        kill_session(program)
        for pipe in (program.stdin, program.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        program.wait()


def _read(said: bytes) -> Answer:
    try:
        found = json.loads(said or b"null")
    except (ValueError, RecursionError):
        return Answer()
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return Answer()
    tags = found[0]
    answer = Answer()
    for name, tag in _TAGS.items():
        if isinstance(text := tags.get(name), str):
            is_original = name == "DateTimeOriginal"
            zone = str(tags.get("OffsetTimeOriginal", "")) if is_original else ""
            fraction = str(tags.get("SubSecTimeOriginal", "")) if is_original else ""
            answer.claims.append(Claim(tag, text, zone, fraction))
    answer.width, answer.height = _whole(tags.get("ImageWidth")), _whole(tags.get("ImageHeight"))
    if isinstance(length := tags.get("Duration"), int | float) and 0 <= length < 1e9:  # noqa: PLR2004 - thirty years
        answer.duration_s = float(length)
    return answer


def _whole(said: object) -> int:
    return said if isinstance(said, int) and 0 <= said < 1 << 31 else 0
