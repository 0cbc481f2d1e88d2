"""Guards that a restart is no reason to ask Apple again: counted at the server, over daemons that start and start."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from mediad.adapters.icloud.kept import Kept
from mediad.adapters.icloud.sign_in import AGAIN_MS, SILENT_MS
from mediad.adapters.icloud.standing import LASTING, Pauses, Standing, recalled, remember
from mediad.errors import MediadError
from mediad.ports import SignIn, SignInState
from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Fault
from mediad.testing.icloud.account import Obstacle
from tests.adapters.icloud_stand import Stand, standing

PASSWORD_STEP = "signin/complete"  # noqa: S105 - a path
HOUR_S = 3_600


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as found:
        yield found


async def started(stand: Stand) -> SignIn:
    """What a daemon does that is started: it asks whether the session holds, and then for what is new."""
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.refresh()
        with suppress(MediadError):
            await cloud.changed(None)
        return cloud.sign_in()


async def starts(stand: Stand, times: int = 5) -> tuple[SignIn, int]:
    """The last sign-in, and how many requests all of them took."""
    before, seen = stand.server.remembered.total, []
    for _ in range(times):
        seen.append(await started(stand))
        stand.clock.advance(3)
    return seen[-1], stand.server.remembered.total - before


@pytest.mark.parametrize("after", [None, 7200.0])
async def test_while_apple_throttles_the_sign_in_no_restart_asks(
    stand: Stand, after: float | None
) -> None:
    stand.server.faults.append(Fault("signin/init", times=1, status=503, retry_after=after))
    async with stand.cloud(signed_in=False) as cloud:
        until = (await cloud.door.login(stand.account.password)).until
    now, asked = await starts(stand)
    assert (now.state, asked) == (SignInState.BACKING_OFF, 0)
    assert now.until is not None
    assert until is not None
    assert abs(now.until - until) < 10
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.login(stand.account.password)).state is SignInState.BACKING_OFF
    assert stand.asked("signin/init") == 1
    stand.clock.advance((after or 900) + 1)
    async with stand.cloud():
        assert stand.asked("signin/init") == 2


async def test_the_pause_goes_on_doubling_over_restarts(stand: Stand) -> None:
    stand.server.faults.append(Fault("signin/init", times=3, status=429))
    pauses = []
    for _ in range(3):
        async with stand.cloud(signed_in=False) as cloud:
            now = await cloud.door.login(stand.account.password)
            assert now.until is not None
            pauses.append((now.until - stand.clock.now()) // 1000)
        stand.clock.advance(pauses[-1] + 1)
    assert pauses == [900, 1800, 3600]


async def test_throttled_photos_are_left_alone_over_restarts(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        stand.server.faults.append(Fault("database", times=1, status=429, retry_after=1800))
        with pytest.raises(MediadError):
            await cloud.changed(None)
    before = stand.asked("database")
    for _ in range(3):
        await started(stand)
    assert stand.asked("database") == before
    stand.clock.advance(1801)
    assert (await started(stand)).state is SignInState.READY
    assert stand.asked("database") == before + 1


@pytest.mark.parametrize("way", ["login", "by itself", "command"])
async def test_a_wrong_password_is_not_tried_again_by_any_restart(stand: Stand, way: str) -> None:
    wrong = "wrong"
    if way == "command":
        stand.words["password_command"] = f"{sys.executable} -c \"print('{wrong}')\""
    else:
        stand.words["password"] = wrong
    if way == "by itself":
        assert (await started(stand)).state is SignInState.WRONG_PASSWORD
    else:
        async with stand.cloud(signed_in=False) as cloud:
            assert (await cloud.door.login(None)).state is SignInState.WRONG_PASSWORD
    for pause_s in (0, SILENT_MS / 1000, 30 * 24 * HOUR_S):
        stand.clock.advance(pause_s)
        now, _ = await starts(stand)
        assert now.state is SignInState.WRONG_PASSWORD
        assert now.remedy
    assert stand.asked(PASSWORD_STEP) == 1
    stand.words |= {"password": stand.account.password, "password_command": ""}
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.login(None)).state is SignInState.NEED_CODE, "a person said so"


async def test_a_locked_account_is_left_alone_over_restarts(stand: Stand) -> None:
    stand.words["password"] = stand.account.password
    stand.account.obstacle = Obstacle.LOCKED
    assert (await started(stand)).state is SignInState.LOCKED
    before = stand.asked(PASSWORD_STEP)
    now, asked = await starts(stand)
    assert (now.state, asked) == (SignInState.LOCKED, 0)
    stand.clock.advance(SILENT_MS / 1000 + 1)
    await starts(stand)
    assert stand.asked(PASSWORD_STEP) == before, "a lock is not knocked at with a password"
    stand.account.obstacle = Obstacle.NONE
    async with stand.cloud():
        assert (await started(stand)).state is SignInState.READY


@pytest.mark.parametrize("trust", [True, False])
async def test_a_session_that_ended_is_not_asked_for_by_each_restart(
    stand: Stand, *, trust: bool
) -> None:
    async with stand.cloud() as cloud:
        stand.account.end_sessions(trust=trust)
        with pytest.raises(MediadError):
            await cloud.changed(None)
    now, asked = await starts(stand)
    assert (now.state, asked) == (SignInState.SIGNED_OUT, 0)
    stand.clock.advance(AGAIN_MS / 1000)
    _, asked = await starts(stand)
    assert asked <= 3, "one look in an hour"


async def test_a_code_that_is_wanted_is_not_wanted_anew_by_each_restart(stand: Stand) -> None:
    stand.words["password"] = stand.account.password
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.login(None)).state is SignInState.NEED_CODE
    sent = stand.account.sms_sent
    now, _ = await starts(stand)
    assert now.state in {SignInState.SIGNED_OUT, SignInState.NEED_CODE}
    assert stand.account.sms_sent <= sent + 1, "no flood of messages on somebody's phone"


async def test_who_signed_out_is_not_signed_in_by_a_stored_password(stand: Stand) -> None:
    stand.words["password"] = stand.account.password
    async with stand.cloud() as cloud:
        await cloud.door.logout()
        before = stand.asked(PASSWORD_STEP)
        with pytest.raises(MediadError):
            await cloud.changed(None)
    stand.clock.advance(SILENT_MS / 1000 + 1)
    now, _ = await starts(stand)
    assert now.state is SignInState.SIGNED_OUT
    assert stand.asked(PASSWORD_STEP) == before


async def test_a_good_session_leaves_nothing_behind(stand: Stand) -> None:
    stand.server.faults.append(Fault("signin/init", times=1, status=503))
    async with stand.cloud(signed_in=False) as cloud:
        await cloud.door.login(stand.account.password)
        folder = stand.root / "state" / "icloud"
        assert (folder / "pauses").stat().st_mode & 0o77 == 0
        stand.clock.advance(901)
        await stand.sign_in(cloud)
        await cloud.changed(None)
        assert not (folder / "pauses").exists()
        assert not list(folder.glob("*.standing"))
        assert json.loads((folder / "annaexamplecom.session").read_text())["trust_token"]


async def test_another_account_is_not_held_for_what_the_first_did(stand: Stand) -> None:
    stand.account.obstacle = Obstacle.LOCKED
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.login(stand.account.password)).state is SignInState.LOCKED
    stand.account.obstacle = Obstacle.NONE
    stand.account.apple_id = "berta@example.com"
    async with stand.cloud() as cloud:
        assert cloud.sign_in().state is SignInState.READY


@pytest.mark.parametrize("words", [b"", b"{", b"[]", b'{"at": "x"}', b'{"state": 7, "at": 1.5}'])
def test_a_torn_note_is_none(tmp_path: Path, words: bytes) -> None:
    (tmp_path / "annaexamplecom.standing").write_bytes(words)
    (tmp_path / "pauses").write_bytes(words)
    assert recalled(Kept(tmp_path, "anna@example.com")) is None
    pauses = Pauses(StoppedClock(), lambda: tmp_path)
    pauses.recall()
    assert pauses.breaker.noted(0) == {}


@pytest.mark.parametrize("state", SignInState)
def test_what_lasts_is_told_as_it_was_and_the_rest_as_signed_out(
    tmp_path: Path, state: SignInState
) -> None:
    kept = Kept(tmp_path, "anna@example.com")
    remember(kept, Standing(state, 5, is_barred=True))
    wanted = state if state in LASTING else SignInState.SIGNED_OUT
    assert recalled(kept) == Standing(wanted, 5, is_barred=True)
    remember(kept, None)
    assert recalled(kept) is None


def test_where_nothing_can_be_written_nothing_breaks(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    remember(Kept(blocked / "below", "a"), Standing(SignInState.LOCKED, 5, is_barred=True))
    assert recalled(Kept(blocked / "below", "a")) is None
