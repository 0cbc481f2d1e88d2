"""
Whose iCloud it is, and what Apple has against signing in today.

Sessions are signed notes rather than a table, so that they hold over a restart of the server; a new generation ends
them all.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

DAY_S: Final = 86_400
Note: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class SecurityKey:
    """As it was registered with the account: what it signs for it, and how that is verified (COSE, RFC 9053)."""

    name: str
    handle: bytes
    public_key: dict[int, Any]


class Obstacle(StrEnum):
    """Why an account cannot be used, though the password is right."""

    NONE = ""
    LOCKED = "locked"  # -20209
    TERMS = "terms"  # 412 at the sign-in: something must be accepted on the web
    NEW_TERMS = "new-terms"  # termsUpdateNeeded in the answer to accountLogin
    PROTECTED = "protected"  # Advanced Data Protection: signed in, and the photos stay shut
    INACTIVE = "inactive"  # iCloud Photos was never set up: ZONE_NOT_FOUND


@dataclass
class Account:
    """
    One person's account. Codes are valid for `code_s` after they were sent.

    A code by SMS is good only after it was asked for. `pushes`: the trusted device shows its code as soon as the
    password was right, which pyicloud cannot know; with a `phone` it asks for an SMS by itself.
    """

    apple_id: str = "anna@example.com"
    password: str = "correct horse"  # noqa: S105 - made up
    dsid: str = "12345678901"
    device_code: str = "654321"
    sms_code: str = "135790"
    phone: str = "•• 42"  # the last digits; "": no phone, hence no SMS
    has_device: bool = True
    security_keys: tuple[SecurityKey, ...] = ()
    takes_codes_too: bool = False  # beside security keys
    code_s: float = 600.0
    trust_days: float = 60.0
    is_china: bool = False
    obstacle: Obstacle = Obstacle.NONE
    partition: int = 61
    generation: int = 1
    salt: bytes = b""  # of the password; empty: another for each sign-in
    sms_sent: int = 0
    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def end_sessions(self, *, trust: bool = True) -> None:
        """As when the person changed the password (`trust`: and every browser must be trusted anew)."""
        self.generation += 1
        if trust:
            self.secret = secrets.token_hex(16)

    def sign(self, kind: str, **content: object) -> str:
        note = {
            "kind": kind,
            "generation": self.generation,
            **content,
            "salt": secrets.token_hex(4),
        }
        body = base64.urlsafe_b64encode(json.dumps(note).encode()).decode()
        return f"{body}.{self._seal(body)}"

    def read(self, kind: str, text: str, now: int) -> Note | None:
        """What was signed, if it was, is of this kind and still holds. Trust outlives the sessions."""
        body, _, seal = text.strip('"').rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(body).encode()):
            return None
        note: Note = json.loads(base64.urlsafe_b64decode(body))
        if note["kind"] != kind or note.get("until", now) < now:
            return None
        return note if kind == "trust" or note["generation"] == self.generation else None

    def _seal(self, body: str) -> str:
        return hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()[:32]
