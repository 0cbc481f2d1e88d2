"""Guards the wire to Syncthing: whatever answers there, it is one of our errors, bounded, and the key shows nowhere."""

import asyncio
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from mediad.adapters.syncthing.client import CONNECTIONS, MOST_BYTES, Access, Client
from mediad.errors import MediadError, NeedsOperator, Retryable
from tests.adapters.syncthing_stand_in import KEY, ME, StandIn, serving
from tests.memory import taking_at_most

STATUS = "/rest/system/status"


@asynccontextmanager
async def client_of(access: Access) -> AsyncIterator[Client]:
    client = Client(lambda: access)
    try:
        yield client
    finally:
        await client.aclose()


def to(stand_in: StandIn, **more: object) -> Access:
    return replace(Access(stand_in.url, KEY, None, 5.0), **more)  # type: ignore[arg-type]


async def fault_of(access: Access, *, node: str = "") -> MediadError:
    async with client_of(access) as client:
        with pytest.raises(MediadError) as caught:
            await client.ask("GET", STATUS, node=node)
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(error) + error.remedy + repr(access)
    assert access.key not in told
    assert error.site == "syncthing"
    assert error.remedy
    return error


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    async with serving(StandIn(str(tmp_path))) as stand_in:
        yield stand_in


async def test_a_good_answer_tells_who_said_it(stand_in: StandIn) -> None:
    async with client_of(to(stand_in)) as client:
        answer = await client.ask("GET", STATUS, node=ME)
    assert answer is not None
    assert (answer.node, answer.syncthing) == (ME, "v1.29.5")
    assert isinstance(answer.said, dict)


async def test_a_wrong_key_is_a_bad_key(stand_in: StandIn) -> None:
    error = await fault_of(to(stand_in, key="another-key"))
    assert (error.code, type(error)) == ("syncthing.bad_key", NeedsOperator)


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (401, "Not Authorized", "bad_key"),
        (403, "Forbidden", "bad_key"),
        (403, "Host check error", "host_check"),
        (400, "Client sent an HTTP request to an HTTPS server.", "wants_https"),
        (500, "folder is paused", "folder_paused"),
        (404, "no such folder", "folder_missing"),
        (404, "No folder with given ID", "folder_missing"),
        (500, "folder marker missing (this indicates potential data loss)", "marker_missing"),
        (500, "something else", "answer"),
        (404, "404 page not found", "answer"),
        (404, "No such object in the index", "answer"),  # where no name was asked for
    ],
)
async def test_what_syncthing_says_in_plain_words_is_known(
    stand_in: StandIn, status: int, said: str, code: str
) -> None:
    async def say(_: web.Request) -> web.Response:
        return stand_in.plain(status, f"{said}\n")

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == f"syncthing.{code}"


async def test_a_name_that_is_not_there_is_no_error_where_one_was_asked_for(
    stand_in: StandIn,
) -> None:
    async with client_of(to(stand_in)) as client:
        query = [("folder", "photos"), ("file", "a.jpg")]
        assert await client.ask("GET", "/rest/db/file", query, unknown="No such object") is None


async def test_a_database_on_its_way_to_2_is_waited_for(stand_in: StandIn) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text="*** Database migration in progress ***\n\nplease wait")

    stand_in.says[STATUS] = say
    error = await fault_of(to(stand_in))
    assert (error.code, type(error)) == ("syncthing.migrating", Retryable)


async def test_a_page_of_another_program_is_not_syncthing(stand_in: StandIn) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text="<html>secret words</html>", content_type="text/html")

    stand_in.says[STATUS] = say
    error = await fault_of(to(stand_in))
    assert error.code == "syncthing.not_syncthing"
    assert "secret words" not in str(error)


async def test_an_answer_without_syncthings_mark_is_not_believed(stand_in: StandIn) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.json_response({"myID": ME})

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == "syncthing.not_syncthing"


async def test_a_refusal_of_another_program_is_not_a_bad_key(stand_in: StandIn) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(status=403, text="<h1>403 Forbidden</h1>", content_type="text/html")

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == "syncthing.not_syncthing"


async def test_another_node_is_not_believed(stand_in: StandIn) -> None:
    error = await fault_of(to(stand_in), node="OTHERAA-AAAAAAA")
    assert error.code == "syncthing.not_syncthing"


async def test_a_page_with_syncthings_mark_is_still_no_answer(stand_in: StandIn) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text="<html/>", content_type="text/html", headers=stand_in.headers)

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == "syncthing.not_syncthing"


@pytest.mark.parametrize(
    "said", ["{", '{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, "\ufeff{}", "9" * 5000]
)
async def test_what_is_no_json_is_an_odd_answer(stand_in: StandIn, said: str) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text=said, content_type="application/json", headers=stand_in.headers)

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == "syncthing.answer"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("https://127.0.0.1:1/rest/system/status", "wants_https"),
        ("http://127.0.0.1:1/login", "not_syncthing"),
    ],
)
async def test_a_redirect_is_told_and_never_followed(
    stand_in: StandIn, location: str, code: str
) -> None:
    async def say(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(location)

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == f"syncthing.{code}"
    assert len(stand_in.asked) == 1


async def test_nobody_there_is_unreachable() -> None:
    async with serving(StandIn("")) as gone:
        pass
    error = await fault_of(to(gone))
    assert (error.code, type(error)) == ("syncthing.unreachable", Retryable)


async def test_one_who_takes_the_question_and_says_nothing_is_silent() -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await fault_of(Access(f"http://127.0.0.1:{port}", KEY, None, 0.2))
    assert (error.code, type(error)) == ("syncthing.silent", Retryable)


async def test_one_who_stops_in_the_middle_is_silent_too(stand_in: StandIn) -> None:
    over = asyncio.Event()

    async def say(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=stand_in.headers)
        await response.prepare(request)
        await response.write(b'{"myID":')
        await over.wait()
        return response

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in, timeout_s=0.3))).code == "syncthing.silent"
    over.set()


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_one_who_speaks_no_http_is_an_error_of_ours(words: bytes) -> None:
    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await fault_of(Access(f"http://127.0.0.1:{port}", KEY, None, 5.0))
    assert error.code in {"syncthing.not_syncthing", "syncthing.unreachable"}


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_flood_is_cut_off_and_costs_no_memory(
    stand_in: StandIn, *, is_announced: bool
) -> None:
    sent = 0

    async def say(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers=stand_in.headers)
        response.content_length = 100 << 20 if is_announced else None
        await response.prepare(request)
        piece = b" " * (1 << 20)
        for _ in range(100):
            await response.write(piece)
            sent += len(piece)
        return response

    stand_in.says[STATUS] = say
    with taking_at_most(3 * MOST_BYTES):
        assert (await fault_of(to(stand_in))).code == "syncthing.too_large"
    assert sent <= MOST_BYTES + (16 << 20)


async def test_a_small_answer_that_unfolds_into_a_large_one_is_not_unfolded(
    stand_in: StandIn,
) -> None:
    async def say(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        response = stand_in.json({"a": " " * (40 << 20)})
        response.enable_compression(web.ContentCoding.gzip)
        response.headers["X-Odd"] = "1"
        return response

    stand_in.says[STATUS] = say
    assert (await fault_of(to(stand_in))).code == "syncthing.answer"


async def test_no_proxy_of_the_environment_is_used(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with client_of(to(stand_in)) as client:
        assert await client.ask("GET", STATUS) is not None


@pytest.mark.parametrize(
    "name",
    ["a b", "+", "%41", "#x", "?y=1&z", "'\"`", "é📷", "a\nb\tc", "-x", "back\\", "~", ";", "[1]*"],
)
async def test_every_character_of_a_name_arrives_as_it_is(stand_in: StandIn, name: str) -> None:
    heard = []

    async def say(request: web.Request) -> web.Response:
        heard.append(request.query["file"])
        return stand_in.json({})

    stand_in.says["/rest/db/file"] = say
    async with client_of(to(stand_in)) as client:
        await client.ask("GET", "/rest/db/file", [("folder", "photos"), ("file", name)])
    assert heard == [name]


async def test_a_question_under_way_ends_well_when_the_settings_change(stand_in: StandIn) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def say(_: web.Request) -> web.Response:
        asked.set()
        await go.wait()
        return stand_in.json([])

    stand_in.says["/rest/events"] = say
    accesses = [to(stand_in)]
    client = Client(lambda: accesses[0])
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(client.ask("GET", "/rest/events"))
        await asked.wait()
        stand_in.key = "a new key"
        accesses[0] = to(stand_in, key="a new key")
        assert await client.ask("GET", STATUS) is not None
        go.set()
    assert poll.result() is not None
    await client.aclose()


async def test_no_more_connections_are_opened_than_a_few(stand_in: StandIn) -> None:
    at_once = most = 0
    together = asyncio.Event()

    async def say(_: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == CONNECTIONS:
            together.set()
        await together.wait()
        at_once -= 1
        return stand_in.json({})

    stand_in.says[STATUS] = say
    async with client_of(to(stand_in)) as client, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(client.ask("GET", STATUS))
    assert most == CONNECTIONS


# Certificates


def certificate(folder: Path, name: str, *more: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own, as Syncthing makes one: no authority, and named for a machine."""
    cert, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]
    extras = more or ("-addext", "basicConstraints=critical,CA:FALSE")
    subprocess.run(
        [*command, "-keyout", key, "-out", cert, "-subj", f"/CN={name}", *extras],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


async def test_the_pinned_certificate_is_trusted_whatever_its_name(tmp_path: Path) -> None:
    cert, context = certificate(tmp_path, "some-machine")
    async with serving(StandIn("/x"), tls=context) as stand_in:
        async with client_of(to(stand_in, ca_file=cert)) as client:
            assert await client.ask("GET", STATUS) is not None
        assert stand_in.asked


async def test_another_certificate_is_told_nothing(tmp_path: Path) -> None:
    _, context = certificate(tmp_path, "some-machine")
    other, _ = certificate(tmp_path, "other")
    async with serving(StandIn("/x"), tls=context) as stand_in:
        assert (await fault_of(to(stand_in, ca_file=other))).code == "syncthing.tls"
        assert (await fault_of(to(stand_in))).code == "syncthing.tls"
        assert stand_in.asked == []


async def test_an_authority_vouches_only_for_the_name_that_was_asked_for(tmp_path: Path) -> None:
    cert, context = certificate(tmp_path, "elsewhere", "-addext", "subjectAltName=DNS:elsewhere")
    async with serving(StandIn("/x"), tls=context) as stand_in:
        assert (await fault_of(to(stand_in, ca_file=cert))).code == "syncthing.tls"
        assert stand_in.asked == []


async def test_https_to_one_who_speaks_http_is_told(stand_in: StandIn, tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path, "some-machine")
    url = stand_in.url.replace("http:", "https:")
    assert (await fault_of(to(stand_in, url=url, ca_file=cert))).code == "syncthing.tls"


async def test_a_certificate_file_that_cannot_be_read_is_told(
    stand_in: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "odd.pem").write_text("no certificate")
    for name in ("odd.pem", "missing.pem"):
        error = await fault_of(to(stand_in, ca_file=tmp_path / name))
        assert error.code == "syncthing.tls"
        assert name in error.what
