"""Guards nothing by itself: a world with iCloud in it, and photos that are safe at home and stand in the album."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mediad.model import AssetId, CloudRef, Evidence, OriginalId, Place, Rendition, Resource, Site
from mediad.policy import selftest
from mediad.stages import archive, batch, delete, mark, place, sort, upload, verify
from mediad.stages.verdict import Stage
from mediad.state import State
from mediad.testing.files import digest_of
from tests.stages.world import LINKED, TAKE, World, world

DAY_S = 86_400.0
SMALL = b"jpeg at=0 small"
TO_SAFETY: tuple[Stage[Any], ...] = (
    *TAKE, batch.STAGE, place.STAGE, verify.STAGE, archive.STAGE, sort.STAGE,
)  # fmt: skip
TO_ALBUM: tuple[Stage[Any], ...] = (*TO_SAFETY, upload.STAGE, mark.STAGE)
ARMED: Mapping[str, Mapping[str, object]] = {
    "syncthing": LINKED,
    "icloud": {"enabled": True},
    "delete": {"enabled": True, "cooloff_days": 2.0},
    "safety": {"armed": True},
}


@asynccontextmanager
async def cloudy(folder: Path, **sections: Mapping[str, object]) -> AsyncIterator[World]:
    """Armed, and tested just now. `sections` are laid over that, key by key."""
    merged = {s: {**ARMED.get(s, {}), **sections.get(s, {})} for s in (*ARMED, *sections)}
    async with world(folder, **merged) as w:
        await self_tested(w)
        yield w


async def self_tested(w: World, *, ok: bool = True) -> None:
    said = selftest.detail(w.settings, "all well")
    await w.journal.set_selftest(w.clock.now(), ok=ok, detail=said)


async def at_home(w: World, name: str = "IMG_1.HEIC", /, **said: Any) -> tuple[CloudRef, AssetId]:
    """A photo of iCloud, brought home and through every lane."""
    ref = w.cloud.take(name, f"heic at=0 {name}".encode(), **said)
    asset = await w.bring(ref)
    await w.run(*TO_SAFETY)
    return ref, asset


async def live_at_home(w: World) -> tuple[CloudRef, AssetId]:
    movie = (Resource.LIVE_VIDEO, "IMG_1.MOV", b"mov cid=A at=0 m")
    ref = w.cloud.take("IMG_1.HEIC", b"heic cid=A at=0 s", more=[movie])
    asset = await w.bring(ref)
    await w.run(*TO_SAFETY)
    return ref, asset


async def shrunk(
    w: World, asset: AssetId, name: str = "IMG_1.jpg", content: bytes = SMALL
) -> Place:
    """There is a smaller version of it in the library."""
    place = w.files.drop(Site.LIBRARY, f"2024/07/small/{name}", content)
    original = (await w.asset(asset)).originals[0].id
    made = Rendition(
        OriginalId(original), "photo-jpegli-q88/1", place, digest_of(content), len(content)
    )
    await w.journal.witness([(asset, Evidence("made", w.clock.now(), renditions=(made,)))])
    return place


async def in_album(w: World, name: str = "IMG_1.HEIC", /, **said: Any) -> tuple[CloudRef, AssetId]:
    ref, asset = await at_home(w, name, **said)
    await w.run(upload.STAGE, mark.STAGE)
    assert State.MARKED in await w.states(asset)
    return ref, asset


async def cooled(w: World, name: str = "IMG_1.HEIC", /, **said: Any) -> tuple[CloudRef, AssetId]:
    """With its days in the album over: nothing but a proof can keep it."""
    ref, asset = await in_album(w, name, **said)
    w.clock.advance(2 * DAY_S + 60)
    return ref, asset


async def album(w: World) -> str:
    return await w.journal.album_for("PrimarySync", w.settings.icloud.album)


async def sweep(w: World, days: float = 1.0) -> None:
    """What delete does within some days."""
    await w.run(delete.STAGE, patience_s=days * DAY_S)
