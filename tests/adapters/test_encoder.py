"""Guards the encoder as a whole: real workers, private folders, a memory that spares work, and nothing left behind."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

from mediad.adapters import encoder
from mediad.adapters.encoder import WorkerEncoder, photo_limits
from mediad.adapters.workers import Limits
from mediad.errors import Refused, Retryable
from mediad.model import Media, Place, Site, SiteKey
from mediad.ports import Recipe
from tests.adapters import stills
from tests.adapters.films import film
from tests.adapters.poisoned import poisoned

JPEG = Recipe("photo-auto-q75/1", Media.JPEG, quality=75, encoder="auto", extension=".jpg")
HEIC = Recipe("photo-heic-crf24/1", Media.HEIC, crf=24, encoder="libx265", extension=".heic")
SOURCE = Place(Site.SPOOL, SiteKey("1-1-a.jpg"))
CANDIDATE = Place(Site.SPOOL, SiteKey("renditions/1-1-a.jpg.photo-auto-q75-1.jpg"))


class Bench:
    """A processing folder with an encoder over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.placed: list[Place] = []
        (folder / "renditions").mkdir()
        self.encoder = self.new()

    def new(self) -> WorkerEncoder:
        return WorkerEncoder(
            path_of=self.path,
            place=self.adopt,
            scratch=self.scratch,
            photo_workers=2,
            video_workers=1,
        )

    def path(self, place: Place) -> Path:
        return self.folder / place.key

    async def adopt(self, made: Path, target: Place) -> None:
        self.placed.append(target)
        await anyio.Path(made).rename(self.path(target))

    def write(self, data: bytes, place: Place = SOURCE) -> None:
        self.path(place).write_bytes(data)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    bench.write(stills.usual())
    yield bench
    await bench.encoder.aclose()
    assert not bench.scratch.exists() or not list(bench.scratch.iterdir()), "nothing is left"


async def test_a_photo_is_rendered_placed_and_judged(bench: Bench) -> None:
    assert await bench.encoder.judge(SOURCE, CANDIDATE, JPEG) is None
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert judged is not None
    assert (judged.failed, judged.is_gone) == ("", False)
    assert judged.size == bench.path(CANDIDATE).stat().st_size
    assert judged.figures is not None
    assert judged.figures["psnr_db"]


@pytest.mark.parametrize("media", [Media.JPEG, Media.HEIC])
async def test_a_photo_with_a_target_reaches_it_and_has_the_time_for_it(
    bench: Bench, media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised: list[float] = []

    def limits_for(size: int, search_s: float = 0) -> Limits:
        promised.append(search_s)
        return photo_limits(size, search_s)

    monkeypatch.setattr(encoder, "photo_limits", limits_for)
    bench.write(stills.heic(384, 256, 98) if media is Media.HEIC else stills.usual())
    usual = HEIC if media is Media.HEIC else JPEG
    recipe = replace(usual, target=70.0, metric="ssimulacra2", search_s=600)
    await bench.encoder.render(SOURCE, CANDIDATE, recipe)
    at_once = await bench.encoder.judge(SOURCE, CANDIDATE, recipe)
    await bench.encoder.aclose()
    bench.encoder = bench.new()
    afresh = await bench.encoder.judge(SOURCE, CANDIDATE, recipe)
    for judged in (at_once, afresh):
        assert judged is not None
        assert judged.figures is not None
        score = judged.figures["ssimulacra2"]
        assert isinstance(score, float)
        assert score >= 69.7
    assert at_once is not None
    assert at_once.figures is not None
    assert at_once.figures["search"] == "done"
    assert set(promised) == {600}


async def test_whose_search_had_no_time_is_told_so(bench: Bench) -> None:
    recipe = replace(JPEG, quality=40, target=95.0, metric="ssimulacra2", search_s=0.0)
    await bench.encoder.render(SOURCE, CANDIDATE, recipe)
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, recipe)
    assert judged is not None
    assert judged.failed == "compress.score"
    assert judged.why.endswith("the time for the search was up")


async def test_the_rendition_has_the_time_of_its_source(bench: Bench) -> None:
    os.utime(bench.path(SOURCE), ns=(0, 1_600_000_000_123_456_789))
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    assert bench.path(CANDIDATE).stat().st_mtime_ns == 1_600_000_000_123_456_789


async def test_a_heic_is_rendered_and_judged(bench: Bench) -> None:
    bench.write(stills.heic())
    await bench.encoder.render(SOURCE, CANDIDATE, HEIC)
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, HEIC)
    assert judged is not None
    assert not judged.failed


async def test_the_source_is_never_opened_for_writing(bench: Bench) -> None:
    before = bench.path(SOURCE).stat()
    bench.path(SOURCE).chmod(0o400)
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    after = bench.path(SOURCE).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert bench.path(SOURCE).read_bytes() == stills.usual()


@pytest.mark.parametrize(
    ("poison", "gate"),
    [
        (lambda made: made[: len(made) // 2], "compress.unreadable"),
        (lambda _: stills.usual(stills.jpeg(Image.new("RGB", (640, 480)))), "compress.picture"),
        (lambda _: stills.usual(stills.jpeg(stills.picture(480, 640))), "compress.dimensions"),
        (lambda _: stills.usual(stills.jpeg(quality=100)), "compress.larger"),
        (lambda _: stills.jpeg(quality=75), "compress.tags"),
        (lambda _: b"", "compress.unreadable"),
    ],
)
async def test_each_gate_stops_its_poison(
    bench: Bench, poison: Callable[[bytes], bytes], gate: str
) -> None:
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    bench.write(poison(bench.path(CANDIDATE).read_bytes()), CANDIDATE)
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert judged is not None
    assert judged.failed == gate
    assert judged.why


async def test_what_was_refused_is_remembered_and_not_tried_again(bench: Bench) -> None:
    bench.write(stills.jpeg()[:3000])
    with pytest.raises(Refused) as no:
        await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert judged is not None
    assert (judged.failed, judged.is_gone) == (no.value.code, True)
    assert not bench.placed


async def test_what_was_judged_and_thrown_away_is_remembered(bench: Bench) -> None:
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    first = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    bench.path(CANDIDATE).unlink()
    second = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert first is not None
    assert second is not None
    assert (second.size, second.is_gone) == (first.size, True)
    assert await bench.new().judge(SOURCE, CANDIDATE, JPEG) is None


async def test_an_unchanged_candidate_is_judged_once(bench: Bench) -> None:
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    first = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert await bench.encoder.judge(SOURCE, CANDIDATE, JPEG) is first
    bench.write(b"something else", CANDIDATE)
    assert await bench.encoder.judge(SOURCE, CANDIDATE, JPEG) is not first


async def test_what_a_worker_judged_as_it_made_it_is_only_read_again(bench: Bench) -> None:
    """The source is gone: a second decoding of it would be a fault."""
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    bench.path(SOURCE).unlink()
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert judged is not None
    assert not judged.failed
    assert judged.figures is not None
    assert {"encoder", "encoder_quality", "psnr_db", "source_digest"} <= set(judged.figures)


async def test_one_byte_that_changed_on_the_way_to_its_name_is_seen(bench: Bench) -> None:
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    made = bytearray(bench.path(CANDIDATE).read_bytes())
    seen = bench.path(CANDIDATE).stat()
    made[made.index(b"a comment")] ^= 1
    bench.write(bytes(made), CANDIDATE)
    os.utime(bench.path(CANDIDATE), ns=(seen.st_mtime_ns, seen.st_mtime_ns))
    judged = await bench.encoder.judge(SOURCE, CANDIDATE, JPEG)
    assert judged is not None
    assert judged.failed == "compress.tags"


async def test_a_missing_source_is_for_the_engine_to_try_again(bench: Bench) -> None:
    bench.path(SOURCE).unlink()
    with pytest.raises(Retryable) as gone:
        await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    assert gone.value.code == "io.missing"


async def test_what_a_crash_left_in_the_scratch_folder_is_removed(bench: Bench) -> None:
    (bench.scratch / "tmp-of-before").mkdir(parents=True)
    (bench.scratch / "tmp-of-before/half.jpg").write_bytes(b"half")
    await bench.encoder.render(SOURCE, CANDIDATE, JPEG)
    assert not list(bench.scratch.iterdir())


async def test_foreign_names_are_no_trouble(bench: Bench) -> None:
    odd = Place(Site.SPOOL, SiteKey("-rf $(touch x);\udcff 'é\n.jpg"))
    bench.write(stills.usual(), odd)
    await bench.encoder.render(odd, CANDIDATE, JPEG)
    judged = await bench.encoder.judge(odd, CANDIDATE, JPEG)
    assert judged is not None
    assert not judged.failed


async def test_several_photos_are_made_at_once(bench: Bench) -> None:
    places = [Place(Site.SPOOL, SiteKey(f"renditions/{n}.jpg")) for n in range(6)]
    async with anyio.create_task_group() as tasks:
        for place in places:
            tasks.start_soon(bench.encoder.render, SOURCE, place, JPEG)
    assert sorted(bench.placed) == places
    assert len({bench.path(p).read_bytes() for p in places}) == 1


async def test_cancelled_work_leaves_nothing(bench: Bench) -> None:
    bench.write(stills.heic(1600, 1200))
    with anyio.move_on_after(0.4) as scope:
        await bench.encoder.render(SOURCE, CANDIDATE, HEIC)
    assert scope.cancelled_caught
    assert not bench.placed


async def test_a_film_goes_to_the_films_own_code(bench: Bench) -> None:
    recipe = Recipe("video-x265-crf26/1", Media.MOV, crf=26, encoder="libx265", extension=".mov")
    with pytest.raises(Refused) as no:
        await bench.encoder.render(SOURCE, CANDIDATE, recipe)
    assert no.value.code.startswith("compress.")


async def test_what_a_film_needs_on_the_way_lies_in_the_folder_that_is_swept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames to compare are large: a daemon that is killed must not fill the system's /tmp with them."""
    source = Place(Site.SPOOL, SiteKey("1-1-a.mov"))
    film(bench.path(source))
    recipe = Recipe("video-x265-crf28/1", Media.MOV, crf=28, encoder="libx265", extension=".mov")
    target = Place(Site.SPOOL, SiteKey("renditions/film.mov"))
    folders: list[str] = []
    real = tempfile.mkdtemp

    def spy(*words: Any, **more: Any) -> str:
        folders.append(made := real(*words, **more))
        return str(made)

    monkeypatch.setattr(tempfile, "mkdtemp", spy)
    await bench.encoder.render(source, target, recipe)
    judged = await bench.encoder.judge(source, target, recipe)
    assert judged is not None
    assert judged.failed == ""
    assert len(folders) > 3
    assert all(Path(f).is_relative_to(bench.folder) for f in folders)


async def test_a_film_is_judged_while_the_next_one_is_coded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe("video-x265-crf28/1", Media.MOV, crf=28, encoder="libx265", extension=".mov")
    source = Place(Site.SPOOL, SiteKey("1-1-a.mov"))
    film(bench.path(source))
    first, second = (Place(Site.SPOOL, SiteKey(f"renditions/{n}.mov")) for n in (1, 2))
    await bench.encoder.render(source, first, recipe)
    begun, go_on = bench.folder / "begun", bench.folder / "go on"
    for pipe in (begun, go_on):
        os.mkfifo(pipe)
    waits = f"if out:\n    open({str(begun)!r}, 'w').close()\n    open({str(go_on)!r}).close()"
    poisoned(bench.folder / "bin", monkeypatch, waits)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.encoder.render, source, second, recipe)
            await anyio.to_thread.run_sync(begun.read_bytes, abandon_on_cancel=True)
            judged = await bench.encoder.judge(source, first, recipe)
            await anyio.to_thread.run_sync(go_on.write_bytes, b"", abandon_on_cancel=True)
    assert judged is not None
    assert judged.failed == ""
    assert bench.placed == [first, second]


@pytest.mark.parametrize("size", [0, 200_000, 5_000_000, 200_000_000])
def test_every_photo_has_limits(size: int) -> None:
    limits = photo_limits(size)
    assert limits.memory_bytes >= 1 << 30
    assert limits.wall_s >= limits.cpu_s >= 120
    assert limits.file_bytes >= size
    assert photo_limits(size, search_s=600).cpu_s == limits.cpu_s + 600


async def test_the_first_sweep_takes_no_folder_that_is_in_use(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    for n in range(400):  # what a crash left: the sweep takes a while
        (scratch / f"old{n}").mkdir(parents=True)

    async def place(_made: Path, _target: Place) -> None: ...

    encoder = WorkerEncoder(
        path_of=lambda place: tmp_path / place.key, place=place, scratch=scratch,
        photo_workers=1, video_workers=1,
    )  # fmt: skip
    folders: list[Path] = []

    async def first() -> None:
        folders.append(await anyio.to_thread.run_sync(encoder._new_folder))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(first)
    await encoder.aclose()
    assert sorted(scratch.iterdir()) == sorted(folders)
