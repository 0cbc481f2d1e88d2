"""One daemon for one state folder: a lock that the kernel lets go when the holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from mediad.errors import NeedsOperator


class Lock:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> "Lock":
        """The file stays when the lock goes: removing it would let two daemons hold two files of one name."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise NeedsOperator(
                f"another mediad (PID {holder}) works on {path.parent}; this one changed nothing",
                code="daemon.running",
                remedy=f"use mediactl with the running one, or stop it: kill {holder}",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Once; who asks again, from another thread at the end, asks for nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
