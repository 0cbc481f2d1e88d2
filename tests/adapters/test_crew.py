"""Guards that a hung mount takes only its own threads, and that a stop does not wait for it."""

import threading
from pathlib import Path

import anyio

from mediad.adapters.crew import Crew
from mediad.model import Site
from tests.adapters.folders import Folders


async def test_a_hung_archive_starves_nobody_and_is_left_behind(tmp_path: Path) -> None:
    crew = Crew(Folders(tmp_path).roots(), threads=3)
    mended = threading.Event()
    try:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(crew.run, (Site.SPOOL, Site.ARCHIVE), mended.wait)
                await anyio.sleep(0.05)
                assert await crew.run((Site.SPOOL, Site.PHONE), lambda: "done") == "done"
                assert await crew.run((Site.SPOOL, Site.LIBRARY), lambda: "done") == "done"
                group.cancel_scope.cancel()
    finally:
        mended.set()


async def test_every_item_is_done_once(tmp_path: Path) -> None:
    crew = Crew(Folders(tmp_path).roots(), threads=3)
    done: list[int] = []
    await crew.spread((Site.SPOOL,), done.append, range(500))
    assert sorted(done) == list(range(500))
    await crew.spread((Site.SPOOL,), done.append, ())
    assert len(done) == 500
