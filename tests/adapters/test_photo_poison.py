"""Guards photos against coders with a bad day, from the real workers on: nothing of theirs is ever accepted."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import anyio
import pytest

from mediad.adapters import encoder as encoders
from mediad.adapters.encoder import WorkerEncoder
from mediad.adapters.workers import Limits
from mediad.errors import NeedsOperator, Refused
from mediad.model import Media, Place, Site, SiteKey
from mediad.ports import Judgement, Recipe
from tests.adapters import stills
from tests.adapters.encoding import an_encoder
from tests.adapters.poisoned import poisoned, poisoned_jpegli

JPEG = Recipe("photo-auto-q60/2", Media.JPEG, quality=60, encoder="auto", extension=".jpg")
HEIC = Recipe("photo-heic-crf20/1", Media.HEIC, crf=20, encoder="libx265", extension=".heic")
MADE = Place(Site.SPOOL, SiteKey("made"))
PATIENCE = Limits(memory_bytes=1 << 30, cpu_s=60, wall_s=3.0, file_bytes=16 << 20)


@pytest.fixture
async def encoder(tmp_path: Path) -> AsyncIterator[WorkerEncoder]:
    async with an_encoder(tmp_path, photo_workers=1) as encoder:
        yield encoder
    assert not list((tmp_path / "scratch").iterdir()), "nothing is left over"


async def test_a_full_disk_is_for_the_operator_and_not_the_photo_s_fault(
    encoder: WorkerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, "if out: sys.exit('x: No space left on device')")
    with pytest.raises(NeedsOperator) as fault:
        await answer(encoder, HEIC, tmp_path, stills.heic(320, 240))
    assert fault.value.code == "space.full"


async def test_a_missing_coder_is_for_the_operator_too(
    encoder: WorkerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, """if out: sys.exit("Unknown encoder 'libx265'")""")
    with pytest.raises(NeedsOperator) as fault:
        await answer(encoder, HEIC, tmp_path, stills.heic(320, 240))
    assert fault.value.code == "compress.encoder"


OFTEN = {
    "an honest one", "hangs", "exits", "exits with nothing", "gives nothing", "makes it bigger", "writes black",
    "flips HDR", "changes the depth", "keeps a tenth of the quality",
}  # fmt: skip


def each(poisons: Iterable[str]) -> list[object]:
    """All of them; those of which another one says nearly as much only where there is time."""
    return [
        name if name in OFTEN else pytest.param(name, marks=pytest.mark.crash) for name in poisons
    ]


async def answer(encoder: WorkerEncoder, recipe: Recipe, folder: Path, data: bytes) -> Judgement:
    """As the stage asks; the source is what it was, and what a coder wrote has no name unless it is honest."""
    source = Place(Site.SPOOL, SiteKey(f"source{recipe.extension}"))
    (folder / source.key).write_bytes(data)
    before = (folder / source.key).stat()
    why = ""
    with anyio.fail_after(120):
        try:
            await encoder.render(source, MADE, recipe)
        except Refused as no:
            why = no.code
        judged = await encoder.judge(source, MADE, recipe)
    after = (folder / source.key).stat()
    assert (folder / source.key).read_bytes() == data
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert judged is not None
    assert why in ("", judged.failed)
    assert judged.is_gone == (not (folder / MADE.key).exists())
    return judged


# What the stand-in for jpegli does; `pixels` and `quality` are what it was asked for, `jpeg` is the honest coder.
JPEG_POISONS = {
    "an honest one": ("return jpeg(pixels, wide, high, quality)", ""),
    "hangs": ("time.sleep(600)", "compress.timeout"),
    "exits": ("os._exit(0)", "compress.crashed"),
    "crashes": ("os.abort()", "compress.crashed"),
    "gives nothing": ("return b''", "compress.not_understood"),
    "gives text": ("return b'all went well'", "compress.not_understood"),
    "fills the disk": (
        """
file = tempfile.TemporaryFile()
while True:
    file.write(bytes(1 << 20))""",
        "compress.larger",
    ),
    "takes all memory": ("return bytes(1 << 40)", "compress.too_large"),
    "gives a gigabyte of zeros behind it": (
        "return jpeg(pixels, wide, high, quality) + bytes(300 << 20)", "",
    ),
    "makes it bigger": ("return jpeg(pixels, wide, high, 100)", "compress.larger"),
    "truncates": (
        "made = jpeg(pixels, wide, high, quality); return made[:len(made) * 2 // 3] + b'\\xff\\xd9'",
        "compress.picture",
    ),
    "cuts it off": ("return jpeg(pixels, wide, high, quality)[:-4000]", "compress.not_understood"),
    "writes black": ("return jpeg(bytes(len(pixels)), wide, high, quality)", "compress.picture"),
    "turns it by half": (
        "return jpeg(image(pixels, wide, high).rotate(180).tobytes(), wide, high, quality)",
        "compress.picture",
    ),
    "turns it by a quarter": (
        "return jpeg(image(pixels, wide, high).rotate(90, expand=True).tobytes(), high, wide, quality)",
        "compress.not_understood",
    ),
    "swaps red and blue": (
        "return jpeg(Image.merge('RGB', image(pixels, wide, high).split()[::-1]).tobytes(), wide, high, quality)",
        "compress.picture",
    ),
    "forgets the colours": (
        "out = io.BytesIO(); image(pixels, wide, high).convert('L').save(out, 'JPEG'); return out.getvalue()",
        "compress.not_understood",
    ),
    "codes RGB as it is": (
        """
out = io.BytesIO()
image(pixels, wide, high).save(out, 'JPEG', quality=50, keep_rgb=True, subsampling=0)
return out.getvalue()""",
        "compress.not_understood",
    ),
    "keeps a tenth of the quality": ("return jpeg(pixels, wide, high, 6)", "compress.score"),
    "one block spoilt": (
        """
spoilt = image(pixels, wide, high)
spoilt.paste((255, 0, 255), (320, 240, 336, 256))
return jpeg(spoilt.tobytes(), wide, high, quality)""",
        "compress.picture",
    ),
}  # fmt: skip


@pytest.mark.parametrize("poison", each(JPEG_POISONS))
async def test_nothing_of_a_poisoned_jpeg_coder_is_accepted(
    poison: str, encoder: WorkerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, code = JPEG_POISONS[poison]
    poisoned_jpegli(tmp_path / "site", monkeypatch, program)
    if poison == "hangs":
        monkeypatch.setattr(encoders, "photo_limits", lambda *_: PATIENCE)
    judged = await answer(encoder, JPEG, tmp_path, stills.usual())
    assert judged.failed == code, judged.why
    if not code:
        assert judged.size < len(stills.usual())


HEIC_POISONS = {
    "an honest one": ("", {""}),
    "hangs": ("if out: time.sleep(600)", {"compress.timeout"}),
    "exits with nothing": ("if out: sys.exit(0)", {"compress.encoder_failed"}),
    "fails": ("if out: sys.exit('it is not my day')", {"compress.encoder_failed"}),
    "exits with an empty file": (
        "if out: open(out, 'w').close(); sys.exit(0)", {"compress.not_understood"},
    ),
    "crashes": ("if out: os.abort()", {"compress.crashed"}),
    "fills the disk": (
        """
if out:
    with open(out, 'wb') as file:
        while True:
            file.write(bytes(1 << 20))""",
        {"compress.larger"},
    ),
    "makes it bigger": ("if out: real(before(out, '-crf', '0', '-preset', 'ultrafast'))", {"compress.larger"}),
    "truncates": (
        """
if out:
    os.spawnv(os.P_WAIT, REAL, [REAL, *argv])
    os.truncate(out, os.path.getsize(out) // 2)
    sys.exit(0)""",
        {"compress.unreadable", "compress.picture"},
    ),
    "writes black": (
        "if out: real(before(out, '-vf', 'drawbox=color=black:thickness=fill'))", {"compress.picture"},
    ),
    "turns it by half": ("if out: real(before(out, '-vf', 'hflip,vflip'))", {"compress.picture"}),
    "turns it by a quarter": (
        "if out: real(before(out, '-vf', 'transpose=1'))",
        {"compress.picture", "compress.unreadable", "compress.dimensions"},
    ),
    "flips HDR": (
        """
if out:
    argv[argv.index('-x265-params') + 1] += ':colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc'""",
        {"compress.colour"},
    ),
    "changes the depth": ("if out: real(before(out, '-pix_fmt', 'yuv420p10le'))", {"compress.not_understood"}),
    "changes the colour's resolution": (
        "if out: real(before(out, '-pix_fmt', 'yuv444p'))", {"compress.not_understood"},
    ),
    "keeps a tenth of the quality": ("if out: real(before(out, '-crf', '51'))", {"compress.score", "compress.picture"}),
}  # fmt: skip


@pytest.mark.parametrize("poison", each(HEIC_POISONS))
async def test_nothing_of_a_poisoned_heic_coder_is_accepted(
    poison: str, encoder: WorkerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, codes = HEIC_POISONS[poison]
    poisoned(tmp_path / "bin", monkeypatch, program)
    if poison == "hangs":
        monkeypatch.setattr(encoders, "photo_limits", lambda *_: PATIENCE)
    judged = await answer(encoder, HEIC, tmp_path, stills.heic(320, 240))
    assert judged.failed in codes, judged.why
