"""Guards that a NAS is made ready once, never on the system's own disk by mistake, never changed when asked again."""

from pathlib import Path

import pytest

from mediad.adapters.nas import README, nas_init
from mediad.adapters.roots import MARKER
from mediad.errors import Refused
from mediad.model import Site
from tests.adapters.folders import Folders, mounted


def test_said_twice_it_changes_nothing(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    with mounted(nas):
        archive = nas / "photos"
        assert {p.name for p in nas_init(archive)} == {"photos", README, MARKER}
        before = {p.name: p.read_bytes() for p in archive.iterdir()}
        assert nas_init(archive) == []
        assert {p.name: p.read_bytes() for p in archive.iterdir()} == before


def test_the_disk_of_the_system_is_refused_unless_meant(tmp_path: Path) -> None:
    if tmp_path.stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("the temporary folder is not on the system's disk")
    nas = tmp_path / "nas"
    with pytest.raises(Refused):
        nas_init(nas)
    assert not nas.exists()
    assert nas_init(nas, force=True)


async def test_the_daemon_knows_the_folder_that_was_made_ready(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    nas_init(folders.paths[Site.ARCHIVE], force=True)
    marker = (folders.paths[Site.ARCHIVE] / MARKER).read_text().split()[1]
    assert await folders.roots().check(Site.ARCHIVE) is None
    assert folders.kept[Site.ARCHIVE].marker == marker
