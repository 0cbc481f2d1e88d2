"""Guards how a page becomes lots, and that a bell which rang while nobody listened is still heard."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from mediad.engine.desk import Desk, lots_of
from mediad.journal import Work
from mediad.model import Asset, AssetId, Kind, Original, OriginalId, Role, SiteKey
from mediad.state import State
from tests.engine.world import Play


def work(number: int, *sizes: int) -> Work:
    key = SiteKey(f"{number}.jpg")
    originals = tuple(
        Original(OriginalId(n), Role.PRIMARY, key, key, key, size, 1)
        for n, size in enumerate(sizes)
    )
    asset = Asset(AssetId(number), key, Kind.UNKNOWN, "folder", 1, originals)
    return Work(asset, frozenset({State.SEEN}), State.SEEN, 0)


def cut(page: list[Work], files: int, size: int) -> list[list[int]]:
    stage: Any = replace(Play().stage, lot_files=files, lot_bytes=size)
    return [[w.asset.id for w in lot] for lot in lots_of(page, stage)]


@pytest.mark.parametrize(
    ("sizes", "files", "room", "lots"),
    [
        ([], 3, 100, []),
        ([1, 1, 1, 1], 3, 100, [[0, 1, 2], [3]]),
        ([60, 40, 1], 9, 100, [[0, 1], [2]]),
        ([500, 1, 1], 9, 100, [[0], [1, 2]]),
        ([1, 500, 1], 9, 100, [[0], [1], [2]]),
        ([500, 500], 9, 100, [[0], [1]]),
        ([0, 0, 0], 2, 100, [[0, 1], [2]]),
        ([1, 1], 1, 100, [[0], [1]]),
    ],
)
def test_a_page_is_cut_by_count_and_by_bytes(
    sizes: list[int], files: int, room: int, lots: list[list[int]]
) -> None:
    assert cut([work(n, size) for n, size in enumerate(sizes)], files, room) == lots


def test_all_originals_of_an_asset_count() -> None:
    assert cut([work(0, 30, 30), work(1, 30, 30)], 9, 100) == [[0], [1]]


async def test_a_bell_that_rang_before_the_nap_ends_it_at_once() -> None:
    desk = Desk(Play().stage)
    desk.ring()
    desk.ring()
    with anyio.fail_after(5):
        await desk.nap(3600)


async def test_one_ring_ends_one_nap() -> None:
    desk = Desk(Play().stage)
    desk.ring()
    await desk.nap(3600)
    with anyio.move_on_after(0.02) as limit:
        await desk.nap(3600)
    assert limit.cancelled_caught


async def test_a_nap_ends_by_itself() -> None:
    with anyio.fail_after(5):
        await Desk(Play().stage).nap(0.01)
