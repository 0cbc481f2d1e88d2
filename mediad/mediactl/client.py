"""
HTTP to the daemon over its UNIX socket, with the standard library alone: `status` must feel like a built-in.

HTTP/1.0 on purpose: an answer ends where its length says, a stream where the connection ends, and nothing is chunked.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final

LONGEST_PATH: Final = 107  # of sun_path, without its NUL
PREFIX: Final = "/api/v1"
SYSTEM_SOCKET: Final = "/run/mediad/mediad.sock"
PATIENCE_S: Final = 60.0


class Trouble(Exception):
    """Ends the program: what to say, the exit code, and the JSON document for --json."""

    def __init__(
        self, what: str, code: int, *, remedy: str = "", doc: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.code = code
        self.remedy = remedy
        self.doc = doc or {"detail": what, "remedy": remedy}


DONE: Final = 0
NO: Final = 1  # it ran, and the answer is no
USAGE: Final = 2
NO_DAEMON: Final = 3
TIME_IS_UP: Final = 4

# What the asker could have known: wrong usage or configuration.
_USAGE_CODES: Final = frozenset(
    {
        "stage.unknown", "state.unknown", "config.invalid", "verify.site", "google.nobody",
        "dates.invalid", "audit.head",
        "icloud.code_form", "icloud.password_form",
    }
)  # fmt: skip


def socket_path(named: str | None, root: str | None) -> str:
    """--socket, --root, $MEDIAD_SOCKET, $MEDIAD_ROOT, and then the system's own."""
    if named:
        return os.path.abspath(named)  # noqa: PTH100 - pathlib costs a tenth of the whole start
    if root:
        return _below(root)
    if env := os.environ.get("MEDIAD_SOCKET"):
        return env
    if env := os.environ.get("MEDIAD_ROOT"):
        return _below(env)
    return SYSTEM_SOCKET


def _below(root: str) -> str:
    return os.path.join(os.path.abspath(os.path.expanduser(root)), "state", "mediad.sock")  # noqa: PTH100,PTH111,PTH118 - as above


class Client:
    def __init__(self, path: str) -> None:
        self.path = path

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = PATIENCE_S,
    ) -> Any:
        return self.ask("POST", path, body, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = PATIENCE_S,
    ) -> Any:
        """The document of the answer. Raises Trouble for every answer that is no success."""
        door = self._send(method, path, body, headers or {}, timeout)
        with door, door.makefile("rb") as answer:
            status, said = self._head(answer)
            length = int(said.get("content-length", -1))
            raw = answer.read(length) if length >= 0 else answer.read()
            if len(raw) < length:
                raise self._broken()
        doc = json.loads(raw) if raw else None
        if status >= 400:  # noqa: PLR2004 - HTTP's own border
            raise _trouble(status, doc if isinstance(doc, dict) else {})
        return doc

    def stream(self, path: str) -> Iterator[dict[str, Any]]:
        """The data of each server-sent event, for as long as the daemon sends."""
        door = self._send("GET", path, None, {}, None)
        with door, door.makefile("rb") as answer:
            status, _ = self._head(answer)
            if status >= 400:  # noqa: PLR2004 - as above
                raise _trouble(status, json.loads(answer.read() or b"{}"))
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> socket.socket:
        raw = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {PREFIX}{path} HTTP/1.0", "Host: mediad", f"Content-Length: {len(raw)}"]
        lines += [
            "Content-Type: application/json",
            *(f"{k}: {v}" for k, v in headers.items()),
            "",
            "",
        ]
        door = self._connect(timeout)
        try:
            door.sendall("\r\n".join(lines).encode() + raw)
        except OSError:
            door.close()
            raise self._broken() from None
        return door

    def _connect(self, timeout: float | None) -> socket.socket:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.settimeout(timeout)
        try:
            if len(os.fsencode(self.path)) <= LONGEST_PATH:
                door.connect(self.path)
            else:  # through the opened folder, whose name is short
                folder, name = os.path.split(self.path)
                fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    door.connect(f"/proc/self/fd/{fd}/{name}")
                finally:
                    os.close(fd)
        except PermissionError:
            door.close()
            raise Trouble(
                f"you may not open {self.path}",
                NO_DAEMON,
                remedy="join the group mediad (adduser YOU mediad, then log in again), or use sudo",
            ) from None
        except OSError as fault:
            door.close()
            raise self._nobody(fault) from None
        return door

    def _head(self, answer: Any) -> tuple[int, dict[str, str]]:
        try:
            first = answer.readline().split()
            said: dict[str, str] = {}
            while (line := answer.readline().strip()) != b"":
                name, _, value = line.decode("latin-1").partition(":")
                said[name.lower()] = value.strip()
            return int(first[1]), said
        except TimeoutError:
            raise Trouble(
                f"the daemon on {self.path} has not answered for {PATIENCE_S:.0f} s", NO_DAEMON,
                remedy="look at its log; it may be stopping, or the machine may be overloaded",
            ) from None  # fmt: skip
        except (IndexError, ValueError, OSError):
            raise self._broken() from None

    def _nobody(self, fault: OSError) -> Trouble:
        why = (
            "there is no such socket"
            if isinstance(fault, FileNotFoundError)
            else (fault.strerror or "")
        )
        root = os.path.dirname(os.path.dirname(self.path))  # noqa: PTH120 - as above
        start = "systemctl start mediad" if self.path == SYSTEM_SOCKET else f"mediad --root {root}"
        return Trouble(
            f"no mediad answers on {self.path} ({why})",
            NO_DAEMON,
            remedy=f"start it: {start}   (another one: mediactl --root DIR or --socket PATH)",
        )

    def _broken(self) -> Trouble:
        return Trouble(
            f"the daemon on {self.path} went away before it had answered",
            NO_DAEMON,
            remedy="it may be restarting: ask again; else look at its log",
        )


def _trouble(status: int, doc: Mapping[str, Any]) -> Trouble:
    is_usage = doc.get("code") in _USAGE_CODES or status == 422  # noqa: PLR2004 - the request was wrong
    what = str(doc.get("detail", f"the daemon answered {status}"))
    for fault in doc.get("faults", ()):
        what += f"\n{fault['where']}: {fault['what']}" if fault["what"] not in what else ""
    return Trouble(what, USAGE if is_usage else NO, remedy=str(doc.get("remedy", "")), doc=doc)
