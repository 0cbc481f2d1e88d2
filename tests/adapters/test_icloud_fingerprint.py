"""Guards the one proof that a download is what Apple has: its fingerprint, computed here."""

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from mediad.adapters.icloud.fingerprint import Fingerprint, fingerprint_of_file


def of(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return fingerprint_of_file(fd)
    finally:
        os.close(fd)


@pytest.fixture
def recorded() -> Path:
    shared = Path(os.environ.get("MEDIAD_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "data" / "icloud"
    if not folder.is_dir():
        pytest.skip("no recorded iCloud here: set MEDIAD_SHARED")
    return folder


def test_recorded_originals_have_the_fingerprints_that_apple_lists(recorded: Path) -> None:
    originals = sorted(recorded.glob("*.bin"))
    assert len(originals) == 2
    for path in originals:
        assert of(path) == path.stem.replace("_", "/").replace("-", "+")


def test_it_is_one_byte_of_form_and_a_salted_sha1(tmp_path: Path) -> None:
    content = os.urandom(3_000_001)
    (tmp_path / "a").write_bytes(content)
    salt = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"
    raw = b"\x01" + hashlib.sha1(salt + content, usedforsecurity=False).digest()
    assert of(tmp_path / "a") == base64.b64encode(raw).decode()


def test_one_bit_makes_another_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0" * 100)
    (tmp_path / "b").write_bytes(b"\0" * 99 + b"\1")
    assert of(tmp_path / "a") != of(tmp_path / "b")


def test_a_proof_holds_for_its_own_bytes_only() -> None:
    made = Fingerprint()
    made.update(b"ab")
    wanted = made.text()
    right, wrong = Fingerprint(wanted), Fingerprint(wanted)
    for piece in (b"a", b"b"):
        right.update(memoryview(piece))
    wrong.update(b"abc")
    assert right.holds()
    assert not wrong.holds()
    assert json.dumps(wanted)  # text, as it stands in a record
