"""Guards photos against what they are fed: mutants are refused or coded whole, bombs refused, workers outlive both."""

import io
import json
import random
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from mediad.adapters.encoder import WorkerEncoder
from mediad.adapters.inspector import MAX_PIXELS, FileInspector
from mediad.errors import Refused
from mediad.model import Inspection, Media, Place, Site, SiteKey
from mediad.policy.dates import believe
from mediad.ports import Judgement, Recipe
from tests.adapters import photo_fuzz, stills
from tests.adapters.encoding import an_encoder
from tests.memory import taking_at_most

REPO = Path(__file__).parents[2]
NOW = 1_790_000_000_000
RECIPES = {
    ".jpg": Recipe("photo-auto-q60/1", Media.JPEG, quality=60, encoder="auto", extension=".jpg"),
    ".heic": Recipe("photo-heic-crf24/1", Media.HEIC, crf=24, encoder="libx265", extension=".heic"),
}


def fuzzed(folder: Path, seed: int, count: int) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.adapters.photo_fuzz",
        str(folder),
        str(seed),
        str(count),
    ]
    done = subprocess.run(command, check=True, capture_output=True, cwd=REPO)
    told = json.loads(done.stdout)
    seen = told["seen"]
    assert set(seen) <= {"read", "refused", "made"}, seen
    assert sum(seen.values()) == count
    assert min(seen["refused"], seen["made"]) > count / 10
    assert told["peak_bytes"] < 200 << 20
    assert told["slowest_s"] < 20


def test_mutated_photos_are_refused_or_coded_whole(tmp_path: Path) -> None:
    fuzzed(tmp_path, seed=5, count=300)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_mutated_photos(tmp_path: Path, seed: int) -> None:
    fuzzed(tmp_path, seed=100 + seed, count=1000)


@pytest.fixture
async def encoder(tmp_path: Path) -> AsyncIterator[WorkerEncoder]:
    async with an_encoder(tmp_path, photo_workers=2) as encoder:
        yield encoder


async def answer(encoder: WorkerEncoder, source: Place, made: Place, recipe: Recipe) -> Judgement:
    """As the stage asks: what is refused is refused for a reason, and no worker dies of it."""
    code = ""
    try:
        await encoder.render(source, made, recipe)
    except Refused as no:
        code = no.code
    assert code == "" or code.startswith("compress.")
    assert code != "compress.crashed", source
    judged = await encoder.judge(source, made, recipe)
    assert judged is not None
    return judged


async def through_workers(encoder: WorkerEncoder, folder: Path, seed: int, count: int) -> None:
    """As the stage does it: a rendition is only what is judged well, and it is as long as it should be."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice of bytes, no secret
    outcomes = Counter[str]()
    while outcomes.total() < count:
        name, data = photo_fuzz.mutant(chance)
        recipe = RECIPES.get(Path(name).suffix)
        if recipe is None:
            continue
        source = Place(Site.SPOOL, SiteKey(f"{outcomes.total()}-{name}"))
        made = Place(Site.SPOOL, SiteKey(f"{source.key}.made{recipe.extension}"))
        (folder / source.key).write_bytes(data)
        judged = await answer(encoder, source, made, recipe)
        outcomes["kept" if judged.failed else "made"] += 1
        assert judged.failed or judged.size == (folder / made.key).stat().st_size < len(data)
        assert (folder / source.key).read_bytes() == data
    assert min(outcomes["kept"], outcomes["made"]) > count / 20, outcomes
    assert not list((folder / "scratch").iterdir())


async def test_workers_outlive_mutated_photos(encoder: WorkerEncoder, tmp_path: Path) -> None:
    await through_workers(encoder, tmp_path, seed=7, count=24)


@pytest.mark.crash
@pytest.mark.timeout(1800)
async def test_workers_outlive_two_thousand_mutated_photos(
    encoder: WorkerEncoder, tmp_path: Path
) -> None:
    await through_workers(encoder, tmp_path, seed=8, count=2000)


# -- bombs --------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(side: int, data: bytes = b"") -> bytes:
    """One bit a pixel, all of it lawful: 2,500 megapixels in little more than 1 MB."""
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def zeros(count: int) -> bytes:
    packer = zlib.compressobj(1)
    block = bytes(1 << 20)
    pieces = [packer.compress(block) for _ in range(count >> 20)]
    return b"".join([*pieces, packer.flush()])


def enormous(data: bytes, mark: bytes, offset: int, size: bytes) -> bytes:
    at = data.index(mark) + offset
    return data[:at] + size + data[at + len(size) :]


def saved(form: str) -> bytes:
    out = io.BytesIO()
    stills.picture(96, 64).save(out, form)
    return out.getvalue()


HUGE = struct.pack(">I", 60_000)
TIFF_SIZE = struct.pack("<HHIIHHII", 256, 4, 1, 60_000, 257, 4, 1, 60_000)
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "bomb.png": lambda: png(50_000, zeros(50_000 * 6_251)),
    "bomb.jpg": lambda: enormous(stills.jpeg(), b"\xff\xc0", 5, b"\xff\xdc\xff\xdc"),
    "bomb.heic": lambda: enormous(stills.heic(96, 64), b"ispe", 8, HUGE + HUGE),
    "bomb.avif": lambda: enormous(saved("AVIF"), b"ispe", 8, HUGE + HUGE),
    "bomb.gif": lambda: enormous(saved("GIF"), b"GIF8", 6, b"\xff\xff\xff\xff"),
    "bomb.webp": lambda: b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10)
    + bytes(4) + b"\x5f\xea\0\x5f\xea\0" + b"VP8 " + struct.pack("<I", 0),
    "bomb.tif": lambda: b"II*\0\x08\0\0\0\x02\0" + TIFF_SIZE + bytes(4),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_for_what_it_says(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BOMBS[name]())
    inspector = FileInspector(
        lambda place: tmp_path / place.key, believe=lambda c, n: believe(c, now=NOW, name=n)
    )
    with taking_at_most(64 << 20):
        [found] = await inspector.inspect([(Place(Site.INCOMING, SiteKey(name)), name)])
    assert isinstance(found, Inspection)
    assert found.flaw == "intake.too_many_pixels"
    assert str(MAX_PIXELS) in found.flaw_detail


@pytest.mark.parametrize("name", ["bomb.jpg", "bomb.heic"])
async def test_a_bomb_that_got_through_gives_no_rendition(
    encoder: WorkerEncoder, tmp_path: Path, name: str
) -> None:
    """A large limit for intake does not lift the one for decoding."""
    source = Place(Site.SPOOL, SiteKey(name))
    (tmp_path / name).write_bytes(BOMBS[name]())
    recipe = RECIPES[Path(name).suffix]
    made = Place(Site.SPOOL, SiteKey("made"))
    judged = await answer(encoder, source, made, recipe)
    assert judged.failed
    assert judged.is_gone


async def test_a_picture_larger_inside_than_it_says_is_no_bomb(
    encoder: WorkerEncoder, tmp_path: Path
) -> None:
    """Its container says 96 x 64, its tile holds 640 x 480: nothing is believed, nothing is made."""
    small, large = stills.heic(96, 64), stills.heic()
    lie = enormous(large, b"ispe", 8, struct.pack(">II", 96, 64))
    assert len(small) < len(lie)
    (tmp_path / "lie.heic").write_bytes(lie)
    source, made = Place(Site.SPOOL, SiteKey("lie.heic")), Place(Site.SPOOL, SiteKey("made"))
    judged = await answer(encoder, source, made, RECIPES[".heic"])
    assert judged.failed or judged.size < len(lie)


def test_pillow_itself_would_refuse_the_bomb(tmp_path: Path) -> None:
    """The last line of defence, in the worker's own process: its limit is set where the gates are."""
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png(50_000))
    with pytest.raises((Image.DecompressionBombError, Image.DecompressionBombWarning)):
        Image.open(bomb)
