"""The main job, as a person does it: drop files in, find them archived, made smaller, sorted, and explained."""

import hashlib
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest
from blake3 import blake3
from PIL import Image

from tests.acceptance.pictures import jpeg, movie
from tests.acceptance.whole import Whole, hashes, sha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def large(path: Path, seed: int, **more: str) -> Path:
    return jpeg(path, seed, size=(2000, 1500), **more)


def test_a_folder_of_photos_comes_out_archived_smaller_and_sorted(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    photos = [large(whole.incoming / "trip" / f"IMG_{n}.JPG", n) for n in range(3)]
    dropped = {p.name: (sha(p), p.stat().st_size, p.stat().st_mtime) for p in photos}
    assert whole.once().returncode == 0
    assert hashes(whole.archive) == sorted(d[0] for d in dropped.values())
    found = sorted((whole.library / "2021" / "07" / "14").iterdir())
    assert [p.name for p in found] == sorted(dropped)
    for rendition in found:
        _, size, mtime = dropped[rendition.name]
        assert rendition.stat().st_size < size * 0.9
        assert abs(rendition.stat().st_mtime - mtime) < 1
        with Image.open(rendition) as picture:
            assert picture.size == (2000, 1500)
            assert picture.getexif().get_ifd(0x8769)[0x9003] == "2021:07:14 18:03:22"
    assert not any(p.is_file() for p in whole.incoming.rglob("*"))


def test_explain_tells_the_whole_story_in_the_words_of_the_contract(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    photo = large(whole.incoming / "IMG_7.JPG", 7)
    digest, size = blake3(photo.read_bytes()).hexdigest(), photo.stat().st_size
    whole.once()
    with whole.running():
        story = whole.explain("IMG_7.JPG")
        assert story == whole.explain(digest) or story["id"] == whole.explain(digest)["id"]
        text = whole.ctl("explain", "IMG_7.JPG").stdout
    assert story["kind"] == "photo"
    assert story["source"] == "folder"
    assert story["captured_at"]["at"].startswith("2021-07-14T18:03:22")
    assert story["captured_at"]["source"] == "exif"
    [original] = [f for f in story["files"] if f["role"] == "primary"]
    assert (original["name"], original["size"], original["blake3"]) == ("IMG_7.JPG", size, digest)
    assert any(c["site"] == "archive" and c["blake3"] == digest for c in story["copies"])
    assert story["position"]["archive"] == "verified"
    assert story["position"]["library"] == "sorted"
    assert [h["seq"] for h in story["history"]] == sorted(h["seq"] for h in story["history"])
    assert {"intake.seen", "intake.settled", "intake.hashed", "archive.verified"} <= {
        h["to"] for h in story["history"]
    }
    assert "archive" in text
    assert "IMG_7.JPG" in text


def test_exact_duplicates_are_set_aside_and_linked_to_the_one_that_was_kept(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    photo = jpeg(whole.incoming / "IMG_1.JPG", 1)
    for n in range(20):
        shutil.copy2(photo, whole.incoming / f"copy {n}.jpg")
    whole.once()
    assert len(hashes(whole.archive)) == 1
    assert len(hashes(whole.root / "duplicates")) == 20
    with whole.running():
        counts = whole.ask("status")["assets"]
        assert (counts["total"], counts["duplicates"], counts["completed"]) == (21, 20, 1)


@pytest.mark.loss("DL10")
def test_one_name_with_other_bytes_overwrites_nothing(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    for n in range(20):
        jpeg(whole.incoming / f"{n}" / "IMG_0001.JPG", n)
    dropped = hashes(whole.incoming)
    whole.once()
    assert hashes(whole.archive) == dropped
    assert len(hashes(whole.library)) == 20


@pytest.mark.loss("DL8")
def test_a_live_photo_is_one_asset_even_when_its_movie_comes_late(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_INGEST__GROUP_SECONDS="30")
    with whole.running():
        jpeg(whole.incoming / "IMG_0005.JPG", 5)
        whole.until(lambda: list(whole.library.rglob("IMG_0005.JPG")))
        movie(tmp_path / "made.MOV")
        shutil.copy2(tmp_path / "made.MOV", whole.incoming / "IMG_0005.MOV")
        whole.until(lambda: list(whole.library.rglob("IMG_0005.MOV")))
        whole.ctl("wait", "--idle", "--timeout", "60")
        story = whole.explain("IMG_0005.JPG")
        assert story["kind"] == "live_photo"
        assert {f["name"] for f in story["files"]} >= {"IMG_0005.JPG", "IMG_0005.MOV"}
        assert whole.ask("status")["assets"]["total"] == 1
    still, film = (next(whole.library.rglob(f"IMG_0005.{e}")) for e in ("JPG", "MOV"))
    assert still.parent == film.parent


@pytest.mark.loss("DL11")
def test_a_slow_writer_is_never_taken_before_its_last_byte(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    source = large(tmp_path / "source.jpg", 3).read_bytes()
    with whole.running():
        with (whole.incoming / "slow.jpg").open("wb") as slow:
            for start in range(0, len(source), len(source) // 8):
                slow.write(source[start : start + len(source) // 8])
                slow.flush()
                os.fsync(slow.fileno())
                assert not hashes(whole.archive)
        whole.until(partial(hashes, whole.archive))
    assert hashes(whole.archive) == [hashlib.sha256(source).hexdigest()]


def test_a_second_daemon_on_the_same_root_refuses_and_names_the_first(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    with whole.running() as first:
        second = whole.once(check=False)
    assert second.returncode == 3
    assert str(first.pid) in second.stderr


def test_sigterm_leaves_a_journal_that_goes_on(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    for n in range(40):
        jpeg(whole.incoming / f"IMG_{n:04}.JPG", n)
    dropped = hashes(whole.incoming)
    daemon = whole.start()
    whole.until((whole.root / "state" / "journal.db").exists)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(40) == 0
    assert whole.once().returncode == 0
    assert hashes(whole.archive) == dropped


def test_compression_switched_off_sorts_the_originals_themselves(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_COMPRESS__ENABLED="false")
    for n in range(5):
        large(whole.incoming / f"IMG_{n}.JPG", n)
    dropped = hashes(whole.incoming)
    assert whole.once().returncode == 0
    assert hashes(whole.library) == dropped == hashes(whole.archive)


def test_the_working_copy_goes_by_warrant_when_its_time_has_come(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_CLEAN__AFTER_HOURS="0")
    large(whole.incoming / "IMG_1.JPG", 1)
    dropped = hashes(whole.incoming)
    assert whole.once().returncode == 0
    assert not hashes(whole.root / "processing")
    assert hashes(whole.archive) == dropped


def test_a_rotten_archive_copy_keeps_the_working_copy_alive(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_CLEAN__AFTER_HOURS="24")
    large(whole.incoming / "IMG_1.JPG", 1)
    dropped = hashes(whole.incoming)
    whole.once()
    [archived] = list(whole.archive.rglob("*.JPG"))
    rotten = bytearray(archived.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    archived.chmod(0o600)
    archived.write_bytes(rotten)
    whole.env["MEDIAD_CLEAN__AFTER_HOURS"] = "0"
    with whole.running():
        whole.ctl("retry", "--all-held", check=False)
        whole.ctl("wait", "--idle", "--timeout", "30", check=False)
    assert set(dropped) <= set(hashes(whole.root / "processing")) | set(hashes(whole.archive))


def test_an_original_comes_back_bit_for_bit_with_its_old_time_from_a_copy_that_proves_good(
    tmp_path: Path,
) -> None:
    whole = Whole(tmp_path / "root", MEDIAD_CLEAN__AFTER_HOURS="0")
    photo = large(whole.incoming / "IMG_1.JPG", 1)
    digest, mtime_ns = sha(photo), photo.stat().st_mtime_ns
    whole.once()
    assert not hashes(whole.root / "processing")
    with whole.running():
        whole.ctl("recover", "IMG_1.JPG", "--to", str(tmp_path / "found"))
        found = tmp_path / "found" / "IMG_1.JPG"
        assert (sha(found), found.stat().st_mtime_ns) == (digest, mtime_ns)
        whole.ctl("recover", "IMG_1.JPG", "--to", str(tmp_path / "found"))
        assert hashes(tmp_path / "found") == [digest, digest]
        [archived] = whole.archive.rglob("*.JPG")
        archived.write_bytes(b"rotten")
        answer = whole.ctl("recover", "IMG_1.JPG", "--to", str(tmp_path / "again"), check=False)
        assert answer.returncode == 1
        assert "not what it was" in answer.stderr
        assert hashes(tmp_path / "again") == []
