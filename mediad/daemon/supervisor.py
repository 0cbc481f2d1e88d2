"""
What systemd and mediad tell each other: ready, reloading, alive, stopping; and the socket that it opened for us.

All of it comes by the environment and is taken out of there at the start: a program that mediad starts must not be able
to speak for mediad, nor believe that a socket was meant for it.
"""

import fcntl
import os
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Final, Self

import anyio

FIRST_FD: Final = 3  # where the sockets that systemd hands over begin


class Supervisor:
    """Without a systemd every word is said to nobody, and costs nothing."""

    def __init__(self, address: str, watchdog_s: float, door: socket.socket | None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = watchdog_s  # to be fed at least this often; 0: nobody asks
        self.door = door  # the listening socket, when systemd holds it open across restarts

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> Self:
        """Call it once, before anything is started."""
        taken = {
            name: environ.pop(name, "")
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS")
        }  # fmt: skip
        environ.pop("LISTEN_FDNAMES", None)
        is_ours = taken["WATCHDOG_PID"] in {"", str(os.getpid())}
        microseconds = int(taken["WATCHDOG_USEC"] or 0) if is_ours else 0
        return cls(taken["NOTIFY_SOCKET"], microseconds / 1e6, _handed_over(taken))

    def tell(self, *words: str) -> None:
        """One message. A supervisor that does not listen is no reason to stop the work."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)  # noqa: FBT003 - socket's own spelling
            way.sendto("\n".join(words).encode(), self._address)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """`systemctl reload` returns when this is over, however it ends."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={int(anyio.current_time() * 1e6)}")
        try:
            yield
        finally:
            self.tell("READY=1")


def _handed_over(taken: MutableMapping[str, str]) -> socket.socket | None:
    """The one stream socket of mediad.socket. Children do not inherit it."""
    if taken["LISTEN_PID"] != str(os.getpid()) or taken["LISTEN_FDS"] != "1":
        return None
    fcntl.fcntl(FIRST_FD, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return socket.socket(fileno=FIRST_FD)
