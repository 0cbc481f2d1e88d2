"""Guards the taking of files: whole, recognised, set aside with a reason; never lost, never taken half."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.errors import Retryable
from mediad.model import Digest, Inspection, Media, Original, OriginalId, Place, Role, Site, SiteKey
from mediad.stages import hash, settle  # noqa: A004 - its name in the law
from mediad.stages.hash import identity_of, media_digests
from mediad.stages.verdict import Act, Done, Refuse
from mediad.state import State
from mediad.testing import Killed, Power
from tests.stages.world import World, world

TAKE = (settle.STAGE, hash.STAGE)


def incoming(key: str) -> Place:
    return Place(Site.INCOMING, SiteKey(key))


async def test_a_file_is_taken_by_a_rename_and_read_whole(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("trip/IMG_1.HEIC", "heic at=0")
        inode = w.files.files[incoming("trip/IMG_1.HEIC")].inode
        await w.run(*TAKE)
        found = await w.asset(photo)
        [original] = found.originals
        spool = Place(Site.SPOOL, original.spool_key)
        assert State.HASHED in await w.states(photo)
        assert original.digest == blake3(b"heic at=0").hexdigest() == found.identity
        assert (w.files.files[spool].inode, w.files.under(Site.INCOMING)) == (inode, {})
        assert [(c.place, c.digest) for c in found.copies] == [(spool, original.digest)]
        assert found.captured is not None
        assert found.captured.local == "2024-07-14T18:03:22"


async def test_what_changed_after_it_settled_goes_back(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(settle.STAGE)
        w.files.drop(Site.INCOMING, "IMG_1.HEIC", b"heic and more")
        match await w.rule(hash.STAGE, photo):
            case Done(_, then):
                assert then is State.SEEN
            case other:
                pytest.fail(f"{other}")
        await w.run(*TAKE)
        assert list(w.files.under(Site.SPOOL).values()) == [b"heic and more"]


async def test_what_changes_after_it_was_taken_is_read_again(tmp_path: Path) -> None:
    """A writer that kept the file open follows it into the spool."""
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(settle.STAGE)
        found = await w.asset(photo)
        [facts] = await hash.look([found], w.ports())
        assert isinstance(facts, hash.Facts)
        assert isinstance(hash.decide(found, facts), Act)
        assert await hash.act([found], [facts], w.ports()) == [None]
        file = w.files.files[Place(Site.SPOOL, found.originals[0].spool_key)]
        file.content, file.mtime_ns = b"heic and more", 99
        await w.run(*TAKE)
        [original] = (await w.asset(photo)).originals
        assert original.digest == blake3(b"heic and more").hexdigest()


async def test_an_exact_duplicate_is_set_aside_with_a_link_to_its_keeper(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        keeper = await w.drop("a/IMG_1.HEIC", "heic")
        twins = [await w.drop(k, "heic") for k in ("b/IMG_1.HEIC", "c/IMG_1.HEIC", "d/copy.HEIC")]
        await w.run(*TAKE, patience_s=300)
        assert State.HASHED in await w.states(keeper)
        for twin in twins:
            assert State.DUPLICATE in await w.states(twin)
            assert (await w.asset(twin)).keeper == keeper
        assert list(w.files.under(Site.DUPLICATES).values()) == [b"heic"] * 3
        assert "IMG_1.HEIC" in w.files.under(Site.DUPLICATES)


async def test_with_recognition_off_the_same_bytes_are_two_assets(tmp_path: Path) -> None:
    async with world(tmp_path, dedup={"enabled": False}) as w:
        for key in ("a.HEIC", "b.HEIC"):
            await w.drop(key, "heic")
            await w.run(*TAKE)
        assert len(w.files.under(Site.SPOOL)) == 2
        assert w.files.under(Site.DUPLICATES) == {}


async def test_half_of_a_known_live_photo_is_a_duplicate(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        whole = await w.drop("IMG_1.HEIC", "heic cid=A")
        await w.drop("IMG_1.MOV", "mov cid=A")
        await w.run(*TAKE)
        again = await w.drop("again.MOV", "mov cid=A")
        await w.run(*TAKE)
        assert (await w.asset(again)).keeper == whole


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "intake.empty"),
        ("<html>", "intake.not_media"),
        ("jpeg flaw=intake.truncated", "intake.truncated"),
        ("jpeg flaw=intake.too_many_pixels", "intake.too_many_pixels"),
    ],
)
async def test_what_is_no_sound_media_is_kept_aside_with_a_reason(
    tmp_path: Path, content: str, code: str
) -> None:
    async with world(tmp_path) as w:
        bad = await w.drop("x/bad.jpg", content)
        await w.run(*TAKE)
        assert await w.states(bad) == {State.QUARANTINED}
        told = await w.told(bad)
        assert told["code"] == code
        assert told["note"]
        assert told["remedy"]
        assert w.files.under(Site.QUARANTINE) == {"bad.jpg": content.encode()}
        assert (await w.asset(bad)).identity is None


async def test_the_same_bad_file_again_never_overwrites_the_first(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for content in ("<html> 1", "<html> 2", "<html> 1"):
            await w.drop("bad.jpg", content)
            await w.run(*TAKE)
        assert sorted(w.files.under(Site.QUARANTINE).values()) == [
            b"<html> 1",
            b"<html> 1",
            b"<html> 2",
        ]
        assert w.files.under(Site.INCOMING) == w.files.under(Site.SPOOL) == {}


async def test_one_sound_half_takes_the_broken_one_along(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pair = await w.drop("IMG_1.HEIC", "heic cid=A")
        await w.drop("IMG_1.MOV", "mov cid=A flaw=intake.truncated")
        await w.run(*TAKE)
        assert State.HASHED in await w.states(pair)
        hashed = [h for h in await w.journal.history((await w.asset(pair)).id) if h.stage == "hash"]
        assert hashed[-1].evidence["code"] == "intake.truncated"
        assert all(o.digest for o in (await w.asset(pair)).originals)


async def test_a_vanished_file_is_no_duplicate_of_anything(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(settle.STAGE)
        del w.files.files[incoming("IMG_1.HEIC")]
        await w.run(hash.STAGE)
        assert await w.states(photo) == {State.QUARANTINED}
        assert (await w.told(photo))["code"] == "intake.vanished"


async def test_a_half_that_vanished_before_it_was_taken_is_left_out(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        pair = await w.drop("IMG_1.HEIC", "heic cid=A")
        await w.drop("IMG_1.MOV", "mov cid=A")
        await w.run(settle.STAGE)
        del w.files.files[incoming("IMG_1.MOV")]
        await w.run(*TAKE)
        assert State.HASHED in await w.states(pair)
        assert [bool(o.digest) for o in (await w.asset(pair)).originals] == [True, False]


@pytest.mark.parametrize("mtime_ns", [0, 99])
async def test_a_working_copy_that_went_bad_is_not_taken_for_the_original(
    tmp_path: Path, mtime_ns: int
) -> None:
    """A late half has all of them read again: what a disk gives by then is not what the person dropped."""
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic cid=A at=0")
        await w.run(*TAKE)
        was = (await w.asset(photo)).originals[0]
        file = w.files.files[Place(Site.SPOOL, was.spool_key)]
        file.content, file.mtime_ns = b"heic cid=A at=1", mtime_ns or file.mtime_ns
        await w.drop("IMG_1.MOV", "mov cid=A")
        await w.run(*TAKE)
        verdict = await w.rule(hash.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "intake.changed"
        assert (await w.asset(photo)).originals[0].digest == was.digest
        file.content = b"heic cid=A at=0"
        assert isinstance(await w.rule(hash.STAGE, photo), Done)


async def test_a_lost_working_copy_is_told_of(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(*TAKE)
        w.files.files.clear()
        verdict = await w.rule(hash.STAGE, photo)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "intake.lost"


async def test_from_another_disk_the_source_goes_only_after_the_copy(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.files.disks[Site.INCOMING] = "usb"
        photo = await w.drop("IMG_1.HEIC", "heic")
        await w.run(settle.STAGE)
        [original] = (await w.asset(photo)).originals
        w.files.drop(Site.SPOOL, original.spool_key, b"heic")  # killed between copy and removal
        assert isinstance(await w.rule(hash.STAGE, photo), Act)
        await w.run(hash.STAGE)
        assert State.HASHED in await w.states(photo)
        assert w.files.under(Site.INCOMING) == {}


async def test_a_source_that_changes_under_the_move_is_looked_at_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        found = await w.asset(await w.drop("IMG_1.HEIC", "heic"))
        await w.run(settle.STAGE)
        found = await w.asset(found.id)
        [facts] = await hash.look([found], w.ports())
        assert isinstance(facts, hash.Facts)
        del w.files.files[incoming("IMG_1.HEIC")]
        [error] = await hash.act([found], [facts], w.ports())
        assert isinstance(error, Retryable)


def an_original(number: int, digest: str, media: Media) -> Original:
    key = SiteKey(f"{number}")
    return Original(
        OriginalId(number), Role.PRIMARY, key, key, key, 1, 1, Digest(digest * 64), Inspection(media)
    )  # fmt: skip


def test_the_identity_does_not_depend_on_order_or_sidecars() -> None:
    still, movie = an_original(1, "b", Media.HEIC), an_original(2, "a", Media.MOV)
    sidecar = an_original(3, "c", Media.SIDECAR)
    assert identity_of([still]) == still.digest
    assert identity_of([still, movie]) == identity_of([movie, sidecar, still])
    assert identity_of([still, movie]) == blake3(b"a" * 64 + b"b" * 64).hexdigest()
    assert identity_of([still, movie]) != identity_of([still, sidecar])
    assert identity_of([sidecar, sidecar]) is None
    assert media_digests([sidecar, movie]) == [movie.digest]


async def fill(w: World) -> None:
    await w.drop("IMG_1.HEIC", "heic cid=A n=1")
    await w.drop("IMG_1.MOV", "mov cid=A n=2")
    await w.drop("b/IMG_1.HEIC", "heic n=3")
    await w.drop("c/twin.HEIC", "heic n=3")
    await w.drop("bad.jpg", "<html>")


@pytest.mark.parametrize(
    "apart", [(), (Site.QUARANTINE, Site.DUPLICATES)], ids=["one disk", "shelves apart"]
)
async def test_the_power_may_go_at_any_touch(tmp_path: Path, apart: Sequence[Site]) -> None:
    """Killed at each touch of the folders in turn, then run on: nothing lost, nothing doubled, the same end."""
    ends = set()
    for cut_at in count(1):
        (tmp_path / f"{cut_at}").mkdir()
        async with world(tmp_path / f"{cut_at}") as w:
            w.files.disks.update(dict.fromkeys(apart, "usb"))
            await fill(w)
            before = sorted(w.everything())
            w.files.power = Power(cut_at)
            try:
                await w.run(*TAKE)
                was_cut = False
            except Killed:
                was_cut = True
            assert not Counter(before) - Counter(w.everything())  # between disks there may be more
            w.files.power = Power()
            await w.run(*TAKE)
            assert sorted(w.everything()) == before
            ends.add(
                tuple(sorted((p.site, p.key[-9:], f.content) for p, f in w.files.files.items()))
            )
            assert len(ends) == 1
            if not was_cut:
                break
    assert cut_at > 5
