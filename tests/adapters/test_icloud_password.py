"""Guards how a stored password is come by: without a shell, in bounded time and size, and told to nobody."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from mediad.adapters.icloud import password
from mediad.adapters.icloud.password import printed_by, stored
from mediad.config import Settings
from mediad.errors import NeedsOperator


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


async def test_the_first_line_is_the_password() -> None:
    assert await printed_by(python("print('correct horse'); print('more')")) == "correct horse"


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    seen = await printed_by(f"echo $HOME; touch {tmp_path}/owned")
    assert seen.startswith("$HOME;")
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize(
    "command",
    [
        python("import sys; print('canary'); sys.exit(1)"),
        python("print('')"),
        python("print('canary' * 10_000)"),
        python("import sys; sys.stdout.buffer.write(b'canary\\xff')"),
        "/no/such/canary",
        "unclosed 'canary",
        "",
    ],
    ids=["fails", "empty", "long", "no text", "missing", "quotes", "nothing"],
)
async def test_whatever_it_does_wrong_is_one_fault_that_repeats_nothing(command: str) -> None:
    with pytest.raises(NeedsOperator) as caught:
        await printed_by(command)
    assert caught.value.code == "icloud.command"
    assert "canary" not in f"{caught.value!r}{caught.value.what}{caught.value.__cause__}"


async def test_one_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "PATIENCE_S", 0.2)
    with pytest.raises(NeedsOperator):
        await printed_by(python("import time; time.sleep(60)"))


async def test_a_setting_comes_before_the_command(tmp_path: Path) -> None:
    words = {"password": "set", "password_command": "/no/such"}
    told = Settings.model_validate({"root": tmp_path, "icloud": words})
    assert await stored(told) == "set"
    assert await stored(Settings.model_validate({"root": tmp_path})) == ""
