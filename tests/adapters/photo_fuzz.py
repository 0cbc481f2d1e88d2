"""
Mutated photos through the header readers, the grafts and the JPEG coder, in a process of its own with limits.

`photo_fuzz FOLDER SEED COUNT`: FOLDER is for scratch. Prints what came of them as JSON.
"""

import io
import json
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from unittest.mock import patch

from PIL import Image

from mediad.adapters import jpeg_graft, photo_gates, photo_jpeg, photo_score
from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.headers_base import Source
from mediad.adapters.heic_graft import coded_tiles
from mediad.adapters.heic_graft import graft as heic_graft
from mediad.adapters.heic_graft import kept as heic_kept
from mediad.adapters.heic_still import parse
from mediad.adapters.inspector import header
from mediad.adapters.photo_gates import Failed
from mediad.errors import Refused
from tests.adapters import stills
from tests.memory import peak_bytes

MEMORY_BYTES = 1 << 30
_HEAD = 1600  # where the descriptions are: most of the hits go here
_CODED = 0.6  # of the mutants at least are of a kind that is coded anew
_WORDS = b"meta hdlr pitm iinf infe iref iprp ipco ipma iloc idat mdat ispe hvcC Exif IHDR IDAT PLTE IEND".split()
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[bytearray, random.Random], None]


@cache
def seeds() -> Mapping[str, bytes]:
    small = stills.picture(96, 64)
    jpeg = stills.jpeg(small)
    return {
        "usual.jpg": stills.usual(jpeg),
        "gain.jpg": stills.with_gain_map(jpeg, gain=stills.jpeg(stills.picture(32, 24))),
        "gray.jpg": stills.usual(stills.jpeg(small.convert("L"))),
        "stepwise.jpg": stills.usual(stills.jpeg(small, progressive=True)),
        "plain.heic": stills.heic(96, 64),
        "other.heic": stills.heic(96, 64, 40),
        "deep.png": _saved(small.convert("I;16"), "PNG"),
        "colours.png": _saved(small.quantize(16), "PNG"),
        "clear.png": _saved(small.convert("RGBA"), "PNG"),
        "small.gif": _saved(small, "GIF"),
        "small.webp": _saved(small, "WEBP"),
        "small.tif": _saved(small, "TIFF"),
        "small.avif": _saved(small, "AVIF"),
    }


def _saved(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def flipped(photo: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 6)):
        at = _place(photo, chance)
        photo[at] ^= 1 << chance.randrange(8)


def overwritten(photo: bytearray, chance: random.Random) -> None:
    width = chance.choice([1, 2, 4, 8])
    at = _place(photo, chance)
    value = chance.choice(_NUMBERS) & ((1 << 8 * width) - 1)
    photo[at : at + width] = value.to_bytes(width, chance.choice(["big", "little"]))


def truncated(photo: bytearray, chance: random.Random) -> None:
    del photo[chance.randrange(len(photo)) :]


def lost(photo: bytearray, chance: random.Random) -> None:
    at = _place(photo, chance)
    del photo[at : at + chance.randint(1, 300)]


def repeated(photo: bytearray, chance: random.Random) -> None:
    at = _place(photo, chance)
    photo[at:at] = photo[at : at + chance.randint(1, 300)] * chance.randint(1, 3)


def renamed(photo: bytearray, chance: random.Random) -> None:
    at = photo.find(chance.choice(_WORDS))
    if at >= 0:
        photo[at : at + 4] = chance.choice(_WORDS)


def resized(photo: bytearray, chance: random.Random) -> None:
    """A box, chunk or segment that claims another length."""
    at = photo.find(chance.choice(_WORDS))
    if at > 4:
        size = chance.choice([*_NUMBERS, 7, 8, 16, len(photo), chance.randrange(1 << 16)])
        photo[at - 4 : at] = struct.pack(">I", size)


def spliced(photo: bytearray, chance: random.Random) -> None:
    other = chance.choice(list(seeds().values()))
    photo[chance.randrange(len(photo)) :] = other[chance.randrange(len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (
    flipped, flipped, flipped, overwritten, overwritten, truncated, lost, repeated, renamed, resized, spliced,
)  # fmt: skip


def _place(photo: bytearray, chance: random.Random) -> int:
    most = len(photo) if chance.random() < 0.3 else min(len(photo), _HEAD)
    return chance.randrange(most)


def mutant(chance: random.Random) -> tuple[str, bytes]:
    coded = [n for n in seeds() if n.endswith((".jpg", ".heic"))]
    name = chance.choice(coded if chance.random() < _CODED else list(seeds()))
    photo = bytearray(seeds()[name])
    mutation: Mutation = chance.choice(MUTATIONS)
    mutation(photo, chance)
    return name, bytes(photo)


def tried(name: str, photo: Path, target: Path) -> str:
    """What came of it; whatever else is raised is said as it is."""
    try:
        with photo.open("rb") as file:
            header(Source(file.fileno(), photo.stat().st_size), name)
        if name.endswith(".jpg"):
            return _jpeg(photo, target)
        return _heic(photo) if name.endswith(".heic") else "read"
    except (NotUnderstood, Refused, Failed):
        return "refused"
    except Exception as error:  # noqa: BLE001 - to find these is what this is for
        return f"{name} raised {error!r}"


def _jpeg(photo: Path, target: Path) -> str:
    """
    Made, judged at once, and judged again by one who knows nothing of it: both must say the same.

    But for a little: decoders round differently, and next to a floor they may stand on different sides of it.
    """
    data = photo.read_bytes()
    plan = jpeg_graft.layout(data)
    _, seen = photo_jpeg.render(photo, target, 60, "auto")
    photo_jpeg.judge(photo, target, 60, seen)
    try:
        with patch.object(photo_gates, "WORST_BLOCK", 36), patch.object(photo_score, "_MORE", 1.65):
            photo_jpeg.judge(photo, target, 60)
    except Failed as no:
        return f"accepted, and then not: {no}"
    made = target.read_bytes()
    is_whole = made.endswith(data[plan.end :]) and len(made) < len(data)
    return "made" if is_whole else "made, and something is gone"


def _heic(photo: Path) -> str:
    old = parse(photo.read_bytes())
    coded_tiles(old)
    new = parse(heic_graft(old, coded_tiles(parse(seeds()["other.heic"]))))
    return "made" if heic_kept(old) == heic_kept(new) else "made, and something is gone"


def main(folder: Path, seed: int, count: int) -> None:
    seeds()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice of bytes, no secret
    photo, target = folder / "mutant", folder / "rendition"
    outcomes = Counter[str]()
    kinds = Counter[str]()
    slowest = 0.0
    for _ in range(count):
        name, data = mutant(chance)
        kinds[Path(name).suffix] += 1
        photo.write_bytes(data)
        target.unlink(missing_ok=True)
        began = time.process_time()
        outcomes[tried(name, photo, target)] += 1
        slowest = max(slowest, time.process_time() - began)
    told = {"seen": outcomes, "kinds": kinds, "slowest_s": slowest, "peak_bytes": peak_bytes()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
