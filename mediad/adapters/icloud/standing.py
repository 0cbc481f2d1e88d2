"""
What a restart must not forget: how the sign-in stood, and for how long Apple is to be left alone.

A daemon that is started again and again would otherwise ask as often, and Apple would lock the account. Nothing here
is a secret. Where there is no room to note it, the worst is one more question after a restart.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from mediad.adapters.icloud.breaker import Breaker
from mediad.adapters.icloud.kept import Kept, keep_pauses, pauses
from mediad.ports import Clock, SignInState

# Of the others it is only known, after a restart, that nobody was signed in.
LASTING: Final = frozenset(
    {
        SignInState.WRONG_PASSWORD,
        SignInState.LOCKED,
        SignInState.TERMS,
        SignInState.PROTECTED,
        SignInState.WRONG_DOMAIN,
    }
)


class Standing(NamedTuple):
    """`at`: UTC ms, when Apple was last asked. `is_barred`: no stored password may be used without a person."""

    state: SignInState
    at: int
    is_barred: bool


def recalled(kept: Kept) -> Standing | None:
    """None: all was well, or nobody knows."""
    words = kept.standing()
    at, state = words.get("at"), words.get("state")
    if not isinstance(at, int):
        return None
    known = next((lasting for lasting in LASTING if lasting == state), SignInState.SIGNED_OUT)
    return Standing(known, at, words.get("barred") is True)


def remember(kept: Kept, standing: Standing | None) -> None:
    words: dict[str, Any] = {}
    if standing is not None:
        state = standing.state if standing.state in LASTING else SignInState.SIGNED_OUT
        words = {"state": state.value, "at": standing.at, "barred": standing.is_barred}
    if words != kept.standing():
        with suppress(OSError):
            kept.stand(words)


class Pauses:
    """The breaker's, kept by the wall's clock. `keep` is called from the thread of questions and from the loop."""

    def __init__(self, clock: Clock, folder: Callable[[], Path]) -> None:
        self.breaker = Breaker(clock.monotonic, self.keep)
        self._clock = clock
        self._folder = folder
        self._kept: dict[str, Any] | None = None  # None: not looked at yet
        self._lock = Lock()

    def recall(self) -> None:
        """Once: later the breaker itself knows better."""
        if self._kept is None:
            self._kept = pauses(self._folder())
            self.breaker.recall(self._kept, self._clock.now())

    def keep(self) -> None:
        with self._lock, suppress(OSError):
            words = self.breaker.noted(self._clock.now())
            if self._kept is not None and words != self._kept:
                keep_pauses(self._folder(), words)
                self._kept = words
