"""Guards what the journal says of files that were made of working copies: whose they are, and where that one stands."""

import pytest

from mediad.journal import Journal
from mediad.journal.made import Made
from mediad.model import AssetId, Evidence, Place, Rendition, Site, SiteKey
from mediad.state import State
from tests.journal.world import arrived, digest_of, hashed, moved, walked, whole_asset

S = State


async def spool_key(journal: Journal, asset: AssetId) -> str:
    return str((await whole_asset(journal, asset)).originals[0].spool_key)


@pytest.mark.parametrize("rest", [".motion-1.heic", ".photo-heic-crf18.5-1.heic"])
async def test_it_is_known_whose_a_file_is_and_where_that_one_stands(
    journal: Journal, rest: str
) -> None:
    asset = await arrived(journal, "a.b.heic")
    await hashed(journal, asset)
    await walked(journal, asset, (S.PHONE_DUE, S.BATCHED))
    key = SiteKey(f"renditions/{await spool_key(journal, asset)}{rest}")
    [found] = await journal.made([key])
    assert found == Made(key, rest, is_recorded=False, states=found.states)
    assert {S.BATCHED, S.LIBRARY_DUE, S.ARCHIVE_DUE} <= found.states


async def test_what_the_journal_has_recorded_is_known_as_such(journal: Journal) -> None:
    asset = await arrived(journal, "a.heic")
    await hashed(journal, asset)
    [original] = (await whole_asset(journal, asset)).originals
    key = SiteKey(f"renditions/{original.spool_key}.light-2.heic")
    rendition = Rendition(original.id, "light-2", Place(Site.SPOOL, key), digest_of("r"), 1, {})
    evidence = Evidence("judged", 1, renditions=(rendition,))
    await moved(journal, asset, S.LIBRARY_DUE, S.COMPRESSED, evidence)
    other = SiteKey(f"renditions/{original.spool_key}.light-1.heic")
    assert [m.is_recorded for m in await journal.made([key, other])] == [True, False]


async def test_of_what_it_does_not_know_it_says_nothing(journal: Journal) -> None:
    asset = await arrived(journal, "a.heic")
    key = await spool_key(journal, asset)
    unknown = (f"x{key}.motion-1.heic", "mediad-selftest-0.jpg", ".mediad-1.part", "plain", key)
    assert await journal.made([SiteKey(f"renditions/{name}") for name in unknown]) == []
