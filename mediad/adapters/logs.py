"""
What mediad says while it works: one event a line, no secret, no foreign control character, on every outlet alike.

Outlets: standard error (JSON lines, or readable on a terminal), a file of bounded size for `mediactl logs`, and a tail
in memory that can be followed. Libraries that use `logging` come the same way. A log that cannot be written is dropped:
logging never stops the work.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NoReturn, TextIO

import structlog
from structlog.typing import EventDict

from mediad.adapters.log_tail import Line, Tail
from mediad.config import Settings
from mediad.config.redaction import Cleaner

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_LEVEL_OF: Final = {"warn": "warning", "exception": "error", "fatal": "critical", "msg": "info"}
_PRIORITY: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class LogFile:
    """A file that is set aside when it is full: never more than two of `limit` bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._out: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        if self._out is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._out = os.fdopen(fd, "ab", buffering=0)
        self._out.write(line)
        if self._out.tell() >= self.limit:
            self.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
        self._out = None


class Logs:
    """The outlets and what governs them. `apply` may be called at any time, by a reload."""

    def __init__(self, settings: Settings, stream: TextIO, environ: Mapping[str, str]) -> None:
        self.tail = Tail()
        self._stream = stream
        self._environ = environ
        self._is_journald = _is_journald(stream, environ)
        self._lock = threading.RLock()
        self._file: LogFile | None = None
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take over level, format, file and the secrets to hide."""
        with self._lock:
            self.level = LEVELS[settings.log.level]
            self._clean = Cleaner(settings)
            self._render = self._renderer(settings.log.format)
            if self._file is not None:
                self._file.close()
            self._file = (
                LogFile(settings.log_path, settings.log.file_bytes) if settings.log.file else None
            )

    def close(self) -> None:
        """The hook for crashes stays: what comes later than this is exactly what it is for."""
        structlog.reset_defaults()
        root = logging.getLogger()
        for handler in [h for h in root.handlers if isinstance(h, _Foreign)]:
            root.removeHandler(handler)
        with self._lock:
            if self._file is not None:
                self._file.close()

    def __call__(self, _logger: object, method: str, event: EventDict) -> NoReturn:
        """The one structlog processor: nothing comes after it."""
        level = _LEVEL_OF.get(method, method)
        if LEVELS[level] >= self.level:
            if method == "exception":
                event.setdefault("exc_info", True)
            self.say(level, structlog.contextvars.merge_contextvars(None, method, event))
        raise structlog.DropEvent

    def say(self, level: str, event: Mapping[str, Any]) -> None:
        shown = self._clean(structlog.processors.format_exc_info(None, level, dict(event)))
        line = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "event": shown.pop("event", ""),
            **shown,
        }
        with self._lock:
            self.tail.add(line)
            with suppress(
                OSError, ValueError
            ):  # a closed pipe or terminal: nobody reads there any more
                self._stream.write(self._render(line) + "\n")
                self._stream.flush()
            with suppress(OSError):
                if self._file is not None:
                    self._file.write(_json(line).encode() + b"\n")

    def crashed(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Python's last word on an error that nobody caught: a traceback, but through the outlets."""
        self.say("critical", {"event": "daemon.crashed", "exc_info": (kind, error, trace)})

    def _renderer(self, wanted: str) -> Callable[[Line], str]:
        terminal = self._stream.isatty()
        if wanted == "console" or (wanted == "auto" and terminal):
            return _console(colors=terminal and not self._environ.get("NO_COLOR"))
        return _for_journald if self._is_journald else _json


class _Foreign(logging.Handler):
    """What libraries tell `logging`, as one of our events."""

    def __init__(self, logs: Logs) -> None:
        super().__init__(logging.WARNING)  # their debug lines carry addresses and headers
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        level = next((n for n, v in LEVELS.items() if v >= record.levelno), "critical")
        if record.levelno >= self._logs.level:
            event = {
                "event": "library.said",
                "logger": record.name,
                "message": _message(record),
                "exc_info": record.exc_info,
            }
            self._logs.say(level, event)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's format and arguments that do not fit each other
        return str(record.msg)


def set_up(
    settings: Settings, *, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
) -> Logs:
    """From here on structlog and logging speak through the outlets of these settings."""
    logs = Logs(settings, stream if stream is not None else sys.stderr, environ)
    structlog.configure(
        processors=[logs],
        wrapper_class=structlog.make_filtering_bound_logger(logs.level),
        logger_factory=_NoLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.addHandler(_Foreign(logs))
    root.setLevel(logging.WARNING)
    sys.excepthook = logs.crashed
    return logs


def apply(settings: Settings) -> None:
    """A reload: what `set_up` put in place now follows these settings."""
    for speaker in structlog.get_config()["processors"]:
        if isinstance(speaker, Logs):
            speaker.apply(settings)
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(speaker.level))


class _NoLogger:
    """structlog wants one to hand the rendered line to; ours has gone out before."""

    def __init__(self, *_: object) -> None: ...

    def __getattr__(self, _name: str) -> Any:
        return lambda *_a, **_k: None


def _json(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _for_journald(line: Line) -> str:
    """With the priority that journald takes off the front of a line."""
    return f"<{_PRIORITY[str(line['level'])]}>{_json(line)}"


def _console(*, colors: bool) -> Callable[[Line], str]:
    render = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, timestamp_key="ts"
    )
    return lambda line: render(None, "", dict(line))


def _is_journald(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Is this very stream the journal's? A child of a service inherits the variable but not always the stream."""
    try:
        seen = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM", "") == f"{seen.st_dev}:{seen.st_ino}"
