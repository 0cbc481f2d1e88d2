"""Guards that the OpenAPI document names every route, and says of each what it takes and gives."""

import re
from pathlib import Path
from typing import Any

from mediad.control.openapi import document
from mediad.control.routes import ROUTES
from tests.control.api import an_api


def test_every_route_is_in_it() -> None:
    paths = document(ROUTES, "1")["paths"]
    for route in ROUTES:
        path = re.sub(r"\{(\w+):[^/]*\}", r"{\1}", route.path)
        assert route.method.lower() in paths[path], path


def test_every_reference_leads_somewhere() -> None:
    doc = document(ROUTES, "1")

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [r for v in part.values() for r in references(v)]
        return [r for v in part for r in references(v)] if isinstance(part, list) else []

    found = references(doc)
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in doc["components"]["schemas"]


def test_operations_have_names_of_their_own() -> None:
    doc = document(ROUTES, "1")
    names = [o["operationId"] for path in doc["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))


async def test_the_served_status_has_exactly_the_keys_it_is_said_to_have(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        _, doc, _ = await api.ask("GET", "/openapi.json")
        _, status, _ = await api.ask("GET", "/status")
    assert set(status) == set(doc["components"]["schemas"]["StatusDoc"]["properties"])
