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
        """
        Files a minute of what was finished in the window; 0.0 when nothing was.

        A lot that took longer than the window counts for as long as it took: between two films the last one's speed
        is the best that is known.
        """
        recent = [d for d in self._done if d[0] >= now - max(WINDOW_S, d[2])]
        self._done = deque(recent, _MOST)
        if not recent:
            return 0.0
        began = min(at - took for at, _, took in recent)
        return 60.0 * sum(files for _, files, _ in recent) / max(now - began, 0.001)
