"""Guards intake against the corpus of broken media: each is named for what it is, at once, with hardly any memory."""

from pathlib import Path

import pytest

from mediad.adapters.inspector import FileInspector
from mediad.model import Inspection, Place, Site, SiteKey
from mediad.policy.dates import believe
from tests.adapters.broken import CORPUS, Broken
from tests.memory import taking_at_most

NOW = 1_790_000_000_000


@pytest.mark.parametrize("broken", CORPUS, ids=lambda broken: broken.name)
async def test_it_is_named_for_what_it_is(broken: Broken, tmp_path: Path) -> None:
    (tmp_path / broken.name).write_bytes(broken.make())
    inspector = FileInspector(
        lambda place: tmp_path / place.key, believe=lambda c, n: believe(c, now=NOW, name=n)
    )
    with taking_at_most(64 << 20):
        [found] = await inspector.inspect(
            [(Place(Site.INCOMING, SiteKey(broken.name)), broken.name)]
        )
    assert isinstance(found, Inspection)
    assert found.flaw == broken.code, (found.flaw_detail, broken.why)
    assert bool(found.media) == (broken.code not in {"intake.empty", "intake.not_media"})


def test_each_is_there_once_and_says_what_is_wrong_with_it() -> None:
    assert len({broken.name for broken in CORPUS}) == len(CORPUS)
    assert len({broken.make() for broken in CORPUS}) == len(CORPUS)
    assert all(broken.why for broken in CORPUS)
