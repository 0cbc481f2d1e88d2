"""Guards the bytes: cut anywhere, spoilt, expired or misdirected, a file is whole under its name or not there."""

import base64
import hashlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from mediad.adapters.icloud import ICloud
from mediad.adapters.icloud.breaker import Breaker
from mediad.adapters.icloud.download import CUTS, Downloader
from mediad.adapters.icloud.records import Location
from mediad.config import Settings
from mediad.errors import MediadError, Retryable
from mediad.model import CloudRef, RemoteFile, Resource, Site
from mediad.ports import Fetch
from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Fault, File, jpeg
from tests.adapters.folders import Folders, at, mounted
from tests.adapters.icloud_stand import MTIME, PRIMARY, Stand, fetches, standing
from tests.memory import taking_at_most

CONTENT = "icloud-content.com/B"
SIZE = 200_000


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as found:
        yield found


async def one(stand: Stand, cloud: ICloud, size: int = SIZE) -> Fetch:
    stand.person.shoot("IMG_0001.JPG", size=size)
    return fetches((await cloud.listing(PRIMARY, 0)).remotes)[0]


def there(stand: Stand) -> dict[str, bytes]:
    """Every file below incoming/, parts left out."""
    found = stand.folders.under(Site.INCOMING)
    return {name: content for name, content in found.items() if not name.endswith(".part")}


def is_whole(stand: Stand, fetch: Fetch) -> bool:
    path = stand.folders.paths[Site.INCOMING] / fetch.target.key
    return fingerprint(path.read_bytes()) == fetch.file.fingerprint


def fingerprint(content: bytes) -> str:
    salt = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"
    raw = b"\x01" + hashlib.sha1(salt + content, usedforsecurity=False).digest()
    return base64.b64encode(raw).decode()


def codes(answers: object) -> list[str]:
    assert isinstance(answers, list)
    return [a.code if isinstance(a, MediadError) else "" for a in answers]


async def test_each_file_of_an_asset_comes_to_its_place_with_its_date(stand: Stand) -> None:
    stand.person.shoot_live("IMG_1.JPG")
    stand.person.edit(stand.person.shoot_raw("IMG_2.JPG").record)
    async with stand.cloud() as cloud:
        wanted = fetches((await cloud.listing(PRIMARY, 0)).remotes)
        assert codes(await cloud.fetch(wanted)) == [""] * 5
        assert list(await cloud.fingerprints([f.target for f in wanted])) == [
            f.file.fingerprint for f in wanted
        ]
        for fetch in wanted:
            path = stand.folders.paths[Site.INCOMING] / fetch.target.key
            assert path.stat().st_mtime_ns == MTIME
        assert len(there(stand)) == len(stand.folders.under(Site.INCOMING)) == 5
        before = stand.asked(CONTENT)
        assert codes(await cloud.fetch(wanted)) == [""] * 5
        assert stand.asked(CONTENT) == before


async def cut_everywhere(stand: Stand, offsets: list[int]) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        for number, offset in enumerate(offsets):
            target = at(Site.INCOMING, f".icloud/{number}/a.jpg")
            stand.server.faults.append(Fault(CONTENT, cut_at=offset))
            assert codes(await cloud.fetch([replace(fetch, target=target)])) == [""]
            assert is_whole(stand, replace(fetch, target=target))
            (stand.folders.paths[Site.INCOMING] / target.key).unlink()
            stand.server.faults.clear()
            stand.clock.advance(60)


async def test_a_connection_that_is_cut_anywhere_is_gone_on_with(stand: Stand) -> None:
    dice = random.Random(4)  # noqa: S311 - the same each time
    await cut_everywhere(stand, [0, 1, SIZE - 1, SIZE, *(dice.randrange(SIZE) for _ in range(60))])


@pytest.mark.crash
async def test_a_connection_that_is_cut_at_a_thousand_places_is_gone_on_with(stand: Stand) -> None:
    dice = random.Random(1_000)  # noqa: S311
    await cut_everywhere(stand, [dice.randrange(SIZE) for _ in range(1_000)])


async def test_what_came_before_a_cut_is_not_fetched_again(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.remembered.bytes_sent.clear()
        stand.server.faults.append(Fault(CONTENT, cut_at=150_000))
        assert codes(await cloud.fetch([fetch])) == [""]
        assert stand.server.remembered.bytes_sent["content"] < fetch.file.size + 70_000


async def test_a_restart_goes_on_where_the_last_life_was_cut(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults.append(Fault(CONTENT, times=1, cut_at=100_000))
        stand.server.faults.append(Fault(CONTENT, times=99, lost=True))
        assert codes(await cloud.fetch([fetch])) == ["icloud.unreachable"]
        assert there(stand) == {}
        [part] = stand.folders.under(Site.INCOMING).values()
        assert 0 < len(part) <= 100_000
    stand.server.faults.clear()
    stand.server.remembered.bytes_sent.clear()
    async with stand.cloud(signed_in=False) as cloud:
        assert codes(await cloud.fetch([fetch])) == [""]
    assert stand.server.remembered.bytes_sent["content"] == fetch.file.size - len(part)
    assert is_whole(stand, fetch)


async def test_a_line_that_is_always_dead_gives_up_in_bounded_tries(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults.append(Fault(CONTENT, times=999, lost=True))
        before = stand.asked(CONTENT)
        assert codes(await cloud.fetch([fetch])) == ["icloud.unreachable"]
        assert (
            stand.asked(CONTENT) - before <= 2 * CUTS
        )  # aiohttp itself asks once more on an old connection


@pytest.mark.parametrize(
    "fault",
    [
        Fault(CONTENT, times=99, html=True),
        Fault(CONTENT, times=99, truncate_at=1_000),
        Fault(CONTENT, times=99, truncate_at=0),
        Fault(CONTENT, times=99, flip_at=0),
        Fault(CONTENT, times=99, flip_at=SIZE - 1),
    ],
    ids=["html", "short", "empty", "first bit", "last bit"],
)
async def test_other_bytes_than_apple_lists_are_never_the_file(stand: Stand, fault: Fault) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults.append(fault)
        assert codes(await cloud.fetch([fetch])) == ["icloud.mismatch"]
        assert there(stand) == {}
        assert (99 - fault.times) <= 2
        stand.server.faults.clear()
        assert codes(await cloud.fetch([fetch])) == [""]
        assert is_whole(stand, fetch)


async def test_a_single_flipped_bit_is_fetched_once_more(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults.append(Fault(CONTENT, flip_at=77_777))
        assert codes(await cloud.fetch([fetch])) == [""]
        assert is_whole(stand, fetch)


async def test_a_rotten_half_from_before_is_thrown_away(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults.append(Fault(CONTENT, times=1, cut_at=100_000))
        stand.server.faults.append(Fault(CONTENT, times=99, lost=True))
        await cloud.fetch([fetch])
        stand.server.faults.clear()
        stand.clock.advance(60)
        part = next(stand.folders.paths[Site.INCOMING].rglob("*.part"))
        part.write_bytes(b"\0" * 150_000)
        assert codes(await cloud.fetch([fetch])) == [""]
        assert is_whole(stand, fetch)


async def test_an_address_that_has_ended_is_asked_for_anew(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.clock.advance(7 * 3_600)
        before = stand.asked("records/lookup")
        assert codes(await cloud.fetch([fetch])) == [""]
        assert stand.asked("records/lookup") == before + 1


async def test_an_address_near_its_end_is_not_even_tried(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.clock.advance(6 * 3_600 - 60)
        before = stand.asked(CONTENT)
        assert codes(await cloud.fetch([fetch])) == [""]
        assert stand.asked(CONTENT) == before + 1
        assert stand.asked("records/lookup") == 1


async def test_a_410_in_the_middle_is_gone_on_with_from_a_new_address(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults += [Fault(CONTENT, cut_at=90_000), Fault(CONTENT, status=410)]
        assert codes(await cloud.fetch([fetch])) == [""]
        assert is_whole(stand, fetch)


async def test_a_storm_of_410_ends(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.server.faults.append(Fault(CONTENT, times=999, status=410))
        assert codes(await cloud.fetch([fetch])) == ["icloud.no_file"]
        assert stand.asked(CONTENT) <= 3


async def test_a_photo_that_is_gone_is_said_to_be_gone(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.person.expunge(fetch.ref.record)
        stand.clock.advance(7 * 3_600)
        assert codes(await cloud.fetch([fetch])) == ["icloud.not_found"]


async def test_an_edit_that_was_replaced_is_no_longer_offered(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        record = stand.person.shoot("IMG_1.JPG").record
        stand.person.edit(record)
        wanted = fetches((await cloud.listing(PRIMARY, 0)).remotes)
        stand.person.edit(record)
        stand.clock.advance(7 * 3_600)
        assert codes(await cloud.fetch(wanted)) == ["", "icloud.no_file"]


@pytest.mark.parametrize("after", [None, 90.0])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_throttled_content_host_is_left_alone(
    stand: Stand, status: int, after: float | None
) -> None:
    for n in range(12):
        stand.person.shoot(f"{n}.JPG")
    async with stand.cloud() as cloud:
        wanted = fetches((await cloud.listing(PRIMARY, 0)).remotes)
        stand.server.faults.append(Fault(CONTENT, times=999, status=status, retry_after=after))
        before = stand.asked(CONTENT)
        answers = await cloud.fetch(wanted)
        assert set(codes(answers)) == {"icloud.throttled"}
        assert stand.asked(CONTENT) - before <= 4  # those that were on their way already
        last = answers[-1]
        assert isinstance(last, Retryable)
        assert last.after_s
        stand.server.faults.clear()
        stand.clock.advance(3_600)
        assert set(codes(await cloud.fetch(wanted))) == {""}


async def test_no_more_come_at_once_than_is_set(tmp_path: Path) -> None:
    busy, most = 0, 0
    body = b"x" * 1_000
    three = anyio.Event()

    async def serve(_: web.Request) -> web.StreamResponse:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if busy == 3:
            three.set()
        await three.wait()
        for _step in range(50):  # room for a fourth to come in
            await anyio.lowlevel.checkpoint()
        busy -= 1
        return web.Response(body=body)

    async with downloading(tmp_path, serve, at_once=3) as loader:
        assert codes(await loader.fetch([wish(body, n) for n in range(20)], place)) == [""] * 20
    assert most == 3


async def test_memory_stays_flat_whatever_the_size(tmp_path: Path) -> None:
    megabytes = 400
    piece = bytes(1 << 20)
    proof = hashlib.sha1(
        b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0", usedforsecurity=False
    )
    for _ in range(megabytes):
        proof.update(piece)
    mark = base64.b64encode(b"\x01" + proof.digest()).decode()

    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(megabytes << 20)})
        await response.prepare(request)
        for _ in range(megabytes):
            await response.write(piece)
        return response

    async with downloading(tmp_path, serve) as loader:
        await loader.fetch([wish(b"warm", 1)], place)
        file = RemoteFile(Resource.ORIGINAL, "a.mov", megabytes << 20, mark)
        fetch = Fetch(CloudRef("PrimarySync", "A"), file, at(Site.INCOMING, "a.mov"), MTIME)
        with taking_at_most(64 << 20):
            assert codes(await loader.fetch([fetch], place)) == [""]


Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


def place(_: Fetch) -> Location:
    return Location("https://cvws.icloud-content.com/B/x/original?s=canary-signature", None)


def wish(content: bytes, number: int = 0) -> Fetch:
    file = RemoteFile(Resource.ORIGINAL, "a.jpg", len(content), fingerprint(content))
    target = at(Site.INCOMING, f".icloud/{number}/a.jpg")
    return Fetch(CloudRef("PrimarySync", f"A-{number}"), file, target, MTIME)


@asynccontextmanager
async def downloading(
    root: Path, serve: Serve, *, at_once: int = 4, where: Location | None = None
) -> AsyncIterator[Downloader]:
    """A content host that misbehaves as the test likes."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    clock = StoppedClock()
    words = {"gateway": address, "at_once": at_once}
    told = Settings.model_validate({"root": root, "icloud": words})
    files = Folders(root / "folders").files()

    async def locate(fetch: Fetch) -> Location:
        return where or place(fetch)

    loader = Downloader(lambda: told, clock, files, Breaker(clock.monotonic), locate)
    try:
        yield loader
    finally:
        await loader.aclose()
        await runner.cleanup()


async def test_a_server_that_knows_no_ranges_begins_again(tmp_path: Path) -> None:
    content, calls = random.Random(1).randbytes(50_000), 0  # noqa: S311

    async def serve(request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls > 1:
            return web.Response(body=content)
        response = web.StreamResponse(headers={"Content-Length": "50000"})
        await response.prepare(request)
        await response.write(content[:20_000])
        assert request.transport is not None
        request.transport.close()
        return response

    async with downloading(tmp_path, serve) as loader:
        assert codes(await loader.fetch([wish(content)], place)) == [""]
    assert calls == 2


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Range": "bytes 5-49999/50000"}, "icloud.answer"),
        ({"Content-Range": "nonsense"}, "icloud.answer"),
        ({}, "icloud.answer"),
    ],
)
async def test_another_part_than_was_asked_for_is_not_taken(
    tmp_path: Path, headers: dict[str, str], code: str
) -> None:
    content = bytes(range(250)) * 200

    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, status=206, headers=headers)

    async with downloading(tmp_path, serve) as loader:
        assert codes(await loader.fetch([wish(content)], place)) == [code]
    assert Folders(tmp_path / "folders").under(Site.INCOMING).keys() <= {
        name for name in Folders(tmp_path / "folders").under(Site.INCOMING) if name.endswith("part")
    }


async def test_a_body_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    sent = 0

    async def serve(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while sent < 64 << 20:
            await response.write(bytes(1 << 16))
            sent += 1 << 16
        return response

    async with downloading(tmp_path, serve) as loader:
        assert codes(await loader.fetch([wish(b"small")], place)) == ["icloud.mismatch"]
    assert sent < 32 << 20


@pytest.mark.parametrize("to", ["http://127.0.0.1:1/x", "https://cvws.icloud-content.com/y"])
async def test_no_redirect_is_followed(tmp_path: Path, to: str) -> None:
    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": to})

    async with downloading(tmp_path, serve) as loader:
        assert codes(await loader.fetch([wish(b"x")], place)) == ["icloud.answer"]


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/B/x", "http://cvws.icloud-content.com/B/x", "https://www.icloud.com/a"],
)
async def test_another_host_than_apples_is_not_asked(tmp_path: Path, url: str) -> None:
    asked = 0

    async def serve(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.Response(body=b"x")

    async with downloading(tmp_path, serve) as loader:
        answers = await loader.fetch([wish(b"x")], lambda _: Location(url, None))
    assert codes(answers) == ["icloud.wrong_host"]
    assert asked == 0


async def test_the_signature_goes_out_letter_by_letter_and_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    seen: list[str] = []
    signed = "/B/x/original?o=A-_~&s=canary%2B%3D%2f&k=a+b"

    async def serve(request: web.Request) -> web.StreamResponse:
        seen.append(request.raw_path)
        assert request.headers["X-Fake-Host"] == "cvws.icloud-content.com"
        assert "Cookie" not in request.headers
        return web.Response(status=418)

    async with downloading(tmp_path, serve) as loader:
        [answer] = await loader.fetch(
            [wish(b"x")], lambda _: Location(f"https://cvws.icloud-content.com{signed}", None)
        )
    assert seen == [signed]
    assert answer is not None
    assert "canary" not in f"{answer!r}{answer.remedy}{answer.__cause__!r}{caplog.text}"


async def test_other_bytes_under_the_name_stay_and_are_told_of(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        stand.folders.drop(Site.INCOMING, fetch.target.key, b"somebody's own")
        assert codes(await cloud.fetch([fetch])) == ["place.taken"]
        assert list(there(stand).values()) == [b"somebody's own"]


async def test_a_full_disk_is_told_before_it_is_full_and_leaves_room(stand: Stand) -> None:
    incoming = stand.folders.paths[Site.INCOMING]
    with mounted(incoming, "size=2m"):
        async with stand.cloud() as cloud:
            small = await one(stand, cloud)
            stand.clock.advance(1)
            body = jpeg("big", taken_at=1_700_000_000_000, size=3 << 20)
            stand.person.add(
                "BIG.JPG", [File("resOriginal", "public.jpeg", body, 8, 8)], taken_at=1
            )
            remotes = (await cloud.listing(PRIMARY, 0)).remotes
            big = next(f for f in fetches(remotes) if f.file.name == "BIG.JPG")
            assert codes(await cloud.fetch([big, small])) == ["space.full", ""]
            (incoming / "somebody").write_bytes(bytes(1_700_000))
            again = replace(small, target=at(Site.INCOMING, ".icloud/again.jpg"))
            assert codes(await cloud.fetch([again])) == ["space.full"]
            assert not list(incoming.rglob(".mediad-*.part"))
            (incoming / "somebody").unlink()
            assert codes(await cloud.fetch([again])) == [""]


async def test_what_was_read_back_moments_ago_is_read_again_once_it_is_touched(
    stand: Stand,
) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        assert codes(await cloud.fetch([fetch])) == [""]
        assert list(await cloud.fingerprints([fetch.target])) == [fetch.file.fingerprint]
        path = stand.folders.paths[Site.INCOMING] / fetch.target.key
        spoilt = bytes(path.stat().st_size)
        path.write_bytes(spoilt)
        os.utime(path, ns=(fetch.mtime_ns, fetch.mtime_ns))
        assert list(await cloud.fingerprints([fetch.target])) == [fingerprint(spoilt)]


async def test_a_clock_that_goes_wrong_loses_nothing(stand: Stand) -> None:
    async with stand.cloud() as cloud:
        fetch = await one(stand, cloud)
        for hours in (-48, 48, 24 * 365):
            target = at(Site.INCOMING, f".icloud/{hours}.jpg")
            real = cloud._downloads._clock
            cloud._downloads._clock = StoppedClock(at=stand.clock.at + hours * 3_600_000)
            assert codes(await cloud.fetch([replace(fetch, target=target)])) == [""]
            cloud._downloads._clock = real


async def test_nothing_there_has_no_fingerprint(stand: Stand) -> None:
    async with stand.cloud(signed_in=False) as cloud:
        stand.folders.drop(Site.INCOMING, "a.jpg", b"abc")
        found = await cloud.fingerprints([at(Site.INCOMING, "a.jpg"), at(Site.INCOMING, "b.jpg")])
        assert list(found) == [fingerprint(b"abc"), None]
        assert stand.server.remembered.total == 0
