"""Guards which videos are left as they are, each kind by its name."""

from dataclasses import replace

import pytest

from mediad.adapters.video_probe import Colour, Probe
from mediad.adapters.video_rules import WHY, suits, suits_recipe
from mediad.model import Media
from mediad.ports import Recipe

X265 = Recipe("x", Media.MOV, crf=26, encoder="libx265")

GOOD = Probe(
    is_iso=True,
    videos=1,
    codec="h264",
    pixel_format="yuv420p",
    width=1920,
    height=1080,
    timescale=600,
    frames=300,
    duration_s=10.0,
)


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (GOOD, ""),
        (replace(GOOD, codec="hevc", pixel_format="yuv420p10le"), ""),
        (Probe(), "compress.untouched_container"),
        (replace(GOOD, flaw="x", flaw_code="compress.fragmented"), "compress.fragmented"),
        (replace(GOOD, videos=0), "compress.no_video"),
        (replace(GOOD, videos=2, flaw="2 video tracks"), "compress.several_videos"),
        (replace(GOOD, is_dolby_vision=True, flaw="dvvC"), "compress.dolby_vision"),
        (replace(GOOD, is_dynamic_hdr=True), "compress.dynamic_hdr"),
        (replace(GOOD, codec="av1"), "compress.codec"),
        (replace(GOOD, codec="vvc"), "compress.codec"),
        (replace(GOOD, codec="prores"), "compress.prores"),
        (replace(GOOD, flaw="x", flaw_code="compress.encrypted"), "compress.encrypted"),
        (replace(GOOD, flaw="x", flaw_code="compress.spatial"), "compress.spatial"),
        (
            replace(GOOD, flaw="x", flaw_code="compress.several_descriptions"),
            "compress.several_descriptions",
        ),
        (replace(GOOD, frames_a_second=120.0), "compress.slow_motion"),
        (replace(GOOD, frames_a_second=60.0), ""),
        (replace(GOOD, is_marked_slow=True), "compress.slow_motion"),
        (replace(GOOD, is_interlaced=True), "compress.interlaced"),
        (replace(GOOD, pixel_format="yuv444p"), "compress.pixel_format"),
        (replace(GOOD, flaw="chunks that share bytes"), "compress.structure"),
        (replace(GOOD, timescale=0), "compress.structure"),
        (replace(GOOD, duration_s=1.9), "compress.short"),
        (replace(GOOD, duration_s=1.9, is_live=True), ""),
    ],
)
def test_what_would_lose_something_is_left_as_it_is(seen: Probe, code: str) -> None:
    assert suits(seen) == code
    assert not code or WHY[code]


def test_dolby_vision_is_given_up_only_when_asked() -> None:
    seen = replace(GOOD, codec="hevc", is_dolby_vision=True)
    assert suits_recipe(seen, X265) == "compress.dolby_vision"
    assert suits_recipe(seen, replace(X265, dolby_vision=True)) == ""


@pytest.mark.parametrize(
    ("seen", "recipe", "code"),
    [
        (GOOD, X265, ""),
        (GOOD, replace(X265, media=Media.AVI), "compress.untouched_container"),
        (GOOD, replace(X265, encoder="libsvtav1"), "compress.av1_in_mov"),
        (GOOD, replace(X265, encoder="libsvtav1/8", media=Media.MP4), ""),
        (
            replace(GOOD, pixel_format="yuv422p"),
            replace(X265, encoder="libsvtav1", media=Media.MP4),
            "compress.pixel_format",
        ),
        (
            replace(GOOD, colour=Colour(transfer="smpte2084")),
            replace(X265, encoder="libx264"),
            "compress.hdr_needs_x265",
        ),
        (replace(GOOD, colour=Colour(transfer="arib-std-b67")), X265, ""),
    ],
)
def test_each_coder_gets_only_what_it_keeps_whole(seen: Probe, recipe: Recipe, code: str) -> None:
    assert suits_recipe(seen, recipe) == code
