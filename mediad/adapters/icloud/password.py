"""Where a password comes from when nobody has typed one: a setting, or a command that prints it."""

import shlex
import subprocess

import anyio

from mediad.adapters.icloud.faults import COMMAND, fault
from mediad.config import Settings

PATIENCE_S = 30.0
MOST_BYTES = 4096


async def stored(settings: Settings) -> str:
    """Empty: there is none. It is asked for anew each time and kept nowhere."""
    if known := settings.icloud.password.get_secret_value():
        return known
    if settings.icloud.password_command:
        return await printed_by(settings.icloud.password_command)
    return ""


async def printed_by(command: str) -> str:
    """The first line of what it prints. No shell; nothing of its output is ever shown."""
    try:
        words = shlex.split(command)
        with anyio.fail_after(PATIENCE_S):
            output = await _run(words)
    except (OSError, ValueError, TimeoutError):
        raise fault(COMMAND) from None
    line = output.decode("utf-8", errors="replace").split("\n", 1)[0].rstrip("\r")
    if not line or "\N{REPLACEMENT CHARACTER}" in line:
        raise fault(COMMAND)
    return line


async def _run(words: list[str]) -> bytes:
    """Raises ValueError when it fails or prints too much."""
    if not words:
        raise ValueError
    output = b""
    async with await anyio.open_process(
        words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe is the default
            async for piece in process.stdout:
                output += piece
                if len(output) > MOST_BYTES:
                    raise ValueError
            if await process.wait() != 0:
                raise ValueError
        finally:
            if process.returncode is None:
                process.kill()
    return output
