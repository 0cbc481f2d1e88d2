"""Guards the sweep of processing/renditions/: what nobody can ask for goes, all else stays, and a fault is no end."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import anyio
import pytest

from mediad.adapters.no_cloud import NoCloud
from mediad.adapters.no_phone import NoPhone
from mediad.config import load
from mediad.errors import Retryable
from mediad.journal import Journal
from mediad.model import AssetId, Evidence, Place, Rendition, Site, SiteKey
from mediad.ports import Encoder, Inspector, Ports
from mediad.state import State
from mediad.testing.files import MemoryFiles
from mediad.watchers import spares
from mediad.watchers.spares import EVERY_S
from tests.journal import world as journals
from tests.journal.world import arrived, digest_of, hashed, moved, walked, whole_asset

S = State


class Sweep:
    """The folder in memory, and how often it was looked at."""

    def __init__(self, root: Path) -> None:
        self.world = journals.World(root / "state" / "journal.db")
        self.journal: Journal = self.world.open()
        self.files = MemoryFiles(self.world.clock)
        self.settings = load(config_file=None, root=root, environ={}).settings
        self.fails = 0
        self.is_paused = False
        self.looks = 0

    def ports(self) -> Ports:
        return Ports(
            self.world.clock, self.files, cast("Inspector", None), cast("Encoder", None), self.journal,
            NoPhone(), NoCloud(), self.settings,
        )  # fmt: skip

    async def listed(self) -> Sequence[SiteKey]:
        self.looks += 1
        if self.looks <= self.fails:
            raise Retryable("cough", code="io.cough")
        return [SiteKey(k.partition("/")[2]) for k in self.left]

    @property
    def left(self) -> list[str]:
        return sorted(self.files.under(Site.SPOOL))

    async def made(self, asset: AssetId, rest: str) -> str:
        """A file made of it, that nobody has recorded."""
        [original] = (await whole_asset(self.journal, asset)).originals
        return self.drop(f"{original.spool_key}{rest}")

    def drop(self, name: str) -> str:
        return str(self.files.drop(Site.SPOOL, f"renditions/{name}", b"made").key)

    async def photo(self, name: str, *phone: State) -> AssetId:
        asset = await arrived(self.journal, name)
        await hashed(self.journal, asset)
        await walked(self.journal, asset, (S.PHONE_DUE, *phone))
        return asset

    async def run(self, looks: int = 1) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                spares.watch, self.listed, self.journal, self.world.clock, self.ports,
                lambda: self.is_paused,
            )  # fmt: skip
            while self.world.clock.slept.count(EVERY_S) < looks:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[Sweep]:
    w = Sweep(tmp_path)
    yield w
    await w.journal.close()


async def test_a_motion_photo_goes_when_its_asset_has_gone_on_and_stays_while_it_is_wanted(
    w: Sweep,
) -> None:
    skipped = await w.photo("a.heic", S.BATCHED, S.PLACED)
    wanted = [await w.photo("b.heic"), await w.photo("c.heic", S.BATCHED)]
    await w.made(skipped, ".motion-1.heic")
    kept = [await w.made(asset, ".motion-1.heic") for asset in wanted]
    await w.run()
    assert w.left == sorted(kept)


async def test_a_candidate_goes_when_it_is_judged_and_not_what_was_taken(w: Sweep) -> None:
    due, judged = await w.photo("a.heic"), await w.photo("b.heic")
    kept = [await w.made(due, ".light-1.heic"), await w.made(judged, ".light-2.heic")]
    await w.made(judged, ".light-1.heic")
    [original] = (await whole_asset(w.journal, judged)).originals
    taken = Rendition(
        original.id, "light-2", Place(Site.SPOOL, SiteKey(kept[1])), digest_of("r"), 1, {}
    )
    evidence = Evidence("judged", 1, renditions=(taken,))
    await moved(w.journal, judged, S.LIBRARY_DUE, S.COMPRESSED, evidence)
    await w.run()
    assert w.left == sorted(kept)


async def test_what_nobody_knows_is_not_touched(w: Sweep) -> None:
    kept = [w.drop("mediad-selftest-0123.jpg"), w.drop("1-1-x.heic.motion-1.heic")]
    await w.run()
    assert w.left == sorted(kept)


async def test_many_are_swept_in_slices(w: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares, "SLICE", 2)
    for n in range(5):
        await w.made(await w.photo(f"{n}.heic", S.BATCHED, S.PLACED), ".motion-1.heic")
    await w.run()
    assert w.left == []


async def test_a_folder_that_cannot_be_asked_is_asked_again(w: Sweep) -> None:
    await w.made(await w.photo("a.heic", S.BATCHED, S.PLACED), ".motion-1.heic")
    w.fails = 1
    await w.run(looks=2)
    assert (w.looks, w.left) == (2, [])


async def test_a_disk_that_refuses_is_tried_again(w: Sweep) -> None:
    await w.made(await w.photo("a.heic", S.BATCHED, S.PLACED), ".motion-1.heic")
    w.files.faults[Site.SPOOL] = Retryable("cough", code="io.cough")
    await w.run()
    assert len(w.left) == 1
    w.files.faults.clear()
    await w.run(looks=2)
    assert w.left == []


async def test_while_everything_is_paused_nothing_is_swept(w: Sweep) -> None:
    await w.made(await w.photo("a.heic", S.BATCHED, S.PLACED), ".motion-1.heic")
    w.is_paused = True
    await w.run()
    assert (w.looks, len(w.left)) == (0, 1)
    w.is_paused = False
    await w.run(looks=2)
    assert w.left == []
