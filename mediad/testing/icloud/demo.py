"""
A family's library of a few dozen, with pictures one can look at: made on the spot, of nobody and nowhere.

It has what libraries have: Live pairs, HEIC, a film, RAW beside JPEG, an edited photo, a burst, a favourite, a hidden
photo, albums, a shared library, and two different photos of one day both called IMG_0001.JPG.
"""

import colorsys
import io
import math
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pillow_heif
from PIL import Image, ImageDraw

from mediad.testing.icloud.bodies import Body, exif, movie, raw
from mediad.testing.icloud.crowd import SHARED
from mediad.testing.icloud.library import Library
from mediad.testing.icloud.person import DNG, HEIC, JPEG, MOVIE, Person
from mediad.testing.icloud.rows import AssetRow, File

SIZE: Final = (1_280, 960)
SMALL: Final = (320, 240)
SUMMER: Final = 7_200  # seconds east of Greenwich
FIRST: Final = 1_752_400_800_000  # 2025-07-13 10:00 UTC
HOUR_MS: Final = 3_600_000
_PATIENCE_S: Final = 30


def demo_library(library: Library) -> None:
    """Fill an empty library."""
    own = Person(library)
    family = own.make_album("Family").record
    beach = own.make_album("At the beach").record
    shots = [_photo(own, f"IMG_{n:04}.JPG", n, hour=n) for n in range(1, 7)]
    _photo(own, "IMG_0001.JPG", 40, hour=1.5)  # after the camera began to count anew
    shots += [_heic(own, f"IMG_{n:04}.HEIC", n, hour=24 + n) for n in range(7, 11)]
    lives = [_live(own, f"IMG_{n:04}.HEIC", n, hour=48 + n) for n in (11, 12)]
    film = _film(own, "IMG_0013.MOV", 13, hour=60)
    _raw(own, "IMG_0014.JPG", 14, hour=61)
    edited = _photo(own, "IMG_0015.JPG", 15, hour=62)
    own.edit(edited.record, _black_and_white(15, edited.taken_at))
    for n, shot in enumerate(_photo(own, f"IMG_{n:04}.JPG", n, hour=70) for n in range(16, 19)):
        shot.burst, shot.taken_at = "DEMO-BURST", shot.taken_at + 100 * n
        own.zone.put(shot)
    own.hide(_photo(own, "IMG_0019.JPG", 19, hour=80).record)
    own.favour(shots[2].record)
    own.favour(lives[0].record)
    for shot in (shots[0], shots[2], lives[0], film):
        own.add_to(family, shot.record)
    for shot in shots[4:8]:
        own.add_to(beach, shot.record)
    shared = Person(library, library.zone(SHARED))
    _photo(shared, "IMG_0101.JPG", 21, hour=90)
    shared.contribute(_photo(shared, "IMG_7301.JPG", 22, hour=91).record)


def _at(hour: float) -> int:
    return FIRST + round(hour * HOUR_MS)


def _photo(person: Person, name: str, number: int, *, hour: float) -> AssetRow:
    content = _jpeg(_scene(number, SIZE), _at(hour))
    return _add(person, name, [File("resOriginal", JPEG, Body.of(content), *SIZE)], hour)


def _heic(person: Person, name: str, number: int, *, hour: float) -> AssetRow:
    return _add(person, name, [_heic_file(number, hour)], hour)


def _live(person: Person, name: str, number: int, *, hour: float) -> AssetRow:
    pair = f"DE000000-0000-4000-8000-{number:012}"
    film = File("resOriginalVidCompl", MOVIE, _clip(number, _at(hour), pair), *SMALL)
    return _add(person, name, [_heic_file(number, hour, pair), film], hour)


def _film(person: Person, name: str, number: int, *, hour: float) -> AssetRow:
    return _add(person, name, [File("resOriginal", MOVIE, _clip(number, _at(hour)), *SMALL)], hour)


def _raw(person: Person, name: str, number: int, *, hour: float) -> AssetRow:
    still = Body.of(_jpeg(_scene(number, SIZE), _at(hour)))
    digital = raw(f"demo {number}", taken_at=_at(hour), offset_s=SUMMER, size=300_000)
    files = [File("resOriginal", JPEG, still, *SIZE), File("resOriginalAlt", DNG, digital, 8, 8)]
    return _add(person, name, files, hour)


def _add(person: Person, name: str, files: list[File], hour: float) -> AssetRow:
    asset = person.add(name, files, taken_at=_at(hour), offset_s=SUMMER)
    asset.added_at = asset.taken_at + HOUR_MS
    return asset


def _black_and_white(number: int, taken_at: int) -> Body:
    return Body.of(_jpeg(_scene(number, SIZE).convert("L"), taken_at))


def _jpeg(picture: Image.Image, taken_at: int) -> bytes:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=88, exif=exif(taken_at, SUMMER))
    return written.getvalue()


def _heic_file(number: int, hour: float, pair: str = "") -> File:
    written = io.BytesIO()
    pillow_heif.from_pillow(_scene(number, SIZE)).save(
        written, quality=60, exif=exif(_at(hour), SUMMER, pair)
    )
    return File("resOriginal", HEIC, Body.of(written.getvalue()), *SIZE)


def _scene(number: int, size: tuple[int, int]) -> Image.Image:
    """Hills under a sky, with a sun and a number: another for each."""
    width, height = size
    hue = number * 0.618 % 1
    sky = Image.linear_gradient("L").resize(size)
    dawn, noon = (
        Image.new("RGB", size, _colour(hue, 0.5, 1)),
        Image.new("RGB", size, _colour(hue + 0.15, 0.7, 0.6)),
    )
    picture = Image.composite(dawn, noon, sky)
    draw = ImageDraw.Draw(picture)
    middle, radius = (0.2 + number * 0.37 % 0.6) * width, height / 11
    sun = (middle - radius, height / 5 - radius, middle + radius, height / 5 + radius)
    draw.ellipse(sun, fill=_colour(0.13, 0.35, 1))
    for hill in range(4):
        base = height * (0.5 + 0.13 * hill)
        swing = height * 0.09
        ridge = [
            (x, base + swing * math.sin(number + hill * 2 + x / width * (5 + hill)))
            for x in range(0, width + 8, 8)
        ]
        outline = [*ridge, (width, height), (0, height)]
        draw.polygon(outline, fill=_colour(hue + 0.4, 0.55, 0.62 - 0.12 * hill))
    draw.text((width * 0.03, height * 0.88), f"Demo {number}", fill="white", font_size=height // 14)
    return picture


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


def _clip(number: int, taken_at: int, pair: str = "") -> Body:
    """A second of film; without ffmpeg one that has a head and no picture."""
    ffmpeg = shutil.which("ffmpeg")
    seconds = taken_at / 1000
    made = _encoded(ffmpeg, number, seconds, pair) if ffmpeg else None
    return Body.of(made) if made else movie(f"demo {number}", taken_at=taken_at, pair=pair)


def _encoded(ffmpeg: str, number: int, seconds: float, pair: str) -> bytes | None:
    with tempfile.TemporaryDirectory(prefix="mediad-demo-") as folder:
        film = Path(folder) / "film.mov"
        still = Path(folder) / "still.png"
        _scene(number, SMALL).save(still)
        named = ["-metadata", f"com.apple.quicktime.content.identifier={pair}"] if pair else []
        told = [
            ffmpeg, "-v", "error", "-loop", "1", "-i", str(still), "-t", "1", "-r", "15",
            "-vf", f"zoompan=z='1+on/150':d=15:s={SMALL[0]}x{SMALL[1]}:fps=15", "-frames:v", "15",
            "-c:v", "mpeg4", "-q:v", "6", "-pix_fmt", "yuv420p", "-bitexact",
            "-movflags", "use_metadata_tags", "-metadata", f"creation_time={_iso(seconds)}", *named, str(film),
        ]  # fmt: skip
        done = subprocess.run(told, capture_output=True, check=False, timeout=_PATIENCE_S)  # noqa: S603
        return film.read_bytes() if done.returncode == 0 else None


def _iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
