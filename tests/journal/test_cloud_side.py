"""Guards what the journal keeps of iCloud: pages whole or not at all, files known by their fingerprints."""

from dataclasses import replace

from mediad.journal import CloudCounts, Journal, Listing
from mediad.model import CloudRef, Evidence, Kind, Remote, RemoteFact, RemoteFile, Resource, Role
from mediad.ports import Delta, Zone
from mediad.state import State
from tests.journal.world import World, whole_asset

ZONE = Zone("PrimarySync", "_me")


def remote(
    record: str, *files: RemoteFile, name: str = "IMG_0001.HEIC", master: str = "", albums: str = ""
) -> Remote:
    return Remote(
        ref=CloudRef("PrimarySync", record),
        master=master or f"M-{record}",
        change_tag="1a",
        name=name,
        taken_at=1_720_000_000_000,
        added_at=1_720_000_100_000,
        kind=Kind.PHOTO,
        files=files or (photo(f"fp-{record}", name),),
        albums=tuple(albums.split()),
    )


def photo(fingerprint: str, name: str = "IMG_0001.HEIC", size: int = 10) -> RemoteFile:
    return RemoteFile(Resource.ORIGINAL, name, size, fingerprint)


async def test_an_asset_of_icloud_is_listed_with_an_original_for_each_file(world: World) -> None:
    journal = world.open()
    live = RemoteFile(Resource.LIVE_VIDEO, "IMG_0001.MOV", 20, "fp-movie")
    found = remote("A1", photo("fp-still"), live)
    [asset] = await journal.cloud_page(ZONE, [(found, "")], Delta(), token="T1")  # noqa: S106 - a zone's
    whole = await whole_asset(journal, asset)
    assert [(o.name, o.role, o.size) for o in whole.originals] == [
        ("IMG_0001.HEIC", Role.PRIMARY, 10),
        ("IMG_0001.MOV", Role.LIVE_VIDEO, 20),
    ]
    assert all(o.source_key.startswith(".icloud/A1-") for o in whole.originals)
    assert whole.remote is not None
    assert [f.original for f in whole.remote.files] == [o.id for o in whole.originals]
    assert replace(whole.remote, files=()) == replace(found, files=())
    assert whole.source == "icloud"
    assert [s.state for s in await journal.standing(asset)] == [State.LISTED]
    _, zones = await journal.cloud_tokens()
    assert zones["PrimarySync"].token == "T1"  # noqa: S105 - a zone's
    assert (await journal.audit()).broken_at is None
    await journal.close()


async def page(journal: Journal, *found: Remote, why: str = "") -> list[int]:
    made = await journal.cloud_page(ZONE, [(f, why) for f in found], Delta())
    return [int(a) for a in made]


async def test_an_edit_becomes_an_asset_of_its_own_with_the_same_identity_in_icloud(
    world: World,
) -> None:
    journal = world.open()
    [first] = await page(journal, remote("A1"))
    edit = RemoteFile(Resource.EDITED, "IMG_0001-edited.JPG", 7, "fp-edit")
    [second] = await page(journal, remote("A1", photo("fp-A1"), edit))
    whole = await whole_asset(journal, second)  # type: ignore[arg-type]
    assert [(o.name, o.role) for o in whole.originals] == [("IMG_0001-edited.JPG", Role.PRIMARY)]
    assert whole.name == "IMG_0001-edited.JPG"
    ref = CloudRef("PrimarySync", "A1")
    assert (await journal.remotes([ref]))[ref].assets == (first, second)
    assert await page(journal, remote("A1", photo("fp-A1"), edit)) == []
    await journal.close()


async def test_a_listing_on_its_way_is_remembered_and_ends_with_its_first_token(
    world: World,
) -> None:
    journal = world.open()
    on_its_way = Listing(5, "T0", 200)
    await journal.cloud_page(ZONE, [], Delta(), listing=on_its_way)
    assert (await journal.cloud_tokens())[1]["PrimarySync"].listing == on_its_way
    await journal.cloud_listed("PrimarySync", 9)
    row = (await journal.cloud_tokens())[1]["PrimarySync"]
    assert (row.token, row.listing, row.listed_at) == ("T0", None, 9)
    await journal.close()


async def test_the_shelf_of_what_is_to_be_deleted_is_chosen_once(world: World) -> None:
    journal = world.open()
    record = await journal.album_for("PrimarySync", "DeletePending")
    assert record == await journal.album_for("PrimarySync", "DeletePending")
    assert record != await journal.album_for("SharedSync-1", "DeletePending")
    await journal.close()
    opened = world.open()
    assert record == await opened.album_for("PrimarySync", "DeletePending")
    assert await opened.completeness() == []
    assert await opened.missing() == []
    await opened.close()


async def test_what_icloud_has_is_counted_by_what_is_to_become_of_it(world: World) -> None:
    journal = world.open()
    assert await journal.cloud_counts(0) == CloudCounts(0, 0, 0, 0, 0, 0, 0, 0)
    [marked, away, _] = await journal.cloud_page(
        ZONE,
        [
            (remote("A1"), ""),
            (remote("A2"), ""),
            (remote("A3"), ""),
            (remote("A4"), "it is too old"),
            (replace(remote("A5"), files=(), flaw="it has no file"), "it has no file"),
        ],
        Delta(),
    )
    await journal.cloud_page(ZONE, [], Delta(gone=(CloudRef("PrimarySync", "A3"),)))
    there = RemoteFact(CloudRef("PrimarySync", "A1"), marked_at=5)
    gone = RemoteFact(CloudRef("PrimarySync", "A2"), marked_at=5, deleted_at=6, recoverable_until=9)
    for asset, fact in ((marked, there), (away, gone)):
        await journal.witness([(asset, Evidence("cloud", 7, remotes=(fact,)))])
    assert await journal.cloud_counts(8) == CloudCounts(5, 2, 1, 1, 1, 1, 1, 1)
    assert (await journal.cloud_counts(9)).recoverable == 0
    await journal.close()
