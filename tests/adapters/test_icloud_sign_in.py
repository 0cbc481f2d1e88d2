"""Guards the sign-in: no password tried twice, no outage taken for its end, nothing secret in any message or log."""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediad.adapters.icloud.sign_in import CODE_MS, SILENT_MS, shortened
from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.ports import SignIn, SignInState
from mediad.testing.icloud import Fault
from mediad.testing.icloud.account import Obstacle
from tests.adapters.icloud_stand import Stand, standing

PASSWORD_STEP = "signin/complete"  # noqa: S105 - a path


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as found:
        yield found


def kept_of(stand: Stand) -> set[str]:
    return set(os.listdir(stand.root / "state" / "icloud"))  # noqa: PTH208


def says(now: SignIn) -> str:
    return f"{now.message} {now.remedy}"


async def test_a_password_and_a_code_by_text_message_open_the_door(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        assert cloud.sign_in().state is SignInState.SIGNED_OUT
        now = await cloud.door.login(stand.account.password)
        assert (now.state, now.code_by) == (SignInState.NEED_CODE, "sms")
        assert now.until == stand.clock.now() + CODE_MS
        now = await cloud.door.code("13 57-90")
        assert now.state is SignInState.READY
        assert now.account == "a…@example.com"
        assert now.trust_expires_at is not None
        days = (now.trust_expires_at - stand.clock.now()) / 86_400_000
        assert days == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize("zeros", [1, 2])
async def test_a_salt_that_begins_with_zeros_spoils_no_right_password(
    stand: Stand, zeros: int
) -> None:
    """Apple gives an account its salt once: one in 256 would hear "wrong password" for ever."""
    stand.account.salt = bytes(zeros) + b"\x01" * (16 - zeros)
    async with stand.cloud() as cloud:
        assert cloud.sign_in().state is SignInState.READY


async def test_a_code_that_a_device_shows_does_as_well(stand: Stand) -> None:
    stand.account.phone = ""
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        assert (now.state, now.code_by) == (SignInState.NEED_CODE, "existing")
        assert (await cloud.door.sms()).state is SignInState.NEED_CODE
        assert (await cloud.door.code(stand.account.device_code)).state is SignInState.READY


async def test_a_text_message_can_be_asked_for_again(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        sent = stand.account.sms_sent
        assert (await cloud.door.sms()).code_by == "sms"
        assert stand.account.sms_sent == sent + 1


async def test_a_restart_needs_no_password_and_one_request(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        assert cloud.sign_in().state is SignInState.READY
    before = stand.server.remembered.total
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.refresh()).state is SignInState.READY
    assert stand.server.remembered.total == before + 1


async def test_a_wrong_password_is_never_tried_again_by_itself(stand: Stand) -> None:
    stand.words["password"] = "wrong"  # noqa: S105 - made up
    async with stand.cloud(signed_in=False) as cloud:
        for _ in range(5):
            with pytest.raises(NeedsOperator) as caught:
                await cloud.changed(None)
            assert caught.value.code == "icloud.wrong_password"
            stand.clock.advance(SILENT_MS / 1000 + 1)
        await cloud.door.refresh()
        assert cloud.sign_in().state is SignInState.WRONG_PASSWORD
        assert stand.asked(PASSWORD_STEP) == 1
        stand.words["password"] = ""
        assert (await cloud.door.login("wrong too")).state is SignInState.WRONG_PASSWORD
        await stand.sign_in(cloud)


async def test_a_wrong_code_may_be_corrected(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        now = await cloud.door.code("000000")
        assert now.state is SignInState.NEED_CODE
        assert "does not accept" in now.message
        assert (await cloud.door.code(stand.account.sms_code)).state is SignInState.READY


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345x", "١٢٣٤٥٦"])
async def test_what_is_no_code_is_not_sent(stand: Stand, typed: str) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        before = stand.server.remembered.total
        assert (await cloud.door.code(typed)).state is SignInState.NEED_CODE
        assert stand.server.remembered.total == before


async def test_a_code_that_comes_too_late_is_not_sent(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        stand.clock.advance(CODE_MS / 1000)
        before = stand.server.remembered.total
        now = await cloud.door.code(stand.account.sms_code)
        assert now.state is SignInState.SIGNED_OUT
        assert "ten minutes" in now.message
        assert stand.server.remembered.total == before


async def test_a_code_without_a_login_changes_nothing(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.code("123456")).state is SignInState.SIGNED_OUT
        assert (await cloud.door.sms()).state is SignInState.SIGNED_OUT
        assert stand.server.remembered.total == 0


@pytest.mark.parametrize(
    ("obstacle", "state"),
    [
        (Obstacle.LOCKED, SignInState.LOCKED),
        (Obstacle.TERMS, SignInState.TERMS),
    ],
)
async def test_each_obstacle_is_a_state_with_its_remedy(
    stand: Stand, obstacle: Obstacle, state: SignInState
) -> None:
    stand.account.obstacle = obstacle
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        assert now.state is state
        assert now.remedy
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.site == "icloud"


async def test_new_terms_behind_a_good_code_are_told(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        stand.account.obstacle = Obstacle.NEW_TERMS
        assert (await cloud.door.code(stand.account.sms_code)).state is SignInState.TERMS
        stand.account.obstacle = Obstacle.NONE
        stand.clock.advance(3_601)
        await cloud.changed(None)
        assert cloud.sign_in().state is SignInState.READY


async def test_an_account_of_the_other_icloud_is_told_apart(stand: Stand) -> None:
    stand.account.is_china = True
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        if now.state is SignInState.NEED_CODE:
            now = await cloud.door.code(stand.account.sms_code)
        assert now.state is SignInState.WRONG_DOMAIN
        assert "icloud.domain" in now.remedy


async def test_advanced_data_protection_is_found_when_photos_are_asked_for(stand: Stand) -> None:
    stand.account.obstacle = Obstacle.PROTECTED
    async with stand.cloud() as cloud:
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.protected"
        assert cloud.sign_in().state is SignInState.PROTECTED
        stand.account.obstacle = Obstacle.NONE
        with pytest.raises(NeedsOperator):
            await cloud.changed(None)
        stand.clock.advance(3_601)
        await cloud.changed(None)


@pytest.mark.parametrize("path", ["signin/init", "signin/complete"])
@pytest.mark.parametrize(("status", "after"), [(503, None), (429, None), (429, 7200.0), (503, 5.0)])
async def test_a_throttled_sign_in_is_no_wrong_password_and_is_left_alone(
    stand: Stand, path: str, status: int, after: float | None
) -> None:
    stand.server.faults.append(Fault(path, times=1, status=status, retry_after=after))
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        assert now.state is SignInState.BACKING_OFF
        assert now.until == stand.clock.now() + max(900, after or 0) * 1000
        before = stand.server.remembered.total
        for _ in range(3):
            assert (await cloud.door.login(stand.account.password)).state is SignInState.BACKING_OFF
            assert (await cloud.door.refresh()).state is SignInState.BACKING_OFF
            with pytest.raises(Retryable) as caught:
                await cloud.changed(None)
            assert caught.value.code == "icloud.throttled"
            assert caught.value.after_s == pytest.approx(max(900, after or 0))
        assert stand.server.remembered.total == before
        stand.clock.advance(max(900, after or 0) + 1)
        await stand.sign_in(cloud)


async def test_each_refusal_doubles_the_pause(stand: Stand) -> None:
    stand.server.faults.append(Fault("signin/init", times=3, status=503))
    async with stand.cloud(signed_in=False) as cloud:
        pauses = []
        for _ in range(3):
            now = await cloud.door.login(stand.account.password)
            assert now.until is not None
            pauses.append((now.until - stand.clock.now()) // 1000)
            stand.clock.advance(pauses[-1] + 1)
        assert pauses == [900, 1800, 3600]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/validate", times=9, status=500),
        Fault("/validate", times=9, status=502),
        Fault("/validate", times=9, lost=True),
        Fault("/validate", times=9, html=True),
        Fault("/validate", times=9, truncate_at=20),
    ],
    ids=["500", "502", "lost", "html", "torn"],
)
async def test_an_outage_is_never_the_end_of_a_session(stand: Stand, fault: Fault) -> None:
    async with stand.cloud():
        pass
    stand.server.faults.append(fault)
    before = stand.asked("signin") + stand.asked("accountLogin")
    async with stand.cloud(signed_in=False) as cloud:
        for _ in range(3):
            with pytest.raises(Retryable) as caught:
                await cloud.changed(None)
            assert caught.value.site == "icloud"
            assert cloud.sign_in().state is SignInState.BACKING_OFF
            stand.clock.advance(3_600)
        assert stand.asked("signin") + stand.asked("accountLogin") == before
        stand.server.faults.clear()
        await cloud.changed(None)
        assert cloud.sign_in().state is SignInState.READY


async def test_while_it_is_ready_an_outage_changes_no_state(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault("/", times=50, status=500))
        with pytest.raises(Retryable):
            await cloud.changed(None)
        assert (await cloud.door.refresh()).state is SignInState.READY


async def test_a_misrouted_question_is_asked_again_on_a_new_connection(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault("changes/database", times=1, status=421, body={}))
        before = stand.asked("setup.icloud.com")
        await cloud.changed(None)
        assert stand.asked("setup.icloud.com") == before


async def test_a_session_that_holds_is_not_signed_in_anew(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault("changes/database", times=2, status=421, body={}))
        before = stand.asked("signin")
        await cloud.changed(None)
        assert (stand.asked("signin"), stand.asked("/validate")) == (before, 1)


async def test_a_storm_of_421_ends_with_a_reason_and_no_password(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault("database", times=99, status=421, body={}))
        before = stand.server.remembered.total
        with pytest.raises(Retryable) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.misdirected"
        assert stand.server.remembered.total - before <= 4


async def test_a_session_killed_in_the_middle_is_signed_out(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.account.end_sessions()
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.signed_out"
        assert cloud.sign_in().state is SignInState.SIGNED_OUT
        before = stand.server.remembered.total
        with pytest.raises(NeedsOperator):
            await cloud.changed(None)
        assert stand.server.remembered.total == before
        await stand.sign_in(cloud)
        await cloud.changed(None)


async def test_where_apple_still_trusts_us_a_stored_password_is_enough(stand: Stand) -> None:
    stand.words["password_command"] = f"{sys.executable} -c \"print('correct horse')\""
    async with stand.cloud() as cloud:
        stand.account.end_sessions(trust=False)
        await cloud.changed(None)
        assert cloud.sign_in().state is SignInState.READY


async def test_a_stored_password_is_used_once_in_six_hours_over_restarts(stand: Stand) -> None:
    stand.words["password"] = stand.account.password
    for _ in range(3):
        async with stand.cloud(signed_in=False) as cloud:
            with pytest.raises(NeedsOperator):
                await cloud.changed(None)
            stand.clock.advance(3_600)
    assert stand.asked(PASSWORD_STEP) == 1
    stand.clock.advance(SILENT_MS / 1000)
    async with stand.cloud(signed_in=False) as cloud:
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.code"
    assert stand.asked(PASSWORD_STEP) == 2


async def test_logging_out_leaves_nothing_and_asks_for_a_person(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        assert (await cloud.door.logout()).state is SignInState.SIGNED_OUT
        assert kept_of(stand) == {"annaexamplecom.standing"}, "no session, no cookie, no trust"
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.signed_out"


async def test_logging_out_works_in_an_outage(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault("/", times=9, status=500))
        assert (await cloud.door.logout()).state is SignInState.SIGNED_OUT
        assert kept_of(stand) == {"annaexamplecom.standing", "pauses"}


async def test_another_account_begins_anew(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.words["username"] = "berta@example.com"
        assert cloud.sign_in().account
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.signed_out"
        assert cloud.sign_in().account == "b…@example.com"


async def test_a_gateway_elsewhere_gets_no_password(stand: Stand) -> None:
    stand.words["gateway"] = "http://192.0.2.1:9"
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        assert now.state is SignInState.SIGNED_OUT
        assert "gateway" in now.message


async def test_an_outage_behind_a_good_code_asks_for_no_other_code(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        stand.server.faults.append(Fault("2sv/trust", times=1, status=500))
        assert (await cloud.door.code(stand.account.sms_code)).state is SignInState.NEED_CODE
        before = stand.asked("securitycode")
        assert (await cloud.door.code(stand.account.sms_code)).state is SignInState.READY
        assert stand.asked("securitycode") == before


async def test_no_secret_is_in_any_message_or_log(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stand.account.password = "canary-password"  # noqa: S105 - made up
    body = {"reason": "canary-reason", "serverErrorCode": "canary-code", "dsid": "canary-dsid"}
    told: list[str] = []
    async with stand.cloud(signed_in=False) as cloud:
        stand.account.obstacle = Obstacle.TERMS
        told.append(says(await cloud.door.login("canary-wrong")))
        stand.account.obstacle = Obstacle.NONE
        await stand.sign_in(cloud)
        stand.person.shoot("canary-photo.jpg")
        for status in (400, 403, 404, 409, 413, 418, 500):
            stand.server.faults.append(Fault("changes/database", status=status, body=body))
            with pytest.raises(MediadError) as caught:
                await cloud.changed(None)
            told += [str(caught.value), caught.value.remedy, repr(caught.value)]
            stand.clock.advance(3_600)
            await cloud.changed(None)
    session = (stand.root / "state" / "icloud" / "annaexamplecom.session").read_text()
    cookies = (stand.root / "state" / "icloud" / "annaexamplecom.cookiejar").read_text()
    assert "canary" not in session + cookies
    everything = " ".join(told) + caplog.text
    for secret in ("canary", stand.account.dsid, "trust_token", stand.account.sms_code, "clientId"):
        assert secret not in everything, secret


def test_an_account_is_shown_without_its_name() -> None:
    assert shortened("anna.b@example.com") == "a…@example.com"
    assert shortened("anna") == "a…"
    assert shortened("") == ""


def test_whoever_does_not_use_icloud_loads_nothing_of_it() -> None:
    code = "import sys, mediad.adapters.icloud; print(*{'pyicloud', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


async def test_where_the_library_is_missing_it_is_said_how_to_get_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyicloud", None)
    async with stand.cloud(signed_in=False) as cloud:
        with pytest.raises(NeedsOperator) as caught:
            await cloud.changed(None)
        assert caught.value.code == "icloud.library"
        assert "mediad[icloud]" in (await cloud.door.login("x")).remedy
        assert (await cloud.door.logout()).state is SignInState.SIGNED_OUT
