"""When Apple asks for patience, or does not answer: how long nothing at all is asked. Pure but for the clock."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mediad.adapters.icloud.faults import THROTTLED, UNREACHABLE
from mediad.adapters.icloud.faults import fault as fault_of
from mediad.errors import Retryable

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE


class Part(StrEnum):
    """Each is asked or left alone for itself: a sign-in that is throttled must not be tried for a photo's sake."""

    SIGN_IN = "sign-in"
    PHOTOS = "photos"


@dataclass(frozen=True, slots=True)
class Pause:
    after: int  # failures in a row before anything is held back
    first_s: float
    most_s: float


PAUSES: Final = {
    # Asking on while Apple throttles a sign-in makes the ban longer.
    (Part.SIGN_IN, "icloud.throttled"): Pause(1, 15 * MINUTE, 24 * HOUR),
    (Part.SIGN_IN, "icloud.unreachable"): Pause(2, MINUTE, 15 * MINUTE),
    (Part.PHOTOS, "icloud.throttled"): Pause(1, MINUTE, HOUR),
    (Part.PHOTOS, "icloud.unreachable"): Pause(3, MINUTE / 2, 15 * MINUTE),
}
LONGEST_S: Final = 24 * HOUR  # of what the other side asks for
_MEANINGS: Final = {meaning.code: meaning for meaning in (THROTTLED, UNREACHABLE)}


@dataclass(slots=True)
class _Held:
    failures: int = 0
    until: float = 0.0
    fault: Retryable | None = None


class Breaker:
    """Shared by the thread of questions and the loop of downloads. `changed`: is told when there is more to keep."""

    def __init__(
        self, monotonic: Callable[[], float], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._monotonic = monotonic
        self._changed = changed
        self._held = {part: _Held() for part in Part}
        self._lock = threading.Lock()

    def check(self, part: Part) -> None:
        """Raises what was wrong last, while it is too early to ask again."""
        with self._lock:
            held = self._held[part]
            left = held.until - self._monotonic()
            if held.fault is not None and left > 0:
                raise _again(held.fault, left)

    def failed(self, part: Part, fault: Retryable) -> Retryable:
        """The same fault, with how long to wait in it once it is time to wait."""
        told = self._counted(part, fault)
        self._changed()
        return told

    def _counted(self, part: Part, fault: Retryable) -> Retryable:
        with self._lock:
            held = self._held[part]
            pause = PAUSES.get((part, fault.code))
            if pause is None:
                return fault
            if held.fault is not None and held.fault.code != fault.code:
                held.failures = 0
            held.failures += 1
            held.fault = fault
            asked_s = min(max(fault.after_s or 0.0, 0.0), LONGEST_S)
            if held.failures < pause.after and not asked_s:
                return fault
            doubled = pause.first_s * 2 ** min(held.failures - pause.after, 16)
            # What is asked for is honoured; where nothing less than our own is wise, ours counts.
            own_s = min(doubled, pause.most_s)
            wait_s = max(own_s, asked_s) if part is Part.SIGN_IN or not asked_s else asked_s
            held.until = max(held.until, self._monotonic() + wait_s)
            return _again(fault, wait_s)

    def fine(self, part: Part) -> None:
        with self._lock:
            was, self._held[part] = self._held[part], _Held()
        if was.failures:
            self._changed()

    def reason(self, part: Part) -> Retryable | None:
        """What `check` would raise."""
        try:
            self.check(part)
        except Retryable as found:
            return found
        return None

    # -- over a restart -------------------------------------------------------------------------------

    def noted(self, now: int) -> dict[str, Any]:
        """What a restart must not forget, by the wall's clock (UTC ms): the other one begins anew with each machine."""
        with self._lock:
            at = self._monotonic()
            return {
                part.value: {
                    "failures": held.failures,
                    "code": held.fault.code,
                    "until": now + round(max(held.until - at, 0.0) * 1000),
                }
                for part, held in self._held.items()
                if held.fault is not None and held.failures
            }

    def recall(self, words: dict[str, Any], now: int) -> None:
        """What cannot be read is as if it had never been; after a day without a failure the next is the first."""
        with self._lock:
            for part in Part:
                held = _recalled(words.get(part.value), now, self._monotonic())
                if held is not None:
                    self._held[part] = held

    def left_s(self, part: Part) -> float:
        with self._lock:
            return max(self._held[part].until - self._monotonic(), 0.0)


def _recalled(words: object, now: int, at: float) -> _Held | None:
    told = words if isinstance(words, dict) else {}
    failures, until = told.get("failures"), told.get("until")
    meaning = _MEANINGS.get(str(told.get("code")))
    if not isinstance(failures, int) or not isinstance(until, int) or meaning is None:
        return None
    left_s = min((until - now) / 1000, LONGEST_S)  # a clock that was wrong pauses nobody for ever
    if failures < 1 or left_s < -LONGEST_S:
        return None
    known = fault_of(meaning)
    return _Held(failures, at + left_s, known) if isinstance(known, Retryable) else None


def _again(fault: Retryable, after_s: float) -> Retryable:
    return Retryable(
        fault.what, code=fault.code, remedy=fault.remedy, site=fault.site, after_s=after_s
    )


def asked_for(header: str | None, now_ms: int) -> float | None:
    """Retry-After, in seconds or as a date, as seconds from now; None: nothing sensible was asked for."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - rare, and slow to import

    text = (header or "").strip()[:64]
    try:
        wait_s = float(text)
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(text).timestamp() - now_ms / 1000
        except (ValueError, TypeError, IndexError):
            return None
    return min(wait_s, LONGEST_S) if 0 < wait_s < float("inf") else None
