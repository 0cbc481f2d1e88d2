"""Waiting until nothing is left to do, for everything or for one asset."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias

import anyio

from mediad.engine import is_work
from mediad.journal import Condition, Listed, Mark
from mediad.model import AssetId
from mediad.service.parts import Parts
from mediad.service.picture import work_left
from mediad.state import stage_of

LOOK_EVERY_S: Final = 0.1
Answer: TypeAlias = Literal["done", "failed", "time is up"]


class Waiting:
    """What is paused, or waits for an outside part that is down, is not done: it is waited for as well."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def until_idle(self, timeout_s: float | None) -> Answer:
        """Also for what lies in the drop folder and nobody has told us of."""
        with anyio.move_on_after(timeout_s):
            while True:
                await self._until(self._is_idle)
                if not await self._parts.orders.rescan() and await self._is_idle():
                    break
            of = (await self._parts.journal.counts()).conditions
            return "failed" if of.get(Condition.FAILED) or of.get(Condition.HELD) else "done"
        return "time is up"

    async def until_settled(self, asset: AssetId, timeout_s: float | None) -> Answer:
        """Until this asset's lanes have ended, wait for a later hour, or need a person."""

        async def is_settled() -> bool:
            return not any(self._is_open(x) for x in await self._parts.journal.listed([asset]))

        with anyio.move_on_after(timeout_s):
            await self._until(is_settled)
            [listed] = await self._parts.journal.listed([asset])
            if listed.absorbed_by is not None:
                return await self.until_settled(listed.absorbed_by, None)
            marks = {s.mark for s in listed.standing}
            return "failed" if marks & {Mark.FAILED, Mark.HELD} else "done"
        return "time is up"

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        clock = self._parts.ports().clock
        while not await holds():
            await clock.sleep(LOOK_EVERY_S)

    async def _is_idle(self) -> bool:
        engine = self._parts.engine
        stages = engine.stages()
        if any(engine.running(s) for s in stages):
            return False
        return not work_left(await self._parts.journal.counts(), stages)

    def _is_open(self, listed: Listed) -> bool:
        engine = self._parts.engine
        if engine.works_on(listed.asset.id):
            return True
        return any(
            is_work(s.state, s.mark)
            for s in listed.standing
            if stage_of(s.state) in engine.stages()
        )
