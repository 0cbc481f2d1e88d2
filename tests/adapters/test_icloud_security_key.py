"""Guards the sign-in with a security key: signed by the key, never waited for without end, each fault told apart."""

from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import anyio
import pytest
from fido2.ctap import CtapDevice
from fido2.hid import CtapHidDevice

from mediad.adapters.icloud import ICloud
from mediad.adapters.icloud.security_key import Ring, names_in, plugged
from mediad.errors import MediadError, NeedsOperator
from mediad.ports import SignInState
from mediad.testing.icloud import Fault
from tests.adapters.icloud_stand import Stand, standing
from tests.adapters.soft_key import SoftKey

FIDO = bytes.fromhex("06d0f10901a1010920")  # how a security key's description begins
KEYBOARD = bytes.fromhex("05010906a101")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as found:
        yield found


@pytest.fixture
def key(stand: Stand) -> SoftKey:
    """The account's only second factor, and plugged in."""
    made = SoftKey()
    stand.account.security_keys = (made.registered(),)
    plug(stand, made)
    return made


def plug(stand: Stand, *keys: CtapDevice, patience_s: float = 30) -> None:
    stand.ring = Ring(lambda: keys, patience_s)


async def asked_for_key(stand: Stand, cloud: ICloud) -> None:
    now = await cloud.door.login(stand.account.password)
    assert now.state is SignInState.SECURITY_KEY
    assert now.until is not None


async def fails(cloud: ICloud) -> MediadError:
    with pytest.raises(NeedsOperator) as caught:
        await cloud.door.key()
    assert caught.value.remedy
    return caught.value


async def test_a_key_that_is_touched_opens_the_door(stand: Stand, key: SoftKey) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        assert (now.state, now.keys, now.code_by) == (SignInState.SECURITY_KEY, ("yellow key",), "")
        assert "mediactl icloud key" in now.remedy
        now = await cloud.door.key()
        assert now.state is SignInState.READY
        assert now.trust_expires_at is not None
        await cloud.changed(None)
        assert not key.is_open
    before = stand.server.remembered.total
    async with stand.cloud(signed_in=False) as cloud:
        assert (await cloud.door.refresh()).state is SignInState.READY
    assert stand.server.remembered.total == before + 1, "the trust outlives the key's touch"


async def test_it_may_be_plugged_in_after_it_was_asked_for(stand: Stand, key: SoftKey) -> None:
    looks: list[list[SoftKey]] = [[key], [], []]
    stand.ring = Ring(looks.pop, 30)
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await cloud.door.key()).state is SignInState.READY


async def test_among_several_the_account_s_own_is_taken(stand: Stand, key: SoftKey) -> None:
    other = SoftKey(is_touched=False)
    plug(stand, other, key)
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await cloud.door.key()).state is SignInState.READY
        assert not other.is_open


async def test_without_a_key_it_is_said_where_to_plug_it_in(stand: Stand, key: SoftKey) -> None:
    plug(stand, patience_s=0.05)
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await fails(cloud)).code == "icloud.key_missing"
        assert cloud.sign_in().state is SignInState.SECURITY_KEY, "it may be tried again"
        assert stand.asked("security/key") == 0
        stand.ring.plugged, stand.ring.patience_s = lambda: [key], 30
        assert (await cloud.door.key()).state is SignInState.READY


async def test_a_strange_key_is_told_without_a_touch(stand: Stand, key: SoftKey) -> None:
    strange = SoftKey(is_touched=False)
    plug(stand, strange)
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await fails(cloud)).code == "icloud.key_wrong"
        assert stand.asked("security/key") == 0
        assert not strange.is_open
        assert key.is_open, "it was not plugged in"


async def test_nobody_waits_for_a_touch_for_ever(stand: Stand, key: SoftKey) -> None:
    key.is_touched = False
    plug(stand, key, patience_s=0.2)
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await fails(cloud)).code == "icloud.key_untouched"
        assert key.waits.is_set()
        key.is_touched = True
        assert (await cloud.door.key()).state is SignInState.READY, "the challenge is unspent"


async def test_a_key_that_wants_its_pin_is_told(stand: Stand, key: SoftKey) -> None:
    key.wants_pin = True
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await fails(cloud)).code == "icloud.key_unusable"


async def test_a_key_pulled_out_while_it_blinks_is_a_missing_one(
    stand: Stand, key: SoftKey
) -> None:
    class Pulled(SoftKey):
        def _assertion(self, asked, event, on_keepalive):  # type: ignore[no-untyped-def]
            if asked.get(5, {}).get("up", True):
                raise OSError(5, "gone")
            return super()._assertion(asked, event, on_keepalive)

    plug(stand, Pulled(handle=key.handle))
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await fails(cloud)).code == "icloud.key_missing"


async def test_what_another_key_signed_is_refused_and_a_new_sign_in_is_needed(
    stand: Stand, key: SoftKey
) -> None:
    plug(stand, SoftKey(handle=key.handle))  # claims to be it, and has another secret
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        assert (await fails(cloud)).code == "icloud.key_refused"
        assert cloud.sign_in().state is SignInState.SIGNED_OUT
        plug(stand, key)
        assert (await cloud.door.key()).state is SignInState.SIGNED_OUT, "no challenge is left"


async def test_a_touch_ten_minutes_later_is_not_waited_for(stand: Stand, key: SoftKey) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        stand.clock.advance(601)
        now = await cloud.door.key()
        assert now.state is SignInState.SIGNED_OUT
        assert "ten minutes" in now.message
        assert key.is_open, "it was not even looked at"


async def test_an_outage_behind_a_good_touch_wants_no_other_touch(
    stand: Stand, key: SoftKey
) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        stand.server.faults.append(Fault("2sv/trust", times=1, status=500))
        assert (await cloud.door.key()).state is SignInState.SECURITY_KEY
        key.is_touched = False
        assert (await cloud.door.key()).state is SignInState.READY
        assert stand.asked("security/key") == 1


async def test_no_code_opens_an_account_that_wants_its_key(stand: Stand, key: SoftKey) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        before = stand.server.remembered.total
        assert (await cloud.door.code(stand.account.device_code)).state is SignInState.SECURITY_KEY
        assert (await cloud.door.sms()).state is SignInState.SECURITY_KEY
        assert stand.server.remembered.total == before
        assert key.is_open


async def test_where_apple_takes_a_code_as_well_a_code_will_do(stand: Stand, key: SoftKey) -> None:
    stand.account.takes_codes_too = True
    async with stand.cloud(signed_in=False) as cloud:
        now = await cloud.door.login(stand.account.password)
        assert (now.state, now.code_by) == (SignInState.SECURITY_KEY, "existing")
        assert "mediactl icloud code" in now.remedy
        assert (await cloud.door.code("000000")).state is SignInState.SECURITY_KEY
        assert (await cloud.door.code(stand.account.device_code)).state is SignInState.READY
        assert key.is_open


async def test_a_text_message_may_be_asked_for_and_the_key_used_after_all(
    stand: Stand, key: SoftKey
) -> None:
    stand.account.takes_codes_too = True
    async with stand.cloud(signed_in=False) as cloud:
        await asked_for_key(stand, cloud)
        now = await cloud.door.sms()
        assert (now.state, now.code_by, now.keys) == (SignInState.NEED_CODE, "sms", (key.name,))
        assert (await cloud.door.key()).state is SignInState.READY


async def test_the_end_of_mediad_ends_the_wait(stand: Stand, key: SoftKey) -> None:
    key.is_touched = False
    cloud = stand.adapter()
    await asked_for_key(stand, cloud)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fails, cloud)
            while not key.waits.is_set():  # noqa: ASYNC110 - set by a thread
                await anyio.sleep(0.01)
            await cloud.aclose()


def test_a_key_that_may_not_be_opened_is_told_apart_from_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CtapHidDevice, "list_devices", SoftKey.list_devices)  # this machine's own
    sysfs, dev = tmp_path / "sys", tmp_path / "dev"
    dev.mkdir()
    for name, description in (("hidraw0", KEYBOARD), ("hidraw1", FIDO)):
        (sysfs / name / "device").mkdir(parents=True)
        (sysfs / name / "device" / "report_descriptor").write_bytes(description)
    (dev / "hidraw1").touch()
    assert plugged(sysfs, dev) == []
    (dev / "hidraw1").unlink()  # as in a sandbox with PrivateDevices=
    with pytest.raises(NeedsOperator) as caught:
        plugged(sysfs, dev)
    assert caught.value.code == "icloud.key_forbidden"
    assert "security-key.conf" in caught.value.remedy
    (sysfs / "hidraw1" / "device" / "report_descriptor").unlink()
    assert plugged(sysfs, dev) == []


def test_a_key_that_can_be_read_and_not_written_is_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied() -> list[CtapHidDevice]:
        raise PermissionError(13, "Permission denied", "/dev/hidraw1")

    monkeypatch.setattr(CtapHidDevice, "list_devices", denied)
    with pytest.raises(NeedsOperator) as caught:
        plugged()
    assert caught.value.code == "icloud.key_forbidden"


def test_names_are_taken_as_they_are_worth() -> None:
    assert names_in(None) == ()
    assert names_in(["a", 7, "b" * 99]) == ("a", "b" * 40)
    assert len(names_in(["x"] * 99)) == 10


async def test_a_wait_that_is_stopped_before_it_began_is_over_at_once(stand: Stand) -> None:
    stop = Event()
    stop.set()
    api = type("Api", (), {"_auth_data": {"fsaChallenge": {}}})()
    with pytest.raises(NeedsOperator) as caught:
        Ring(list, 30).touch(api, lambda: 0, stop)
    assert caught.value.code == "icloud.key_missing"
    assert stand.server.remembered.total == 0
