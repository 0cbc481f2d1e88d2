"""
Photos that look the same: how many copies are found, how many others are taken for one, and what it costs.

The twins are made from every real photo that can be decoded (`MEDIAD_SHARED`, or `shared` beside the repository), each
changed in the ways in which photos get copies; the others are all other photos, the quarters of each, and frames of
films. Bursts (a real one, and frames of one film a moment apart) are near by nature and are counted apart.
"""

import io
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pillow_heif
from PIL import Image, ImageEnhance, ImageOps

from bench.side import Row, Table, fresh, single
from mediad.adapters.likeness import impression, looked
from mediad.errors import MediadError
from mediad.journal import near
from mediad.journal.migrate import editions, migrate
from mediad.model import Media, OriginalId
from mediad.policy.likeness import alike
from mediad.ports.looks import Impression

COMMAND = "python -m bench near"
MEDIA = Path(os.environ.get("MEDIAD_SHARED", Path(__file__).parents[2] / "shared")) / "data/media"
LEFT_OUT = ("video", "edge", "raw", "sidecar", "jpeg_broken")
LONG = 1600  # of the side of what the twins are made from
SAME = {"bt601.mov": "sample_mdat_too_long.mp4"}  # one film under two names
MANY = 1_000_000
SIDE = 64
Picture = Image.Image


class Seen(NamedTuple):
    group: str
    change: str  # "": as it came
    like: Impression


def coded(picture: Picture, how: str = "JPEG", **more: object) -> Picture:
    out = io.BytesIO()
    picture.save(out, how, **more)
    image = Image.open(out)
    image.load()
    return image


def to(picture: Picture, long: int) -> Picture:
    share = min(1.0, long / max(picture.size))
    size = max(8, round(picture.width * share)), max(8, round(picture.height * share))
    return picture.resize(size, Image.Resampling.LANCZOS)


def cut(picture: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    w, h = picture.size
    return picture.crop(
        (round(w * left), round(h * top), w - round(w * right), h - round(h * bottom))
    )


CHANGES: Mapping[str, Callable[[Picture], Picture]] = {
    "JPEG, quality 90": lambda p: coded(p, quality=90),
    "JPEG, quality 60": lambda p: coded(p, quality=60),
    "JPEG, quality 30": lambda p: coded(p, quality=30),
    "JPEG, quality 10": lambda p: coded(p, quality=10),
    "half the size": lambda p: coded(to(p, max(p.size) // 2), quality=85),
    "1024 pixels, as a messenger does": lambda p: coded(to(p, 1024), quality=70),
    "512 pixels": lambda p: coded(to(p, 512), quality=60),
    "320 pixels": lambda p: coded(to(p, 320), quality=60),
    "WebP": lambda p: coded(p, "WEBP", quality=60),
    "HEIC": lambda p: coded(p, "HEIF", quality=50),
    "PNG, 900 pixels": lambda p: coded(to(p, 900), "PNG"),
    "cut by 1 % all round": lambda p: coded(cut(p, 0.005, 0.005, 0.005, 0.005), quality=85),
    "cut by 2 % all round": lambda p: coded(cut(p, 0.01, 0.01, 0.01, 0.01), quality=85),
    "cut by 4 % all round": lambda p: coded(cut(p, 0.02, 0.02, 0.02, 0.02), quality=85),
    "cut by 2 % at one corner": lambda p: coded(cut(p, 0.02, 0.02, 0, 0), quality=85),
    "10 % lighter": lambda p: coded(ImageEnhance.Brightness(p).enhance(1.1), quality=85),
    "20 % lighter": lambda p: coded(ImageEnhance.Brightness(p).enhance(1.2), quality=85),
    "20 % darker": lambda p: coded(ImageEnhance.Brightness(p).enhance(0.8), quality=85),
    "20 % more contrast": lambda p: coded(ImageEnhance.Contrast(p).enhance(1.2), quality=85),
    "20 % more colour": lambda p: coded(ImageEnhance.Color(p).enhance(1.2), quality=85),
}


def run(rounds: int) -> list[Table]:
    pillow_heif.register_heif_opener(thumbnails=False)
    return [_found(), _cost(rounds), _search(rounds)]


# -- what is found ------------------------------------------------------------------------------


def _found() -> Table:
    taken, twins = [], []
    for group, picture, as_came in _photos():
        taken.append(Seen(group, "", as_came))
        twins += [Seen(group, name, _of(make(picture))) for name, make in CHANGES.items()]
        taken += [Seen(f"{group}/{n}", "", _of(q)) for n, q in enumerate(_quarters(picture))]
        print(f"  {group}", flush=True)
    frames = [Seen(group, "frame", like) for group, like in _frames()]
    return _judged([s for s in taken if not s.like.is_flat], twins, frames)


def _judged(taken: list[Seen], twins: list[Seen], frames: list[Seen]) -> Table:
    by_group = {s.group: s for s in taken}
    hits: dict[str, list[bool]] = {name: [] for name in CHANGES}
    for twin in twins:
        if twin.group in by_group:
            hits[twin.change].append(alike(by_group[twin.group].like, twin.like) > 0)
    right = sum(map(sum, hits.values()))
    every = [*taken, *(t for t in twins if t.group in by_group), *frames]
    pairs = [
        (a, b) for a, b in combinations(every, 2) if a.group.split("/")[0] != b.group.split("/")[0]
    ]
    wrong = [(a, b) for a, b in pairs if alike(a.like, b.like)]
    for a, b in wrong[:20]:
        print(f"  taken for one: {a.group} {a.change} and {b.group} {b.change}")
    burst = [
        alike(a.like, b.like) > 0
        for a, b in combinations(frames, 2)
        if a.group == b.group and not (a.like.is_flat or b.like.is_flat)
    ]
    total = sum(map(len, hits.values()))
    rows = [
        _row("copies found (recall)", 100 * right / total, "%", "≥ 90"),
        _row(
            "of what is flagged, copies (precision)",
            100 * right / (right + len(wrong)),
            "%",
            "≥ 99",
        ),
        _row("copies looked at", total, "pairs"),
        _row("pairs of other pictures looked at", len(pairs), "pairs"),
        _row("of these flagged", len(wrong), "pairs"),
        _row("frames of one burst or film flagged", sum(burst), f"of {len(burst)} pairs"),
        *(_row(f"found: {n}", 100 * sum(h) / len(h), "%") for n, h in hits.items()),
    ]
    return Table("Photos that look the same", COMMAND, rows)


def _row(what: str, value: float, unit: str, goal: str = "") -> Row:
    return single(what, unit, [value], goal=goal)


def _photos() -> Iterator[tuple[str, Picture, Impression]]:
    """Each real photo once, as the worker sees it and to make twins of; those that differ by their tag are one."""
    seen: set[str] = set()
    for path in sorted(p for p in MEDIA.rglob("*") if p.is_file()):
        if path.relative_to(MEDIA).parts[0].startswith(LEFT_OUT):
            continue
        group = path.name.split("_")[0] if path.name.startswith("Landscape") else path.name
        try:
            with Image.open(path) as image:
                media = {"MPO": "jpeg", "HEIF": "heic"}.get(
                    str(image.format), str(image.format).lower()
                )
                as_came = _impression(looked(path, media))
                picture = to(ImageOps.exif_transpose(image).convert("RGB"), LONG)
        except (MediadError, OSError, ValueError, SyntaxError) as why:
            print(f"  left out: {path.name} ({why})")
            continue
        if group not in seen:
            seen.add(group)
            yield group, picture, as_came


def _quarters(picture: Picture) -> Iterator[Picture]:
    for left in (0, 0.5):
        for top in (0, 0.5):
            yield cut(picture, left, top, 0.5 - left, 0.5 - top)


def _frames() -> Iterator[tuple[str, Impression]]:
    burst = MEDIA / "heic_special" / "bird_burst.heic"
    with Image.open(burst) as image:
        for n in range(min(8, getattr(image, "n_frames", 1))):
            image.seek(n)
            yield burst.name, _of(image.convert("RGB"))
    for film in sorted(MEDIA.glob("video*/*")):
        for at in ("0", "0.2", "1", "2"):
            shot = subprocess.run(
                ["ffmpeg", "-v", "error", "-ss", at, "-i", film, "-frames:v", "1", "-vf", "scale=800:-2",
                 "-f", "image2pipe", "-c:v", "png", "-"], capture_output=True, check=False,
            )  # fmt: skip
            if shot.stdout:
                yield SAME.get(film.name, film.name), _of(Image.open(io.BytesIO(shot.stdout)))


def _of(picture: Picture) -> Impression:
    small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return _impression(impression(small))


def _impression(said: Mapping[str, Any]) -> Impression:
    return Impression(
        said["low"], int(said["bits"], 16), bytes.fromhex(said["tint"]), said["is_flat"]
    )


# -- what it costs ------------------------------------------------------------------------------


def _cost(rounds: int) -> Table:
    folder = fresh("near")
    rough = Image.effect_noise((252, 189), 90).resize((4032, 3024)).convert("RGB")
    rough.save(folder / "photo.jpg", quality=92)
    pillow_heif.from_pillow(rough).save(folder / "photo.heic", quality=60)
    rows = []
    for name, media in (("photo.jpg", Media.JPEG), ("photo.heic", Media.HEIC)):
        spent = []
        for _ in range(rounds):
            began = time.process_time()
            looked(folder / name, media)
            spent.append(1000 * (time.process_time() - began))
        rows.append(single(f"a look at 12 megapixels, {media}", "ms of CPU", spent))
    return Table("What a look costs", COMMAND, rows)


def _search(rounds: int) -> Table:
    """Among a million that differ as pictures do that have nothing to do with one another."""
    path = fresh("near-journal") / "journal.db"
    chance = random.Random(1)
    with sqlite3.connect(path, isolation_level=None) as db:
        migrate(db, editions())
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA synchronous = OFF")
        empty = path.stat().st_size
        db.execute("BEGIN")
        db.executemany(
            near.SAW,
            (
                (n, chance.getrandbits(64) - (1 << 63), chance.randbytes(32), bytes(32))
                for n in range(1, MANY + 1)
            ),
        )
        db.execute("COMMIT")
        spent = []
        for _ in range(max(20, rounds)):
            seen = Impression(
                chance.getrandbits(64), chance.getrandbits(256), bytes(32), is_flat=False
            )
            began = time.monotonic()
            near.neighbours(db, OriginalId(0), seen)
            spent.append(1000 * (time.monotonic() - began))
    grown = (path.stat().st_size - empty) / MANY
    rows = [
        single("who looks like this one", "ms", spent),
        single("in the journal", "bytes a photo", [grown]),
    ]
    return Table("Among 1,000,000 photos", COMMAND, rows)
