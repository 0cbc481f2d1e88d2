"""mediactl as it is typed: its words, its exit code and what it printed, against a served world."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from mediad.mediactl import main
from tests.control.api import Api, an_api


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def doc(self) -> Any:
        return json.loads(self.out)


def type_in(*words: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as gone:  # argparse ends so
            code = int(gone.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


class Terminal:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.world = api.world

    async def type(self, *words: str) -> Said:
        command = partial(type_in, "--socket", str(self.api.socket), *words)
        return await anyio.to_thread.run_sync(command)


@asynccontextmanager
async def a_terminal(root: Path, **environ: str) -> AsyncIterator[Terminal]:
    async with an_api(root, **environ) as api:
        yield Terminal(api)
