"""Apple's fingerprint of a file: 0x01 and the SHA-1 of its bytes behind two salts, in base64."""

import base64
import hashlib
from typing import Final

from mediad.adapters import syscalls

_SALT: Final = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"
_FORM: Final = b"\x01"


class Fingerprint:
    """durable.arrival.Proof: takes bytes as they come. SHA-1 is Apple's choice, and guards against accidents only."""

    def __init__(self, wanted: str = "") -> None:
        self._wanted = wanted
        self._sha1 = hashlib.sha1(_SALT, usedforsecurity=False)

    def update(self, piece: memoryview | bytes, /) -> None:
        self._sha1.update(piece)

    def text(self) -> str:
        return base64.b64encode(_FORM + self._sha1.digest()).decode()

    def holds(self) -> bool:
        return self.text() == self._wanted


class SizeOnly:
    """durable.arrival.Proof where Apple's fingerprint has a form that nobody can work out: the size must do."""

    def update(self, piece: memoryview | bytes, /) -> None:
        """Nothing to reckon."""

    def holds(self) -> bool:
        return True


def fingerprint_of_file(fd: int) -> str:
    """Of all that a descriptor has still to give, a piece at a time."""
    proof = Fingerprint()
    for piece in syscalls.chunks(fd):
        proof.update(piece)
    return proof.text()
