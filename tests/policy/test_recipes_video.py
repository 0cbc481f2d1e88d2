"""Guards the numbers and names of video recipes."""

from typing import Any

import pytest

from mediad.config import Settings
from mediad.model import Inspection, Media
from mediad.policy.recipes_video import MIN_VIDEO_S, video_recipe
from mediad.policy.tiers import Tier
from mediad.policy.untouched import Untouched
from mediad.ports import Recipe


def recipe(
    codec: str, tier: Tier = Tier.MEDIUM, *, duration_s: float = 10.0, **more: Any
) -> Recipe | Untouched:
    settings = Settings.model_validate(
        {"root": "/nowhere", "compress": {"video": {"codec": codec, "light_crf": 21, **more}}}
    )
    seen = Inspection(Media.MP4, extension=".mp4", duration_s=duration_s)
    return video_recipe(seen, Media.MP4, tier, settings, is_live_half=False)


@pytest.mark.parametrize(
    ("codec", "encoder", "name"),
    [
        ("hevc", "libx265", "video-x265-crf26/1"),
        ("h264", "libx264", "video-x264-crf26/1"),
        ("av1", "libsvtav1", "video-svtav1-crf26/1"),
    ],
)
def test_the_codec_is_the_person_s_choice(codec: str, encoder: str, name: str) -> None:
    made = recipe(codec)
    assert isinstance(made, Recipe)
    assert (made.name, made.encoder, made.extension) == (name, encoder, ".mp4")


def test_the_age_chooses_the_rate_factor() -> None:
    made = recipe("hevc", Tier.LIGHT)
    assert isinstance(made, Recipe)
    assert made.crf == 21


def test_what_is_too_short_is_left_as_it_is() -> None:
    assert isinstance(recipe("hevc", duration_s=MIN_VIDEO_S - 0.1), Untouched)
    assert isinstance(recipe("hevc", duration_s=MIN_VIDEO_S), Recipe)
    assert isinstance(
        recipe("hevc", duration_s=0.0), Recipe
    )  # in fragments: who looks closer names it


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"hardware": "auto"}, "video-x265-crf26-auto/1"),
        ({"dolby_vision": True}, "video-x265-crf26-nodovi/1"),
        ({"medium_target": 93.5}, "video-x265-crf26-vmaf93.5/1"),
        ({"medium_target": 40, "target_metric": "xpsnr"}, "video-x265-crf26-xpsnr40/1"),
        ({"heavy_target": 90}, "video-x265-crf26/1"),
    ],
)
def test_whatever_changes_the_outcome_changes_the_name(more: dict[str, Any], name: str) -> None:
    made = recipe("hevc", **more)
    assert isinstance(made, Recipe)
    assert made.name == name


def test_a_target_brings_its_metric_and_its_time() -> None:
    made = recipe("hevc", medium_target=93, search_minutes=2)
    assert isinstance(made, Recipe)
    assert (made.target, made.metric, made.search_s) == (93, "vmaf", 120)
    plain = recipe("hevc")
    assert isinstance(plain, Recipe)
    assert (plain.target, plain.metric) == (0, "")
