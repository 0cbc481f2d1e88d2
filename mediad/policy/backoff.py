"""When to try again: longer after each failure, never all at once, and not for ever."""

from typing import Final

BASE_S: Final = 5.0
CAP_S: Final = 3600.0
LIMIT: Final = 8


def retry_after(
    attempts: int, jitter: float, base_s: float = BASE_S, cap_s: float = CAP_S
) -> float:
    """
    Seconds until the next try, after so many failed ones (the first failure is 1).

    Doubles up to the cap; `jitter` in [0, 1) moves it by a quarter either way, so that a thousand files which failed
    together do not come back together.
    """
    doubled = base_s * 2.0 ** min(max(attempts, 1) - 1, 32)
    return min(doubled, cap_s) * (0.75 + jitter / 2)


def gives_up(attempts: int, limit: int = LIMIT) -> bool:
    """After so many failures in a row a person is asked instead."""
    return attempts >= limit
