"""HTTP on the UNIX socket. aiohttp is imported only when somebody serves."""

import socket
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from mediad.control.doorway import listening
from mediad.service import Service

GOODBYE_S = 1.0  # listeners of events never end by themselves


async def serve(
    service: Service,
    socket_path: Path,
    door: socket.socket | None = None,
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """
    Answer on the socket until cancelled; `task_status` hears when the first request would be answered.

    `door`: the listening socket, when it is there already.
    """
    from aiohttp import web  # noqa: PLC0415 - `mediad --once` needs no HTTP, and this is its slowest import

    from mediad.control.app import application  # noqa: PLC0415 - as above

    with listening(socket_path, door) as open_door:
        async with service.open():
            runner = web.AppRunner(
                application(service),
                handler_cancellation=True,
                access_log=None,
                shutdown_timeout=GOODBYE_S,
            )
            await runner.setup()
            try:
                await web.SockSite(runner, open_door).start()
                task_status.started()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True, deadline=anyio.current_time() + 3 * GOODBYE_S):
                    await runner.cleanup()
