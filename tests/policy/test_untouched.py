"""Guards the kinds that are left as they are: each has its sentence, and none of them a recipe too."""

import pytest

from mediad.model import Media
from mediad.policy.untouched import PHOTOS, VIDEOS, untouched

MADE_SMALLER = {Media.JPEG, Media.HEIC, Media.MOV, Media.MP4}


@pytest.mark.parametrize("media", sorted(Media))
def test_each_kind_is_left_by_name_or_has_a_recipe(media: Media) -> None:
    left = untouched(media)
    assert (left is None) == (media in MADE_SMALLER)
    assert left is None or (left.code == "compress.kind" and left.why)


def test_photos_and_videos_are_not_mixed_up() -> None:
    assert all(media.is_photo for media in PHOTOS)
    assert all(media.is_video for media in VIDEOS)
