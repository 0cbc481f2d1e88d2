"""A rendition that comes back, as it happens to a person: the library is copied into the drop folder."""

import shutil
from pathlib import Path

import pytest

from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import Whole, hashes, sha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_the_library_copied_back_is_known_and_set_aside(tmp_path: Path) -> None:
    whole = Whole(tmp_path)
    photo = jpeg(whole.incoming / "IMG_1.JPG", 1, size=(2000, 1500))
    taken = sha(photo)
    assert whole.once().returncode == 0
    [small] = whole.library.rglob("*.JPG")
    made = sha(small)
    assert made != taken
    shutil.copy2(small, whole.incoming / "from the phone.jpg")
    assert whole.once().returncode == 0
    assert hashes(whole.archive) == [taken]
    assert hashes(whole.library) == [made]
    assert hashes(whole.root / "duplicates") == [made]
    with whole.running():
        source = whole.explain("IMG_1.JPG")["id"]
        told = whole.explain("from the phone.jpg")
        counts = whole.ask("status")["assets"]
    assert (told["state"], told["duplicate_of"]) == ("duplicate", source)
    assert "archive" not in told["position"]
    assert told["story"][0] == (
        f"it is a rendition that mediad made of asset {source}, and that has come back"
    )
    assert (counts["total"], counts["duplicates"]) == (2, 1)


def test_when_the_original_is_gone_the_rendition_is_taken_in_by_itself(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_CLEAN__AFTER_HOURS="0")
    jpeg(whole.incoming / "IMG_1.JPG", 1, size=(2000, 1500))
    whole.once()
    assert not hashes(whole.root / "processing")
    [small] = whole.library.rglob("*.JPG")
    [archived] = whole.archive.rglob("*.JPG")
    made = sha(small)
    shutil.copy2(small, whole.incoming / "saved.jpg")
    archived.unlink()
    whole.once()
    assert hashes(whole.archive) == [made]
    assert not hashes(whole.root / "duplicates")
