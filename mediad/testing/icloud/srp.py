"""
The server's side of SRP-6a as Apple asks for it: RFC 5054's 2048-bit group, SHA-256, no name in x.

Written from the RFC, not with the client's library: the two sides can only agree by both being right.
"""

import hashlib
import hmac
import secrets
from typing import Final

N: Final = int(
    "AC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050A37329CBB4A099ED8193E0757767A13DD52312AB4B03310D"
    "CD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3661A05FBD5FAAAE82918A9962F0B93B855F97993EC975EEAA80D740ADBF4FF74"
    "7359D041D5C33EA71D281E446B14773BCA97B43A23FB801676BD207A436C6481F1D2B9078717461A5B9D32E688F87748544523B524B0D57D"
    "5EA77A2775D2ECFA032CFBDBF52FB3786160279004E57AE6AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB6"
    "94B5C803D89F7AE435DE236D525F54759B65E372FCD68EF20FA7111F9E4AFF73",
    16,
)
G: Final = 2
ITERATIONS: Final = 1_000  # Apple asks for 20,000 and more; a test has no secret to guard
WIDTH: Final = 256


class Handshake:
    """One attempt to sign in: made of what the client sent first, and asked once whether its proof is right."""

    def __init__(self, name: str, password: str, a: bytes, salt: bytes = b"") -> None:
        # Of its own choice never a zero at the beginning: the C code of the `srp` library drops it, and an unmodified
        # pyicloud gives a wrong proof.
        self.salt = salt or bytes([secrets.randbelow(255) + 1]) + secrets.token_bytes(15)
        self._name, self._a = name, int.from_bytes(a)
        key = hashlib.pbkdf2_hmac(
            "sha256", hashlib.sha256(password.encode()).digest(), self.salt, ITERATIONS, 32
        )
        x = int.from_bytes(_hash(self.salt, _hash(b":", key)))
        self._v = pow(G, x, N)
        self._secret = secrets.randbits(256)
        k = int.from_bytes(_hash(_padded(N), _padded(G)))
        self._b = (k * self._v + pow(G, self._secret, N)) % N
        self.b = _plain(self._b)

    def is_proof(self, m1: bytes) -> bool:
        if self._a % N == 0:
            return False
        u = int.from_bytes(_hash(_padded(self._a), _padded(self._b)))
        shared = pow(self._a * pow(self._v, u, N), self._secret, N)
        group = bytes(a ^ b for a, b in zip(_hash(_plain(N)), _hash(_padded(G)), strict=True))
        wanted = _hash(
            group, _hash(self._name.encode()), self.salt, _plain(self._a), self.b, _hash(_plain(shared))
        )  # fmt: skip
        return hmac.compare_digest(wanted, m1)


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _plain(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _padded(number: int) -> bytes:
    return number.to_bytes(WIDTH)
