"""Guards the made-up libraries: the bytes are what they claim to be, and a big one is quickly made."""

import io
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Library, Person, fingerprint, jpeg, movie
from mediad.testing.icloud.bodies import raw
from mediad.testing.icloud.crowd import SHARED, crowd
from mediad.testing.icloud.rows import AssetRow, MemberRow

AT = 1_690_000_000_000  # 2023-07-22 04:26:40 UTC
PAIR = "6F1C1A2E-0001-4000-8000-000000000001"


def told(path: Path, *tags: str) -> list[str]:
    asked = ["exiftool", "-s3", "-api", "QuickTimeUTC=0", *(f"-{tag}" for tag in tags), str(path)]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_made_up_photo_is_one(tmp_path: Path) -> None:
    content = jpeg("a", taken_at=AT, offset_s=-5_400, size=70_000, pair=PAIR).read()
    assert len(content) >= 70_000
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
    (tmp_path / "a.jpg").write_bytes(content)
    words = told(tmp_path / "a.jpg", "DateTimeOriginal", "OffsetTimeOriginal")
    assert words == ["2023:07:22 02:56:40", "-01:30"]
    assert PAIR in told(tmp_path / "a.jpg", "Apple:all")


def test_a_made_up_film_is_one_and_names_its_still(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(movie("a", taken_at=AT, pair=PAIR).read())
    words = told(tmp_path / "a.mov", "FileType", "CreateDate", "ContentIdentifier")
    assert words == ["MOV", "2023:07:22 04:26:40", PAIR]


def test_a_made_up_raw_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.dng").write_bytes(raw("a", taken_at=AT, size=4_000).read())
    assert told(tmp_path / "a.dng", "FileType", "DateTimeOriginal") == [
        "DNG",
        "2023:07:22 04:26:40",
    ]


def test_a_seed_always_makes_the_same_bytes_and_another_seed_others() -> None:
    one, same, other = (jpeg(seed, taken_at=AT, size=900) for seed in "aab")
    assert one.fingerprint == same.fingerprint == fingerprint(one.read())
    assert one.fingerprint != other.fingerprint


def test_the_fingerprint_is_apples(shared_media: Path) -> None:
    recorded = sorted((shared_media.parent / "icloud").glob("*.bin"))
    if not recorded:
        pytest.skip("no recorded originals here")
    for file in recorded:
        assert fingerprint(file.read_bytes()).replace("/", "_") == file.stem


def test_a_crowd_is_of_all_kinds_and_the_same_each_time() -> None:
    library, again = Library(StoppedClock()), Library(StoppedClock())
    crowd(library, 1_000)
    crowd(again, 1_000)
    assets = [a for zone in library.zones.values() for a in zone.of(AssetRow)]
    kinds = Counter(
        len(zone.master(a.master).files) + bool(a.edited)
        for zone in library.zones.values()
        for a in zone.of(AssetRow)
    )
    assert len(assets) == 1_000
    assert kinds == {1: 730, 2: 270}
    assert sum(a.subtype == 2 for a in assets) == 200
    assert sum(1 for _ in library.zone(SHARED).of(AssetRow)) == 20
    assert sum(1 for _ in library.primary.of(MemberRow)) == 100
    assert {a.master for a in assets} == {
        a.master for zone in again.zones.values() for a in zone.of(AssetRow)
    }


def test_what_a_person_does_shows_in_the_library() -> None:
    person = Person(Library(StoppedClock()))
    live, other = person.shoot_live("A.JPG"), person.shoot("B.JPG")
    copy = person.duplicate(live.record)
    assert {a.record for a in person.zone.assets_of(live.master)} == {live.record, copy.record}
    album = person.make_album("Holiday").record
    person.add_to(album, other.record)
    person.take_out(album, other.record)
    assert person.zone.members(album) == []
    person.edit(other.record)
    assert person.revert(other.record).edited == []
    person.delete(other.record)
    assert not person.recover(other.record).is_deleted
    person.expunge(live.record)
    assert live.master in {m.record for m in person.zone.of(type(person.zone.master(live.master)))}
    person.expunge(copy.record)
    assert not person.zone.assets_of(live.master)
    with pytest.raises(KeyError):
        person.zone.master(live.master)


def test_a_burst_shares_its_name_and_a_contribution_names_its_owner() -> None:
    person = Person(Library(StoppedClock()))
    burst = person.shoot_burst("IMG_0001.JPG", 3)
    assert len({shot.burst for shot in burst}) == 1
    assert len({shot.master for shot in burst}) == 3
    assert person.contribute(burst[0].record, "_bert").contributor == "_bert"
