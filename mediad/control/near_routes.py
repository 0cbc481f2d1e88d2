"""The route of photos that look the same."""

from typing import Final

from mediad.control.table import Ask, Field, Reply, Route
from mediad.service import Service
from mediad.service.near_answers import PairsDoc


async def near(service: Service, ask: Ask) -> Reply:
    return Reply(await service.near.pairs(ask.query.get("cursor"), ask.query.get("limit", 100)))


NEAR_ROUTES: Final = (
    Route("GET", "/near", near, "Pairs of photos that look the same, the newest first; nothing is done about them",
          PairsDoc, query=(
        Field("cursor", "integer", "what the last page gave, to go on from there"),
        Field("limit", "integer", "pairs on a page", least=1),
    )),
)  # fmt: skip
