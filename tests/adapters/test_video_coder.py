"""Guards what ffmpeg's coders are told, in software and in hardware."""

import pytest

from mediad.adapters.video_coder import (
    FAMILIES,
    before_input,
    coding,
    device_of,
    hardware,
    may_use_hardware,
    software,
)
from mediad.adapters.video_probe import Colour, Probe

SEEN = Probe(pixel_format="yuv420p", timescale=600)
HDR = Probe(
    pixel_format="yuv420p10le",
    timescale=600,
    colour=Colour("tv", "bt2020nc", "smpte2084", "bt2020", "G(1,2)", "900,200"),
)


def test_the_usual_preset_can_be_replaced() -> None:
    usual, quick = software("libx265"), software("libx265/ultrafast")
    assert usual is not None
    assert quick is not None
    assert (usual.preset, quick.preset) == ("fast", "ultrafast")
    assert software("guess") is None


def test_colours_and_hdr_are_told_to_x265() -> None:
    coder = software("libx265")
    assert coder is not None
    words = " ".join(coding(coder, HDR, 26, 0))
    for part in ("-crf 26", "-pix_fmt yuv420p10le", "master-display=G(1,2)", "max-cll=900,200"):
        assert part in words
    for part in ("-color_trc smpte2084", "-color_primaries bt2020", "-colorspace bt2020nc"):
        assert part in words


def test_what_is_not_told_is_not_made_up() -> None:
    coder = software("libx264")
    assert coder is not None
    assert "-color_trc" not in coding(coder, SEEN, 26, 0)


def test_a_chip_gets_eight_bits_without_hdr_only() -> None:
    assert may_use_hardware(SEEN)
    assert not may_use_hardware(HDR)
    assert not may_use_hardware(Probe(pixel_format="yuv422p"))
    assert not may_use_hardware(
        Probe(pixel_format="yuv420p", colour=Colour(transfer="arib-std-b67"))
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("codec", ["hevc", "h264", "av1"])
def test_every_family_is_told_a_quality_and_a_clock(family: str, codec: str) -> None:
    words = coding(hardware(family, codec), SEEN, 26, 10_000_000)
    assert words[:2] == ["-c:v", f"{codec}_{family}"]
    assert "26" in words or "5000000" in words
    assert words[words.index("-video_track_timescale") + 1] == "600"
    assert not any("{" in word for word in words)


def test_without_a_device_there_is_none() -> None:
    assert not any(device_of(family) for family in FAMILIES if not FAMILIES[family].nodes)
    assert before_input(hardware("v4l2m2m", "hevc")) == []
