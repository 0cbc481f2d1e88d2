"""Guards that a phone which is not configured refuses every question with the way to switch it on."""

import pytest

from mediad.adapters.no_phone import NoPhone
from mediad.errors import NeedsOperator
from mediad.model import Place, Site, SiteKey
from mediad.ports import Entry, Phone


async def test_every_question_is_refused_with_the_remedy() -> None:
    phone: Phone = NoPhone()
    questions = (
        phone.link(),
        phone.scan([]),
        phone.indexed([]),
        phone.needed(),
        phone.ahead(),
        phone.blocks_hash(Place(Site.PHONE, SiteKey("a")), Entry("", 0, None)),
        phone.set_up(),
        phone.keeps_deleted(1.0),
        phone.mend([]),
    )
    for question in questions:
        with pytest.raises(NeedsOperator, match="no Syncthing is configured") as refused:
            await question
        assert refused.value.code == "syncthing.off"
        assert "syncthing.url" in refused.value.remedy
