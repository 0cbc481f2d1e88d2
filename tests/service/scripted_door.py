"""A sign-in that does what a test says: Apple's side of it is a list of answers, and what was given to it is kept."""

from collections import deque
from dataclasses import dataclass, field

from mediad.errors import MediadError
from mediad.ports import SignIn, SignInState
from mediad.testing.cloud import READY, MemoryCloud

NEED_CODE = SignIn(SignInState.NEED_CODE, "m…@example.com", code_by="trusted-device", until=None)
WANTS_KEY = SignIn(SignInState.SECURITY_KEY, "m…@example.com", keys=("yellow key",))
SIGNED_OUT = SignIn(SignInState.SIGNED_OUT)


@dataclass
class ScriptedDoor:
    """ports.SignInDoor. `answers`: what the next orders lead to; with none left everything leads to a session."""

    cloud: MemoryCloud
    answers: deque[SignIn | MediadError] = field(default_factory=deque)
    given: list[tuple[str, str | None]] = field(default_factory=list)

    async def login(self, password: str | None) -> SignIn:
        return self._next("login", password)

    async def code(self, code: str) -> SignIn:
        return self._next("code", code)

    async def sms(self) -> SignIn:
        return self._next("sms", None)

    async def key(self) -> SignIn:
        return self._next("key", None)

    async def logout(self) -> SignIn:
        self.answers.appendleft(SIGNED_OUT)
        return self._next("logout", None)

    async def refresh(self) -> SignIn:
        return self.cloud.signed

    def _next(self, order: str, what: str | None) -> SignIn:
        self.given.append((order, what))
        answer = self.answers.popleft() if self.answers else READY
        if isinstance(answer, MediadError):
            raise answer
        self.cloud.signed = answer
        return answer
