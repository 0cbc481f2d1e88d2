"""Makes an event fit to be seen: secrets out, foreign control characters escaped, every value something JSON knows."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from mediad.config import Settings
from mediad.config.schema import all_secrets

HIDDEN: Final = "***"
_SHORTEST: Final = 4  # a shorter "secret" occurs in every other word
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|api_?key|authori[sz]ation|cookie|credential|\bdsn\b",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(?<=://)[^\s/@]+@")
_ASSIGNED: Final = re.compile(
    r"(?i)\b(x-api-key|authorization|bearer|api[_-]?key|password|token)(\s*[=:]\s*|\s+(?=\S{16}))"
    r"(bearer\s+)?[^\s,;&\"']+"
)
# C0, DEL, C1, lone surrogates (names that are no UTF-8) and marks that turn the direction of the text around them.
_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_DEPTH: Final = 6


class Cleaner:
    """Hides the secrets of one configuration, wherever and however they occur."""

    def __init__(self, settings: Settings) -> None:
        known = {form for secret in all_secrets(settings) for form in _forms(secret)}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {self.text(str(k)): self._value(str(k), v, 0) for k, v in event.items()}

    def text(self, text: str, *, may_break: bool = False) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _USERINFO.sub(f"{HIDDEN}@", text)
        text = _ASSIGNED.sub(rf"\1\2{HIDDEN}", text)
        return _CONTROL.sub(lambda m: _escaped(m[0], may_break=may_break), text)

    def _value(self, name: str, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return HIDDEN if value is not None and _is_secret(name, value) else value
        if _is_secret(name, value):
            return HIDDEN
        if depth < _DEPTH and isinstance(value, Mapping):
            return {self.text(str(k)): self._value(str(k), v, depth + 1) for k, v in value.items()}
        if depth < _DEPTH and isinstance(value, list | tuple | set | frozenset):
            return [self._value(name, v, depth + 1) for v in value]
        return self.text(_as_text(value), may_break=name == "exception")


def _is_secret(name: str, value: object) -> bool:
    return bool(_SECRET_NAME.search(name)) and not isinstance(value, bool) and value != ""


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    return str(value)


def _forms(secret: str) -> set[str]:
    """A secret as it is, as an address spells it, each line of it, and the password within an address."""
    forms = {secret, quote(secret, safe=""), quote(secret), unquote(secret), *secret.splitlines()}
    forms.add(secret.encode("unicode_escape").decode())
    try:
        password = urlsplit(secret).password
    except ValueError:
        password = None
    forms |= {password, unquote(password)} if password else set()
    return {f for f in forms if len(f) >= _SHORTEST}


def _escaped(character: str, *, may_break: bool) -> str:
    if may_break and character in "\n\t":
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - how Python keeps a byte that is no UTF-8
        return f"\\x{code & 0xFF:02x}"
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - one byte or two
