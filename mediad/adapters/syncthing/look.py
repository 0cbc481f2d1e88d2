"""A look at many names in Syncthing's index: a few at a time, one answer for each, in order."""

from collections.abc import Sequence
from typing import Final

import anyio

from mediad.adapters.syncthing import answers
from mediad.adapters.syncthing.client import Client
from mediad.adapters.syncthing.faults import ANSWER
from mediad.adapters.syncthing.known import Known
from mediad.adapters.syncthing.opinion import Round
from mediad.errors import MediadError, NeedsOperator, Refused, Retryable
from mediad.model import SiteKey
from mediad.ports import Indexed, Opinion

AT_ONCE: Final = 4
_UNKNOWN: Final = "No such object"


class Look:
    """Once Syncthing itself is at fault, the names that are left are not asked for: it would say the same of each."""

    def __init__(
        self, client: Client, known: Known, opinions: Round | None, keys: Sequence[SiteKey]
    ) -> None:
        self._client = client
        self._known = known
        self._opinions = opinions
        self._keys = keys
        self._left = iter(range(len(keys)))
        self.found: list[Indexed | MediadError | None] = [None] * len(keys)
        self.fault: MediadError | None = None  # of Syncthing, not of one name

    async def all(self) -> Sequence[Indexed | MediadError | None]:
        async with anyio.create_task_group() as group:
            for _ in range(min(AT_ONCE, len(self._keys))):
                group.start_soon(self._some)
        return self.found

    async def _some(self) -> None:
        for nth in self._left:
            self.found[nth] = self.fault or await self._one(self._keys[nth])

    async def _one(self, key: SiteKey) -> Indexed | MediadError | None:
        try:
            return await self._asked(key)
        except (Retryable, NeedsOperator, Refused) as error:
            if error.code != ANSWER.code:  # an odd answer may be this name's own
                self.fault = error
            return error

    async def _asked(self, key: SiteKey) -> Indexed | None:
        known = self._known
        query = [("folder", known.folder), ("file", key)]
        answer = await self._client.ask(
            "GET", "/rest/db/file", query, node=known.node.id, unknown=_UNKNOWN
        )
        if answer is None:
            return None
        seen = answers.indexed(answer.said, key, known.device)
        if self._opinions is None:
            return seen
        opinion = Opinion.NONE
        if seen.is_on_phone and seen.newest is not None and not seen.newest.is_deleted:
            opinion = await self._opinions.on(key, seen.newest)
        return Indexed(seen.here, seen.newest, seen.is_on_phone, opinion)
