"""Guards that files which nobody knows are told of, that known ones are not, and that nothing is touched."""

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest

from mediad.errors import Retryable
from mediad.model import SiteKey
from mediad.watchers import orphans
from mediad.watchers.orphans import AGAIN_S
from tests.engine.world import SOON_S, World, world


class Shelf:
    """What lies in processing/, and an error for the first looks."""

    def __init__(self, *keys: str, fails: int = 0) -> None:
        self.keys = [SiteKey(k) for k in keys]
        self.fails = fails

    async def __call__(self) -> Sequence[SiteKey]:
        if self.fails:
            self.fails -= 1
            raise Retryable("cough", code="io.cough")
        return list(self.keys)


async def known(w: World, *names: str) -> list[str]:
    found = [await w.journal.asset(a) for a in await w.drop(*names)]
    return [str(a.originals[0].spool_key) for a in found if a]


async def run_until(w: World, shelf: Shelf, holds: Callable[[], bool]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(orphans.watch, shelf, w.journal, w.clock, w.problems)
        with anyio.fail_after(SOON_S):
            while not holds():
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_what_the_journal_knows_is_no_orphan_and_the_look_is_over(tmp_path: Path) -> None:
    async with world(tmp_path, is_working=False) as w:
        shelf = Shelf(*await known(w, "a.jpg", "not-\udcff.jpg"))
        await orphans.watch(shelf, w.journal, w.clock, w.problems)
        assert w.problems.now() == ()
        assert w.clock.slept == []


async def test_what_nobody_knows_is_told_until_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "SLICE", 2)
    async with world(tmp_path, is_working=False) as w:
        ours = await known(w, "a.jpg", "b.jpg", "c.jpg")
        shelf = Shelf("1-9-x.jpg", *ours, "1-8-\udcff\n.jpg")
        await run_until(w, shelf, lambda: bool(w.problems.now()))
        [problem] = w.problems.now()
        assert (problem.code, problem.subject) == ("spool.orphans", "orphans")
        assert "2 files" in problem.message
        problem.message.encode()
        assert "incoming/" in problem.remedy
        shelf.keys = [SiteKey(k) for k in ours]
        await orphans.watch(shelf, w.journal, w.clock, w.problems)
        assert w.problems.now() == ()


async def test_a_look_that_failed_is_made_again(tmp_path: Path) -> None:
    async with world(tmp_path, is_working=False) as w:
        await orphans.watch(Shelf(fails=2), w.journal, w.clock, w.problems)
        assert w.clock.slept == [AGAIN_S] * 2
