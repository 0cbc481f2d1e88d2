"""
A security key made of software: a real key pair, CTAP2 as a device on USB speaks it, and a finger that a test holds.

It stands where fido2 has a device, so that everything above it is what runs with a real one.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.ctap import STATUS, CtapDevice, CtapError
from fido2.hid import CAPABILITY, CTAPHID

from mediad.testing.icloud.account import SecurityKey

GET_ASSERTION, GET_INFO = 0x02, 0x04
TOUCHED = 0x01


@dataclass
class SoftKey(CtapDevice):
    """`is_touched`: a finger lies on it. `waits`: set when it begins to blink. `wants_pin`: refuses without one."""

    name: str = "yellow key"
    is_touched: bool = True
    wants_pin: bool = False
    waits: Event = field(default_factory=Event)
    handle: bytes = field(default_factory=lambda: os.urandom(48))
    is_open: bool = True
    _pair: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    _count: int = 0

    @property
    def capabilities(self) -> int:
        return CAPABILITY.CBOR

    def registered(self) -> SecurityKey:
        public = ES256.from_cryptography_key(self._pair.public_key())  # type: ignore[no-untyped-call]
        return SecurityKey(self.name, self.handle, dict(public))

    def call(
        self,
        cmd: int,
        data: bytes = b"",
        event: Event | None = None,
        on_keepalive: Callable[[STATUS], None] | None = None,
    ) -> bytes:
        assert cmd == CTAPHID.CBOR
        if data[0] == GET_INFO:
            told = {1: ["FIDO_2_0"], 3: bytes(16), 4: {"up": True, "rk": False}}
            return b"\0" + cbor.encode(told)
        if data[0] != GET_ASSERTION:
            return bytes([CtapError.ERR.INVALID_COMMAND])
        return self._assertion(cbor.decode(data[1:]), event or Event(), on_keepalive)

    def _assertion(
        self, asked: Any, event: Event, on_keepalive: Callable[[STATUS], None] | None
    ) -> bytes:
        needs_touch = asked.get(5, {}).get("up", True)
        if self.wants_pin:
            return bytes([CtapError.ERR.PUAT_REQUIRED])
        if needs_touch and not self.is_touched:
            if on_keepalive:
                on_keepalive(STATUS.UPNEEDED)
            self.waits.set()
            event.wait()
            return bytes([CtapError.ERR.KEEPALIVE_CANCEL])
        if self.handle not in [known["id"] for known in asked[3]]:
            return bytes([CtapError.ERR.NO_CREDENTIALS])
        self._count += 1
        about = hashlib.sha256(asked[1].encode()).digest() + struct.pack(
            ">BI", TOUCHED if needs_touch else 0, self._count
        )
        signature = self._pair.sign(about + asked[2], ec.ECDSA(hashes.SHA256()))
        credential = {"id": self.handle, "type": "public-key"}
        return b"\0" + cbor.encode({1: credential, 2: about, 3: signature})

    def close(self) -> None:
        self.is_open = False

    @classmethod
    def list_devices(cls) -> Iterator["SoftKey"]:
        return iter(())
