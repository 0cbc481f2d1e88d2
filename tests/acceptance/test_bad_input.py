"""Whatever is dropped in ends in a clear state with a code and a remedy, and every byte of it is still there."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg, movie
from tests.acceptance.whole import Whole, hashes, sha
from tests.adapters.broken import CORPUS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def ended_in(whole: Whole, name: str) -> tuple[str, str]:
    """The intake state and the code in the story of a file."""
    story = whole.explain(name)
    codes = [h["evidence"].get("code") for h in story["history"] if h["evidence"].get("code")]
    return story["position"]["intake"], codes[-1] if codes else ""


def test_broken_files_are_kept_in_quarantine_with_a_reason_and_stop_nobody(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    good = [jpeg(whole.incoming / f"good_{n}.jpg", n) for n in range(5)]
    kept = sorted(sha(p) for p in good)
    (whole.incoming / "zero.mov").write_bytes(b"")
    (whole.incoming / "note.txt").write_text("milk, bread\n")
    (whole.incoming / "text.jpg").write_text("<html>not a picture</html>")
    (whole.incoming / "cut.jpg").write_bytes(jpeg(tmp_path / "t.jpg", 99).read_bytes()[:-300])
    whole_film = movie(tmp_path / "t.mov").read_bytes()
    (whole.incoming / "broken_off.mov").write_bytes(whole_film[: len(whole_film) // 2])
    dropped = hashes(whole.incoming)
    whole.once()
    assert hashes(whole.archive) == kept
    assert sorted(hashes(whole.root / "quarantine") + kept) == dropped
    with whole.running():
        for name, code in {
            "zero.mov": "intake.empty",
            "note.txt": "intake.not_media",
            "text.jpg": "intake.not_media",
            "cut.jpg": "intake.truncated",
            "broken_off.mov": "intake.truncated",
        }.items():
            assert ended_in(whole, name) == ("quarantined", code), name
        counts = whole.ask("status")["assets"]
        assert (counts["completed"], counts["quarantined"], counts["failed"]) == (5, 5, 0)


def test_nothing_of_the_corpus_of_broken_media_is_lost_or_stops_anybody(tmp_path: Path) -> None:
    """What only decoding can tell is kept as it came: archived, and as itself in the library."""
    whole = Whole(tmp_path)
    for broken in CORPUS:
        (whole.incoming / broken.name).write_bytes(broken.make())
    sound = jpeg(whole.incoming / "sound.jpg", 1)
    dropped, aside = hashes(whole.incoming), [b.name for b in CORPUS if b.code]
    put_aside = sorted(sha(whole.incoming / name) for name in aside)
    whole.once()
    assert hashes(whole.root / "quarantine") == put_aside
    assert sorted(hashes(whole.archive) + put_aside) == dropped
    assert sound.name in {p.name for p in whole.library.rglob("*.jpg")}


def test_a_wrong_extension_is_put_right_in_the_library_only(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    jpeg(whole.incoming / "IMG_1.HEIC", 1)
    assert whole.once().returncode == 0
    assert [p.name for p in whole.archive.rglob("IMG_1*")] == ["IMG_1.HEIC"]
    assert [p.suffix.lower() for p in whole.library.rglob("IMG_1*")] == [".jpg"]


STRANGE = [
    b"new\nline.jpg", b"quote\"'.jpg", "émoji 🐈.jpg".encode(), b"bad \xff\xfe utf8.jpg",
    b"-rf.jpg", b"semi;colon $(x) `y`.jpg", b"a" * 251 + b".jpg", b"trailing space .jpg", b"CON.jpg",
    b"tab\there.jpg", b"..two.jpg.jpg"[2:], b"back\\slash.jpg", b"\x1b[31mred.jpg",
]  # fmt: skip


def test_strange_names_are_carried_byte_for_byte_and_never_become_paths(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    made = []
    for n, name in enumerate(STRANGE):
        plain = jpeg(tmp_path / "made.jpg", n)
        made.append(sha(plain))
        plain.rename(whole.incoming / os.fsdecode(name))
    assert whole.once().returncode == 0
    assert hashes(whole.archive) == sorted(made)
    assert len(hashes(whole.library)) == len(STRANGE)
    outside = {p.name for p in tmp_path.iterdir()}
    assert outside <= {
        "incoming", "pixel_sync", "nas_archive", "processing", "library", "icloud_delete", "bridge",
        "duplicates", "quarantine", "state", "daemon.log",
    }  # fmt: skip
    with whole.running():
        listing = whole.ctl("list").stdout
        assert "\x1b[31m" not in listing
        whole.ctl("--json", "list")


def test_links_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    secret = tmp_path / "secret.jpg"
    jpeg(secret, 5)
    (whole.incoming / "link.jpg").symlink_to(secret)
    (whole.incoming / "folder").symlink_to(tmp_path)
    (whole.incoming / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    (whole.incoming / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(whole.incoming / "pipe.jpg")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.relpath(whole.incoming / "socket.jpg"))
    jpeg(whole.incoming / "good.jpg", 6)
    whole.once()
    listener.close()
    assert len(hashes(whole.archive)) == 1
    assert sha(secret) not in hashes(whole.archive)
    assert secret.exists()


def test_a_deep_folder_and_names_that_differ_in_case_only(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    deep = whole.incoming.joinpath(*["d" * 40] * 20)
    for n, name in enumerate(("img.jpg", "IMG.JPG", "Img.jpg")):
        jpeg(deep / name, n)
    dropped = hashes(whole.incoming)
    assert whole.once().returncode == 0
    assert hashes(whole.archive) == dropped
    assert len(hashes(whole.library)) == 3


def test_litter_is_left_alone(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    litter = [
        "Thumbs.db",
        ".DS_Store",
        "._IMG_1.jpg",
        "half.jpg.part",
        "x.crdownload",
        "@eaDir/IMG_1.jpg",
    ]
    for n, name in enumerate(litter):
        jpeg(whole.incoming / name, n)
    assert whole.once().returncode == 0
    assert all((whole.incoming / name).exists() for name in litter)
    assert not hashes(whole.archive)


@pytest.mark.loss("DL12")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_archive_pauses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_SAFETY__RESERVE="64 KiB", MEDIAD_COMPRESS__ENABLED="false")
    whole.archive.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", whole.archive], check=True)
    try:
        for n in range(16):
            jpeg(whole.incoming / f"IMG_{n}.JPG", n, size=(400, 300))
        dropped = hashes(whole.incoming)
        with whole.running():
            whole.until(lambda: whole.ask("status")["links"]["archive"]["state"] == "down")
            assert any(p["code"].startswith("space.") for p in whole.ask("status")["problems"])
            subprocess.run(["mount", "-o", "remount,size=40m", whole.archive], check=True)
            whole.until(lambda: hashes(whole.archive) == dropped)
            whole.until(lambda: whole.ask("status")["links"]["archive"]["state"] == "up")
    finally:
        subprocess.run(["umount", "-l", whole.archive], check=True)


@pytest.mark.loss("DL5")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_nothing_is_written_below_a_mount_point_whose_mount_is_gone(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    whole.archive.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(whole.archive)]
    subprocess.run(mount, check=True)
    jpeg(whole.incoming / "first.jpg", 1)
    whole.once()
    saved = tmp_path / "saved"
    shutil.copytree(whole.archive, saved)
    subprocess.run(["umount", whole.archive], check=True)
    jpeg(whole.incoming / "second.jpg", 2)
    with whole.running():
        whole.until(lambda: whole.ask("status")["links"]["archive"]["state"] == "down")
        assert whole.ctl("wait", "--idle", "--timeout", "3", check=False).returncode == 4
        assert list(whole.archive.iterdir()) == []
        assert any(p["code"] == "archive.unmounted" for p in whole.ask("status")["problems"])
        subprocess.run(mount, check=True)
        try:
            shutil.copytree(saved, whole.archive, dirs_exist_ok=True)
            whole.until(lambda: len(hashes(whole.archive)) == 2)
        finally:
            subprocess.run(["umount", "-l", whole.archive], check=True)
