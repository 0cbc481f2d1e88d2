"""Guards that what a crash left half copied goes, also when nobody asks for its name again; and nothing else."""

from pathlib import Path

import pytest

from mediad.adapters.durable.parts import part_of
from mediad.model import Site
from tests.adapters.folders import Folders, at

OTHERS = (
    ".mediad-site",
    ".mediad-notes.part",
    ".IMG_0001.JPG.part",
    "mediad-" + "0" * 32 + ".part",
    ".syncthing.IMG_0001.JPG.tmp",
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


async def copied(folders: Folders, site: Site, key: str) -> None:
    source = folders.drop(Site.SPOOL, "1.jpg", b"a picture")
    assert await folders.files().copy([folders.put(source, site, key)]) == [None]


@pytest.mark.parametrize(
    "site",
    [Site.ARCHIVE, Site.LIBRARY, Site.DUPLICATES, Site.QUARANTINE, Site.PHONE],
    ids=str,
)
async def test_the_part_of_a_name_that_nobody_takes_again_goes(
    folders: Folders, site: Site
) -> None:
    await copied(folders, site, "2021/IMG_0001.JPG")
    part = folders.drop(site, f"2021/{part_of(at(site, '2021/IMG_0001_5e1f.JPG'))}", b"half a pic")
    elsewhere = folders.drop(site, f"2022/{part_of(at(site, '2022/1.jpg'))}", b"half a pic")
    theirs = [folders.drop(site, f"2021/{name}", b"theirs") for name in OTHERS]

    await copied(folders, site, "2021/IMG_0002.JPG")  # by the next daemon

    assert not (folders.paths[site] / part.key).exists()
    assert (folders.paths[site] / elsewhere.key).exists()
    assert all((folders.paths[site] / place.key).read_bytes() == b"theirs" for place in theirs)


async def test_the_part_of_what_is_linked_and_not_copied_any_more_goes(folders: Folders) -> None:
    """Killed while it copied into the library; by the next start the archive has it, and a second name will do."""
    goal = at(Site.LIBRARY, "2021/07/14/IMG_0005.JPG")
    part = folders.drop(Site.LIBRARY, f"2021/07/14/{part_of(goal)}", b"half a pic")
    source = folders.drop(Site.SPOOL, "1.jpg", b"a picture")
    assert await folders.files().link([folders.put(source, Site.LIBRARY, goal.key)]) == [None]
    assert (folders.paths[Site.LIBRARY] / goal.key).read_bytes() == b"a picture"
    assert not (folders.paths[Site.LIBRARY] / part.key).exists()


async def test_what_this_daemon_is_writing_stays(folders: Folders) -> None:
    """Only what lay there before its own first copy can be nobody's."""
    files = folders.files()
    source = folders.drop(Site.SPOOL, "1.jpg", b"a picture")
    assert await files.copy([folders.put(source, Site.ARCHIVE, "2021/1.jpg")]) == [None]
    part = folders.drop(Site.ARCHIVE, f"2021/{part_of(at(Site.ARCHIVE, '2021/2.jpg'))}", b"half")
    assert await files.copy([folders.put(source, Site.ARCHIVE, "2021/3.jpg")]) == [None]
    assert (folders.paths[Site.ARCHIVE] / part.key).exists()


async def test_what_comes_over_a_network_is_gone_on_with(folders: Folders) -> None:
    part = folders.drop(Site.SPOOL, part_of(at(Site.SPOOL, "9.jpg")), b"half a pic")
    source = folders.drop(Site.INCOMING, "1.jpg", b"a picture")
    assert await folders.files().move([folders.put(source, Site.SPOOL, "1.jpg")]) == [None]
    assert (folders.paths[Site.SPOOL] / part.key).read_bytes() == b"half a pic"
