"""The routes of iCloud: the sign-in as a person steers it, what is there and what is missing, and the self-test."""

from typing import Final

from mediad.control.table import Ask, Field, Reply, Route
from mediad.service import Service
from mediad.service.cloud_answers import (
    CloudDoc,
    CompletenessDoc,
    SelfTestedDoc,
    SignInDoc,
    UndeletedDoc,
    WhyNotDoc,
)

PAGE: Final = 200


async def icloud(service: Service, _: Ask) -> Reply:
    return Reply(await service.icloud.status())


async def login(service: Service, ask: Ask) -> Reply:
    return Reply(await service.icloud.login(ask.body.get("password")))


async def code(service: Service, ask: Ask) -> Reply:
    return Reply(await service.icloud.code(ask.body["code"]))


async def sms(service: Service, _: Ask) -> Reply:
    return Reply(await service.icloud.sms())


async def key(service: Service, _: Ask) -> Reply:
    return Reply(await service.icloud.key())


async def logout(service: Service, _: Ask) -> Reply:
    return Reply(await service.icloud.logout())


async def completeness(service: Service, ask: Ask) -> Reply:
    doc = await service.icloud.completeness(
        ask.query.get("cursor", ""), ask.query.get("limit", PAGE)
    )
    return Reply(doc)


async def undelete(service: Service, ask: Ask) -> Reply:
    """All are found before anything is asked of iCloud."""
    return Reply(await service.undelete([str(what) for what in ask.body["assets"]]))


async def selftest(service: Service, ask: Ask) -> Reply:
    return Reply(await service.selftest.run(probe=ask.body.get("probe", False)))


async def why_not(service: Service, ask: Ask) -> Reply:
    return Reply(await service.why_not_delete(ask.body["what"]))


CLOUD_ROUTES: Final = (
    Route("GET", "/icloud", icloud, "How iCloud stands: the sign-in, what is there, what may be deleted", CloudDoc),
    Route("POST", "/icloud/login", login, "Sign in to iCloud", SignInDoc, body=(
        Field("password", "string", "left out: the one that is configured, or the session that still holds"),
    )),
    Route("POST", "/icloud/mfa", code, "Give the code of the second factor", SignInDoc, body=(
        Field("code", "string", "six digits", is_required=True),
    )),
    Route("POST", "/icloud/sms", sms, "Have the code sent by SMS", SignInDoc),
    Route("POST", "/icloud/key", key, "Wait a minute for a security key to be touched, where mediad runs", SignInDoc),
    Route("POST", "/icloud/logout", logout, "End the session", SignInDoc),
    Route("GET", "/icloud/completeness", completeness,
          "Month by kind: what iCloud says, what the journal has, what is proved; and what is missing, with its reason",
          CompletenessDoc, query=(
        Field("cursor", "string", "where the last page of what is missing ended"),
        Field("limit", "integer", "at most so many of what is missing", least=0),
    )),
    Route("POST", "/icloud/undelete", undelete, "Bring back out of Recently Deleted", UndeletedDoc, body=(
        Field("assets", "array", "ids, hashes or names", is_required=True, items=("integer", "string")),
    )),
    Route("POST", "/selftest", selftest, "Try every part with a made-up picture; nothing of it stays", SelfTestedDoc,
          body=(Field("probe", "boolean", "ask the phone whether it keeps what is removed here"),)),
    Route("POST", "/why-not/delete", why_not, "What keeps an asset from being deleted in iCloud, now", WhyNotDoc,
          body=(Field("what", "string", "an id, a path, a hash or a name", is_required=True),)),
)  # fmt: skip
