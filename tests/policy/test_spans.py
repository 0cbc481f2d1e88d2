"""Guards how a span of time is read: only what cannot mean anything else."""

from datetime import timedelta

import pytest

from mediad.policy.spans import span


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+1h30m", timedelta(hours=1, minutes=30)),
        ("-2d", timedelta(days=-2)),
        ("90m", timedelta(minutes=90)),
        (" - 1 d 2 h ", timedelta(days=-1, hours=-2)),
        ("+45S", timedelta(seconds=45)),
        ("", None),
        ("1", None),
        ("1.5h", None),
        ("+1h-2m", None),
        ("1w", None),
        ("9999999d", None),
    ],
)
def test_a_span_is_read(text: str, found: timedelta | None) -> None:
    assert span(text) == found
