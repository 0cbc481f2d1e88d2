"""An asset on its way to the phone in a test's world: what the stages would have seen, written into the journal."""

from dataclasses import replace

from mediad.journal import Arrival, Step
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Copy,
    Evidence,
    Place,
    Placement,
    Rung,
    Site,
    SiteKey,
    Witness,
)
from mediad.state import State, Transition
from mediad.testing.files import digest_of
from tests.service.world import World

S = State
URL = {"MEDIAD_SYNCTHING__URL": "http://127.0.0.1:8384", "MEDIAD_SYNCTHING__API_KEY": "secret-key"}
MTIME = 1_700_000_000_000_000_000
_WAY = (
    (S.PHONE_DUE, "batch", S.BATCHED),
    (S.BATCHED, "place", S.PLACED),
    (S.PLACED, "verify", S.ON_PHONE),
    (S.ON_PHONE, "release", S.RELEASED),
)


async def sent(
    w: World, name: str, content: bytes, *, batch: int = 1, then: State = S.PLACED
) -> AssetId:
    """A file that came in, and went as far as `then`."""
    asset = await taken(w, name, content)
    for at, stage, to in _WAY:
        await go(w, asset, at, stage, to, await _seen(w, asset, name, content, batch, to))
        if to is then:
            break
    return asset


async def taken(w: World, name: str, content: bytes) -> AssetId:
    """Hashed, and due for the phone; everything is paused, so that nobody else moves it."""
    await w.service.pause(None)
    [asset] = await w.journal.arrive([Arrival(SiteKey(name), name, len(content), MTIME)])
    assert asset is not None
    [original] = (await whole(w, asset)).originals
    digest = digest_of(content)
    spool = w.files.drop(Site.SPOOL, original.spool_key, content)
    await go(w, asset, S.SEEN, "settle", S.SETTLED, Evidence("stat", 1))
    copy = Copy(original.id, spool, digest, 1, "rename")
    known = replace(original, digest=digest)
    seen = Evidence("read", 1, identity=digest, originals=(known,), copies=(copy,))
    await go(w, asset, S.SETTLED, "hash", S.HASHED, seen)
    return asset


async def whole(w: World, asset: AssetId) -> Asset:
    found = await w.journal.asset(asset)
    assert found is not None
    return found


async def go(
    w: World, asset: AssetId, at: State, stage: str, to: State, seen: Evidence
) -> None:  # fmt: skip
    [outcome] = await w.journal.record([Step(asset, Transition(at, stage, to), seen)])
    assert not isinstance(outcome, Exception), outcome


async def _seen(
    w: World, asset: AssetId, name: str, content: bytes, batch: int, to: State
) -> Evidence:  # fmt: skip
    """What the stage that earns this state would have seen."""
    now, [original] = w.clock.now(), (await whole(w, asset)).originals
    key = SiteKey(name)
    placement = Placement(original.id, BatchId(batch), key, digest_of(content), len(content), MTIME)
    if to is S.BATCHED:
        return Evidence("batch", now, placements=(placement,))
    if to is S.PLACED:
        w.files.drop(Site.PHONE, name, content, MTIME)
        await w.phone.scan([key])
        [indexed] = await w.phone.indexed([key])
        assert indexed is not None
        assert not isinstance(indexed, Exception)
        assert indexed.here is not None
        listed = replace(placement, version=indexed.here.version)
        rung = Witness(original.id, Rung.INDEXED, now, "index")
        return Evidence("index", now, placements=(listed,), witnesses=(rung,))
    if to is S.ON_PHONE:
        rung = Witness(original.id, Rung.PHONE_HAS, now, "availability", {"device": w.phone.device})
        return Evidence("availability", now, witnesses=(rung,))
    del w.files.files[Place(Site.PHONE, key)]
    return Evidence("removed", now, gone=(Place(Site.PHONE, key),))


async def witnessed(w: World, asset: AssetId, *rungs: Rung, how: str = "deletion") -> None:
    """Something more that was seen of it."""
    [original] = (await whole(w, asset)).originals
    seen = tuple(Witness(original.id, rung, w.clock.now(), how) for rung in rungs)
    await w.journal.witness([(asset, Evidence(how, w.clock.now(), witnesses=seen))])
