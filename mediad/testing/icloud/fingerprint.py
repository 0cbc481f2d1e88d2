"""How Apple names bytes: base64 of 0x01 and the SHA-1 of a fixed salt with the bytes after it."""

import base64
import hashlib
from typing import Final

SALT: Final = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"


def fingerprint(content: bytes, times: int = 1) -> str:
    """`times`: of so many copies of it, one behind the other."""
    digest = hashlib.sha1(SALT, usedforsecurity=False)
    for _ in range(times):
        digest.update(content)
    return base64.b64encode(b"\x01" + digest.digest()).decode()
