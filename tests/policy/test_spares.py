"""Guards what is thrown away of what mediad made: never what a lane may still ask for, nor what the journal knows."""

import pytest

from mediad.policy.spares import is_needed
from mediad.state import State

S = State
MOTION, CANDIDATE = ".motion-1.heic", ".photo-heic-crf18.5-1.heic"


@pytest.mark.parametrize(
    ("rest", "states", "is_recorded", "needed"),
    [
        (MOTION, {S.PHONE_DUE}, False, True),  # its batch is being made
        (MOTION, {S.BATCHED, S.SORTED}, False, True),  # it is what will be placed
        (MOTION, {S.PLACED, S.LIBRARY_DUE}, False, False),
        (MOTION, {S.RELEASED}, False, False),
        (MOTION, set(), False, False),
        (CANDIDATE, {S.LIBRARY_DUE, S.RELEASED}, False, True),  # it is being judged
        (CANDIDATE, {S.COMPRESSED, S.PHONE_DUE}, False, False),  # another one was taken
        (CANDIDATE, {S.KEPT}, False, False),
        (CANDIDATE, {S.COMPRESSED}, True, True),
        (CANDIDATE, {S.SORTED, S.CLEANED}, True, True),
        (MOTION, {S.RELEASED}, True, True),
    ],
)
def test_only_what_nobody_can_ask_for_is_spare(
    rest: str, states: set[State], *, is_recorded: bool, needed: bool
) -> None:
    assert is_needed(rest, states, is_recorded=is_recorded) is needed
