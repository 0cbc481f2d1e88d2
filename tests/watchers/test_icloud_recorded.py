"""Guards that a recorded library, with all that is missing and odd in it, comes into the journal without a loss."""

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from mediad.adapters.icloud.records import remote, sort_out
from mediad.model import Remote
from mediad.policy.completeness import grid, total
from mediad.ports import Delta, Zone
from mediad.testing.cloud import PRIMARY
from tests.watchers.cloud_world import World, world

SHARED: Final = Path(os.environ.get("MEDIAD_SHARED", Path(__file__).parents[3] / "shared"))
LIBRARY: Final = SHARED / "data" / "icloud" / "library.json.gz"
PAGE: Final = 50


@pytest.fixture(scope="module")
def records() -> list[Any]:
    if not LIBRARY.exists():
        pytest.skip("no recorded library beside the repository: set MEDIAD_SHARED")
    with gzip.open(LIBRARY) as file:
        found = json.load(file)["records"]
    assert isinstance(found, list)
    return found


def remotes(records: Sequence[Any]) -> list[Remote]:
    page = sort_out(records, PRIMARY.name)
    masters = {str(r["recordName"]): r for r in records if r.get("recordType") == "CPLMaster"}
    found = []
    for asset in page.assets.values():
        ref = asset["fields"]["masterRef"]["value"]["recordName"]  # type: ignore[index]
        found.append(remote(asset, masters.get(ref), PRIMARY.name))
    return found


def serve(w: World, found: Sequence[Remote]) -> None:
    """The recorded library is what iCloud lists, a page at a time."""

    async def listing(_: Zone, rank: int, *, hidden: bool = False) -> Delta:
        shown = [r for r in found if r.is_hidden is hidden]
        page = shown[rank : rank + PAGE]
        end = rank + len(page)
        return Delta(tuple(page), token="Z0", is_more=end < len(shown), rank=end)  # noqa: S106 - a zone's

    w.cloud.listing = listing  # type: ignore[method-assign, assignment]


async def test_every_recorded_asset_is_listed_and_each_file_of_it_has_its_place(
    tmp_path: Path, records: Sequence[Any]
) -> None:
    found = remotes(records)
    assert len(found) > 150
    async with world(tmp_path) as w:
        serve(w, found)
        await w.watch.ask()
        assert w.codes() == []
        rows = await w.journal.remotes([r.ref for r in found])
        assert rows.keys() == {r.ref for r in found}
        files = sum(len(r.files) for r in found)
        assets = [a for row in rows.values() for a in row.assets]
        whole = [await w.journal.asset(a) for a in assets]
        keys = [o.source_key for a in whole if a for o in a.originals]
        assert len(keys) == len(set(keys)) == files
        assert all(bool(row.why) is not bool(row.assets) for row in rows.values())
        table = total(grid(await w.journal.completeness()))
        assert table.listed == len(found) == sum(table.missing.values())


async def test_a_second_listing_of_the_recorded_library_brings_nothing_new(
    tmp_path: Path, records: Sequence[Any]
) -> None:
    found = remotes(records)
    async with world(tmp_path) as w:
        serve(w, found)
        await w.watch.ask()
        names = await w.names()
        latest = await w.journal.latest_event()
        await w.journal.cloud_forget(PRIMARY.name)
        w.watch = w.new_watch()
        await w.watch.ask()
        assert await w.names() == names
        assert await w.journal.latest_event() == latest
