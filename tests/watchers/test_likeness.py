"""Guards the looking at photos: each once, from the nearest place, only while nothing else is to be done."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mediad.errors import MediadError, Refused, Retryable
from mediad.model import AssetId, Media, Place, Site, SiteKey
from mediad.policy.problems import Problem
from mediad.ports.looks import Impression
from mediad.watchers import likeness
from mediad.watchers.likeness import AGAIN_MS, BUSY_S, IDLE_S, SOURCES, Likeness
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
    [(Refused("cannot", code="compress.unreadable"), 1), (Retryable("later", code="io.error"), 2)],
)
async def test_who_cannot_be_decoded_is_never_asked_for_again_and_who_could_not_be_read_is(
    tmp_path: Path, fault: MediadError, looks: int
) -> None:
    async with a_world(tmp_path) as w:
        asset, eyes = await photo(w, "a.jpg", b"a"), Eyes(fault=fault)
        look = watch(w, eyes)
        for _ in range(2):
            await look.turn(w.clock)
            w.clock.advance(AGAIN_MS / 1000 + 1)
        assert len(eyes.seen) == looks
        assert await w.journal.near_of(asset) == []
