"""Guards the motion photo as it lies on the disk: both halves byte for byte, found by other programs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from mediad.adapters.motion import Halves, judge, make
from mediad.errors import Refused
from tests.adapters import live, stills
from tests.adapters.films import film

APPLES = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>'
)
JPEG = stills.dressed(
    stills.jpeg(), stills.exif(), stills.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + APPLES)
)
REAL = (
    "live_pair/keyPhoto.jpg",
    "heic_iphone/IMG_2929.HEIC",
    "heic_hdr_gainmap/iphone_15_pro.heic",
    "jpeg_gainmap/01.jpg",
)


def halves(folder: Path, still: bytes, moving: bytes | Path) -> Halves:
    (folder / "still").write_bytes(still)
    path = moving if isinstance(moving, Path) else folder / "film"
    if isinstance(moving, bytes):
        path.write_bytes(moving)
    return Halves(folder / "still", digest(still), path, digest(path.read_bytes()))


def digest(data: bytes) -> str:
    return blake3(data).hexdigest()


def exiftool(path: Path) -> Any:
    """What exiftool reads, structures as such."""
    command = ["exiftool", "-j", "-n", "-struct", "-G1", "-XMP:all", "-IFD0:Make", str(path)]
    [said] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return said


def cut_out(path: Path, target: Path) -> bytes:
    """The film, where exiftool says that it is: by Google's format it is the last of the file."""
    directory = exiftool(path)["XMP-Container:Directory"]
    length = directory[-1]["Item"]["Length"]
    found = path.read_bytes()[-length:]
    target.write_bytes(found)
    return found


def streams(path: Path) -> list[str]:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0"]
    said = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True)
    return said.stdout.replace(",", " ").split()


@pytest.mark.parametrize(
    ("still", "mime", "padding"), [(JPEG, "image/jpeg", 0), (stills.heic(), "image/heic", 8)]
)
def test_exiftool_finds_the_film_and_ffprobe_reads_it(
    still: bytes, mime: str, padding: int, tmp_path: Path
) -> None:
    both = halves(tmp_path, still, film(tmp_path / "film.mov"))
    target = tmp_path / "IMG_1.MP"
    made = make(both, target)
    told = exiftool(target)
    assert told["XMP-GCamera:MotionPhoto"] == 1
    assert told["XMP-GCamera:MotionPhotoVersion"] == 1
    assert told["XMP-GCamera:MotionPhotoPresentationTimestampUs"] == -1
    assert told["IFD0:Make"] == "Maker of the tests"
    size = both.film.stat().st_size
    assert told["XMP-Container:Directory"] == [
        {"Item": {"Length": 0, "Mime": mime, "Padding": padding, "Semantic": "Primary"}},
        {"Item": {"Length": size, "Mime": "video/quicktime", "Padding": 0, "Semantic": "MotionPhoto"}},
    ]  # fmt: skip
    assert cut_out(target, tmp_path / "cut.mov") == both.film.read_bytes()
    assert streams(tmp_path / "cut.mov") == ["video", "audio"]
    assert (made["digest"], made["size"]) == (
        digest(target.read_bytes()), target.stat().st_size,
    )  # fmt: skip


def test_what_the_still_said_before_it_says_still(tmp_path: Path) -> None:
    make(halves(tmp_path, JPEG, live.film()), tmp_path / "made")
    told = exiftool(tmp_path / "made")
    assert told["XMP-xmp:Rating"] == 5
    assert told["XMP-GCamera:MotionPhotoPresentationTimestampUs"] == 900_000
    assert told["XMP-GCamera:MicroVideoOffset"] == len(live.film())


def test_the_halves_stay_as_they_are_and_the_time_is_the_stills(tmp_path: Path) -> None:
    both = halves(tmp_path, stills.heic(), live.film())
    make(both, tmp_path / "made")
    assert both.still.read_bytes() == stills.heic()
    assert both.film.read_bytes() == live.film()
    assert (tmp_path / "made").stat().st_mtime_ns == both.still.stat().st_mtime_ns


def test_the_same_halves_give_the_same_bytes(tmp_path: Path) -> None:
    both = halves(tmp_path, stills.heic(), live.film())
    assert (
        make(both, tmp_path / "one")
        == make(both, tmp_path / "two")
        == judge(both, tmp_path / "two")
    )


def test_a_motion_photo_with_any_byte_changed_is_none(tmp_path: Path) -> None:
    both = halves(tmp_path, stills.heic(64, 64), live.film())
    target = tmp_path / "made"
    make(both, target)
    whole = target.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 80)):
        target.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert judge(both, target) is None
    for spoilt in (b"", whole[:-1], whole + b"\0", whole[:100]):
        target.write_bytes(spoilt)
        assert judge(both, target) is None


def test_a_motion_photo_of_other_halves_is_none(tmp_path: Path) -> None:
    make(halves(tmp_path, stills.heic(), live.film()), tmp_path / "made")
    other = halves(tmp_path, stills.heic(), live.film(None))
    assert judge(other, tmp_path / "made") is None


@pytest.mark.parametrize(
    ("still", "moving"),
    [
        (stills.heic()[:-50], live.film()),
        (stills.heic(), live.film()[:-50]),
        (stills.jpeg()[:-50], live.film()),
        (b"", live.film()),
        (stills.heic(), b""),
        (live.film(), stills.heic()),
        (stills.usual(), live.film()),
    ],
)
def test_halves_that_cannot_be_one_are_refused_and_nothing_is_kept(
    still: bytes, moving: bytes, tmp_path: Path
) -> None:
    both = halves(tmp_path, still, moving)
    with pytest.raises(Refused) as caught:
        make(both, tmp_path / "made")
    assert caught.value.code == "motion.not_understood"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("spoilt", ["still", "film"])
def test_a_half_that_is_not_what_was_hashed_is_refused(spoilt: str, tmp_path: Path) -> None:
    both = halves(tmp_path, stills.heic(), live.film())
    path = tmp_path / spoilt
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    for _ in range(2):  # other bytes, then none
        with pytest.raises(Refused) as caught:
            make(both, tmp_path / "made")
        assert caught.value.code == "motion.changed"
        path.unlink(missing_ok=True)


def test_a_poisoned_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is not what is read: the file is none."""
    both = halves(tmp_path, stills.heic(), live.film())
    monkeypatch.setattr("mediad.adapters.motion.judge", lambda *_: None)
    with pytest.raises(Refused) as caught:
        make(both, tmp_path / "made")
    assert caught.value.code == "motion.wrong"


def test_real_stills_with_a_real_live_film(shared_media: Path, tmp_path: Path) -> None:
    """One file each of what phones make: exiftool finds film and moment, and the film is byte for byte what it was."""
    moving = shared_media / "edge/mov_named.mp4"
    for n, name in enumerate(REAL):
        both = halves(tmp_path, (shared_media / name).read_bytes(), moving)
        target = tmp_path / f"{n}.MP"
        make(both, target)
        assert exiftool(target)["XMP-GCamera:MotionPhotoPresentationTimestampUs"] == 900_000
        assert cut_out(target, tmp_path / "cut.mov") == moving.read_bytes()
        assert streams(tmp_path / "cut.mov")[:2] == ["video", "audio"]


def test_every_real_pair_is_one_file_from_which_both_come_back(
    shared_media: Path, tmp_path: Path
) -> None:
    pairs = [
        (still, moving)
        for moving in sorted(shared_media.glob("live_pair/*"))
        if moving.suffix.lower() == ".mov"
        for still in sorted(moving.parent.glob(f"{moving.stem}.*"))
        if still.suffix.lower() in {".heic", ".jpg", ".jpeg"}
    ]
    if not pairs:
        pytest.skip("no whole pair among the real media here")
    for n, (still, moving) in enumerate(pairs):
        both = Halves(still, digest(still.read_bytes()), moving, digest(moving.read_bytes()))
        target = tmp_path / f"{n}.MP"
        make(both, target)
        assert cut_out(target, tmp_path / "cut.mov") == moving.read_bytes()
