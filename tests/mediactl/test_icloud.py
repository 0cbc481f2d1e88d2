"""Guards `mediactl icloud`, `why-not` and `selftest`: exit codes to be trusted, and a password that nobody sees."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mediad.errors import NeedsOperator
from mediad.model import Site
from mediad.ports import SignIn, SignInState
from tests.mediactl.typed import Terminal, a_terminal, type_in
from tests.service.cloud_lane import ARMED, ON, archived, deleted, marked, taken
from tests.service.scripted_door import NEED_CODE, SIGNED_OUT, WANTS_KEY, ScriptedDoor

SECRET = "correct horse battery staple"  # noqa: S105 - a test's
Keyboard = Callable[..., None]


@asynccontextmanager
async def a_lane(root: Path, **environ: str) -> AsyncIterator[tuple[Terminal, ScriptedDoor]]:
    async with a_terminal(root, **(environ or ON)) as terminal:
        door = terminal.world.door
        assert door is not None
        terminal.world.cloud.signed = SIGNED_OUT
        yield terminal, door


class Typed(io.StringIO):
    def __init__(self, text: str, *, is_terminal: bool) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Keyboard:
    """What a person types: the password without an echo, and lines."""

    def types(*lines: str, password: str = SECRET, is_terminal: bool = True) -> None:
        text = "".join(f"{line}\n" for line in lines)
        monkeypatch.setattr("sys.stdin", Typed(text, is_terminal=is_terminal))
        monkeypatch.setattr("getpass.getpass", lambda *_: password)

    return types


async def test_off_is_said_with_the_way_to_switch_it_on(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as t:
        for words in (("icloud",), ("icloud", "status"), ("icloud", "login")):
            said = await t.type(*words)
            assert said.code == 1
            assert "iCloud is off: [icloud] enabled = false" in said.out
            assert "mediactl config set icloud.enabled true" in said.out
        assert (await t.type("icloud", "code", "123456")).code == 1
        assert (await t.type("icloud", "--json")).doc["state"] == "off"


async def test_why_it_is_down_is_said_once(tmp_path: Path) -> None:
    async with a_lane(tmp_path, **ON) as (t, _):
        lines = (await t.type("icloud")).out.splitlines()
    [told] = [line for line in lines if "not signed in to iCloud" in line]
    assert lines[0].startswith("iCloud is down")
    assert told.startswith("signed-out: ")


async def test_a_sign_in_asks_for_the_password_and_then_for_the_code(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.extend([NEED_CODE, NEED_CODE])
        keyboard("sms", "123 456")
        said = await t.type("icloud", "login")
    assert said.code == 0
    assert door.given == [("login", SECRET), ("sms", None), ("code", "123456")]
    assert "ready: signed in as m…@example.com" in said.out
    assert SECRET not in said.out + said.err


async def test_a_code_with_a_slip_is_asked_for_again_and_apple_is_not_troubled(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.append(NEED_CODE)
        keyboard("12345", "123456")
        said = await t.type("icloud", "login")
    assert said.code == 0
    assert "a code has 6 digits" in said.err
    assert door.given == [("login", SECRET), ("code", "123456")]


async def test_nothing_typed_leaves_the_code_for_later(tmp_path: Path, keyboard: Keyboard) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.append(NEED_CODE)
        keyboard("")
        said = await t.type("icloud", "login")
        later = await t.type("icloud", "code", "123456")
    assert (said.code, later.code) == (1, 0)
    assert "remedy: mediactl icloud code CODE" in said.out


async def test_a_security_key_is_asked_for_by_name_and_may_be_touched_again(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    late = NeedsOperator("not touched in time", code="icloud.key_untouched", remedy="touch it")
    async with a_lane(tmp_path) as (t, door):
        door.answers.extend([WANTS_KEY, late])
        keyboard("key", "key")
        said = await t.type("icloud", "login")
    assert said.code == 0
    assert door.given == [("login", SECRET), ("key", None), ("key", None)]
    assert "touch it when it blinks, within a minute: yellow key" in said.err
    assert "not touched in time" in said.err
    assert "remedy: touch it" in said.err


async def test_a_key_can_be_touched_later(tmp_path: Path, keyboard: Keyboard) -> None:
    missing = NeedsOperator("no key", code="icloud.key_missing", remedy="plug it in there")
    async with a_lane(tmp_path) as (t, door):
        door.answers.extend([WANTS_KEY, missing])
        keyboard("")
        said = await t.type("icloud", "login")
        none = await t.type("icloud", "key")
        later = await t.type("icloud", "key")
    assert said.code == 1
    assert "mediactl icloud key" in said.out
    assert "sms" not in said.err, "there is no code to send"
    assert none.code == 1
    assert "plug it in there" in none.err
    assert "yellow key" in later.err
    assert later.code == 0


async def test_wrong_codes_end_after_three(tmp_path: Path, keyboard: Keyboard) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.extend([NEED_CODE] * 10)
        keyboard(*["111111"] * 9)
        said = await t.type("icloud", "login")
    assert said.code == 1
    assert len(door.given) == 4


async def test_a_program_gives_the_password_on_standard_input(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.append(NEED_CODE)
        keyboard(SECRET, is_terminal=False)
        said = await t.type("icloud", "login", "-")
        as_json = await t.type("icloud", "status", "--json")
    assert said.code == 1
    assert door.given == [("login", SECRET)]
    assert "need-code: Apple wants the code" in said.out
    assert as_json.doc["sign_in"] == "need-code"


async def test_without_a_terminal_nobody_is_asked_and_that_is_wrong_usage(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    async with a_lane(tmp_path) as (t, door):
        keyboard(is_terminal=False)
        said = await t.type("icloud", "login")
        assert said.code == 2
        assert "icloud login -" in said.err
        assert door.given == []


async def test_a_password_that_is_configured_is_not_asked_for(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    async with a_lane(tmp_path, **ON, MEDIAD_ICLOUD__PASSWORD=SECRET) as (t, door):
        keyboard(is_terminal=False)
        said = await t.type("icloud", "login")
        status = await t.type("icloud", "--json")
    assert said.code == 0
    assert door.given == [("login", None)]
    assert SECRET not in status.out


def test_a_password_is_never_taken_from_the_command_line() -> None:
    assert type_in("icloud", "login", SECRET).code == 2


@pytest.mark.parametrize(
    "state", sorted(set(SignInState) - {SignInState.READY, SignInState.NEED_CODE})
)
async def test_every_state_is_told_with_what_to_do(
    tmp_path: Path, keyboard: Keyboard, state: SignInState
) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.append(SignIn(state))
        keyboard()
        said = await t.type("icloud", "login")
        status = await t.type("icloud")
    assert (said.code, status.code) == (1, 1)
    for text in (said.out, status.out):
        assert state.value in text
        assert "remedy: " in text


async def test_what_apple_refuses_is_a_no_with_its_remedy(
    tmp_path: Path, keyboard: Keyboard
) -> None:
    async with a_lane(tmp_path) as (t, door):
        door.answers.append(
            NeedsOperator("Apple says no", code="icloud.locked", remedy="unlock it")
        )
        keyboard()
        said = await t.type("icloud", "login")
    assert said.code == 1
    assert "Apple says no" in said.err
    assert "remedy: unlock it" in said.err


async def test_sms_logout_and_status(tmp_path: Path, keyboard: Keyboard) -> None:
    async with a_lane(tmp_path, **ARMED) as (t, door):
        keyboard()
        door.answers.append(NEED_CODE)
        assert (await t.type("icloud", "sms")).code == 0
        assert (await t.type("icloud", "login")).code == 0
        await marked(t.world, await taken(t.world, "a.jpg", b"a"), days_ago=1)
        status = await t.type("icloud")
        whole = await t.type("status")
        out = await t.type("icloud", "logout")
        after = await t.type("icloud")
    assert (status.code, out.code, after.code) == (0, 0, 1)
    assert "1 listed" in status.out
    assert "1 marked" in status.out
    assert "library PrimarySync" in status.out
    assert "deletion disarmed: no self-test was ever made" in status.out
    assert "icloud: up" in whole.out


async def test_completeness_is_a_grid_and_a_reason_for_each_that_is_missing(
    tmp_path: Path,
) -> None:
    async with a_lane(tmp_path) as (t, _):
        empty = await t.type("icloud", "completeness")
        await archived(t.world, await taken(t.world, "a.jpg", b"a"), b"a")
        half = await t.type("icloud", "completeness")
        await t.world.journal.cloud_listed("PrimarySync", t.world.clock.now())
        full = await t.type("icloud", "completeness")
        await taken(t.world, "b.jpg", b"b")
        lacking = await t.type("icloud", "completeness")
        doc = (await t.type("icloud", "completeness", "--json")).doc
    assert (empty.code, half.code, full.code, lacking.code) == (1, 1, 0, 1)
    assert empty.out == "iCloud has not listed anything yet\n"
    assert "library PrimarySync was never listed whole" in half.out
    assert "complete:" not in half.out
    assert "complete: all that iCloud has" in full.out
    assert ["2024-07", "photo", "2", "2", "1", "1"] in [x.split() for x in lacking.out.splitlines()]
    assert "missing: 2024-07  b.jpg (asset 2): waits to be fetched" in lacking.out
    assert [m["name"] for m in doc["missing"]] == ["b.jpg"]


async def test_completeness_brings_all_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediad.mediactl.icloud.PAGE", 2)
    async with a_lane(tmp_path) as (t, _):
        for n in range(5):
            await taken(t.world, f"{n}.jpg", b"%d" % n)
        doc = (await t.type("icloud", "completeness", "--json")).doc
    assert len(doc["missing"]) == 5
    assert doc["cursor"] is None


async def test_undelete_is_0_only_when_all_are_there(tmp_path: Path) -> None:
    async with a_terminal(tmp_path, **ON) as t:
        one = await taken(t.world, "a.jpg", b"a")
        two = await taken(t.world, "b.jpg", b"b")
        await deleted(t.world, one)
        t.world.cloud.expunge(await deleted(t.world, two))
        back = await t.type("icloud", "undelete", "a.jpg")
        gone = await t.type("icloud", "undelete", str(one), str(two))
        nobody = await t.type("icloud", "undelete", "nobody.jpg")
    assert (back.code, gone.code, nobody.code) == (0, 1, 1)
    assert "a.jpg (asset 1): back: iCloud lists it again" in back.out
    assert "b.jpg (asset 2): gone" in gone.out
    assert "remedy: the original is here" in gone.out


async def test_why_not_says_every_proof_and_the_self_test_opens_the_last(tmp_path: Path) -> None:
    async with a_terminal(tmp_path, **ARMED) as t:
        asset = await taken(t.world, "a.jpg", b"a")
        await archived(t.world, asset, b"a")
        await marked(t.world, asset, days_ago=31)
        before = await t.type("why-not", "delete", "a.jpg")
        tested = await t.type("selftest")
        after = await t.type("why-not", "delete", str(asset))
        doc = (await t.type("why-not", "delete", str(asset), "--json")).doc
    assert (before.code, tested.code, after.code) == (1, 0, 0)
    assert "no   the self-test was green" in before.out
    assert "yes  it stands in the album" in before.out
    assert "the self-test is green" in tested.out
    assert "deletion in iCloud is armed" in tested.out
    assert "safety.armed false" in tested.out
    assert all(r["holds"] for r in doc["reasons"])


async def test_a_self_test_that_finds_a_fault_is_1_and_says_what_to_do(tmp_path: Path) -> None:
    async with a_terminal(tmp_path, **ARMED) as t:
        t.world.files.faults[Site.ARCHIVE] = NeedsOperator(
            "it is away", code="archive.unmounted", remedy="mount it"
        )
        said = await t.type("selftest", "--probe")
        doc = (await t.type("selftest", "--json")).doc
    assert said.code == 1
    assert "fault  archive archive.unmounted: it is away" in said.out
    assert "remedy: mount it" in said.out
    assert "off  phone: not tried" in said.out
    assert not doc["ok"]


async def test_the_doctor_knows_of_the_session(tmp_path: Path) -> None:
    async with a_lane(tmp_path) as (t, _):
        said = await t.type("doctor", "--json")
    assert "icloud.signed_out" in {f["code"] for f in said.doc["findings"]}
