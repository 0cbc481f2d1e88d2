"""Guards that an iCloud which is switched off refuses every question with the way to switch it on."""

import pytest

from mediad.adapters.no_cloud import NoCloud
from mediad.errors import NeedsOperator
from mediad.model import CloudRef, Place, Site, SiteKey
from mediad.ports import Cloud, SignInState, Zone


async def test_every_question_is_refused_with_the_remedy() -> None:
    cloud: Cloud = NoCloud()
    zone, place = Zone("PrimarySync", "_me"), Place(Site.SPOOL, SiteKey("a.jpg"))
    questions = (
        cloud.changed(None),
        cloud.delta(zone, "t"),
        cloud.listing(zone, 0),
        cloud.album_listing(zone),
        cloud.lookup([]),
        cloud.fetch([]),
        cloud.fingerprints([place]),
        cloud.make_album(zone, "A", "DeletePending"),
        cloud.add("A", []),
        cloud.members("A", zone),
        cloud.delete([]),
        cloud.undelete([]),
        cloud.upload(place, "a.jpg", zone=zone),
        cloud.tag(CloudRef("PrimarySync", "R"), favourite=True, albums=[]),
    )
    for question in questions:
        with pytest.raises(NeedsOperator, match="iCloud is not switched on") as refused:
            await question
        assert refused.value.code == "icloud.off"
        assert "icloud.enabled" in refused.value.remedy
    assert cloud.sign_in().state is SignInState.SIGNED_OUT
