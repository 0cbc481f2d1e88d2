"""Guards that a JPEG's rendition is smaller, honest and complete, and that damage is never re-coded."""

from math import pi, sin
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from mediad.adapters import photo_jpeg
from mediad.adapters.photo_gates import Failed
from mediad.errors import MediadError, NeedsOperator, Refused
from tests.adapters import stills

QUALITIES = ("auto", "jpegli", "pillow")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jpg"
    path.write_bytes(stills.usual())
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.jpg"


def code_of(source: Path, target: Path, encoder: str = "auto") -> str:
    with pytest.raises(MediadError) as no:
        photo_jpeg.render(source, target, 75, encoder)
    assert not target.exists()
    return no.value.code


@pytest.mark.parametrize("encoder", QUALITIES)
def test_a_rendition_is_smaller_and_passes_every_gate(
    source: Path, target: Path, encoder: str
) -> None:
    figures, seen = photo_jpeg.render(source, target, 75, encoder)
    assert figures["encoder"] == ("pillow" if encoder == "pillow" else "jpegli")
    assert target.stat().st_size < source.stat().st_size * 0.8
    assert photo_jpeg.judge(source, target, 75)["worst_block"]
    assert photo_jpeg.judge(source, target, 75, seen)["worst_block"]


def test_without_jpegli_pillow_does_it(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_jpeg, "jpegli", None)
    assert photo_jpeg.render(source, target, 75, "auto")[0]["encoder"] == "pillow"
    target.unlink()
    with pytest.raises(NeedsOperator):
        photo_jpeg.render(source, target, 75, "jpegli")


@pytest.mark.parametrize("sampling", [0, 1])
@pytest.mark.parametrize("image", [stills.picture().convert("L"), stills.picture()])
def test_gray_stays_gray_and_colour_keeps_its_resolution(
    source: Path, target: Path, image: Image.Image, sampling: int
) -> None:
    source.write_bytes(stills.jpeg(image, sampling=sampling))
    assert photo_jpeg.render(source, target, 65, "auto")[0]["encoder"] == "pillow"
    assert stills.decoded(target.read_bytes()).mode == image.mode
    photo_jpeg.judge(source, target, 75)


@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_sharp_colours_are_no_quarrel_of_decoders(
    source: Path, target: Path, sampling: int
) -> None:
    """Waves of colour, as fine as 4:2:2 can hold them well: real photos of that kind were taken for damaged ones."""
    wave = Image.frombytes(
        "L", (16, 1), bytes(round(128 + 48 * sin(n * pi / 8)) for n in range(16))
    )
    red = Image.new("L", (640, 480), 128)
    for left in range(0, 128, 16):
        red.paste(wave.resize((16, 480)), (left, 0))
    gray = Image.new("L", red.size, 128)
    stripes = Image.merge("YCbCr", (gray, gray, red))
    source.write_bytes(stills.jpeg(stripes.convert("RGB"), quality=99, sampling=sampling))
    seen = photo_jpeg.render(source, target, 75, "auto")[1]
    photo_jpeg.judge(source, target, 75, seen)


def test_colour_in_an_unusual_resolution_is_left_as_it_is(source: Path, target: Path) -> None:
    data = bytearray(stills.jpeg(sampling=1))
    at = data.index(b"\xff\xc0") + 11
    assert data[at] == 0x21
    data[at] = (
        0x12  # halved down instead of across, as when a camera's picture was turned without loss
    )
    source.write_bytes(data)
    assert code_of(source, target) == "compress.not_understood"


def test_a_second_rendition_of_the_same_quality_is_not_worth_it(source: Path, target: Path) -> None:
    photo_jpeg.render(source, target, 75, "auto")
    source.write_bytes(target.read_bytes())
    photo_jpeg.render(source, target, 75, "auto")
    assert target.stat().st_size > source.stat().st_size * 0.9


def test_what_would_grow_is_left_as_it_is(source: Path, target: Path) -> None:
    source.write_bytes(stills.jpeg(quality=20))
    assert code_of(source, target) == "compress.larger"


def test_an_unknown_structure_is_left_as_it_is(source: Path, target: Path) -> None:
    source.write_bytes(stills.jpeg() + b"who knows what")
    assert code_of(source, target) == "compress.not_understood"


def test_too_many_pixels_are_not_decoded(source: Path, target: Path) -> None:
    data = bytearray(stills.jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xf0\xf0\xf0\xf0"
    source.write_bytes(data)
    assert code_of(source, target) == "compress.too_large"


@pytest.mark.parametrize("encoder", QUALITIES)
def test_a_truncated_picture_is_left_as_it_is(source: Path, target: Path, encoder: str) -> None:
    whole = stills.jpeg()
    source.write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    assert code_of(source, target, encoder) == "compress.source_damaged"


def test_what_a_picture_leaves_over_tells_of_damage(source: Path, target: Path) -> None:
    """A flipped bit may decode to another picture, of another length, without a word up to the last line."""
    data = stills.jpeg()
    source.write_bytes(data[:-2] + b"\x55" * 40 + data[-2:])
    assert code_of(source, target) == "compress.source_damaged"
    source.write_bytes(data[:-2] + b"\xff\xff" + data[-2:])  # fill bytes are none
    assert photo_jpeg.render(source, target, 75, "auto")


@pytest.mark.parametrize("lost", [50, 512, 2000])
def test_a_picture_with_a_hole_is_left_as_it_is(source: Path, target: Path, lost: int) -> None:
    whole = stills.jpeg()
    source.write_bytes(whole[: len(whole) // 2] + whole[len(whole) // 2 + lost :])
    assert code_of(source, target) == "compress.source_damaged"


def poisons() -> dict[str, tuple[bytes, str]]:
    """What encoders with a bad day leave behind, and the gate that must stop each."""
    usual, coded = stills.usual(), stills.jpeg(quality=75)
    made = stills.usual(coded)
    black = stills.jpeg(Image.new("RGB", (640, 480)))
    other = stills.jpeg(stills.picture().transpose(Image.Transpose.ROTATE_180), quality=75)
    swapped = Image.merge("RGB", stills.picture().split()[::-1])
    mirrored = stills.picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return {
        "empty": (b"", "compress.unreadable"),
        "truncated": (made[: len(made) // 2], "compress.unreadable"),
        "cut within the scan": (stills.usual(coded[: len(coded) // 2] + b"\xff\xd9"), "compress.picture"),
        "black": (stills.usual(black), "compress.picture"),
        "another picture": (stills.usual(other), "compress.picture"),
        "wrong size": (stills.usual(stills.jpeg(stills.picture(480, 640))), "compress.dimensions"),
        "full colour": (stills.usual(stills.jpeg(quality=60, sampling=0)), "compress.colour"),
        "colour lost on one side": (stills.usual(stills.jpeg(quality=60, sampling=1)), "compress.colour"),
        "colours swapped": (stills.usual(stills.jpeg(swapped, quality=75)), "compress.picture"),
        "mirrored": (stills.usual(stills.jpeg(mirrored, quality=75)), "compress.picture"),
        "turned by the tag": (stills.dressed(coded, *stills.front(1), trailer=stills.SAMSUNG), "compress.tags"),
        "no colour profile": (made.replace(stills.ICC, b""), "compress.tags"),
        "gray": (stills.usual(stills.jpeg(stills.picture().convert("L"))), "compress.colour"),
        "no metadata": (coded, "compress.tags"),
        "another comment": (made.replace(b"a comment", b"a COMMENT"), "compress.tags"),
        "no trailer": (made[: -len(stills.SAMSUNG)], "compress.tags"),
        "as it was": (usual, "compress.larger"),
    }  # fmt: skip


@pytest.mark.parametrize("in_one_breath", [False, True])
@pytest.mark.parametrize("name", list(poisons()))
def test_a_poisoned_rendition_is_stopped(
    source: Path, target: Path, name: str, *, in_one_breath: bool
) -> None:
    data, code = poisons()[name]
    seen = photo_jpeg.render(source, target, 75, "auto")[1] if in_one_breath else None
    target.write_bytes(data)
    with pytest.raises(Failed) as no:
        photo_jpeg.judge(source, target, 75, seen)
    assert no.value.code == code


def test_a_decoder_that_sees_another_picture_is_caught(source: Path, target: Path) -> None:
    """Coded from what it saw, and compared with that, its rendition would pass; another decoder says no."""
    seen = photo_jpeg.render(source, target, 75, "auto")[1]
    gone_wrong = stills.decoded(stills.jpeg()).point(lambda v: 255 - v)
    target.write_bytes(stills.usual(stills.jpeg(gone_wrong, quality=75)))
    with pytest.raises(Failed) as no:
        photo_jpeg.judge(source, target, 75, seen._replace(picture=gone_wrong))
    assert (no.value.code, "two decoders" in no.value.why) == ("compress.picture", True)


def test_what_one_decoder_misses_between_many_scans_another_one_sees(
    source: Path, target: Path
) -> None:
    """A wrong byte in a progressive picture may cost one decoder its detail: found by mutation."""
    sharp = Image.effect_noise((640, 480), 30).convert("RGB")
    source.write_bytes(stills.usual(stills.jpeg(sharp, progressive=True)))
    seen = photo_jpeg.render(source, target, 75, "auto")[1]
    photo_jpeg.judge(source, target, 75, seen)
    softened = sharp.filter(ImageFilter.GaussianBlur(0.7))
    target.write_bytes(stills.usual(stills.jpeg(softened, quality=75)))
    with pytest.raises(Failed) as no:
        photo_jpeg.judge(source, target, 75, seen._replace(picture=softened))
    assert no.value.code == "compress.score"


@pytest.mark.parametrize("in_one_breath", [False, True])
def test_a_lost_gain_map_is_stopped(source: Path, target: Path, *, in_one_breath: bool) -> None:
    source.write_bytes(stills.with_gain_map())
    seen = photo_jpeg.render(source, target, 75, "auto")[1] if in_one_breath else None
    made = stills.with_gain_map(stills.jpeg(quality=60))
    target.write_bytes(made[: made.index(b"\xff\xd9") + 2])
    with pytest.raises(Failed) as no:
        photo_jpeg.judge(source, target, 75, seen)
    assert no.value.code in {"compress.tags", "compress.unreadable"}


def test_a_gain_map_that_cannot_be_found_any_more_is_stopped(source: Path, target: Path) -> None:
    source.write_bytes(stills.with_gain_map())
    photo_jpeg.render(source, target, 75, "auto")
    photo_jpeg.judge(source, target, 75)
    data = bytearray(target.read_bytes())
    at = data.index(b"MPF\0") + 4 + 8 + 2 + 24 + 4 + 16 + 8
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") - 1).to_bytes(4, "little")
    target.write_bytes(data)
    with pytest.raises(Failed) as no:
        photo_jpeg.judge(source, target, 75)
    assert no.value.code in {"compress.tags", "compress.unreadable"}


@pytest.mark.parametrize(("pillow", "own"), [(85, 88), (75, 78), (65, 63), (70, 70), (100, 100)])
def test_qualities_mean_the_same_look(pillow: int, own: int) -> None:
    assert photo_jpeg.jpegli_quality(pillow) == own


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("jpeg_iphone/iphone_hdr_NO.jpg", 0.45),
        ("jpeg_gainmap/ultraHDR.jpg", 0.6),
        ("jpeg_gainmap/01.jpg", 0.9),
        ("jpeg_camera/HMD_Nokia_8.3_5G.jpg", 0.45),
        ("jpeg_camera/Samsung SM-G935L (Galaxy S7 Edge).jpg", 0.45),
    ],
)
def test_real_photos_shrink_and_pass(
    shared_media: Path, target: Path, name: str, most: float
) -> None:
    source = shared_media / name
    seen = photo_jpeg.render(source, target, 75, "auto")[1]
    assert target.stat().st_size < source.stat().st_size * most
    photo_jpeg.judge(source, target, 75, seen)
    photo_jpeg.judge(source, target, 75)


@pytest.mark.parametrize(
    "name", ["jpeg_broken/hopper_bad_exif.jpg", "jpeg_motion/ss-motion-photo-shortened.jpg"]
)
def test_real_damage_is_left_as_it_is(shared_media: Path, target: Path, name: str) -> None:
    with pytest.raises(Refused) as no:
        photo_jpeg.render(shared_media / name, target, 75, "auto")
    assert no.value.code == "compress.source_damaged"
