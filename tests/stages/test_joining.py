"""Guards Live Photos on their way as motion photos: one file that is a copy of neither half, or two."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.model import AssetId, Evidence, Place, Rendition, Rung, Site, SiteKey
from mediad.policy.sending import is_original, joined_at
from mediad.stages import archive, batch, clean, place, release, sort, verify
from mediad.stages.verdict import Act, Ask, Done
from mediad.state import State
from mediad.testing import Killed, Power
from mediad.testing.encoder import MemoryEncoder
from mediad.testing.files import digest_of
from tests.stages.world import LINKED, PHONE, TAKE, World, world

MOVING: dict[str, Any] = {"live_pairs": "motion-photo"}
STILL, FILM = "heic cid=A at=0", "mov cid=A at=0"
BOTH = f"{STILL} moving {FILM}".encode()


async def shot(w: World, name: str = "IMG_1", mark: str = "A") -> AssetId:
    """A whole Live Photo, taken in."""
    for extension, content in ((".HEIC", STILL), (".MOV", FILM)):
        await w.drop(name + extension, content.replace("cid=A", f"cid={mark}"))
    await w.run(*TAKE)
    [found] = [m for m in await w.journal.find(f"{name}.HEIC") if m]
    return found


def encoder(w: World) -> MemoryEncoder:
    assert isinstance(w.encoder, MemoryEncoder)
    return w.encoder


async def spool_of(w: World, asset: AssetId, n: int = 0) -> Place:
    return Place(Site.SPOOL, (await w.asset(asset)).originals[n].spool_key)


def on_phone(w: World) -> dict[str, bytes]:
    return {str(key): file.content for key, file in w.phone.there.items()}


def made_here(w: World) -> list[str]:
    return [p.key for p in w.files.files if p.key.startswith("renditions/")]


async def test_a_live_photo_goes_as_one_file_and_its_originals_stay_two(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run()
        assert on_phone(w) == {"IMG_1.MP.HEIC": BOTH}
        whole = {STILL.encode(), FILM.encode()}
        assert set(w.files.under(Site.ARCHIVE).values()) == whole
        assert set(w.files.under(Site.LIBRARY).values()) == whole
        assert State.ON_PHONE in await w.states(pair)
        assert made_here(w) == []


async def test_by_default_a_live_photo_goes_as_two_files(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED) as w:
        await shot(w)
        await w.run()
        assert sorted(w.phone.there) == ["IMG_1.HEIC", "IMG_1.MOV"]
        assert encoder(w).joined == []


async def test_the_phone_has_it_and_yet_no_copy_of_an_original(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run()
        found = await w.asset(pair)
        [placement] = found.placements
        still, film = found.originals
        assert (placement.original, placement.film) == (still.id, film.id)
        assert not is_original(found, placement)
        assert [c for c in found.copies if c.place.site is Site.PHONE] == []
        assert {x.rung for x in found.witnesses} == {Rung.INDEXED, Rung.PHONE_HAS}


async def test_its_batch_is_one_batch_though_it_had_to_be_made_first(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={**MOVING, "batch_files": 4}) as w:
        photos = [await w.drop(f"{n}.JPG", f"jpeg at={n}00000 n={n}") for n in range(2)]
        pairs = [await shot(w, f"IMG_{n}", f"{n}") for n in range(3)]
        w.phone.fetches = False
        await w.run(batch.STAGE)
        [first] = await w.journal.batches(None, 9)
        assert [m.asset for m in first.members] == [*photos, *pairs[:2]]
        assert sum(len(m.placements) for m in first.members) == 4
        assert (await w.standing(pairs[2], State.PHONE_DUE)).mark == "ready"


async def test_what_is_to_be_made_is_said_before(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        w.clock.advance(60)
        said = await w.rule(batch.STAGE, pair)
        assert said == Act("make one motion photo of IMG_1.HEIC and IMG_1.MOV")


async def test_halves_that_cannot_be_joined_go_as_two_files_and_it_is_said_why(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={**MOVING, "batch_files": 3}) as w:
        pair = await shot(w)
        photos = [await w.drop(f"{n}.JPG", f"jpeg at={n}00000 n={n}") for n in range(2)]
        await w.run(*TAKE)
        encoder(w).no[await spool_of(w, pair)] = Refused(
            "its XMP is odd", code="motion.not_understood"
        )
        await w.run(batch.STAGE)
        said = await w.told(pair)
        assert said["note"].endswith("; its XMP is odd")
        assert said["code"] == "motion.not_understood"
        [first] = await w.journal.batches(None, 9)
        assert [m.asset for m in first.members] == [pair, photos[0]]  # three files, not four
        await w.run()
        assert sorted(w.phone.there) == ["0.JPG", "1.JPG", "IMG_1.HEIC", "IMG_1.MOV"]
        assert len([c for c in (await w.asset(pair)).copies if c.place.site is Site.PHONE]) == 2


async def test_a_working_copy_that_rots_sends_two_files_from_good_copies(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run(archive.STAGE)
        w.files.files[await spool_of(w, pair, 1)].content = b"rot"
        await w.run(*PHONE)
        assert on_phone(w) == {"IMG_1.HEIC": STILL.encode(), "IMG_1.MOV": FILM.encode()}


async def test_a_worker_that_has_no_room_is_tried_again_and_nothing_goes_half(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        at = await spool_of(w, pair)
        encoder(w).no[at] = Retryable("busy", code="io.busy2")
        await w.run(batch.STAGE, patience_s=10)
        assert (await w.standing(pair, State.PHONE_DUE)).mark == "retry"
        encoder(w).no[at] = NeedsOperator("full", code="space.full", site="spool")
        await w.run(batch.STAGE, patience_s=300)
        assert "spool" in w.down
        assert w.files.under(Site.PHONE) == {}
        encoder(w).no.clear()
        w.down.clear()
        await w.run()
        assert list(w.phone.there) == ["IMG_1.MP.HEIC"]


async def test_without_room_for_both_halves_none_is_made_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    """Said before the disk says it, as of every other file: the reserve is not eaten into."""
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        await shot(w)
        w.files.room[Site.SPOOL] = len(STILL) + len(FILM)
        await w.run(batch.STAGE)
        assert "spool" in w.down
        assert encoder(w).joined == []
        w.files.room.clear()
        w.down.clear()
        await w.run()
        assert list(w.phone.there) == ["IMG_1.MP.HEIC"]


async def test_a_film_that_comes_late_goes_as_a_second_file(tmp_path: Path) -> None:
    """Its still is on the phone already: within another file it would be there twice."""
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        still = await w.drop("IMG_1.HEIC", STILL)
        await w.run()
        assert list(w.phone.there) == ["IMG_1.HEIC"]
        await w.drop("IMG_1.MOV", FILM)
        await w.run()
        assert sorted(w.phone.there) == ["IMG_1.HEIC", "IMG_1.MOV"]
        assert State.ON_PHONE in await w.states(still)


async def test_a_sidecar_that_comes_late_changes_nothing_of_the_motion_photo(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run(*PHONE)
        w.configure("phone", live_pairs="both")  # nor does another configuration
        await w.drop("IMG_1.xmp", "sidecar ext=.xmp")
        await w.run(*TAKE)
        await w.run(*PHONE)
        found = await w.asset(pair)
        assert sorted(w.phone.there) == ["IMG_1.MP.HEIC", "IMG_1.xmp"]
        assert len(found.placements) == 2
        assert on_phone(w)["IMG_1.MP.HEIC"] == BOTH


async def test_renditions_are_joined_where_those_go(tmp_path: Path) -> None:
    rules = {**MOVING, "send": "rendition", "batch_wait_seconds": 0}
    async with world(tmp_path, syncthing=LINKED, phone=rules) as w:
        found = await w.asset(await shot(w))
        made = []
        for n, (original, content) in enumerate(
            zip(found.originals, (b"small still", b"small film"), strict=True)
        ):
            at = w.files.drop(Site.SPOOL, f"renditions/{n}.x", content)
            made.append(Rendition(original.id, "r/1", at, digest_of(content), len(content)))
        sent = replace(found, renditions=tuple(made))
        [facts] = await batch.look([sent], w.ports())
        assert isinstance(facts, batch.Facts)
        assert await batch.act([sent], [facts], w.ports()) == [None]
        [facts] = await batch.look([sent], w.ports())
        assert isinstance(facts, batch.Facts)
        [placement] = facts.placements
        assert placement.digest == digest_of(b"small still moving small film")


async def test_what_it_was_copied_from_is_thrown_away_after_a_crash_too(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run(batch.STAGE)
        found = await w.asset(pair)
        at = joined_at(found.originals[0])
        kept = w.files.files[at]
        await w.run(place.STAGE)
        assert at not in w.files.files
        w.files.files[at] = kept
        w.phone.forget_here()
        [facts] = await place.look([found], w.ports())
        assert isinstance(facts, place.Facts)
        assert isinstance(place.decide(found, facts), Act)
        await place.act([found], [facts], w.ports())
        assert at not in w.files.files


@pytest.mark.parametrize("left", [None, b"half of it"])
async def test_one_that_is_gone_before_it_was_placed_is_made_again(
    left: bytes | None, tmp_path: Path
) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run(batch.STAGE)
        made = w.files.files.pop(joined_at((await w.asset(pair)).originals[0]))
        if left:
            made.content = left
            w.files.files[joined_at((await w.asset(pair)).originals[0])] = made
        said = await w.rule(place.STAGE, pair)
        assert said == Act("make one motion photo of IMG_1.HEIC and IMG_1.MOV")
        await w.run(place.STAGE, verify.STAGE)
        assert on_phone(w) == {"IMG_1.MP.HEIC": BOTH}
        assert State.ON_PHONE in await w.states(pair)


@pytest.mark.parametrize("now", ["original", "rendition"])
@pytest.mark.parametrize("then", ["original", "rendition"])
async def test_one_that_is_gone_is_made_again_of_what_its_batch_was_made_of(
    then: str, now: str, tmp_path: Path
) -> None:
    """Its name on the phone was given to those bytes, whatever is to go to the phone by now."""
    rules = {**MOVING, "send": then}
    async with world(tmp_path, syncthing=LINKED, phone=rules) as w:
        pair = await shot(w)
        await rendered(w, pair)
        await w.run(batch.STAGE)
        [placement] = (await w.asset(pair)).placements
        del w.files.files[joined_at((await w.asset(pair)).originals[0])]
        phone = w.settings.phone.model_copy(update={"send": now})
        w.settings = w.settings.model_copy(update={"phone": phone})
        await w.run(place.STAGE, verify.STAGE)
        went = BOTH if then == "original" else b"small moving tiny"
        assert placement.digest == digest_of(went)
        assert on_phone(w) == {"IMG_1.MP.HEIC": went}
        assert State.ON_PHONE in await w.states(pair)


async def rendered(w: World, pair: AssetId) -> None:
    """Both halves have renditions."""
    made = []
    for original, content in zip((await w.asset(pair)).originals, (b"small", b"tiny"), strict=True):
        at = w.files.drop(Site.SPOOL, f"renditions/{original.spool_key}.r-1.HEIC", content)
        made.append(Rendition(original.id, "r/1", at, digest_of(content), len(content)))
    await w.journal.witness([(pair, Evidence("judged", 1, renditions=tuple(made)))])


async def test_what_was_made_for_the_phone_and_is_gone_for_good_is_no_question_of_a_backup(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={**MOVING, "send": "rendition"}) as w:
        pair = await shot(w)
        await rendered(w, pair)
        await w.run(batch.STAGE)
        for name in made_here(w):
            del w.files.files[Place(Site.SPOOL, SiteKey(name))]
        await w.run(place.STAGE)
        said = await w.rule(place.STAGE, pair)
        assert isinstance(said, Ask)
        assert said.code == "phone.lost"
        assert "is no original" in said.question
        assert "backup" not in said.question
        assert "skip" in said.remedy


async def test_one_that_nobody_can_make_again_is_a_question(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone=MOVING) as w:
        pair = await shot(w)
        await w.run(batch.STAGE)
        del w.files.files[joined_at((await w.asset(pair)).originals[0])]
        w.files.files[await spool_of(w, pair)].content = b"rot"
        await w.run(place.STAGE)
        assert (await w.standing(pair, State.BATCHED)).code == "phone.lost"
        assert w.files.under(Site.PHONE) == {}


async def test_one_that_comes_back_stands_aside_and_goes_when_both_halves_are_kept(
    tmp_path: Path,
) -> None:
    rules = {"min_copies": 1}
    async with world(tmp_path, syncthing=LINKED, phone=MOVING, safety=rules) as w:
        pair = await shot(w)
        await w.run()
        back = await w.drop("back/IMG_1.MP.HEIC", BOTH.decode())
        await w.run()
        found = await w.asset(back)
        assert (found.keeper, State.DUPLICATE in await w.states(back)) == (pair, True)
        [film] = [p for p in w.files.files if p.site is Site.ARCHIVE and p.key.endswith("MOV")]
        kept = w.files.files.pop(film)
        w.clock.advance(40 * 86_400)
        await w.run(clean.STAGE)
        assert BOTH in w.files.under(Site.DUPLICATES).values()  # it may be all that is left of it
        w.files.files[film] = kept
        await w.journal.retry([found.id], ["held", "failed"])
        await w.run(clean.STAGE, patience_s=3 * 86_400)
        assert w.files.under(Site.DUPLICATES) == {}


async def test_it_leaves_the_shared_folder_only_when_both_originals_are_safe(
    tmp_path: Path,
) -> None:
    rules = {**MOVING, "release": "after 1 d"}
    async with world(tmp_path, syncthing=LINKED, phone=rules) as w:
        pair = await shot(w)
        await w.run(*PHONE, archive.STAGE, sort.STAGE)
        w.clock.advance(2 * 86_400)
        [film] = [p for p in w.files.files if p.site is Site.ARCHIVE and p.key.endswith("MOV")]
        kept = w.files.files.pop(film)
        await w.run(release.STAGE)
        assert "IMG_1.MP.HEIC" in w.files.under(Site.PHONE)
        assert (await w.standing(pair, State.ON_PHONE)).code == "phone.copy_lost"
        w.files.files[film] = kept
        said = await w.rule(release.STAGE, pair)
        assert isinstance(said, Act)


async def test_the_power_may_go_anywhere_while_it_is_made_and_placed(tmp_path: Path) -> None:
    for cut in count(1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        async with world(folder, syncthing=LINKED, phone=MOVING) as w:
            pair = await shot(w)
            w.files.power = Power(cut_at=cut)
            try:
                await w.run(batch.STAGE, place.STAGE, verify.STAGE)
            except Killed:
                w.files.power = Power()
                await w.run(batch.STAGE, place.STAGE, verify.STAGE)
            else:
                assert cut > 3
                break
            assert on_phone(w) == {"IMG_1.MP.HEIC": BOTH}
            assert made_here(w) == []
            assert State.ON_PHONE in await w.states(pair)
            for n, content in enumerate((STILL, FILM)):
                assert w.files.files[await spool_of(w, pair, n)].content == content.encode()


async def test_what_is_placed_are_the_bytes_of_the_file_that_was_made(tmp_path: Path) -> None:
    async with world(tmp_path, syncthing=LINKED, phone={**MOVING, "batch_wait_seconds": 0}) as w:
        found = await w.asset(await shot(w))
        [facts] = await batch.look([found], w.ports())
        assert isinstance(facts, batch.Facts)
        assert facts.placements == ()
        assert await batch.act([found], [facts], w.ports()) == [None]
        [facts] = await batch.look([found], w.ports())
        assert isinstance(facts, batch.Facts)
        assert isinstance(batch.decide(found, facts), Done)
        [placement] = facts.placements
        made = w.files.files[joined_at(found.originals[0])]
        assert (placement.digest, placement.size, placement.mtime_ns) == (
            made.digest, len(BOTH), found.originals[0].mtime_ns,
        )  # fmt: skip


_CODES: Final = {"refused": "motion.not_understood", "torn": "motion.changed"}
FAULTS: Final = ("none", "refused", "torn", "late heic", "late mov", "no film", "broken still")


@pytest.mark.parametrize("groups", [49, pytest.param(500, marks=pytest.mark.crash)])
async def test_live_photos_with_faults_in_one_half_stay_whole(groups: int, tmp_path: Path) -> None:
    """None is separated, none is deleted by halves, and every original is what it was."""
    dice = random.Random(56)  # noqa: S311 - a fixed seed
    rules = {**MOVING, "batch_files": 100, "allow_parallel": True, "release": "after 1 d"}
    async with world(tmp_path, syncthing=LINKED, phone=rules, clean={"after_hours": 24.0}) as w:
        fault = {n: dice.choice(FAULTS) for n in range(groups)}
        assert set(fault.values()) == set(FAULTS)
        await _drop(w, fault, late=False)
        for n in (n for n, what in fault.items() if what in _CODES):
            [asset] = await w.journal.find(f"{n}.HEIC")
            said = Refused(fault[n], code=_CODES[fault[n]])
            encoder(w).no[await spool_of(w, asset)] = said
        await w.run()
        await _drop(w, fault, late=True)
        w.clock.advance(3 * 86_400)
        await w.run()
        for n, what in fault.items():
            await _check_group(w, n, what)
        assert w.files.under(Site.PHONE) == w.files.under(Site.SPOOL) == {}


async def _drop(w: World, fault: Mapping[int, str], *, late: bool) -> None:
    for n, what in fault.items():
        for key, content in _halves(n, what).items():
            if late == (what == f"late {content.split()[0]}"):
                await w.drop(key, content)
    await (w.run() if late else w.run(*TAKE))


def _halves(n: int, what: str) -> dict[str, str]:
    still, film = (f"{kind} cid=c{n} at={n}00000" for kind in ("heic", "mov"))
    if what == "broken still":
        still += " flaw=intake.truncated"
    return {f"{n}.HEIC": still} if what == "no film" else {f"{n}.HEIC": still, f"{n}.MOV": film}


async def _check_group(w: World, n: int, what: str) -> None:
    originals = _halves(n, what).values()
    [asset] = await w.journal.find(f"{n}.HEIC")
    found = await w.asset(asset)
    archived = Counter(w.files.under(Site.ARCHIVE).values())
    assert len(found.originals) == len(originals)
    assert all(archived[o.encode()] == 1 for o in originals)
    sent = {k: f.content.decode() for k, f in w.phone.there.items() if k.split(".")[0] == f"{n}"}
    if what == "none":
        assert sent == {f"{n}.MP.HEIC": " moving ".join(originals)}
    else:
        assert sorted(sent.values()) == sorted(originals)
    assert await w.states(asset) >= {State.RELEASED, State.CLEANED}
