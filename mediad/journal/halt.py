"""Work on the journal that takes as long as the journal is large, and ends soon when nobody wants it any more."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STEPS: Final = 1000  # of SQLite's own machine, between two questions whether to go on


class Halt:
    """Asked for by one thread, heeded by another one's statements: they end with SQLITE_INTERRUPT."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_asked = False

    def ask(self) -> None:
        with self._lock:
            self._is_asked = True
            if self._connection is not None:
                self._connection.interrupt()  # which long steps heed

    def is_asked(self) -> bool:
        """SQLite asks so now and then: what was interrupted before it began would not know of it."""
        return self._is_asked

    @contextmanager
    def heeded_by(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        """Closes it. One at a time."""
        connection.set_progress_handler(self.is_asked, _STEPS)
        with self._lock:
            self._connection = connection
        try:
            yield connection
        finally:
            with self._lock:
                self._connection = None
            connection.close()
