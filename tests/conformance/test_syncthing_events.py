"""Guards that a real Syncthing tells what the stream listens for: announcements, comings and goings, restarts."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

import anyio
import pytest

from mediad.adapters.clock import SystemClock
from mediad.adapters.syncthing import SyncthingPhone
from mediad.config import Settings
from mediad.syncthing_events import News, Reason, Stream
from tests.syncthing_pair import FOLDER_ID, SyncPair, running_pair

SOON_S = 40.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPair]:
    with running_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


class Ear:
    def __init__(self, news: AsyncIterator[News]) -> None:
        self._news = news

    async def hears(self, *reasons: Reason) -> News:
        """The next news that have one of these reasons."""
        with anyio.fail_after(SOON_S):
            while True:
                news = await anext(self._news)
                if news.reasons & set(reasons):
                    return news


@asynccontextmanager
async def ear(pair: SyncPair) -> AsyncIterator[Ear]:
    settings = Settings.model_validate(
        {"root": "/nowhere", "syncthing": {"url": pair.host.url, "api_key": pair.host.api_key}}
    )
    clock = SystemClock()
    phone = SyncthingPhone(lambda: settings, clock, lambda _: pair.host.folder)
    stream = Stream(
        phone,
        clock,
        folder=lambda: FOLDER_ID,
        device=lambda: pair.pixel.device_id,
        patience_s=lambda: 300.0,
    )
    try:
        async with aclosing(stream.news()) as news:
            heard = Ear(news)
            await heard.hears(Reason.START)
            yield heard
    finally:
        await phone.aclose()


async def put(pair: SyncPair, name: str) -> None:
    (pair.host.folder / name).write_bytes(b"picture")
    await pair.host.scan(name)


async def test_it_hears_that_the_phone_has_a_new_file(pair: SyncPair) -> None:
    async with ear(pair) as it:
        await put(pair, "a.jpg")
        news = await it.hears(Reason.INDEX)
        assert news.heard is not None
        assert news.heard.type == "RemoteIndexUpdated"
        assert news.heard.at


async def test_it_hears_the_phone_go_and_come(pair: SyncPair) -> None:
    async with ear(pair) as it:
        pair.pixel.kill()
        assert (await it.hears(Reason.LINK)).heard is not None
        await pair.pixel.start()
        await it.hears(Reason.LINK)
    await pair.wait_connected()


async def test_it_hears_of_a_changed_configuration_and_never_of_what_is_in_it(
    pair: SyncPair,
) -> None:
    async with ear(pair) as it:
        await pair.host.set_folder(label="another")
        news = await it.hears(Reason.CONFIG)
        assert pair.host.api_key not in repr(news)


async def test_it_hears_the_folder_stop_and_go_on(pair: SyncPair) -> None:
    async with ear(pair) as it:
        await pair.host.pause_folder()
        await it.hears(Reason.FOLDER)
        await pair.host.resume_folder()
        await it.hears(Reason.FOLDER)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_syncthing_that_was_started_anew_is_heard_again_from_its_first_word(
    pair: SyncPair, how: str
) -> None:
    async with ear(pair) as it:
        for n in range(3):
            await put(pair, f"{how}-{n}.jpg")
            await it.hears(Reason.INDEX)
        if how == "killed":
            pair.host.kill()
        else:
            await pair.host.stop()
        broken = await it.hears(Reason.BROKEN)
        assert broken.fault is not None
        assert broken.fault.code == "syncthing.unreachable"
        await pair.host.start()
        await it.hears(Reason.RESTART)
        await pair.wait_connected()
        await put(pair, f"{how}-later.jpg")
        await it.hears(Reason.INDEX)
