"""Guards the reading of archives from outside: every file's digest, and nothing that an archive can do to us."""

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from mediad.mediactl import takeout
from mediad.mediactl.client import Trouble
from mediad.mediactl.takeout import Held, held
from mediad.testing.files import digest_of

PHOTOS = "Takeout/Google Photos/Photos from 2024"


def read(path: Path) -> list[Held]:
    found = held(path)
    assert found is not None
    return list(found)


def good(rows: list[Held]) -> dict[str, str]:
    return {row.name: row.blake3 for row in rows if not row.why}


def tgz(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return path


def file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


def link(name: str, to: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info, b""


def test_a_zip_a_tgz_and_a_folder_say_the_same(tmp_path: Path) -> None:
    files = {"a.jpg": b"one", "b.mp4": os.urandom(3 << 20), "a.jpg.json": b"{}"}
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{PHOTOS}/{name}", content)
    folder = tmp_path / "unpacked" / PHOTOS
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    packed = tgz(tmp_path / "t.tgz", *(file(f"{PHOTOS}/{n}", c) for n, c in files.items()))
    expected = {n: digest_of(c) for n, c in files.items() if not n.endswith(".json")}
    for path in (tmp_path / "t.zip", packed, tmp_path / "unpacked", folder.parent):
        rows = read(path)
        assert good(rows) == expected
        assert {r.size for r in rows} == {3, 3 << 20}


def test_names_and_links_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    inside = tmp_path / "in"
    inside.mkdir()
    odd = [f"{PHOTOS}/../../../../out.jpg", f"/{PHOTOS}/root.jpg", "../secret.jpg", f"{PHOTOS}/ok.jpg"]  # fmt: skip
    with zipfile.ZipFile(inside / "t.zip", "w") as archive:
        for name in odd:
            archive.writestr(zipfile.ZipInfo(name), b"bytes")
        sym = zipfile.ZipInfo(f"{PHOTOS}/sym.jpg")
        sym.external_attr = 0o120777 << 16
        archive.writestr(sym, "../../../secret.jpg")
    packed = tgz(
        inside / "t.tgz",
        *(file(name, b"bytes") for name in odd),
        link(f"{PHOTOS}/sym.jpg", str(tmp_path / "secret.jpg"), tarfile.SYMTYPE),
        link(f"{PHOTOS}/hard.jpg", "../secret.jpg", tarfile.LNKTYPE),
        link(f"{PHOTOS}/pipe.jpg", "", tarfile.FIFOTYPE),
    )
    for path in (inside / "t.zip", packed):
        rows = read(path)
        assert digest_of(b"secret") not in good(rows).values()
        assert {"sym.jpg", "hard.jpg", "pipe.jpg"}.isdisjoint(r.name for r in rows)
        assert good(rows)["ok.jpg"] == digest_of(b"bytes")
        assert all("Takeout" in r.why for r in rows if r.why)
        assert {r.name for r in rows if r.why} == {"root.jpg", "secret.jpg"}
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", "secret.jpg", "t.tgz", "t.zip"]


def test_links_and_pipes_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / PHOTOS
    folder.mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "sym.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "ok.jpg").write_bytes(b"ok")
    assert [r.name for r in read(tmp_path)] == ["ok.jpg"]


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_flood_is_stopped_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(takeout, "FREE", 8 << 20)
    flood, path = bytes(64 << 20), tmp_path / f"t.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{PHOTOS}/ok.jpg", b"ok")
            archive.writestr(f"{PHOTOS}/flood.jpg", flood)
            archive.writestr(f"{PHOTOS}/after.jpg", b"after")
    else:
        tgz(path, file(f"{PHOTOS}/ok.jpg", b"ok"), file(f"{PHOTOS}/flood.jpg", flood))
    rows = read(path)
    assert good(rows) == {"ok.jpg": digest_of(b"ok")}
    assert "far more than photos would" in rows[-1].why


def test_headers_that_would_fill_the_memory_are_a_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeout, "HEAD", 1 << 20)
    info = tarfile.TarInfo(f"{PHOTOS}/a.jpg")
    info.pax_headers = {"comment": "x" * (4 << 20)}
    path = tmp_path / "t.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b""))
    [row] = read(path)
    assert "far more than photos would" in row.why


def test_the_holes_of_a_sparse_file_are_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo(f"{PHOTOS}/endless.jpg")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 60)}
    path = tmp_path / "t.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b""))
        archive.addfile(tarfile.TarInfo(f"{PHOTOS}/empty.jpg"), io.BytesIO(b""))
    assert good(read(path)) == {"empty.jpg": digest_of(b"")}


@pytest.mark.parametrize("keep", [30, 200, 2000])
def test_what_is_damaged_is_said_and_what_was_whole_counts(tmp_path: Path, keep: int) -> None:
    noise = file(f"{PHOTOS}/b.jpg", os.urandom(9000))
    whole = tgz(tmp_path / "t.tgz", file(f"{PHOTOS}/a.jpg", b"one"), noise)
    whole.write_bytes(whole.read_bytes()[:keep])
    rows = read(whole)
    assert rows[-1].why
    assert set(good(rows)) <= {"a.jpg"}
    cut = tmp_path / "t.zip"
    with zipfile.ZipFile(cut, "w") as archive:
        archive.writestr(f"{PHOTOS}/a.jpg", os.urandom(9000))
    cut.write_bytes(cut.read_bytes()[:keep])
    [row] = read(cut)
    assert "damaged" in row.why


def test_an_archive_with_a_file_of_no_name_is_damaged(tmp_path: Path) -> None:
    """Python's own zipfile stumbles over it with an IndexError."""
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Xa.jpg", b"one")
    path.write_bytes(path.read_bytes().replace(b"Xa.jpg", b"\0a.jpg"))
    [row] = read(path)
    assert "damaged" in row.why


def test_one_damaged_or_locked_member_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b", "c"):
            archive.writestr(f"{PHOTOS}/{name}.jpg", name.encode() * 100)
    raw = path.read_bytes().replace(b"b" * 100, b"b" * 99 + b"x", 1)
    path.write_bytes(raw)
    rows = read(path)
    assert set(good(rows)) == {"a.jpg", "c.jpg"}
    assert [r.name for r in rows if r.why] == ["b.jpg"]


def test_a_gzip_that_is_no_tar_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "t.tgz"
    path.write_bytes(gzip.compress(b"no archive at all" * 100))
    assert good(read(path)) == {}
    assert "damaged" in read(path)[-1].why


def test_a_folder_that_is_no_export_would_prove_itself(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"one")
    with pytest.raises(Trouble, match="no Takeout export"):
        held(tmp_path / "photos")


def test_a_plain_file_is_no_export(tmp_path: Path) -> None:
    for content in (b"", b"{}", b"{}\n{}\n"):
        (tmp_path / "list.jsonl").write_bytes(content)
        assert held(tmp_path / "list.jsonl") is None
