"""
Mutated films through the parser and the graft, in a process of its own with limits: `mov_fuzz FOLDER SEED COUNT`.

FOLDER is for scratch; films NAME.mov and the pictures that were coded from them, NAME.picture, are made there where
there are none. Prints what came of them as JSON.
"""

import json
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.mov_film import movie
from mediad.adapters.mov_graft import changed, graft, moved
from tests.adapters.films import coded, film
from tests.memory import peak_bytes

MEMORY_BYTES = 1 << 30
_WORDS = b"moov trak mdia minf stbl stsd stts ctts stss stsc stsz stco co64 elst edts tkhd mdhd hdlr dref free".split()

_TINY = "testsrc2=size=64x48:rate=25:duration=0.4"
_SHAPES: dict[str, tuple[str, ...]] = {
    "behind": (),
    "front": ("-movflags", "+faststart"),
    "even": ("-bf", "0", "-use_editlist", "0"),
    "tracks": ("-map", "0", "-map", "1", "-map", "1"),
}

Mutation = Callable[[bytearray, range, random.Random], None]


def make_films(folder: Path) -> None:
    """Of each shape that a phone may write: where moov stands, edits, several tracks."""
    for name, options in _SHAPES.items():
        made = film(folder / f"{name}.mov", *options, "-t", "0.4", picture=_TINY)
        coded(made, made.with_suffix(".picture"))


def flipped(film: bytearray, moov: range, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        at, width = chance.choice(moov), chance.choice([1, 2, 4, 8])
        kinds = (bytes(width), b"\xff" * width, b"\x7f" * width, chance.randbytes(width))
        film[at : at + width] = chance.choice(kinds)


def truncated(film: bytearray, _moov: range, chance: random.Random) -> None:
    del film[chance.randrange(len(film)) :]


def renamed(film: bytearray, moov: range, chance: random.Random) -> None:
    at = film.find(chance.choice(_WORDS), moov.start)
    if at > 0:
        film[at : at + 4] = chance.choice(_WORDS)


def counted(film: bytearray, moov: range, chance: random.Random) -> None:
    """A table that claims to have many more rows, or fewer."""
    at = film.find(chance.choice(_WORDS[5:13]), moov.start)
    if at > 0:
        rows = chance.choice([0, 1, 2, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
        offset = at + chance.choice([8, 12])
        film[offset : offset + 4] = struct.pack(">I", rows)


def resized(film: bytearray, moov: range, chance: random.Random) -> None:
    at = film.find(chance.choice(_WORDS), moov.start)
    if at > 4:
        sizes = [0, 1, 7, 8, 16, 0xFFFFFFFF, len(film), chance.randrange(1 << 20)]
        film[at - 4 : at] = struct.pack(">I", chance.choice(sizes))


def repeated(film: bytearray, moov: range, chance: random.Random) -> None:
    start = chance.choice(moov)
    part = film[start : start + chance.randint(1, 400)]
    film[start:start] = part * chance.randint(1, 3)


def nested(film: bytearray, moov: range, chance: random.Random) -> None:
    """Boxes in boxes in boxes, with honest sizes."""
    whole = bytes(film[moov.start : moov.stop])
    for _ in range(chance.choice([1, 5, 200, 3000])):
        whole = struct.pack(">I4s", len(whole) + 8, chance.choice(_WORDS[:5])) + whole
    film[moov.start : moov.stop] = whole


MUTATIONS: tuple[Mutation, ...] = (
    flipped, flipped, flipped, truncated, renamed, counted, counted, resized, repeated, nested,
)  # fmt: skip


def moov_of(path: Path) -> range:
    with path.open("rb") as file:
        found = next(box for box in movie(file).top if box.type == b"moov")
    return range(found.start, found.end)


def tried(torn: Path, picture: Path, target: Path) -> str:
    """What came of it: refused, or grafted with nothing but the picture changed; anything else is said as it is."""
    try:
        graft(torn, picture, target)
    except NotUnderstood:
        return "left a target" if target.exists() else "refused"
    except Exception as error:  # noqa: BLE001 - to find these is what this is for
        return f"raised {error!r}"
    try:
        is_whole = not changed(torn, target) and not moved(torn, target)
    except NotUnderstood as error:
        is_whole, torn_by = False, error
        return f"grafted, and not understood any more: {torn_by}"
    finally:
        target.unlink()
    return "grafted" if is_whole else "grafted, and changed more than the picture"


def main(folder: Path, seed: int, count: int) -> None:
    if not list(folder.glob("*.mov")):
        make_films(folder)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice of bytes, no secret
    films = [(path.read_bytes(), moov_of(path), path) for path in sorted(folder.glob("*.mov"))]
    torn, target = folder / "torn", folder / "new"
    seen = Counter[str]()
    slowest = 0.0
    for _ in range(count):
        whole, moov, path = chance.choice(films)
        film = bytearray(whole)
        mutation: Mutation = chance.choice(MUTATIONS)
        mutation(film, moov, chance)
        torn.write_bytes(film)
        began = time.monotonic()
        seen[tried(torn, path.with_suffix(".picture"), target)] += 1
        slowest = max(slowest, time.monotonic() - began)
    sys.stdout.write(json.dumps({"seen": seen, "slowest_s": slowest, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
