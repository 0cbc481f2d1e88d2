"""Photos that look the same, as a person meets them: told of, and left alone."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.acceptance.pictures import jpeg
from tests.acceptance.whole import Whole, hashes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_smaller_copy_is_told_of_and_both_stay(tmp_path: Path) -> None:
    whole = Whole(tmp_path, MEDIAD_COMPRESS__ENABLED="false")
    photo = jpeg(tmp_path / "IMG_1.JPG", 1, size=(2000, 1500))
    with Image.open(photo) as image:
        (whole.incoming / "chat").mkdir(parents=True)
        image.resize((800, 600)).save(whole.incoming / "chat" / "WA1.jpg", quality=70)
    photo.rename(whole.incoming / photo.name)
    jpeg(whole.incoming / "IMG_2.JPG", 2, size=(2000, 1500))
    dropped = hashes(whole.incoming)
    with whole.running():
        whole.until(lambda: whole.ctl("--json", "list", "--near").stdout)
        [pair] = [json.loads(x) for x in whole.ctl("--json", "list", "--near").stdout.splitlines()]
        large, small = whole.explain("IMG_1.JPG"), whole.explain("WA1.jpg")
        other = whole.explain("IMG_2.JPG")
        text = whole.ctl("explain", "WA1.jpg").stdout
        whole.ctl("wait", "--idle", "--timeout", "30")
    assert {pair["of"], pair["asset"]} == {large["id"], small["id"]}
    assert (pair["better"], pair["burst"]) == (large["id"], False)
    assert "more pixels (2000 x 1500, not 800 x 600)" in pair["reasons"][0]
    assert f"it looks like asset {large['id']} (IMG_1.JPG)" in text
    assert (len(large["near"]), len(small["near"]), other["near"]) == (1, 1, [])
    assert hashes(whole.archive) == hashes(whole.library) == dropped
    assert not hashes(whole.root / "duplicates")
