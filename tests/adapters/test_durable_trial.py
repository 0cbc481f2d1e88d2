"""Guards where a sample of our own may be put: where nobody else takes it for a picture and sends it on."""

from pathlib import Path

import pytest

from mediad.errors import Bug
from mediad.model import Site
from mediad.testing.files import digest_of
from tests.adapters.folders import Folders

SAMPLE = b"a sample"
TRIED = (Site.ARCHIVE, Site.LIBRARY)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.mark.parametrize("site", TRIED, ids=str)
async def test_a_sample_comes_back_and_nothing_of_it_stays(folders: Folders, site: Site) -> None:
    seen = await folders.files().try_out(site, SAMPLE)
    assert seen.digest == digest_of(SAMPLE)
    assert folders.under(site, Site.SPOOL) == {}


@pytest.mark.parametrize("site", sorted(set(Site) - set(TRIED)), ids=str)
async def test_nowhere_else_is_a_sample_put(folders: Folders, site: Site) -> None:
    with pytest.raises(Bug):
        await folders.files().try_out(site, SAMPLE)
    assert not list(folders.root.rglob("*mediad-selftest*"))
