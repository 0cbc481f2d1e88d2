"""Guards that an unmodified pyicloud signs in to the iCloud of the tests as to Apple's own, and is refused as there."""

from asyncio import to_thread
from pathlib import Path

import pytest
from pyicloud import PyiCloudService
from pyicloud.exceptions import (
    PyiCloudAcceptTermsException,
    PyiCloudAccountLockedException,
    PyiCloudAPIResponseException,
    PyiCloudFailedLoginException,
    PyiCloudNoTrustedNumberAvailable,
)

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import FakeICloud
from mediad.testing.icloud.account import Obstacle
from tests.adapters.soft_key import SoftKey
from tests.testing.pyicloud_here import service, signed_in


async def test_password_and_code_make_a_trusted_session(icloud: FakeICloud, tmp_path: Path) -> None:
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    assert api.requires_2fa
    assert api.two_factor_delivery_method == "sms"
    assert icloud.account.sms_sent == 1
    assert await to_thread(api.validate_2fa_code, "135790")
    assert api.is_trusted_session
    assert api.get_webservice_url("photosupload").startswith("https://p61-uploadphotosws.")


async def test_a_device_code_needs_no_sms(icloud: FakeICloud, tmp_path: Path) -> None:
    icloud.account.phone = ""
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    assert api.two_factor_delivery_method == "unknown"
    assert not await to_thread(api.validate_2fa_code, "135790"), "an SMS that nobody sent"
    api.use_existing_trusted_device_code()
    assert await to_thread(api.validate_2fa_code, "654321")
    assert icloud.account.sms_sent == 0


async def test_a_wrong_code_is_refused_and_the_right_one_taken_after_it(
    icloud: FakeICloud, tmp_path: Path
) -> None:
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    assert not await to_thread(api.validate_2fa_code, "000000")
    assert not api.is_trusted_session
    assert await to_thread(api.validate_2fa_code, "135790")


async def test_a_right_code_that_comes_too_late_is_a_wrong_code(
    icloud: FakeICloud, clock: StoppedClock, tmp_path: Path
) -> None:
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    clock.advance(601)
    assert not await to_thread(api.validate_2fa_code, "135790")


async def test_no_trust_is_given_without_a_code(icloud: FakeICloud, tmp_path: Path) -> None:
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    assert not await to_thread(api.trust_session)


async def test_the_next_process_needs_one_request_and_no_password(
    icloud: FakeICloud, tmp_path: Path
) -> None:
    await to_thread(signed_in, icloud.address, tmp_path)
    before = icloud.remembered.total
    api = service(icloud.address, tmp_path, password=None)
    await to_thread(api.authenticate)
    assert api.is_trusted_session
    assert icloud.remembered.total == before + 1


async def test_a_trust_token_saves_the_code_when_the_session_has_ended(
    icloud: FakeICloud, tmp_path: Path
) -> None:
    await to_thread(signed_in, icloud.address, tmp_path)
    icloud.account.end_sessions(trust=False)
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    assert api.is_trusted_session
    assert icloud.account.sms_sent == 1, "only the first time"


async def test_after_sixty_days_a_code_is_needed_again(
    icloud: FakeICloud, clock: StoppedClock, tmp_path: Path
) -> None:
    await to_thread(signed_in, icloud.address, tmp_path)
    api = service(icloud.address, tmp_path)
    [until] = {c.expires for c in api.session.cookies if c.name == "X-APPLE-WEBAUTH-HSA-TRUST"}
    assert until is not None
    assert until - clock.now() // 1000 == 60 * 86_400
    clock.advance(61 * 86_400)
    await to_thread(api.authenticate)
    assert api.requires_2fa


@pytest.mark.parametrize("name", ["anna@example.com", "bert@example.com"])
async def test_a_wrong_name_or_password_is_told_by_401_at_the_end(
    icloud: FakeICloud, tmp_path: Path, name: str
) -> None:
    if name == "bert@example.com":
        icloud.account.apple_id = name
    api = service(icloud.address, tmp_path, "correct horse" if "bert" in name else "wrong")
    with pytest.raises(PyiCloudFailedLoginException, match="Invalid email/password"):
        await to_thread(api.authenticate)
    last = icloud.remembered.seen[-1]
    assert (last.path, last.status) == ("/appleauth/auth/signin/complete", 401)


@pytest.mark.parametrize(
    ("obstacle", "told"),
    [
        (Obstacle.LOCKED, PyiCloudAccountLockedException),
        (Obstacle.TERMS, PyiCloudFailedLoginException),
    ],
)
async def test_what_apple_has_against_the_account_is_told(
    icloud: FakeICloud, tmp_path: Path, obstacle: Obstacle, told: type[Exception]
) -> None:
    icloud.account.obstacle = obstacle
    api = service(icloud.address, tmp_path)
    with pytest.raises(told):
        await to_thread(api.authenticate)
    assert icloud.remembered.seen[-1].status == {"locked": 403, "terms": 412}[obstacle]


async def test_new_terms_are_told_once_the_code_was_right(
    icloud: FakeICloud, tmp_path: Path
) -> None:
    icloud.account.obstacle = Obstacle.NEW_TERMS
    with pytest.raises(PyiCloudAcceptTermsException):
        await to_thread(signed_in, icloud.address, tmp_path)


async def test_an_account_of_mainland_china_names_its_domain(
    icloud: FakeICloud, tmp_path: Path
) -> None:
    icloud.account.is_china = True
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    await to_thread(api.validate_2fa_code, "135790")
    assert api.data == {"domainToUse": "iCloud.com.cn"}


async def test_a_security_key_is_asked_for_by_name(icloud: FakeICloud, tmp_path: Path) -> None:
    key = SoftKey("Blue key")
    icloud.account.security_keys = (key.registered(),)
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    assert api.two_factor_delivery_method == "security_key"
    assert api.security_key_names == ["Blue key"]
    with pytest.raises(PyiCloudNoTrustedNumberAvailable):
        api._request_sms_2fa_code()
    assert not await to_thread(api.validate_2fa_code, icloud.account.device_code)
    await to_thread(api.confirm_security_key, key)
    assert api.is_trusted_session


async def signed_by(key: SoftKey, icloud: FakeICloud, folder: Path) -> PyiCloudService:
    """Password given, and what the key signed sent."""
    api = service(icloud.address, folder)
    await to_thread(api.authenticate)
    await to_thread(api.confirm_security_key, key)
    return api


async def test_only_the_secret_of_a_registered_key_signs_in(
    icloud: FakeICloud, tmp_path: Path
) -> None:
    key = SoftKey()
    icloud.account.security_keys = (key.registered(),)
    with pytest.raises(PyiCloudAPIResponseException):
        await signed_by(SoftKey(handle=key.handle), icloud, tmp_path)
    assert (await signed_by(key, icloud, tmp_path)).is_trusted_session


async def test_what_a_key_signed_is_good_once_and_in_time(
    icloud: FakeICloud, clock: StoppedClock, tmp_path: Path
) -> None:
    key = SoftKey()
    icloud.account.security_keys = (key.registered(),)
    api = service(icloud.address, tmp_path)
    await to_thread(api.authenticate)
    clock.advance(601)
    for _ in range(2):
        with pytest.raises(PyiCloudAPIResponseException):
            await to_thread(api.confirm_security_key, key)
        clock.advance(-601)


async def test_signing_out_ends_the_session(icloud: FakeICloud, tmp_path: Path) -> None:
    api = await to_thread(signed_in, icloud.address, tmp_path)
    said = await to_thread(api.logout)
    assert said["remote_logout_confirmed"]
    again = service(icloud.address, tmp_path, password=None)
    with pytest.raises(PyiCloudFailedLoginException):
        await to_thread(again.authenticate)
