"""Guards RAF: the EXIF of the JPEG inside, the size of the sensor, and the sensor's data to its end."""

from pathlib import Path

from mediad.model import Media
from tests.adapters import forge
from tests.adapters.reading import dates, read


def test_the_form_is_filled_in(tmp_path: Path) -> None:
    form = read(tmp_path, forge.raf(forge.shot()))
    assert (form.media, form.extension, form.width, form.height) == (Media.RAW, ".raf", 4256, 1424)
    assert "exif:DateTimeOriginal" in dates(form)
    assert form.cut == ""


def test_a_missing_byte_at_the_end_is_a_cut(tmp_path: Path) -> None:
    assert "picture data goes on" in read(tmp_path, forge.raf(forge.shot())[:-1]).cut
