"""idmsa.apple.com: password by SRP, the second factor, and the trust that saves it next time."""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from mediad.ports import Clock
from mediad.testing.icloud.account import DAY_S, Account, Obstacle
from mediad.testing.icloud.call import Answer, Call, answer, service_error
from mediad.testing.icloud.faults import Json
from mediad.testing.icloud.security_keys import RP_ID, is_signed, websafe
from mediad.testing.icloud.srp import ITERATIONS, Handshake

ROOT: Final = "/appleauth/auth"


@dataclass
class Attempt:
    """One sign-in under way: from the password to the code."""

    key: str
    handshake: Handshake | None = None
    asked_at: int | None = (
        None  # when the code was shown on the device; None: not at the second factor
    )
    sms_at: int | None = None
    is_proved: bool = False
    challenge: str = ""  # for a security key; answered once
    tries: list[str] = field(default_factory=list)


class SigningIn:
    def __init__(self, account: Account, clock: Clock) -> None:
        self._account, self._clock = account, clock
        self.attempts: dict[str, Attempt] = {}
        self._handshakes: dict[str, Handshake] = {}

    def routes(self) -> dict[tuple[str, str], Callable[[Call], Answer]]:
        return {
            ("GET", f"{ROOT}/authorize/signin"): self._begin,
            ("POST", f"{ROOT}/signin/init"): self._init,
            ("POST", f"{ROOT}/signin/complete"): self._complete,
            ("GET", ROOT): self._factors,
            ("POST", f"{ROOT}/verify/trusteddevice/securitycode"): self._device_code,
            ("PUT", f"{ROOT}/verify/phone"): self._send_sms,
            ("POST", f"{ROOT}/verify/phone/securitycode"): self._sms_code,
            ("POST", f"{ROOT}/verify/security/key"): self._key,
            ("GET", f"{ROOT}/2sv/trust"): self._trust,
        }

    def _begin(self, _call: Call) -> Answer:
        attempt = Attempt(secrets.token_hex(16))
        self.attempts[attempt.key] = attempt
        return self._said(attempt, web.Response(text="<html></html>", content_type="text/html"))

    def _init(self, call: Call) -> Answer:
        name, a = str(call.json["accountName"]), base64.b64decode(call.json["a"])
        handshake = Handshake(name, self._account.password, a, self._account.salt)
        ticket = secrets.token_hex(8)
        self._handshakes[ticket] = handshake
        return answer(
            {
                "iteration": ITERATIONS,
                "salt": base64.b64encode(handshake.salt).decode(),
                "protocol": "s2k",
                "b": base64.b64encode(handshake.b).decode(),
                "c": ticket,
            }
        )

    def _complete(self, call: Call) -> Answer:
        account = self._account
        if account.obstacle is Obstacle.LOCKED:
            return service_error(403, "-20209", "This Apple Account has been locked.")
        handshake = self._handshakes.pop(str(call.json.get("c")), None)
        proof = base64.b64decode(call.json.get("m1", ""))
        is_known = str(call.json.get("accountName", "")).lower() == account.apple_id.lower()
        if handshake is None or not handshake.is_proof(proof) or not is_known:
            return service_error(401, "-20101", "Check the account information you entered.")
        if account.obstacle is Obstacle.TERMS:
            return answer({"authType": "hsa2"}, 412)
        attempt = self._attempt(call) or Attempt(secrets.token_hex(16))
        self.attempts[attempt.key] = attempt
        now = self._clock.now()
        if any(account.read("trust", str(t), now) for t in call.json.get("trustTokens", [])):
            return self._said(attempt, answer({"authType": "hsa2"}), is_verified=True)
        attempt.asked_at, attempt.sms_at = now, None
        return self._said(attempt, answer({"authType": "hsa2"}, 409), is_verified=False)

    def _factors(self, call: Call) -> Answer:
        """What can prove the person: as HTML with its data within, or as JSON, as asked."""
        attempt = self._attempt(call)
        if attempt is None or attempt.asked_at is None:
            return service_error(401, "-20528", "Your session has ended.")
        if "text/html" not in call.header("Accept"):
            return answer(self._keys(attempt))
        page = (
            f'<script type="application/json" class="boot_args">{json.dumps(self._boot())}</script>'
        )
        return web.Response(text=f"<html><body>{page}</body></html>", content_type="text/html")

    def _boot(self) -> Json:
        phones = self._phones()
        first = {"trustedPhoneNumber": phones[0]} if phones else {}
        verification = {"trustedPhoneNumbers": phones, **first}
        return {
            "direct": {
                "authInitialRoute": "auth/verify/device",
                "hasTrustedDevices": self._account.has_device,
                "twoSV": {
                    "authFactors": self._factor_names(),
                    "phoneNumberVerification": verification,
                    "bridgeInitiateData": {"phoneNumberVerification": verification},
                },
            }
        }

    def _factor_names(self) -> list[str]:
        keys = ["web_auth"] if self._account.security_keys else []
        return keys + (["generatedcode"] if self._takes_codes() else [])

    def _takes_codes(self) -> bool:
        return not self._account.security_keys or self._account.takes_codes_too

    def _phones(self) -> list[Json]:
        digits = self._account.phone
        if not digits or not self._takes_codes():
            return []
        shown = {"numberWithDialCode": f"+1 (•••) •••-{digits}", "obfuscatedNumber": digits}
        return [{"id": 1, "nonFTEU": True, "pushMode": "sms", **shown}]

    def _keys(self, attempt: Attempt) -> Json:
        keys = self._account.security_keys
        if not keys:
            return {"authType": "hsa2"}
        attempt.challenge = websafe(secrets.token_bytes(32))
        challenge = {
            "challenge": attempt.challenge,
            "keyHandles": [websafe(key.handle) for key in keys],
            "rpId": RP_ID,
            "allowedCredentials": ",".join(websafe(key.handle) for key in keys),
        }
        return {
            "authType": "hsa2",
            "fsaChallenge": challenge,
            "keyNames": [key.name for key in keys],
        }

    def _key(self, call: Call) -> Answer:
        """How Apple words a refusal here was never recorded."""
        attempt = self._attempt(call)
        if attempt is None or attempt.asked_at is None:
            return service_error(401, "-20528", "Your session has ended.")
        challenge, attempt.challenge = attempt.challenge, ""
        is_in_time = self._clock.now() - attempt.asked_at <= self._account.code_s * 1000
        keys = self._account.security_keys
        attempt.is_proved = is_in_time and is_signed(call.json, challenge, keys)
        if not attempt.is_proved:
            return service_error(400, "-22201", "The security key could not be verified.")
        return self._said(attempt, web.Response(status=204), is_verified=True)

    def _device_code(self, call: Call) -> Answer:
        attempt = self._attempt(call)
        if attempt is None:
            return service_error(401, "-20528", "Your session has ended.")
        if not self._is_right(call, attempt, self._account.device_code, attempt.asked_at):
            return _wrong_code()
        return self._said(attempt, web.Response(status=204), is_verified=True)

    def _send_sms(self, call: Call) -> Answer:
        attempt = self._attempt(call)
        if attempt is None or attempt.asked_at is None:
            return service_error(401, "-20528", "Your session has ended.")
        if not self._account.phone:
            return service_error(400, "-22420", "There is no trusted phone number.")
        attempt.sms_at = self._clock.now()
        self._account.sms_sent += 1
        return answer({"mode": "sms", "securityCode": {"length": 6}, "authenticationType": "hsa2"})

    def _sms_code(self, call: Call) -> Answer:
        """A right code is answered with 409 too: only the body tells."""
        attempt = self._attempt(call)
        if attempt is None:
            return service_error(401, "-20528", "Your session has ended.")
        if not self._is_right(call, attempt, self._account.sms_code, attempt.sms_at):
            return _wrong_code()
        right = {"authenticationType": "hsa2", "securityCode": {"valid": True}}
        return self._said(attempt, answer(right, 409), is_verified=True)

    def _is_right(self, call: Call, attempt: Attempt, code: str, sent_at: int | None) -> bool:
        if not self._takes_codes():
            return False
        given = str(call.json.get("securityCode", {}).get("code", ""))
        attempt.tries.append(given)
        is_in_time = (
            sent_at is not None and self._clock.now() - sent_at <= self._account.code_s * 1000
        )
        attempt.is_proved = is_in_time and given == code
        return attempt.is_proved

    def _trust(self, call: Call) -> Answer:
        attempt = self._attempt(call)
        if attempt is None:
            return service_error(401, "-20528", "Your session has ended.")
        if not attempt.is_proved:
            return service_error(403, "-20528", "The second factor is still missing.")
        token = self._account.sign(
            "trust", until=self._clock.now() + round(self._account.trust_days * DAY_S * 1000)
        )
        given = web.Response(status=204, headers={"X-Apple-TwoSV-Trust-Token": token})
        return self._said(attempt, given, is_verified=True)

    def _attempt(self, call: Call) -> Attempt | None:
        return self.attempts.get(call.header("X-Apple-ID-Session-Id"))

    def _said(self, attempt: Attempt, given: Answer, *, is_verified: bool | None = None) -> Answer:
        given.headers["X-Apple-ID-Session-Id"] = attempt.key
        given.headers["scnt"] = secrets.token_hex(8)
        given.headers["X-Apple-ID-Account-Country"] = "CHN" if self._account.is_china else "USA"
        if is_verified is not None:
            note = self._account.sign("session", is_verified=is_verified)
            given.headers["X-Apple-Session-Token"] = note
        return given


def _wrong_code() -> Answer:
    return service_error(400, "-21669", "Incorrect verification code.")
