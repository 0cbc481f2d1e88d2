"""How fast a stage gets on, over the last minute of its own work. Pure: takes the times it is told."""

from collections import deque

WINDOW_S = 60.0
_MOST = 4096  # finished lots remembered; a lot is at least one file


class Rate:
    def __init__(self) -> None:
        self._done: deque[tuple[float, int, float]] = deque(maxlen=_MOST)

    def add(self, at: float, files: int, took_s: float) -> None:
        """`files` were finished at `at` (monotonic seconds) by a lot that took `took_s`."""
        self._done.append((at, files, took_s))

    def per_minute(self, now: float) -> float:
        """Files a minute over the window; 0.0 when nothing was finished in it."""
        while self._done and self._done[0][0] < now - WINDOW_S:
            self._done.popleft()
        if not self._done:
            return 0.0
        began = min(at - took for at, _, took in self._done)
        span = max(min(now - began, WINDOW_S), 0.001)
        return 60.0 * sum(files for _, files, _ in self._done) / span
