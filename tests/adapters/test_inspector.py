"""Guards intake: sound files pass, broken ones are named, and no bytes whatsoever make the inspector stumble."""

import errno
import json
import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mediad.adapters.exiftool import ExifTool
from mediad.adapters.inspector import MAX_PIXELS, FileInspector, _unreachable
from mediad.errors import MediadError, Refused, Retryable
from mediad.model import Inspection, Media, Place, Site, SiteKey
from mediad.policy.dates import believe
from tests.adapters import forge

NOW = 1_790_000_000_000
FLAWED = {  # everything else that is shared is sound, or broken only inside
    "edge/note.txt": "intake.not_media",
    "edge/thumbs.db": "intake.not_media",
    "edge/zero.mov": "intake.empty",
    "edge/trunc50.heic": "intake.truncated",
    "edge/trunc50.mov": "intake.truncated",
    "edge/trunc_header.jpg": "intake.truncated",
    "jpeg_broken/broken_data_stream.png": "intake.truncated",
    "jpeg_broken/decompression_bomb.gif": "intake.truncated",  # 44 bytes that end inside a frame
    "jpeg_broken/issue_ghsa_hrw9_ggg3_3r4r_poc.jpg": "intake.truncated",  # an attack: a film without index
    "video_general/issue_ghsa_crmj_qh74_2r36_poc.mov": "intake.truncated",  # likewise; nothing plays it
    "MANIFEST.tsv": "intake.not_media",
}
MEDIA_OF = {
    "jpeg": Media.JPEG, "heic": Media.HEIC, "video_android": Media.MP4, "video_iphone": Media.MOV,
    "raw": Media.RAW, "sidecar": Media.SIDECAR,
}  # fmt: skip


def inspector(
    root: Path, max_pixels: int = MAX_PIXELS, exiftool: ExifTool | None = None
) -> FileInspector:
    return FileInspector(
        lambda place: root / place.key,
        believe=lambda claims, name: believe(claims, now=NOW, name=name),
        exiftool=exiftool,
        max_pixels=max_pixels,
    )


async def inspect(
    root: Path, *names: str, max_pixels: int = MAX_PIXELS
) -> Sequence[Inspection | MediadError]:
    places = [(Place(Site.INCOMING, SiteKey(n)), Path(n).name) for n in names]
    return await inspector(root, max_pixels).inspect(places)


async def one(
    tmp_path: Path, content: bytes, name: str = "IMG_0001.JPG", max_pixels: int = MAX_PIXELS
) -> Inspection:
    (tmp_path / name).write_bytes(content)
    (answer,) = await inspect(tmp_path, name, max_pixels=max_pixels)
    assert isinstance(answer, Inspection), answer
    return answer


def files_below(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


async def all_of(root: Path) -> dict[str, Inspection]:
    names = files_below(root)
    answers = await inspect(root, *names)
    assert all(isinstance(a, Inspection) for a in answers)
    return {n: a for n, a in zip(names, answers, strict=True) if isinstance(a, Inspection)}


async def test_real_media_raise_no_false_alarm_and_broken_ones_are_named(
    shared_media: Path,
) -> None:
    found = await all_of(shared_media)
    assert {n: i.flaw for n, i in found.items() if i.flaw} == FLAWED


async def test_real_media_are_what_their_folder_says(shared_media: Path) -> None:
    for name, seen in (await all_of(shared_media)).items():
        group = name.partition("/")[0]
        wanted = MEDIA_OF.get(group) or MEDIA_OF.get(group.partition("_")[0])
        if wanted and not seen.flaw and seen.media is not Media.TIFF:
            assert seen.media is wanted, name
            assert (seen.width > 0 and seen.height > 0) or wanted is Media.SIDECAR, name
        if seen.media in {Media.MOV, Media.MP4} and not seen.flaw:
            assert seen.duration_s > 0, name


async def test_a_wrong_name_changes_nothing_but_the_extension(shared_media: Path) -> None:
    found = await all_of(shared_media / "edge")
    assert (found["heic_named.jpg"].media, found["heic_named.jpg"].extension) == (
        Media.HEIC,
        ".heic",
    )
    assert (found["jpeg_named.HEIC"].media, found["jpeg_named.HEIC"].extension) == (
        Media.JPEG,
        ".jpg",
    )
    assert (found["mov_named.mp4"].media, found["mov_named.mp4"].extension) == (Media.MOV, ".mov")


async def test_a_real_live_movie_has_its_content_id_and_local_time(shared_media: Path) -> None:
    movie = (await all_of(shared_media / "edge"))["bitrot.mov"]
    assert movie.content_id == "71DCA213-5710-4A6C-BC6D-CE6306AEB8D8"
    assert movie.captured is not None
    assert (movie.captured.local, movie.captured.offset) == ("2025-01-01T11:06:46", "+09:00")


def exiftool_says(root: Path) -> list[dict[str, object]]:
    tags = ["-DateTimeOriginal", "-CreateDate", "-CreationDate"]
    command = ["exiftool", "-fast2", "-j", "-r", *tags, str(root)]
    said = subprocess.run(command, capture_output=True, check=False).stdout
    rows: list[dict[str, object]] = json.loads(said)
    return rows


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not here to compare with")
async def test_dates_agree_with_exiftool(shared_media: Path) -> None:
    # What differs on purpose: `-fast2` stops before an index or EXIF at the end of a file (we read them), and it
    # shows QuickTime's own clock in UTC (we show it at home).
    found = await all_of(shared_media)
    compared = 0
    for row in exiftool_says(shared_media):
        name = str(Path(str(row["SourceFile"])).relative_to(shared_media))
        text = row.get("DateTimeOriginal") or row.get("CreationDate") or row.get("CreateDate")
        seen = found[name].captured
        if not text or found[name].flaw or (seen and seen.source == "quicktime"):
            continue  # nothing to compare, or UTC there and wall clock here
        assert seen is not None, name
        assert seen.local[:19] == str(text)[:19].replace(":", "-", 2).replace(" ", "T"), name
        compared += 1
    assert compared > 30


WHOLE = {  # a TIFF tells its end by its strips and a GIF by its blocks: see their own tests
    "a.jpg": forge.jpeg(forge.shot()), "b.heic": forge.heic(forge.shot()), "c.mov": forge.movie(),
    "d.mp4": forge.movie(b"mp42", is_index_first=True), "e.png": forge.png(), "f.webp": forge.webp(),
    "g.raf": forge.raf(forge.shot()), "h.mkv": forge.matroska(),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
async def test_every_cut_of_a_picture_or_film_is_noticed(tmp_path: Path, name: str) -> None:
    content = WHOLE[name]
    assert (await one(tmp_path, content, name)).flaw == ""
    for cut in range(1, 100, 2):
        half = content[: max(8, len(content) * cut // 100)]
        flaw = (await one(tmp_path, half, name)).flaw
        assert flaw == "intake.truncated" or (flaw == "intake.not_media" and len(half) < 64), cut


async def test_what_follows_a_whole_picture_is_none_of_our_business(tmp_path: Path) -> None:
    for more in (forge.movie(b"mp42"), b"SEFHrest of a Samsung trailerSEFT", bytes(70_000)):
        assert (await one(tmp_path, forge.jpeg(forge.shot()) + more)).flaw == ""
    for more in (b"\0\0\1\0sefd" + bytes(248), b"anything at all"):
        assert (await one(tmp_path, forge.movie() + more, "a.mov")).flaw == ""


@pytest.mark.parametrize(
    ("content", "name", "flaw", "word"),
    [
        (b"", "a.jpg", "intake.empty", "no bytes"),
        (b"<!DOCTYPE html><html>", "a.jpg", "intake.not_media", "web page"),
        (b"plain words", "a.jpg", "intake.not_media", "text"),
        (bytes(5000), "a.mov", "intake.not_media", "zero bytes"),
        (b"\0\x05\x16\x07\0\2\0\0", "._IMG_1.JPG", "intake.not_media", "AppleDouble"),
        (
            forge.png(width=20_000, height=20_000),
            "a.png",
            "intake.too_many_pixels",
            "20000 x 20000",
        ),
    ],
)
async def test_what_mediad_does_not_take_has_a_plain_reason(
    tmp_path: Path, content: bytes, name: str, flaw: str, word: str
) -> None:
    seen = await one(tmp_path, content, name)
    assert seen.flaw == flaw
    assert word in seen.flaw_detail


async def test_the_largest_picture_is_a_setting(tmp_path: Path) -> None:
    assert (await one(tmp_path, forge.png(), "a.png", max_pixels=1200)).flaw == ""
    assert (
        await one(tmp_path, forge.png(), "a.png", max_pixels=1199)
    ).flaw == "intake.too_many_pixels"


async def test_a_sidecar_needs_its_name_and_its_content(tmp_path: Path) -> None:
    xmp = b"<x:xmpmeta><rdf:RDF exif:DateTimeOriginal='2005-06-09T20:09:27+02:00'/></x:xmpmeta>"
    seen = await one(tmp_path, xmp, "IMG_1.HEIC.xmp")
    assert seen.media is Media.SIDECAR
    assert seen.captured is not None
    assert (seen.captured.local, seen.captured.source) == ("2005-06-09T20:09:27", "sidecar")
    assert (await one(tmp_path, xmp, "IMG_1.txt")).flaw == "intake.not_media"
    assert (await one(tmp_path, b"shopping list", "list.xmp")).flaw == "intake.not_media"


async def test_links_and_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("/etc/hostname")
    (tmp_path / "folder.jpg").mkdir()
    for answer in await inspect(tmp_path, "pipe.jpg", "link.jpg", "folder.jpg"):
        assert isinstance(answer, Refused)
        assert answer.code == "intake.not_regular"


async def test_one_bad_member_never_spoils_its_lot(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(forge.jpeg(forge.shot()))
    good, gone, again = await inspect(tmp_path, "good.jpg", "gone.jpg", "good.jpg")
    assert good == again
    assert isinstance(gone, Retryable)
    assert gone.code == "io.gone"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, "io.gone"),
        (errno.EIO, "io.error"),
        (errno.ESTALE, "io.error"),
        (errno.ELOOP, "intake.not_regular"),
    ],
)
def test_what_the_system_says_gets_our_own_code(number: int, code: str) -> None:
    answer = _unreachable(OSError(number, os.strerror(number)), "IMG_\udcff.jpg")
    assert isinstance(answer, MediadError)
    assert answer.code == code
    assert str(answer).encode()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_closed_door_is_a_flaw_of_the_file(number: int) -> None:
    answer = _unreachable(OSError(number, os.strerror(number)), "a.jpg")
    assert isinstance(answer, Inspection)
    assert answer.flaw == "intake.unreadable"


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="2005-06-09T20:09:27"/>
</rdf:RDF></x:xmpmeta>"""


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not here")
async def test_exiftool_dates_what_our_own_readers_cannot(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(forge.tiff({0x0100: forge.short(9), 0x02BC: (1, XMP)}))
    looking = inspector(tmp_path, exiftool=ExifTool())
    (seen,) = await looking.inspect([(Place(Site.INCOMING, SiteKey("a.tif")), "a.tif")])
    looking.close()
    assert isinstance(seen, Inspection)
    assert seen.captured is not None
    assert seen.captured.local == "2005-06-09T20:09:27"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_leave_to_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(forge.jpeg())
    (tmp_path / "a.jpg").chmod(0)
    (seen,) = await inspect(tmp_path, "a.jpg")
    assert isinstance(seen, Inspection)
    assert seen.flaw == "intake.unreadable"


def seeds() -> dict[str, bytes]:
    shot = forge.shot(offset="+02:00", content_id="71DCA213-5710-4A6C-BC6D-CE6306AEB8D8")
    return {
        "a.jpg": forge.jpeg(shot), "b.heic": forge.heic(shot), "c.mov": forge.movie(created=3_500_000_000),
        "d.mov": forge.movie(extra=forge.keys(creationdate="2024-07-14T18:03:22+0200")),
        "e.png": forge.png(forge.chunk(b"eXIf", shot)), "f.webp": forge.webp(shot), "g.avi": forge.avi(),
        "h.mkv": forge.matroska(nanoseconds=10**17), "i.raf": forge.raf(shot), "j.gif": forge.gif(),
        "k.tif": forge.tiff({0x100: forge.short(9), 0x101: forge.short(7)}, {0x9003: forge.text("x")}),
        "l.json": b'{"photoTakenTime": {"timestamp": "1565000000"}, "title": "a"}',
    }  # fmt: skip


def mangled(content: bytes, chance: random.Random) -> bytes:
    broken = bytearray(content)
    for _ in range(chance.randrange(1, 12)):
        at = chance.randrange(len(broken))
        match chance.randrange(4):
            case 0:
                broken[at] = chance.randrange(256)
            case 1:
                broken[at : at + 4] = chance.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"]
                )
            case 2:
                del broken[at : at + chance.randrange(1, 40)]
            case _:
                broken[at:at] = broken[at // 2 : at]
        broken = broken or bytearray(b"\0")
    return bytes(broken[:200_000])


@pytest.mark.parametrize("name", seeds())
async def test_mangled_bytes_get_an_answer_and_nothing_else(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)  # noqa: S311 - the same mangling every time
    looking = inspector(tmp_path)
    for _ in range(200):
        (tmp_path / name).write_bytes(mangled(seeds()[name], chance))
        (answer,) = looking._lot([(Place(Site.INCOMING, SiteKey(name)), name)])
        assert isinstance(answer, Inspection)
        assert json.dumps(answer.flaw_detail + answer.date_note + answer.content_id)


async def test_an_immense_film_costs_a_few_small_reads(tmp_path: Path) -> None:
    with (tmp_path / "a.mov").open("wb") as file:
        ftyp = forge.box(b"ftyp", b"qt  ", bytes(4))
        file.write(ftyp + b"\0\0\0\1mdat" + (8 << 30).to_bytes(8, "big"))
        file.truncate(len(ftyp) + (8 << 30))
        file.seek(0, os.SEEK_END)
        file.write(forge.box(b"moov", forge.mvhd(3_500_000_000), forge.track(1 << 30, 1 << 20)))
    (seen,) = await inspect(tmp_path, "a.mov")
    assert isinstance(seen, Inspection)
    assert (seen.flaw, seen.width, seen.duration_s) == ("", 320, 1.5)
