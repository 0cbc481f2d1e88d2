"""Guards the numbers of photo recipes."""

import pytest

from mediad.policy.recipes_photo import heic_crf


@pytest.mark.parametrize(("quality", "crf"), [(79, 17), (75, 18), (65, 20), (30, 27), (10, 28)])
def test_a_heic_s_rate_factor_follows_the_quality(quality: int, crf: int) -> None:
    assert heic_crf(quality) == crf
