"""Guards that what comes from iCloud is whole and proved, or says why not, and that no interruption costs a file."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.model import Asset, CloudRef, Kind, Place, Resource, Role, Site
from mediad.stages import archive, download
from mediad.stages.verdict import Act, Done
from mediad.state import State
from mediad.testing import Killed
from mediad.watchers.icloud_zone import Reader
from tests.stages.world import TAKE, World, world

STAGES: tuple[Any, ...] = (download.STAGE, *TAKE, archive.STAGE)
HEIC, MOV, JPEG = b"heic cid=A at=0", b"mov cid=A at=0", b"jpeg edited"


@asynccontextmanager
async def cloudy(folder: Path, **sections: Mapping[str, object]) -> AsyncIterator[World]:
    icloud = {"enabled": True, "username": "me@example.com"}
    async with world(folder, icloud=icloud, **sections) as w:
        yield w


async def listed(w: World) -> None:
    await Reader(w.journal, w.ports, lambda _: None).look()


async def ours(w: World, ref: CloudRef) -> list[Asset]:
    row = (await w.journal.remotes([ref]))[ref]
    return [await w.asset(a) for a in row.assets]


async def only(w: World, ref: CloudRef) -> Asset:
    [asset] = await ours(w, ref)
    return asset


async def test_a_live_photo_comes_home_as_one_asset_and_every_file_is_proved(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take(
            "IMG_0001.HEIC",
            HEIC,
            more=[
                (Resource.LIVE_VIDEO, "IMG_0001.MOV", MOV),
                (Resource.EDITED, "IMG_0001-edited.JPG", JPEG),
            ],
            kind=Kind.LIVE_PHOTO,
        )
        await listed(w)
        await w.run(*STAGES)
        asset = await only(w, ref)
        assert asset.kind is Kind.LIVE_PHOTO
        assert [(o.name, o.role) for o in asset.originals] == [
            ("IMG_0001.HEIC", Role.PRIMARY),
            ("IMG_0001.MOV", Role.LIVE_VIDEO),
            ("IMG_0001-edited.JPG", Role.EDITED),
        ]
        assert asset.remote is not None
        assert all(f.is_proved for f in asset.remote.files)
        assert sorted(w.files.under(Site.ARCHIVE).values()) == sorted([HEIC, MOV, JPEG])
        names = {k.rpartition("/")[2] for k in w.files.under(Site.ARCHIVE)}
        assert names == {"IMG_0001.HEIC", "IMG_0001.MOV", "IMG_0001-edited.JPG"}
        assert w.files.under(Site.INCOMING) == {}


@pytest.mark.parametrize(
    ("original", "other"),
    [
        (("A.JPG", b"jpeg at=0"), ("A.DNG", b"raw at=0")),
        (("A.DNG", b"raw at=0"), ("A.JPG", b"jpeg at=0")),
    ],
)
async def test_raw_and_jpeg_find_their_roles_by_what_they_are(
    tmp_path: Path, original: tuple[str, bytes], other: tuple[str, bytes]
) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take(*original, more=[(Resource.ALTERNATIVE, *other)])
        await listed(w)
        await w.run(*STAGES)
        asset = await only(w, ref)
        assert asset.kind is Kind.RAW_JPEG
        assert {o.role: o.name for o in asset.originals} == {
            Role.PRIMARY: "A.JPG",
            Role.RAW: "A.DNG",
        }


async def test_a_second_photo_beside_the_original_is_no_sidecar(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        beside = (Resource.ALTERNATIVE, "A.JPG", b"jpeg at=0")
        ref = w.cloud.take("A.HEIC", b"heic at=0", more=[beside])
        await listed(w)
        await w.run(*STAGES)
        asset = await only(w, ref)
        assert asset.kind is Kind.PHOTO
        assert [(o.name, o.role) for o in asset.originals] == [
            ("A.HEIC", Role.PRIMARY),
            ("A.JPG", Role.EDITED),
        ]
        assert len(w.files.under(Site.ARCHIVE)) == 2


async def test_two_photos_of_one_name_and_day_both_come_home(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        for n in range(2):
            w.cloud.take("IMG_0001.JPG", f"jpeg n={n}".encode())
        await listed(w)
        await w.run(*STAGES)
        assert len(w.files.under(Site.ARCHIVE)) == 2


@pytest.mark.parametrize("touch", range(1, 7))
async def test_a_cut_in_the_middle_costs_nothing(tmp_path: Path, touch: int) -> None:
    async with cloudy(tmp_path) as w:
        for n in range(3):
            w.cloud.take(f"{n}.JPG", f"jpeg n={n}".encode())
        await listed(w)
        w.cloud.power.cut_at = touch
        with pytest.raises(Killed):
            await w.run(*STAGES)
        w.cloud.power.cut_at = 10**9
        await w.run(*STAGES)
        assert len(w.files.under(Site.ARCHIVE)) == 3


@pytest.mark.loss("DL17")
async def test_bytes_that_are_not_what_was_listed_are_never_taken(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg good")
        w.cloud.spoilt[w.cloud.remote(ref).files[0].fingerprint] = b"<html>sorry"
        await listed(w)
        await w.run(*STAGES)
        asset = await only(w, ref)
        standing = await w.standing(asset.id, State.LISTED)
        assert standing.code == "icloud.mismatch"
        assert w.files.files == {}
        w.cloud.spoilt.clear()
        await w.journal.retry([asset.id], ["retry", "failed"])
        await w.run(*STAGES)
        assert list(w.files.under(Site.ARCHIVE).values()) == [b"jpeg good"]


async def test_a_fingerprint_of_unknown_form_is_kept_and_proves_nothing(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg odd")
        held = w.cloud.held[ref]
        odd = replace(held.remote.files[0], fingerprint="AgUnknown")
        w.cloud.held[ref] = replace(held, remote=replace(held.remote, files=(odd,)))
        await listed(w)
        asset = await only(w, ref)
        await w.run(*STAGES)
        asset = await only(w, ref)
        assert asset.remote is not None
        assert not any(f.is_proved for f in asset.remote.files)
        assert not any(f.is_provable for f in asset.remote.files)
        codes = [h.evidence.get("code") for h in await w.journal.history(asset.id)]
        assert "icloud.unproved" in codes
        assert len(w.files.under(Site.ARCHIVE)) == 1


async def test_what_is_in_recently_deleted_is_fetched_all_the_same(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg a")
        await listed(w)
        w.cloud.set(ref, deleted=True)
        await listed(w)
        await w.run(*STAGES)
        assert list(w.files.under(Site.ARCHIVE).values()) == [b"jpeg a"]


async def test_what_icloud_has_no_more_is_told_and_waited_for_by_nobody(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref, other = w.cloud.take("A.JPG", b"jpeg a"), w.cloud.take("B.JPG", b"jpeg b")
        await listed(w)
        w.cloud.expunge(ref)
        await w.run(*STAGES, patience_s=60)
        asset = await only(w, ref)
        assert (await w.standing(asset.id, State.LISTED)).code == "icloud.not_found"
        assert await w.states((await only(w, other)).id) >= {State.ARCHIVED}
        await listed(w)
        await w.run(*STAGES)
        assert await w.states(asset.id) == {State.QUARANTINED}
        assert (await w.told(asset.id))["code"] == "icloud.gone"


async def test_an_edit_before_the_fetch_brings_the_newer_bytes_and_drops_the_older(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        first = (Resource.EDITED, "A-edited.JPG", b"jpeg first")
        ref = w.cloud.take("A.JPG", b"jpeg a", more=[first])
        await listed(w)
        w.cloud.edit(ref, "A-edited.JPG", b"jpeg second")
        await listed(w)
        await w.run(*STAGES)
        assert sorted(w.files.under(Site.ARCHIVE).values()) == [b"jpeg a", b"jpeg second"]
        row = (await w.journal.remotes([ref]))[ref]
        assert all(f.is_proved for f in row.remote.files)
        assert len(row.assets) == 2


async def test_what_vanishes_before_it_is_taken_is_fetched_again(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.HEIC", HEIC, more=[(Resource.LIVE_VIDEO, "A.MOV", MOV)])
        await listed(w)
        await w.run(download.STAGE)
        movie = next(p for p, f in w.files.files.items() if f.content == MOV)
        del w.files.files[movie]
        await w.run(*STAGES)
        assert sorted(w.files.under(Site.ARCHIVE).values()) == sorted([HEIC, MOV])
        assert len((await only(w, ref)).originals) == 2


async def test_what_is_swapped_before_it_is_taken_is_never_taken_for_what_was_proved(
    tmp_path: Path,
) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg good")
        await listed(w)
        await w.run(download.STAGE)
        [place] = w.files.files
        w.files.drop(Site.INCOMING, place.key, b"jpeg evil!")
        await w.run(*STAGES)
        asset = await only(w, ref)
        assert (await w.standing(asset.id, State.LISTED)).code == "place.taken"
        assert asset.remote is not None
        assert w.files.under(Site.ARCHIVE) == {}


async def test_a_link_that_is_down_stops_the_stage_and_no_asset(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg a")
        await listed(w)
        w.cloud.fail("fetch", NeedsOperator("out", code="icloud.signed_out", site="icloud"))
        await w.run(*STAGES)
        assert w.down == ["icloud"]
        standing = await w.standing((await only(w, ref)).id, State.LISTED)
        assert standing.mark == "ready"
        assert "icloud" in download.STAGE.needs


async def test_one_that_fails_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        bad, good = w.cloud.take("A.JPG", b"jpeg a"), w.cloud.take("B.JPG", b"jpeg b")
        w.cloud.refusals[bad] = Refused("no", code="icloud.denied_one")
        await listed(w)
        await w.run(*STAGES)
        assert list(w.files.under(Site.ARCHIVE).values()) == [b"jpeg b"]
        assert (await w.standing((await only(w, bad)).id, State.LISTED)).mark == "held"
        assert await w.states((await only(w, good)).id) >= {State.ARCHIVED}


@pytest.mark.parametrize("is_first", [True, False])
async def test_the_same_bytes_dropped_and_from_icloud_are_kept_once_and_prove_both(
    tmp_path: Path, *, is_first: bool
) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg a")
        if is_first:
            await w.drop("A.JPG", "jpeg a")
            await w.run(*STAGES)
        await listed(w)
        await w.run(*STAGES)
        if not is_first:
            await w.drop("A.JPG", "jpeg a")
            await w.run(*STAGES)
        assert list(w.files.under(Site.ARCHIVE).values()) == [b"jpeg a"]
        asset = await only(w, ref)
        assert (State.DUPLICATE in await w.states(asset.id)) is is_first
        assert asset.remote is not None
        assert all(f.is_proved for f in asset.remote.files)
        [tally] = await w.journal.completeness()
        assert tally.is_archived
        assert await w.journal.missing() == []


async def test_what_is_missing_is_counted_with_where_it_stands(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        good = w.cloud.take("A.JPG", b"jpeg a")
        bad = w.cloud.take("B.JPG", b"jpeg b")
        await listed(w)
        w.cloud.refusals[bad] = Retryable("no", code="icloud.mismatch")
        await w.run(*STAGES)
        [(row, reason)] = await w.journal.missing()
        assert (row.remote.ref, reason.state, reason.code) == (bad, State.LISTED, "icloud.mismatch")
        told = {t.is_archived: t.count for t in await w.journal.completeness()}
        assert told == {True: 1, False: 1}
        assert good != bad


async def test_the_plan_says_what_is_fetched(tmp_path: Path) -> None:
    async with cloudy(tmp_path) as w:
        ref = w.cloud.take("A.JPG", b"jpeg a")
        await listed(w)
        asset = await only(w, ref)
        assert await w.rule(download.STAGE, asset.id) == Act("fetch A.JPG from iCloud")
        await w.run(download.STAGE)
        place = Place(Site.INCOMING, asset.originals[0].source_key)
        assert w.files.files[place].mtime_ns == asset.originals[0].mtime_ns
        assert isinstance(await w.rule(download.STAGE, asset.id), Done)
