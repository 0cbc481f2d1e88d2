"""The API as a program has it: a world, its service on a UNIX socket, and a client that is not mediactl's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from mediad import control
from tests.service.world import World, a_world


@dataclass
class Api:
    world: World
    socket: Path
    http: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, document and headers."""
        async with self.http.request(
            method, f"http://mediad/api/v1{path}", json=body, headers=headers
        ) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers


@asynccontextmanager
async def an_api(root: Path, **environ: str) -> AsyncIterator[Api]:
    async with a_world(root, environ, is_open=False) as world, anyio.create_task_group() as tasks:
        socket = world.settings.socket_path
        await tasks.start(control.serve, world.service, socket)
        connector = aiohttp.UnixConnector(str(socket))
        async with aiohttp.ClientSession(connector=connector) as http:
            yield Api(world, socket, http)
        tasks.cancel_scope.cancel()
