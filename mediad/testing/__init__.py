"""Fakes we ship: small worlds that keep the same promises as the real ones."""

from dataclasses import dataclass, field


class Killed(BaseException):
    """The power went. Not an Exception, so that nobody can catch it by habit."""


@dataclass
class Power:
    """Counts every touch of the outside world, and cuts the power at the chosen one."""

    cut_at: int = 10**9
    touches: int = 0
    seen: list[str] = field(default_factory=list)

    def touch(self, what: str = "") -> None:
        self.touches += 1
        self.seen.append(what)
        if self.touches >= self.cut_at:  # once off it stays off, for every thread
            raise Killed(what)
