"""What a security key has signed, verified as WebAuthn (Level 2, 7.2) wants it of whoever relies on it."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Final

from mediad.testing.icloud.account import SecurityKey
from mediad.testing.icloud.faults import Json

RP_ID: Final = "apple.com"
ORIGIN: Final = "https://apple.com"
_TOUCHED: Final = 0x01
_ABOUT: Final = 37  # bytes: the hash of whom it is for, flags, and a counter


def is_signed(given: Json, challenge: str, keys: Sequence[SecurityKey]) -> bool:
    """`challenge`: the one that was asked and not answered yet; empty: none was."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - comes with pyicloud, as the next does
    from fido2.cose import CoseKey  # noqa: PLC0415

    try:
        handle, client, about, signature = (
            base64.b64decode(str(given[name]), validate=True)
            for name in ("credentialID", "clientData", "authenticatorData", "signatureData")
        )
        told = json.loads(client)
    except (KeyError, ValueError, binascii.Error):
        return False
    key = next((key for key in keys if hmac.compare_digest(key.handle, handle)), None)
    is_ours = (told.get("type"), told.get("origin")) == ("webauthn.get", ORIGIN)
    is_asked = challenge != "" and challenge == given.get("challenge") == told.get("challenge")
    if key is None or not is_ours or not is_asked or len(about) < _ABOUT:
        return False
    if about[:32] != hashlib.sha256(RP_ID.encode()).digest() or not about[32] & _TOUCHED:
        return False
    try:
        CoseKey.parse(key.public_key).verify(about + hashlib.sha256(client).digest(), signature)
    except InvalidSignature:
        return False
    return True


def websafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
