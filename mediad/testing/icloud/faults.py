"""What goes wrong on request, and what the server remembers of the requests it got."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass
class Fault:
    """
    What befalls the next `times` requests with `path` in their address ("records/modify", "icloud-content.com/B").

    One of: `status` (with `body` as JSON, and Retry-After), `html` (200 and a page nobody asked for), `hang` (no answer
    until the server goes), `lost` (it is done, and the answer never comes), or a spoilt good answer: `cut_at` (the
    connection ends after so many bytes), `stall_at` (it stays, and no more comes), `truncate_at` (shorter, and says it
    is whole), `flip_at` (a bit of that byte). Or `meanwhile`: somebody else was faster by a moment,
    and the answer is good.
    """

    path: str
    times: int = 1
    skip: int = 0  # so many go well before
    status: int | None = None
    retry_after: float | None = None
    body: Mapping[str, Any] | None = None
    html: bool = False
    hang: bool = False
    lost: bool = False
    cut_at: int | None = None
    stall_at: int | None = None
    truncate_at: int | None = None
    flip_at: int | None = None
    meanwhile: Callable[[], object] | None = None

    @property
    def breaks_off(self) -> bool:
        return self.lost or self.cut_at is not None or self.stall_at is not None

    def takes(self, address: str) -> bool:
        """Whether this request is one of its own. Asking counts."""
        if self.times <= 0 or self.path not in address:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(frozen=True, slots=True)
class Seen:
    """A request."""

    method: str
    host: str
    path: str
    status: int
    sent: int  # bytes of the answer


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A request to take something away: from an album, to Recently Deleted, or for good; whether it was done or not."""

    at: int
    operation: str  # update, delete, forceDelete
    record_type: str
    record: str
    zone: str
    change_tag: str
    what: str  # trash, expunge, delete, remove
    outcome: str  # done, or the error's code


@dataclass
class Remembered:
    """Counts and the latest requests; `destroyed` is whole."""

    requests: Counter[str] = field(default_factory=Counter)  # by path
    bytes_sent: Counter[str] = field(default_factory=Counter)
    bytes_received: Counter[str] = field(default_factory=Counter)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=5_000))
    destroyed: list[Destroyed] = field(default_factory=list)

    def note(self, seen: Seen, name: str, received: int) -> None:
        self.requests[name] += 1
        self.bytes_sent[name] += seen.sent
        self.bytes_received[name] += received
        self.seen.append(seen)

    @property
    def total(self) -> int:
        return self.requests.total()
