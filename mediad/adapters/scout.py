"""
A question to a disk or a server that may never answer.

Who gives up waiting leaves a thread behind that nobody can end. It must stay the only one: a NAS that hangs from Friday
to Monday is asked twenty thousand times.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

import anyio

T = TypeVar("T")


class Scout:
    """Out one at a time: who asks while the last one is not back yet waits for it, and for an answer of its own."""

    def __init__(self) -> None:
        self._back: anyio.Event | None = None  # None: at home

    async def ask(self, look: Callable[[], T]) -> T:
        """`look`, in a thread. May be cancelled at any time."""
        while self._back is not None:
            await self._back.wait()
        back = self._back = anyio.Event()
        loop = asyncio.get_running_loop()
        answers: list[T] = []
        faults: list[BaseException] = []

        def go() -> None:
            try:
                answers.append(look())
            except BaseException as fault:  # noqa: BLE001 - raised where it was asked for
                faults.append(fault)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._come_back, back)

        try:
            Thread(target=go, name="scout", daemon=True).start()
        except BaseException:
            self._come_back(back)
            raise
        await back.wait()
        if faults:
            raise faults[0]
        return answers[0]

    def _come_back(self, back: anyio.Event) -> None:
        self._back = None
        back.set()
