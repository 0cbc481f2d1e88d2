"""Guards the event stream: no transition is missed, also by who was away for a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from mediad.control import sse
from tests.control.api import Api, an_api


@asynccontextmanager
async def listening(
    api: Api, path: str = "/events", **headers: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    async with api.http.get(f"http://mediad/api/v1{path}", headers=headers) as stream:
        yield stream


async def events(stream: aiohttp.ClientResponse, most: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    with anyio.fail_after(5):
        async for raw in stream.content:
            line = raw.decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
            elif event:
                if event["event"] != "problems":
                    found.append(event)
                event = {}
                if len(found) == most:
                    break
    return found


async def test_a_listener_hears_what_happens_from_now_on(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("before.jpg")
        async with listening(api) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            await api.world.bring("after.jpg")
            [first] = await events(stream, 1)
    assert first["event"] == "transition"
    assert '"asset":2' in first["data"]


async def test_who_was_away_gets_everything_since(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        await api.world.bring("a.jpg")
        last = await api.world.journal.latest_event()
        async with listening(api, **{"Last-Event-ID": "3"}) as stream:
            found = await events(stream, last - 3)
    assert [int(e["id"]) for e in found] == list(range(4, last + 1))


async def test_listeners_beyond_the_limit_are_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MOST_CLIENTS", 1)
    async with an_api(tmp_path) as api, listening(api) as first:
        assert first.status == 200
        async with listening(api) as second:
            assert second.status == 503
            doc: Any = await second.json(content_type=None)
            assert doc["code"] == "events.crowded"


async def test_the_log_is_followed_across_its_setting_aside(tmp_path: Path) -> None:
    async with an_api(tmp_path) as api:
        log = api.world.settings.log_path
        log.write_text(
            '{"level":"info","event":"one"}\nno json\n{"level":"debug","event":"quiet"}\n'
        )
        async with listening(api, "/logs?level=info") as stream:
            [one] = await events(stream, 1)
            log.rename(log.with_name("mediad.log.1"))
            log.write_text('{"level":"error","event":"two"}\n')
            [two] = await events(stream, 1)
    assert '"one"' in one["data"]
    assert '"two"' in two["data"]


@pytest.mark.parametrize("path", ["/logs?level=loud", "/logs?lines=x", "/events?after=x"])
async def test_a_wrong_question_is_a_problem(tmp_path: Path, path: str) -> None:
    async with an_api(tmp_path) as api, listening(api, path) as stream:
        assert stream.status == 422
