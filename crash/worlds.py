"""
The scenarios: what lies in the drop folder or in iCloud, how the daemon is set up, and what it has done before.

Media are small, real, and the same in every run.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image

from mediad.testing.icloud.bodies import jpeg as tiny
from mediad.testing.icloud.bodies import movie as tiny_movie
from tests.acceptance import pictures

TAKEN: Final = 1_626_271_402_000  # 2021-07-14
PAIR: Final = "6B1A8A55-6C1E-4F0B-9C0E-0D5B7A1F2E11"
QUICK: Final = {
    "MEDIAD_INGEST__SETTLE_SECONDS": "0.01",
    "MEDIAD_INGEST__GROUP_SECONDS": "0.05",
    "MEDIAD_SAFETY__RESERVE": "1 MiB",
    "MEDIAD_WORKFLOW__RETRY_SECONDS": "0.01",
    "MEDIAD_LOG__LEVEL": "warning",
    "MEDIAD_LOG__FILE": "false",
}
PHONE: Final = {
    "MEDIAD_SYNCTHING__API_KEY": "a-key-that-must-never-show",
    "MEDIAD_PHONE__BATCH_WAIT_SECONDS": "0",
    "MEDIAD_PHONE__RELEASE": "after 0 d",
}
ICLOUD: Final = {
    "MEDIAD_SAFETY__ARMED": "true",
    "MEDIAD_ICLOUD__ENABLED": "true",
    "MEDIAD_ICLOUD__USERNAME": "anna@example.com",
    "MEDIAD_ICLOUD__POLL_MINUTES": "1",
    "MEDIAD_DELETE__ENABLED": "true",
    "MEDIAD_DELETE__COOLOFF_DAYS": "0",
    "MEDIAD_DELETE__PERCENT_PER_DAY": "100",
}
CLEANS: Final = {"MEDIAD_CLEAN__AFTER_HOURS": "0", "MEDIAD_DEDUP__KEEP_DAYS": "0"}
PATIENT: Final = {"MEDIAD_CLEAN__AFTER_HOURS": "24", "MEDIAD_DEDUP__KEEP_DAYS": "30"}
KEEPS: Final = {"MEDIAD_COMPRESS__ENABLED": "false"}


@dataclass(frozen=True)
class World:
    """`before`: settings of a run that is made before, whose end is where this one begins."""

    name: str
    drop: Callable[[Path], None]
    settings: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] | None = None
    has_phone: bool = False
    shots: int = 0  # photos in iCloud, and a Live pair; 0: no iCloud
    removes: bool = False  # does it come to remove originals?
    is_first_start: bool = False  # else mediad has been there before, and found nothing
    stride: int = 1  # of its points only every so manieth is tried: each costs seconds

    @property
    def has_icloud(self) -> bool:
        return self.shots > 0


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (TAKEN / 1000, TAKEN / 1000))


@cache
def _photo(seed: str) -> bytes:
    return tiny(seed, taken_at=TAKEN, size=6_000).read()


@cache
def _clip() -> bytes:
    return tiny_movie("clip", taken_at=TAKEN, size=9_000).read()


def a_family(folder: Path) -> None:
    """A photo, its duplicate, its namesake, a Live pair, a film, and a photo that is cut off."""
    _put(folder / "IMG_0001.JPG", _photo("one"))
    _put(folder / "again" / "COPY.JPG", _photo("one"))
    _put(folder / "b" / "IMG_0001.JPG", _photo("two"))
    _put(folder / "IMG_0005.JPG", tiny("live", taken_at=TAKEN, size=5_000, pair=PAIR).read())
    _put(folder / "IMG_0005.MOV", tiny_movie("live", taken_at=TAKEN, size=7_000, pair=PAIR).read())
    _put(folder / "clip.MOV", _clip())
    _put(folder / "broken.jpg", _photo("three")[:-200])


def two_and_their_twin(folder: Path) -> None:
    _put(folder / "IMG_0001.JPG", _photo("one"))
    _put(folder / "again" / "COPY.JPG", _photo("one"))
    _put(folder / "b" / "IMG_0001.JPG", _photo("two"))


def two_large(folder: Path) -> None:
    """Namesakes that are worth compressing."""
    _put(folder / "IMG_0001.JPG", _large(1))
    _put(folder / "b" / "IMG_0001.JPG", _large(2))


def a_film(folder: Path) -> None:
    """A real one, beside a photo."""
    _put(folder / "clip.MOV", _film())
    _put(folder / "IMG_0001.JPG", _photo("one"))


@cache
def _large(seed: int) -> bytes:
    """Fine detail over a smooth picture: large as a camera writes it, and much smaller at another quality."""
    with tempfile.TemporaryDirectory() as scratch:
        path = pictures.jpeg(Path(scratch, "1.jpg"), seed, size=(640, 480))
        with Image.open(path) as smooth:
            exif = smooth.getexif()
            grain = Image.effect_noise(smooth.size, 40).convert("RGB")
            Image.blend(smooth.convert("RGB"), grain, 0.4).save(path, quality=97, exif=exif)
        return path.read_bytes()


@cache
def _film() -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return pictures.movie(Path(scratch, "clip.mov"), seconds=2.2).read_bytes()


def beside_a_stranger(folder: Path) -> None:
    """Somebody's own files lie in the archive and in the library under the very names that ours would get."""
    _put(folder / "IMG_0001.JPG", _photo("one"))
    root = folder.parent
    _put(root / "nas_archive" / "2021" / "07" / "IMG_0001.JPG", b"somebody's own")
    _put(root / "library" / "2021" / "07" / "14" / "IMG_0001.JPG", b"somebody's own, too")


def nothing(_folder: Path) -> None:
    """All comes from iCloud."""


WORLDS: Final = {
    world.name: world
    for world in (
        World("vault", a_family, {**KEEPS}, is_first_start=True),
        World("stranger", beside_a_stranger, {**KEEPS, **CLEANS}, removes=True),
        World("clean", a_family, {**KEEPS, **CLEANS}, before=PATIENT, removes=True),
        World(
            "compress", two_large, {**CLEANS, "MEDIAD_COMPRESS__MIN_SAVING": "0.01"}, removes=True
        ),
        World(
            "film",
            a_film,
            {**CLEANS, "MEDIAD_COMPRESS__MIN_SAVING": "0.01"},
            removes=True,
            stride=10,
        ),
        World("phone", a_family, {**KEEPS, **PHONE, **CLEANS}, has_phone=True, removes=True),
        World(
            "relay",
            two_and_their_twin,
            {**KEEPS, **PHONE, **CLEANS, "MEDIAD_WORKFLOW__PRESET": "relay"},
            has_phone=True,
            removes=True,
        ),
        World(
            "bridge",
            two_large,
            {
                **PHONE,
                **CLEANS,
                "MEDIAD_WORKFLOW__PRESET": "bridge",
                "MEDIAD_COMPRESS__MIN_SAVING": "0.01",
            },
            has_phone=True,
            removes=True,
        ),
        World("icloud", nothing, {**KEEPS, **ICLOUD, **CLEANS}, shots=2, removes=True),
        World(
            "backup",
            nothing,
            {**KEEPS, **ICLOUD, **PHONE, **CLEANS, "MEDIAD_WORKFLOW__PRESET": "backup"},
            has_phone=True,
            shots=1,
            removes=True,
        ),
    )
}


def copy_tree(source: Path, target: Path) -> None:
    """With all times, into the place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
