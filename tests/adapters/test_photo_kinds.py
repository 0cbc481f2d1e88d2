"""Guards that each kind of photo has its rule, the one in docs/renditions.md: made again, or left by name."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from mediad.adapters import jpeg_graft, photo_heic, photo_jpeg
from mediad.adapters.heic_graft import item, kept
from mediad.adapters.heic_still import parse
from mediad.adapters.inspector import FileInspector
from mediad.adapters.workers import Limits
from mediad.config import Settings
from mediad.errors import Refused
from mediad.model import Inspection, Media, Place, Site, SiteKey
from mediad.policy.dates import believe
from mediad.policy.recipes import Untouched, recipe_for
from mediad.policy.tiers import Tier
from mediad.ports import Recipe
from tests.adapters import forge, stills

DOCS = Path(__file__).parents[2] / "docs/renditions.md"
NOW = 1_790_000_000_000
BIG = 1_000_000
FILM = forge.box(b"ftyp", b"mp42\0\0\0\0mp42") + forge.box(b"mdat", bytes(5000))


def saved(form: str, mode: str = "RGB", frames: int = 1, **how: object) -> bytes:
    out = io.BytesIO()
    images = [
        stills.picture(320, 240).convert(mode).rotate(90 * n, expand=False) for n in range(frames)
    ]
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(out, form, **more, **how)
    return out.getvalue()


def xmp(words: str) -> bytes:
    return stills.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + words.encode())


def motion() -> bytes:
    said = f'<x GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="{len(FILM)}"/>'
    return stills.dressed(stills.jpeg(), stills.exif(), xmp(said), trailer=FILM)


def burst() -> bytes:
    """The maker's note of an iPhone with the identifier of a burst."""
    note = b"Apple iOS\0\0\1MM" + forge.ifd({0x000B: forge.text("6B7C6A4B-BURST")}, 14)
    block = forge.tiff(exif={0x927C: (7, note)})
    return stills.dressed(stills.jpeg(), stills.segment(0xE1, b"Exif\0\0" + block))


def cmyk() -> bytes:
    out = io.BytesIO()
    stills.picture().convert("CMYK").save(out, "JPEG")
    return out.getvalue()


def rgb() -> bytes:
    out = io.BytesIO()
    stills.picture().save(out, "JPEG", keep_rgb=True)
    return out.getvalue()


def dng() -> bytes:
    return forge.tiff({0xC612: (1, b"\1\4\0\0"), 0x0100: forge.long(64), 0x0101: forge.long(48)})


def with_alpha() -> bytes:
    """A second, hidden picture beside the first, as depth maps, mattes and gain maps are stored."""
    out = io.BytesIO()
    picture = stills.picture(320, 240).copy()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(out, "HEIF", quality=95, chroma="420", enc_params={"preset": "ultrafast"})
    return out.getvalue()


def small_heic() -> bytes:
    return stills.heic(320, 240)


def several() -> bytes:
    return saved("HEIF", frames=2, quality=90, enc_params={"preset": "ultrafast"})


def deep_heic() -> bytes:
    """The same, its decoder configuration saying 10 bits."""
    data = bytearray(small_heic())
    at = data.index(b"hvcC") + 4
    data[at + 17] |= 2
    return bytes(data)


def photoshop() -> bytes:
    return b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 48, 64, 8, 3) + bytes(64)


def jumbf(body: bytes) -> bytes:
    head = b"JP\0\1\0\0\0\1\0\0\0\x20"
    return stills.dressed(stills.jpeg(), stills.segment(0xEB, head + body))


class Kind(NamedTuple):
    row: str  # of the table in the guide
    make: Callable[[], bytes]
    code: str = ""  # why it is left as it is; "": it is coded again
    tier: Tier = Tier.HEAVY
    size: int = BIG


RAW = "RAW: DNG, ProRAW, CR2, CR3, NEF, RAF, ARW and others"
COUNTED = (
    "JPEG or HEIC that states its picture's length in XMP, JPEG with unknown bytes behind it, "
    "or with a preview there that the maker's note finds"
)
SIGNED = "signed (C2PA), or completed by a second layer (JPEG XT)"
JPEG = "JPEG, colour or gray; 4:2:0, 4:2:2 or 4:4:4; in one scan or many"
KINDS = {
    "plain": Kind(JPEG, stills.usual),
    "4:2:2": Kind(JPEG, lambda: stills.usual(stills.jpeg(sampling=1))),
    "4:4:4": Kind(JPEG, lambda: stills.usual(stills.jpeg(sampling=0))),
    "gray": Kind(JPEG, lambda: stills.usual(stills.jpeg(stills.picture().convert("L")))),
    "progressive": Kind(JPEG, lambda: stills.usual(stills.jpeg(progressive=True))),
    "gain map": Kind("JPEG with a gain map or other pictures behind it (Ultra HDR, MPF)", stills.with_gain_map),
    "motion photo": Kind("motion photo (Google's, Samsung's)", motion),
    "burst": Kind("burst, one file a picture", burst),
    "cmyk": Kind("JPEG in CMYK or RGB, with other steps of colour, 12 bits, lossless", cmyk, "compress.not_understood"),
    "rgb": Kind("JPEG in CMYK or RGB, with other steps of colour, 12 bits, lossless", rgb, "compress.not_understood"),
    "stated length": Kind(
        COUNTED,
        lambda: stills.dressed(stills.jpeg(), xmp('<Item:x Item:Semantic="Primary" Item:Length="9"/>')),
        "compress.not_understood",
    ),
    "unknown bytes": Kind(
        COUNTED,
        lambda: stills.jpeg() + b"who knows", "compress.not_understood",
    ),
    "signed": Kind(SIGNED, lambda: jumbf(b"jumb..jumdc2pa"), "compress.not_understood"),
    "layered": Kind(SIGNED, lambda: jumbf(b"RESI"), "compress.not_understood"),
    "heic": Kind("HEIC, 8 bits 4:2:0, with gain map, depth, mattes, thumbnail, motion", small_heic),
    "heic beside": Kind("HEIC, 8 bits 4:2:0, with gain map, depth, mattes, thumbnail, motion", with_alpha),
    "light heic": Kind("HEIC in the light tier", small_heic, "compress.heic_light", Tier.LIGHT),
    "heics": Kind("HEIC with several pictures (burst, stereo)", several, "compress.not_understood"),
    "10 bits": Kind("HEIC of 10 bits, 4:2:2 or 4:4:4", deep_heic, "compress.not_understood"),
    "png": Kind("PNG, APNG", lambda: saved("PNG"), "compress.kind"),
    "16-bit png": Kind("PNG, APNG", lambda: saved("PNG", "I;16"), "compress.kind"),
    "palette png": Kind("PNG, APNG", lambda: saved("PNG", "P"), "compress.kind"),
    "apng": Kind("PNG, APNG", lambda: saved("PNG", frames=3), "compress.kind"),
    "gif": Kind("GIF, still or moving", lambda: saved("GIF"), "compress.kind"),
    "moving gif": Kind("GIF, still or moving", lambda: saved("GIF", frames=3), "compress.kind"),
    "webp": Kind("WebP, still or moving", lambda: saved("WEBP"), "compress.kind"),
    "exact webp": Kind("WebP, still or moving", lambda: saved("WEBP", lossless=True), "compress.kind"),
    "moving webp": Kind("WebP, still or moving", lambda: saved("WEBP", frames=3), "compress.kind"),
    "tiff": Kind("TIFF, of one page or more", lambda: saved("TIFF"), "compress.kind"),
    "pages": Kind("TIFF, of one page or more", lambda: saved("TIFF", frames=2), "compress.kind"),
    "avif": Kind("AVIF, still or moving", lambda: saved("AVIF", speed=9), "compress.kind"),
    "moving avif": Kind("AVIF, still or moving", lambda: saved("AVIF", frames=2, speed=9), "compress.kind"),
    "dng": Kind(RAW, dng, "compress.kind"),
    "raf": Kind(RAW, lambda: forge.raf(forge.shot()), "compress.kind"),
    "psd": Kind("PSD, BMP, JPEG XL, JPEG 2000", photoshop, "compress.unsound"),
    "bmp": Kind("PSD, BMP, JPEG XL, JPEG 2000", lambda: saved("BMP"), "compress.unsound"),
    "jp2": Kind("PSD, BMP, JPEG XL, JPEG 2000", lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), "compress.unsound"),
    "small": Kind("any smaller than 200 kB", stills.usual, "compress.small", size=199_999),
    "cut off": Kind("damaged, cut off", lambda: stills.jpeg()[:5000], "compress.unsound"),
    "a hole": Kind("damaged, cut off", lambda: stills.jpeg()[:9000] + stills.jpeg()[9900:], "compress.source_damaged"),
}  # fmt: skip


async def inspected(path: Path) -> Inspection:
    inspector = FileInspector(
        lambda _place: path, believe=lambda claims, name: believe(claims, now=NOW, name=name)
    )
    [seen] = await inspector.inspect([(Place(Site.INCOMING, SiteKey("photo")), "photo")])
    assert isinstance(seen, Inspection)
    return seen


def rendered(source: Path, target: Path, recipe: Recipe) -> str:
    """Made and judged, or why it was refused."""
    try:
        if recipe.media is Media.HEIC:
            photo_heic.render(source, target, recipe.crf, Limits())
            photo_heic.judge(source, target, recipe.crf, target.parent, Limits())
        else:
            assert recipe.media is Media.JPEG
            _, seen = photo_jpeg.render(source, target, recipe.quality, recipe.encoder)
            photo_jpeg.judge(source, target, recipe.quality, seen)
    except Refused as no:
        return no.code
    return ""


def settings() -> Settings:
    return Settings.model_validate({"root": "/nowhere"})


@pytest.mark.parametrize("name", KINDS)
async def test_each_kind_is_coded_again_or_left_by_name(name: str, tmp_path: Path) -> None:
    kind, source, target = KINDS[name], tmp_path / "source", tmp_path / "target"
    source.write_bytes(kind.make())
    seen = await inspected(source)
    recipe = recipe_for(seen, kind.tier, settings(), size=kind.size)
    if isinstance(recipe, Untouched):
        assert (recipe.code, bool(recipe.why)) == (kind.code, True)
        return
    assert rendered(source, target, recipe) == kind.code
    assert target.exists() == (not kind.code)
    assert source.read_bytes() == kind.make()
    if not kind.code:
        assert target.stat().st_size < source.stat().st_size
        assert all_but_the_picture(source) == all_but_the_picture(target)


def all_but_the_picture(path: Path) -> object:
    data = path.read_bytes()
    if data.startswith(b"\xff\xd8"):
        plan = jpeg_graft.layout(data)
        behind = jpeg_graft.pictures_behind(data, plan)
        return jpeg_graft.kept(data, plan), data[plan.end :], behind, plan.frame.steps
    still = parse(data)
    hidden = [item(still, n) for n, kind in still.kinds.items() if n not in still.tiles]
    return kept(still), hidden


def test_the_guide_has_these_rows_and_no_others() -> None:
    """And each row says what happens: by its code, where something is left as it is."""
    part = DOCS.read_text().split("## Photos")[1].split("### What is kept")[0]
    rows = dict(line.strip("| ").split(" | ", 1) for line in part.splitlines() if line[:2] == "| ")
    rows.pop("kind")
    assert set(rows) == {kind.row for kind in KINDS.values()} | {"half of a Live Photo"}
    for kind in KINDS.values():
        assert (kind.code in rows[kind.row]) if kind.code else ("coded again" in rows[kind.row])


def test_the_film_of_a_motion_photo_is_found_from_the_end_as_before(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(motion())
    photo_jpeg.render(source, target, 65, "auto")
    assert target.read_bytes()[-len(FILM) :] == FILM


def test_the_hidden_picture_beside_a_heic_is_really_there() -> None:
    still = parse(with_alpha())
    assert any(kind == b"auxl" for kind, _, _ in still.references)
