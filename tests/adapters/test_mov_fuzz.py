"""Guards films against what they are fed: damaged, endless, nested, enormous or disguised ones are refused at once."""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mediad.adapters.mov_film import movie
from mediad.adapters.video import render_video
from mediad.adapters.video_probe import probe
from mediad.adapters.video_rules import suits
from mediad.adapters.workers import Limits
from mediad.errors import Refused
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters.mov_fuzz import make_films
from tests.memory import taking_at_most

REPO = Path(__file__).parents[2]
RECIPE = Recipe("x", Media.MOV, crf=26, encoder="libx265")


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    make_films(folder)
    return folder


def fuzzed(films: Path, seed: int, count: int) -> None:
    """Refused in type, or grafted whole; in bounded memory and time."""
    command = [sys.executable, "-m", "tests.adapters.mov_fuzz", str(films), str(seed), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=REPO)
    told = json.loads(done.stdout)
    seen = told["seen"]
    assert set(seen) <= {"refused", "grafted"}, seen
    assert sum(seen.values()) == count
    assert seen["refused"] > count / 3
    assert seen["grafted"] > count / 100
    assert told["peak_bytes"] < 200 << 20
    assert told["slowest_s"] < 20


def test_mutated_films_are_refused_or_grafted_whole(films: Path) -> None:
    fuzzed(films, seed=5, count=400)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_mutated_films(films: Path, seed: int) -> None:
    fuzzed(films, seed=100 + seed, count=1000)


def table(path: Path, kind: bytes, offset: int, value: int) -> bytes:
    """A number of the picture's table, changed."""
    content = bytearray(path.read_bytes())
    at = content.index(kind, content.index(b"moov")) + 4 + offset
    content[at : at + 4] = struct.pack(">I", value)
    return bytes(content)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def matryoshka(path: Path) -> bytes:
    inner = path.read_bytes()
    for _ in range(20_000):
        inner = box(b"moov", inner) if len(inner) < 1 << 20 else inner
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + inner


HOURS = 10 * 3600
BOMBS: dict[str, Callable[[Path], bytes]] = {
    "ten hours of frames": lambda p: table(p, b"stts", 8, HOURS * 25),
    "ten hours in sizes": lambda p: table(p, b"stsz", 8, HOURS * 25),
    "a table of four thousand million rows": lambda p: table(p, b"stts", 4, 0xFFFFFFFF),
    "chunks without end": lambda p: table(p, b"stco", 4, 0xFFFFFFFF),
    "one size for all, and many": lambda p: table(p, b"stsz", 4, 1),
    "boxes in boxes": matryoshka,
    "nothing but boxes": lambda _: box(b"ftyp", b"qt  \0\0\0\0") + box(b"free", b"") * 200_000,
    "a playlist": lambda _: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "a list of files": lambda _: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "a playlist in a film's first box": lambda _: box(b"ftyp", b"qt  \n#EXTM3U\n/etc/passwd\n"),
    "another film's name": lambda _: box(
        b"ftyp", b"qt  \0\0\0\0") + box(b"moov", box(b"rmra", box(b"rmda", box(b"rdrf", b"\0\0\0\0url \0\0\0\x0bfile:///etc"))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_at_once(bomb: str, films: Path, tmp_path: Path) -> None:
    evil, target = tmp_path / "evil.mov", tmp_path / "new.mov"
    evil.write_bytes(BOMBS[bomb](films / "behind.mov"))
    began = time.process_time()
    with taking_at_most(300 << 20), pytest.raises(Refused) as refused:
        render_video(evil, target, RECIPE, Limits())
    assert refused.value.code.startswith("compress.")
    assert not target.exists()
    assert time.process_time() - began < 10


def test_a_film_that_claims_ten_hours_takes_no_ten_hours(films: Path, tmp_path: Path) -> None:
    """Each frame an hour long: a lawful film, whose claims cost nothing."""
    long = tmp_path / "long.mov"
    long.write_bytes(table(films / "even.mov", b"stts", 12, 12800 * 3600))
    seen = probe(long, Limits())
    assert seen.duration_s > HOURS or suits(seen)
    with long.open("rb") as file:
        assert len(movie(file).video.sizes) == 10


def test_a_picture_of_enormous_size_is_refused_within_its_limits(
    films: Path, tmp_path: Path
) -> None:
    """64 x 48 that says it has 65,535 x 65,535: the decoder's own word is what counts, and memory has its limit."""
    evil = tmp_path / "evil.mov"
    content = bytearray((films / "behind.mov").read_bytes())
    entry = content.index(b"avc1", content.index(b"moov"))
    content[entry + 28 : entry + 32] = b"\xff\xff\xff\xff"
    evil.write_bytes(content)
    with pytest.raises(Refused):
        render_video(evil, tmp_path / "new.mov", RECIPE, Limits())
