"""Guards the reading again of copies: what is wrong is named with its asset and a remedy; all have their turn."""

from pathlib import Path

from blake3 import blake3

from mediad.journal import Step
from mediad.model import AssetId, Copy, Digest, Evidence, Place, Site, SiteKey
from mediad.state import State, Transition
from tests.service.world import World, a_world

EARNED = Transition(State.ARCHIVE_DUE, "archive", State.ARCHIVED)


async def archived(w: World, name: str, content: bytes) -> tuple[AssetId, Place]:
    await w.service.pause("archive")
    await w.bring(name)
    asset = await w.service.find(name)
    [listed] = await w.journal.listed([asset])
    place = Place(Site.ARCHIVE, SiteKey(f"2024/07/{name}"))
    w.files.drop(Site.ARCHIVE, place.key, content)
    digest = Digest(blake3(content).hexdigest())
    copy = Copy(listed.asset.originals[0].id, place, digest, w.clock.now(), "reread")
    evidence = Evidence("read-back", w.clock.now(), copies=(copy,))
    [outcome] = await w.journal.record([Step(asset, EARNED, evidence)])
    assert not isinstance(outcome, Exception), outcome
    return asset, place


async def test_what_differs_is_named_with_its_asset_and_a_remedy_and_its_gate_closes(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as w:
        rotten, place = await archived(w, "a.jpg", b"one")
        lost, gone = await archived(w, "b.jpg", b"two")
        w.files.drop(Site.ARCHIVE, place.key, b"0ne")
        del w.files.files[gone]
        report = await w.service.verify("archive", 100)
        positions = [x.position for x in await w.journal.listed([rotten, lost])]
    [differing], [missing] = report["differing"], report["missing"]
    assert (differing["key"], differing["assets"]) == (place.key, [rotten])
    assert (missing["key"], missing["assets"]) == (gone.key, [lost])
    assert differing["message"]
    assert missing["remedy"]
    assert not report["ok"]
    assert all(State.ARCHIVE_DUE in p for p in positions)


async def test_samples_come_round_to_every_copy(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        for n in range(8):
            await archived(w, f"{n}.jpg", b"%d" % n)
        checked = 0
        for turn in range(4):
            w.clock.chance = turn / 4
            checked += (await w.service.verify("archive", 25))["checked"]
    assert checked == 8
