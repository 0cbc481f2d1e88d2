"""The fingerprints of what was proved a moment ago."""

import os
import threading
from collections import OrderedDict
from typing import Final

from mediad.adapters.icloud.fingerprint import fingerprint_of_file
from mediad.ports import Clock

KNOWN: Final = 8192
KNOWN_S: Final = 600.0


class Known:
    """
    What was read back from the medium in the last minutes, so that the look after a download need not read again.

    Kept by everything that changes when the file does, even ctime, which nobody can set. Bounded; old news is no news.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[int, ...], tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, seen: os.stat_result, fingerprint: str) -> None:
        with self._lock:
            self._kept[_mark(seen)] = fingerprint, self._clock.monotonic()
            while len(self._kept) > KNOWN:
                self._kept.popitem(last=False)

    def fingerprint_of(self, fd: int) -> str:
        fingerprint, at = self._kept.get(_mark(os.fstat(fd)), ("", -KNOWN_S))
        if fingerprint and self._clock.monotonic() - at <= KNOWN_S:
            return fingerprint
        return fingerprint_of_file(fd)


def _mark(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
