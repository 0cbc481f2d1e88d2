"""Guards every real file at hand: its rendition tells all that it told, or there is none, for a reason."""

import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from mediad.adapters import video_rules
from mediad.adapters.encoder import WorkerEncoder
from mediad.adapters.inspector import FileInspector
from mediad.config import Settings
from mediad.errors import Refused
from mediad.model import Inspection, Media, Place, Site, SiteKey
from mediad.policy.dates import believe
from mediad.policy.recipes import Untouched, recipe_for
from mediad.policy.tiers import Tier
from mediad.ports import Recipe
from tests.adapters import tags

NOW = 1_790_000_000_000
HOPELESS_BYTES = 400_000  # of what is looked at each time
FEW = (
    "jpeg_gainmap/ultraHDR.jpg",
    "jpeg_camera/HMD_Nokia_8.3_5G.jpg",
    "jpeg_camera/Samsung SM-G935L (Galaxy S7 Edge).jpg",
    "jpeg_modes/xmp_test.jpg",
    "jpeg_modes/app13-multiple.jpg",
    "jpeg_modes/iptc-2021.jpg",
    "jpeg_orientation/Landscape_6.jpg",
    "jpeg_gps/huawei-gps-error.jpg",
)


class Came(NamedTuple):
    """What came of a file: a rendition, or the code of the reason why there is none."""

    recipe: Recipe | None
    made: Path | None
    code: str = ""


class Mill:
    """Files go in as they are, and come out as the stage would have them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "made").mkdir()
        self.encoder = WorkerEncoder(
            path_of=self.path, place=self.adopt, scratch=folder / "scratch",
            photo_workers=1, video_workers=1,
        )  # fmt: skip
        self.source = folder
        self.inspector = FileInspector(
            lambda _: self.source, believe=lambda claims, name: believe(claims, now=NOW, name=name)
        )

    def path(self, place: Place) -> Path:
        return self.source if place.site is Site.INCOMING else self.folder / place.key

    async def adopt(self, made: Path, target: Place) -> None:
        await anyio.Path(made).rename(self.path(target))

    async def came_of(self, source: Path) -> Came:
        self.source = source
        place = Place(Site.INCOMING, SiteKey(source.name))
        [seen] = await self.inspector.inspect([(place, source.name)])
        assert isinstance(seen, Inspection)
        recipe = recipe_for(seen, Tier.HEAVY, settings(), size=1_000_000, is_live_half=True)
        if isinstance(recipe, Untouched):
            return Came(None, None, seen.flaw or recipe.code)
        made = Place(
            Site.SPOOL,
            SiteKey(f"made/{len(list((self.folder / 'made').iterdir()))}{recipe.extension}"),
        )
        try:
            await self.encoder.render(place, made, recipe)
        except Refused as no:
            return Came(recipe, None, no.code)
        judged = await self.encoder.judge(place, made, recipe)
        assert judged is not None
        target = self.path(made)
        return Came(recipe, target if target.exists() else None, judged.failed)


@pytest.fixture
async def mill(tmp_path: Path) -> AsyncIterator[Mill]:
    mill = Mill(tmp_path)
    yield mill
    await mill.encoder.aclose()


def settings() -> Settings:
    return Settings.model_validate({"root": "/nowhere"})


def at_hand(media: Path) -> list[Path]:
    return [path for path in sorted(media.rglob("*")) if path.is_file() and path.suffix != ".tsv"]


async def all_is_well(mill: Mill, paths: Iterable[Path]) -> dict[str, str]:
    """Each one's code, "" for a rendition; whatever is wrong is said for all of them together."""
    codes: dict[str, str] = {}
    wrong: dict[str, object] = {}
    for path in paths:
        before, content = path.stat(), path.read_bytes()
        came = await mill.came_of(path)
        after = path.stat()
        codes[path.name] = came.code
        if path.read_bytes() != content or after.st_mtime_ns != before.st_mtime_ns:
            wrong[path.name] = "the original was touched"
        if not came.made and not came.code.startswith(("compress.", "intake.")):
            wrong[path.name] = came
        if came.recipe and came.made and came.code in ("", "compress.larger", "compress.bigger"):
            differing = unlike(mill, path, came.made, came.recipe)
            if differing:
                wrong[path.name] = differing
    assert not wrong
    return codes


def unlike(mill: Mill, source: Path, made: Path, recipe: Recipe) -> list[str]:
    """By exiftool, beyond the written list. Under one name: exiftool believes it."""
    twin = mill.folder / f"source{made.suffix}"
    shutil.copyfile(source, twin)
    written = tags.OF_A_FILM if recipe.media.is_video else tags.OF_A_PHOTO
    return tags.differences(twin, made, written)


async def test_some_real_photos_tell_all_that_they_told(mill: Mill, shared_media: Path) -> None:
    codes = await all_is_well(mill, [shared_media / name for name in FEW])
    assert list(codes.values()).count("") >= 6


async def test_of_broken_files_there_is_a_sound_rendition_or_a_reason(
    mill: Mill, shared_media: Path
) -> None:
    broken = [p for p in at_hand(shared_media) if p.parent.name in {"jpeg_broken", "edge"}]
    codes = await all_is_well(mill, [p for p in broken if p.stat().st_size < HOPELESS_BYTES])
    assert len(codes) > 10
    assert codes["trunc_header.jpg"] == "intake.truncated"
    assert codes["zero.mov"] == "intake.empty"
    assert codes["hopper_bad_exif.jpg"] == "compress.source_damaged"
    assert codes["-rf.jpg"] == ""


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["photos", "heics", "films"])
async def test_every_real_file_tells_all_that_it_told(
    kind: str, mill: Mill, shared_media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short or small: what is kept does not depend on whether it is worth the work."""
    monkeypatch.setattr(video_rules, "SHORTEST_S", 0.05)
    paths = []
    for path in at_hand(shared_media):
        mill.source = path
        [seen] = await mill.inspector.inspect([(Place(Site.INCOMING, SiteKey("x")), path.name)])
        media = seen.media if isinstance(seen, Inspection) else None
        of = "heics" if media is Media.HEIC else "films" if media and media.is_video else "photos"
        if of == kind:
            paths.append(path)
    codes = await all_is_well(mill, paths)
    assert list(codes.values()).count("") >= 5, codes


def test_the_comparison_can_fail(shared_media: Path, tmp_path: Path) -> None:
    source, other = shared_media / FEW[-1], tmp_path / "other.jpg"
    content = source.read_bytes()
    assert content.count(b"HUAWEI") >= 1
    other.write_bytes(content.replace(b"HUAWEI", b"HUAWAI"))
    assert "IFD0:Make" in tags.differences(source, other, tags.OF_A_PHOTO)


def test_the_guide_has_the_written_lists() -> None:
    guide = (Path(__file__).parents[2] / "docs/renditions.md").read_text()
    photos, films = guide.split("## Videos")
    assert all(name in photos for name in tags.OF_A_PHOTO)
    for name in tags.OF_A_FILM | tags.SHOWN_NOW:
        assert name in films or name.startswith("CleanAperture")
