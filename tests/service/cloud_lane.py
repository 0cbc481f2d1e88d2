"""Photos of iCloud in a test's world: listed in the real journal, as the watcher does, and brought as far as needed."""

from dataclasses import replace

from mediad.journal import Step
from mediad.model import AssetId, CloudRef, Copy, Evidence, Place, RemoteFact, Site
from mediad.policy.cloud_plan import named
from mediad.ports import Delta
from mediad.state import State, Transition
from mediad.testing.cloud import PRIMARY
from mediad.testing.files import digest_of
from tests.service.phone_lane import go
from tests.service.world import World

S = State
TAKEN_AT = 1_720_000_000_000  # 2024-07-03
ON = {"MEDIAD_ICLOUD__ENABLED": "true", "MEDIAD_ICLOUD__USERNAME": "me@example.com"}
ARMED = {**ON, "MEDIAD_DELETE__ENABLED": "true", "MEDIAD_SAFETY__ARMED": "true"}


async def taken(w: World, name: str, content: bytes, *, why: str = "", **said: bool) -> AssetId:
    """A photo that somebody took, and the journal has listed. Everything is paused: nobody else moves it."""
    await w.service.pause(None)
    ref = w.cloud.take(name, content, taken_at=TAKEN_AT, added_at=TAKEN_AT, **said)  # type: ignore[arg-type]  # flags only
    [asset] = await listed(w, ref, why=why)
    return asset


async def listed(w: World, *refs: CloudRef, why: str = "") -> list[AssetId]:
    """As a page of the zone: which of them are new assets here."""
    remotes = [w.cloud.remote(ref) for ref in refs]
    page = [(replace(r, files=named(r)), why) for r in remotes]
    members = tuple(m for m in w.cloud.inside.values() if CloudRef(m.zone, m.asset) in refs)
    delta = Delta(albums=tuple(w.cloud.albums.values()), members=members)
    return await w.journal.cloud_page(PRIMARY, page, delta, token="T1")  # noqa: S106 - a zone's


async def archived(w: World, asset: AssetId, content: bytes) -> Place:
    """Fetched, hashed and in the archive, by what somebody would have seen."""
    found = await w.journal.asset(asset)
    assert found is not None
    assert found.remote is not None
    [original] = found.originals
    digest = digest_of(content)
    spool = w.files.drop(Site.SPOOL, original.spool_key, content)
    place = w.files.drop(Site.ARCHIVE, f"2024/{original.name}", content)
    known = replace(original, digest=digest)
    files = tuple(replace(f, is_proved=True) for f in found.remote.files)
    fact = RemoteFact(found.remote.ref, proved=files)
    steps = (
        (S.LISTED, "download", S.DOWNLOADED, Evidence("fetched", 1, remotes=(fact,))),
        (S.DOWNLOADED, "hash", S.HASHED, Evidence(
            "read", 1, identity=digest, originals=(known,),
            copies=(Copy(original.id, spool, digest, 1, "rename"),),
        )),
        (S.ARCHIVE_DUE, "archive", S.ARCHIVED, Evidence(
            "read-back", 1, copies=(Copy(original.id, place, digest, 1, "reread"),),
        )),
    )  # fmt: skip
    for at, stage, then, seen in steps:
        [outcome] = await w.journal.record([Step(asset, Transition(at, stage, then), seen)])
        assert not isinstance(outcome, Exception), outcome
    return place


async def sorted_(w: World, asset: AssetId) -> None:
    """In the library, too: the cloud lane opens, and passes what is off."""
    for at, stage, then in (
        (S.LIBRARY_DUE, "compress", S.KEPT),
        (S.KEPT, "sort", S.SORTED),
    ):
        await go(w, asset, at, stage, then, Evidence("looked", 1))


async def ref_of(w: World, asset: AssetId) -> CloudRef:
    found = await w.journal.asset(asset)
    assert found is not None
    assert found.remote is not None
    return found.remote.ref


async def marked(w: World, asset: AssetId, *, days_ago: float) -> str:
    """In mediad's own album since then, in iCloud and in the journal."""
    ref = await ref_of(w, asset)
    record = await w.journal.album_for(PRIMARY.name, w.settings.icloud.album)
    await w.cloud.make_album(PRIMARY, record, w.settings.icloud.album)
    await w.cloud.add(record, [ref])
    at = w.clock.now() - round(days_ago * 86_400_000)
    fact = RemoteFact(ref, marked_at=at)
    await w.journal.witness([(asset, Evidence("lookup", w.clock.now(), remotes=(fact,)))])
    return record


async def deleted(w: World, asset: AssetId) -> CloudRef:
    """By mediad, to Recently Deleted."""
    ref = await ref_of(w, asset)
    [answer] = await w.cloud.delete([(ref, w.cloud.remote(ref).change_tag)])
    assert not isinstance(answer, Exception)
    fact = RemoteFact(
        ref, deleted_at=w.clock.now(), recoverable_until=answer.recoverable_until,
        change_tag=answer.change_tag,
    )  # fmt: skip
    await w.journal.witness([(asset, Evidence("deleted", w.clock.now(), remotes=(fact,)))])
    return ref
