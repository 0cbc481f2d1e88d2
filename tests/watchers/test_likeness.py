"""Guards the looking at photos: each once, from the nearest place, only while nothing else is to be done."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from mediad.errors import MediadError, Refused, Retryable
from mediad.model import AssetId, Evidence, Media, Place, Site, SiteKey
from mediad.policy.problems import Problem
from mediad.ports import Sighting
from mediad.ports.looks import Impression
from mediad.watchers import likeness
from mediad.watchers.likeness import AGAIN_MS, BUSY_S, IDLE_S, LONGEST_MS, SOURCES, TRIES, Likeness
from tests.watchers.scrub_world import World, a_world

SEEN = Impression(12345, 1 << 99, bytes(32), is_flat=False)


@dataclass
class Eyes:
    """ports.looks.Looker, which sees the same in every photo, or cannot see one."""

    seen: list[Place] = field(default_factory=list)
    fault: MediadError | None = None
    rests: int = 0

    async def look(self, place: Place, media: Media) -> Impression:
        assert media is Media.JPEG
        self.seen.append(place)
        if self.fault:
            raise self.fault
        return SEEN

    async def rest(self) -> None:
        self.rests += 1


def watch(w: World, eyes: Eyes) -> Likeness:
    return Likeness(w.journal, w.engine, w.problems, w.ports, eyes)


async def never(_: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
    await anyio.sleep_forever()
    return ()


async def photo(w: World, name: str, content: bytes) -> AssetId:
    asset = await w.photo(name, content)
    await w.engine.until_idle()
    return asset


async def test_every_photo_is_looked_at_once_and_the_like_ones_are_told(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        one, two, eyes = await photo(w, "a.jpg", b"a"), await photo(w, "b.jpg", b"b"), Eyes()
        look = watch(w, eyes)
        assert await look.turn(w.clock) == IDLE_S
        assert [p.site for p in eyes.seen] == [Site.SPOOL] * 2
        [pair] = await w.journal.near_of(one)
        assert pair.of_other.asset.id == two
        assert await look.turn(w.clock) == IDLE_S
        assert (len(eyes.seen), eyes.rests) == (2, 2)


async def test_switched_off_it_looks_at_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        eyes, on = Eyes(), w.loaded
        off = w.settings.dedup.model_copy(update={"near": False})
        w.loaded = replace(on, settings=w.settings.model_copy(update={"dedup": off}))
        await watch(w, eyes).turn(w.clock)
        assert eyes.seen == []
        w.loaded = on
        await watch(w, eyes).turn(w.clock)
        assert len(eyes.seen) == 1


async def test_it_gives_way_to_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        eyes = Eyes()
        monkeypatch.setattr(w.engine, "running", lambda _: 1)
        assert await watch(w, eyes).turn(w.clock) == BUSY_S
        assert eyes.seen == []


async def test_while_everything_is_paused_it_looks_at_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        await w.journal.pause(None)
        await w.engine.refresh()
        eyes = Eyes()
        look = watch(w, eyes)
        assert await look.turn(w.clock) == IDLE_S
        assert eyes.seen == []
        await w.journal.resume(None)
        await w.engine.refresh()
        await look.turn(w.clock)
        assert len(eyes.seen) == 1


async def test_it_ends_with_the_photo_in_hand_when_everything_is_paused(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        for n in range(3):
            await photo(w, f"{n}.jpg", bytes([n]))

        class Pausing(Eyes):
            async def look(self, place: Place, media: Media) -> Impression:
                await w.journal.pause(None)
                await w.engine.refresh()
                return await super().look(place, media)

        eyes = Pausing()
        await watch(w, eyes).turn(w.clock)
        assert len(eyes.seen) == 1


async def test_without_its_working_copy_it_is_looked_at_in_the_library(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        for key in w.files.under(Site.SPOOL):
            del w.files.files[Place(Site.SPOOL, SiteKey(key))]
        eyes = Eyes()
        await watch(w, eyes).turn(w.clock)
        assert [p.site for p in eyes.seen] == [Site.LIBRARY]


async def test_where_no_place_can_be_asked_it_comes_again_later(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        for site in SOURCES:
            w.problems.report(Problem(f"{site}.hung", "it hangs", 1, "wait", subject=site))
        eyes = Eyes()
        look = watch(w, eyes)
        await look.turn(w.clock)
        for site in SOURCES:
            w.problems.clear(site)
        await look.turn(w.clock)
        assert eyes.seen == []
        w.clock.advance(AGAIN_MS / 1000)
        await look.turn(w.clock)
        assert len(eyes.seen) == 1


async def test_while_a_place_is_away_a_whole_library_of_photos_waits_without_haste(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "PAGE", 2)
    async with a_world(tmp_path) as w:
        for n in range(5):
            await photo(w, f"{n}.jpg", bytes([n]))
        for site in SOURCES:
            w.problems.report(Problem(f"{site}.hung", "it hangs", 1, "wait", subject=site))
        look, now, written = watch(w, Eyes()), w.clock.now(), w.journal.groups
        assert await look.turn(w.clock) == IDLE_S
        assert w.journal.groups == written + 1
        assert len(await w.journal.unlooked(now, 9)) == 3
        for site in SOURCES:
            w.problems.clear(site)
        assert await look.turn(w.clock) == 0.0


async def test_a_journal_that_cannot_be_written_is_told_of_and_ends_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        eyes = Eyes()
        look = watch(w, eyes)
        w.journal._connection.execute("PRAGMA query_only = ON")
        assert await look.turn(w.clock) == IDLE_S
        assert w.problems.about("journal") is not None
        w.journal._connection.execute("PRAGMA query_only = OFF")
        await look.turn(w.clock)
        assert len(eyes.seen) == 2
        assert await w.journal.next_look() is None


@pytest.mark.parametrize(
    ("fault", "looks"),
    [
        (Refused("cannot", code="compress.unreadable"), 1),
        (Retryable("later", code="io.error"), TRIES),
        (Retryable("a bad day", code="compress.crashed"), TRIES),
    ],
)
async def test_who_cannot_be_decoded_is_looked_at_once_and_who_could_not_be_read_a_few_times(
    tmp_path: Path, fault: MediadError, looks: int
) -> None:
    async with a_world(tmp_path) as w:
        asset, eyes = await photo(w, "a.jpg", b"a"), Eyes(fault=fault)
        look = watch(w, eyes)
        for _ in range(2 * TRIES):
            await look.turn(w.clock)
            w.clock.advance(LONGEST_MS / 1000 + 1)
        assert len(eyes.seen) == looks
        assert await w.journal.near_of(asset) == []


async def test_each_try_comes_later_than_the_one_before(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        eyes = Eyes(fault=Retryable("later", code="io.error"))
        look, hours = watch(w, eyes), []
        while len(eyes.seen) < TRIES:
            begun, before = w.clock.now(), len(eyes.seen)
            while len(eyes.seen) == before:
                await look.turn(w.clock)
                w.clock.advance(AGAIN_MS / 1000)
            hours.append((w.clock.now() - begun) // AGAIN_MS)
        assert hours == [1, 1, 2, 4, 8, 16, 24, 24]


async def test_who_was_given_up_is_looked_at_once_more_after_a_restart(tmp_path: Path) -> None:
    async with a_world(tmp_path) as w:
        asset = await photo(w, "a.jpg", b"a")
        other = await photo(w, "b.jpg", b"b")
        [original] = (await w.asset(asset)).originals
        eyes = Eyes(fault=Retryable("later", code="io.error"))
        look = watch(w, eyes)
        for _ in range(TRIES):
            await look.turn(w.clock)
            w.clock.advance(LONGEST_MS / 1000 + 1)
        again = Eyes(fault=Retryable("later", code="io.error"))
        after = watch(w, again)
        for _ in range(3):
            await after.turn(w.clock)
            w.clock.advance(LONGEST_MS / 1000 + 1)
        assert len(again.seen) == 2
        well = Eyes()
        await watch(w, well).turn(w.clock)
        assert len(well.seen) == 2
        [pair] = await w.journal.near_of(asset)
        assert {pair.one, pair.other} >= {original.id}
        assert other in {pair.of_one.asset.id, pair.of_other.asset.id}


async def test_whose_copies_are_all_gone_is_asked_for_no_more_until_there_is_one(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as w:
        asset, eyes = await photo(w, "a.jpg", b"a"), Eyes()
        kept = await w.place(asset, Site.ARCHIVE)
        lost, w.files.files = dict(w.files.files), {}
        look = watch(w, eyes)
        for turn in (look, watch(w, eyes)):  # the second one is of a new start
            await turn.turn(w.clock)
            assert await w.journal.unlooked(1 << 60, 9) == []
            w.clock.advance(LONGEST_MS / 1000 + 1)
        assert eyes.seen == []
        w.files.files[kept] = lost[kept]
        [copy] = [c for c in (await w.asset(asset)).copies if c.place == kept]
        read = replace(copy, verified_at=w.clock.now())
        await w.journal.witness([(asset, Evidence("read-back", w.clock.now(), copies=(read,)))])
        await look.turn(w.clock)
        assert eyes.seen == [kept]


async def test_a_place_that_gives_no_answer_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "PATIENCE_S", 0.01)
    async with a_world(tmp_path) as w:
        await photo(w, "a.jpg", b"a")
        eyes = Eyes()
        look = watch(w, eyes)
        with monkeypatch.context() as hung:
            hung.setattr(w.files, "sight", never)
            await look.turn(w.clock)
        assert eyes.seen == []
        w.clock.advance(AGAIN_MS / 1000)
        await look.turn(w.clock)
        assert len(eyes.seen) == 1
