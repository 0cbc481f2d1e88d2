"""setup.icloud.com: from a session token to the cookies, and where this account's servers are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from mediad.ports import Clock
from mediad.testing.icloud.account import DAY_S, Account, Obstacle
from mediad.testing.icloud.call import Answer, Call, answer
from mediad.testing.icloud.faults import Json

ROOT: Final = "/setup/ws/1"
TOKEN: Final = "X-APPLE-WEBAUTH-TOKEN"  # noqa: S105 - a cookie's name
TRUST: Final = "X-APPLE-WEBAUTH-HSA-TRUST"
USER: Final = "X-APPLE-WEBAUTH-USER"


class SettingUp:
    def __init__(self, account: Account, clock: Clock) -> None:
        self._account, self._clock = account, clock

    def routes(self) -> dict[tuple[str, str], Callable[[Call], Answer]]:
        return {
            ("POST", f"{ROOT}/accountLogin"): self._login,
            ("POST", f"{ROOT}/validate"): self._validate,
            ("POST", f"{ROOT}/logout"): self._logout,
            ("POST", f"{ROOT}/requestWebAccessState"): self._web_access,
        }

    def session(self, call: Call) -> Json | None:
        """Whose the cookies of a request are; None: nobody's any more."""
        return self._account.read("web", call.cookie(TOKEN), self._clock.now())

    def _login(self, call: Call) -> Answer:
        account, now = self._account, self._clock.now()
        if account.is_china != call.host.endswith(".cn"):
            domain = "iCloud.com.cn" if account.is_china else "iCloud.com"
            return answer({"domainToUse": domain})
        session = account.read("session", str(call.json.get("dsWebAuthToken", "")), now)
        if session is None:
            return answer({"success": False, "error": "Invalid Session Token"}, 421)
        trust = account.read("trust", str(call.json.get("trustToken") or ""), now)
        is_trusted = bool(session["is_verified"] and trust)
        given = answer(self._state(call.host, is_trusted=is_trusted))
        self._give_cookies(given, call.host, is_trusted=is_trusted)
        return given

    def _validate(self, call: Call) -> Answer:
        session = self.session(call)
        if session is None:
            reason = "Invalid global session" if call.cookie(TOKEN) else f"Missing {TOKEN} cookie"
            return answer({"success": False, "error": reason}, 421)
        return answer(self._state(call.host, is_trusted=session["is_trusted"]))

    def _logout(self, call: Call) -> Answer:
        if self.session(call) is None:
            return answer({"success": False, "error": "Invalid global session"}, 421)
        self._account.end_sessions(trust=not call.json.get("trustBrowser", False))
        return answer({"success": True})

    def _web_access(self, call: Call) -> Answer:
        if self.session(call) is None:
            return answer({"success": False, "error": "Invalid global session"}, 421)
        is_shut = self._account.obstacle is Obstacle.PROTECTED
        return answer({"isICDRSDisabled": is_shut, "isDeviceConsentedForPCS": not is_shut})

    def _give_cookies(self, given: Answer, host: str, *, is_trusted: bool) -> None:
        account = self._account
        until = self._clock.now() + round(account.trust_days * DAY_S * 1000)
        domain = ".icloud.com.cn" if host.endswith(".cn") else ".icloud.com"
        expires = datetime.fromtimestamp(until / 1000, UTC)
        names = {TOKEN: account.sign("web", is_trusted=is_trusted, until=until), USER: "v=1:s=0"}
        if is_trusted:
            names[TRUST] = account.sign("browser", until=until)
        for name, value in names.items():
            given.set_cookie(
                name, value, domain=domain, secure=True, httponly=True,
                expires=f"{expires:%a, %d %b %Y %H:%M:%S GMT}",
            )  # fmt: skip
        given.set_cookie(
            "X-APPLE-WEBAUTH-PCS-Photos", "made-up", domain=domain, secure=True,
            expires=f"{expires - timedelta(days=account.trust_days / 2):%a, %d %b %Y %H:%M:%S GMT}",
        )  # fmt: skip

    def _state(self, host: str, *, is_trusted: bool) -> Json:
        account = self._account
        tail = "icloud.com.cn" if host.endswith(".cn") else "icloud.com"
        at = f"https://p{account.partition}"
        services: Json = {
            "ckdatabasews": {"pcsRequired": True, "url": f"{at}-ckdatabasews.{tail}:443"},
            "photosupload": {"pcsRequired": True, "url": f"{at}-uploadphotosws.{tail}:443"},
            "photos": {"pcsRequired": True, "url": f"{at}-photosws.{tail}:443"},
            "uploadimagews": {"url": f"{at}-uploadimagews.{tail}:443"},
            "sharedstreams": {"url": f"{at}-sharedstreams.{tail}:443"},
            "account": {"url": f"{at}-setup.{tail}:443"},
            "schoolwork": {},
        }
        return {
            "dsInfo": {
                "dsid": account.dsid,
                "appleId": account.apple_id,
                "fullName": "Anna Example",
                "hsaVersion": 2,
                "hsaEnabled": True,
                "locked": False,
                "isWebAccessAllowed": account.obstacle is not Obstacle.PROTECTED,
                "statusCode": 2,
            },
            "webservices": {n: s and {**s, "status": "active"} for n, s in services.items()},
            "hsaTrustedBrowser": is_trusted,
            "hsaChallengeRequired": not is_trusted,
            "isExtendedLogin": True,
            "termsUpdateNeeded": account.obstacle is Obstacle.NEW_TERMS,
            "pcsEnabled": True,
            "apps": {"photos": {}, "find": {"canLaunchWithOneFactor": True}},
            "version": 2,
        }
