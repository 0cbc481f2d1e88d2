"""How much memory a process holds at most."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def peak_bytes() -> int:
    """
    Of this process, since its program began or `taking_at_most` began.

    `ru_maxrss` would also count what its parent held when it was forked, which a new program keeps for its own.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextmanager
def taking_at_most(limit: int) -> Iterator[None]:
    """The process does not grow by so many bytes meanwhile, not even for a moment."""
    with suppress(OSError):  # not every kernel has it; then what was once more counts as held
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak is what is held now
    before = peak_bytes()
    yield
    assert peak_bytes() - before < limit
